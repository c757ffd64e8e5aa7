//! Traces of swaps for a collector: what the engine and the adapters tell anyway, passed on and made into spans.
//!
//! Knows who is listened to; what becomes which span is `span`'s business, and how they leave is `export`'s.

mod export;
mod span;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spothub_aws::{Called, Observer};
use spothub_core::port::{Clock, Journal, Note};
use spothub_core::time::Timestamp;

use crate::config::Collector;

use super::metrics::Metrics;
use export::Queue;
pub(super) use export::{Export, Maker};

/// Listens in the place of another journal and of the metrics, and tells them first.
pub(super) struct Traces {
    journal: Arc<dyn Journal>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    queue: Queue,
    /// Tells calls of this process apart from one another, and from those of others.
    serial: AtomicU64,
}

/// What listens, and what must be ended.
pub(super) struct Started {
    pub(super) traces: Arc<Traces>,
    pub(super) export: Export,
}

impl Traces {
    /// Begins to listen and to export. `seed` is another one at every start.
    pub(super) fn start(
        collector: &Collector,
        maker: &Maker<'_>,
        journal: Arc<dyn Journal>,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
        seed: u64,
    ) -> anyhow::Result<Started> {
        let (queue, export) = export::start(collector, maker, &metrics, &clock)?;
        Ok(Started { traces: Arc::new(Self { journal, metrics, clock, queue, serial: AtomicU64::new(seed) }), export })
    }
}

impl Journal for Traces {
    fn note(&self, now: Timestamp, note: &Note<'_>) {
        self.journal.note(now, note);
        for span in span::of_note(now, note) {
            self.queue.put(span);
        }
    }
}

impl Observer for Traces {
    fn called(&self, call: &Called<'_>) {
        self.metrics.called(call);
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        if let Some(span) = span::of_call(self.clock.now(), call, serial) {
            self.queue.put(span);
        }
    }
}
