//! On-demand groups of a whole organization become Spot, and nothing else of it changes.

use std::collections::BTreeSet;

use serde_json::json;
use spothub_core::id::AccountId;

use super::{Journey, by_action, changing};
use crate::organization::{DENIED, SERVED, UNENROLLED, accounts};
use crate::program::QUICK;

#[test]
fn groups_of_three_accounts_become_spot_and_nothing_else_changes() {
    let journey = Journey::new();
    let program = journey.program(QUICK);
    let before = journey.snapshot();
    let after = journey.cursor();
    journey.message("normal", "{ this is no event".to_owned()).unwrap();
    let foreign = journey.site(UNENROLLED, "us-east-1");
    journey.event(&foreign, state_change("i-0123456789abcdef0"));

    let ran = program.once(&[]);

    // Of six accounts one refuses its role: done in part.
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    let told = ran.json();
    let denied: AccountId = *accounts(&journey.told, &[DENIED]).first().unwrap();
    let failed = told["failed"].as_array().unwrap();
    assert!(
        !failed.is_empty() && failed.iter().all(|row| row["what"].as_str().unwrap().starts_with(&denied.to_string())),
        "{told}"
    );
    assert_eq!((&told["pass"], &told["in_flight"]), (&json!("at rest"), &json!(0)), "{told}");

    let now = journey.snapshot();
    assert_eq!(now.left_behind(&before), Vec::<String>::new());
    let served = accounts(&journey.told, &SERVED);
    let wanted = before.wanted(&served);
    assert_eq!(wanted.len(), 3 * 4);
    assert_eq!(now.converted(), wanted, "{}", ran.err);
    assert_eq!(now.touched(&before), wanted);

    // Who is opted out, not enrolled, refused or closed: not one changing call.
    for name in [UNENROLLED, DENIED, "gone"] {
        for account in accounts(&journey.told, &[name]) {
            assert!(journey.calls_in(account, after).is_empty(), "{name} was called");
        }
    }
    let management = journey.told["management"].as_str().unwrap().parse().unwrap();
    let own = by_action(&changing(&journey.calls_in(management, after)));
    assert!(own.keys().all(|action| action == "sqs:DeleteMessage" || action == "sqs:DeleteMessageBatch"), "{own:?}");

    // A role is assumed once for looking, and once in each region for acting.
    let assumed = journey.calls(after, "&action=AssumeRole");
    let mut sessions = BTreeSet::new();
    for call in &assumed {
        let role = call["params"]["RoleArn"].as_str().unwrap();
        let kind = format!("{role} {}", call["params"]["Policy"]);
        assert!(sessions.insert(kind) || role.contains(&denied.to_string()), "assumed again: {call}");
    }
    println!("AssumeRole: {} for {} served accounts x 2 regions and one that refuses", assumed.len(), SERVED.len());

    // The message that is none went to quarantine, and is gone.
    assert_eq!(journey.waiting("normal"), 0);
    assert!(!ran.lines("an unreadable message is in quarantine").is_empty(), "{}", ran.err);

    // A second pass finds nothing more to do.
    let after = journey.cursor();
    let again = program.once(&[]);
    assert_eq!(again.code, Some(3), "{}", again.err);
    assert_eq!(again.json()["swaps"], json!({}));
    let calls = journey.calls(after, "&changing=true");
    assert!(calls.is_empty(), "{calls:?}");
}

#[test]
fn a_dry_run_changes_nothing_and_leaves_the_queues() {
    let journey = Journey::new();
    let program = journey.unused(QUICK);
    let before = journey.snapshot();
    let after = journey.cursor();
    journey.message("normal", "{ this is no event".to_owned()).unwrap();

    let ran = program.once(&["--dry-run"]);

    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert_eq!(ran.json()["dry_run"], true);
    let calls = journey.calls(after, "");
    let looked = by_action(&calls);
    assert!(looked.contains_key("autoscaling:DescribeAutoScalingGroups"), "{looked:?}");
    assert_eq!(changing(&calls), Vec::<serde_json::Value>::new());
    assert!(!looked.contains_key("sqs:ReceiveMessage"), "{looked:?}");
    assert_eq!((journey.snapshot(), journey.waiting("normal")), (before, 1));
    assert!(!program.path("spothub.db").exists());
}

pub(super) fn state_change(instance: &str) -> serde_json::Value {
    json!({
        "source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification",
        "detail": {"instance-id": instance, "state": "running"},
    })
}
