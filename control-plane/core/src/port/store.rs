//! Durable state, in the shape that DynamoDB can keep: single items under conditions, and small atomic writes.
//! There are no joins and no transactions across more than [`WRITE_ITEMS_MAX`] items.
//!
//! What a write is judged by ([`within_limits`], [`Past::admit`]) stands here once, so that adapters cannot differ.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::time::Span;

/// Items in one atomic write: a comfortable part of DynamoDB's 100, so that one write stays one request.
pub const WRITE_ITEMS_MAX: usize = 25;
/// Bytes (keys and values) in one atomic write: DynamoDB's limit for an item, taken for all of them together.
pub const WRITE_BYTES_MAX: usize = 400 * 1024;
/// Bytes of one item's key and value: DynamoDB's limit for an item, less 4 KiB for what an adapter keeps beside them.
pub const ITEM_BYTES_MAX: usize = 396 * 1024;
/// Bytes of a key, of which there is at least one: DynamoDB's own limit for a sort key.
pub const KEY_BYTES_MAX: usize = 1024;
/// Items in one page of a query: some MiB of usual records, and one round trip or two.
pub const PAGE_ITEMS_MAX: usize = 1000;
/// The highest fence of a writer that has no lease: rows that are facts, the same whoever writes them.
pub const LEASELESS_FENCE_MAX: u64 = 1;
/// A key that was deleted this long ago, and never written with a fence above [`LEASELESS_FENCE_MAX`], may be
/// forgotten: its versions then begin at 1 again. Twice as long as a queue keeps a message, so nobody comes back to it.
/// What a lease ever guarded is never forgotten, so that no fence is ever let in again once it was passed.
pub const FORGOTTEN_AFTER: Span = Span::hours(30 * 24);

/// A stored value and the version that a later write can insist on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// The key.
    pub key: String,
    /// Starts at 1 and grows by one with each write of the key, also across deletion (but see [`FORGOTTEN_AFTER`]).
    pub version: u64,
    /// The value.
    pub value: Vec<u8>,
}

/// What must hold of the key for the write to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expect {
    /// Nobody wrote it yet, or it was deleted.
    Absent,
    /// Its version is exactly this.
    Version(u64),
    /// Nothing: the last writer wins. Only for what has one writer by construction.
    Anything,
}

/// One item of an atomic write.
#[derive(Clone, Debug)]
pub struct Put {
    /// The key, 1 to [`KEY_BYTES_MAX`] bytes.
    pub key: String,
    /// The new value, or `None` to delete it.
    pub value: Option<Vec<u8>>,
    /// The condition.
    pub expect: Expect,
    /// The writer's fencing token: refused where the key was ever written with a higher one. 0 or 1 without a lease.
    pub fence: u64,
}

/// One page of a query, in key order.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The items.
    pub items: Vec<Stored>,
    /// Whether more follow the last item.
    pub more: bool,
}

/// Why a write or read did not happen.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StoreError {
    /// A condition did not hold: somebody else was faster. A result, not a failure; nothing was written.
    #[error("lost the race for {0}")]
    Lost(String),
    /// A higher fencing token was seen: this writer's lease is over; nothing was written.
    #[error("fenced off {0}")]
    Fenced(String),
    /// The write has too many items or bytes, an empty key, or a key twice; nothing was written.
    #[error(
        "an atomic write holds at most {WRITE_ITEMS_MAX} items with different keys and {WRITE_BYTES_MAX} bytes: {0}"
    )]
    TooLarge(String),
    /// The store was made by a newer program.
    #[error("the store has format {found}, and this program knows up to {known}: run the newer program")]
    Newer {
        /// The store's format.
        found: u32,
        /// The newest known here.
        known: u32,
    },
    /// The store does not answer. It may have written.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
}

/// The one port for durable state.
#[async_trait]
pub trait Store: Send + Sync {
    /// The item under a key, read strongly.
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError>;

    /// Items whose key begins with `prefix` and lies after `after`, in the order of the keys' bytes, at most `limit`
    /// (made to fit 1 to [`PAGE_ITEMS_MAX`]). Each item is read strongly; the page as a whole is no snapshot.
    ///
    /// Give the prefix up to a `/` at least, as `group/`: an adapter may have to read everything for a shorter one.
    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError>;

