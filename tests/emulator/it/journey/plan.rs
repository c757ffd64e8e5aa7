//! `spothub plan` over AWS: everything is seen, nothing is changed, and a recording gives the same plan again.

use std::fs;

use serde_json::{Value, json};

use super::{Journey, by_action};
use crate::organization::{DENIED, ENABLED, accounts};
use crate::program::{Program, QUICK, Ran};

fn plan(program: &Program, more: &[&str]) -> Ran {
    program.ran(&[&["plan", "--config", "spothub.yaml", "--output", "json"], more].concat())
}

fn warnings(ran: &Ran) -> Vec<&str> {
    ran.err.lines().filter(|line| line.starts_with("warning: ")).collect()
}

/// What was planned, without what is said of commitments: a recording knows none.
fn planned(ran: &Ran) -> Value {
    let mut told = ran.json();
    told.as_object_mut().unwrap().remove("commitments");
    told
}

/// The settings without what only a run needs, as `look.yaml`.
fn without_queues_and_store(program: &Program) {
    let settings = fs::read_to_string(program.path("spothub.yaml")).unwrap();
    let needed = |line: &&str| !["queues:", "  urgent:", "  normal:", "store:"].iter().any(|key| line.starts_with(key));
    let kept: Vec<&str> = settings.lines().filter(needed).collect();
    assert_eq!(kept.len() + 4, settings.lines().count());
    fs::write(program.path("look.yaml"), kept.join("\n")).unwrap();
}

#[test]
fn a_plan_sees_every_account_and_changes_nothing() {
    let journey = Journey::new();
    let program = journey.program(QUICK);
    // A plan needs no store, and makes none.
    fs::remove_file(program.path("spothub.db")).unwrap();
    let before = journey.snapshot();
    let after = journey.cursor();
    journey.message("normal", "{ this is no event".to_owned()).unwrap();

    let ran = plan(&program, &[]);

    // Of four accounts one refuses its role: seen in part, and named with what to do.
    let denied = accounts(&journey.told, &[DENIED]).first().unwrap().to_string();
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    let told = ran.json();
    assert_eq!(
        (&told["accounts"], &told["regions"], &told["groups_seen"]),
        (&json!(4), &json!(2), &json!(18)),
        "{told}"
    );
    assert_eq!(told["groups_by_standing"], json!({"enabled": 12, "not_enabled": 0, "opted_out": 6}));
    assert_eq!(told["swaps_now"], 12, "{told}");
    assert_eq!(told["set_aside"][0]["account_name"], "gone");
    let missed = told["missed"].as_array().unwrap();
    assert_eq!(missed.len(), 2, "{missed:?}");
    assert!(missed.iter().all(|row| row["account"] == denied.as_str() && row["what"] == "groups"), "{missed:?}");
    let words = format!("warning: account {denied} in eu-west-1: its groups could not be read");
    assert!(ran.err.contains(&words) && ran.err.contains("check that the member role exists"), "{}", ran.err);
    // Beside what the log warns of, nobody is told how far it is where nobody watches.
    let known =
        |line: &&str| line.starts_with("warning: ") || line.starts_with("   = ") || line.contains(" WARN spothub");
    assert!(ran.err.lines().all(|line| known(&line)), "{}", ran.err);

    let looked = by_action(&journey.calls(after, ""));
    println!("a plan of 18 groups in 3 accounts x 2 regions, and an account that refuses: {looked:?}");
    assert!(looked.contains_key("autoscaling:DescribeAutoScalingGroups"), "{looked:?}");
    assert_eq!(journey.calls(after, "&changing=true"), Vec::<Value>::new());
    assert!(looked.keys().all(|action| !action.starts_with("sqs:")), "{looked:?}");
    assert_eq!((journey.snapshot(), journey.waiting("normal")), (before, 1));
    assert!(!program.path("spothub.db").exists());

    // Queues and store are not asked for, and a policy on the command line is stronger than the settings'.
    without_queues_and_store(&program);
    fs::write(program.path("off.yaml"), "defaults: {enabled: false}\n").unwrap();
    let ran = program.ran(&["plan", "--config", "look.yaml", "--policy", "off.yaml", "--output", "json"]);
    assert_eq!((ran.code, &ran.json()["swaps_now"]), (Some(3), &json!(0)), "{}", ran.err);
    let ran = program.ran(&["plan", "--config", "look.yaml"]);
    assert!(
        ran.out.starts_with("Plan for the organization\n") && ran.out.contains("plan --config look.yaml"),
        "{}",
        ran.out
    );
    assert_eq!(journey.calls(after, "&changing=true"), Vec::<Value>::new());
}

