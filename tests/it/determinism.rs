//! One seed decides everything, and when the laws look does not change what they find.

use serde_json::Value;
use spothub_core::time::Span;
use spothub_sim::outcome::Outcome;
use spothub_sim::run::Options;
use spothub_sim::scenario::Fault;

use crate::played::{Played, SMALL, Sweeps, judged, options, play, play_tampered, scenario};

/// What the run printed, wall time aside.
fn printed(outcome: &Outcome) -> String {
    let mut printed = serde_json::to_value(outcome).expect("an outcome is JSON");
    printed["wall_seconds"] = Value::Null;
    serde_json::to_string(&printed).expect("it is still JSON")
}

/// Byte for byte the same; the first line that differs is told.
fn same(one: &Played, other: &Played) {
    let differing = one.text.lines().zip(other.text.lines()).find(|(a, b)| a != b);
    assert_eq!(differing, None);
    assert!(one.text == other.text, "one trace ends earlier");
    assert_eq!(printed(&one.outcome), printed(&other.outcome));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    same(&SMALL, &play("small", 1, 24));
}

#[test]
fn the_same_seed_gives_the_same_bytes_under_faults_and_crashes() {
    let messy = scenario("messy").with_faults(Fault::FailCalls);
    let options = Options { crash_every: Some(Span::mins(11)), ..options(7, 2) };
    let run = || play_tampered(&messy, &options, |ports| ports);
    same(&run(), &run());
}

#[test]
fn another_seed_gives_another_day() {
    let (one, other) = (play("small", 1, 1), play("small", 2, 1));
    assert_ne!(one.text, other.text);
    assert_ne!(printed(&one.outcome), printed(&other.outcome));
}

#[test]
fn a_trace_changes_nothing_of_a_run() {
    let silent = crate::played::outcome(&scenario("small"), &options(1, 2));
    assert_eq!(printed(&silent), printed(&play("small", 1, 2).outcome));
}

#[test]
fn judging_each_step_and_judging_everything_agree() {
    let records = SMALL.records();
    for sweeps in [Sweeps::Never, Sweeps::Every(Span::mins(15)), Sweeps::Always] {
        let laws = judged(&records, sweeps);
        assert_eq!(laws.violations(), SMALL.outcome.violations, "{sweeps:?}");
        assert_eq!(laws.not_kept(), 0);
    }
}
