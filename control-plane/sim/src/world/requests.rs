//! What the engine's changing calls do once they arrive, and why AWS refuses them.

use std::collections::BTreeSet;

use spothub_core::catalog::TypeId;
use spothub_core::fault::{Conflict, Fault};
use spothub_core::group::{Lifecycle, MemberState, Process, Source};
use spothub_core::id::{AzId, GroupKey, InstanceId, Site, SwapId};
use spothub_core::money::UsdPerHour;
use spothub_core::port::{Decrement, Launch, Launched, Route};

use super::World;
use super::arena::{Inst, Phase};
use super::life::Birth;
use crate::market::{Market, PoolId};
use crate::record::{By, Ended};

/// What a client token stands for.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    contents: String,
    launched: Launched,
}

impl World {
    /// CreateFleet (instant) or RunInstances of one instance.
    pub(crate) fn request_launch(&mut self, launch: &Launch<'_>) -> Result<Launched, Fault> {
        let number = self.group_number(launch.group).ok_or(Fault::Gone)?;
        let site = self.groups[number as usize].site;
        let contents = contents(launch);
        if let Some(fleet) = self.tokens.get(&(site, launch.token.to_owned())) {
            let same = fleet.contents == contents;
            return if same { Ok(fleet.launched.clone()) } else { Err(Fault::Invalid("IdempotentParameterMismatch")) };
        }
        let zone = self.check_launch(number, launch)?;
        let spot = launch.lifecycle == Lifecycle::Spot;
        if !spot && !self.rights.on_demand_fallback {
            return Err(Fault::Denied("ec2:RunInstances"));
        }
        let (kind, refused) = if spot {
            self.choose(number, zone, launch)?
        } else {
            (self.prioritized(number, zone, launch)?, Vec::new())
        };
        let birth = Birth {
            zone,
            kind: Some(kind),
            product: launch.product,
            spot,
            by: By::Spothub,
            tag: Some(launch.swap.clone()),
            ours: true,
            dedicated: false,
            reserved: false,
            replaces: Some((launch.replaces.clone(), self.counted(number, zone, launch.replaces))),
            ..Birth::of(&self.groups[number as usize], number)
        };
        let inst = self.bear(&birth, None);
        let id = self.instances.get(inst).map(|i| i.id.clone()).ok_or(Fault::Broken)?;
        let launched = Launched { id, kind, refused };
        self.tokens.insert((site, launch.token.to_owned()), Fleet { contents, launched: launched.clone() });
        Ok(launched)
    }

    fn check_launch(&self, number: u32, launch: &Launch<'_>) -> Result<u16, Fault> {
        let group = &self.groups[number as usize];
        if launch.token.len() > 64 || !launch.token.is_ascii() || launch.token.is_empty() {
            return Err(Fault::Invalid("a client token has 1 to 64 ASCII characters"));
        }
        let pools = launch.pools.len();
        if pools == 0 || (launch.route == Route::Run && pools != 1) {
            return Err(Fault::Invalid("RunInstances takes one type, CreateFleet at least one"));
        }
        match launch.source {
            Source::Template { id, version: Some(version) }
                if *id == group.template && (1..=u64::from(group.version)).contains(version) => {}
            Source::Configuration(name) if self.is_configuration(number) && launch.route == Route::Run => {
                if !self.is_configuration_of(number, name) {
                    return Err(Fault::Invalid("the launch configuration does not exist"));
                }
            }
            Source::Template { .. } | Source::Configuration(_) | Source::Mixed => {
                return Err(Fault::Invalid("the launch template or its version does not exist"));
            }
        }
        let zone = self.market.zone(launch.az).ok_or(Fault::Invalid("the zone does not exist"))?;
        let subnet = self.sites[group.site as usize].zones.get(&zone).map(|z| &z.1);
        if subnet != Some(launch.subnet) {
            return Err(Fault::Invalid("the subnet is not in that zone"));
        }
        if launch.product != group.product {
            return Err(Fault::Invalid("the image is of another product"));
        }
        if group.image.not_on_spot && launch.lifecycle == Lifecycle::Spot {
            return Err(Fault::Invalid("the template asks for what Spot cannot honor"));
        }
        Ok(zone)
    }

