//! What one worker remembers between calls. All of it can be lost: it is read again, or rebuilt from the store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use spothub_core::fault::Fault;
use spothub_core::group::{Extras, GroupView, InstanceFacts, Lifecycle, Source};
use spothub_core::id::{AccountId, GroupKey, InstanceId, Region, Site, SwapId};
use spothub_core::lookup::Lookup;
use spothub_core::market::{Market, Pool};
use spothub_core::policy::{InForce, Standing};
use spothub_core::port::{Account, RunState, TemplateFacts};
use spothub_core::record::{GroupRecord, Usage};
use spothub_core::time::{Span, Timestamp};

use crate::flights::Flights;
use crate::notices::Notices;
use crate::published;
use crate::wakes::Wakes;

/// Event ids remembered to tell duplicates: at 300 events a second this covers a quarter of an hour, which is how late
/// copies come; an event taken twice only wakes its group twice.
const EVENTS_MAX: usize = 300_000;
/// How long hooks and refreshes count as read for showing a hold; a swap begins on a fresh read only.
pub(crate) const EXTRAS_AGE_MAX: Span = Span::mins(30);

/// How long a recommendation to replace an instance counts: what was not taken within the hour is as safe as others.
const RECOMMENDED_FOR: Span = Span::hours(1);

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
    /// Members that its owner wants.
    pub(crate) want: u32,
    /// A member may move to another pool when AWS recommends to replace it.
    pub(crate) moves_aside: bool,
}

/// Things to poll at one site.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    /// Newcomers, with the group to wake.
    pub(crate) status: BTreeMap<InstanceId, (Timestamp, GroupKey)>,
    /// Groups whose members are watched.
    pub(crate) members: BTreeMap<GroupKey, Timestamp>,
    /// Container instances that drain, by their instance.
    pub(crate) draining: BTreeMap<InstanceId, crate::drain::Drains>,
    /// When their tasks were last counted: the next time is at least a tick later.
    pub(crate) counted_at: Option<Timestamp>,
    /// The last poll of the others: the next is at least a tick later.
    pub(crate) polled_at: Option<Timestamp>,
    /// Which of the two was polled last, so that both get their turn.
    pub(crate) members_last: bool,
}

/// What is remembered of one instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered {
    /// The group that it is, or is to be, a member of.
    pub(crate) group: Option<GroupKey>,
    pub(crate) facts: Option<Arc<InstanceFacts>>,
    /// Where it came from, if we launched it.
    pub(crate) pool: Option<Pool>,
    pub(crate) status: Option<RunState>,
    /// Its running tasks and when they were counted, where it drains.
    pub(crate) tasks: Option<(Timestamp, u32)>,
    /// When it was last seen, by the look's own time.
    seen_at: Timestamp,
}

