//! A worker of one lane is five verbs: receive, parse, store, wake, delete.

use futures::future::join_all;
use spothub_core::port::{Lane, Message, Receipt};
use spothub_core::time::Span;

use crate::engine::Engine;

/// Messages in one receive: SQS's own limit.
const BATCH_MAX: usize = 10;
/// Receives of a lane at once: with round trips of 50 ms, one alone takes 70 to 100 messages a second, and an
/// organization of 10,000 accounts sends some 300.
const RECEIVERS: usize = 4;
/// A long poll that has not answered by then found nothing: it answers at once where there is something.
const DRAIN_WAIT: Span = Span::secs(3);

impl Engine {
    pub(crate) async fn lane(&self, lane: Lane) {
        // Before the directory is read nobody is enrolled, and every event would be quarantined.
        while self.memory().accounts.is_empty() && !self.stopping() {
            self.pause_until(self.now() + Span::secs(1)).await;
        }
        join_all((0..RECEIVERS).map(|_| self.receives(lane))).await;
    }

    async fn receives(&self, lane: Lane) {
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
        let taken = join_all(batch.iter().map(|message| self.handle(message))).await;
        let taken = batch.iter().zip(taken).filter(|(_, taken)| *taken);
        let done: Vec<Receipt> = taken.map(|(message, _)| message.receipt.clone()).collect();
        if !done.is_empty() {
            // What is not deleted comes again and is then a duplicate.
            let _ = self.ports.inbox.delete(lane, &done).await;
        }
    }
}
