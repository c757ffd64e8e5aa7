//! The simulated organization: accounts, groups, instances and what AWS does with them by itself.
//!
//! Knows everything that is true; knows nothing of the engine beyond the calls that arrive.

mod arena;
mod build;
mod containers;
mod group;
mod hand;
mod life;
mod notify;
mod policy;
mod pools;
mod requests;
mod scaling;
#[cfg(test)]
pub(crate) mod tests;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use spothub_core::catalog::{Catalog, Product, TypeId};
use spothub_core::commitment::Commitment;
use spothub_core::group::{Lifecycle, MemberState};
use spothub_core::id::{AccountId, GroupKey, InstanceId, OuPath, Region, Site, SubnetId};
use spothub_core::money::UsdPerHour;
use spothub_core::rights::Rights;
use spothub_core::time::{Span, Timestamp};

use crate::bus::Bus;
use crate::exec::{Exec, Handler, lock};
use crate::market::{Market, PoolId};
use crate::record::{By, MemberLine, Membership, Record, Sink, What};
use crate::seed::{Seeds, Stream};
use crate::shape::{AccountShape, AlarmShape, Delay, FaultShape, MarketShape, TimingShape};

pub use arena::{Arena, Checks, Inst, Instance, Membered, Phase};
pub use group::Group;
pub(crate) use group::{Departure, Passing};
pub(crate) use notify::uuid;
pub(crate) use policy::TAG_ENABLED;
pub(crate) use requests::Fleet;

use pools::PoolUse;

/// What the world does by itself, queued in the executor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// An instance starts to run.
    Running(Inst),
    /// Its status checks are decided.
    Checked(Inst),
    /// A member comes into service.
    InService(Inst),
    /// A member has left its target groups.
    Drained(Inst),
    /// An instance is terminated.
    Ended(Inst),
    /// EC2 forgets an instance.
    Forget(Inst),
    /// A group looks at a member's health.
    Health(Inst),
    /// A member begins to fail its checks.
    Fail(Inst),
    /// AWS recommends to replace a Spot instance.
    Recommend(Inst),
    /// AWS announces to take a Spot instance.
    Announce(Inst),
    /// AWS takes it.
    Take(Inst),
    /// A Spot instance is taken without any episode of its pool.
    Hazard(Inst),
    /// A group compares what it has and what it wants.
    Scale(u32),
    /// A group looks whether its zones are still uneven.
    Even(u32),
    /// An instance refresh replaces the next member, or ends.
    Refresh(u32),
    /// The owner of a group does something.
    Owner(u32),
    /// What an owner brought about for a while ends.
    Revert(u32),
    /// Capacity of a tenth of the pools steps.
    Capacity(u8),
    /// The price of a pool in use changes.
    Price(PoolId),
    /// Faults and owners stop.
    Quiet,
    /// A message reaches its queue.
    Deliver(u32),
    /// Received messages that were not deleted become visible again (0 urgent, 1 normal).
    Reappear(u8),
}

/// One account in one region.
pub(crate) struct SiteState {
    pub(crate) site: Site,
    pub(crate) account: usize,
    /// Groups by name.
    pub(crate) groups: BTreeMap<spothub_core::id::GroupName, u32>,
    /// Instances with this hub's tag that EC2 still knows.
    pub(crate) ours: BTreeSet<Inst>,
    /// The account's letters of the region's zones, and its subnets there.
    pub(crate) zones: BTreeMap<u16, (String, SubnetId)>,
    pub(crate) spot_vcpu: u32,
}

/// The organization.
pub struct World {
    pub(crate) exec: Exec,
    pub(crate) seeds: Seeds,
    pub(crate) catalog: &'static Catalog,
    pub(crate) market: Arc<Market>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) start: Timestamp,
    pub(crate) timing: TimingShape,
    pub(crate) faults: FaultShape,
    pub(crate) takings: MarketShape,
    pub(crate) alarms: Vec<AlarmShape>,
    pub(crate) rights: Rights,
    pub(crate) consistent_after: Span,
    pub(crate) accounts: Vec<AccountShape>,
    pub(crate) by_account: BTreeMap<AccountId, usize>,
    pub(crate) sites: Vec<SiteState>,
    pub(crate) by_site: BTreeMap<Site, u32>,
    pub(crate) groups: Vec<Group>,
    pub(crate) instances: Arena,
    pub(crate) pools: Vec<BTreeMap<PoolId, PoolUse>>,
    /// Pools that have nothing to give, whatever the market says.
    pub(crate) drained: BTreeSet<PoolId>,
    pub(crate) tokens: BTreeMap<(u32, String), Fleet>,
    pub(crate) products: BTreeSet<Product>,
    pub(crate) chance: Stream,
    pub(crate) quiet: bool,
    emit_prices: bool,
    sinks: Vec<Box<dyn Sink>>,
    held: Option<Vec<Record>>,
}

/// The world behind its lock, as everything else holds it.
pub struct SharedWorld(Mutex<World>);

