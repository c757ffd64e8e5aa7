//! What one swap costs in API calls, counted where they arrive; and a group of ten converted whole.

use serde_json::{Value, json};

use super::{Journey, by_action, changing};
use crate::organization::{ENABLED, accounts};
use crate::program::QUICK;

/// The most calls of one swap, polls apart, and how many of them change something.
const CALLS_MAX: usize = 10;
const CHANGES_MAX: usize = 4;
/// More of each at MaxSize, which is raised and restored.
const AT_MAX: usize = 2;

/// One swap in a group of its own account: name, members, MaxSize, target groups.
const GROUPS: [(&str, u64, u64, u64); 6] = [
    ("three", 3, 6, 0),
    ("ten", 10, 12, 0),
    ("forty", 40, 50, 0),
    ("full", 3, 3, 0),
    ("balanced", 3, 6, 1),
    ("both", 3, 3, 2),
];

fn description(groups: &[(&str, u64, u64, u64)]) -> Value {
    let accounts: Vec<Value> = groups
        .iter()
        .map(|(name, desired, max, targets)| {
            let tags = json!({ENABLED: "true"});
            let group = json!({"name": name, "desired": desired, "max": max, "target_groups": targets, "tags": tags});
            json!({"name": name, "ou": "prod", "groups": [group]})
        })
        .collect();
    json!({"regions": ["us-east-1"], "accounts": accounts})
}

#[test]
fn one_swap_costs_few_calls_whatever_the_group() {
    let journey = Journey::over(description(&GROUPS));
    // All but one member of each stay.
    let mut policy = format!("{QUICK}rules:\n");
    for (name, members, ..) in GROUPS {
        policy += &format!("  - match: {{group: {name}}}\n    floor: {{number: {}}}\n", members - 1);
    }
    let before = journey.snapshot();
    // What a pass costs that finds nothing to do is no part of a swap.
    let ran = journey.program(&format!("{QUICK}  floor: {{percent: 100}}\n")).once(&[]);
    assert_eq!((ran.code, &ran.json()["swaps"]), (Some(0), &json!({})), "{}", ran.err);
    let after = journey.cursor();
    let ran = journey.program(&policy).once(&[]);
    assert_eq!((ran.code, &ran.json()["swaps"]), (Some(0), &json!({"done": GROUPS.len()})), "{}", ran.err);
    assert_eq!(journey.snapshot().left_behind(&before), Vec::<String>::new());

    for (name, members, max, targets) in GROUPS {
        let account = *accounts(&journey.told, &[name]).first().unwrap();
        let idle = journey.calls_in(account, 0).len() - journey.calls_in(account, after).len();
        let (polls, calls) = apart(journey.calls_in(account, after));
        let (changes, own) = (changing(&calls), calls.len() - idle);
        let at_max = if members == max { AT_MAX } else { 0 };
        println!(
            "{name}: {members} members, {targets} target groups{}: {own} calls, {} of them changing, and {} polls; \
             with the {idle} calls of the sweep: {:?}",
            if at_max > 0 { ", at MaxSize" } else { "" },
            changes.len(),
            polls.len(),
            by_action(&calls)
        );
        let limit = CALLS_MAX + at_max + usize::try_from(targets).unwrap();
        assert!(own <= limit, "{name}: {own} calls, and {limit} are the most");
        let limit = CHANGES_MAX + at_max;
        assert!(changes.len() <= limit, "{name}: {} changes, and {limit} are the most", changes.len());
    }
}

/// Polls, and all other calls, of one account. Status checks are polls; so is each read that is asked once more before
/// anything is changed: it found that the swap has to wait.
fn apart(calls: Vec<Value>) -> (Vec<Value>, Vec<Value>) {
    let (mut polls, mut others, mut since) = (Vec::new(), Vec::new(), Vec::<Value>::new());
    for call in calls {
        if call["action"] == "DescribeInstanceStatus" {
            polls.push(call);
        } else if call["changing"] == true {
            others.append(&mut since);
            others.push(call);
        } else {
            let same = |one: &Value| one["action"] == call["action"] && one["params"] == call["params"];
            if let Some(earlier) = since.iter().position(same) {
                polls.push(since.remove(earlier));
            }
            since.push(call);
        }
    }
    others.append(&mut since);
    (polls, others)
}

#[test]
fn a_group_of_ten_is_converted_whole() {
    let journey = Journey::over(description(&[("ten", 10, 10, 1)]));
    let before = journey.snapshot();
    let program = journey.program(QUICK);
    let after = journey.cursor();
    let ran = program.once(&[]);
    assert_eq!((ran.code, &ran.json()["swaps"]), (Some(0), &json!({"done": 10})), "{}", ran.err);
    let now = journey.snapshot();
    assert_eq!(now.left_behind(&before), Vec::<String>::new());
    assert_eq!(now.converted().len(), 1);
    let calls = journey.calls_in(*accounts(&journey.told, &["ten"]).first().unwrap(), after);
    let (polls, calls) = apart(calls);
    println!(
        "ten swaps at MaxSize, one after the other: {} calls and {} polls: {:?}",
        calls.len(),
        polls.len(),
        by_action(&calls)
    );
}