    /// Price-capacity-optimized: the price, with a malus for pools that are nearly full.
    fn choose(&self, number: u32, zone: u16, launch: &Launch<'_>) -> Result<(TypeId, Vec<TypeId>), Fault> {
        let group = &self.groups[number as usize];
        let mut refused = Vec::new();
        let mut best: Option<(i64, TypeId)> = None;
        for wanted in launch.pools {
            let pool = Market::pool_at(zone, wanted.kind, launch.product);
            if !self.catalog.get(wanted.kind).arch.contains(&group.arch) {
                return Err(Fault::Invalid("the image is for another architecture"));
            }
            match self.offer(pool, launch.max_price) {
                Some(price) => {
                    let room = i64::from(self.capacity_left(pool).max(1));
                    let score = price.0 + price.0 / room;
                    if best.is_none_or(|b| (score, wanted.kind) < b) {
                        best = Some((score, wanted.kind));
                    }
                }
                None => refused.push(wanted.kind),
            }
        }
        let Some((_, kind)) = best else {
            return Err(Fault::NoCapacity(refused.into_iter().map(|k| (AzId::clone(launch.az), k)).collect()));
        };
        let site = &self.sites[group.site as usize];
        let quota = self.accounts[site.account].spot_vcpu_quota;
        if quota.is_some_and(|quota| site.spot_vcpu + self.catalog.get(kind).vcpu > quota) {
            return Err(Fault::Quota);
        }
        Ok((kind, refused))
    }

    /// On demand, the first of the types that the zone offers.
    fn prioritized(&mut self, number: u32, zone: u16, launch: &Launch<'_>) -> Result<TypeId, Fault> {
        if !self.quiet && self.chance.chance(self.faults.launch_fails_ppm) {
            let all = launch.pools.iter().map(|pool| (AzId::clone(launch.az), pool.kind));
            return Err(Fault::NoCapacity(all.collect()));
        }
        let arch = self.groups[number as usize].arch;
        for wanted in launch.pools {
            if !self.catalog.get(wanted.kind).arch.contains(&arch) {
                return Err(Fault::Invalid("the image is for another architecture"));
            }
            if self.market.on_demand(Market::pool_at(zone, wanted.kind, launch.product)).is_some() {
                return Ok(wanted.kind);
            }
        }
        Err(Fault::Invalid("no type is sold there"))
    }

    /// The price at which the pool gives an instance now.
    fn offer(&self, pool: PoolId, max_price: UsdPerHour) -> Option<UsdPerHour> {
        let price = self.market.price_at(pool, self.now())?;
        (price <= max_price && self.capacity_left(pool) > 0).then_some(price)
    }

    /// The on-demand price that savings count for what stands in for `replaced`.
    fn counted(&self, number: u32, zone: u16, replaced: &InstanceId) -> UsdPerHour {
        let known = self.find(replaced).and_then(|inst| self.instances.get(inst)).map(|i| i.counted);
        let group = &self.groups[number as usize];
        known.unwrap_or_else(|| self.on_demand_price(zone, group.kind, group.product))
    }

    /// TerminateInstances of one instance.
    pub(crate) fn request_terminate(&mut self, site: &Site, id: &InstanceId, orphan: bool) -> Result<(), Fault> {
        let inst = self.seen(site, id).ok_or(Fault::Gone)?;
        self.shut_down(inst, if orphan { Ended::Orphan } else { Ended::Undone });
        Ok(())
    }

