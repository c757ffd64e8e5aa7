//! The life of an instance: launched, running, checked, in service, drained, ended, forgotten.

use std::sync::Arc;

use spothub_core::catalog::{Product, TypeId};
use spothub_core::group::{InstanceFacts, Lifecycle, MemberState, Process};
use spothub_core::id::{InstanceId, SwapId};
use spothub_core::money::UsdPerHour;
use spothub_core::time::Span;

use super::arena::{Checks, Inst, Instance, Membered, Phase};
use super::group::{Departure, Evening, Group};
use super::{Event, World};
use crate::record::{By, Ended, GroupRef, InstanceStart, What};
use crate::shape::Delay;

/// How an instance is launched.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no facts of an instance")]
#[derive(Clone, Debug)]
pub(crate) struct Birth {
    pub(crate) site: u32,
    pub(crate) group: u32,
    pub(crate) zone: u16,
    pub(crate) kind: Option<TypeId>,
    pub(crate) product: Product,
    pub(crate) spot: bool,
    pub(crate) by: By,
    pub(crate) version: Option<u32>,
    pub(crate) dedicated: bool,
    pub(crate) reserved: bool,
    /// The tag `spothub:swap`.
    pub(crate) tag: Option<SwapId>,
    pub(crate) ours: bool,
    /// What it replaces, and the on-demand price counted for that.
    pub(crate) replaces: Option<(InstanceId, UsdPerHour)>,
}

impl Birth {
    /// An on-demand member of a group, in its first zone.
    pub(crate) fn of(group: &Group, number: u32) -> Self {
        Self {
            site: group.site,
            group: number,
            zone: group.zones[0],
            kind: group.kind,
            product: group.product,
            spot: false,
            by: By::Autoscaling,
            version: None,
            dedicated: group.dedicated,
            reserved: group.reserved,
            tag: None,
            ours: false,
            replaces: None,
        }
    }
}

impl World {
    /// Launches an instance; one with an age runs already, and nothing more is queued for it.
    pub(crate) fn bear(&mut self, birth: &Birth, age: Option<Span>) -> Inst {
        let now = self.now();
        let site = &self.sites[birth.site as usize];
        let subnet = site.zones[&birth.zone].1.clone();
        let facts = Arc::new(InstanceFacts {
            lifecycle: if birth.spot { Lifecycle::Spot } else { Lifecycle::OnDemand },
            subnet,
            launched_at: now - age.unwrap_or(Span::ZERO),
            swap: birth.tag.clone(),
            dedicated: birth.dedicated,
            reserved: birth.reserved,
        });
        let own_price = self.on_demand_price(birth.zone, birth.kind, birth.product);
        let calm = self.quiet || age.is_some();
        let blind =
            if age.is_some() { Span::ZERO } else { self.delay(Delay { low: Span::ZERO, high: self.consistent_after }) };
        let instance = Instance {
            id: self.instances.next_id(),
            site: birth.site,
            group: birth.group,
            zone: birth.zone,
            kind: birth.kind,
            product: birth.product,
            spot: birth.spot,
            by: birth.by,
            phase: Phase::Pending,
            checks: Checks::Open,
            dud: self.unfit(birth) || (!calm && self.chance.chance(self.faults.dud_ppm)),
            stillborn: !calm && birth.by == By::Spothub && self.chance.chance(self.faults.stillborn_ppm),
            visible_from: now + blind,
            launched: now - age.unwrap_or(Span::ZERO),
            ended: None,
            member: None,
            version: birth.version,
            facts,
            register: self.delay(self.timing.register),
            doomed: false,
            noticed: None,
            swap: birth.tag.clone(),
            counted: birth.replaces.as_ref().map_or(own_price, |r| r.1),
            ours: birth.ours,
            why: None,
            container: None,
        };
        let inst = self.instances.insert(instance);
        if birth.ours {
            self.sites[birth.site as usize].ours.insert(inst);
        }
        self.tell_birth(inst, birth);
        if birth.spot {
            self.enter_pool(inst);
        }
        if age.is_none() {
            self.boot(inst, birth.product);
        } else {
            self.register(inst, true);
        }
        inst
    }

