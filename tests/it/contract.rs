//! What every [`Store`] must do, whoever keeps the bytes: one body for each promise, run on each adapter.
//!
//! An adapter that is new here needs a line in [`on_each`] and nothing else.

use futures::executor::block_on;
use futures::future::BoxFuture;
use spothub_core::port::{Expect, Page, Put, Store, StoreError, Stored, WRITE_BYTES_MAX, WRITE_ITEMS_MAX};
use spothub_store::Sqlite;

/// Runs one promise on a fresh store of each kind.
fn on_each(promise: impl for<'a> Fn(&'a dyn Store) -> BoxFuture<'a, ()>) {
    block_on(promise(&Sqlite::memory().unwrap()));
    let directory = tempfile::tempdir().unwrap();
    block_on(promise(&Sqlite::open(&directory.path().join("store.db")).unwrap()));
}

macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            on_each(|store| Box::pin(promise::$name(store)));
        })*
    };
}

promises![
    an_unknown_key_is_absent,
    versions_grow_by_one,
    a_lost_race_writes_nothing,
    a_version_must_be_exact,
    several_items_are_written_together_or_not_at_all,
    a_lower_fence_is_refused,
    a_fence_comes_before_a_lost_race,
    versions_and_fences_outlive_deletion,
    deleting_what_was_never_there_counts,
    a_query_is_in_key_order,
    a_query_keeps_to_its_prefix,
    a_query_goes_on_after_a_key,
    pages_join_without_gap_or_repeat,
    an_odd_limit_is_made_to_fit,
    limits_of_a_write_are_kept,
    a_key_twice_is_refused,
    values_are_bytes,
    keys_are_any_text,
    an_empty_write_does_nothing,
];

fn put(key: &str, value: &str, expect: Expect) -> Put {
    Put { key: key.to_owned(), value: Some(value.as_bytes().to_vec()), expect, fence: 0 }
}

fn fenced(key: &str, fence: u64) -> Put {
    Put { fence, ..put(key, "v", Expect::Anything) }
}

fn delete(key: &str, expect: Expect) -> Put {
    Put { key: key.to_owned(), value: None, expect, fence: 0 }
}

fn item(key: &str, version: u64, value: &str) -> Stored {
    Stored { key: key.to_owned(), version, value: value.as_bytes().to_vec() }
}

fn keys(page: &Page) -> Vec<&str> {
    page.items.iter().map(|item| item.key.as_str()).collect()
}

async fn fill(store: &dyn Store, keys: &[&str]) {
    for key in keys {
        store.write(&[put(key, key, Expect::Anything)]).await.unwrap();
    }
}

mod promise {
    use super::*;

    pub(super) async fn an_unknown_key_is_absent(store: &dyn Store) {
        assert_eq!(store.get("k").await.unwrap(), None);
        let page = store.query("", None, 10).await.unwrap();
        assert!(page.items.is_empty() && !page.more);
    }

    pub(super) async fn versions_grow_by_one(store: &dyn Store) {
        assert_eq!(store.write(&[put("k", "a", Expect::Absent)]).await.unwrap(), [1]);
        assert_eq!(store.write(&[put("k", "b", Expect::Version(1))]).await.unwrap(), [2]);
        assert_eq!(store.write(&[put("k", "c", Expect::Anything)]).await.unwrap(), [3]);
        assert_eq!(store.get("k").await.unwrap(), Some(item("k", 3, "c")));
        let both = [put("new", "n", Expect::Absent), put("k", "d", Expect::Version(3))];
        assert_eq!(store.write(&both).await.unwrap(), [1, 4], "in the order of the items");
    }

    pub(super) async fn a_lost_race_writes_nothing(store: &dyn Store) {
        fill(store, &["k"]).await;
        let lost = Err(StoreError::Lost("k".to_owned()));
        assert_eq!(store.write(&[put("k", "b", Expect::Absent)]).await, lost);
        assert_eq!(store.write(&[put("k", "b", Expect::Version(2))]).await, lost);
        assert_eq!(store.write(&[delete("k", Expect::Version(2))]).await, lost);
        assert_eq!(store.get("k").await.unwrap(), Some(item("k", 1, "k")));
    }

