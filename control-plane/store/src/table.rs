//! Reads and writes of items: versions, fences and conditions.
//!
//! A deleted key leaves a tombstone with its version and fence in a table of its own, so that versions go on
//! growing, a late writer stays fenced off, and a query never walks over what was deleted.

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, params, params_from_iter};
use spothub_core::port::{Expect, PAGE_ITEMS_MAX, Page, Past, Put, StoreError, Stored, within_limits};

use crate::unavailable;

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
const ALL: &str = "SELECT key, version, fence, value FROM item ORDER BY key";
const ALL_DEAD: &str = "SELECT key, version, fence FROM tombstone ORDER BY key";
const UNBURY: &str = "DELETE FROM tombstone WHERE key = ?1";

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
    let limit = limit.clamp(1, PAGE_ITEMS_MAX);
    // The least text that lies after `after` is `after` and one NUL.
    let from = after.map_or_else(String::new, |after| format!("{after}\0"));
    let from = if from.as_str() < prefix { prefix } else { &from };
    // One more tells whether there are more.
    let most = u16::try_from(limit + 1).unwrap_or(u16::MAX);
    let mut select = statement(connection, QUERY)?;
    let rows = match end_of(prefix) {
        Some(end) => select.query_map(params![from, end, most], stored),
        // SQLite orders each text before each blob.
        None => select.query_map(params![from, [0_u8; 0].as_slice(), most], stored),
    };
    let mut items: Vec<Stored> = rows.and_then(Iterator::collect).map_err(unavailable)?;
    let more = items.len() > limit;
    items.truncate(limit);
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

/// Copies every row into a database that has none.
pub(crate) fn copy(from: &Connection, to: &Connection) -> Result<(), StoreError> {
    for (all, insert, columns) in [(ALL, INSERT, 4), (ALL_DEAD, BURY, 3)] {
        let mut select = statement(from, all)?;
        let mut rows = select.query([]).map_err(unavailable)?;
        while let Some(row) = rows.next().map_err(unavailable)? {
            let values: rusqlite::Result<Vec<Value>> = (0..columns).map(|n| row.get(n)).collect();
            run(to, insert, params_from_iter(values.map_err(unavailable)?))?;
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
        pasts.push((past, past.admit(put)?));
    }
    puts.iter().zip(pasts).map(|(put, (past, version))| write_one(connection, put, past, version)).collect()
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

fn write_one(connection: &Connection, put: &Put, past: Past, version: u64) -> Result<u64, StoreError> {
    let key = put.key.as_str();
    // Stored as SQLite's signed integers, bit for bit.
    let mark = (version.cast_signed(), put.fence.cast_signed());
    match (&put.value, past.live) {
        (Some(value), true) => run(connection, UPDATE, params![key, mark.0, mark.1, value])?,
        (Some(value), false) => {
            if past != Past::NEVER {
                run(connection, UNBURY, [key])?;
            }
            run(connection, INSERT, params![key, mark.0, mark.1, value])?;
        }
        (None, true) => {
            run(connection, DELETE, [key])?;
            run(connection, BURY, params![key, mark.0, mark.1])?;
        }
        (None, false) => run(connection, BURY, params![key, mark.0, mark.1])?,
    }
    Ok(version)
}

fn past(connection: &Connection, key: &str) -> Result<Past, StoreError> {
    let found = |sql| statement(connection, sql)?.query_row([key], mark).optional().map_err(unavailable);
    if let Some((version, fence)) = found(LIVE)? {
        return Ok(Past { version, fence, live: true });
    }
    Ok(found(DEAD)?.map_or(Past::NEVER, |(version, fence)| Past { version, fence, live: false }))
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

fn mark(row: &Row<'_>) -> rusqlite::Result<(u64, u64)> {
    Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
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
