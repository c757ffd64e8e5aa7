//! INV-1: one swap at a time, and none too soon after the last.

use super::facts::{Facts, GroupIx, SwapIx};
use super::report::Report;
use super::settings::LawSettings;
use crate::record::{By, GroupRef, InstanceStart};

/// The law.
pub(super) const LAW: (&str, &str) = (
    "INV-1",
    "At most one swap in flight per group, and two swaps of a group start at least the interval apart; rescues of \
     announced or taken instances excepted.",
);

/// A newcomer began: its swap must be alone, and far enough from the one before.
pub(super) fn started(facts: &Facts, settings: &LawSettings, start: &InstanceStart, report: &mut Report) {
    let Some((swap, group)) = beginning(facts, start) else { return };
    let entry = &facts[group];
    for &other in entry.open.iter().filter(|&&s| s != swap && facts.in_flight.contains(&s)) {
        report.add(LAW.0, facts.now, Some(&entry.key), || {
            format!("{} launched while {} is in flight", facts[swap].id, facts[other].id)
        });
    }
    let Some(before) = entry.launched.iter().rev().map(|&s| &facts[s]).find(|s| s.id != facts[swap].id) else { return };
    let apart = facts[swap].first - before.first;
    let from = facts.now - settings.opt_out_grace.0;
    let interval = entry.policies(from, facts.now).map(|p| p.interval_ms).min().unwrap_or(0);
    if apart < interval - settings.interval_slack.0 {
        report.add(LAW.0, facts.now, Some(&entry.key), || {
            format!("{} began {apart} ms after {}; the interval is {interval} ms", facts[swap].id, before.id)
        });
    }
}

/// The swap by choice that this newcomer begins, unless a newcomer of it began before.
pub(super) fn beginning(facts: &Facts, start: &InstanceStart) -> Option<(SwapIx, GroupIx)> {
    let swap = start.swap.as_ref().filter(|_| start.by == By::Spothub).and_then(|id| facts.swap(id))?;
    let group = facts[swap].group?;
    (facts[swap].by_choice && facts[swap].launched == Some(facts.now)).then_some((swap, group))
}

/// A group changed: the attaches of ours that stand in it must be those of one swap and its rescues.
pub(super) fn changed(facts: &Facts, key: &GroupRef, report: &mut Report) {
    let Some(ix) = facts.group(key) else { return };
    standing(facts, ix, report);
}

/// Every group: as in [`changed`], and one swap in flight at most.
pub(super) fn sweep(facts: &Facts, report: &mut Report) {
    for (ix, _) in facts.groups() {
        standing(facts, ix, report);
    }
}

fn standing(facts: &Facts, ix: GroupIx, report: &mut Report) {
    let group = &facts[ix];
    let Some(shot) = group.shot() else { return };
    let ours = i64::from(shot.desired) - i64::from(shot.owner_desired);
    let allowed = 1 + facts.rescues(group) + group.stranded;
    let swaps = group.open.iter().filter(|&&s| facts.in_flight.contains(&s)).count();
    let fault = (LAW.0, ix.0);
    if ours <= allowed && swaps <= 1 {
        report.mended(fault);
    } else if report.begins(fault) {
        report.add(LAW.0, facts.now, Some(&group.key), || {
            format!("{ours} attaches of ours stand and {swaps} swaps are in flight; at most {allowed} and 1 may")
        });
    }
}