#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) wakes: Wakes,
    pub(crate) accounts: BTreeMap<AccountId, Arc<Account>>,
    /// The policy in force.
    pub(crate) policy: Arc<InForce>,
    /// What the store says of policy, as last read.
    pub(crate) published: published::Kept,
    /// The digests of what is in force, for messages and records.
    pub(crate) policy_digest: String,
    pub(crate) groups: BTreeMap<GroupKey, Known>,
    instances: Lookup<InstanceId, Remembered>,
    /// The same instances by site, for forgetting those that are gone.
    by_site: BTreeMap<Site, Vec<InstanceId>>,
    pub(crate) templates: BTreeMap<(Site, Source), Arc<TemplateFacts>>,
    pub(crate) profiles: crate::rights::Profiles,
    pub(crate) extras: Lookup<GroupKey, (Timestamp, Extras)>,
    pub(crate) markets: BTreeMap<Region, Market>,
    pub(crate) records: BTreeMap<GroupKey, Kept>,
    /// Leases of others: the version seen, and since when it has not changed.
    pub(crate) leases_seen: Lookup<GroupKey, (u64, Timestamp)>,
    pub(crate) flights: Flights,
    /// Swaps in flight over all workers, as last read.
    pub(crate) counters: crate::budget::Counters,
    /// Breakers of sites that are not as good as new.
    pub(crate) breakers: crate::breaker::Known,
    /// Launches of which it is asked, under a brake, whether they were sent; since when.
    pub(crate) unsure: Lookup<SwapId, Timestamp>,
    /// Until when word of a group's work in flight is on its way.
    pub(crate) words: Lookup<GroupKey, Timestamp>,
    pub(crate) words_left: u64,
    /// Swaps and rescues that were last found in a group's record, and not begun by this worker.
    pub(crate) inherited: BTreeMap<GroupKey, BTreeSet<SwapId>>,
    pub(crate) peers: crate::workers::Peers,
    pub(crate) quarantined: crate::quarantine::Written,
    /// The brakes, and when they were read.
    pub(crate) brakes: Option<(Timestamp, spothub_core::brake::Brakes)>,
    /// Whether metering says to begin no swaps, and when that was read.
    pub(crate) unmetered: Option<(Timestamp, bool)>,
    /// Views from a poll or sweep for the next reconcile.
    pub(crate) views: Lookup<GroupKey, GroupView>,
    /// When we last changed something in a group: earlier views of it are worth nothing.
    pub(crate) changed: Lookup<GroupKey, Timestamp>,
    pub(crate) watched: BTreeMap<Site, Watched>,
    pub(crate) polls: BTreeSet<(Timestamp, Site)>,
    pub(crate) notices: Notices,
    /// Instances that AWS recommends to replace, since when.
    recommended: BTreeMap<InstanceId, Timestamp>,
    pub(crate) marks_asked: crate::marks::Asked,
    pub(crate) shares: crate::shares::Counted,
    pub(crate) commitments: crate::commitments::Kept,
    pub(crate) placement: crate::placement::Kept,
    pub(crate) usages: BTreeMap<Site, BTreeMap<InstanceId, Usage>>,
    /// Sites whose groups were all read at least once.
    pub(crate) listed: BTreeSet<Site>,
    /// Whose turn it is to read those of a site for the first time.
    pub(crate) listings: BTreeMap<Site, Arc<tokio::sync::Mutex<()>>>,
    pub(crate) denied: BTreeMap<Site, Timestamp>,
    /// Sites at which the state of newcomers may not be asked for, and until when that is believed.
    pub(crate) unseen: BTreeMap<Site, Timestamp>,
    /// Sites that the last sweep did not read in full, or that refused us since, and why.
    pub(crate) failing: BTreeMap<Site, Fault>,
    /// Why the directory did not answer when it was last asked.
    pub(crate) directory: Option<Fault>,
    /// Regions whose prices could not be read when they were last asked, and why.
    pub(crate) unpriced: BTreeMap<Region, Fault>,
    /// When the last sweep began.
    pub(crate) sweep_began: Option<Timestamp>,
    /// When the last whole one began and was over.
    pub(crate) sweep_ended: Option<(Timestamp, Timestamp)>,
    /// Ids come from message bodies, whose writer could choose many that collide in a hash table: here none can.
    seen: BTreeSet<Arc<str>>,
    seen_order: VecDeque<Arc<str>>,
    pub(crate) swaps_made: u64,
}

impl Memory {
    /// Remembers an event's id; `false` if it was known.
    pub(crate) fn first_seen(&mut self, id: &str) -> bool {
        let id: Arc<str> = id.into();
        if !self.seen.insert(Arc::clone(&id)) {
            return false;
        }
        self.seen_order.push_back(id);
        if self.seen_order.len() > EVENTS_MAX
            && let Some(old) = self.seen_order.pop_front()
        {
            self.seen.remove(&*old);
        }
        true
    }

    /// The group that an instance is, or is to be, a member of.
    pub(crate) fn group_of(&self, id: &InstanceId) -> Option<&GroupKey> {
        self.instances.get(id)?.group.as_ref()
    }

    /// What EC2 said of an instance and cannot change.
    pub(crate) fn facts(&self, id: &InstanceId) -> Option<&Arc<InstanceFacts>> {
        self.instances.get(id)?.facts.as_ref()
    }

    /// The pool that one of our newcomers came from.
    pub(crate) fn pool(&self, id: &InstanceId) -> Option<&Pool> {
        self.instances.get(id)?.pool.as_ref()
    }

