//! From a shape to a world: sites, groups and the instances that run at the start.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use spothub_core::catalog::{Arch, Catalog, Virtualization};
use spothub_core::group::{MemberState, Process};
use spothub_core::id::{GroupKey, Region, Site, SubnetId, SwapId};
use spothub_core::time::{Span, Timestamp};

use super::arena::{Arena, Checks, Inst, Phase};
use super::group::{Evening, Group, Passing};
use super::life::Birth;
use super::{Event, SiteState, World};
use crate::bus::Bus;
use crate::exec::Exec;
use crate::market::{Market, capacity};
use crate::record::{By, GroupRef, Sink, What};
use crate::seed::{Seeds, mix, purpose};
use crate::shape::{GroupShape, Launched, MemberShape, Shape, SourceShape};

/// Zones that a group without any named gets.
const ZONES_DEFAULT: usize = 3;

impl World {
    /// Builds the organization at virtual time `exec.now()`, and writes its first records to `sinks`.
    #[must_use]
    pub fn new(shape: &Shape, seed: u64, exec: &Exec, sinks: Vec<Box<dyn Sink>>) -> Self {
        let seeds = Seeds(seed);
        let mut groups = shape.groups.clone();
        if let Some(mix) = &shape.mix {
            groups.extend(mix.expand(seeds, &shape.accounts));
        }
        let mut regions: BTreeSet<Region> = groups.iter().map(|g| g.site.region.clone()).collect();
        regions.extend(shape.accounts.iter().flat_map(|a| a.regions.iter().cloned()));
        let regions: Vec<Region> = regions.into_iter().collect();
        let market = Market::new(mix(seed ^ purpose("market")), shape.market.clone(), shape.start, &regions);
        let mut world = Self {
            exec: exec.clone(),
            seeds,
            catalog: Catalog::in_use(),
            market: Arc::new(market),
            bus: Arc::new(Bus::new(exec, seeds, shape.bus.clone())),
            start: shape.start,
            timing: shape.timing.clone(),
            faults: shape.faults.clone(),
            takings: shape.market.clone(),
            alarms: shape.alarms.clone(),
            rights: shape.rights.clone(),
            consistent_after: shape.api.consistent_after,
            accounts: shape.accounts.clone(),
            by_account: shape.accounts.iter().enumerate().map(|(n, a)| (a.id, n)).collect(),
            sites: Vec::new(),
            by_site: BTreeMap::new(),
            groups: Vec::with_capacity(groups.len()),
            instances: Arena::new(mix(seed ^ purpose("instances"))),
            pools: (0..capacity::BEATS).map(|_| BTreeMap::new()).collect(),
            drained: BTreeSet::new(),
            tokens: BTreeMap::new(),
            products: groups.iter().map(|g| g.product).collect(),
            chance: seeds.stream("world", ""),
            quiet: false,
            emit_prices: shape.emit_prices,
            sinks,
            held: None,
        };
        world.build_sites(&groups);
        for group in &groups {
            world.build_group(group, shape);
        }
        for beat in 0..u8::try_from(capacity::BEATS).unwrap_or(u8::MAX) {
            let first = Span(capacity::STEP + i64::from(beat) * (capacity::STEP / capacity::BEATS));
            exec.at(shape.start + first, Event::Capacity(beat));
        }
        world
    }

    fn build_sites(&mut self, groups: &[GroupShape]) {
        let mut sites: BTreeSet<Site> = groups.iter().map(|g| g.site.clone()).collect();
        for account in &self.accounts {
            sites.extend(account.regions.iter().map(|r| Site { account: account.id, region: r.clone() }));
        }
        for site in sites {
            let Some(&account) = self.by_account.get(&site.account) else { continue };
            let number = u32::try_from(self.sites.len()).unwrap_or(u32::MAX);
            let zones = self.letters(&site);
            self.by_site.insert(site.clone(), number);
            let (groups, ours) = (BTreeMap::new(), BTreeSet::new());
            self.sites.push(SiteState { site, account, groups, ours, zones, spot_vcpu: 0 });
        }
    }

    /// The account's own letters for a region's zones, and a subnet in each.
    fn letters(&self, site: &Site) -> BTreeMap<u16, (String, SubnetId)> {
        let mut zones: Vec<u16> = self.market.zones_of(&site.region).collect();
        let mut chance = self.seeds.stream("letters", site);
        if !zones.is_empty() {
            let by = chance.index(zones.len());
            zones.rotate_left(by);
        }
        let mut letters = BTreeMap::new();
        for (letter, zone) in ('a'..='z').zip(zones) {
            let subnet = format!("subnet-0{:016x}", chance.bits());
            let Ok(subnet) = subnet.parse() else { continue };
            letters.insert(zone, (format!("{}{letter}", site.region), subnet));
        }
        letters
    }

