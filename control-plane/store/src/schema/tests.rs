//! Opening: new, present, newer, older and foreign files.

use rusqlite::Connection;
use spothub_core::port::StoreError;
use tempfile::TempDir;

use super::{MIGRATIONS, format, prepare};
use crate::Sqlite;

/// A migration as a later version may bring one.
const SECOND: &str = "ALTER TABLE tombstone ADD COLUMN why TEXT";

fn opened(directory: &TempDir, migrations: &[&str]) -> Result<Connection, StoreError> {
    let path = directory.path().join("hub.db");
    let mut connection = Connection::open(&path).unwrap();
    prepare(&mut connection, Some(&path), migrations).map(|()| connection)
}

fn files(directory: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.contains("backup"));
    names.sort();
    names
}

#[test]
fn a_new_file_has_the_newest_format_and_no_backup() {
    let directory = TempDir::new().unwrap();
    let connection = opened(&directory, &[SECOND]).unwrap();
    assert_eq!(format(&connection).unwrap(), Some(2));
    assert!(files(&directory).is_empty());
}

#[test]
fn a_file_waits_for_the_disk() {
    let directory = TempDir::new().unwrap();
    let connection = opened(&directory, MIGRATIONS).unwrap();
    let full = connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0)).unwrap();
    let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)).unwrap();
    assert_eq!((full, mode.as_str()), (2, "wal"));
}

#[test]
fn an_older_file_is_backed_up_and_migrated_once() {
    let directory = TempDir::new().unwrap();
    let old = opened(&directory, &[]).unwrap();
    old.execute("INSERT INTO item (key, version, fence, value) VALUES ('k', 1, 0, x'00')", []).unwrap();
    drop(old);
    for _ in 0..2 {
        let connection = opened(&directory, &[SECOND]).unwrap();
        assert_eq!(format(&connection).unwrap(), Some(2));
        connection.query_row("SELECT why FROM tombstone ORDER BY key", [], |_| Ok(())).unwrap_err();
    }
    assert_eq!(files(&directory), ["hub.db.format-1.backup"]);
    let backup = Connection::open(directory.path().join("hub.db.format-1.backup")).unwrap();
    assert_eq!(format(&backup).unwrap(), Some(1));
    let key = backup.query_row("SELECT key FROM item ORDER BY key", [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(key, "k");
}

#[test]
fn a_failed_migration_leaves_the_old_format_and_each_backup() {
    let directory = TempDir::new().unwrap();
    drop(opened(&directory, &[]).unwrap());
    for _ in 0..2 {
        let refused = opened(&directory, &[SECOND, "not SQL"]).err();
        assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
    }
    assert_eq!(format(&opened(&directory, &[]).unwrap()).unwrap(), Some(1));
    assert_eq!(files(&directory), ["hub.db.format-1.backup", "hub.db.format-1.backup-2"]);
}

#[test]
fn a_newer_file_is_refused_unchanged() {
    let directory = TempDir::new().unwrap();
    drop(opened(&directory, &[SECOND]).unwrap());
    let path = directory.path().join("hub.db");
    let before = std::fs::read(&path).unwrap();
    assert_eq!(Sqlite::open(&path).err(), Some(StoreError::Newer { found: 2, known: 1 }));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn something_else_is_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE song (title TEXT)").unwrap();
    let why = Sqlite::open(&path).err().unwrap().to_string();
    assert!(why.contains("other.db") && why.contains("another program"), "{why}");

    std::fs::write(&path, "a letter to a friend, longer than any header could be").unwrap();
    let why = Sqlite::open(&path).err().unwrap().to_string();
    assert!(why.contains("not a database"), "{why}");

    let why = Sqlite::open(&directory.path().join("no/such/folder.db")).err().unwrap().to_string();
    assert!(why.contains("unable to open"), "{why}");
}
