//! INV-12: nothing that a swap brought is swapped again, unless something has changed for it.

use super::facts::{Facts, GroupIx, Instance};
use super::inv11::Brakes;
use super::report::Report;
use crate::record::{By, InstanceStart};
use spothub_core::group::Lifecycle;

/// The law.
pub(super) const LAW: (&str, &str) = (
    "INV-12",
    "No swap replaces an instance that one of our own swaps brought, nor any other Spot instance: no oscillation, no \
     walk down the price ladder. Excepted: a return to on-demand that an operator or the floor asks for, a move that \
     AWS recommended, a move that policy asks for from a pool that became dearer than the new one, and Spot for what \
     we launched on demand at least ten minutes ago.",
);

/// The least time on demand of what we launched so.
const STAYS_MS: i64 = 600_000;

/// A newcomer began: what it is to replace by choice must be on-demand and not ours, or there is a reason.
pub(super) fn started(facts: &Facts, brakes: &Brakes, start: &InstanceStart, report: &mut Report) {
    let Some((swap, group)) = super::inv1::beginning(facts, start) else { return };
    let Some(old) = start.replaces.as_ref().and_then(|id| facts.instance(id)).map(|ix| &facts[ix]) else { return };
    let why = match (old.lifecycle, start.lifecycle) {
        (Lifecycle::OnDemand, Lifecycle::OnDemand) => "is on demand already",
        (Lifecycle::OnDemand, Lifecycle::Spot) if old.by != By::Spothub => return,
        (Lifecycle::OnDemand, Lifecycle::Spot) if facts.now - old.started >= STAYS_MS => return,
        (Lifecycle::OnDemand, Lifecycle::Spot) => "we launched ourselves just now",
        (Lifecycle::Spot, Lifecycle::OnDemand) if is_asked_for(facts, brakes, group, start) => return,
        (Lifecycle::Spot, Lifecycle::OnDemand) => "nobody asked to have on demand",
        (Lifecycle::Spot, Lifecycle::Spot) if old.recommended => return,
        (Lifecycle::Spot, Lifecycle::Spot) if may_move(facts, group, old, start) => return,
        (Lifecycle::Spot, Lifecycle::Spot) => ours(old),
    };
    report.add(LAW.0, facts.now, Some(&facts[group].key), || {
        format!("{} replaces {} by choice, which {why}", facts[swap].id, old.id)
    });
}

fn ours(old: &Instance) -> &'static str {
    if old.by == By::Spothub { "we launched ourselves" } else { "is Spot already" }
}

/// Policy lets members move for their price, this one has the age for it, and it cost more at some time.
fn may_move(facts: &Facts, group: GroupIx, old: &Instance, start: &InstanceStart) -> bool {
    let after = facts[group].policy().and_then(|policy| policy.moves_after_ms);
    let aged = after.is_some_and(|after| facts.now - old.started >= after);
    aged && old.by == By::Spothub && start.usd_per_hour < old.dearest
}

/// An operator sends the group back, or it had less on demand than the floor asks for, or had so lately.
fn is_asked_for(facts: &Facts, brakes: &Brakes, group: GroupIx, start: &InstanceStart) -> bool {
    let group = &facts[group];
    let reverts = group.policy().is_some_and(|policy| brakes.reverts(&start.group, &policy.ou, facts.now));
    reverts || facts.lacked_floor_lately(group)
}
