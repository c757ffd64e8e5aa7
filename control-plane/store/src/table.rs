//! Reads and writes of items: versions, fences and conditions.
//!
//! A deleted key leaves a tombstone with its version and fence in a table of its own, so that versions go on
//! growing, a late writer stays fenced off, and a query never walks over what was deleted.

use std::collections::BTreeSet;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, params};
use spothub_core::port::{Expect, Page, Put, StoreError, Stored, WRITE_BYTES_MAX, WRITE_ITEMS_MAX};

use crate::unavailable;

/// The port's limit for a key, in bytes; DynamoDB's own for a sort key.
const KEY_BYTES_MAX: usize = 1024;
/// The port's limit for a page.
const PAGE_ITEMS_MAX: u16 = 1000;

const GET: &str = "SELECT key, version, value FROM item WHERE key = ?1 ORDER BY key";
const QUERY: &str = "SELECT key, version, value FROM item WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
const LIVE: &str = "SELECT version, fence FROM item WHERE key = ?1 ORDER BY key";
const DEAD: &str = "SELECT version, fence FROM tombstone WHERE key = ?1 ORDER BY key";
const INSERT: &str = "INSERT INTO item (key, version, fence, value) VALUES (?1, ?2, ?3, ?4)";
const UPDATE: &str = "UPDATE item SET version = ?2, fence = ?3, value = ?4 WHERE key = ?1";
/// The commonest write in one statement. A fence that does not fit SQLite's signed integers is left to the long way.
const ADVANCE: &str = "UPDATE item SET version = ?5, fence = ?3, value = ?4 \
                       WHERE key = ?1 AND version = ?2 AND fence BETWEEN 0 AND ?3";
const DELETE: &str = "DELETE FROM item WHERE key = ?1";
const BURY: &str = "INSERT INTO tombstone (key, version, fence) VALUES (?1, ?2, ?3) \
                    ON CONFLICT (key) DO UPDATE SET version = excluded.version, fence = excluded.fence";
const UNBURY: &str = "DELETE FROM tombstone WHERE key = ?1";

/// What the last write of a key left.
#[derive(Clone, Copy)]
enum Past {
    /// Nobody ever wrote it.
    Never,
    /// It was deleted.
    Deleted(Mark),
    /// It is there.
    Live(Mark),
}

/// Version and highest fence of a key.
#[derive(Clone, Copy)]
struct Mark {
    version: u64,
    fence: u64,
}

impl Past {
    fn mark(self) -> Mark {
        match self {
            Self::Never => Mark { version: 0, fence: 0 },
            Self::Deleted(mark) | Self::Live(mark) => mark,
        }
    }

    fn meets(self, expect: Expect) -> bool {
        match (expect, self) {
            (Expect::Anything, _) | (Expect::Absent, Self::Never | Self::Deleted(_)) => true,
            (Expect::Absent, Self::Live(_)) | (Expect::Version(_), Self::Never) => false,
            (Expect::Version(version), Self::Deleted(mark) | Self::Live(mark)) => mark.version == version,
        }
    }
}

/// The item under a key.
pub(crate) fn get(connection: &Connection, key: &str) -> Result<Option<Stored>, StoreError> {
    statement(connection, GET)?.query_row([key], stored).optional().map_err(unavailable)
}