#[test]
fn a_recording_of_aws_gives_the_same_plan_and_can_be_simulated() {
    let journey = Journey::new();
    let program = journey.program(QUICK);
    let live = plan(&program, &["--record", "org.jsonl"]);
    assert_eq!(live.code, Some(3), "{}", live.err);
    let after = journey.cursor();
    let again = program.ran(&["plan", "--snapshot", "org.jsonl", "--policy", "policy.yaml", "--output", "json"]);
    assert_eq!(again.code, Some(3), "{}", again.err);
    assert_eq!(planned(&again), planned(&live));
    let (mut all, of_commitments) = (warnings(&live), |line: &&str| line.starts_with("warning: commitments: "));
    assert!(all.len() == 3 && all.iter().any(of_commitments), "{all:?}");
    all.retain(|line| !of_commitments(&line));
    assert_eq!(warnings(&again), all);
    let simulated =
        ["simulate", "--snapshot", "org.jsonl", "--policy", "policy.yaml", "--hours", "2", "--output", "json"];
    let ran = program.ran(&simulated);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let told = ran.json();
    assert_eq!(
        (&told["scenario"], &told["groups"], &told["violations"]),
        (&json!("org"), &json!(18), &json!([])),
        "{told}"
    );
    assert!(told["swaps"]["completed"].as_u64().unwrap() >= 12, "{told}");
    assert_eq!(journey.calls(after, ""), Vec::<Value>::new(), "a recording needs no AWS");
}

/// One account and region, with a list price that no program was built with.
#[test]
fn newer_list_prices_are_planned_with_and_recorded() {
    let groups = json!([{"name": "web", "desired": 2, "max": 3, "tags": {ENABLED: "true"}}]);
    let one = json!({"regions": ["us-east-1"], "accounts": [{"name": "shop", "ou": "prod", "groups": groups}]});
    let journey = Journey::over(one);
    let program = journey.program(QUICK);
    journey.post(
        "/list-prices",
        json!({"region": "us-east-1", "type": "m5.large", "product": "Linux/UNIX", "usd": 0.987_654}),
    );
    let begun = std::time::Instant::now();
    let newer = ["--regions", "us-east-1", "--time-outs-catalogue", "5m", "--record", "org.jsonl"];
    let live = plan(&program, &newer);
    println!("a plan that brings one region's catalogue up to date: {:.1} s", begun.elapsed().as_secs_f64());
    assert_eq!(live.code, Some(0), "{}", live.err);
    let swap = &live.json()["groups"][0]["swap"];
    assert_eq!((&swap["type"], &swap["on_demand_usd_per_hour"]), (&json!("m5.large"), &json!("0.987654")), "{swap}");
    let again = program.ran(&["plan", "--snapshot", "org.jsonl", "--policy", "policy.yaml", "--output", "json"]);
    assert_eq!((again.code, planned(&again)), (Some(0), planned(&live)), "{}", again.err);
}

#[test]
fn what_keeps_a_plan_from_being_made_is_told_with_what_to_do() {
    let groups = json!([{"name": "web", "desired": 1, "max": 2, "tags": {ENABLED: "true"}}]);
    let journey = Journey::over(json!({"regions": ["us-east-1"], "accounts": [
        {"name": DENIED, "ou": "prod", "role": false, "groups": groups},
    ]}));
    let program = journey.program(QUICK);
    let told = |ran: &Ran, code: i32, words: &[&str]| {
        assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
        for word in words {
            assert!(ran.err.contains(word), "{word:?} is missing in\n{}", ran.err);
        }
    };

    // The only account refuses: nothing could be seen, and nothing is recorded.
    let ran = plan(&program, &["--regions", "us-east-1", "--record", "org.jsonl"]);
    told(&ran, 1, &["nothing of the organization could be seen", "none of its groups", "member role"]);
    assert!(!program.path("org.jsonl").exists());
    // Nobody is enrolled.
    let denied = accounts(&journey.told, &[DENIED]).first().unwrap().to_string();
    let management = journey.told["management"].as_str().unwrap();
    told(
        &plan(&program, &["--accounts-without", &denied, "--accounts-without", management]),
        1,
        &["no account is enrolled", "accounts.*"],
    );
    // The directory refuses.
    let fault =
        json!({"service": "organizations", "action": "ListAccounts", "code": "AccessDeniedException", "count": null});
    journey.post("/faults", fault);
    let ran = plan(&program, &[]);
    told(&ran, 1, &["the directory of accounts does not answer: access denied", "\n   = give the role this right"]);
    assert_eq!(ran.out, "");

    // Wrong command lines begin nothing.
    let after = journey.cursor();
    told(&plan(&program, &["--regions", "Ireland"]), 2, &["--regions", "is no region", "nothing was begun"]);
    told(&plan(&program, &["--record", "no/such/place"]), 2, &["cannot be written", "remedy"]);
    told(&program.ran(&["plan"]), 2, &["member-role is missing", "--scenario or --snapshot"]);
    told(&plan(&program, &["--scenario", "small"]), 2, &["--config cannot be used with --scenario"]);
    assert_eq!(journey.calls(after, ""), Vec::<Value>::new());
    // A variable that stands there for other commands is in nobody's way.
    let mut program = program;
    program.set("SPOTHUB_CONFIG", "spothub.yaml");
    told(&program.ran(&["plan", "--scenario", "small"]), 0, &[]);
}