impl SharedWorld {
    /// Shares a world and makes it take its events from the executor.
    #[must_use]
    pub fn new(world: World) -> Arc<Self> {
        let exec = world.exec.clone();
        let shared = Arc::new(Self(Mutex::new(world)));
        let handler: Arc<dyn Handler> = shared.clone();
        exec.set_handler(Arc::downgrade(&handler));
        shared
    }

    /// The world, until the guard is dropped. Never hold it over an await or a step.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        lock(&self.0)
    }
}

impl Handler for SharedWorld {
    fn handle(&self, _now: Timestamp, event: Event) {
        self.lock().on(event);
    }
}

impl World {
    /// Virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.exec.now()
    }

    /// Virtual time since the start.
    #[must_use]
    pub fn since_start(&self) -> Span {
        self.now().since(self.start)
    }

    /// Adds a sink; it gets records from now on.
    pub fn add_sink(&mut self, sink: Box<dyn Sink>) {
        self.sinks.push(sink);
    }

    /// Writes a record of now. The engine's notes come this way too, so that all records are in order of time.
    pub fn emit(&mut self, what: What) {
        if self.sinks.is_empty() {
            return;
        }
        let record = Record { t: self.since_start().0, what };
        match &mut self.held {
            Some(held) => held.push(record),
            None => self.give(&record),
        }
    }

    fn give(&mut self, record: &Record) {
        for sink in &mut self.sinks {
            sink.take(record);
        }
    }

    /// Keeps records back until [`World::release_records`]: a call's record stands before those of what it did, and
    /// says how it went.
    pub(crate) fn hold_records(&mut self) {
        self.held = Some(Vec::new());
    }

    /// Writes `first`, and then what was held back.
    pub(crate) fn release_records(&mut self, first: What) {
        let held = self.held.take().unwrap_or_default();
        self.emit(first);
        for record in held {
            self.give(&record);
        }
    }

    /// Writes the last record of a run.
    pub fn finish(&mut self) {
        self.emit(What::End);
    }

    /// From `at` on faults and owners stop, the market is calm, and what owners did for a while ends within four
    /// minutes, so that the run must converge.
    pub fn quiet_at(&mut self, at: Timestamp) {
        self.exec.at(at, Event::Quiet);
    }

    /// Whether it is quiet now.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The market.
    #[must_use]
    pub fn market(&self) -> &Arc<Market> {
        &self.market
    }

    /// The way of events to the hub.
    #[must_use]
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// The executor.
    #[must_use]
    pub fn exec(&self) -> &Exec {
        &self.exec
    }

    /// All groups.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The group of this name and place.
    #[must_use]
    pub fn group(&self, key: &GroupKey) -> Option<&Group> {
        self.group_number(key).map(|g| &self.groups[g as usize])
    }

    /// All instances that EC2 still knows.
    #[must_use]
    pub fn instances(&self) -> &Arena {
        &self.instances
    }

    /// The members of a group.
    pub fn members<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Instance> {
        group.members.iter().filter_map(|&m| self.instances.get(m))
    }

    /// The accounts.
    #[must_use]
    pub fn accounts(&self) -> &[AccountShape] {
        &self.accounts
    }

    /// An account commits itself from now on.
    pub fn buy(&mut self, commitment: Commitment) {
        if let Some(&account) = self.by_account.get(&commitment.account) {
            self.accounts[account].commitments.push(commitment);
        }
    }

    /// One account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&AccountShape> {
        self.by_account.get(&id).map(|&a| &self.accounts[a])
    }

    /// The organizational unit of an account.
    #[must_use]
    pub fn ou(&self, account: AccountId) -> Option<&OuPath> {
        self.account(account).map(|a| &a.ou)
    }

    /// Each account's regions, by number.
    #[must_use]
    pub fn sites(&self) -> Vec<Site> {
        self.sites.iter().map(|s| s.site.clone()).collect()
    }

    /// All regions with a site.
    #[must_use]
    pub fn regions(&self) -> BTreeSet<Region> {
        self.sites.iter().map(|s| s.site.region.clone()).collect()
    }

    /// The price that an instance costs now.
    #[must_use]
    pub fn price_in_force(&self, instance: &Instance) -> UsdPerHour {
        let own = instance.kind.map(|kind| Market::pool_at(instance.zone, kind, instance.product));
        let unknown = UsdPerHour(UNKNOWN_PRICE);
        let Some(pool) = own else { return unknown };
        let spot = if instance.spot { self.market.price_at(pool, self.now()) } else { None };
        spot.or_else(|| self.market.on_demand(pool)).unwrap_or(unknown)
    }

    /// The on-demand price at a place; that of an unknown type is made up.
    #[must_use]
    pub fn on_demand_price(&self, zone: u16, kind: Option<TypeId>, product: Product) -> UsdPerHour {
        let pool = kind.map(|kind| Market::pool_at(zone, kind, product));
        pool.and_then(|pool| self.market.on_demand(pool)).unwrap_or(UsdPerHour(UNKNOWN_PRICE))
    }

    /// The on-demand price that savings count for an instance.
    #[must_use]
    pub fn counted_for(&self, id: &InstanceId) -> Option<UsdPerHour> {
        self.find(id).and_then(|inst| self.instances.get(inst)).map(|i| i.counted)
    }

    pub(crate) fn group_number(&self, key: &GroupKey) -> Option<u32> {
        let site = self.by_site.get(&key.site)?;
        self.sites[*site as usize].groups.get(&key.name).copied()
    }

    pub(crate) fn find(&self, id: &InstanceId) -> Option<Inst> {
        self.instances.find(id)
    }

    pub(crate) fn delay(&mut self, delay: Delay) -> Span {
        Span(self.chance.between(delay.low.0, delay.high.0))
    }

    pub(crate) fn after(&mut self, delay: Delay, event: Event) {
        let at = self.now() + self.delay(delay);
        self.exec.at(at, event);
    }

    /// Members that count against desired.
    pub(crate) fn alive(&self, group: u32) -> impl Iterator<Item = (Inst, &Instance)> {
        self.groups[group as usize]
            .members
            .iter()
            .filter_map(|&m| Some((m, self.instances.get(m)?)))
            .filter(|(_, i)| matches!(i.state(), Some(MemberState::Pending | MemberState::InService)))
    }

    /// Writes a group's state.
    pub(crate) fn tell(&mut self, group: u32, by: By) {
        if !self.sinks.is_empty() {
            let membership = self.membership(group, by);
            self.emit(What::Membership(Box::new(membership)));
        }
        self.watch_zones(group);
    }

    fn membership(&self, number: u32, by: By) -> Membership {
        let group = &self.groups[number as usize];
        let mut members = Vec::with_capacity(group.members.len());
        let (mut spot, mut on_demand) = (0, 0);
        for instance in self.members(group) {
            let Some(member) = instance.member else { continue };
            let lifecycle = if instance.spot { Lifecycle::Spot } else { Lifecycle::OnDemand };
            if member.state == MemberState::InService && member.healthy {
                if instance.spot { spot += 1 } else { on_demand += 1 }
            }
            members.push(MemberLine {
                id: instance.id.clone(),
                state: state_name(member.state).to_owned(),
                lifecycle,
                protected: member.protected,
                healthy: member.healthy,
            });
        }
        Membership {
            group: group.at.clone(),
            min: group.min,
            max: group.max,
            desired: group.desired,
            owner_desired: group.owner_desired,
            owner_max: group.owner_max,
            in_service: spot + on_demand,
            spot,
            on_demand,
            suspended: group.suspended.iter().copied().collect(),
            tags: group.tags.clone(),
            target_groups: u32::try_from(group.target_groups.len()).unwrap_or(u32::MAX),
            by,
            members,
        }
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Running(i) => self.on_running(i),
            Event::Checked(i) => self.on_checked(i),
            Event::InService(i) => self.on_in_service(i),
            Event::Drained(i) => self.on_drained(i),
            Event::Ended(i) => self.on_ended(i),
            Event::Forget(i) => self.on_forget(i),
            Event::Health(i) => self.on_health(i),
            Event::Fail(i) => self.on_fail(i),
            Event::Recommend(i) => self.on_recommend(i),
            Event::Announce(i) => self.on_announce(i),
            Event::Take(i) => self.on_take(i),
            Event::Hazard(i) => self.on_hazard(i),
            Event::Scale(g) => self.on_scale(g),
            Event::Even(g) => self.on_even(g),
            Event::Refresh(g) => self.on_refresh(g),
            Event::Owner(g) => self.on_owner(g),
            Event::Revert(g) => self.on_revert(g),
            Event::Capacity(beat) => self.on_capacity(beat),
            Event::Price(pool) => self.on_price(pool),
            Event::Quiet => self.on_quiet(),
            Event::Deliver(message) => self.bus.deliver(message),
            Event::Reappear(lane) => self.bus.reappear(lane),
        }
    }

    fn on_quiet(&mut self) {
        if self.quiet {
            return;
        }
        self.quiet = true;
        self.market.quiet(self.now());
        self.bus.quiet();
        for group in 0..u32::try_from(self.groups.len()).unwrap_or(u32::MAX) {
            self.quiet_owner(group);
        }
    }
}

/// What a type costs that the catalogue does not know: 0.1 USD an hour.
const UNKNOWN_PRICE: i64 = 100_000;

/// A member state in AWS's spelling.
#[must_use]
pub fn state_name(state: MemberState) -> &'static str {
    match state {
        MemberState::Pending => "Pending",
        MemberState::InService => "InService",
        MemberState::Terminating => "Terminating",
        MemberState::Detaching => "Detaching",
        MemberState::Standby => "Standby",
        MemberState::Unknown => "Unknown",
    }
}
