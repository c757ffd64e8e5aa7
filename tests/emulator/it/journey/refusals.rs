//! What cannot be reached, or is named oddly: each is told with what to do, and the rest goes on.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::Journey;
use crate::organization::ENABLED;
use crate::program::{QUICK, Ran};

fn one_group() -> Value {
    let group = json!({"name": "web", "desired": 1, "max": 2, "tags": {ENABLED: "true"}});
    json!({"regions": ["us-east-1"], "accounts": [
        {"name": "shop", "groups": [group]},
        {"name": "stranger", "external_id": "another", "groups": [group]},
    ]})
}

/// It failed as a whole, and the summary says so with a remedy.
fn failed(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.out, ran.err);
    for word in words {
        assert!(ran.out.contains(word), "{word:?} is missing in\n{}\n{}", ran.out, ran.err);
    }
}

#[test]
fn what_cannot_be_reached_is_told_with_a_remedy() {
    let journey = Journey::over(one_group());
    let mut program = journey.program(QUICK);
    let table = ["run", "--config", "spothub.yaml", "--once", "--unsafe-timings", "--output", "table"];

    // Another external id than the role asks for: this account is told, the other converted.
    let ran = program.ran(&table);
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    for word in ["1 done", "failed:", "external id"] {
        assert!(ran.out.contains(word), "{word:?} is missing in\n{}", ran.out);
    }

    // Keys that AWS does not know.
    let token = std::mem::replace(&mut program, journey.program(QUICK));
    drop(token);
    program.set("AWS_SESSION_TOKEN", "not-a-token");
    failed(&program.ran(&table), &["failed: directory of accounts", "credentials are not accepted", "renew"]);

    // No keys at all.
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        program.unset(name);
    }
    failed(&program.ran(&table), &["failed: directory of accounts", "found no credentials", "AWS_PROFILE"]);

    // Nobody listens there: bound to learn a free port, and let go.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut program = journey.program(QUICK);
    program.set("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{port}"));
    failed(&program.ran(&table), &["failed: directory of accounts", "nobody is reached", "AWS_ENDPOINT_URL"]);
}

#[test]
fn groups_of_any_name_are_served() {
    let longest = "x".repeat(255);
    let names = ["web of the shop", "prod/web/blue", "ümlaut & <tag> \"quoted\" 'too'", "a,b=c;d*e?f", &longest];
    let groups: Vec<Value> =
        names.iter().map(|name| json!({"name": name, "desired": 1, "max": 2, "tags": {ENABLED: "true"}})).collect();
    let journey = Journey::over(json!({"regions": ["us-east-1"], "accounts": [{"name": "shop", "groups": groups}]}));
    let before = journey.snapshot();
    let ran = journey.program(QUICK).once(&[]);
    assert_eq!((ran.code, &ran.json()["swaps"]), (Some(0), &json!({"done": names.len()})), "{}", ran.err);
    let now = journey.snapshot();
    assert_eq!(now.converted().len(), names.len());
    assert_eq!(now.left_behind(&before), Vec::<String>::new());
}

#[test]
fn settings_that_are_wrong_begin_nothing() {
    let journey = Journey::over(json!({"regions": ["us-east-1"], "accounts": []}));
    let program = journey.unused(QUICK);
    let after = journey.cursor();
    let arguments = ["run", "--config", "spothub.yaml", "--once", "--sweep", "soon", "--regions", "eu_west_1"];
    let ran = program.ran(&arguments);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{}", ran.err);
    // Times below their floors are among them: nobody said that this is an emulator.
    for word in ["--sweep", "--regions", "timings.tick", "policy.yaml"] {
        assert!(ran.err.contains(word), "{word:?} is missing in\n{}", ran.err);
    }
    assert!(journey.calls(after, "").is_empty() && !program.path("spothub.db").exists());
}