    /// A type without the disks or GPUs that the group's own type has: the application on it never works.
    fn unfit(&self, birth: &Birth) -> bool {
        let own = self.groups.get(birth.group as usize).and_then(|g| g.kind);
        let (Some(own), Some(kind)) = (own, birth.kind) else { return false };
        let (own, new) = (self.catalog.get(own), self.catalog.get(kind));
        (own.instance_storage.is_some() && new.instance_storage.is_none())
            || (!own.gpus.is_empty() && new.gpus.is_empty())
    }

    fn boot(&mut self, inst: Inst, product: Product) {
        let (running, checked) = match product {
            Product::Windows => (self.timing.windows_running, self.timing.windows_checked),
            Product::Linux | Product::Rhel | Product::Suse => (self.timing.linux_running, self.timing.linux_checked),
        };
        let (now, running, checked) = (self.now(), self.delay(running), self.delay(checked));
        self.exec.at(now + running, Event::Running(inst));
        self.exec.at(now + checked.max(running), Event::Checked(inst));
    }

    fn tell_birth(&mut self, inst: Inst, birth: &Birth) {
        let Some(instance) = self.instances.get(inst) else { return };
        let kind = match birth.kind {
            Some(kind) => self.catalog.get(kind).name.to_string(),
            None => self.groups[birth.group as usize].kind_name.clone(),
        };
        let site = &self.sites[birth.site as usize].site;
        let group = self.groups[birth.group as usize].at.group.clone();
        let start = InstanceStart {
            group: GroupRef { account: site.account, region: site.region.clone(), group },
            az_id: self.market.az(birth.zone).clone(),
            instance_id: instance.id.clone(),
            kind,
            os: if birth.product == Product::Windows { "Windows" } else { "Linux" }.to_owned(),
            lifecycle: instance.facts.lifecycle,
            usd_per_hour: self.price_in_force(instance),
            by: birth.by,
            swap: if birth.by == By::Spothub { birth.tag.clone() } else { None },
            replaces: birth.replaces.as_ref().map(|r| r.0.clone()),
            replaces_usd_per_hour: birth.replaces.as_ref().map(|r| r.1),
        };
        self.emit(What::InstanceStart(Box::new(start)));
    }

    pub(super) fn on_running(&mut self, inst: Inst) {
        let Some(instance) = self.instances.get_mut(inst) else { return };
        if instance.phase != Phase::Pending {
            return;
        }
        if instance.stillborn {
            instance.why = Some(Ended::Interrupted);
            self.end(inst);
            return;
        }
        instance.phase = Phase::Running;
        let (site, id, member, group) = (instance.site, instance.id.clone(), instance.member, instance.group);
        self.publish_state(site, &id, "running");
        self.register(inst, false);
        if member.is_some_and(|m| m.state == MemberState::Pending) {
            let hook = self.groups[group as usize].launch_hook;
            let wait = self.delay(self.timing.in_service);
            let held = if hook { self.delay(self.timing.hook) } else { Span::ZERO };
            self.exec.at(self.now() + wait + held, Event::InService(inst));
        }
    }

    pub(super) fn on_checked(&mut self, inst: Inst) {
        let now = self.now();
        let Some(instance) = self.instances.get_mut(inst) else { return };
        if instance.phase == Phase::Running && instance.checks == Checks::Open {
            instance.checks = if instance.dud { Checks::Failed } else { Checks::Passed(now) };
        }
    }

