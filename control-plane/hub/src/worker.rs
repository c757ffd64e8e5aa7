//! A worker of one lane is five verbs: receive, parse, store, wake, delete.

use spothub_core::port::{Lane, Message};
use spothub_core::time::Span;

use crate::engine::Engine;

/// Messages in one receive: SQS's own limit.
const BATCH_MAX: usize = 10;
/// A long poll that has not answered by then found nothing: it answers at once where there is something.
const DRAIN_WAIT: Span = Span::secs(3);

impl Engine {
    pub(crate) async fn lane(&self, lane: Lane) {
        // Before the directory is read nobody is enrolled, and every event would be quarantined.
        while self.memory().accounts.is_empty() && !self.stopping() {
            self.pause_until(self.now() + Span::secs(1)).await;
        }
        // A receive that is dropped may have taken messages: they come again after their visibility.
        while let Some(answer) = self.unless_stopped(self.ports.inbox.receive(lane, BATCH_MAX)).await {
            match answer {
                Ok(batch) => self.take_batch(lane, &batch).await,
                Err(_) => self.pause_until(self.now() + Span::secs(1)).await,
            }
        }
    }

    /// Takes what lies in a queue, and waits for nothing.
    pub(crate) async fn drain(&self, lane: Lane) {
        while !self.stopping() {
            let batch = tokio::select! {
                biased;
                answer = self.ports.inbox.receive(lane, BATCH_MAX) => answer.unwrap_or_default(),
                () = self.pause_until(self.now() + DRAIN_WAIT) => return,
            };
            if batch.is_empty() {
                return;
            }
            self.take_batch(lane, &batch).await;
        }
    }

    async fn take_batch(&self, lane: Lane, batch: &[Message]) {
        let mut done = Vec::with_capacity(batch.len());
        for message in batch {
            if self.handle(message).await {
                done.push(message.receipt.clone());
            }
        }
        if !done.is_empty() {
            // What is not deleted comes again and is then a duplicate.
            let _ = self.ports.inbox.delete(lane, &done).await;
        }
    }
}