    pub(super) async fn a_version_must_be_exact(store: &dyn Store) {
        for version in [0, 1, u64::MAX] {
            let lost = store.write(&[put("never", "v", Expect::Version(version))]).await;
            assert_eq!(lost, Err(StoreError::Lost("never".to_owned())), "version {version} of what was never there");
        }
        fill(store, &["k", "k"]).await;
        for version in [0, 1, 3, u64::MAX] {
            store.write(&[put("k", "v", Expect::Version(version))]).await.unwrap_err();
        }
        assert_eq!(store.write(&[put("k", "v", Expect::Version(2))]).await.unwrap(), [3]);
    }

    pub(super) async fn several_items_are_written_together_or_not_at_all(store: &dyn Store) {
        fill(store, &["b", "gone", "stays"]).await;
        let mut puts = vec![
            put("a", "1", Expect::Absent),
            put("b", "1", Expect::Version(1)),
            delete("gone", Expect::Version(1)),
            put("z", "1", Expect::Version(7)),
        ];
        assert_eq!(store.write(&puts).await, Err(StoreError::Lost("z".to_owned())));
        assert_eq!(keys(&store.query("", None, 10).await.unwrap()), ["b", "gone", "stays"]);
        assert_eq!(store.get("b").await.unwrap(), Some(item("b", 1, "b")));

        puts[3].expect = Expect::Absent;
        assert_eq!(store.write(&puts).await.unwrap(), [1, 2, 2, 1]);
        assert_eq!(keys(&store.query("", None, 10).await.unwrap()), ["a", "b", "stays", "z"]);
    }

    pub(super) async fn a_lower_fence_is_refused(store: &dyn Store) {
        for (fence, key) in [(5, "k"), (5, "k"), (9, "k"), (u64::MAX, "top")] {
            store.write(&[fenced(key, fence)]).await.unwrap();
        }
        for (fence, key) in [(8, "k"), (0, "k"), (u64::MAX - 1, "top")] {
            let both = [put("other", "v", Expect::Anything), fenced(key, fence)];
            assert_eq!(store.write(&both).await, Err(StoreError::Fenced(key.to_owned())), "fence {fence}");
        }
        assert_eq!(store.get("other").await.unwrap(), None);
        assert_eq!(store.get("k").await.unwrap(), Some(item("k", 3, "v")));
        assert_eq!(store.write(&[fenced("k", 9), fenced("other", 1)]).await.unwrap(), [4, 1]);
    }

    pub(super) async fn a_fence_comes_before_a_lost_race(store: &dyn Store) {
        store.write(&[fenced("k", 5)]).await.unwrap();
        let late = Put { fence: 4, ..put("k", "v", Expect::Absent) };
        assert_eq!(store.write(&[late]).await, Err(StoreError::Fenced("k".to_owned())));
    }

    pub(super) async fn versions_and_fences_outlive_deletion(store: &dyn Store) {
        store.write(&[fenced("k", 5)]).await.unwrap();
        let gone = Put { fence: 6, ..delete("k", Expect::Version(1)) };
        assert_eq!(store.write(&[gone]).await.unwrap(), [2]);
        assert_eq!(store.get("k").await.unwrap(), None);
        assert!(store.query("", None, 10).await.unwrap().items.is_empty());

        assert_eq!(store.write(&[fenced("k", 5)]).await, Err(StoreError::Fenced("k".to_owned())));
        let stale = Put { fence: 6, ..put("k", "late", Expect::Version(1)) };
        assert_eq!(store.write(&[stale]).await, Err(StoreError::Lost("k".to_owned())));
        let back = Put { fence: 6, ..put("k", "back", Expect::Absent) };
        assert_eq!(store.write(&[back]).await.unwrap(), [3]);
        assert_eq!(store.get("k").await.unwrap(), Some(item("k", 3, "back")));
        assert_eq!(store.write(&[fenced("k", 5)]).await, Err(StoreError::Fenced("k".to_owned())));
    }

