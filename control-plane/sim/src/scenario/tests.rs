//! The shipped scenarios are right, and wrong ones are told why.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn mistakes(text: &str) -> String {
    Scenario::read("mine.yaml", text).unwrap_err().to_string()
}

#[test]
fn every_shipped_scenario_is_without_mistakes() {
    for name in Scenario::NAMES {
        let scenario = Scenario::named(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(scenario.name, name);
        assert!(scenario.about.len() > 40, "{name} says what it shows");
        if name != "large" {
            let shape = scenario.shape(1);
            assert!(shape.mix.is_none() && !shape.groups.is_empty(), "{name}");
        }
    }
}

#[test]
fn every_hold_reason_is_shown_by_some_scenario() {
    let shown: BTreeSet<&str> = Scenario::NAMES.iter().flat_map(|name| Scenario::named(name).unwrap().shows).collect();
    // A scenario's policy is in force as it stands; tests/it has published.rs for what happens without one, and
    // commitments.rs and metering.rs for their holds.
    let elsewhere = ["no-policy", "committed", "commitments-unknown", "metering"];
    let labels = HoldReason::LABELS.iter().filter(|label| !elsewhere.contains(label));
    let missing: Vec<&&str> = labels.filter(|label| !shown.contains(**label)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn small_is_what_the_readme_says() {
    let shape = Scenario::named("small").unwrap().shape(1);
    let units: BTreeSet<&str> = shape.accounts.iter().map(|a| a.ou.as_str()).collect();
    let regions: BTreeSet<_> = shape.accounts.iter().flat_map(|a| &a.regions).collect();
    assert_eq!((shape.accounts.len(), regions.len(), shape.groups.len()), (12, 3, 60));
    assert!(units.len() >= 5);
    let held = |g: &&GroupShape| {
        g.warm_pool
            || g.launch_hook
            || g.operator
            || g.cluster_placement
            || g.standby > 0
            || g.source == crate::shape::SourceShape::Mixed
            || g.refresh_until.is_some()
            || !g.suspended.is_empty()
    };
    let members = |groups: &mut dyn Iterator<Item = &GroupShape>| groups.map(|g| g.desired).sum::<u32>();
    let (all, unserved) = (members(&mut shape.groups.iter()), members(&mut shape.groups.iter().filter(held)));
    assert!(unserved * 20 <= all, "{unserved} of {all}");
}

#[test]
fn policy_reaches_the_world() {
    let shape = Scenario::named("messy").unwrap().shape(1);
    let groups: BTreeMap<&str, &PolicyShape> = shape.groups.iter().map(|g| (g.name.as_str(), &g.policy)).collect();
    assert!(groups["opted-out-by-policy"].opted_out && !groups["opted-out-by-policy"].enabled);
    assert!(!groups["never-asked"].enabled && !groups["never-asked"].opted_out);
    assert!(groups["denied"].enabled);
    assert_eq!(groups["budget-a"].in_flight_max, [500, 250, 1]);
    assert_eq!((groups["slow-share"].share_percent, groups["slow-share"].in_flight_max[2]), (10, 50));
    assert_eq!(groups["wants-too-much"].min_saving_percent, 95);
    assert_eq!(groups["denied"].interval, Span::mins(2));
}

#[test]
fn large_is_large() {
    let shape = Scenario::named("large").unwrap().shape(1);
    let members: u32 = shape.groups.iter().map(|g| g.desired).sum();
    assert_eq!((shape.accounts.len(), shape.groups.len()), (1000, 20_000));
    assert!((97_000..103_000).contains(&members), "{members}");
}

#[test]
fn names_and_paths() {
    let error = Scenario::load("smal").unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no scenario \"smal\" (did you mean small?); shipped are small, storm, windows, scarce, racing, \
         messy, guarded, kinds, large, or give the path of a YAML file"
    );
    assert!(matches!(Scenario::load("./nowhere.yaml"), Err(ScenarioError::File { .. })));
    assert_eq!(Scenario::load("storm").unwrap().name, "storm");
}

#[test]
fn contradictions_are_told_at_once_with_their_lines() {
    insta::assert_snapshot!(mistakes(include_str!("tests/contradictory.yaml")));
}

#[test]
fn what_begins_after_the_end_is_told() {
    let account = |more| format!("  - {{id: \"000000000001\", name: a, ou: /p, regions: [eu-west-1]{more}}}\n");
    let rest = "groups: [{name: g, account: a, region: eu-west-1, type: m5.large, desired: 1}]\npolicy: {}\n";
    let text = mistakes(&format!("hours: 2\naccounts:\n{}{rest}", account(", denied: 9h..12h")));
    assert!(text.starts_with("mine.yaml:3:73: accounts[0].denied: it begins after the run's end at 2h"), "{text}");
    let text = format!("hours: 2\naccounts:\n{}{rest}", account(", denied: 1h..12h, unreachable: always"));
    assert!(Scenario::read("mine.yaml", &text).is_ok());
}

#[test]
fn the_example_of_the_page_can_be_run() {
    let page = include_str!("../../../docs/scenarios.md");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let scenario = Scenario::read("mine.yaml", example).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((scenario.name.as_str(), scenario.hours, scenario.shape(7).groups.len()), ("mine", 12, 11));
}

#[test]
fn an_organization_needs_something_in_it() {
    let text = mistakes("hours: 0\naccounts: []\npolicy: {}\n");
    for wanted in ["hours: 0 is out of range", "the organization has no account", "there is no group to look at"] {
        assert!(text.contains(wanted), "{text}");
    }
    let text = mistakes("about: nothing\n");
    assert!(text.contains("the key accounts is missing") && text.contains("the key policy is missing"), "{text}");
}

#[test]
fn fault_modes_change_what_they_say() {
    let small = || Scenario::named("small").unwrap();
    assert_eq!(small().with_faults(Fault::LoseEvents).shape.bus.lost_ppm, 1_000_000);
    assert_eq!(small().with_faults(Fault::DuplicateEvents).shape.bus.duplicate_ppm, 1_000_000);
    let faults = small().with_faults(Fault::FailCalls).shape.faults;
    assert_eq!(faults.broken_ppm + faults.throttled_ppm + faults.lost_ppm + faults.lost_done_ppm, 200_000);
}