    pub(super) fn build_group(&mut self, shape: &GroupShape, all: &Shape) {
        let Some(&site) = self.by_site.get(&shape.site) else { return };
        let Ok(number) = u32::try_from(self.groups.len()) else { return };
        let group = self.group_of(shape, site, all);
        if group.zones.is_empty() {
            return;
        }
        self.sites[site as usize].groups.insert(shape.name.clone(), number);
        self.groups.push(group);
        match &shape.members {
            Some(members) => members.iter().for_each(|member| self.build_described(number, member)),
            None => (0..shape.desired + shape.standby).for_each(|index| self.build_member(shape, number, index)),
        }
        if let Some(orphans) = &shape.orphans {
            for index in 0..orphans.count {
                self.build_orphan(number, index, orphans.this_hub);
            }
        }
        self.tell_policy(number);
        self.tell(number, By::Owner);
        if shape.refresh_until.is_some() {
            self.after(self.timing.refresh, Event::Refresh(number));
        }
        self.next_owner_act(number);
        self.scale_soon(number);
    }

    fn group_of(&mut self, shape: &GroupShape, site: u32, all: &Shape) -> Group {
        let key = GroupKey { site: shape.site.clone(), name: shape.name.clone() };
        let kind = self.catalog.by_name(&shape.kind);
        let facts = kind.map(|kind| self.catalog.get(kind));
        let mut ids = self.seeds.stream("ids", &key);
        let account = shape.site.account;
        let target = |n| {
            let text = format!(
                "arn:aws:elasticloadbalancing:{}:{account}:targetgroup/{}-{n}/{:016x}",
                shape.site.region,
                shape.name,
                mix(n)
            );
            text.parse().ok()
        };
        let balancer = |n| format!("{:016x}-{n}", mix(purpose(shape.name.as_str()))).parse().ok();
        let template = format!("lt-0{:016x}", ids.bits());
        let virtualization = shape.image.virtualization.or_else(|| facts?.virtualization.first().copied());
        let virtualization = virtualization.unwrap_or(Virtualization::Hvm);
        Group {
            at: GroupRef { account, region: shape.site.region.clone(), group: shape.name.clone() },
            site,
            min: shape.min,
            max: shape.max,
            desired: shape.desired,
            owner_desired: shape.desired,
            owner_max: shape.max,
            zones: self.zones_of_group(shape),
            kind,
            product: shape.product,
            tags: shape.tags.clone(),
            suspended: shape.suspended.clone(),
            policy: shape.policy.clone(),
            members: Vec::new(),
            kind_name: shape.kind.clone(),
            source: shape.source,
            template: template.parse().expect("hexadecimal digits after lt-"),
            version: if shape.older > 0 { 2 } else { 1 },
            overrides: shape.overrides.iter().filter_map(|name| self.catalog.by_name(name)).collect(),
            image: shape.image.clone(),
            arch: shape.image.arch.or_else(|| facts?.arch.first().copied()).unwrap_or(Arch::X86_64),
            virtualization,
            target_groups: (0..u64::from(shape.target_groups)).filter_map(target).collect(),
            load_balancers: (0..u64::from(shape.classic_balancers)).filter_map(balancer).collect(),
            cluster: Self::cluster_of(shape),
            new_protected: shape.new_protected,
            grace: shape.health_check_grace,
            warmup: shape.default_warmup,
            warm_pool: shape.warm_pool,
            launch_hook: shape.launch_hook,
            terminate_hook: shape.terminate_hook,
            hook_name: shape.hook_name.clone(),
            stack_updating: shape.stack_updating,
            operator: shape.operator,
            cluster_placement: shape.cluster_placement,
            dedicated: shape.dedicated,
            reserved: shape.reserved,
            refresh_until: shape.refresh_until.map(|span| self.start + span),
            owner: shape.owner.clone().unwrap_or_else(|| all.owner.clone()),
            passing: Vec::<(Timestamp, Passing)>::new(),
            chance: self.seeds.stream("group", &key),
            owner_chance: self.seeds.stream("owner", &key),
            scale_due: false,
            uneven_since: None,
            evening: Evening::No,
            departures: VecDeque::new(),
            key,
        }
    }

