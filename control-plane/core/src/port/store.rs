//! Durable state, in the shape that DynamoDB can keep: single items under conditions, and small atomic writes.
//! There are no joins and no transactions across more than [`WRITE_ITEMS_MAX`] items.

use async_trait::async_trait;

/// Items in one atomic write: a comfortable part of DynamoDB's 100, so that one write stays one request.
pub const WRITE_ITEMS_MAX: usize = 25;
/// Bytes (keys and values) in one atomic write: DynamoDB's limit for an item, taken for all of them together.
pub const WRITE_BYTES_MAX: usize = 400 * 1024;

/// A stored value and the version that a later write can insist on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// The key.
    pub key: String,
    /// Starts at 1 and grows by one with each write of the key, also across deletion.
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
    /// The key, at most 1,024 bytes.
    pub key: String,
    /// The new value, or `None` to delete it.
    pub value: Option<Vec<u8>>,
    /// The condition.
    pub expect: Expect,
    /// The writer's fencing token: refused where the key was ever written with a higher one.
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
    /// The write has too many items or bytes, or a key twice; nothing was written.
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

    /// Items whose key begins with `prefix` and lies after `after`, in key order, at most `limit` (1 to 1,000).
    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError>;

    /// Writes all of `puts`, or nothing. Returns the new versions in the order of `puts`.
    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError>;
}
