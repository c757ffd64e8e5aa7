//! The outcome of a run from what was collected.

use spothub_core::money::Usd;

use super::books::Closed;
use super::{Options, Stage};
use crate::delivered::Delivery;
use crate::laws::Violation;
use crate::outcome::{self, ApiCalls, Cost, Deficit, Ledger, Outcome, Rollup, Share, StoreUse};
use crate::scenario::Scenario;
use crate::steady::{Capacity, Steadiness};
use crate::world::World;

/// A ratio with two decimals.
#[expect(clippy::cast_precision_loss, reason = "counts for a person, far below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 100.0).round() / 100.0 }
}

#[expect(clippy::cast_precision_loss, reason = "for a person, far below 2^53")]
fn hundredths(value: i64) -> f64 {
    value as f64 / 100.0
}

/// Hours with two decimals.
fn hours(millis: i64) -> f64 {
    hundredths(millis / 36_000)
}

fn percent(part: Usd, whole: Usd) -> f64 {
    hundredths(part.basis_points_of(whole).unwrap_or(0))
}

pub(super) fn outcome(
    stage: &Stage<'_>,
    scenario: &Scenario,
    options: &Options,
    books: &Closed,
    delivery: Delivery,
    mut violations: Vec<Violation>,
    converged: bool,
) -> Outcome {
    let collected = stage.collector.lock();
    let tally = &collected.tally;
    violations.splice(0..0, collected.laws.violations().iter().cloned());
    let completed = u64::from(tally.swaps.completed + tally.rescues.completed);
    let world = stage.world.lock();
    let saved = books.total.saved();
    let rollups = rollups(&world, books);
    Outcome {
        scenario: scenario.name.clone(),
        seed: options.seed,
        hours: options.hours.unwrap_or(scenario.hours),
        accounts: u32::try_from(world.accounts().len()).unwrap_or(u32::MAX),
        regions: u32::try_from(world.regions().len()).unwrap_or(u32::MAX),
        groups: stage.groups,
        instances: stage.instances,
        swaps: tally.swaps,
        rescues: tally.rescues,
        undone_by: tally.undone_by.clone(),
        holds: tally.holds_at_end.clone().unwrap_or_else(|| tally.holds_now()),
        holds_begun: tally.holds_begun.clone(),
        interruptions: tally.interruptions,
        steadiness: steadiness(&collected.noticed),
        baseline: None,
        api_calls: ApiCalls {
            total: tally.calls,
            per_swap: ratio(tally.swap_calls, completed),
            polls: tally.polls,
            by_action: tally.by_action.clone(),
        },
        cost: Cost {
            on_demand_usd: books.total.on_demand.to_string(),
            actual_usd: books.total.actual.to_string(),
            saved_usd: saved.to_string(),
            saved_percent: percent(saved, books.total.on_demand),
            best_possible_usd: delivery.best_possible.to_string(),
        },
        rollups,
        delivered: Share {
            eligible_instance_hours: hours(delivery.eligible.0),
            on_spot_instance_hours: hours(delivery.on_spot.0),
            percent: hundredths(delivery.basis_points().unwrap_or(10_000)),
        },
        violations,
        events: tally.events,
        store: StoreUse {
            writes: stage.store.items_written(),
            writes_per_swap: ratio(stage.store.items_written(), completed),
        },
        converged,
        virtual_seconds: stage.exec.now().since(stage.start).as_secs(),
        wall_seconds: 0.0,
        ledger: Ledger { from: stage.start, to: stage.exec.now(), pages: Vec::new() },
    }
}

#[expect(clippy::cast_precision_loss, reason = "for a person, far below 2^53")]
fn steadiness(noticed: &Steadiness) -> outcome::Steadiness {
    let missing = |capacity: &Capacity| Deficit {
        wanted_instance_hours: hours(capacity.wanted.0),
        missing_instance_hours: hours(capacity.missing.0),
        percent: capacity.missing_ppm() as f64 / 10_000.0,
    };
    outcome::Steadiness {
        linux: missing(&noticed.linux),
        windows: missing(&noticed.windows),
        lifecycle_changes: noticed.lifecycle_changes,
        lifecycle_changes_per_instance_day: hundredths(noticed.changes_per_day()),
        launches_refused: noticed.launches_refused,
        launches_refused_at_once: noticed.launches_refused_at_once,
        early_losses: noticed.early_losses,
    }
}

fn rollups(world: &World, books: &Closed) -> Vec<Rollup> {
    let row = |account: &crate::shape::AccountShape| {
        let sums = books.by_account.get(&account.id)?;
        Some(Rollup {
            account_id: account.id,
            account_name: account.name.clone(),
            ou: account.ou.clone(),
            saved_usd: sums.saved().to_string(),
            on_demand_usd: sums.on_demand.to_string(),
            actual_usd: sums.actual.to_string(),
            instance_hours: hours(sums.time.0),
        })
    };
    world.accounts().iter().filter_map(row).collect()
}
