//! What the owners of groups do while the engine works: scale, deploy, suspend, protect, opt out, detach.
//!
//! Each group has a stream of its own, and one act of it is queued at a time.

use spothub_core::group::{MemberState, Process};
use spothub_core::time::Span;

use crate::record::{By, Ended};
use crate::shape::Delay;
use crate::world::{Event, Inst, Passing, TAG_ENABLED, World};

const MILLION: i64 = 1_000_000;
/// How long passing states last, as the shape's documentation says.
const SUSPENDED: Delay = Delay::mins(5, 40);
const PROTECTED: Delay = Delay::mins(10, 90);
const OPTED_OUT: Delay = Delay::mins(10, 60);
const STANDBY: Delay = Delay::mins(5, 30);
const REFRESH: Delay = Delay::mins(10, 30);
/// When it becomes quiet, what is left of them.
const QUIET: Delay = Delay::mins(1, 4);

#[derive(Clone, Copy, Debug)]
enum DoneBy {
    ScaleOut,
    ScaleIn,
    Deploy,
    Suspend,
    Protect,
    OptOut,
    Standby,
    Terminate,
    Resize,
    Detach,
    Failure,
}

impl World {
    fn rates(&self, group: u32) -> [(DoneBy, u32); 11] {
        let owner = &self.groups[group as usize].owner;
        [
            (DoneBy::ScaleOut, owner.scale_out_ppm),
            (DoneBy::ScaleIn, owner.scale_in_ppm),
            (DoneBy::Deploy, owner.deploy_ppm),
            (DoneBy::Suspend, owner.suspend_ppm),
            (DoneBy::Protect, owner.protect_ppm),
            (DoneBy::OptOut, owner.opt_out_ppm),
            (DoneBy::Standby, owner.standby_ppm),
            (DoneBy::Terminate, owner.terminate_ppm),
            (DoneBy::Resize, owner.resize_ppm),
            (DoneBy::Detach, owner.detach_ppm),
            (DoneBy::Failure, owner.failure_ppm),
        ]
    }

    pub(crate) fn next_owner_act(&mut self, group: u32) {
        let total: i64 = self.rates(group).iter().map(|r| i64::from(r.1)).sum();
        if total > 0 && !self.is_quiet() {
            let mean = Span(Span::hours(1).0 * MILLION / total);
            let wait = self.groups[group as usize].owner_chance.wait(mean);
            self.exec.at(self.now() + wait, Event::Owner(group));
        }
    }

    pub(crate) fn on_owner(&mut self, group: u32) {
        if self.is_quiet() {
            return;
        }
        let rates = self.rates(group);
        let chance = &mut self.groups[group as usize].owner_chance;
        if let Some(which) = chance.weighted(rates.iter().map(|r| u64::from(r.1))) {
            self.owner_does(group, rates[which].0);
        }
        self.next_owner_act(group);
    }

    fn owner_does(&mut self, group: u32, act: DoneBy) {
        match act {
            DoneBy::ScaleOut => self.owner_scales(group, 1),
            DoneBy::ScaleIn => self.owner_scales(group, -1),
            DoneBy::Deploy => self.owner_deploys(group),
            DoneBy::Suspend => self.owner_suspends(group),
            DoneBy::Protect => self.owner_protects(group),
            DoneBy::OptOut => self.owner_opts_out(group),
            DoneBy::Standby => self.owner_stands_by(group),
            DoneBy::Terminate => self.owner_terminates(group),
            DoneBy::Resize => self.owner_resizes(group),
            DoneBy::Detach => self.owner_detaches(group),
            DoneBy::Failure => {
                if let Some(inst) = self.any_member(group, |_| true) {
                    self.on_fail_now(inst);
                }
            }
        }
    }

    /// A member in service, drawn from the owner's stream.
    fn any_member(&mut self, group: u32, fits: impl Fn(&crate::world::Instance) -> bool) -> Option<Inst> {
        let fitting: Vec<Inst> = self
            .alive(group)
            .filter(|(_, i)| i.state() == Some(MemberState::InService) && i.lives() && fits(i))
            .map(|(inst, _)| inst)
            .collect();
        let chance = &mut self.groups[group as usize].owner_chance;
        (!fitting.is_empty()).then(|| fitting[chance.index(fitting.len())])
    }

