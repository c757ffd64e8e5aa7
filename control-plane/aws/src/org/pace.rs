//! Spaces calls evenly, on the process's own clock.
//!
//! Knows intervals; a limiter with bursts would send one just when another tool sends its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use spothub_core::port::Clock;
use spothub_core::time::Timestamp;

use super::ask::Bucket;

/// When each bucket may be used next.
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    next: Mutex<BTreeMap<Bucket, Timestamp>>,
}

impl Pace {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, next: Mutex::default() }
    }

    /// Waits for the bucket's turn. Every caller gets a turn of its own; one that gives up leaves its turn unused.
    pub(super) async fn turn(&self, bucket: Bucket) {
        let now = self.clock.now();
        let at = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let at = next.get(&bucket).map_or(now, |at| (*at).max(now));
            next.insert(bucket, at + bucket.interval());
            at
        };
        if at > now {
            self.clock.sleep_until(at).await;
        }
    }
}