    pub(super) fn on_in_service(&mut self, inst: Inst) {
        let now = self.now();
        let Some(instance) = self.instances.get_mut(inst) else { return };
        let lives = instance.lives();
        let Some(member) = &mut instance.member else { return };
        if member.state != MemberState::Pending || !lives {
            return;
        }
        let (group, dud, attached) = (member.group, instance.dud, member.attached);
        let registers = !self.groups[group as usize].is_suspended(Process::AddToLoadBalancer);
        (member.state, member.registered) = (MemberState::InService, registers.then_some(now));
        if self.groups[group as usize].evening == Evening::Waiting(inst) {
            self.groups[group as usize].evening = Evening::No;
            self.scale_soon(group);
        }
        if dud {
            let grace = self.groups[group as usize].grace;
            self.exec.at(now + grace + Span::secs(30), Event::Fail(inst));
        }
        self.tell(group, By::Autoscaling);
        if !attached {
            self.publish_launch(inst);
        }
    }

    /// A member of a group is taken out of service and ended, as the group does it.
    pub(crate) fn take_out(&mut self, inst: Inst, why: Ended, by: By, request: Option<bool>) {
        let now = self.now();
        let Some(instance) = self.instances.get_mut(inst) else { return };
        let Some(member) = &mut instance.member else { return };
        if member.state == MemberState::Terminating {
            return;
        }
        let (group, was_registered) = (member.group, member.registered.is_some());
        (member.state, member.registered) = (MemberState::Terminating, None);
        let over = instance.phase >= Phase::Ending;
        if !over {
            instance.why = Some(why);
        }
        let departure =
            Departure { instance: instance.id.clone(), at: now, by_request_with_decrement: request == Some(true) };
        self.groups[group as usize].departed(departure);
        if self.groups[group as usize].evening == Evening::Waiting(inst) {
            self.groups[group as usize].evening = Evening::No;
        }
        let served = &self.groups[group as usize];
        let balanced = !served.target_groups.is_empty() || !served.load_balancers.is_empty();
        let drains = was_registered && !over && balanced;
        let drain = if drains { self.delay(self.timing.drain) } else { Span::ZERO };
        let hook = !over && self.groups[group as usize].terminate_hook;
        let held = if hook { self.delay(self.timing.hook) } else { Span::ZERO };
        self.exec.at(now + drain + held, Event::Drained(inst));
        if !over {
            self.leaves_cluster(inst, why);
        }
        self.tell(group, by);
    }

    pub(super) fn on_drained(&mut self, inst: Inst) {
        let Some(instance) = self.instances.get_mut(inst) else { return };
        if instance.phase < Phase::Ending {
            instance.phase = Phase::Ending;
            self.after(self.timing.shutdown, Event::Ended(inst));
        } else if instance.phase == Phase::Ended {
            self.leave_group(inst);
        }
    }

    /// Ends an instance that no group is to be asked about: EC2 shuts it down.
    pub(crate) fn shut_down(&mut self, inst: Inst, why: Ended) {
        let Some(instance) = self.instances.get_mut(inst) else { return };
        if instance.lives() {
            instance.phase = Phase::Ending;
            instance.why = Some(why);
            self.after(self.timing.shutdown, Event::Ended(inst));
        }
    }

    pub(super) fn on_ended(&mut self, inst: Inst) {
        self.end(inst);
    }

    /// The instance is terminated, and costs nothing from now on.
    pub(super) fn end(&mut self, inst: Inst) {
        let now = self.now();
        let Some(instance) = self.instances.get_mut(inst) else { return };
        if instance.phase == Phase::Ended {
            return;
        }
        instance.phase = Phase::Ended;
        instance.ended = Some(now);
        let why = instance.why.unwrap_or(Ended::Owner);
        let (id, site, spot, member) = (instance.id.clone(), instance.site, instance.spot, instance.member);
        if spot {
            self.leave_pool(inst);
        }
        self.emit(What::InstanceEnd { instance_id: id.clone(), why });
        self.publish_state(site, &id, "terminated");
        match member {
            Some(member) if member.state == MemberState::Terminating => self.leave_group(inst),
            // Nobody asked the group: it finds out by itself.
            Some(_) => self.after(self.timing.notice, Event::Health(inst)),
            None => {}
        }
        self.exec.at(now + self.timing.remember, Event::Forget(inst));
    }

