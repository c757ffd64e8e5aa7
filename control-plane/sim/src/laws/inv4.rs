//! INV-4: once a swap ends, the group is as its owner has it.

use super::facts::{Facts, Group, GroupIx};
use super::report::Report;
use crate::record::GroupRef;

/// The law.
pub(super) const LAW: (&str, &str) = (
    "INV-4",
    "Once a swap ends, our net effect on min, max, desired, suspended processes and protection is nil; what others \
     changed meanwhile stands.",
);

/// A swap reached a state: at its end, with no other under way, nothing of ours may stand.
pub(super) fn reached(facts: &Facts, key: &GroupRef, state: &str, report: &mut Report) {
    if matches!(state, "done" | "undone" | "failed" | "stranded")
        && let Some(ix) = facts.group(key)
    {
        judge(facts, ix, report);
    }
}

/// Every group without a swap.
pub(super) fn sweep(facts: &Facts, report: &mut Report) {
    for (ix, _) in facts.groups() {
        judge(facts, ix, report);
    }
}

fn judge(facts: &Facts, ix: GroupIx, report: &mut Report) {
    let group = &facts[ix];
    // Before it launches, a swap changes nothing; and one that was announced may never have been begun.
    let under_way = group.open.iter().any(|&swap| facts[swap].launched.is_some());
    // Where access is gone, the owner is told what to mend; it stays told.
    if under_way || group.stranded > 0 {
        return;
    }
    let fault = (LAW.0, ix.0);
    match left(facts, group) {
        None => report.mended(fault),
        Some(left) if report.begins(fault) => {
            report.add(LAW.0, facts.now, Some(&group.key), || format!("no swap is under way, but {left}"));
        }
        Some(_) => {}
    }
}

/// What of ours stands in a group.
fn left(facts: &Facts, group: &Group) -> Option<String> {
    let shot = group.shot()?;
    if shot.desired + group.crossed != shot.owner_desired {
        return Some(format!("desired is {} and the owner's {}", shot.desired, shot.owner_desired));
    }
    if shot.max != shot.owner_max {
        return Some(format!("max is {} and the owner's {}", shot.max, shot.owner_max));
    }
    if let Some(min) = group.touched.min.filter(|&min| min != shot.min) {
        return Some(format!("min is {} and was {min} before we changed it", shot.min));
    }
    if let Some(process) = group.touched.suspended.first() {
        return Some(format!("{process:?} is suspended by us"));
    }
    let changed = shot
        .seats
        .iter()
        .find(|seat| group.touched.protection.get(&seat.instance).is_some_and(|&before| before != seat.protected));
    changed.map(|seat| format!("the protection of {} is changed by us", facts[seat.instance].id))
}
