//! The Auto Scaling service by itself: keeps desired, replaces the unhealthy, evens zones, refreshes.

use std::cmp::Reverse;

use spothub_core::catalog::TypeId;
use spothub_core::group::{MemberState, Process};
use spothub_core::time::{Span, Timestamp};

use super::arena::{Inst, Phase};
use super::group::Evening;
use super::life::Birth;
use super::{Event, World};
use crate::market::Market;
use crate::record::{By, Ended};
use crate::shape::{Delay, SourceShape};

/// Zones are uneven when they differ by this many members.
const UNEVEN: u32 = 2;
/// When a group tries again after a launch that failed.
const RETRY: Delay = Delay::secs(30, 90);
/// Hours are billed as such by some images; the service still prefers members near the end of one.
const HOUR: i64 = 3_600_000;

impl World {
    /// The group will compare soon what it has and what it wants.
    pub(crate) fn scale_soon(&mut self, group: u32) {
        if !self.groups[group as usize].scale_due {
            self.groups[group as usize].scale_due = true;
            self.after(self.timing.react, Event::Scale(group));
        }
    }

    pub(super) fn on_scale(&mut self, number: u32) {
        self.groups[number as usize].scale_due = false;
        self.replace_unhealthy(number);
        let (alive, want) = (self.alive(number).count(), self.wanted(number));
        let group = &self.groups[number as usize];
        if alive < want && !group.is_suspended(Process::Launch) {
            let failed = (alive..want).filter(|_| !self.launch_member(number)).count();
            if failed < want - alive {
                self.tell(number, By::Autoscaling);
            }
            if failed > 0 {
                self.groups[number as usize].scale_due = true;
                self.after(RETRY, Event::Scale(number));
            }
        } else if alive > want && !group.is_suspended(Process::Terminate) {
            for _ in want..alive {
                let Some(victim) = self.scale_in_victim(number) else { break };
                self.take_out(victim, Ended::ScaleIn, By::Autoscaling, None);
            }
        }
    }

    fn wanted(&self, number: u32) -> usize {
        let group = &self.groups[number as usize];
        group.desired as usize + usize::from(group.evening != Evening::No)
    }

    fn replace_unhealthy(&mut self, number: u32) {
        let group = &self.groups[number as usize];
        if group.is_suspended(Process::ReplaceUnhealthy) || group.is_suspended(Process::Terminate) {
            return;
        }
        let sick: Vec<Inst> =
            self.alive(number).filter(|(_, i)| i.member.is_some_and(|m| !m.healthy)).map(|(inst, _)| inst).collect();
        for inst in sick {
            self.take_out(inst, Ended::Unhealthy, By::Autoscaling, None);
        }
    }

    /// Members that count, by zone, in the order of the group's zones.
    fn by_zone(&self, number: u32) -> Vec<u32> {
        let mut counts = vec![0; self.groups[number as usize].zones.len()];
        for (_, instance) in self.alive(number) {
            if let Some(at) = self.groups[number as usize].zones.iter().position(|&z| z == instance.zone) {
                counts[at] += 1;
            }
        }
        counts
    }

    /// Launches a member from the template into the emptiest zone; false where AWS has none to give.
    fn launch_member(&mut self, number: u32) -> bool {
        if !self.quiet && self.chance.chance(self.faults.launch_fails_ppm) {
            self.publish_failed_launch(number);
            return false;
        }
        let counts = self.by_zone(number);
        let emptiest = (0..counts.len()).min_by_key(|&z| counts[z]).unwrap_or(0);
        let group = &self.groups[number as usize];
        let zone = group.zones[emptiest];
        let spot = self.owner_wants_spot(number, zone);
        let kind = self.kind_in_turn(number, zone);
        let birth = Birth { zone, kind, spot, version: Some(group.version), ..Birth::of(group, number) };
        let inst = self.bear(&birth, None);
        self.join(inst, number, false);
        if self.groups[number as usize].evening == Evening::Launching {
            self.groups[number as usize].evening = Evening::Waiting(inst);
        }
        true
    }

    /// The type of the next launch: those that a mixed-instances policy names in turn, as far as the zone has them.
    pub(super) fn kind_in_turn(&self, number: u32, zone: u16) -> Option<TypeId> {
        let group = &self.groups[number as usize];
        let here = |kind: &TypeId| self.catalog.offered(self.market.az(zone), *kind);
        let named: Vec<TypeId> = group.overrides.iter().copied().filter(here).collect();
        let turn = group.members.len().checked_rem(named.len());
        turn.map_or(group.kind, |turn| named.get(turn).copied())
    }

    /// A mixed-instances policy keeps about half of the members on Spot, where the pool has room.
    fn owner_wants_spot(&self, number: u32, zone: u16) -> bool {
        let group = &self.groups[number as usize];
        let (SourceShape::Mixed, Some(kind)) = (group.source, group.kind) else { return false };
        let (mut spot, mut all) = (0, 0);
        for (_, instance) in self.alive(number) {
            all += 1;
            spot += u32::from(instance.spot);
        }
        let pool = Market::pool_at(zone, kind, group.product);
        spot * 2 < all && self.market.is_offered(pool) && self.capacity_left(pool) > 0
    }

