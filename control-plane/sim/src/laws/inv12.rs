//! INV-12: nothing that a swap brought is swapped again.

use super::facts::Facts;
use super::report::Report;
use crate::record::{By, InstanceStart};
use spothub_core::group::Lifecycle;

/// The law.
pub(super) const LAW: (&str, &str) = (
    "INV-12",
    "No swap replaces an instance that one of our own swaps brought, nor any other Spot instance: no oscillation, no \
     walk down the price ladder.",
);

/// A newcomer began: what it is to replace by choice must be on-demand and not ours.
pub(super) fn started(facts: &Facts, start: &InstanceStart, report: &mut Report) {
    let Some((swap, group)) = super::inv1::beginning(facts, start) else { return };
    let Some(old) = start.replaces.as_ref().and_then(|id| facts.instance(id)).map(|ix| &facts[ix]) else { return };
    let why = if old.by == By::Spothub {
        "we launched ourselves"
    } else if old.lifecycle == Lifecycle::Spot {
        "is Spot already"
    } else {
        return;
    };
    report.add(LAW.0, facts.now, Some(&facts[group].key), || {
        format!("{} replaces {} by choice, which {why}", facts[swap].id, old.id)
    });
}
