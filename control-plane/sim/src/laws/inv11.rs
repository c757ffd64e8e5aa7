//! INV-11: under the brake nothing begins.

use std::collections::BTreeMap;

use spothub_core::brake::BrakeScope;
use spothub_core::id::{GroupKey, Site};

use super::facts::Facts;
use super::inv1::beginning;
use super::report::Report;
use crate::record::{By, InstanceStart};

/// The law.
pub(super) const LAW: (&str, &str) = (
    "INV-11",
    "From 5 s after the brake was pulled until it is released, no swap begins in its scope; rescues go on unless it \
     covers everything.",
);

/// What a pulled brake may take to be heard.
const GRACE_MS: i64 = 5_000;

/// The brakes that are set, and since when.
#[derive(Default)]
pub(super) struct Brakes(BTreeMap<BrakeScope, i64>);

impl Brakes {
    /// The operator did something.
    pub(super) fn moved(&mut self, t: i64, scope: &BrakeScope, set: bool) {
        if set {
            self.0.entry(scope.clone()).or_insert(t);
        } else {
            self.0.remove(scope);
        }
    }

    /// A newcomer began.
    pub(super) fn started(&self, facts: &Facts, start: &InstanceStart, report: &mut Report) {
        if self.0.is_empty() || start.by != By::Spothub {
            return;
        }
        let Some(swap) = start.swap.as_ref().and_then(|id| facts.swap(id)) else { return };
        if facts[swap].launched != Some(facts.now) {
            return;
        }
        let by_choice = beginning(facts, start).is_some();
        let (key, Some(group)) = (&start.group, facts[swap].group) else { return };
        let site = Site { account: key.account, region: key.region.clone() };
        let group_key = GroupKey { site, name: key.group.clone() };
        let Some(ou) = facts[group].policy().map(|policy| &policy.ou) else { return };
        let covers = |scope: &BrakeScope| {
            if by_choice { scope.covers(&group_key, ou) } else { *scope == BrakeScope::All }
        };
        let broken = self.0.iter().find(|(scope, since)| covers(scope) && facts.now > **since + GRACE_MS);
        if let Some((scope, since)) = broken {
            report.add(LAW.0, facts.now, Some(key), || {
                format!("{} began {} ms after the brake on {scope}", facts[swap].id, facts.now - since)
            });
        }
    }
}
