//! A `Store` in memory, judged by core's own rules for a write. Tells what was changed.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use spothub_core::port::{Page, Past, Put, Store, StoreError, Stored, within_limits};

#[derive(Default)]
pub(crate) struct Memory {
    rows: Mutex<BTreeMap<String, (Past, Vec<u8>)>>,
    changed: Mutex<Vec<String>>,
}

impl Memory {
    /// The keys written since this was last asked.
    pub(crate) fn changed(&self) -> Vec<String> {
        std::mem::take(&mut self.changed.lock().unwrap())
    }

    /// The value under a key.
    pub(crate) fn value(&self, key: &str) -> Option<Vec<u8>> {
        self.rows.lock().unwrap().get(key).filter(|(past, _)| past.live).map(|(_, value)| value.clone())
    }
}

#[async_trait]
impl Store for Memory {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let rows = self.rows.lock().unwrap();
        let live = rows.get(key).filter(|(past, _)| past.live);
        Ok(live.map(|(past, value)| Stored { key: key.to_owned(), version: past.version, value: value.clone() }))
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let rows = self.rows.lock().unwrap();
        let from = after.filter(|after| *after >= prefix).unwrap_or(prefix).to_owned();
        let found = rows.range(from..).take_while(|(key, _)| key.starts_with(prefix));
        let found = found.filter(|(key, (past, _))| past.live && after.is_none_or(|after| key.as_str() > after));
        let mut items: Vec<Stored> = found
            .take(limit + 1)
            .map(|(key, (past, value))| Stored { key: key.clone(), version: past.version, value: value.clone() })
            .collect();
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Page { items, more })
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        within_limits(puts)?;
        let mut rows = self.rows.lock().unwrap();
        let past = |rows: &BTreeMap<String, (Past, Vec<u8>)>, key: &str| rows.get(key).map_or(Past::NEVER, |row| row.0);
        let versions: Vec<u64> =
            puts.iter().map(|put| past(&rows, &put.key).admit(put)).collect::<Result<_, StoreError>>()?;
        for (put, &version) in puts.iter().zip(&versions) {
            let fence = past(&rows, &put.key).fence.max(put.fence);
            let now = Past { version, fence, live: put.value.is_some() };
            rows.insert(put.key.clone(), (now, put.value.clone().unwrap_or_default()));
            self.changed.lock().unwrap().push(put.key.clone());
        }
        Ok(versions)
    }
}
