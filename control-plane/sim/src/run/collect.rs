//! The sink of a run: every record goes to the laws, the bill, the other judges, the tally and the trace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use spothub_core::group::Lifecycle;
use spothub_core::id::InstanceId;
use spothub_core::lookup::Lookup;
use spothub_core::money::UsdPerHour;
use spothub_core::port::{Journal, Note};
use spothub_core::time::Timestamp;

use crate::bill::Bill;
use crate::delivered::Delivered;
use crate::exec::lock;
use crate::laws::{LawSettings, Laws};
use crate::outcome::{Ends, Events, Interruptions};
use crate::record::{By, Ended, GroupRef, Record, Sink, What};
use crate::steady::{Steadiness, Steady};
use crate::world::SharedWorld;

/// Everything collected, behind the one lock that the world's sink and the run share.
#[derive(Clone)]
pub(super) struct Collector(Arc<Mutex<Collected>>);

pub(super) type Guard<'a> = MutexGuard<'a, Collected>;

pub(super) struct Collected {
    pub(super) laws: Laws,
    pub(super) bill: Bill,
    pub(super) delivered: Delivered,
    pub(super) steady: Steady,
    /// What users noticed in ordinary life.
    pub(super) noticed: Steadiness,
    pub(super) tally: Tally,
    tracing: bool,
    /// Lines of the trace that are not written yet.
    pub(super) lines: Vec<u8>,
}

impl Collector {
    pub(super) fn new(settings: LawSettings, tracing: bool) -> Self {
        Self(Arc::new(Mutex::new(Collected {
            laws: Laws::new(settings),
            bill: Bill::default(),
            delivered: Delivered::default(),
            steady: Steady::default(),
            noticed: Steadiness::default(),
            tally: Tally::default(),
            tracing,
            lines: Vec::new(),
        })))
    }

    pub(super) fn lock(&self) -> Guard<'_> {
        lock(&self.0)
    }
}

impl Sink for Collector {
    fn take(&mut self, record: &Record) {
        let mut collected = self.lock();
        collected.laws.take(record);
        collected.bill.take(record);
        collected.delivered.take(record);
        collected.steady.take(record);
        collected.tally.take(record);
        if collected.tracing && serde_json::to_writer(&mut collected.lines, record).is_ok() {
            collected.lines.push(b'\n');
        }
    }
}

/// A group as last seen in the records.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) enabled: bool,
    pub(super) owner_desired: u32,
    pub(super) in_service: u32,
    pub(super) on_demand: u32,
    pub(super) floor_number: u32,
    pub(super) floor_percent: u8,
}

/// An instance that others launched, for the books.
#[derive(Clone, Debug)]
pub(super) struct Metered {
    pub(super) group: GroupRef,
    pub(super) az: spothub_core::id::AzId,
    pub(super) kind: String,
    pub(super) lifecycle: Lifecycle,
    pub(super) end: Option<i64>,
    pub(super) prices: Vec<(i64, UsdPerHour)>,
}

/// Counts for the outcome.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) swaps: Ends,
    pub(super) rescues: Ends,
    pub(super) undone_by: BTreeMap<String, u32>,
    open: BTreeSet<spothub_core::id::SwapId>,
    pub(super) groups: BTreeMap<GroupRef, Seen>,
    pub(super) ever_enabled: BTreeSet<GroupRef>,
    pub(super) holds: BTreeMap<(GroupRef, Option<InstanceId>), String>,
    pub(super) holds_at_end: Option<BTreeMap<String, u32>>,
    pub(super) holds_begun: BTreeMap<String, u32>,
    noticed: BTreeSet<InstanceId>,
    pub(super) interruptions: Interruptions,
    members: Lookup<InstanceId, GroupRef>,
    pub(super) others: BTreeMap<InstanceId, Metered>,
    /// Whose account each instance of the engine's is in.
    pub(super) launched: BTreeMap<InstanceId, spothub_core::id::AccountId>,
    pub(super) calls: u64,
    pub(super) polls: u64,
    pub(super) swap_calls: u64,
    pub(super) by_action: BTreeMap<String, u64>,
    pub(super) events: Events,
}

impl Tally {
    /// Holds in force now are what the outcome shows: afterwards the world stands still.
    pub(super) fn ordinary_ends(&mut self) {
        self.holds_at_end = Some(self.holds_now());
    }

