//! INV-10: budgets hold.

use std::collections::BTreeMap;

use spothub_core::id::{AccountId, Region};

use super::facts::{Close, Facts};
use super::report::Report;
use super::settings::{Family, LawSettings};
use crate::record::{Call, InstanceStart};

/// The law.
pub(super) const LAW: (&str, &str) = (
    "INV-10",
    "Swaps in flight per organization, unit and account, the share of a group that is replaced in an hour, and API \
     calls per account, region and family stay within their limits; rescues are bound by API limits only.",
);

const HOUR_MS: i64 = 3_600_000;
const SCOPES: [&str; 3] = ["organization", "unit", "account"];

/// A newcomer began: its swap must fit the budgets.
pub(super) fn started(facts: &Facts, settings: &LawSettings, start: &InstanceStart, report: &mut Report) {
    let Some((swap, ix)) = super::inv1::beginning(facts, start) else { return };
    let group = &facts[ix];
    let from = facts.now - settings.opt_out_grace.0;
    let mut limits = [0; 3];
    let mut percent = 0;
    for policy in group.policies(from, facts.now) {
        percent = percent.max(policy.share_percent);
        for (limit, most) in limits.iter_mut().zip(policy.in_flight_max) {
            *limit = most.max(*limit);
        }
    }
    let counts = facts.in_flight_beside(swap);
    for ((scope, count), limit) in SCOPES.iter().zip(counts).zip(limits) {
        if count > limit {
            report.add(LAW.0, facts.now, Some(&group.key), || {
                format!("{} is number {count} in flight in its {scope}; at most {limit} may be", facts[swap].id)
            });
        }
    }
    let window = facts[swap].first - HOUR_MS + settings.interval_slack.0;
    let replaced = group
        .launched
        .iter()
        .map(|&s| &facts[s])
        .filter(|s| s.first > window && s.closed.is_none_or(|(_, close)| close == Close::Done));
    let replaced = replaced.count();
    // A scaling policy that adds to desired carries the +1 of a stranded swap along: nobody can tell it apart.
    let wanted = u64::from(group.wanted_lately()) + u64::try_from(group.stranded).unwrap_or(0);
    let share = wanted * u64::from(percent) / 100;
    let limit = usize::try_from(share).unwrap_or(usize::MAX).max(1);
    if replaced > limit {
        report.add(LAW.0, facts.now, Some(&group.key), || {
            format!("{} is the {replaced}th replacement of the hour; at most {limit} may be", facts[swap].id)
        });
    }
}

/// All swaps in flight: each scope's count within the widest budget that any of its swaps was begun under.
pub(super) fn sweep(facts: &Facts, report: &mut Report) {
    let mut units: BTreeMap<_, (u32, u32)> = BTreeMap::new();
    let mut accounts: BTreeMap<AccountId, (u32, u32)> = BTreeMap::new();
    let mut whole = (0, 0);
    for &swap in &facts.in_flight {
        let Some(group) = facts[swap].group.map(|g| &facts[g]) else { continue };
        let began = facts[swap].launched.unwrap_or(facts.now);
        // A budget lowered since does not end what was begun under it.
        let most = |scope: usize| group.policies(began, facts.now).map(|p| p.in_flight_max[scope]).max().unwrap_or(0);
        let ou = group.policy().map(|p| p.ou.clone());
        for (entry, scope) in
            [(&mut whole, 0), (units.entry(ou).or_default(), 1), (accounts.entry(group.key.account).or_default(), 2)]
        {
            entry.0 += 1;
            entry.1 = most(scope).max(entry.1);
        }
    }
    let all = [whole].into_iter().chain(units.into_values()).chain(accounts.into_values());
    for (count, limit) in all.filter(|(count, limit)| count > limit) {
        report.add(LAW.0, facts.now, None, || format!("{count} swaps are in flight where at most {limit} may be"));
    }
}

/// What is left of each token bucket.
#[derive(Debug, Default)]
pub(super) struct Meters {
    levels: BTreeMap<(AccountId, Region, Family), Level>,
}

#[derive(Debug)]
struct Level {
    /// Thousandths of a call.
    left: i64,
    at: i64,
}

impl Meters {
    /// A call was sent: done or not, it counts.
    pub(super) fn called(&mut self, facts: &Facts, settings: &LawSettings, call: &Call, report: &mut Report) {
        let Some(limits) = &settings.api else { return };
        let family = Family::of(&call.action);
        let Some(bucket) = limits.get(&family) else { return };
        let full = i64::from(bucket.burst) * 1000;
        let key = (call.account, call.region.clone(), family);
        let level = self.levels.entry(key).or_insert(Level { left: full, at: facts.now });
        let refill = (facts.now - level.at).saturating_mul(i64::from(bucket.per_second));
        level.left = level.left.saturating_add(refill).min(full) - 1000;
        level.at = facts.now;
        if level.left < 0 {
            level.left = 0;
            report.add(LAW.0, facts.now, None, || {
                let (burst, rate) = (bucket.burst, bucket.per_second);
                format!(
                    "{} in {}/{} goes beyond {burst} calls at once and {rate} a second ({family:?})",
                    call.action, call.account, call.region
                )
            });
        }
    }
}