    /// The default policy: the fullest zone, then the oldest template, then nearest to the end of an hour.
    /// Protected members are spared. Within a zone, a policy that buys on demand alone ends Spot first.
    fn scale_in_victim(&mut self, number: u32) -> Option<Inst> {
        let counts = self.by_zone(number);
        let now = self.now();
        let group = &self.groups[number as usize];
        let surplus = matches!(group.source, SourceShape::MixedOnDemand(_));
        let in_zone = |zone| group.zones.iter().position(|&z| z == zone).map_or(u32::MAX, |at| counts[at]);
        let order = |(_, i): &(Inst, &super::Instance)| {
            let used = now.since(i.launched).0.rem_euclid(HOUR);
            (in_zone(i.zone), surplus && i.spot, Reverse(i.version), used, i.id.clone())
        };
        self.alive(number).filter(|(_, i)| i.member.is_some_and(|m| !m.protected)).max_by_key(order).map(|(i, _)| i)
    }

    /// After each change: are the zones uneven now?
    pub(super) fn watch_zones(&mut self, number: u32) {
        let uneven = self.is_uneven(number);
        let now = self.now();
        let group = &mut self.groups[number as usize];
        match (uneven, group.uneven_since) {
            (true, None) => {
                group.uneven_since = Some(now);
                self.after(self.timing.rebalance, Event::Even(number));
            }
            (false, Some(_)) => group.uneven_since = None,
            _ => {}
        }
    }

    fn is_uneven(&self, number: u32) -> bool {
        let counts = self.by_zone(number);
        let (Some(&least), Some(&most)) = (counts.iter().min(), counts.iter().max()) else { return false };
        most - least >= UNEVEN
    }

    /// Launches first and ends a member of the fullest zone afterwards; may exceed max by a tenth.
    pub(super) fn on_even(&mut self, number: u32) {
        let Some(since) = self.groups[number as usize].uneven_since else { return };
        let now = self.now();
        if now.since(since) < self.timing.rebalance.low {
            // It was even in between: the wait begins anew.
            let at: Timestamp = since + self.timing.rebalance.high;
            self.exec.at(at, Event::Even(number));
            return;
        }
        self.after(self.timing.rebalance, Event::Even(number));
        let alive = u32::try_from(self.alive(number).count()).unwrap_or(u32::MAX);
        let group = &self.groups[number as usize];
        let busy = group.members.len() != alive as usize
            && self.members(group).any(|i| i.state() == Some(MemberState::Terminating));
        let pending = self.alive(number).any(|(_, i)| i.state() == Some(MemberState::Pending));
        let stopped = group.is_suspended(Process::AZRebalance) || group.is_suspended(Process::Launch);
        if busy || pending || stopped || group.evening != Evening::No || alive + 1 > group.max_while_evening() {
            return;
        }
        // Where every member of the fullest zone is protected, nothing can become even.
        let Some(victim) = self.scale_in_victim(number) else { return };
        let counts = self.by_zone(number);
        let fullest = counts.iter().copied().max().unwrap_or(0);
        let zone = self.instances.get(victim).map(|i| i.zone);
        let group = &mut self.groups[number as usize];
        let at = group.zones.iter().position(|&z| Some(z) == zone);
        if at.is_some_and(|at| counts[at] == fullest) {
            group.evening = Evening::Launching;
            if self.launch_member(number) {
                self.tell(number, By::Autoscaling);
            } else {
                self.groups[number as usize].evening = Evening::No;
            }
        }
    }

    /// An instance refresh replaces the next member that does not run the template's current version.
    pub(super) fn on_refresh(&mut self, number: u32) {
        let now = self.now();
        let group = &self.groups[number as usize];
        let version = group.version;
        let Some(_) = group.refresh_until else { return };
        let members = self.members(group).filter(|i| i.state() == Some(MemberState::InService));
        let old = members.filter(|i| i.version != Some(version)).map(|i| i.id.clone()).next();
        if !group.refreshes(now) {
            self.groups[number as usize].refresh_until = None;
            self.publish_refresh(number, "Cancelled");
            return;
        }
        // One that was built active without anything to replace lasts until its time.
        let pending = self.alive(number).any(|(_, i)| i.phase == Phase::Pending);
        if let (Some(id), false) = (old, pending)
            && let Some(inst) = self.find(&id)
        {
            self.take_out(inst, Ended::ScaleIn, By::Autoscaling, Some(false));
            self.scale_soon(number);
        }
        self.after(self.timing.refresh, Event::Refresh(number));
    }

    /// Begins an instance refresh that lasts at most so long.
    pub(crate) fn begin_refresh(&mut self, number: u32, length: Span) {
        let now = self.now();
        let group = &mut self.groups[number as usize];
        if !group.refreshes(now) {
            group.refresh_until = Some(now + length);
            self.publish_refresh(number, "Started");
            self.after(self.timing.refresh, Event::Refresh(number));
        }
    }
}
