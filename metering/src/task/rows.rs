//! The rows of what was metered: the ledger's head, each hour, its records, and the lines behind them.
//!
//! | key | holds | written |
//! | --- | --- | --- |
//! | `meter/head` | [`Head`]: how far metering is | over the version that was read |
//! | `meter/hours/<YYYY-MM-DDTHH>` | [`MeteredHour`]: what an hour was worked out from | once, with the head |
//! | `meter/records/<YYYY-MM-DDTHH>/<dimension>` | [`Record`] | with the head, then over the version that was read |
//! | `meter/lines/<YYYY-MM-DDTHH>/<sha256>` | some of the hour's [`Line`]s | before the head; named by what is in it |
//! | `meter/late/<YYYY-MM-DDTHH>/<sha256>` | some of the corrections taken with the hour | likewise |
//! | `meter/flags` | [`Flags`](super::Flags) | over the version that was read |
//!
//! The head's write is the moment at which an hour counts. Lines that no hour names were written by a task that lost
//! the race, and mean nothing.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spothub_core::port::{Expect, PAGE_ITEMS_MAX, Put, Store, StoreError, Stored};
use spothub_core::time::Timestamp;

use crate::charge::{Dimension, Line, MeteringMode};
use crate::hours::{Late, spelled};
use crate::meter::hex;
use crate::record::{Path, Record};

/// Everything of ours.
pub const METER: &str = "meter/";
/// The ledger's head.
pub const HEAD: &str = "meter/head";
/// What the engine reads of metering.
pub const FLAGS: &str = "meter/flags";
/// Hours.
pub const HOURS: &str = "meter/hours/";
/// Records.
pub const RECORDS: &str = "meter/records/";
/// The format of these rows.
pub const FORMAT: u32 = 1;
/// Bytes of one chunk of lines: well below the limit of an item, which with its key is one write.
const CHUNK_BYTES: usize = 300 * 1024;

/// How far metering is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// [`FORMAT`] when it was written.
    pub format: u32,
    /// Which way this ledger's records go.
    pub path: Path,
    /// The next hour to be metered.
    pub next: Timestamp,
    /// The hour whose lines have every account's carry; `None` before the first.
    pub snapshot: Option<Timestamp>,
    /// The hour whose corrections may still lie among those that wait.
    pub last: Option<Timestamp>,
    /// Records that were not final when this was written, and those written with it: hour and dimension.
    pub open: Vec<(Timestamp, String)>,
}

/// What an hour was worked out from.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MeteredHour {
    /// [`FORMAT`] when it was written.
    pub format: u32,
    /// Its first moment.
    pub hour: Timestamp,
    /// How it counts.
    pub mode: MeteringMode,
    /// The dimensions as they were: the parts of each line are in their order.
    pub dimensions: Vec<Dimension>,
    /// The chunks with its lines.
    pub lines: Vec<String>,
    /// The chunks with the corrections taken with it.
    pub late: Vec<String>,
    /// Who worked it out.
    pub task: String,
    /// When.
    pub at: Timestamp,
    /// What an auditor should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A correction that was taken.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// It.
    pub late: Late,
    /// How the hour that it corrects counts: only a billed one's correction is billed.
    pub mode: MeteringMode,
}

/// A row as it was read.
#[derive(Clone, Debug)]
pub struct Kept<T> {
    /// What is in it.
    pub row: T,
    /// Its version.
    pub version: u64,
}

/// Why rows cannot be read or written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RowError {
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row is not what it should be.
    #[error("{key} cannot be read: {why}")]
    Unreadable {
        /// Its key.
        key: String,
        /// What is wrong.
        why: String,
    },
}

impl From<crate::hours::HoursError> for RowError {
    fn from(error: crate::hours::HoursError) -> Self {
        Self::Unreadable { key: "an account-hour".to_owned(), why: error.to_string() }
    }
}

/// An hour's key.
#[must_use]
pub fn hour_key(hour: Timestamp) -> String {
    format!("{HOURS}{}", spelled(hour))
}

/// A record's key.
#[must_use]
pub fn record_key(hour: Timestamp, dimension: &str) -> String {
    format!("{RECORDS}{}/{dimension}", spelled(hour))
}

/// The row under a key.
pub async fn get<T: DeserializeOwned>(store: &dyn Store, key: &str) -> Result<Option<Kept<T>>, RowError> {
    store.get(key).await?.map(|stored| kept(&stored)).transpose()
}

/// A row that must be there.
pub async fn need<T: DeserializeOwned>(store: &dyn Store, key: &str) -> Result<Kept<T>, RowError> {
    let missing = || RowError::Unreadable { key: key.to_owned(), why: "it is missing".to_owned() };
    get(store, key).await?.ok_or_else(missing)
}

