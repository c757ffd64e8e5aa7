//! What people see of a rollout.

use std::collections::BTreeSet;

use super::*;
use crate::rollout::{Part, Why};

fn change(act: Act, thing: Thing, why: Vec<Why>) -> Change {
    Change { part: Part::Regional, thing, act, why }
}

fn instances(accounts: usize) -> Thing {
    let account = |n: usize| spothub_core::id::AccountId::from_number(n as u64).unwrap();
    let targets = Targets {
        units: BTreeSet::from(["r-ab12".parse().unwrap()]),
        accounts: (1..=accounts).map(account).collect(),
        filter: if accounts > 0 { Filter::Only } else { Filter::All },
        regions: BTreeSet::from(["eu-west-1".parse().unwrap()]),
    };
    Thing::Instances { name: "spothub-member-regional".to_owned(), targets, spots: BTreeSet::new() }
}

#[test]
fn a_plan_says_what_and_why_in_lines_that_fit() {
    let set = Thing::Set { name: "spothub-member-regional".to_owned() };
    let external = |to: &str| Why::Parameter { name: "ExternalId".to_owned(), from: None, to: Some(to.to_owned()) };
    let changes = [
        change(Act::Update, set.clone(), vec![Why::Template { from: Some(1), to: 2 }, external("secret-value")]),
        change(Act::Retry, instances(2), vec![Why::Failed(2, vec!["000000000001 eu-west-1: full".to_owned()])]),
        change(Act::Keep, set, Vec::new()),
        change(Act::Blocked, instances(0), vec![Why::Inoperable(vec!["000000000001 eu-west-1".to_owned()])]),
    ];
    let text = plan(&changes, Style::Plain);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains("secret-value"), "{text}");
    let expected = "update    the stack set spothub-member-regional\n            version 1 becomes 2\n            \
                    ExternalId is another\nretry     instances of spothub-member-regional in r-ab12, 000000000001,\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.ends_with("\n2 changes, and 1 blocked\n"), "{text}");
    assert_eq!(plan(&changes[2..3], Style::Plain), "Nothing to do: all is as the file says.\n");
    assert_eq!(json(&changes).as_array().unwrap().len(), 3);
}

#[test]
fn many_accounts_are_counted() {
    assert!(plan(&[change(Act::Deploy, instances(9), Vec::new())], Style::Plain).contains("9 accounts alone"));
}

#[test]
fn what_stays_is_told_with_its_commands() {
    let kept =
        Named::from([("TableName", "spothub"), ("PolicyBucket", "b")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    let steps = [change(Act::Delete, instances(0), Vec::new())];
    let text = removed(&steps, &[], &[], (&kept, "eu-west-1"), Style::Plain);
    for words in
        ["--table-name spothub --no-deletion-protection-enabled", "delete-bucket --region eu-west-1 --bucket b"]
    {
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(removed(&[], &[], &[], (&Named::new(), "eu-west-1"), Style::Plain), "Nothing is there.\n");
}
