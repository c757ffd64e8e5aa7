//! A worker of one lane is five verbs: receive, parse, store, wake, delete.

use spothub_core::port::Lane;
use spothub_core::time::Span;

use crate::engine::Engine;

/// Messages in one receive: SQS's own limit.
const BATCH_MAX: usize = 10;

impl Engine {
    pub(crate) async fn lane(&self, lane: Lane) {
        // Before the directory is read nobody is enrolled, and every event would be quarantined.
        while self.memory().accounts.is_empty() {
            self.ports.clock.sleep_until(self.now() + Span::secs(1)).await;
        }
        loop {
            let Ok(batch) = self.ports.inbox.receive(lane, BATCH_MAX).await else {
                self.ports.clock.sleep_until(self.now() + Span::secs(1)).await;
                continue;
            };
            let mut done = Vec::with_capacity(batch.len());
            for message in &batch {
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
}
