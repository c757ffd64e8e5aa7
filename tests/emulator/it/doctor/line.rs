//! Command lines that are wrong, and an AWS that nobody reaches.

use serde_json::json;

use super::clinic::{Clinic, account, doctor};
use crate::program::Ran;

#[test]
fn what_keeps_the_doctor_from_looking_is_told() {
    let clinic = Clinic::over(vec![account("shop")]);
    let told = |ran: &Ran, code: i32, words: &[&str]| {
        assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
        for word in words {
            assert!(ran.err.contains(word), "{word:?} is missing in\n{}", ran.err);
        }
    };
    let program = clinic.program();
    let after = clinic.cursor();
    told(&program.ran(&["doctor"]), 2, &["member-role is missing"]);
    told(&doctor(&program, &["--region", "eu-north-1"]), 2, &["it is not served", "regions"]);
    told(&doctor(&program, &["--account", "42"]), 2, &["twelve digits"]);
    told(&doctor(&program, &["--probe-wait", "1h"]), 2, &["1s to 10m"]);
    assert_eq!(clinic.calls(after, ""), [""; 0]);

    // Nobody is enrolled: the hub's own rows are told all the same.
    let ran = doctor(&program, &["--accounts-without", clinic.id("shop"), "--accounts-without", "123456789012"]);
    told(&ran, 1, &["no account could be looked at"]);
    assert_eq!(ran.json()["counts"]["directory"]["missing"], 1);
    let denied = json!({"service": "organizations", "action": "ListAccounts", "code": "AccessDeniedException"});
    clinic.post("/faults", denied);
    let ran = doctor(&program, &[]);
    told(&ran, 1, &["no account could be looked at"]);
    assert_eq!(ran.json()["counts"]["directory"]["unknown"], 1);

    // AWS itself is out of reach.
    let mut program = clinic.program();
    program.set("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let ran = doctor(&program, &[]);
    told(&ran, 1, &["nobody at AWS can be asked", "AWS_ENDPOINT_URL"]);
    assert_eq!(ran.out, "");
}
