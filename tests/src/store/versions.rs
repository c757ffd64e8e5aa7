//! Versions: they grow by one with each write, and a write may insist on one.

use spothub_core::port::Expect;

use super::{Stores, delete, fill, item, lost, put};

pub async fn an_unknown_key_is_absent(stores: Stores) {
    let store = &*stores.one;
    assert_eq!(store.get("k").await.unwrap(), None);
    for prefix in ["", "k/"] {
        let page = store.query(prefix, None, 10).await.unwrap();
        assert!(page.items.is_empty() && !page.more);
    }
}

pub async fn versions_grow_by_one(stores: Stores) {
    let store = &*stores.one;
    assert_eq!(store.write(&[put("k", "a", Expect::Absent)]).await.unwrap(), [1]);
    assert_eq!(store.write(&[put("k", "b", Expect::Version(1))]).await.unwrap(), [2]);
    assert_eq!(store.write(&[put("k", "c", Expect::Anything)]).await.unwrap(), [3]);
    assert_eq!(store.write(&[put("k", "d", Expect::Anything)]).await.unwrap(), [4]);
    assert_eq!(store.get("k").await.unwrap(), Some(item("k", 4, "d")));
}

pub async fn a_lost_race_writes_nothing(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["k"]).await;
    assert_eq!(store.write(&[put("k", "b", Expect::Absent)]).await, lost("k"));
    assert_eq!(store.write(&[put("k", "b", Expect::Version(2))]).await, lost("k"));
    assert_eq!(store.write(&[delete("k", Expect::Version(2))]).await, lost("k"));
    assert_eq!(store.write(&[delete("k", Expect::Absent)]).await, lost("k"));
    assert_eq!(store.get("k").await.unwrap(), Some(item("k", 1, "k")));
}

pub async fn a_version_must_be_exact(stores: Stores) {
    let store = &*stores.one;
    for version in [0, 1, u64::MAX] {
        let refused = store.write(&[put("never", "v", Expect::Version(version))]).await;
        assert_eq!(refused, lost("never"), "version {version} of what was never there");
    }
    fill(store, &["k", "k"]).await;
    for version in [0, 1, 3, u64::MAX] {
        assert_eq!(store.write(&[put("k", "v", Expect::Version(version))]).await, lost("k"), "{version}");
    }
    assert_eq!(store.write(&[put("k", "v", Expect::Version(2))]).await.unwrap(), [3]);
}

pub async fn versions_outlive_deletion(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["k"]).await;
    assert_eq!(store.write(&[delete("k", Expect::Version(1))]).await.unwrap(), [2]);
    assert_eq!(store.get("k").await.unwrap(), None);
    assert!(store.query("", None, 10).await.unwrap().items.is_empty());
    assert_eq!(store.write(&[put("k", "late", Expect::Version(1))]).await, lost("k"));
    assert_eq!(store.write(&[put("k", "back", Expect::Absent)]).await.unwrap(), [3]);
    assert_eq!(store.get("k").await.unwrap(), Some(item("k", 3, "back")));
}

pub async fn deleting_what_was_never_there_counts(stores: Stores) {
    let store = &*stores.one;
    assert_eq!(store.write(&[delete("k", Expect::Absent)]).await.unwrap(), [1]);
    assert_eq!(store.write(&[delete("k", Expect::Anything)]).await.unwrap(), [2]);
    assert_eq!(store.get("k").await.unwrap(), None);
}

pub async fn the_version_of_a_deletion_can_be_named(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["k"]).await;
    store.write(&[delete("k", Expect::Anything)]).await.unwrap();
    assert_eq!(store.write(&[put("k", "v", Expect::Version(2))]).await.unwrap(), [3]);
}

pub async fn what_another_worker_wrote_is_read_at_once(stores: Stores) {
    for version in 1..=5 {
        let value = version.to_string();
        stores.one.write(&[put("f/k", &value, Expect::Anything)]).await.unwrap();
        assert_eq!(stores.two.get("f/k").await.unwrap(), Some(item("f/k", version, &value)));
        assert_eq!(stores.two.query("f/", None, 1).await.unwrap().items, [item("f/k", version, &value)]);
    }
}

pub async fn an_unnamed_version_goes_over_what_another_wrote(stores: Stores) {
    let anything = |value| [put("k", value, Expect::Anything)];
    assert_eq!(stores.one.write(&anything("a")).await.unwrap(), [1]);
    assert_eq!(stores.two.write(&anything("b")).await.unwrap(), [2]);
    assert_eq!(stores.one.write(&anything("c")).await.unwrap(), [3]);
    assert_eq!(stores.two.write(&[delete("k", Expect::Anything)]).await.unwrap(), [4]);
    assert_eq!(stores.one.write(&anything("d")).await.unwrap(), [5]);
    assert_eq!(stores.two.get("k").await.unwrap(), Some(item("k", 5, "d")));
}

pub async fn absent_is_what_another_deleted(stores: Stores) {
    let absent = [put("k", "v", Expect::Absent)];
    assert_eq!(stores.one.write(&absent).await.unwrap(), [1]);
    assert_eq!(stores.two.write(&absent).await, lost("k"));
    assert_eq!(stores.two.write(&[delete("k", Expect::Version(1))]).await.unwrap(), [2]);
    assert_eq!(stores.one.write(&absent).await.unwrap(), [3]);
    assert_eq!(stores.two.write(&absent).await, lost("k"));
}

pub async fn absent_is_not_what_another_brought_back(stores: Stores) {
    assert_eq!(stores.one.write(&[delete("k", Expect::Anything)]).await.unwrap(), [1]);
    assert_eq!(stores.two.write(&[put("k", "theirs", Expect::Absent)]).await.unwrap(), [2]);
    assert_eq!(stores.one.write(&[put("k", "ours", Expect::Absent)]).await, lost("k"));
    assert_eq!(stores.one.get("k").await.unwrap(), Some(item("k", 2, "theirs")));
}