    fn owner_span(&mut self, group: u32, delay: Delay) -> Span {
        Span(self.groups[group as usize].owner_chance.between(delay.low.0, delay.high.0))
    }

    fn passes(&mut self, group: u32, length: Delay, what: Passing) {
        let until = self.now() + self.owner_span(group, length);
        self.groups[group as usize].passing.push((until, what));
        self.exec.at(until, Event::Revert(group));
    }

    fn owner_scales(&mut self, group: u32, sign: i32) {
        let state = &mut self.groups[group as usize];
        let quarter = i64::from((state.desired / 4).max(1));
        let by = i32::try_from(state.owner_chance.between(1, quarter)).unwrap_or(1);
        if state.owner_moves(by * sign) {
            self.tell(group, By::Owner);
            self.scale_soon(group);
        }
    }

    fn owner_resizes(&mut self, group: u32) {
        let state = &mut self.groups[group as usize];
        let by = u32::try_from(state.owner_chance.between(1, 2)).unwrap_or(1);
        let (min, max) = (state.min, state.owner_max);
        match state.owner_chance.below(4) {
            0 => state.owner_resizes(Some((min + by).min(max)), None),
            1 => state.owner_resizes(Some(min.saturating_sub(by)), None),
            2 => state.owner_resizes(None, Some(max + by)),
            _ => state.owner_resizes(None, Some(max.saturating_sub(by).max(min).max(1))),
        }
        self.tell(group, By::Owner);
        self.scale_soon(group);
    }

    fn owner_deploys(&mut self, group: u32) {
        let refreshes = {
            let state = &mut self.groups[group as usize];
            state.version += 1;
            let permille = state.owner.refresh_permille;
            state.owner_chance.permille(permille)
        };
        self.tell(group, By::Owner);
        if refreshes && !self.groups[group as usize].is_suspended(Process::InstanceRefresh) {
            let length = self.owner_span(group, REFRESH);
            self.begin_refresh(group, length);
        }
    }

    fn owner_suspends(&mut self, group: u32) {
        let all = [
            Process::Launch,
            Process::Terminate,
            Process::AddToLoadBalancer,
            Process::AZRebalance,
            Process::HealthCheck,
            Process::ReplaceUnhealthy,
            Process::AlarmNotification,
        ];
        for _ in 0..2 {
            let state = &mut self.groups[group as usize];
            let process = all[state.owner_chance.index(all.len())];
            if state.suspended.insert(process) {
                self.passes(group, SUSPENDED, Passing::Suspended(process));
            }
        }
        self.tell(group, By::Owner);
    }

    fn owner_protects(&mut self, group: u32) {
        let unprotected = |i: &crate::world::Instance| i.member.is_some_and(|m| !m.protected);
        if let Some(inst) = self.any_member(group, unprotected) {
            self.protect(inst, true);
            self.passes(group, PROTECTED, Passing::Protected(inst));
        }
    }

    fn owner_opts_out(&mut self, group: u32) {
        let state = &mut self.groups[group as usize];
        if state.passing.iter().any(|(_, p)| matches!(p, Passing::OptedOut(_))) {
            return;
        }
        let before = state.tags.insert(TAG_ENABLED.to_owned(), "false".to_owned());
        self.passes(group, OPTED_OUT, Passing::OptedOut(before));
        self.tell_policy(group);
        self.tell(group, By::Owner);
    }

    /// Standby with decrement: the group does not replace the member meanwhile.
    fn owner_stands_by(&mut self, group: u32) {
        let state = &self.groups[group as usize];
        if state.desired <= state.min {
            return;
        }
        let Some(inst) = self.any_member(group, |_| true) else { return };
        let newcomer = self.is_newcomer(group, inst);
        self.groups[group as usize].owner_takes(newcomer);
        self.departs_by_request(group, inst, true);
        self.set_state(inst, MemberState::Standby);
        self.passes(group, STANDBY, Passing::Standby(inst));
        self.tell(group, By::Owner);
    }