    /// The group strikes an ended member off its list.
    fn leave_group(&mut self, inst: Inst) {
        let Some(instance) = self.instances.get_mut(inst) else { return };
        let Some(member) = instance.member.take() else { return };
        self.groups[member.group as usize].members.retain(|&m| m != inst);
        self.tell(member.group, By::Autoscaling);
        self.publish_terminate(member.group, inst);
        self.scale_soon(member.group);
    }

    /// A member leaves its group and runs on.
    pub(crate) fn detach(&mut self, inst: Inst, by: By) {
        let Some(instance) = self.instances.get_mut(inst) else { return };
        let Some(member) = instance.member.take() else { return };
        self.groups[member.group as usize].members.retain(|&m| m != inst);
        self.tell(member.group, by);
        self.scale_soon(member.group);
    }

    /// An instance joins a group.
    pub(crate) fn join(&mut self, inst: Inst, group: u32, attached: bool) {
        let protected = self.groups[group as usize].new_protected;
        let Some(instance) = self.instances.get_mut(inst) else { return };
        let state = MemberState::Pending;
        instance.member = Some(Membered { group, state, healthy: true, protected, attached, registered: None });
        self.groups[group as usize].members.push(inst);
    }

    pub(super) fn on_forget(&mut self, inst: Inst) {
        // A group whose health checks are suspended still lists it: look again in an hour.
        if self.instances.get(inst).is_some_and(|i| i.member.is_some()) {
            self.exec.at(self.now() + self.timing.remember, Event::Forget(inst));
            return;
        }
        if let Some(instance) = self.instances.remove(inst)
            && instance.ours
        {
            self.sites[instance.site as usize].ours.remove(&inst);
        }
    }

    /// A group looks at a member: one that ended or fails is called unhealthy, and replaced.
    pub(super) fn on_health(&mut self, inst: Inst) {
        let Some(instance) = self.instances.get_mut(inst) else { return };
        let Some(member) = &mut instance.member else { return };
        let group = member.group;
        if self.groups[group as usize].is_suspended(Process::HealthCheck) || member.state == MemberState::Terminating {
            return;
        }
        let over = instance.phase >= Phase::Ending;
        if !over && !matches!(instance.checks, Checks::Failed) {
            return;
        }
        if member.healthy {
            member.healthy = false;
            self.tell(group, By::Autoscaling);
        }
        self.scale_soon(group);
    }

    /// A member begins to fail its checks.
    pub(super) fn on_fail(&mut self, inst: Inst) {
        let Some(instance) = self.instances.get_mut(inst) else { return };
        if instance.lives() && instance.state() == Some(MemberState::InService) {
            (instance.dud, instance.checks) = (true, Checks::Failed);
            self.after(self.timing.notice, Event::Health(inst));
        }
    }
}

impl World {
    /// A member begins to fail now, as its owner's software does.
    pub(crate) fn on_fail_now(&mut self, inst: Inst) {
        self.on_fail(inst);
    }

    /// Sets or lifts protection from scale-in.
    pub(crate) fn protect(&mut self, inst: Inst, protected: bool) {
        let Some(member) = self.instances.get_mut(inst).and_then(|i| i.member.as_mut()) else { return };
        member.protected = protected;
        let group = member.group;
        self.tell(group, By::Owner);
    }

    /// Moves a member into or out of standby; its registration goes along.
    pub(crate) fn set_state(&mut self, inst: Inst, state: MemberState) {
        let now = self.now();
        let Some(member) = self.instances.get_mut(inst).and_then(|i| i.member.as_mut()) else { return };
        member.state = state;
        let registers = state == MemberState::InService
            && !self.groups[member.group as usize].is_suspended(Process::AddToLoadBalancer);
        member.registered = registers.then_some(now);
        if state == MemberState::InService {
            // Nobody looked at its health meanwhile.
            self.after(self.timing.notice, Event::Health(inst));
        }
    }

    /// Health checks were suspended and are not any more: every member is looked at.
    pub(crate) fn look_at_all(&mut self, group: u32) {
        for inst in self.groups[group as usize].members.clone() {
            self.after(self.timing.notice, Event::Health(inst));
        }
    }
}
