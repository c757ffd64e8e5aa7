//! What a result looks like, from an outcome made by hand.

use std::collections::BTreeMap;

use spothub_core::time::Timestamp;
use spothub_sim::laws::Violation;
use spothub_sim::outcome::{
    ApiCalls, Baseline, Cost, Deficit, Events, Interruptions, Ledger, Rollup, Share, Steadiness, StoreUse,
};

use super::*;

fn outcome() -> Outcome {
    let rollup = |n: u64| Rollup {
        account_id: spothub_core::id::AccountId::from_number(n).unwrap(),
        account_name: format!("account-with-a-rather-long-name-{n}"),
        ou: "/prod/some/deep/unit".parse().unwrap(),
        saved_usd: format!("{n}.500000"),
        on_demand_usd: "4000.000000".to_owned(),
        actual_usd: "1000.000000".to_owned(),
        instance_hours: 24.0,
    };
    Outcome {
        scenario: "small".to_owned(),
        seed: 7,
        hours: 24,
        accounts: 25,
        regions: 3,
        groups: 60,
        instances: 12_345,
        swaps: Ends { started: 10, completed: 7, undone: 1, failed: 1, stranded: 0, in_flight: 1 },
        rescues: Ends::default(),
        undone_by: BTreeMap::from([("no-capacity".to_owned(), 2)]),
        holds: BTreeMap::from([("template-changed".to_owned(), 3)]),
        holds_begun: BTreeMap::from([("template-changed".to_owned(), 4), ("swap-interval".to_owned(), 1)]),
        interruptions: Interruptions { received: 3, replaced_in_time: 2 },
        steadiness: steadiness(0.1234),
        baseline: None,
        api_calls: ApiCalls { total: 1000, per_swap: 8.25, polls: 200, by_action: BTreeMap::new() },
        cost: Cost {
            on_demand_usd: "12345.678900".to_owned(),
            actual_usd: "6000.000000".to_owned(),
            saved_usd: "6345.678900".to_owned(),
            saved_percent: 51.4,
            best_possible_usd: "7000.000000".to_owned(),
        },
        rollups: (1..=25).map(rollup).collect(),
        delivered: Share { eligible_instance_hours: 1000.0, on_spot_instance_hours: 950.0, percent: 95.0 },
        violations: Vec::new(),
        events: Events { received: 10, acted: 4, held: 3, ignored: 2, duplicate: 1, quarantined: 0 },
        store: StoreUse::default(),
        converged: true,
        virtual_seconds: 90_000,
        wall_seconds: 0.5,
        ledger: Ledger { from: Timestamp(0), to: Timestamp(90_000_000), pages: Vec::new() },
    }
}

fn steadiness(percent: f64) -> Steadiness {
    Steadiness {
        linux: Deficit { wanted_instance_hours: 1000.0, missing_instance_hours: 10.0 * percent, percent },
        windows: Deficit::default(),
        lifecycle_changes: 12,
        lifecycle_changes_per_instance_day: 0.29,
        launches_refused: 34,
        launches_refused_at_once: 5,
        early_losses: 1,
    }
}

#[test]
fn what_happens_without_spothub_stands_beside() {
    let o = outcome();
    let baseline = Baseline {
        interruptions: Interruptions { received: 40, replaced_in_time: 1 },
        steadiness: Steadiness {
            windows: Deficit { wanted_instance_hours: 10.0, missing_instance_hours: 0.5, percent: 5.0 },
            ..steadiness(0.5)
        },
        cost: Cost { actual_usd: "11000.000000".to_owned(), ..o.cost.clone() },
    };
    let text = shown(&Outcome { baseline: Some(baseline), ..o }, true, Style::Plain);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text.split("\n\n").find(|part| part.contains("groups alone")).unwrap());
}

fn shown(outcome: &Outcome, engine: bool, style: Style) -> String {
    let scenario = Scenario::named("small").unwrap();
    let asked = Asked { scenario: &scenario, argument: "small", program: "cargo sim", engine, trace: false };
    table(outcome, &asked, style)
}

#[test]
fn a_result_fits_into_eighty_columns() {
    let text = shown(&outcome(), true, Style::Plain);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn violations_come_with_where_and_when() {
    let text = "the group lost a member that it wanted ".repeat(5);
    let violation = Violation { law: "INV-2", t: 11_640_000, group: None, text };
    let outcome = Outcome { violations: vec![violation; 12], converged: false, ..outcome() };
    let text = shown(&outcome, true, Style::Plain);
    assert!(text.contains("Laws: 12 violations\n  INV-2 at 3h14m: the group lost"), "{text}");
    assert!(text.contains("... and 2 more"), "{text}");
    assert!(text.contains("cargo sim small --seed 7 --trace trace.jsonl"), "{text}");
}

#[test]
fn colors_change_nothing_but_colors() {
    let (plain, colored) = (shown(&outcome(), false, Style::Plain), shown(&outcome(), false, Style::Colored));
    assert!(!plain.contains('\u{1b}') && colored.contains('\u{1b}'));
    let mut bare = colored;
    for code in ["1", "2", "1;32", "1;31", "0"] {
        bare = bare.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(plain, bare);
    assert!(plain.contains("off: this is what happens without spothub"), "{plain}");
}
