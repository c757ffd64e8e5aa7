//! Rows of the store beside the groups' records, which have leases: read whole, written by whoever knows.

use spothub_core::port::{Put, Store, StoreError, Stored};

/// Rows without a lease are facts that any worker writes the same, or have one writer, or are written over the version
/// that was read.
pub(crate) const ROW_FENCE: u64 = 1;
/// Rows in one page: some hundred KiB of usual records.
const PAGE: usize = 500;

/// Every row under a prefix, in the order of its keys.
pub(crate) async fn all(store: &dyn Store, prefix: &str) -> Result<Vec<Stored>, StoreError> {
    let (mut rows, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = store.query(prefix, after.as_deref(), PAGE).await?;
        after = page.items.last().map(|item| item.key.clone());
        rows.extend(page.items);
        if !page.more {
            return Ok(rows);
        }
    }
}

/// The write that deletes a row.
pub(crate) fn gone(key: String) -> Put {
    Put { key, value: None, expect: spothub_core::port::Expect::Anything, fence: ROW_FENCE }
}
