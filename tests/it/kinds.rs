//! Every kind of group, by what becomes of it: served, held under its reason, or served once what holds it is over; and
//! the page that says so.

use std::collections::{BTreeMap, BTreeSet};

use spothub_core::group::Lifecycle;
use spothub_core::id::InstanceId;
use spothub_core::reason::HoldReason;
use spothub_sim::record::{Record, What};

use crate::played::play;

/// When the stack's change and the refresh of the scenario end.
const OVER: i64 = 2 * 3_600_000;

/// What a run did to the groups, by their names.
#[derive(Default)]
struct Done {
    /// Reasons of holds that began.
    held: BTreeMap<String, BTreeSet<String>>,
    /// When each swap was done.
    swapped: BTreeMap<String, Vec<i64>>,
    /// On-demand instances that live.
    on_demand: BTreeMap<String, BTreeSet<InstanceId>>,
    /// Types of what spothub replaced.
    replaced: BTreeMap<String, BTreeSet<String>>,
}

fn done(records: Vec<Record>) -> Done {
    let mut done = Done::default();
    let mut kinds = BTreeMap::new();
    for record in records {
        match record.what {
            What::Hold { group, reason: Some(reason), .. } => {
                done.held.entry(group.group.to_string()).or_default().insert(reason);
            }
            What::Swap { group, state, old, .. } if state == "done" => {
                let name = group.group.to_string();
                done.replaced.entry(name.clone()).or_default().extend(kinds.get(&old).cloned());
                done.swapped.entry(name).or_default().push(record.t);
            }
            What::InstanceStart(start) => {
                kinds.insert(start.instance_id.clone(), start.kind.clone());
                if start.lifecycle == Lifecycle::OnDemand {
                    let of = done.on_demand.entry(start.group.group.to_string()).or_default();
                    of.insert(start.instance_id.clone());
                }
            }
            What::InstanceEnd { instance_id, .. } => {
                done.on_demand.values_mut().for_each(|ids| ids.retain(|id| *id != instance_id));
            }
            What::Hold { .. }
            | What::Container(_)
            | What::Swap { .. }
            | What::Price { .. }
            | What::Membership(_)
            | What::Call(_)
            | What::EventSent { .. }
            | What::Notice { .. }
            | What::Recommendation { .. }
            | What::Brake { .. }
            | What::Event { .. }
            | What::Policy(_)
            | What::End => {}
        }
    }
    done
}

#[test]
fn each_kind_is_served_or_held_under_its_own_reason() {
    let played = play("kinds", 1, 8);
    assert_eq!(played.broken_at_rest(), [""; 0]);
    let done = done(played.records());
    let none = BTreeSet::new();
    let mut seen = (0, 0, 0);
    for (name, on_demand) in &done.on_demand {
        let held = done.held.get(name).unwrap_or(&none);
        let swaps = done.swapped.get(name).map_or(0, Vec::len);
        match name.split_once('-').unwrap() {
            ("served", _) => {
                assert!(on_demand.is_empty() && swaps >= 4, "{name}: {on_demand:?}, {swaps} swaps, {held:?}");
                seen.0 += 1;
            }
            ("later", reason) => {
                let reason = if reason == "refreshing" { "instance-refresh" } else { reason };
                assert!(held.contains(reason) && on_demand.is_empty() && swaps >= 4, "{name}: {swaps}, {held:?}");
                // What was begun before the first look at it began is not undone.
                assert!(done.swapped[name].iter().all(|t| *t >= OVER), "{name}: {:?}", done.swapped[name]);
                seen.1 += 1;
            }
            ("held", reason) => {
                assert!(HoldReason::LABELS.contains(&reason), "{reason}");
                assert!(held.contains(reason) && swaps == 0, "{name}: {swaps} swaps, {held:?}");
                seen.2 += 1;
            }
            _ => panic!("{name}"),
        }
    }
    assert_eq!(seen, (8, 2, 10));
    let types = &done.replaced["served-mixed-on-demand"];
    assert!(types.len() > 1, "members have the types of the overrides, each with its own twin: {types:?}");
}

/// The page's table has one row for each kind, and its reasons and remedies are those that the program prints.
#[test]
fn the_page_on_kinds_says_what_the_program_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../control-plane/docs/served.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.contains("| held"));
    let mut told = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let label = cells[3].trim_matches('`');
        assert!(HoldReason::LABELS.contains(&label), "{row}");
        told.insert(label.to_owned());
    }
    let scenario = include_str!("../../control-plane/sim/scenarios/kinds.yaml");
    let shown: BTreeSet<String> = scenario
        .split_once("\nshows:\n")
        .unwrap()
        .1
        .lines()
        .map(|line| line.trim_start_matches("  - ").to_owned())
        .collect();
    assert!(shown.is_subset(&told), "not on the page: {:?}", shown.difference(&told).collect::<Vec<_>>());
}
