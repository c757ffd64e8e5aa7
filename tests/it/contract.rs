//! The shared suite of the store on SQLite, in memory and in a file, and what only a file can show.

use std::sync::Arc;

use futures::executor::block_on;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use spothub_core::port::{Expect, Put, Store, StoreError};
use spothub_store::Sqlite;
use spothub_tests::store::{Stores, fenced, item, plays, put};

/// One process: both workers have the same connection.
fn in_memory() -> Stores {
    let store: Arc<dyn Store> = Arc::new(Sqlite::memory().unwrap());
    Stores { one: Arc::clone(&store), two: store }
}

/// Runs one case on a fresh store of each kind; in a file each worker has a connection of its own.
fn play<F: Future<Output = ()>>(case: impl Fn(Stores) -> F) {
    block_on(case(in_memory()));
    let directory = tempfile::tempdir().unwrap();
    let open = || -> Arc<dyn Store> { Arc::new(Sqlite::open(&directory.path().join("store.db")).unwrap()) };
    block_on(case(Stores { one: open(), two: open() }));
}

macro_rules! on_sqlite {
    ($($module:ident { $($case:ident,)* })*) => {
        $(mod $module {
            $(#[test]
            fn $case() {
                super::play(spothub_tests::store::$module::$case);
            })*
        })*
    };
}

spothub_tests::store_cases!(on_sqlite);

/// Random steps are answered as the port's own description answers them.
#[test]
fn any_sequence_is_answered_as_the_model_does() {
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let play = |steps: Vec<(bool, plays::Step)>| {
        block_on(plays::play(&in_memory(), &steps));
        Ok::<(), TestCaseError>(())
    };
    TestRunner::new(config).run(&plays::steps(40), play).unwrap();
}

#[test]
fn a_file_keeps_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    {
        let store = Sqlite::open(&path).unwrap();
        block_on(store.write(&[Put { fence: 7, ..put("k", "v", Expect::Absent) }])).unwrap();
    }
    let store = Sqlite::open(&path).unwrap();
    assert_eq!(block_on(store.get("k")).unwrap(), Some(item("k", 1, "v")));
    assert_eq!(block_on(store.write(&[fenced("k", 6)])), Err(StoreError::Fenced("k".to_owned())));
}

#[test]
fn two_processes_share_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let (hub, command) = (Sqlite::open(&path).unwrap(), Sqlite::open(&path).unwrap());
    block_on(hub.write(&[put("k", "hub", Expect::Absent)])).unwrap();
    assert_eq!(block_on(command.write(&[put("k", "command", Expect::Version(1))])).unwrap(), [2]);
    assert_eq!(block_on(hub.write(&[put("k", "hub", Expect::Version(1))])), Err(StoreError::Lost("k".to_owned())));
    assert_eq!(block_on(hub.get("k")).unwrap(), Some(item("k", 2, "command")));
}

#[test]
fn the_counters_count_what_happened() {
    let store = Sqlite::memory().unwrap();
    block_on(store.write(&[put("a", "v", Expect::Absent), put("b", "v", Expect::Absent)])).unwrap();
    block_on(store.write(&[put("a", "v", Expect::Absent)])).unwrap_err();
    block_on(store.write(&[])).unwrap();
    block_on(store.get("a")).unwrap();
    block_on(store.query("", None, 10)).unwrap();
    assert_eq!((store.reads(), store.writes(), store.items_written()), (2, 1, 2));
}
