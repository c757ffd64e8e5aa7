//! A dry run is an engine that was never given hands: it finds what the other finds, and changes nothing.

use std::collections::BTreeSet;

use spothub_core::id::InstanceId;
use spothub_hub::Ports;
use spothub_sim::record::{GroupRef, What};

use crate::played::{Played, options, play, play_tampered, scenario};

/// Reasons that lie in how a group is made, so that they are the same with and without swaps.
const MADE_SO: [&str; 14] = [
    "not-enabled", "mixed-instances", "warm-pool", "launch-hook", "operator", "cluster-placement", "dedicated",
    "capacity-reservation", "not-on-spot", "unknown-type", "no-on-demand-price", "no-compatible-type", "no-pool",
    "opted-out",
];

/// Holds that began for such reasons.
fn holds(played: &Played) -> BTreeSet<(GroupRef, String)> {
    let held = |what| {
        let What::Hold { group, reason: Some(reason), .. } = what else { return None };
        Some((group, reason))
    };
    let all = played.records().into_iter().filter_map(|record| held(record.what));
    all.filter(|(_, reason)| MADE_SO.contains(&reason.as_str())).collect()
}

fn check(name: &str, hours: u32, holds_at_least: usize) {
    let dry = play_tampered(&scenario(name), &options(1, hours), |ports| Ports { act: None, ..ports });
    assert_eq!(dry.broken_at_rest(), [""; 0]);
    let mut looks = 0;
    for record in dry.records() {
        assert!(!matches!(record.what, What::Swap { .. }), "{record:?} in a dry run");
        if let What::Call(call) = record.what {
            assert!(!call.changing, "{} was sent by a dry run", call.action);
            looks += 1;
        }
    }
    assert!(looks > 0, "it looks");
    assert_eq!((dry.outcome.swaps.started, dry.outcome.rescues.started), (0, 0));
    let (dry, real) = (holds(&dry), holds(&play(name, 1, hours)));
    assert!(real.len() >= holds_at_least, "{real:?}");
    let missing: Vec<_> = real.difference(&dry).collect();
    let more: Vec<_> = dry.difference(&real).collect();
    assert!(missing.is_empty() && more.is_empty(), "only with hands: {missing:?}\nonly without: {more:?}");
}

#[test]
fn without_hands_nothing_changes_on_an_ordinary_day() {
    check("small", 4, 5);
}

#[test]
fn without_hands_nothing_changes_in_a_mess() {
    check("messy", 2, 12);
}

/// What would be swapped is held for no reason: a dry run does not make up one.
#[test]
fn a_dry_run_holds_no_member_that_a_real_one_swaps_at_once() {
    let dry = play_tampered(&scenario("small"), &options(1, 1), |ports| Ports { act: None, ..ports });
    let real = play("small", 1, 1);
    let first_swapped: BTreeSet<InstanceId> = real
        .records()
        .into_iter()
        .filter(|record| record.t < 900_000)
        .filter_map(|record| if let What::InstanceStart(start) = record.what { start.replaces } else { None })
        .collect();
    assert!(first_swapped.len() > 10, "{first_swapped:?}");
    let held: Vec<_> = dry
        .records()
        .into_iter()
        .filter(|record| record.t < 900_000)
        .filter_map(|r| if let What::Hold { instance_id, reason: Some(_), .. } = r.what { instance_id } else { None })
        .filter(|id| first_swapped.contains(id))
        .collect();
    assert_eq!(held, []);
}
