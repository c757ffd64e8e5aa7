//! What the engine tells of itself, into the log and the metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use spothub_core::port::{EventEnd, Journal, Note};
use spothub_core::time::Timestamp;

use super::metrics::Metrics;

/// Takes the engine's notes.
pub(super) struct Notes {
    metrics: Arc<Metrics>,
    /// Swaps and rescues by their last state.
    ended: Mutex<BTreeMap<&'static str, u64>>,
}

/// States that are the last of a swap.
pub(super) const LAST: [&str; 4] = ["done", "undone", "failed", "stranded"];

impl Notes {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, ended: Mutex::default() }
    }

    /// Swaps and rescues that ended since the start, by how.
    pub(super) fn ended(&self) -> BTreeMap<&'static str, u64> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Journal for Notes {
    fn note(&self, _: Timestamp, note: &Note<'_>) {
        match note {
            Note::Hold { group, instance, reason } => {
                let instance = instance.map(tracing::field::display);
                let (account, region, group) = (&group.site.account, &group.site.region, &group.name);
                let reason = reason.map(spothub_core::reason::HoldReason::label);
                tracing::debug!(%account, %region, %group, instance, reason, "a hold began or ended");
            }
            Note::Swap { swap, group, state, old, new, why, .. } => {
                self.metrics.swap(state);
                if LAST.contains(state) {
                    *self.ended.lock().unwrap_or_else(PoisonError::into_inner).entry(*state).or_default() += 1;
                }
                let new = new.map(tracing::field::display);
                let (account, region, group) = (&group.site.account, &group.site.region, &group.name);
                if *state == "stranded" {
                    tracing::warn!(%account, %region, %group, %swap, %old, new, why, "a swap is stranded");
                } else {
                    tracing::info!(%account, %region, %group, %swap, state, %old, new, why, "a swap reached a state");
                }
            }
            Note::Drain { swap, group, instance, state, tasks } => {
                self.metrics.drain(state);
                let (account, region, group) = (&group.site.account, &group.site.region, &group.name);
                if matches!(*state, "late" | "refused" | "kept") {
                    tracing::warn!(%account, %region, %group, %swap, %instance, state, tasks,
                        "a container instance was not drained as planned");
                } else {
                    tracing::info!(%account, %region, %group, %swap, %instance, state, tasks,
                        "a container instance drains");
                }
            }
            Note::Event { id, detail_type, account, region, end, reason } => {
                self.metrics.event(*end);
                let account = account.map(tracing::field::display);
                let region = region.map(tracing::field::display);
                let (id, end) = (*id, *end);
                if end == EventEnd::Quarantined {
                    tracing::info!(account, region, id, detail_type, reason, "an event was quarantined");
                } else {
                    let end = end.label();
                    tracing::debug!(account, region, id, detail_type, end, reason, "an event was dealt with");
                }
            }
            Note::Stray { instance, reason } => {
                tracing::warn!(%instance, reason, "an instance with our tag was left as it is");
            }
        }
    }
}
