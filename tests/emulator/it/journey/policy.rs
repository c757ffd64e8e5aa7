//! Policy on its way into force: nothing before it is approved, then what it allows, and no more where it is taken
//! away.

use std::fs;

use serde_json::{Value, json};

use super::Journey;
use crate::organization::ENABLED;
use crate::program::{Program, QUICK};

/// What the store says of policy.
fn policy(program: &Program) -> Value {
    let ran = program.ran(&["status", "--config", "spothub.yaml", "--output", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran.json()["policy"].clone()
}

/// How many swaps a pass did.
fn done(program: &Program) -> u64 {
    let ran = program.once(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran.json()["swaps"]["done"].as_u64().unwrap_or_default()
}

#[test]
fn nothing_is_swapped_before_a_policy_is_approved_nor_where_it_is_taken_away() {
    let group =
        |name: &str, desired: u32| json!({"name": name, "desired": desired, "max": 4, "tags": {ENABLED: "true"}});
    let accounts = json!([
        {"name": "shop", "ou": "prod", "groups": [group("web", 1)]},
        {"name": "play", "ou": "dev", "groups": [group("toy", 1)]},
    ]);
    let journey = Journey::over(json!({"regions": ["us-east-1"], "accounts": accounts}));
    let not_prod = format!("{QUICK}rules:\n  - {{match: {{ou: /prod}}, enabled: false}}\n");
    let program = journey.unused(&not_prod).give("policy-as-it-stands", "false").resumed();
    assert_eq!(done(&program), 0, "nobody has approved anything");
    let seen = policy(&program)["seen"]["digest"].as_str().unwrap().to_owned();

    let approve = |digest: &str, by: &str| {
        let args = ["policy", "approve", digest, "--why", "reviewed", "--by", by, "--config", "spothub.yaml"];
        program.ran(&args)
    };
    let unknown = approve("000000000000", "bob");
    assert!(unknown.code == Some(2) && unknown.err.contains(&seen[..12]), "{}", unknown.err);
    let author = policy(&program)["seen"]["author"].as_str().unwrap().to_owned();
    let own = approve(&seen[..12], &author);
    assert!(own.code == Some(2) && own.err.contains("does not approve"), "{}", own.err);
    let approved = approve(&seen[..12], "bob");
    assert_eq!(approved.code, Some(0), "{}", approved.err);
    assert_eq!(done(&program), 1, "the one outside of /prod");
    assert_eq!(policy(&program)["chain"], json!([seen]));

    // The file is looser now, then garbage, then gone: each time nothing new is touched.
    let file = program.path("policy.yaml");
    fs::write(&file, QUICK).unwrap();
    assert_eq!(done(&program), 0);
    assert_eq!(policy(&program)["chain"].as_array().unwrap().len(), 2);
    fs::write(&file, "defaults: [").unwrap();
    let broken = program.once(&[]);
    assert!(broken.code == Some(2) && broken.err.contains("policy.yaml:2:1"), "a pass says it at once: {}", broken.err);
    fs::remove_file(&file).unwrap();
    let mut running = program.start(&[]);
    running.message("the published policy cannot be read; what was in force stays");
    running.signal("TERM");
    running.end_well();
    let told = policy(&program);
    assert!(told["problem"]["text"].as_str().unwrap().contains("cannot read the policy file"), "{told}");
    let launched = journey.calls(0, "&action=CreateFleet").len();
    assert_eq!(launched, 1, "only what was allowed");
}
