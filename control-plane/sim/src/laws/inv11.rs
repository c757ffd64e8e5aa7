//! INV-11: under the brake nothing begins.

use std::collections::BTreeMap;

use spothub_core::brake::BrakeScope;
use spothub_core::group::Lifecycle;
use spothub_core::id::{GroupKey, OuPath, Site};

use super::facts::Facts;
use super::inv1::beginning;
use super::report::Report;
use crate::record::{By, GroupRef, InstanceStart};

/// The law.
pub(super) const LAW: (&str, &str) = (
    "INV-11",
    "From 5 s after the brake was pulled until it is released, no swap begins in its scope but a return to on-demand \
     that it asks for; rescues go on unless it covers everything.",
);

/// What a pulled brake may take to be heard.
const GRACE_MS: i64 = 5_000;

/// The brakes that are set, since when, and whether each sends back to on-demand.
#[derive(Default)]
pub(super) struct Brakes {
    set: BTreeMap<BrakeScope, (i64, bool)>,
    /// Those that sent back to on-demand, and when they were released.
    lifted: BTreeMap<BrakeScope, i64>,
}

/// What a return that is under way when its brake is released may take until its launch.
const LIFTED_MS: i64 = 60_000;

impl Brakes {
    /// The operator did something.
    pub(super) fn moved(&mut self, t: i64, scope: &BrakeScope, set: bool, revert: bool) {
        if set {
            self.set.entry(scope.clone()).or_insert((t, revert)).1 = revert;
        } else {
            let was = self.set.remove(scope);
            if was.is_some_and(|(_, revert)| revert) {
                self.lifted.insert(scope.clone(), t);
            }
        }
    }

    /// Whether somebody sends the group in this unit back to on-demand, or did just now.
    pub(super) fn reverts(&self, key: &GroupRef, ou: &OuPath, now: i64) -> bool {
        let group = of(key);
        let set = self.set.iter().any(|(scope, (_, revert))| *revert && scope.covers(&group, ou));
        set || self.lifted.iter().any(|(scope, at)| now < *at + LIFTED_MS && scope.covers(&group, ou))
    }

    /// A newcomer began.
    pub(super) fn started(&self, facts: &Facts, start: &InstanceStart, report: &mut Report) {
        if self.set.is_empty() || start.by != By::Spothub {
            return;
        }
        let Some(swap) = start.swap.as_ref().and_then(|id| facts.swap(id)) else { return };
        if facts[swap].launched != Some(facts.now) {
            return;
        }
        let by_choice = beginning(facts, start).is_some();
        let (key, Some(group)) = (&start.group, facts[swap].group) else { return };
        let Some(ou) = facts[group].policy().map(|policy| &policy.ou) else { return };
        let group_key = of(key);
        let returns = start.lifecycle == Lifecycle::OnDemand;
        let covers = |scope: &BrakeScope, revert: bool| {
            if by_choice {
                scope.covers(&group_key, ou) && !(revert && returns)
            } else {
                *scope == BrakeScope::All && !revert
            }
        };
        let late = |(scope, (since, revert)): &(&BrakeScope, &(i64, bool))| {
            covers(scope, *revert) && facts.now > *since + GRACE_MS
        };
        let broken = self.set.iter().find(late);
        if let Some((scope, (since, _))) = broken {
            report.add(LAW.0, facts.now, Some(key), || {
                format!("{} began {} ms after the brake on {scope}", facts[swap].id, facts.now - since)
            });
        }
    }
}

fn of(key: &GroupRef) -> GroupKey {
    GroupKey { site: Site { account: key.account, region: key.region.clone() }, name: key.group.clone() }
}
