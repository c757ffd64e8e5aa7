//! Every scenario, fault mode and crash ends at rest with no law broken, and every hold reason occurs somewhere.

use std::collections::{BTreeMap, BTreeSet};

use spothub_core::reason::HoldReason;
use spothub_core::time::Span;
use spothub_sim::outcome::Outcome;
use spothub_sim::run::Options;
use spothub_sim::scenario::{Fault, Scenario};

use crate::played::{options, outcome, scenario};

/// Those that tests have time for.
const SCENARIOS: [&str; 6] = ["small", "storm", "windows", "scarce", "racing", "messy"];

/// Runs it; what was broken is told with the seed.
fn good(name: &str, scenario: &Scenario, options: &Options) -> Outcome {
    let outcome = outcome(scenario, options);
    let first = outcome.violations.first().map(|v| format!("{} at {} ms: {}", v.law, v.t, v.text));
    assert_eq!(first, None, "{name}, {options:?}: {} violations", outcome.violations.len());
    assert!(outcome.converged, "{name}, {options:?}: not at rest");
    outcome
}

fn faults(fault: Fault) {
    for name in SCENARIOS {
        let faulty = scenario(name).with_faults(fault);
        let outcome = good(name, &faulty, &options(1, 2));
        let events = outcome.events;
        match fault {
            Fault::LoseEvents => assert_eq!(events.acted, 0, "{name}: {events:?}"),
            Fault::DuplicateEvents => assert!(events.duplicate * 3 > events.received, "{name}: {events:?}"),
            Fault::FailCalls => {}
        }
        assert!(name == "scarce" || outcome.swaps.completed > 0, "{name}: nothing was swapped");
    }
}

#[test]
fn every_scenario_but_large_comes_to_rest() {
    assert_eq!(Scenario::NAMES.len(), SCENARIOS.len() + 1);
    for name in SCENARIOS {
        for seed in [1, 2] {
            good(name, &scenario(name), &options(seed, 2));
        }
    }
}

#[test]
fn losing_every_event_costs_time_and_no_law() {
    faults(Fault::LoseEvents);
}

#[test]
fn duplicating_every_event_changes_nothing() {
    faults(Fault::DuplicateEvents);
}

#[test]
fn a_fifth_of_all_calls_may_fail() {
    faults(Fault::FailCalls);
}

#[test]
fn an_engine_that_is_killed_each_seven_minutes_comes_to_rest() {
    for name in ["small", "racing"] {
        for seed in 1..=3 {
            let crashing = Options { crash_every: Some(Span::mins(7)), ..options(seed, 2) };
            let outcome = good(name, &scenario(name), &crashing);
            assert!(outcome.swaps.completed > 20, "{name} {seed}: {:?}", outcome.swaps);
        }
    }
}

/// Also in the middle of calls: a crash each 97 seconds meets every state of a swap.
#[test]
fn an_engine_that_is_killed_in_every_state_comes_to_rest() {
    let crashing = Options { crash_every: Some(Span::secs(97)), ..options(4, 1) };
    good("small", &scenario("small"), &crashing);
    let faulty = scenario("small").with_faults(Fault::FailCalls);
    good("small", &faulty, &Options { crash_every: Some(Span::secs(211)), ..options(5, 1) });
}

#[test]
fn every_hold_reason_occurs_and_none_is_made_up() {
    let mut begun: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for name in SCENARIOS {
        let shown = good(name, &scenario(name), &options(1, 4)).holds_begun;
        for label in scenario(name).shows {
            assert!(shown.contains_key(label), "{name} is made to show {label}: {shown:?}");
        }
        for label in shown.into_keys() {
            begun.entry(label).or_default().insert(name);
        }
    }
    let made_up: Vec<_> = begun.keys().filter(|label| !HoldReason::LABELS.contains(&label.as_str())).collect();
    assert!(made_up.is_empty(), "{made_up:?}");
    let missing: Vec<_> = HoldReason::LABELS.iter().filter(|label| !begun.contains_key(**label)).collect();
    assert!(missing.is_empty(), "in no scenario: {missing:?}");
}