    pub(super) fn holds_now(&self) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for reason in self.holds.values() {
            *counts.entry(reason.clone()).or_insert(0) += 1;
        }
        counts
    }

    fn take(&mut self, record: &Record) {
        match &record.what {
            What::InstanceStart(start) => {
                self.members.insert(start.instance_id.clone(), start.group.clone());
                if start.by == By::Spothub {
                    self.launched.insert(start.instance_id.clone(), start.group.account);
                } else {
                    self.others.insert(
                        start.instance_id.clone(),
                        Metered {
                            group: start.group.clone(),
                            az: start.az_id.clone(),
                            kind: start.kind.clone(),
                            lifecycle: start.lifecycle,
                            end: None,
                            prices: vec![(record.t, start.usd_per_hour)],
                        },
                    );
                }
            }
            What::Price { instance_id, usd_per_hour } => {
                if let Some(metered) = self.others.get_mut(instance_id) {
                    metered.prices.push((record.t, *usd_per_hour));
                }
            }
            What::InstanceEnd { instance_id, why } => self.ended(record.t, instance_id, *why),
            What::Policy(line) => {
                let seen = self.groups.entry(line.group.clone()).or_default();
                seen.enabled = line.enabled;
                (seen.floor_number, seen.floor_percent) = (line.floor_number, line.floor_percent);
                if line.enabled {
                    self.ever_enabled.insert(line.group.clone());
                }
            }
            What::Membership(m) => {
                let seen = self.groups.entry(m.group.clone()).or_default();
                (seen.owner_desired, seen.in_service, seen.on_demand) = (m.owner_desired, m.in_service, m.on_demand);
            }
            What::Notice { instance_id, .. } => {
                let group = self.members.get(instance_id).and_then(|g| self.groups.get(g));
                if group.is_some_and(|g| g.enabled) && self.noticed.insert(instance_id.clone()) {
                    self.interruptions.received += 1;
                }
            }
            What::Call(call) => {
                self.calls += 1;
                self.polls += u64::from(call.poll);
                let serves = call.swap.is_some() || !call.swaps.is_empty() || call.group.is_some();
                self.swap_calls += u64::from(serves && !call.poll);
                match self.by_action.get_mut(&call.action) {
                    Some(count) => *count += 1,
                    None => drop(self.by_action.insert(call.action.clone(), 1)),
                }
            }
            What::Hold { group, instance_id, reason } => self.hold(group, instance_id.as_ref(), reason.as_ref()),
            What::Swap { swap, rescue, state, why, .. } => self.swap(swap, *rescue, state, why.as_ref()),
            What::Event { end, .. } => self.event(end),
            What::Recommendation { .. }
            | What::Container(_)
            | What::EventSent { .. }
            | What::Brake { .. }
            | What::End => {}
        }
    }

    fn ended(&mut self, t: i64, id: &InstanceId, why: Ended) {
        if let Some(metered) = self.others.get_mut(id) {
            metered.end = Some(t);
        }
        if self.noticed.remove(id) {
            let group = self.members.get(id).and_then(|g| self.groups.get(g));
            // Taken out by the engine means that its replacement served; otherwise the group must have enough.
            let enough = group.is_some_and(|g| g.in_service >= g.owner_desired);
            self.interruptions.replaced_in_time += u32::from(enough || why == Ended::Retired);
        }
        self.members.remove(id);
    }

    fn hold(&mut self, group: &GroupRef, instance: Option<&InstanceId>, reason: Option<&String>) {
        let key = (group.clone(), instance.cloned());
        match reason {
            Some(reason) => {
                *self.holds_begun.entry(reason.clone()).or_insert(0) += 1;
                self.holds.insert(key, reason.clone());
            }
            None => drop(self.holds.remove(&key)),
        }
    }

    fn swap(&mut self, id: &spothub_core::id::SwapId, rescue: bool, state: &str, why: Option<&String>) {
        let ends = if rescue { &mut self.rescues } else { &mut self.swaps };
        if self.open.insert(id.clone()) {
            ends.started += 1;
            ends.in_flight += 1;
        }
        let count = match state {
            "done" => &mut ends.completed,
            "undone" => &mut ends.undone,
            "failed" => &mut ends.failed,
            "stranded" => &mut ends.stranded,
            _ => return,
        };
        *count += 1;
        ends.in_flight -= 1;
        if let Some(why) = why {
            *self.undone_by.entry(why.clone()).or_insert(0) += 1;
        }
    }

    fn event(&mut self, end: &str) {
        let events = &mut self.events;
        events.received += 1;
        match end {
            "acted" => events.acted += 1,
            "held" => events.held += 1,
            "ignored" => events.ignored += 1,
            "duplicate" => events.duplicate += 1,
            _ => events.quarantined += 1,
        }
    }
}

/// The engine's notes as records of the world.
pub struct SimJournal(pub Arc<SharedWorld>);

impl Journal for SimJournal {
    fn note(&self, _now: Timestamp, note: &Note<'_>) {
        let place = |group: &spothub_core::id::GroupKey| GroupRef {
            account: group.site.account,
            region: group.site.region.clone(),
            group: group.name.clone(),
        };
        let what = match note {
            Note::Hold { group, instance, reason } => What::Hold {
                group: place(group),
                instance_id: instance.cloned(),
                reason: reason.map(|r| r.label().to_owned()),
            },
            Note::Swap { swap, group, state, old, new, why, .. } => What::Swap {
                swap: (*swap).clone(),
                group: place(group),
                rescue: swap.is_rescue(),
                state: (*state).to_owned(),
                old: (*old).clone(),
                new: new.cloned(),
                why: why.map(str::to_owned),
            },
            Note::Event { id, detail_type, account, region, end, reason } => What::Event {
                id: (*id).to_owned(),
                detail_type: (*detail_type).to_owned(),
                account: *account,
                region: region.cloned(),
                end: end.label().to_owned(),
                reason: (*reason).to_owned(),
            },
            // The world tells of container instances itself.
            Note::Drain { .. } | Note::Stray { .. } => return,
        };
        self.0.lock().emit(what);
    }
}
