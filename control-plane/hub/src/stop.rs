//! Stopping a worker in good order: no more is begun, the step in hand is finished, and the rest stays in the store.

use spothub_core::time::{Span, Timestamp};
use tokio::sync::watch;

use crate::engine::Engine;

/// How long the step in hand may take after the stop: a call with its retries (20 s), the wait for its limiter (5 s),
/// and the write of its answer. What is later is in the store as an intent, and is settled by whoever reads it next.
pub const STOP_MAX: Span = Span::secs(28);

/// Whether this worker is asked to stop.
#[derive(Debug, Default)]
pub(crate) struct Stop(watch::Sender<bool>);

impl Stop {
    pub(crate) fn ask(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once the worker is asked to stop.
    async fn wait(&self) {
        // The sender lives as long as the engine, so this ends for no other reason.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
    }
}

impl Engine {
    pub(crate) fn stopping(&self) -> bool {
        self.stop.asked()
    }

    pub(crate) async fn stopped(&self) {
        self.stop.wait().await;
    }

    /// Waits until then, or until the worker is asked to stop.
    pub(crate) async fn pause_until(&self, at: Timestamp) {
        tokio::select! {
            biased;
            () = self.stopped() => {}
            () = self.ports.clock.sleep_until(at) => {}
        }
    }

    /// Does this until the worker is asked to stop, and drops it there: only for what may be dropped at any await.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stopped() => None,
            done = work => Some(done),
        }
    }

    /// Does this to its end; where `stop` comes first, asks it to stop and gives it [`STOP_MAX`] to come to that.
    pub(crate) async fn stop_on<T>(&self, stop: impl Future<Output = ()>, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = stop => self.stop.ask(),
        }
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.ports.clock.sleep_until(self.now() + STOP_MAX) => None,
        }
    }
}
