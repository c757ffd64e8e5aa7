//! What the hub does now, as its store tells: for `spothub status`. Reads, and asks no account.

use std::collections::BTreeMap;

use serde::Serialize;
use spothub_core::brake::{Brake, BrakeScope};
use spothub_core::breaker::{self, Guards, State};
use spothub_core::id::{GroupKey, InstanceId, SwapId};
use spothub_core::port::{Store, StoreError, Stored};
use spothub_core::record::{self, GroupRecord, Left};
use spothub_core::time::Timestamp;
use spothub_usage::task::Flags;
use spothub_usage::task::rows::FLAGS;

use crate::breaker::Opened;
use crate::commitments::{self, Standing};
use crate::policy_file;
use crate::published::{self, PolicyState};
use crate::quarantine::{self, Quarantined};
use crate::rows::all;
use crate::workers::{self, Beat};

/// Rows of a list that are kept: a person reads some, and the counts hold for all.
const LISTED_MAX: usize = 100;

/// What the hub does now.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// Brakes that are set, the widest first.
    pub brakes: Vec<Brake>,
    /// What of those that send back to on-demand is still on Spot.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reverts: Vec<Reverting>,
    /// Why the brakes cannot be read: then everything is paused.
    pub brakes_unreadable: Option<String>,
    /// Published policy: what is in force, what was seen, what waits for approval.
    pub policy: PolicyState,
    /// Why what is stored of policy cannot be read: then what was in force stays, and nothing else comes into force.
    pub policy_unreadable: Option<String>,
    /// Names of the rings of the policy that is on its way through them.
    pub policy_rings: Vec<String>,
    /// Groups that something is stored of.
    pub groups: u64,
    /// Records that this program does not understand.
    pub unreadable: u64,
    /// Swaps and rescues in flight by the label of their stage.
    pub in_flight_by_stage: BTreeMap<&'static str, u64>,
    /// Some of them, the oldest first.
    pub in_flight: Vec<InFlight>,
    /// Swaps that ended stranded and were not put right, the latest first.
    pub stranded: Vec<Stranded>,
    /// Holds in force by the label of their reason.
    pub holds: BTreeMap<&'static str, u64>,
    /// What is paid for anyway, as last read; `None` where it was never read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commitments: Option<Standing>,
    /// How metering stands; `None` where it never ran.
    pub metering: Option<Metered>,
    /// Breakers that are not closed: of groups, accounts in a region, and pools.
    pub breakers_open: u64,
    /// Some of them, those of the most failures first.
    pub breakers: Vec<Opened>,
    /// Budgets of swaps in flight that several workers share, by their scope: how much is used.
    pub budgets: BTreeMap<String, u32>,
    /// Groups that wait after failures.
    pub waiting: u64,
    /// Some of them, those that failed most often first.
    pub backoffs: Vec<Waits>,
    /// Announced losses of instances that are kept in mind.
    pub notices: u64,
    /// Unreadable messages on record.
    pub quarantined: u64,
    /// Some of them, the latest first.
    pub quarantine: Vec<Quarantined>,
    /// Signs of life of workers that share the store.
    pub workers: Vec<Beat>,
}

/// How metering stands.
#[derive(Clone, Debug, Serialize)]
pub struct Metered {
    /// What the task says; `None` where its row cannot be read.
    #[serde(flatten)]
    pub flags: Option<Flags>,
    /// What an operator has to know, the gravest first; empty where all is well.
    pub troubles: Vec<String>,
}

/// A scope that goes back to on-demand.
#[derive(Clone, Debug, Serialize)]
pub struct Reverting {
    /// It.
    #[serde(flatten)]
    pub scope: BrakeScope,
    /// Instances that spothub brought and that are on Spot there; `None` for a unit, whose accounts the store does not
    /// know.
    pub on_spot: Option<u64>,
}

/// A swap or rescue in flight.
#[derive(Clone, Debug, Serialize)]
pub struct InFlight {
    /// Which.
    pub swap: SwapId,
    /// Its group.
    pub group: GroupKey,
    /// The label of its stage.
    pub stage: &'static str,
    /// What it replaces.
    pub old: InstanceId,
    /// What replaces it, once launched.
    pub new: Option<InstanceId>,
    /// When it began.
    pub started_at: Timestamp,
    /// The worker that acts on the group just now.
    pub worker: Option<String>,
}

/// A swap or rescue that lost access half way, while something of it stands.
#[derive(Clone, Debug, Serialize)]
pub struct Stranded {
    /// Its group.
    pub group: GroupKey,
    /// What it left.
    #[serde(flatten)]
    pub left: Left,
    /// What puts it right, for a shell with the rights of the group's owner, in this order.
    pub commands: Vec<String>,
}

/// A group that waits after failures.
#[derive(Clone, Debug, Serialize)]
pub struct Waits {
    /// Which.
    pub group: GroupKey,
    /// Failures in a row.
    pub failures: u32,
    /// What the last one was.
    pub why: Option<&'static str>,
    /// The next try.
    pub until: Timestamp,
}