    fn zones_of_group(&self, shape: &GroupShape) -> Vec<u16> {
        if !shape.zones.is_empty() {
            return shape.zones.iter().filter_map(|az| self.market.zone(az)).collect();
        }
        let kind = self.catalog.by_name(&shape.kind);
        let all: Vec<u16> = self.market.zones_of(&shape.site.region).collect();
        let offers = |&zone: &u16| kind.is_none_or(|kind| self.catalog.offered(self.market.az(zone), kind));
        let offered: Vec<u16> = all.iter().copied().filter(offers).collect();
        let zones = if offered.is_empty() { all } else { offered };
        zones.into_iter().take(ZONES_DEFAULT).collect()
    }

    fn build_member(&mut self, shape: &GroupShape, number: u32, index: u32) {
        let group = &self.groups[number as usize];
        let zone = group.zones[placed(&shape.spread, group.zones.len(), index)];
        let spot =
            group.kind.is_some() && index >= shape.desired.saturating_sub(shape.owner_spot) && index < shape.desired;
        let version = if index < shape.older { 1 } else { group.version };
        let kind = self.kind_in_turn(number, zone);
        let birth = Birth { zone, kind, spot, by: By::Autoscaling, version: Some(version), ..Birth::of(group, number) };
        let age = self.groups[number as usize].chance.between(Span::hours(1).0, shape.age.0.max(Span::hours(1).0));
        let state = if index >= shape.desired { MemberState::Standby } else { MemberState::InService };
        let standing = Standing { state, healthy: true, protected: index < shape.protected };
        self.place(number, &birth, Span(age), standing);
    }

    /// A member as it is described.
    fn build_described(&mut self, number: u32, member: &MemberShape) {
        let group = &self.groups[number as usize];
        let zone = self.market.zone(&member.az).filter(|zone| self.sites[group.site as usize].zones.contains_key(zone));
        let version = match member.launched {
            Launched::Current => Some(group.version),
            Launched::Earlier => Some(group.version.saturating_sub(1).max(1)),
            Launched::Untold => None,
        };
        let birth = Birth {
            zone: zone.unwrap_or(group.zones[0]),
            kind: member.kind,
            spot: member.spot && member.kind.is_some(),
            by: By::Autoscaling,
            version,
            ..Birth::of(group, number)
        };
        let state = if member.standby { MemberState::Standby } else { MemberState::InService };
        let standing = Standing { state, healthy: member.healthy, protected: member.protected };
        self.place(number, &birth, member.age, standing);
    }

    /// Puts an instance that has been running for `age` into its group.
    fn place(&mut self, number: u32, birth: &Birth, age: Span, standing: Standing) {
        let inst = self.bear(birth, Some(age));
        let (now, group) = (self.now(), &mut self.groups[number as usize]);
        group.members.push(inst);
        let Standing { state, healthy, protected } = standing;
        let registers = !group.suspended.contains(&Process::AddToLoadBalancer) && state != MemberState::Standby;
        let Some(instance) = self.instances.get_mut(inst) else { return };
        instance.phase = Phase::Running;
        instance.checks = Checks::Passed(now - Span::mins(30));
        instance.member = Some(super::Membered {
            group: number,
            state,
            healthy,
            protected,
            attached: false,
            registered: registers.then(|| now - Span::mins(30)),
        });
    }

    pub(super) fn build_orphan(&mut self, number: u32, index: u32, this_hub: bool) -> Option<Inst> {
        let group = &self.groups[number as usize];
        group.kind?;
        let zone = group.zones[index as usize % group.zones.len()];
        let swap = SwapId::from_number(mix(u64::from(number) << 32 | u64::from(index)), false);
        let tag = this_hub.then_some(swap);
        let birth = Birth { zone, spot: true, by: By::Owner, tag, ours: this_hub, ..Birth::of(group, number) };
        let inst = self.bear(&birth, Some(Span::hours(3)));
        let now = self.now();
        if let Some(instance) = self.instances.get_mut(inst) {
            instance.phase = Phase::Running;
            instance.checks = Checks::Passed(now - Span::mins(30));
        }
        Some(inst)
    }

    pub(crate) fn tell_policy(&mut self, number: u32) {
        let line = self.policy_line(number);
        self.emit(What::Policy(Box::new(line)));
    }

    pub(super) fn is_configuration(&self, number: u32) -> bool {
        self.groups[number as usize].source == SourceShape::Configuration
    }
}

/// What a group says of a member at the start.
#[derive(Clone, Copy)]
struct Standing {
    state: MemberState,
    healthy: bool,
    protected: bool,
}

/// The zone of the member with this index: by the spread while it lasts, else in turn.
fn placed(spread: &[u32], zones: usize, index: u32) -> usize {
    let mut left = index;
    for (zone, &count) in spread.iter().enumerate().take(zones) {
        if left < count {
            return zone;
        }
        left -= count;
    }
    index as usize % zones
}
