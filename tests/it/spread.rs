//! How a group and a unit spread over Spot pools, and when a member moves on for its price.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use spothub_core::group::Lifecycle;
use spothub_core::id::InstanceId;
use spothub_core::time::Span;
use spothub_sim::record::{By, Record, What};
use spothub_sim::run::Options;
use spothub_sim::scenario::Scenario;

use crate::played::{options, outcome, play_tampered};

/// Twenty groups of four in one zone of one unit, and a policy with more in it.
fn unit(policy: &str) -> Scenario {
    let mut text = "about: One unit in one zone.\nhours: 8\nowner: none\nmarket: {episodes-permille: 0, \
                    hazard-ppm-per-hour: 0}\naccounts:\n  - {id: \"000000000001\", name: one, ou: /prod, regions: \
                    [eu-west-1]}\n"
        .to_owned();
    text += "groups:\n";
    for number in 0..20 {
        let _ = writeln!(
            text,
            "  - {{name: web-{number}, account: one, region: eu-west-1, type: m5.large, desired: 4, zones: [euw1-az1], \
             spread: [4]}}"
        );
    }
    let _ = write!(text, "policy:\n  defaults: {{enabled: true, min-saving: 10%, settle: 60s{policy}}}\n");
    Scenario::read("unit.yaml", &text).expect("a scenario")
}

/// The most instances that were in one Spot pool at once: of any group, and of all.
fn crowded(records: &[Record]) -> (usize, usize) {
    let mut running = BTreeMap::<InstanceId, (String, String)>::new();
    let (mut of_group, mut of_all) = (0, 0);
    for record in records {
        if let What::InstanceEnd { instance_id, .. } = &record.what {
            running.remove(instance_id);
        }
        if let What::InstanceStart(start) = &record.what
            && start.lifecycle == Lifecycle::Spot
        {
            let pool = format!("{} {}", start.az_id, start.kind);
            running.insert(start.instance_id.clone(), (format!("{:?}", start.group), pool.clone()));
            let there = running.values().filter(|(_, other)| *other == pool);
            of_all = of_all.max(there.clone().count());
            let group = &running[&start.instance_id].0;
            of_group = of_group.max(there.filter(|(other, _)| other == group).count());
        }
    }
    (of_group, of_all)
}

#[test]
fn no_pool_holds_more_of_a_group_or_a_unit_than_policy_says() {
    let run = |policy: &str| {
        let played = play_tampered(&unit(policy), &options(1, 8), |ports| ports);
        assert_eq!(played.violations(), Vec::<String>::new(), "{policy}");
        let (of_group, of_all) = crowded(&played.records());
        println!("{policy:30} at most {of_group} of a group and {of_all} of all in one pool");
        (of_group, of_all, played.outcome.swaps.completed)
    };
    let (of_group, of_all, swaps) = run("");
    assert!(of_group > 1 && of_all > 12 && swaps >= 80, "prices alone crowd them: {of_group} {of_all} {swaps}");
    let (of_group, _, swaps) = run(", pool-share: {group: 25%}");
    assert!(of_group == 1 && swaps >= 80, "{of_group} {swaps}");
    // Of eighty, eight.
    let (_, of_all, swaps) = run(", pool-share: {ou: 10%}");
    assert!(of_all <= 8 && swaps >= 80, "{of_all} {swaps}");
}

/// Moves from one Spot pool to another, with the age of what moved.
fn moves(records: &[Record]) -> Vec<Span> {
    let mut ours = BTreeMap::<&InstanceId, i64>::new();
    let mut moves = Vec::new();
    for record in records {
        if let What::InstanceStart(start) = &record.what
            && (start.lifecycle, start.by) == (Lifecycle::Spot, By::Spothub)
        {
            let rescue = start.swap.as_ref().is_some_and(spothub_core::id::SwapId::is_rescue);
            let began = start.replaces.as_ref().and_then(|old| ours.get(old));
            moves.extend(began.filter(|_| !rescue).map(|began| Span(record.t - began)));
            ours.insert(&start.instance_id, record.t);
        }
    }
    moves
}

#[test]
fn members_move_for_their_price_seldom_and_never_to_and_fro() {
    let rule = ", spot-to-spot: {min-saving: 1%, min-life: 2h, min-alternatives: 1}";
    let run = |policy: &str, seed| {
        let played = play_tampered(&unit(policy), &options(seed, 72), |ports| ports);
        assert_eq!(played.violations(), Vec::<String>::new(), "{policy}");
        let moved = moves(&played.records());
        (moved, played.outcome.cost.actual_usd.parse::<f64>().expect("USD"))
    };
    for seed in 1..=3 {
        let ((none, stays), (moved, moving)) = (run("", seed), run(rule, seed));
        println!("seed {seed}: {} moves of 80 members in three days; cost {moving} instead of {stays}", moved.len());
        assert!(none.is_empty(), "none without the rule");
        assert!(!moved.is_empty() && moved.iter().all(|age| *age >= Span::hours(2)), "{moved:?}");
        assert!(moving < stays, "they pay");
        assert!(moved.len() <= 80 * 2, "each moves once a day at most");
    }
}

/// The laws hold while all of it is in force, with things going wrong.
#[test]
fn caps_and_moves_keep_the_laws_of_an_ordinary_company() {
    let text = Scenario::text("small").expect("a shipped scenario");
    let more = "    settle: 60s\n    pool-share: {group: 40%, ou: 15%}\n    \
                spot-to-spot: {min-saving: 3%, min-life: 1h, min-alternatives: 1}\n";
    let small = Scenario::read("small.yaml", &text.replace("    settle: 60s\n", more)).expect("a scenario");
    for seed in 1..=2 {
        let done = outcome(&small, &Options { ..options(seed, 24) });
        assert!(done.violations.is_empty() && done.converged, "seed {seed}: {:?}", done.violations.first());
    }
}