/// Reads it all.
pub async fn status(store: &dyn Store, now: Timestamp) -> Result<Status, StoreError> {
    let mut status = Status::default();
    match crate::brake::brakes(store).await {
        Ok(brakes) => status.brakes = brakes.0,
        Err(error) => status.brakes_unreadable = Some(error.to_string()),
    }
    status.brakes.sort_by(|a, b| a.scope.cmp(&b.scope));
    for brake in status.brakes.iter().filter(|brake| brake.revert) {
        let scope = brake.scope.clone();
        let on_spot = crate::brake::on_spot(store, &scope).await?;
        status.reverts.push(Reverting { scope, on_spot });
    }
    match published::state(store).await {
        Ok(state) => status.policy = state,
        Err(error) => status.policy_unreadable = Some(error.to_string()),
    }
    if let Some(out) = &status.policy.out {
        // Their names are told where they can be; their number is in the state.
        let set = policy_file::combine(&published::files(store, &out.digest).await?).unwrap_or_default();
        status.policy_rings = set.rollout().rings.iter().map(|ring| ring.name.clone()).collect();
    }
    for item in all(store, "group/").await? {
        match record::read::<GroupRecord>(&item.value) {
            Some(record) => status.take(record, now),
            None => status.unreadable += 1,
        }
    }
    status.breakers.extend(crate::breaker::opened(store, now).await?);
    status.breakers_open = status.breakers.len() as u64;
    status.breakers.sort_by(|a, b| (b.failures, a.guards, &a.of).cmp(&(a.failures, b.guards, &b.of)));
    status.breakers.truncate(LISTED_MAX);
    status.budgets = crate::budget::used(store).await?;
    status.commitments = commitments::stored(store).await?;
    status.metering = metered(store, now).await?;
    status.notices = all(store, "notice/").await?.len() as u64;
    let read = |item: Stored| serde_json::from_slice::<Quarantined>(&item.value).ok();
    status.quarantine = all(store, quarantine::KEYS).await?.into_iter().filter_map(read).collect();
    status.quarantined = status.quarantine.len() as u64;
    status.quarantine.sort_by(|a, b| (b.at, &a.digest).cmp(&(a.at, &b.digest)));
    status.quarantine.truncate(LISTED_MAX);
    let read = |item: Stored| serde_json::from_slice::<Beat>(&item.value).ok();
    status.workers = all(store, workers::KEYS).await?.into_iter().filter_map(read).collect();
    status.in_flight.sort_by(|a, b| (a.started_at, &a.swap).cmp(&(b.started_at, &b.swap)));
    status.in_flight.truncate(LISTED_MAX);
    status.stranded.sort_by(|a, b| (b.left.at, &a.left.id).cmp(&(a.left.at, &b.left.id)));
    status.backoffs.sort_by(|a, b| (b.failures, &a.group).cmp(&(a.failures, &b.group)));
    status.backoffs.truncate(LISTED_MAX);
    Ok(status)
}

async fn metered(store: &dyn Store, now: Timestamp) -> Result<Option<Metered>, StoreError> {
    let Some(row) = store.get(FLAGS).await? else { return Ok(None) };
    let flags: Option<Flags> = serde_json::from_slice(&row.value).ok();
    let unreadable = || vec![format!("{FLAGS} cannot be read: run the program that wrote it, or delete it")];
    let troubles = flags.as_ref().map_or_else(unreadable, |flags| flags.troubles(now));
    Ok(Some(Metered { flags, troubles }))
}

impl Status {
    fn take(&mut self, record: GroupRecord, now: Timestamp) {
        self.groups += 1;
        for row in &record.holds {
            *self.holds.entry(row.reason.label()).or_default() += 1;
        }
        let state = breaker::of_group(&record.backoff, now);
        if let (State::Open | State::HalfOpen, Some(until)) = (state, record.backoff.until) {
            self.breakers.push(Opened {
                guards: Guards::Group,
                of: record.group.to_string(),
                state,
                why: record.backoff.why.map(spothub_core::record::Why::label),
                failures: record.backoff.failures,
                until,
            });
        }
        if let Some(until) = record.backoff.until.filter(|until| *until > now) {
            self.waiting += 1;
            let (failures, why) = (record.backoff.failures, record.backoff.why.map(spothub_core::record::Why::label));
            self.backoffs.push(Waits { group: record.group.clone(), failures, why, until });
        }
        for left in record.stranded {
            let commands = left.commands(&record.group);
            self.stranded.push(Stranded { group: record.group.clone(), left, commands });
        }
        for op in record.ops {
            *self.in_flight_by_stage.entry(op.stage.label()).or_default() += 1;
            self.in_flight.push(InFlight {
                swap: op.id,
                group: record.group.clone(),
                stage: op.stage.label(),
                old: op.old,
                new: op.new,
                started_at: op.started_at,
                worker: record.lease.as_ref().map(|lease| lease.owner.clone()),
            });
        }
    }
}
