//! The steadiness judge: what users would notice while instances come and go.
//!
//! Knows records only. Capacity that was wanted and not there, changes between Spot and on demand, launches that were
//! refused, and newcomers that AWS took back at once: each for groups that policy enables, and while it does.

use std::collections::{BTreeSet, VecDeque};

use spothub_core::group::{Lifecycle, Process};
use spothub_core::id::InstanceId;
use spothub_core::lookup::Lookup;
use spothub_core::time::Span;

use crate::record::{By, Call, Ended, GroupRef, InstanceStart, Membership, Outcome, Record, Sink, What};

/// Refused launches of a group are counted over so long.
pub const WINDOW: Span = Span::mins(10);
/// Before, nothing is known of any pool: refusals are how it is learned.
pub const LEARNING: Span = Span::hours(1);
/// A newcomer that AWS takes back sooner was a bad choice, or bad luck.
pub const EARLY: Span = Span::hours(1);

/// Capacity of all groups of one platform.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Capacity {
    /// Instance-time that owners wanted.
    pub wanted: Span,
    /// Of this, instance-time that was not in service.
    pub missing: Span,
}

impl Capacity {
    /// Millionths of what was wanted that were missing; none where nothing was wanted.
    #[must_use]
    pub fn missing_ppm(&self) -> i64 {
        let ppm = i128::from(self.missing.0) * 1_000_000 / i128::from(self.wanted.0.max(1));
        i64::try_from(ppm).unwrap_or(i64::MAX)
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Steadiness {
    /// Groups of everything but Windows.
    pub linux: Capacity,
    /// Groups of Windows, which boots for minutes.
    pub windows: Capacity,
    /// Instances that took the place of one bought otherwise.
    pub lifecycle_changes: u32,
    /// Launches of ours that were refused.
    pub launches_refused: u32,
    /// The most that one group met within [`WINDOW`], [`LEARNING`] apart.
    pub launches_refused_at_once: u32,
    /// Newcomers of ours that AWS took back within [`EARLY`].
    pub early_losses: u32,
}

impl Steadiness {
    /// Changes of lifecycle for each instance and day that was wanted, in hundredths.
    #[must_use]
    pub fn changes_per_day(&self) -> i64 {
        let wanted = self.linux.wanted + self.windows.wanted;
        if wanted.0 == 0 {
            return 0;
        }
        let changes = i128::from(self.lifecycle_changes) * i128::from(Span::hours(24).0) * 100;
        i64::try_from(changes / i128::from(wanted.0)).unwrap_or(i64::MAX)
    }
}

/// A group as it was last seen.
#[derive(Default)]
struct Group {
    enabled: bool,
    windows: bool,
    /// Its owner has suspended what would replace a member: nobody may.
    frozen: bool,
    wanted: u32,
    in_service: u32,
    since: i64,
    /// Spot members that were lost and that nothing has replaced yet.
    lost: u32,
    refused: VecDeque<i64>,
}

/// An instance that lives.
struct Life {
    group: usize,
    lifecycle: Lifecycle,
    since: i64,
    ours: bool,
}

/// Follows groups and members, and adds up.
#[derive(Default)]
pub struct Steady {
    groups: Vec<Group>,
    numbers: Lookup<GroupRef, usize>,
    lives: Lookup<InstanceId, Life>,
    /// Members for which a newcomer of ours was launched.
    replaced: BTreeSet<InstanceId>,
    sum: Steadiness,
}

impl Steady {
    /// The sum at virtual millisecond `t`, no earlier than the last record.
    #[must_use]
    pub fn close(&mut self, t: i64) -> Steadiness {
        for group in &mut self.groups {
            group.settle(t, &mut self.sum);
        }
        self.sum
    }

    fn number(&mut self, key: &GroupRef) -> usize {
        let next = self.groups.len();
        let number = *self.numbers.get_or_insert_with(key, || next);
        if number == next {
            self.groups.push(Group::default());
        }
        number
    }

    fn start(&mut self, t: i64, start: &InstanceStart) {
        let number = self.number(&start.group);
        let group = &mut self.groups[number];
        group.windows = start.os == "Windows";
        let changed = match (&start.replaces, start.by) {
            (Some(old), By::Spothub) => {
                self.replaced.insert(old.clone());
                self.lives.get(old).is_some_and(|old| old.lifecycle != start.lifecycle)
            }
            (_, By::Autoscaling) if group.lost > 0 => {
                group.lost -= 1;
                start.lifecycle == Lifecycle::OnDemand
            }
            _ => false,
        };
        self.sum.lifecycle_changes += u32::from(changed && group.enabled);
        let life = Life { group: number, lifecycle: start.lifecycle, since: t, ours: start.by == By::Spothub };
        self.lives.insert(start.instance_id.clone(), life);
    }

    fn end(&mut self, t: i64, id: &InstanceId, why: Ended) {
        let Some(life) = self.lives.remove(id) else { return };
        let replaced = self.replaced.remove(id);
        let group = &mut self.groups[life.group];
        let lost = life.lifecycle == Lifecycle::Spot && !matches!(why, Ended::ScaleIn | Ended::Undone | Ended::Orphan);
        if lost && !replaced {
            group.lost += 1;
        }
        let early = life.ours && why == Ended::Interrupted && t - life.since < EARLY.0;
        self.sum.early_losses += u32::from(early && group.enabled);
    }

    fn membership(&mut self, t: i64, line: &Membership) {
        let number = self.number(&line.group);
        let group = &mut self.groups[number];
        group.settle(t, &mut self.sum);
        (group.wanted, group.in_service) = (line.owner_desired, line.in_service);
        group.frozen = line.suspended.iter().any(|process| matches!(process, Process::Launch | Process::Terminate));
    }

    fn call(&mut self, t: i64, call: &Call) {
        let launches = matches!(call.action.as_str(), "ec2:CreateFleet" | "ec2:RunInstances");
        let Some(name) = call.group.as_ref().filter(|_| launches && call.outcome == Outcome::Error) else { return };
        let key = GroupRef { account: call.account, region: call.region.clone(), group: name.clone() };
        let number = self.number(&key);
        let group = &mut self.groups[number];
        if !group.enabled {
            return;
        }
        self.sum.launches_refused += 1;
        group.refused.push_back(t);
        while group.refused.front().is_some_and(|at| at + WINDOW.0 <= t) {
            group.refused.pop_front();
        }
        if t >= LEARNING.0 {
            let at_once = u32::try_from(group.refused.len()).unwrap_or(u32::MAX);
            self.sum.launches_refused_at_once = self.sum.launches_refused_at_once.max(at_once);
        }
    }
}

impl Group {
    /// Adds the time since the last change.
    fn settle(&mut self, t: i64, sum: &mut Steadiness) {
        let time = t - std::mem::replace(&mut self.since, t);
        if !self.enabled || self.frozen || time <= 0 {
            return;
        }
        let to = if self.windows { &mut sum.windows } else { &mut sum.linux };
        let of = |instances: u32| Span(time.saturating_mul(i64::from(instances)));
        to.wanted = to.wanted + of(self.wanted);
        to.missing = to.missing + of(self.wanted.saturating_sub(self.in_service));
    }
}

impl Sink for Steady {
    fn take(&mut self, record: &Record) {
        let t = record.t;
        match &record.what {
            What::InstanceStart(start) => self.start(t, start),
            What::InstanceEnd { instance_id, why } => self.end(t, instance_id, *why),
            What::Policy(line) => {
                let number = self.number(&line.group);
                let group = &mut self.groups[number];
                group.settle(t, &mut self.sum);
                group.enabled = line.enabled;
            }
            What::Membership(line) => self.membership(t, line),
            What::Call(call) => self.call(t, call),
            What::Price { .. }
            | What::Notice { .. }
            | What::Recommendation { .. }
            | What::Container(_)
            | What::Hold { .. }
            | What::EventSent { .. }
            | What::Brake { .. }
            | What::Swap { .. }
            | What::Event { .. }
            | What::End => {}
        }
    }
}

#[cfg(test)]
mod tests;
