//! The brake: a new hub waits for it to be released, and nothing begins under it.

use std::time::Duration;

use serde_json::{Value, json};

use super::Journey;
use crate::clock::wait;
use crate::emulator::run;
use crate::organization::{ENABLED, accounts};
use crate::program::QUICK;

fn launches(journey: &Journey, after: u64) -> Vec<Value> {
    journey.calls(after, "&action=CreateFleet")
}

#[test]
fn a_new_hub_begins_paused_until_somebody_resumes_it() {
    let group = json!({"name": "web", "desired": 1, "max": 2, "tags": {ENABLED: "true"}});
    let journey = Journey::over(json!({"regions": ["us-east-1"], "accounts": [
        {"name": "shop", "ou": "prod/web", "groups": [group]}, {"name": "bank", "ou": "prod", "groups": [group]},
    ]}));
    let program = journey.unused(QUICK);
    let before = journey.snapshot();
    let config = ["--config", "spothub.yaml"];
    let brake = |verb: &str, scope: &[&str]| program.ran(&[&[verb, "--why", "tests"], &config[..], scope].concat());
    assert_eq!(brake("pause", &["--org"]).code, Some(2), "no store is there yet");

    let ran = program.once(&[]);
    assert_eq!((ran.code, &ran.json()["swaps"]), (Some(0), &json!({})), "{}", ran.err);
    assert_eq!((&ran.json()["holds"]["paused"], launches(&journey, 0).len()), (&json!(2), 0));
    let status = program.ran(&["status", "--config", "spothub.yaml", "--output", "json"]).json();
    assert_eq!((&status["brakes"][0]["scope"], &status["holds"]["paused"]), (&json!("org"), &json!(2)), "{status}");

    // One account alone stays paused.
    let bank = *accounts(&journey.told, &["bank"]).first().unwrap();
    assert_eq!(brake("pause", &["--account", &bank.to_string()]).code, Some(0));
    let resumed = brake("resume", &["--org"]);
    assert_eq!(resumed.code, Some(0));
    assert!(resumed.out.contains(&bank.to_string()), "{}", resumed.out);
    let ran = program.once(&[]);
    assert_eq!(ran.json()["swaps"], json!({"done": 1}), "{}", ran.err);
    assert!(journey.calls_in(bank, 0).iter().all(|call| call["changing"] == false));

    // A brake that is set a second time, or released where none is, is no failure; without a scope it is a mistake.
    assert_eq!(brake("resume", &["--ou", "/prod"]).code, Some(0));
    assert_eq!(brake("resume", &[]).code, Some(2));
    assert_eq!(brake("pause", &["--group", "web"]).code, Some(2));
    assert_eq!(brake("resume", &["--account", &bank.to_string()]).code, Some(0));
    let ran = program.once(&[]);
    assert_eq!(ran.json()["swaps"], json!({"done": 1}), "{}", ran.err);
    assert_eq!(journey.snapshot().left_behind(&before), Vec::<String>::new());
}