    /// Instances that spothub launched on Spot and that live, as far as is known, each with its site.
    pub(crate) fn brought(&self) -> impl Iterator<Item = (&Site, &Pool)> {
        self.by_site.iter().flat_map(move |(site, ids)| {
            let kept = ids.iter().filter_map(|id| self.instances.get(id));
            let lives = kept.filter(|kept| kept.status != Some(RunState::Ended));
            lives.filter_map(move |kept| Some((site, kept.pool.as_ref()?)))
        })
    }

    /// Spot members at a site that spothub may act for, and whose loss is not known yet.
    pub(crate) fn spot_members(&self, site: &Site) -> Vec<InstanceId> {
        let served = |group: &GroupKey| {
            self.groups.get(group).is_some_and(|known| known.served && known.standing == Standing::Enabled)
        };
        let spot = |kept: &Remembered| kept.facts.as_ref().is_some_and(|facts| facts.lifecycle == Lifecycle::Spot);
        let ids = self.by_site.get(site).into_iter().flatten();
        let members = ids.filter(|id| {
            let lives = |kept: &&Remembered| spot(kept) && kept.status != Some(RunState::Ended);
            let group = self.instances.get(id).filter(lives).and_then(|kept| kept.group.as_ref());
            group.is_some_and(served) && !self.notices.contains(id)
        });
        members.cloned().collect()
    }

    /// AWS recommends to replace an instance.
    pub(crate) fn recommend(&mut self, instance: &InstanceId, now: Timestamp) {
        self.recommended.retain(|_, at| now < *at + RECOMMENDED_FOR);
        self.recommended.insert(instance.clone(), now);
    }

    /// Members of a group that AWS recommends to replace.
    pub(crate) fn recommended_in(&self, view: &GroupView, now: Timestamp) -> BTreeSet<InstanceId> {
        let lately = |id: &InstanceId| self.recommended.get(id).is_some_and(|at| now < *at + RECOMMENDED_FOR);
        let found = view.members.iter().filter(|m| !self.recommended.is_empty() && lately(&m.id));
        found.map(|m| m.id.clone()).collect()
    }

    /// The running tasks of one that drains, and when they were counted.
    pub(crate) fn tasks(&self, id: &InstanceId) -> Option<(Timestamp, u32)> {
        self.instances.get(id)?.tasks
    }

    /// What was last heard of an instance's state.
    pub(crate) fn status(&self, id: &InstanceId) -> Option<RunState> {
        self.instances.get(id)?.status
    }

    /// What is remembered of an instance of that site, seen at `at`; nothing yet, where it is new.
    pub(crate) fn instance(&mut self, site: &Site, id: &InstanceId, at: Timestamp) -> &mut Remembered {
        if !self.instances.contains(id) {
            self.instances.insert(id.clone(), Remembered::default());
            match self.by_site.get_mut(site) {
                Some(ids) => ids.push(id.clone()),
                None => drop(self.by_site.insert(site.clone(), vec![id.clone()])),
            }
        }
        let kept = self.instances.get_mut(id).unwrap_or_else(|| unreachable!("it was put there if it was not"));
        kept.seen_at = kept.seen_at.max(at);
        kept
    }

    /// A member of this group was seen at `at`; returns its facts, where they are known.
    pub(crate) fn joins(&mut self, id: &InstanceId, group: &GroupKey, at: Timestamp) -> Option<Arc<InstanceFacts>> {
        let kept = self.instance(&group.site, id, at);
        if kept.group.is_none() {
            kept.group = Some(group.clone());
        }
        kept.facts.clone()
    }

    /// Forgets instances of a site that were not seen since `since`, but for those that `stays` names.
    pub(crate) fn forget_unseen(&mut self, site: &Site, since: Timestamp, stays: &BTreeSet<InstanceId>) {
        let Some(ids) = self.by_site.get_mut(site) else { return };
        let instances = &mut self.instances;
        ids.retain(|id| {
            let seen = instances.get(id).is_some_and(|kept| kept.seen_at >= since);
            let keep = seen || stays.contains(id);
            if !keep {
                instances.remove(id);
            }
            keep
        });
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