/// One page of the items whose key begins with `prefix`; see the port.
pub(crate) fn query(
    connection: &Connection,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page, StoreError> {
    let limit = u16::try_from(limit).unwrap_or(PAGE_ITEMS_MAX).clamp(1, PAGE_ITEMS_MAX);
    // The least text that lies after `after` is `after` and one NUL.
    let from = after.map_or_else(String::new, |after| format!("{after}\0"));
    let from = if from.as_str() < prefix { prefix } else { &from };
    let mut select = statement(connection, QUERY)?;
    let rows = match end_of(prefix) {
        Some(end) => select.query_map(params![from, end, limit + 1], stored),
        // SQLite orders each text before each blob.
        None => select.query_map(params![from, [0_u8; 0].as_slice(), limit + 1], stored),
    };
    let mut items: Vec<Stored> = rows.and_then(Iterator::collect).map_err(unavailable)?;
    let more = items.len() > usize::from(limit);
    items.truncate(usize::from(limit));
    Ok(Page { items, more })
}

/// Writes all of `puts` or nothing; see the port. Where several conditions fail, the first of them is named, and a
/// fence before a lost race.
pub(crate) fn write(connection: &Connection, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
    within_limits(puts)?;
    if puts.is_empty() {
        return Ok(Vec::new());
    }
    if !connection.is_autocommit() {
        // In memory one transaction stays open for good: see `schema::prepare`.
        return write_all(connection, puts);
    }
    run(connection, "BEGIN IMMEDIATE", [])?;
    let done = write_all(connection, puts).and_then(|versions| {
        run(connection, "COMMIT", [])?;
        Ok(versions)
    });
    // Some errors make SQLite roll back by itself; then there is no transaction left to end.
    if done.is_err() && !connection.is_autocommit() {
        run(connection, "ROLLBACK", [])?;
    }
    done
}

fn within_limits(puts: &[Put]) -> Result<(), StoreError> {
    let refuse = |why: String| Err(StoreError::TooLarge(why));
    if puts.len() > WRITE_ITEMS_MAX {
        return refuse(format!("{} items", puts.len()));
    }
    let bytes: usize = puts.iter().map(|put| put.key.len() + put.value.as_ref().map_or(0, Vec::len)).sum();
    if bytes > WRITE_BYTES_MAX {
        return refuse(format!("{bytes} bytes"));
    }
    let mut keys = BTreeSet::new();
    for Put { key, .. } in puts {
        if key.len() > KEY_BYTES_MAX {
            return refuse(format!("a key of {} bytes, and {KEY_BYTES_MAX} is the most", key.len()));
        }
        if !keys.insert(key) {
            return refuse(format!("{key} twice"));
        }
    }
    Ok(())
}

/// Judges every condition before the first change, so that a refusal has nothing to undo.
fn write_all(connection: &Connection, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
    if let [put] = puts
        && let Some(version) = advanced(connection, put)?
    {
        return Ok(vec![version]);
    }
    let mut pasts = Vec::with_capacity(puts.len());
    for put in puts {
        let past = past(connection, &put.key)?;
        if put.fence < past.mark().fence {
            return Err(StoreError::Fenced(put.key.clone()));
        }
        if !past.meets(put.expect) {
            return Err(StoreError::Lost(put.key.clone()));
        }
        pasts.push(past);
    }
    puts.iter().zip(pasts).map(|(put, past)| write_one(connection, put, past)).collect()
}

/// The next version, if a single put replaces exactly the version that it names; otherwise nothing was done, and the
/// long way finds out why.
fn advanced(connection: &Connection, put: &Put) -> Result<Option<u64>, StoreError> {
    let (Expect::Version(version), Some(value)) = (put.expect, &put.value) else { return Ok(None) };
    // The greatest version has none after it; the long way says that it is not the one that is stored.
    let Some(next) = version.checked_add(1) else { return Ok(None) };
    let values = params![put.key, version.cast_signed(), put.fence.cast_signed(), value, next.cast_signed()];
    let changed = statement(connection, ADVANCE)?.execute(values).map_err(unavailable)?;
    Ok((changed == 1).then_some(next))
}

fn write_one(connection: &Connection, put: &Put, past: Past) -> Result<u64, StoreError> {
    let key = put.key.as_str();
    let version = past.mark().version + 1;
    // Stored as SQLite's signed integers, bit for bit.
    let mark = (version.cast_signed(), put.fence.cast_signed());
    match (&put.value, past) {
        (Some(value), Past::Live(_)) => run(connection, UPDATE, params![key, mark.0, mark.1, value])?,
        (Some(value), Past::Never) => run(connection, INSERT, params![key, mark.0, mark.1, value])?,
        (Some(value), Past::Deleted(_)) => {
            run(connection, UNBURY, [key])?;
            run(connection, INSERT, params![key, mark.0, mark.1, value])?;
        }
        (None, Past::Live(_)) => {
            run(connection, DELETE, [key])?;
            run(connection, BURY, params![key, mark.0, mark.1])?;
        }
        (None, Past::Never | Past::Deleted(_)) => run(connection, BURY, params![key, mark.0, mark.1])?,
    }
    Ok(version)
}

fn past(connection: &Connection, key: &str) -> Result<Past, StoreError> {
    let found = |sql| statement(connection, sql)?.query_row([key], mark).optional().map_err(unavailable);
    if let Some(mark) = found(LIVE)? {
        return Ok(Past::Live(mark));
    }
    Ok(found(DEAD)?.map_or(Past::Never, Past::Deleted))
}

/// The least text after all that begin with `prefix`; `None` where there is none. UTF-8 orders as its characters do.
fn end_of(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // The range skips the surrogates, which are no characters.
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored { key: row.get(0)?, version: row.get::<_, i64>(1)?.cast_unsigned(), value: row.get(2)? })
}

fn mark(row: &Row<'_>) -> rusqlite::Result<Mark> {
    Ok(Mark { version: row.get::<_, i64>(0)?.cast_unsigned(), fence: row.get::<_, i64>(1)?.cast_unsigned() })
}

fn statement<'a>(connection: &'a Connection, sql: &str) -> Result<CachedStatement<'a>, StoreError> {
    connection.prepare_cached(sql).map_err(unavailable)
}

fn run(connection: &Connection, sql: &str, values: impl Params) -> Result<(), StoreError> {
    statement(connection, sql)?.execute(values).map(|_| ()).map_err(unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_character() {
        assert_eq!(end_of("a/"), Some("a0".to_owned()));
        assert_eq!(end_of("a\u{d7ff}"), Some("a\u{e000}".to_owned()));
        assert_eq!(end_of("a\u{10ffff}"), Some("b".to_owned()));
        assert_eq!(end_of("\u{10ffff}"), None);
        assert_eq!(end_of(""), None);
    }
}