    pub(super) async fn deleting_what_was_never_there_counts(store: &dyn Store) {
        assert_eq!(store.write(&[delete("k", Expect::Absent)]).await.unwrap(), [1]);
        assert_eq!(store.write(&[delete("k", Expect::Anything)]).await.unwrap(), [2]);
        assert_eq!(store.get("k").await.unwrap(), None);
        assert_eq!(store.write(&[put("k", "v", Expect::Version(2))]).await.unwrap(), [3], "the deletion's version");
    }

    pub(super) async fn a_query_is_in_key_order(store: &dyn Store) {
        fill(store, &["b", "a/2", "a/10", "a", "c", "a/é", "a/z"]).await;
        let page = store.query("", None, 100).await.unwrap();
        assert_eq!(keys(&page), ["a", "a/10", "a/2", "a/z", "a/é", "b", "c"], "by bytes");
        assert!(!page.more);
        assert_eq!(page.items[1], item("a/10", 1, "a/10"));
    }

    pub(super) async fn a_query_keeps_to_its_prefix(store: &dyn Store) {
        fill(store, &["a", "a/1", "a/2", "a0", "A/1", "a%", "a_x", "a\u{10ffff}1", "b"]).await;
        assert_eq!(keys(&store.query("a/", None, 10).await.unwrap()), ["a/1", "a/2"]);
        assert_eq!(keys(&store.query("a%", None, 10).await.unwrap()), ["a%"], "no pattern");
        assert_eq!(keys(&store.query("a_", None, 10).await.unwrap()), ["a_x"], "no pattern");
        assert_eq!(keys(&store.query("a/1", None, 10).await.unwrap()), ["a/1"], "the prefix itself");
        assert_eq!(keys(&store.query("a\u{10ffff}", None, 10).await.unwrap()), ["a\u{10ffff}1"]);
        assert_eq!(store.query("a", None, 10).await.unwrap().items.len(), 7);
        assert!(store.query("c", None, 10).await.unwrap().items.is_empty());
    }

    pub(super) async fn a_query_goes_on_after_a_key(store: &dyn Store) {
        fill(store, &["a", "p/1", "p/1\u{1}", "p/2", "p/3", "q"]).await;
        assert_eq!(keys(&store.query("p/", Some("p/1"), 10).await.unwrap()), ["p/1\u{1}", "p/2", "p/3"]);
        assert_eq!(
            keys(&store.query("p/", Some("p/15"), 10).await.unwrap()),
            ["p/2", "p/3"],
            "a key that is not there"
        );
        assert_eq!(keys(&store.query("p/", Some("a"), 1).await.unwrap()), ["p/1"], "a key before the prefix");
        assert!(store.query("p/", Some("p/3"), 10).await.unwrap().items.is_empty());
        assert!(store.query("p/", Some("q"), 10).await.unwrap().items.is_empty(), "a key behind the prefix");
    }