/// Every row under a prefix, in the order of keys, as long as `wanted` says so of the key.
pub async fn all<T: DeserializeOwned>(
    store: &dyn Store,
    prefix: &str,
    wanted: impl Fn(&str) -> bool + Send,
) -> Result<Vec<(String, T)>, RowError> {
    let (mut rows, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = store.query(prefix, after.as_deref(), PAGE_ITEMS_MAX).await?;
        for item in &page.items {
            if !wanted(&item.key) {
                return Ok(rows);
            }
            rows.push((item.key.clone(), kept(item)?.row));
        }
        after = page.items.last().map(|item| item.key.clone());
        if !page.more {
            return Ok(rows);
        }
    }
}

/// The write of a row.
pub fn put<T: Serialize>(key: String, row: &T, expect: Expect) -> Result<Put, RowError> {
    Ok(Put { value: Some(bytes(&key, row)?), key, expect, fence: 1 })
}

/// Writes things in chunks that are named by what is in them, so that tasks at once cannot disturb each other.
/// Returns the chunks' names.
pub(super) async fn write_chunks<T: Serialize + Sync>(
    store: &dyn Store,
    (kind, hour): (&str, Timestamp),
    things: &[T],
) -> Result<Vec<String>, RowError> {
    let mut names = Vec::new();
    for chunk in chunks(things)? {
        let name = hex(&chunk);
        let key = chunk_key(kind, hour, &name);
        store.write(&[Put { key, value: Some(chunk), expect: Expect::Anything, fence: 1 }]).await?;
        names.push(name);
    }
    Ok(names)
}

/// Things as JSON lists of limited size.
fn chunks<T: Serialize>(things: &[T]) -> Result<Vec<Vec<u8>>, RowError> {
    let (mut all, mut chunk) = (Vec::new(), Vec::new());
    for thing in things {
        let one = bytes("a chunk", thing)?;
        if chunk.len() + one.len() > CHUNK_BYTES && !chunk.is_empty() {
            chunk.push(b']');
            all.push(std::mem::take(&mut chunk));
        }
        chunk.push(if chunk.is_empty() { b'[' } else { b',' });
        chunk.extend(one);
    }
    if !chunk.is_empty() {
        chunk.push(b']');
        all.push(chunk);
    }
    Ok(all)
}

/// Reads what [`write_chunks`] wrote, and holds each chunk to its name.
pub(super) async fn read_chunks<T: DeserializeOwned>(
    store: &dyn Store,
    (kind, hour): (&str, Timestamp),
    names: &[String],
) -> Result<Vec<T>, RowError> {
    let mut things = Vec::new();
    for name in names {
        let key = chunk_key(kind, hour, name);
        let wrong = |why: &str| RowError::Unreadable { key: key.clone(), why: why.to_owned() };
        let stored = store.get(&key).await?.ok_or_else(|| wrong("it is missing"))?;
        if hex(&stored.value) != *name {
            return Err(wrong("it is not what its name says"));
        }
        things.append(&mut kept::<Vec<T>>(&stored)?.row);
    }
    Ok(things)
}

/// The lines of an hour.
pub async fn lines(store: &dyn Store, hour: &MeteredHour) -> Result<Vec<Line>, RowError> {
    read_chunks(store, ("lines", hour.hour), &hour.lines).await
}

/// The corrections that were taken with an hour.
pub async fn taken(store: &dyn Store, hour: &MeteredHour) -> Result<Vec<Taken>, RowError> {
    read_chunks(store, ("late", hour.hour), &hour.late).await
}

/// An hour that was metered, with its lines and records: what an audit reads. `None` where it was not.
pub async fn metered(
    store: &dyn Store,
    hour: Timestamp,
) -> Result<Option<(MeteredHour, Vec<Line>, Vec<Record>)>, RowError> {
    let Some(row) = get::<MeteredHour>(store, &hour_key(hour)).await? else { return Ok(None) };
    let lines = lines(store, &row.row).await?;
    let prefix = format!("{RECORDS}{}/", spelled(hour));
    let records = all::<Record>(store, &prefix, |_| true).await?.into_iter().map(|(_, record)| record).collect();
    Ok(Some((row.row, lines, records)))
}

/// The record of an hour and dimension.
pub async fn record(store: &dyn Store, hour: Timestamp, dimension: &str) -> Result<Kept<Record>, RowError> {
    need(store, &record_key(hour, dimension)).await
}

fn chunk_key(kind: &str, hour: Timestamp, name: &str) -> String {
    format!("{METER}{kind}/{}/{name}", spelled(hour))
}

fn kept<T: DeserializeOwned>(stored: &Stored) -> Result<Kept<T>, RowError> {
    let told = |error: serde_json::Error| RowError::Unreadable { key: stored.key.clone(), why: error.to_string() };
    Ok(Kept { row: serde_json::from_slice(&stored.value).map_err(told)?, version: stored.version })
}

fn bytes<T: Serialize>(key: &str, row: &T) -> Result<Vec<u8>, RowError> {
    let told = |error: serde_json::Error| RowError::Unreadable { key: key.to_owned(), why: error.to_string() };
    serde_json::to_vec(row).map_err(told)
}

#[cfg(test)]
mod tests;
