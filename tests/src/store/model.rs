//! The store as its port describes it and nothing else: a map in memory, to hold adapters against.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use spothub_core::port::{Expect, Page, Put, Store, StoreError, Stored, WRITE_BYTES_MAX, WRITE_ITEMS_MAX};

/// What was ever written of a key.
#[derive(Clone, Default)]
struct Entry {
    version: u64,
    fence: u64,
    value: Option<Vec<u8>>,
}

/// The reference. It shares no code with the port's own rules, so that a mistake there is seen.
#[derive(Default)]
pub struct Model(Mutex<BTreeMap<String, Entry>>);

fn refusal(put: &Put, entry: &Entry) -> Option<StoreError> {
    let met = match put.expect {
        Expect::Absent => entry.value.is_none(),
        Expect::Version(version) => entry.version > 0 && entry.version == version,
        Expect::Anything => true,
    };
    if entry.fence > put.fence {
        return Some(StoreError::Fenced(put.key.clone()));
    }
    (!met).then(|| StoreError::Lost(put.key.clone()))
}

#[async_trait]
impl Store for Model {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let entries = self.0.lock().unwrap();
        let stored = |entry: &Entry| {
            let value = entry.value.clone()?;
            Some(Stored { key: key.to_owned(), version: entry.version, value })
        };
        Ok(entries.get(key).and_then(stored))
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let entries = self.0.lock().unwrap();
        let fits = |key: &str| key.starts_with(prefix) && after.is_none_or(|after| key > after);
        let all = entries.iter().filter(|(key, _)| fits(key)).filter_map(|(key, entry)| {
            Some(Stored { key: key.clone(), version: entry.version, value: entry.value.clone()? })
        });
        let mut items: Vec<Stored> = all.collect();
        let limit = limit.clamp(1, 1000);
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Page { items, more })
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        let mut entries = self.0.lock().unwrap();
        let bytes: usize = puts.iter().map(|put| put.key.len() + put.value.as_deref().map_or(0, <[u8]>::len)).sum();
        let twice = puts.iter().enumerate().any(|(n, put)| puts[..n].iter().any(|other| other.key == put.key));
        if puts.len() > WRITE_ITEMS_MAX || bytes > WRITE_BYTES_MAX || twice {
            return Err(StoreError::TooLarge(String::new()));
        }
        let refused = puts.iter().find_map(|put| {
            let entry = entries.get(&put.key).cloned().unwrap_or_default();
            refusal(put, &entry)
        });
        if let Some(refused) = refused {
            return Err(refused);
        }
        let write = |put: &Put| {
            let entry = entries.entry(put.key.clone()).or_default();
            *entry = Entry { version: entry.version + 1, fence: put.fence, value: put.value.clone() };
            entry.version
        };
        Ok(puts.iter().map(write).collect())
    }
}