    pub(super) async fn pages_join_without_gap_or_repeat(store: &dyn Store) {
        let all: Vec<String> = (0..7).map(|n| format!("k/{n}")).collect();
        fill(store, &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
        fill(store, &["l"]).await;
        for limit in 1..=8 {
            let (mut seen, mut after, mut pages) = (Vec::new(), None::<String>, 0);
            loop {
                let page = store.query("k/", after.as_deref(), limit).await.unwrap();
                assert!(page.items.len() <= limit);
                pages += 1;
                seen.extend(page.items.into_iter().map(|item| item.key));
                after = seen.last().cloned();
                if !page.more {
                    break;
                }
            }
            assert_eq!(seen, all, "limit {limit}");
            assert_eq!(pages, 7_usize.div_ceil(limit), "a page that ends with the last item says so");
        }
    }

    pub(super) async fn an_odd_limit_is_made_to_fit(store: &dyn Store) {
        for n in 0..41 {
            let many: Vec<Put> = (0..25).map(|m| put(&format!("{:04}", n * 25 + m), "v", Expect::Absent)).collect();
            store.write(&many).await.unwrap();
        }
        let least = store.query("", None, 0).await.unwrap();
        assert_eq!((least.items.len(), least.more), (1, true));
        let most = store.query("", None, usize::MAX).await.unwrap();
        assert_eq!((most.items.len(), most.more), (1_000, true));
    }

    pub(super) async fn limits_of_a_write_are_kept(store: &dyn Store) {
        let many = |n: usize| (0..n).map(|n| put(&format!("k{n}"), "v", Expect::Anything)).collect::<Vec<_>>();
        let too_large = |done| matches!(done, Err(StoreError::TooLarge(_)));
        assert_eq!(store.write(&many(WRITE_ITEMS_MAX)).await.unwrap(), [1; WRITE_ITEMS_MAX]);
        assert!(too_large(store.write(&many(WRITE_ITEMS_MAX + 1)).await));

        let sized = |bytes: usize| {
            let half = |key: &str, bytes| Put { value: Some(vec![7; bytes]), ..put(key, "", Expect::Anything) };
            [half("b0", bytes / 2 - 2), half("b1", bytes - bytes / 2 - 2)]
        };
        assert!(too_large(store.write(&sized(WRITE_BYTES_MAX + 1)).await));
        assert_eq!(store.get("b0").await.unwrap(), None);
        assert_eq!(store.write(&sized(WRITE_BYTES_MAX)).await.unwrap(), [1, 1]);
        assert_eq!(store.get("b1").await.unwrap().unwrap().value.len(), WRITE_BYTES_MAX / 2 - 2);

        let long = "é".repeat(512);
        assert_eq!(store.write(&[put(&long, "v", Expect::Absent)]).await.unwrap(), [1]);
        assert!(too_large(store.write(&[put(&format!("{long}x"), "v", Expect::Absent)]).await));
    }

    pub(super) async fn a_key_twice_is_refused(store: &dyn Store) {
        let twice = [put("k", "a", Expect::Anything), put("j", "b", Expect::Anything), delete("k", Expect::Anything)];
        assert!(matches!(store.write(&twice).await, Err(StoreError::TooLarge(_))));
        assert_eq!(store.get("j").await.unwrap(), None);
    }

    pub(super) async fn values_are_bytes(store: &dyn Store) {
        for value in [vec![], vec![0], vec![0xff, 0x00, 0xfe], (0..=255).collect::<Vec<u8>>()] {
            store.write(&[Put { value: Some(value.clone()), ..put("k", "", Expect::Anything) }]).await.unwrap();
            assert_eq!(store.get("k").await.unwrap().unwrap().value, value);
            assert_eq!(store.query("k", None, 1).await.unwrap().items[0].value, value, "empty is not absent");
        }
    }

    pub(super) async fn keys_are_any_text(store: &dyn Store) {
        let odd = ["\u{0}", "a\u{0}b", "a\nb", "a'b", "é", "e\u{301}", "日本", "🦀", "\u{10ffff}"];
        fill(store, &odd).await;
        for key in odd {
            assert_eq!(store.get(key).await.unwrap(), Some(item(key, 1, key)), "{key:?}");
        }
        let mut sorted = odd;
        sorted.sort_unstable();
        assert_eq!(keys(&store.query("", None, 100).await.unwrap()), sorted);
        assert_eq!(store.get("a").await.unwrap(), None, "not cut at a NUL");
    }

    pub(super) async fn an_empty_write_does_nothing(store: &dyn Store) {
        assert!(store.write(&[]).await.unwrap().is_empty());
    }
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
