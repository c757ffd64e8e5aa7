//! What one worker remembers between calls. All of it can be lost: it is read again, or rebuilt from the store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use spothub_core::group::{Extras, GroupView, InstanceFacts, Source};
use spothub_core::id::{AccountId, GroupKey, InstanceId, Region, Site};
use spothub_core::market::{Market, Pool};
use spothub_core::policy::Standing;
use spothub_core::port::{Account, RunState, TemplateFacts};
use spothub_core::record::{GroupRecord, Usage};
use spothub_core::time::{Span, Timestamp};

use crate::flights::Flights;
use crate::wakes::Wakes;

/// Event ids remembered to tell duplicates: at 300 events a second this covers a quarter of an hour, which is how late
/// copies come; an event taken twice only wakes its group twice.
const EVENTS_MAX: usize = 300_000;
/// How long hooks and refreshes count as read for showing a hold; a swap begins on a fresh read only.
pub(crate) const EXTRAS_AGE_MAX: Span = Span::mins(30);

/// A record as stored, with the version that the next write insists on (0: never written).
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) version: u64,
    pub(crate) record: GroupRecord,
}

/// What is known of a group between looks.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) standing: Standing,
    pub(crate) served: bool,
}

/// An announced loss.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) site: Site,
    pub(crate) deadline: Timestamp,
    pub(crate) handled: bool,
}

/// Things to poll at one site.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    /// Newcomers, with the group to wake.
    pub(crate) status: BTreeMap<InstanceId, (Timestamp, GroupKey)>,
    /// Groups whose members are watched.
    pub(crate) members: BTreeMap<GroupKey, Timestamp>,
    /// The last poll: the next is at least a tick later.
    pub(crate) polled_at: Option<Timestamp>,
    /// Which of the two was polled last, so that both get their turn.
    pub(crate) members_last: bool,
}

#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) wakes: Wakes,
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    pub(crate) groups: BTreeMap<GroupKey, Known>,
    members: BTreeMap<InstanceId, GroupKey>,
    /// The same instances by site, for forgetting those that are gone.
    by_site: BTreeMap<Site, BTreeSet<InstanceId>>,
    pub(crate) facts: BTreeMap<InstanceId, Arc<InstanceFacts>>,
    pub(crate) pools: BTreeMap<InstanceId, Pool>,
    pub(crate) templates: BTreeMap<(Site, Source), Arc<TemplateFacts>>,
    pub(crate) extras: BTreeMap<GroupKey, (Timestamp, Extras)>,
    pub(crate) markets: BTreeMap<Region, Market>,
    pub(crate) records: BTreeMap<GroupKey, Kept>,
    /// Leases of others: the version seen, and since when it has not changed.
    pub(crate) leases_seen: BTreeMap<GroupKey, (u64, Timestamp)>,
    pub(crate) flights: Flights,
    pub(crate) status: BTreeMap<InstanceId, RunState>,
    /// Views from a poll or sweep for the next reconcile.
    pub(crate) views: BTreeMap<GroupKey, GroupView>,
    /// When we last changed something in a group: earlier views of it are worth nothing.
    pub(crate) changed: BTreeMap<GroupKey, Timestamp>,
    pub(crate) watched: BTreeMap<Site, Watched>,
    pub(crate) polls: BTreeSet<(Timestamp, Site)>,
    pub(crate) notices: BTreeMap<InstanceId, Notice>,
    pub(crate) usages: BTreeMap<Site, BTreeMap<InstanceId, Usage>>,
    pub(crate) denied: BTreeMap<Site, Timestamp>,
    seen: BTreeSet<String>,
    seen_order: VecDeque<String>,
    pub(crate) swaps_made: u64,
}

impl Memory {
    /// Remembers an event's id; `false` if it was known.
    pub(crate) fn first_seen(&mut self, id: &str) -> bool {
        if !self.seen.insert(id.to_owned()) {
            return false;
        }
        self.seen_order.push_back(id.to_owned());
        if self.seen_order.len() > EVENTS_MAX
            && let Some(old) = self.seen_order.pop_front()
        {
            self.seen.remove(&old);
        }
        true
    }

    /// The group that an instance is, or is to be, a member of.
    pub(crate) fn group_of(&self, id: &InstanceId) -> Option<&GroupKey> {
        self.members.get(id)
    }

    /// Remembers whose member an instance is.
    pub(crate) fn joins(&mut self, id: &InstanceId, group: &GroupKey) {
        if self.members.contains_key(id) {
            return;
        }
        self.members.insert(id.clone(), group.clone());
        match self.by_site.get_mut(&group.site) {
            Some(ids) => drop(ids.insert(id.clone())),
            None => drop(self.by_site.insert(group.site.clone(), BTreeSet::from([id.clone()]))),
        }
    }

    /// Forgets instances of a site that `stays` does not name.
    pub(crate) fn forget_but(&mut self, site: &Site, stays: &BTreeSet<&InstanceId>) {
        let Some(ids) = self.by_site.get_mut(site) else { return };
        let gone: Vec<InstanceId> = ids.iter().filter(|id| !stays.contains(id)).cloned().collect();
        for id in gone {
            ids.remove(&id);
            self.members.remove(&id);
            self.facts.remove(&id);
            self.status.remove(&id);
            self.pools.remove(&id);
        }
    }

    /// Forgets an event's id: it could not be stored and will come again.
    pub(crate) fn unsee(&mut self, id: &str) {
        self.seen.remove(id);
    }

    /// The market of a region, unknown until it is read.
    pub(crate) fn market(&mut self, region: &Region) -> &mut Market {
        self.markets.entry(region.clone()).or_insert_with(|| Market::unknown(region.clone()))
    }

    /// Notes what a pool did.
    pub(crate) fn signal(&mut self, region: &Region, tell: impl FnOnce(&mut spothub_core::market::Signals)) {
        tell(Arc::make_mut(&mut self.market(region).signals));
    }

    /// The view that a poll or sweep left for this group, unless we changed the group since or it is older than that.
    pub(crate) fn take_view(&mut self, group: &GroupKey, oldest: Timestamp) -> Option<GroupView> {
        let changed = self.changed.get(group).copied();
        let view = self.views.remove(group)?;
        (view.seen_at > oldest && changed.is_none_or(|at| view.seen_at > at)).then_some(view)
    }

    /// Watches something from `not_before` on.
    pub(crate) fn watch(&mut self, site: &Site, not_before: Timestamp, tick: Span, what: impl FnOnce(&mut Watched)) {
        let watched = self.watched.entry(site.clone()).or_default();
        what(watched);
        let at = watched.polled_at.map_or(not_before, |polled| not_before.max(polled + tick));
        self.polls.insert((at, site.clone()));
    }
}
