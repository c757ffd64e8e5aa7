//! Ports of a process that only looks: nothing comes in, nothing is kept, and nothing can be written.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use spothub_core::fault::Fault;
use spothub_core::id::GroupKey;
use spothub_core::port::{
    Clock, Directory, Inbox, Journal, Lane, Look, Message, Note, Page, Prices, Put, Receipt, Store, StoreError, Stored,
};
use spothub_core::record::GroupRecord;
use spothub_core::time::{Span, Timestamp};

use crate::engine::Ports;
use crate::held::record_key;

/// A store that holds at most what it was made with and refuses every write, an inbox where nothing arrives, and a
/// journal that nobody reads.
#[derive(Clone, Debug, Default)]
pub struct Blank {
    items: BTreeMap<String, Vec<u8>>,
}

impl Blank {
    /// A store that holds these records.
    #[must_use]
    pub fn holding<'a>(records: impl Iterator<Item = (&'a GroupKey, &'a GroupRecord)>) -> Self {
        let item = |(group, record)| Some((record_key(group), serde_json::to_vec(record).ok()?));
        Self { items: records.filter_map(item).collect() }
    }

    fn stored(key: &str, value: &[u8]) -> Stored {
        Stored { key: key.to_owned(), version: 1, value: value.to_vec() }
    }
}

/// The ports of an engine that is to look and nothing else: no `Act`, and a store that refuses writes.
#[must_use]
pub fn reading(
    look: Arc<dyn Look>,
    prices: Arc<dyn Prices>,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    kept: Blank,
) -> Ports {
    let kept = Arc::new(kept);
    Ports {
        look,
        act: None,
        prices,
        directory,
        store: kept.clone(),
        inbox: kept.clone(),
        clock,
        journal: kept,
        policies: None,
        commitments: None,
        placement: None,
    }
}

#[async_trait]
impl Store for Blank {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        Ok(self.items.get(key).map(|value| Self::stored(key, value)))
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let found =
            self.items.iter().filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|a| key.as_str() > a));
        let mut items: Vec<Stored> = found.take(limit + 1).map(|(key, value)| Self::stored(key, value)).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Page { items, more })
    }

    async fn write(&self, _puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        Err(StoreError::Unavailable("a survey writes nothing".to_owned()))
    }
}

#[async_trait]
impl Inbox for Blank {
    async fn receive(&self, _lane: Lane, _max: usize) -> Result<Vec<Message>, Fault> {
        Ok(Vec::new())
    }

    async fn later(&self, _lane: Lane, _body: String, _delay: Span) -> Result<(), Fault> {
        Ok(())
    }

    async fn delete(&self, _lane: Lane, _receipts: &[Receipt]) -> Result<(), Fault> {
        Ok(())
    }
}

impl Journal for Blank {
    fn note(&self, _now: Timestamp, _note: &Note<'_>) {}
}
