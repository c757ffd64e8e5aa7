//! Messages that nobody can read: kept by their digest and reason, without their body, then deleted from the queue.
//!
//! A body may hold anything, and comes from whoever can write to the bus: it is neither stored nor logged.

use serde::{Deserialize, Serialize};
use spothub_core::event::Rejected;
use spothub_core::id::{AccountId, Region};
use spothub_core::port::{Expect, Message, Put, StoreError, WRITE_ITEMS_MAX};
use spothub_core::record::FORMAT;
use spothub_core::time::{Span, Timestamp};

use crate::digest;
use crate::engine::Engine;
use crate::rows::{self, ROW_FENCE};

/// The prefix of all of them.
pub(crate) const KEYS: &str = "quarantine/";
/// Rows that a worker writes in an hour: who floods the queues fills no table. What is beyond is counted and logged.
const ROWS_MAX: u32 = 60;
/// How long a row is kept: two weeks, so that somebody looks at it before it goes.
const KEPT: Span = Span::hours(14 * 24);
/// Rows looked at in one sweep.
const PAGE: usize = 500;

/// One unreadable message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quarantined {
    /// Format of the item.
    pub format: u16,
    /// Why: a stable label.
    pub reason: String,
    /// SHA-256 of the body, in hexadecimal digits.
    pub digest: String,
    /// The body's length.
    pub bytes: usize,
    /// The envelope's account, where it could be read.
    pub account: Option<AccountId>,
    /// The envelope's region, where it could be read.
    pub region: Option<Region>,
    /// When it reached the queue.
    pub sent_at: Timestamp,
    /// When it was taken out.
    pub at: Timestamp,
}

/// Rows written since an hour began.
#[derive(Debug, Default)]
pub(crate) struct Written {
    since: Timestamp,
    rows: u32,
}

impl Written {
    /// Whether one more may be written.
    fn more(&mut self, now: Timestamp) -> bool {
        if now.since(self.since) >= Span::hours(1) {
            *self = Self { since: now, rows: 0 };
        }
        self.rows += 1;
        self.rows <= ROWS_MAX
    }
}

impl Engine {
    /// Keeps what is known of a message; refused only where the store is.
    pub(crate) async fn quarantine(&self, message: &Message, rejected: &Rejected) -> Result<(), StoreError> {
        let at = self.now();
        let row = Quarantined {
            format: FORMAT,
            reason: rejected.reason.to_owned(),
            digest: digest::shown(&message.body),
            bytes: message.body.len(),
            account: rejected.account,
            region: rejected.region.clone(),
            sent_at: message.sent_at,
            at,
        };
        let (reason, sha256, bytes) = (rejected.reason, row.digest.as_str(), row.bytes);
        if !self.memory().quarantined.more(at) {
            tracing::warn!(reason, sha256, bytes, "an unreadable message was deleted; too many to record");
            return Ok(());
        }
        tracing::warn!(reason, sha256, bytes, "an unreadable message is in quarantine");
        let key = format!("{KEYS}{}", row.digest);
        let value = serde_json::to_vec(&row).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        match self.ports.store.write(&[Put { key, value: Some(value), expect: Expect::Absent, fence: ROW_FENCE }]).await
        {
            // The same body came before.
            Ok(_) | Err(StoreError::Lost(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Drops rows that nobody looked at for long.
    pub(crate) async fn forget_quarantined(&self) {
        let Ok(page) = self.ports.store.query(KEYS, None, PAGE).await else { return };
        let now = self.now();
        let old = |value: &[u8]| {
            serde_json::from_slice::<Quarantined>(value).is_ok_and(|row| row.format <= FORMAT && now > row.at + KEPT)
        };
        let keys = page.items.into_iter().filter(|item| old(&item.value)).map(|item| item.key);
        let puts: Vec<Put> = keys.map(rows::gone).collect();
        for some in puts.chunks(WRITE_ITEMS_MAX) {
            // What is not deleted now is with the next sweep.
            let _ = self.ports.store.write(some).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_fills_no_table() {
        let mut written = Written::default();
        let taken = |written: &mut Written, at| (0..1000).filter(|_| written.more(Timestamp(at))).count();
        assert_eq!(taken(&mut written, 5_000_000), 60);
        assert_eq!(taken(&mut written, 5_000_000 + 3_599_000), 0);
        assert_eq!(taken(&mut written, 5_000_000 + 3_600_000), 60);
    }
}
