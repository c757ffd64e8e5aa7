//! What a run gave: the object that `simulate --output json` prints. Money is a decimal string.

use std::collections::BTreeMap;

use serde::Serialize;
use spothub_core::id::{AccountId, OuPath};
use spothub_core::time::Timestamp;
use spothub_usage::book::Page;

use crate::laws::Violation;

/// The result of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Virtual hours of ordinary life, without the settling after it.
    pub hours: u32,
    /// Accounts in the organization.
    pub accounts: u32,
    /// Regions in use.
    pub regions: u32,
    /// Groups at the start.
    pub groups: u32,
    /// Instances at the start.
    pub instances: u32,
    /// Swaps by how they ended.
    pub swaps: Ends,
    /// Rescues by how they ended.
    pub rescues: Ends,
    /// Why swaps and rescues were undone or failed, by label.
    pub undone_by: BTreeMap<String, u32>,
    /// Holds in force at the end of ordinary life, by reason.
    pub holds: BTreeMap<String, u32>,
    /// Holds that began during the run, by reason.
    pub holds_begun: BTreeMap<String, u32>,
    /// Announced losses.
    pub interruptions: Interruptions,
    /// What users would notice.
    pub steadiness: Steadiness,
    /// The same world without spothub, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// Calls.
    pub api_calls: ApiCalls,
    /// Cost.
    pub cost: Cost,
    /// Cost by account, in the order of account ids.
    pub rollups: Vec<Rollup>,
    /// How much of what could be on Spot was.
    pub delivered: Share,
    /// Laws that were broken; empty is the only good answer.
    pub violations: Vec<Violation>,
    /// Events by how they ended.
    pub events: Events,
    /// Store writes, and how many for each completed swap.
    pub store: StoreUse,
    /// Whether everything was at rest in time after faults and owners had stopped.
    pub converged: bool,
    /// Virtual seconds from the start to the end, settling included.
    pub virtual_seconds: i64,
    /// Real seconds that the run took; the one figure that differs between equal runs.
    pub wall_seconds: f64,
    /// The stored ledger, for reports.
    #[serde(skip)]
    pub ledger: Ledger,
}

/// What the hub's store has in its ledger at the end.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// The first moment of the run.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// All pages.
    pub pages: Vec<Page>,
}

/// Counts that add up: started = completed + undone + failed + stranded + in flight.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub struct Ends {
    pub started: u32,
    pub completed: u32,
    pub undone: u32,
    pub failed: u32,
    pub stranded: u32,
    pub in_flight: u32,
}

/// Announced losses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Interruptions {
    /// Members of enabled groups that AWS announced it would take, event or not.
    pub received: u32,
    /// Of these, those of which a replacement was in service when they were taken.
    pub replaced_in_time: u32,
}

/// What users would notice while instances come and go, in groups that policy enables.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Steadiness {
    /// Groups of everything but Windows.
    pub linux: Deficit,
    /// Groups of Windows, which boots for minutes.
    pub windows: Deficit,
    /// Instances that took the place of one bought otherwise.
    pub lifecycle_changes: u32,
    /// The same for each instance and day that was wanted.
    pub lifecycle_changes_per_instance_day: f64,
    /// Launches that were refused.
    pub launches_refused: u32,
    /// The most that one group met within ten minutes, the first hour apart.
    pub launches_refused_at_once: u32,
    /// Newcomers that AWS took back within an hour.
    pub early_losses: u32,
}

/// Capacity that was not there.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Deficit {
    /// Instance-hours that owners wanted.
    pub wanted_instance_hours: f64,
    /// Of these, those that were not in service.
    pub missing_instance_hours: f64,
    /// The share in percent, with four decimals.
    pub percent: f64,
}

/// What the same world came to without spothub.
#[derive(Clone, Debug, Serialize)]
pub struct Baseline {
    /// Announced losses.
    pub interruptions: Interruptions,
    /// What users would notice.
    pub steadiness: Steadiness,
    /// Cost.
    pub cost: Cost,
}

/// Calls of the engine.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ApiCalls {
    /// All of them.
    pub total: u64,
    /// Looks and changes for swaps, polls apart, for each completed swap.
    pub per_swap: f64,
    /// Of the total, repeated looks while waiting.
    pub polls: u64,
    /// By IAM action.
    pub by_action: BTreeMap<String, u64>,
}

/// Cost of all instances of groups that were enabled at any time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cost {
    /// What they would have cost on demand.
    pub on_demand_usd: String,
    /// What they cost.
    pub actual_usd: String,
    /// The difference.
    pub saved_usd: String,
    /// The difference in percent of on-demand.
    pub saved_percent: f64,
    /// The most that could have been saved by the judge's own reckoning: every eligible member-hour in its cheapest
    /// affordable pool.
    pub best_possible_usd: String,
}

/// Cost of one account.
#[derive(Clone, Debug, Serialize)]
pub struct Rollup {
    /// Its id.
    pub account_id: AccountId,
    /// Its name.
    pub account_name: String,
    /// Its unit.
    pub ou: OuPath,
    /// Saved.
    pub saved_usd: String,
    /// On-demand cost.
    pub on_demand_usd: String,
    /// Actual cost.
    pub actual_usd: String,
    /// Hours of instances, with two decimals.
    pub instance_hours: f64,
}

/// How much of what could be on Spot was.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Share {
    /// Instance-hours that could have been on Spot.
    pub eligible_instance_hours: f64,
    /// Of these, those that were.
    pub on_spot_instance_hours: f64,
    /// The share in percent; 100 where nothing was eligible.
    pub percent: f64,
}

/// Events by how they ended; received is the sum of the others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub struct Events {
    pub received: u64,
    pub acted: u64,
    pub held: u64,
    pub ignored: u64,
    pub duplicate: u64,
    pub quarantined: u64,
}

/// Use of the store.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct StoreUse {
    /// Items written.
    pub writes: u64,
    /// Items written for each completed swap, all writes counted.
    pub writes_per_swap: f64,
}
