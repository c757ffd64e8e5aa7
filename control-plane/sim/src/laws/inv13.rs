//! INV-13: tasks of a container instance end before it goes, or their time does.

use std::collections::BTreeMap;

use spothub_core::id::{InstanceId, SwapId};

use super::report::Report;
use crate::record::{Call, ContainerChange, ContainerLine, Ended, GroupRef, Outcome, PolicyLine};

/// The law.
pub(super) const LAW: (&str, &str) = (
    "INV-13",
    "No swap by choice ends a container instance on which tasks run before its drain.wait is over, and one that is \
     taken back leaves none of its own draining.",
);

/// The action that drains, and ends draining.
const ACTION: &str = "ecs:UpdateContainerInstancesState";

/// What drains, and for whom.
#[derive(Default)]
pub(super) struct Draining {
    /// Seconds that policy gives each group.
    waits: BTreeMap<GroupRef, i64>,
    /// Since when each instance drains.
    since: BTreeMap<InstanceId, i64>,
    /// Whom each swap takes out.
    olds: BTreeMap<SwapId, InstanceId>,
    /// The swap that the last call was made for, and what it was about.
    last: Option<(i64, SwapId, InstanceId)>,
    /// Those whom we were refused to set, and those who set themselves.
    excused: BTreeMap<InstanceId, i64>,
}

impl Draining {
    pub(super) fn policy(&mut self, line: &PolicyLine) {
        if let Some(wait) = line.drain_s {
            self.waits.insert(line.group.clone(), wait);
        }
    }

    pub(super) fn called(&mut self, t: i64, call: &Call) {
        if let (Some(swap), Some(id)) = (&call.swap, &call.instance_id) {
            self.last = Some((t, swap.clone(), id.clone()));
        }
        if call.action == ACTION && call.outcome == Outcome::Denied {
            self.excused.extend(call.instance_id.clone().map(|id| (id, t)));
        }
    }

    pub(super) fn changed(&mut self, t: i64, line: &ContainerLine, report: &mut Report) {
        let id = &line.instance_id;
        match line.change {
            ContainerChange::Draining => drop(self.since.insert(id.clone(), t)),
            ContainerChange::Active => drop(self.since.remove(id)),
            ContainerChange::Left => {
                let since = self.since.remove(id);
                let by = self.last.as_ref().filter(|(at, _, about)| *at == t && about == id).map(|(_, swap, _)| swap);
                let Some(swap) = by.filter(|swap| !swap.is_rescue() && self.olds.get(*swap) == Some(id)) else {
                    return;
                };
                let wait = self.waits.get(&line.group).copied().unwrap_or(0) * 1000;
                if line.why == Some(Ended::Retired) && line.tasks > 0 && since.is_none_or(|since| t < since + wait) {
                    report.add(LAW.0, t, Some(&line.group), || {
                        format!(
                            "{swap} ended {id} with {} running tasks, draining since {since:?} of {wait}",
                            line.tasks
                        )
                    });
                }
            }
        }
    }

    /// A swap reached a state.
    pub(super) fn reached(
        &mut self,
        t: i64,
        group: &GroupRef,
        (swap, state, old): (&SwapId, &str, &InstanceId),
        report: &mut Report,
    ) {
        if swap.is_rescue() {
            return;
        }
        self.olds.insert(swap.clone(), old.clone());
        if matches!(state, "done" | "undone" | "failed" | "stranded") {
            self.olds.remove(swap);
            if matches!(state, "undone" | "failed") && self.since.contains_key(old) && !self.excused.contains_key(old) {
                report.add(LAW.0, t, Some(group), || format!("{swap} was taken back and leaves {old} draining"));
            }
        }
    }
}
