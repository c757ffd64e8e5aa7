//! INV-6: an opt-out holds from the moment that it must have been read.

use super::facts::{Facts, SwapIx};
use super::report::Report;
use crate::record::Call;

/// The law.
pub(super) const LAW: (&str, &str) = (
    "INV-6",
    "From 60 s after an opt-out, no changing call touches what it covers, except to finish or undo a swap already \
     begun.",
);

/// A call was made: it must not change a group that is opted out or not enabled.
pub(super) fn called(facts: &Facts, call: &Call, report: &mut Report) {
    if !call.changing || !call.took_effect {
        return;
    }
    let instance = call.instance_id.as_ref().and_then(|id| facts.instance(id)).map(|ix| &facts[ix]);
    let named = call.group.as_ref().and_then(|name| facts.named(call.account, &call.region, name));
    let Some(group) = named.or(instance.and_then(|i| i.member_of.or(i.group))) else { return };
    let group = &facts[group];
    let Some(from) = group.closed_from.filter(|&from| facts.now > from) else { return };
    let begun = |swap: SwapIx| facts[swap].first <= from;
    let serves = call.swap.as_ref().and_then(|id| facts.swap(id));
    // An orphan's end finishes the swap that launched it.
    let made_by = instance.and_then(|i| i.swap).filter(|_| call.why.is_some());
    if !serves.or(made_by).is_some_and(begun) {
        report.add(LAW.0, facts.now, Some(&group.key), || {
            format!("{} {} ms after the opt-out had to be known", call.action, facts.now - from)
        });
    }
}
