//! INV-3: nothing of ours is left over, and nothing is ended that is not left over.

use std::collections::BTreeMap;

use spothub_core::id::InstanceId;

use super::facts::{Facts, Instance, InstanceIx};
use super::report::Report;
use super::settings::LawSettings;
use crate::record::{By, Call, InstanceStart};

/// The law.
pub(super) const LAW: (&str, &str) = (
    "INV-3",
    "Every instance that we launched is a member of its group, part of a swap or rescue in flight, ended, or released; \
     orphans are ended in bounded time, and nothing else is ended as one.",
);

/// An instance began: ours must carry the id of its swap, or nobody could ever tell whose it is.
pub(super) fn started(facts: &Facts, start: &InstanceStart, report: &mut Report) {
    if start.by == By::Spothub && start.swap.is_none() {
        report
            .add(LAW.0, facts.now, Some(&start.group), || format!("{} was launched without a swap", start.instance_id));
    }
}

/// A call was made: it must not end what is not ours to end.
pub(super) fn called(facts: &Facts, settings: &LawSettings, call: &Call, report: &mut Report) {
    if !call.took_effect || !super::inv2::takes_out(&call.action) {
        return;
    }
    let Some(instance) = call.instance_id.as_ref().and_then(|id| facts.instance(id)).map(|ix| &facts[ix]) else {
        return;
    };
    if instance.ended.is_some_and(|(t, _)| t < facts.now) {
        return;
    }
    let orphan = call.why.as_deref() == Some("orphan");
    let wrong = if instance.released.is_some_and(|t| t < facts.now - settings.look_age.0) {
        Some("the owner had released it")
    } else if orphan {
        no_orphan(facts, settings, instance)
    } else if call.action.starts_with("ec2:") && instance.by != By::Spothub {
        Some("we did not launch it")
    } else {
        None
    };
    if let Some(wrong) = wrong {
        let key = instance.group.map(|g| &facts[g].key);
        report.add(LAW.0, facts.now, key, || format!("{} took out {}: {wrong}", call.action, instance.id));
    }
}

/// Why an instance was no orphan.
fn no_orphan(facts: &Facts, settings: &LawSettings, instance: &Instance) -> Option<&'static str> {
    let closed = instance.swap.is_some_and(|s| facts[s].closed.is_some());
    if instance.by != By::Spothub {
        Some("an orphan is one that we launched")
    } else if instance.was_member {
        Some("an orphan was never attached")
    } else if facts.now - instance.started < settings.orphan_age.0 {
        Some("it was younger than 10 minutes")
    } else if !closed {
        Some("its swap had no last record")
    } else {
        None
    }
}

/// An instance ended: if it was a stray, it must have ended in time.
pub(super) fn ended(facts: &Facts, settings: &LawSettings, id: &InstanceId, report: &mut Report) {
    let Some(ix) = facts.instance(id) else { return };
    if facts[ix].member_of.is_none() && facts[ix].released.is_none() {
        overdue(facts, settings, ix, 1, report);
    }
}

/// All strays: each must be younger than the bound, unless its account has so many that they are only reported.
pub(super) fn sweep(facts: &Facts, settings: &LawSettings, report: &mut Report) {
    let mut of_account: BTreeMap<_, usize> = BTreeMap::new();
    for &ix in &facts.strays {
        *of_account.entry(account(facts, ix)).or_default() += 1;
    }
    for &ix in &facts.strays {
        let count = of_account.get(&account(facts, ix)).copied().unwrap_or(0);
        overdue(facts, settings, ix, count, report);
    }
}

fn account(facts: &Facts, ix: InstanceIx) -> Option<spothub_core::id::AccountId> {
    facts[ix].group.map(|g| facts[g].key.account)
}

fn overdue(facts: &Facts, settings: &LawSettings, ix: InstanceIx, in_account: usize, report: &mut Report) {
    let instance = &facts[ix];
    let Some(since) = instance.stray_since else { return };
    let age = facts.now - since;
    if age > settings.orphan_bound.0 && in_account <= settings.orphans_max && report.begins((LAW.0, ix.0)) {
        let key = instance.group.map(|g| &facts[g].key);
        report.add(LAW.0, facts.now, key, || format!("{} was left over for {} s", instance.id, age / 1000));
    }
}