#[test]
fn from_five_seconds_after_a_pause_no_swap_begins_and_what_runs_is_finished() {
    let group = json!({"name": "web", "count": 4, "desired": 6, "max": 8, "tags": {ENABLED: "true"}});
    let journey = Journey::over(json!({"regions": ["us-east-1"], "accounts": [{"name": "shop", "groups": [group]}]}));
    let before = journey.snapshot();
    let program = journey.program(QUICK);
    let mut running = program.start(&["--sweep", "1m"]);
    // In the middle of its work.
    for _ in 0..3 {
        running.line("the end of a swap", |line| line["state"] == "done");
    }
    let paused = program.ran(&["pause", "--config", "spothub.yaml", "--org", "--why", "tests", "--output", "json"]);
    assert_eq!(paused.code, Some(0), "{}", paused.err);
    run(wait(Duration::from_secs(5)));
    let after = journey.cursor();
    run(wait(Duration::from_secs(15)));
    assert_eq!(launches(&journey, after), Vec::<Value>::new());
    let status = program.ran(&["status", "--config", "spothub.yaml", "--output", "json"]).json();
    assert_eq!(status["in_flight"], json!([]), "{status}");
    assert_eq!(journey.snapshot().left_behind(&before), Vec::<String>::new());
    let spot = |journey: &Journey| -> usize {
        let groups = journey.snapshot().groups;
        groups.values().map(|group| group.members.values().filter(|spot| **spot).count()).sum()
    };
    let converted = spot(&journey);
    assert!((3..24).contains(&converted), "{converted} of 24 before the pause");

    // Also after the process was killed and started again.
    running.signal("KILL");
    running.end();
    let after = journey.cursor();
    let mut running = program.start(&["--sweep", "1m"]);
    running.message("swaps are paused");
    running.message("a sweep is over");
    run(wait(Duration::from_secs(3)));
    assert_eq!((launches(&journey, after).len(), spot(&journey)), (0, converted));

    // And it goes on once it is released.
    assert_eq!(program.ran(&["resume", "--config", "spothub.yaml", "--org", "--why", "tests"]).code, Some(0));
    running.line("the end of a swap", |line| line["state"] == "done");
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));
}

#[test]
fn what_was_brought_goes_back_to_on_demand_and_stays_there() {
    let group = json!({"name": "web", "desired": 4, "max": 4, "target_groups": 1, "tags": {ENABLED: "true"}});
    let journey = Journey::over(json!({"regions": ["us-east-1"], "accounts": [{"name": "shop", "groups": [group]}]}));
    // Two go there, and two back: all that the group may replace in an hour.
    let program = journey.program(&format!("{QUICK}  floor: {{number: 2}}\n"));
    let before = journey.snapshot();
    let spot = || -> usize {
        let groups = journey.snapshot().groups;
        groups.values().map(|group| group.members.values().filter(|spot| **spot).count()).sum()
    };
    let ran = program.once(&[]);
    assert_eq!((ran.code, &ran.json()["swaps"], spot()), (Some(0), &json!({"done": 2}), 2), "{}", ran.err);

    let revert = |more: &[&str]| {
        let asked = ["revert", "--config", "spothub.yaml", "--org", "--why", "tests", "--output", "json"];
        let ran = program.ran(&[&asked[..], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.json()
    };
    // Without a word more nothing is changed.
    let told = revert(&[]);
    assert_eq!((&told["applied"], &told["on_spot"], &told["brakes"]), (&json!(false), &json!(2), &json!([])), "{told}");
    assert_eq!((program.once(&[]).json()["swaps"].clone(), spot()), (json!({}), 2));

    assert_eq!(revert(&["--apply"])["applied"], json!(true));
    // Where the role may not launch on demand, it is held and told.
    let ran = program.once(&["--on-demand-fallback=false"]);
    assert_eq!((&ran.json()["holds"]["on-demand-not-allowed"], spot()), (&json!(1), 2), "{}", ran.err);
    let after = journey.cursor();
    let ran = program.once(&[]);
    assert_eq!((ran.code, &ran.json()["swaps"], spot()), (Some(0), &json!({"done": 2}), 0), "{}", ran.err);
    assert_eq!(journey.snapshot().left_behind(&before), Vec::<String>::new());
    assert_eq!(launches(&journey, after).len(), 2);
    let status = program.ran(&["status", "--config", "spothub.yaml", "--output", "json"]).json();
    assert_eq!((&status["reverts"][0]["on_spot"], &status["holds"]["reverted"]), (&json!(0), &json!(1)), "{status}");

    // It goes on once it is released, and not to and fro: here the hour's share is used up.
    assert_eq!(program.ran(&["resume", "--config", "spothub.yaml", "--org", "--why", "tests"]).code, Some(0));
    let ran = program.once(&[]);
    assert_eq!((&ran.json()["holds"]["group-share"], spot()), (&json!(1), 0), "{}", ran.err);
}