    /// Writes all of `puts`, or nothing. Returns the new versions in the order of `puts`.
    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError>;
}

/// What the last write of a key left behind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Past {
    /// How often it was written.
    pub version: u64,
    /// The highest fence that it was written with.
    pub fence: u64,
    /// Whether it is there: written, and not deleted since.
    pub live: bool,
}

impl Past {
    /// Nobody ever wrote it, or it was forgotten.
    pub const NEVER: Self = Self { version: 0, fence: 0, live: false };

    /// The version that a write gives to a key with this past; or why it may not, a fence before a lost race.
    pub fn admit(self, put: &Put) -> Result<u64, StoreError> {
        if put.fence < self.fence {
            return Err(StoreError::Fenced(put.key.clone()));
        }
        let met = match put.expect {
            Expect::Anything => true,
            Expect::Absent => !self.live,
            Expect::Version(version) => self.version == version && self.version > 0,
        };
        // The greatest version has none after it; nothing ever gets there.
        let next = self.version.checked_add(1).filter(|_| met);
        next.ok_or_else(|| StoreError::Lost(put.key.clone()))
    }
}

/// Whether a write is one that every adapter can do; otherwise [`StoreError::TooLarge`].
pub fn within_limits(puts: &[Put]) -> Result<(), StoreError> {
    let refuse = |why: String| Err(StoreError::TooLarge(why));
    if puts.len() > WRITE_ITEMS_MAX {
        return refuse(format!("{} items", puts.len()));
    }
    let size = |put: &Put| put.key.len() + put.value.as_ref().map_or(0, Vec::len);
    let bytes: usize = puts.iter().map(size).sum();
    if bytes > WRITE_BYTES_MAX {
        return refuse(format!("{bytes} bytes"));
    }
    let mut keys = BTreeSet::new();
    for put in puts {
        let key = &put.key;
        if !(1..=KEY_BYTES_MAX).contains(&key.len()) {
            return refuse(format!("a key of {} bytes, and it has 1 to {KEY_BYTES_MAX}", key.len()));
        }
        if size(put) > ITEM_BYTES_MAX {
            return refuse(format!("{key} alone has {} bytes, and {ITEM_BYTES_MAX} is the most", size(put)));
        }
        if !keys.insert(key) {
            return refuse(format!("{key} twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(expect: Expect, fence: u64) -> Put {
        Put { key: "k".to_owned(), value: None, expect, fence }
    }

    #[test]
    fn a_write_is_judged_by_the_past() {
        let lost = || Err(StoreError::Lost("k".to_owned()));
        let live = Past { version: 3, fence: 5, live: true };
        let dead = Past { live: false, ..live };
        let cases = [
            (Past::NEVER, Expect::Absent, 0, Ok(1)),
            (Past::NEVER, Expect::Anything, 0, Ok(1)),
            (Past::NEVER, Expect::Version(0), 0, lost()),
            (live, Expect::Absent, 5, lost()),
            (live, Expect::Version(3), 5, Ok(4)),
            (live, Expect::Version(2), 9, lost()),
            (live, Expect::Version(2), 4, Err(StoreError::Fenced("k".to_owned()))),
            (dead, Expect::Absent, 5, Ok(4)),
            (dead, Expect::Version(3), 5, Ok(4)),
            (dead, Expect::Anything, 4, Err(StoreError::Fenced("k".to_owned()))),
            (Past { version: u64::MAX, ..live }, Expect::Anything, 9, lost()),
        ];
        for (past, expect, fence, told) in cases {
            assert_eq!(past.admit(&put(expect, fence)), told, "{past:?} {expect:?} {fence}");
        }
    }

    #[test]
    fn one_item_has_room_for_what_is_kept_beside_it() {
        let sized = |bytes: usize| [Put { value: Some(vec![0; bytes]), ..put(Expect::Anything, 0) }];
        assert!(within_limits(&sized(ITEM_BYTES_MAX - 1)).is_ok());
        let told = within_limits(&sized(ITEM_BYTES_MAX)).unwrap_err().to_string();
        assert!(told.contains("k alone has 405505 bytes"), "{told}");
        let empty = Put { key: String::new(), ..put(Expect::Anything, 0) };
        assert!(matches!(within_limits(&[empty]), Err(StoreError::TooLarge(_))));
    }
}