    /// UpdateAutoScalingGroup with MaxSize alone.
    pub(crate) fn request_max(&mut self, key: &GroupKey, max: u32) -> Result<(), Fault> {
        let number = self.group_number(key).ok_or(Fault::Gone)?;
        let group = &mut self.groups[number as usize];
        if max < group.min {
            return Err(Fault::Invalid("MaxSize lies below MinSize"));
        }
        group.max = max;
        group.desired = group.desired.min(max);
        self.tell(number, By::Spothub);
        self.scale_soon(number);
        Ok(())
    }

    /// AttachInstances of one instance.
    pub(crate) fn request_attach(&mut self, key: &GroupKey, id: &InstanceId) -> Result<(), Fault> {
        let number = self.group_number(key).ok_or(Fault::Gone)?;
        let group = &self.groups[number as usize];
        let wrong = || Fault::Conflict(Conflict::InstanceState(id.clone()));
        let inst = self.find(id).ok_or_else(wrong)?;
        let instance = self.instances.get(inst).ok_or_else(wrong)?;
        if instance.site != group.site || instance.member.is_some() || instance.phase != Phase::Running {
            return Err(wrong());
        }
        if group.is_suspended(Process::Launch) {
            return Err(Fault::Conflict(Conflict::LaunchSuspended));
        }
        if group.desired + 1 > group.max {
            return Err(Fault::Conflict(Conflict::AtMax));
        }
        if !group.zones.contains(&instance.zone) {
            return Err(Fault::Invalid("the instance is in none of the group's zones"));
        }
        self.groups[number as usize].desired += 1;
        self.join(inst, number, true);
        self.tell(number, By::Spothub);
        self.after(self.timing.attach, super::Event::InService(inst));
        Ok(())
    }

    /// TerminateInstanceInAutoScalingGroup.
    pub(crate) fn request_retire(
        &mut self,
        key: &GroupKey,
        id: &InstanceId,
        decrement: Decrement,
        swaps: &[SwapId],
    ) -> Result<(), Fault> {
        let number = self.group_number(key).ok_or(Fault::Gone)?;
        let inst = self.find(id).ok_or(Fault::Gone)?;
        let instance = self.instances.get(inst).ok_or(Fault::Gone)?;
        let member = instance.member.filter(|m| m.group == number).ok_or(Fault::Gone)?;
        if matches!(member.state, MemberState::Terminating | MemberState::Detaching) {
            return Err(Fault::Conflict(Conflict::InstanceState(id.clone())));
        }
        let newcomer = instance.by == By::Spothub && instance.swap.as_ref().is_some_and(|s| swaps.contains(s));
        let group = &mut self.groups[number as usize];
        if decrement == Decrement::Yes {
            if group.desired <= group.min {
                return Err(Fault::Conflict(Conflict::AtMin));
            }
            group.desired -= 1;
        }
        let why = if newcomer { Ended::Undone } else { Ended::Retired };
        self.take_out(inst, why, By::Spothub, Some(decrement == Decrement::Yes));
        self.scale_soon(number);
        Ok(())
    }

    /// An instance of a site that EC2's calls can already see.
    pub(crate) fn seen(&self, site: &Site, id: &InstanceId) -> Option<Inst> {
        let inst = self.find(id)?;
        let instance = self.instances.get(inst)?;
        let own = self.by_site.get(site) == Some(&instance.site);
        (own && instance.visible_from <= self.now()).then_some(inst)
    }

    /// Products that some group of the organization runs.
    pub(crate) fn products(&self) -> &BTreeSet<spothub_core::catalog::Product> {
        &self.products
    }
}

/// Everything in a launch that must be the same where its token is.
fn contents(launch: &Launch<'_>) -> String {
    let pools: Vec<u16> = launch.pools.iter().map(|p| p.kind.0).collect();
    format!(
        "{} {:?} {:?} {:?} {pools:?} {} {} {} {} {}",
        launch.group,
        launch.source,
        launch.route,
        launch.lifecycle,
        launch.az,
        launch.subnet,
        launch.max_price,
        launch.swap,
        launch.replaces
    )
}
