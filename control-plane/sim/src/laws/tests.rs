//! For each law a story that keeps it and stories that break it.

use spothub_core::group::{Lifecycle, Process};
use spothub_core::id::SwapId;

use super::story::{Story, instance, line, rescue, swap};
use super::*;
use crate::record::{By, Ended, Outcome, What};

mod brakes;
mod budgets;
mod groups;
mod instances;

/// The laws that a story breaks, each once, in order of discovery; swept each 15 minutes and at the end.
fn broken(story: &Story) -> Vec<&'static str> {
    broken_by(story, LawSettings::default())
}

fn broken_by(story: &Story, settings: LawSettings) -> Vec<&'static str> {
    let mut laws = Laws::new(settings);
    let mut sweep = 0;
    for record in &story.records {
        while sweep < record.t {
            laws.sweep(sweep);
            sweep += 900_000;
        }
        laws.take(record);
    }
    laws.finish(story.t, Queues::Drained);
    let mut found = Vec::new();
    for violation in laws.violations() {
        if !found.contains(&violation.law) {
            found.push(violation.law);
        }
    }
    found
}

fn check(story: &Story, expected: &[&str]) {
    assert_eq!(broken(story), expected, "{:?}", texts(story));
}

fn texts(story: &Story) -> Vec<String> {
    let mut laws = Laws::new(LawSettings::default());
    story.records.iter().for_each(|record| laws.take(record));
    laws.finish(story.t, Queues::Drained);
    laws.violations().iter().map(|v| format!("{} at {}: {}", v.law, v.t, v.text)).collect()
}

#[test]
fn a_group_that_moves_to_spot_in_order_breaks_nothing() {
    let mut story = Story::new(1..=4);
    for n in 1..=4 {
        story.swapped(n, 10 + n, n, i64::from(n) * 400);
    }
    story.at(9_000);
    check(&story, &[]);
}

#[test]
fn violations_beyond_the_cap_are_counted() {
    let mut laws = Laws::new(LawSettings::default());
    for n in 0..150 {
        laws.take(&Record {
            t: n,
            what: What::Event {
                id: n.to_string(),
                detail_type: String::new(),
                account: None,
                region: None,
                end: "acted".to_owned(),
                reason: "woken".to_owned(),
            },
        });
    }
    assert_eq!((laws.violations().len(), laws.not_kept()), (Laws::KEPT, 50));
    assert_eq!(laws.event_ends().received(), 150);
}

#[test]
fn the_table_names_each_law_once() {
    let mut ids: Vec<_> = LAWS.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), LAWS.len());
}