    fn owner_terminates(&mut self, group: u32) {
        if let Some(inst) = self.any_member(group, |_| true) {
            self.shut_down(inst, Ended::Owner);
        }
    }

    /// Detaches an instance that the engine brought, with or without decrement.
    fn owner_detaches(&mut self, group: u32) {
        let ours = |i: &crate::world::Instance| i.by == By::Spothub;
        let Some(inst) = self.any_member(group, ours) else { return };
        let newcomer = self.is_newcomer(group, inst);
        let state = &mut self.groups[group as usize];
        let decrement = state.desired > state.min && state.owner_chance.permille(500);
        if decrement {
            state.owner_takes(newcomer);
        }
        self.departs_by_request(group, inst, decrement);
        self.detach(inst, By::Owner);
    }

    /// The activity that tells of a member that its owner took out of service.
    fn departs_by_request(&mut self, group: u32, inst: crate::world::Inst, by_request_with_decrement: bool) {
        let at = self.now();
        if let Some(instance) = self.instances.get(inst) {
            let departure = crate::world::Departure { instance: instance.id.clone(), at, by_request_with_decrement };
            self.groups[group as usize].departed(departure);
        }
    }

    /// The last member that the engine attached.
    pub(crate) fn is_newcomer(&self, group: u32, inst: Inst) -> bool {
        let attached = |i: &&Inst| self.instances.get(**i).and_then(|i| i.member).is_some_and(|m| m.attached);
        self.groups[group as usize].members.iter().rev().find(attached) == Some(&inst)
    }

    /// What was brought about for a while, and whose time has come, ends.
    pub(crate) fn on_revert(&mut self, group: u32) {
        let now = self.now();
        let passing = std::mem::take(&mut self.groups[group as usize].passing);
        let (over, lasting): (Vec<_>, Vec<_>) = passing.into_iter().partition(|(until, _)| *until <= now);
        self.groups[group as usize].passing = lasting;
        for (_, what) in over {
            self.revert(group, what);
        }
    }

    fn revert(&mut self, group: u32, what: Passing) {
        match what {
            Passing::Suspended(process) => {
                self.groups[group as usize].suspended.remove(&process);
                if process == Process::HealthCheck {
                    self.look_at_all(group);
                }
            }
            Passing::OptedOut(before) => {
                let tags = &mut self.groups[group as usize].tags;
                match before {
                    Some(value) => tags.insert(TAG_ENABLED.to_owned(), value),
                    None => tags.remove(TAG_ENABLED),
                };
                self.tell_policy(group);
            }
            Passing::Standby(inst) => self.owner_exits_standby(group, inst),
            Passing::Protected(inst) => self.protect(inst, false),
        }
        self.tell(group, By::Owner);
        self.scale_soon(group);
    }

    /// Leaving standby raises desired; beyond max it is refused, and tried again.
    fn owner_exits_standby(&mut self, group: u32, inst: Inst) {
        if self.instances.get(inst).is_none_or(|i| i.state() != Some(MemberState::Standby)) {
            return;
        }
        if self.groups[group as usize].owner_moves(1) {
            self.set_state(inst, MemberState::InService);
        } else {
            self.passes(group, Delay::mins(1, 2), Passing::Standby(inst));
        }
    }

    /// Faults and owners stop: what they brought about ends soon.
    pub(crate) fn quiet_owner(&mut self, group: u32) {
        let now = self.now();
        let soon = now + self.owner_span(group, QUIET);
        let state = &mut self.groups[group as usize];
        for (until, _) in &mut state.passing {
            *until = soon.min(*until);
        }
        if !state.passing.is_empty() {
            self.exec.at(soon, Event::Revert(group));
        }
        let state = &mut self.groups[group as usize];
        if state.refresh_until.is_some_and(|until| until > soon) && state.owner.deploy_ppm > 0 {
            state.refresh_until = Some(soon);
        }
    }
}
