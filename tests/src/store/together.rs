//! Atomic writes: all items, or none.

use spothub_core::port::{Expect, Put, WRITE_ITEMS_MAX};

use super::{Stores, delete, fenced, fill, item, keys_of, lost, off, put};

pub async fn several_items_are_written_together_or_not_at_all(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["b", "gone", "stays"]).await;
    let mut puts = vec![
        put("a", "1", Expect::Absent),
        put("b", "1", Expect::Version(1)),
        delete("gone", Expect::Version(1)),
        put("z", "1", Expect::Version(7)),
    ];
    assert_eq!(store.write(&puts).await, lost("z"));
    assert_eq!(keys_of(&store.query("", None, 10).await.unwrap()), ["b", "gone", "stays"]);
    assert_eq!(store.get("b").await.unwrap(), Some(item("b", 1, "b")));

    puts[3].expect = Expect::Absent;
    assert_eq!(store.write(&puts).await.unwrap(), [1, 2, 2, 1]);
    assert_eq!(keys_of(&store.query("", None, 10).await.unwrap()), ["a", "b", "stays", "z"]);
}

pub async fn the_first_refused_item_is_named(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["a", "b"]).await;
    store.write(&[fenced("c", 5)]).await.unwrap();
    let (good, race) = (put("x", "v", Expect::Absent), |key| put(key, "v", Expect::Version(9)));
    assert_eq!(store.write(&[good.clone(), race("b"), race("a")]).await, lost("b"));
    assert_eq!(store.write(&[race("a"), fenced("c", 4)]).await, lost("a"));
    assert_eq!(store.write(&[good, fenced("c", 4), race("a")]).await, off("c"));
    assert_eq!(store.get("x").await.unwrap(), None);
}

pub async fn a_fence_refuses_the_whole_write(stores: Stores) {
    let store = &*stores.one;
    store.write(&[fenced("k", 9)]).await.unwrap();
    for fence in [0, 8] {
        let both = [put("other", "v", Expect::Anything), fenced("k", fence)];
        assert_eq!(store.write(&both).await, off("k"), "fence {fence}");
    }
    assert_eq!(store.get("other").await.unwrap(), None);
    assert_eq!(store.write(&[fenced("k", 9), fenced("other", 1)]).await.unwrap(), [2, 1]);
}

pub async fn new_versions_come_in_the_order_of_the_items(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["a", "a", "a", "b"]).await;
    let puts = [put("new", "n", Expect::Absent), put("b", "v", Expect::Version(1)), put("a", "v", Expect::Anything)];
    assert_eq!(store.write(&puts).await.unwrap(), [1, 2, 4]);
}

pub async fn unnamed_versions_go_over_what_another_wrote(stores: Stores) {
    let anything = |value| [put("a", value, Expect::Anything), put("b", value, Expect::Anything)];
    assert_eq!(stores.one.write(&anything("1")).await.unwrap(), [1, 1]);
    assert_eq!(stores.two.write(&anything("2")[..1]).await.unwrap(), [2]);
    assert_eq!(stores.one.write(&anything("3")).await.unwrap(), [3, 2]);
    assert_eq!(stores.two.write(&[delete("b", Expect::Version(2))]).await.unwrap(), [3]);
    let mixed = [put("a", "4", Expect::Version(3)), put("b", "4", Expect::Absent)];
    assert_eq!(stores.one.write(&mixed).await.unwrap(), [4, 4]);
    assert_eq!(stores.two.get("b").await.unwrap(), Some(item("b", 4, "4")));
}

pub async fn items_of_many_partitions_are_written_together(stores: Stores) {
    let store = &*stores.one;
    let key = |n: usize| format!("{}/{n:012}/eu-west-1/x", ["group", "swap", "usage", "notice"][n % 4]);
    let puts: Vec<Put> = (0..WRITE_ITEMS_MAX).map(|n| put(&key(n * 41), "v", Expect::Absent)).collect();
    assert_eq!(store.write(&puts).await.unwrap(), [1; WRITE_ITEMS_MAX]);
    assert_eq!(store.write(&puts).await, lost(&puts[0].key));
    let groups = store.query("group/", None, 100).await.unwrap();
    assert_eq!(groups.items.len(), WRITE_ITEMS_MAX.div_ceil(4));
}

pub async fn deletions_and_writes_mix(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["f/a", "f/b"]).await;
    let swapped = [delete("f/a", Expect::Version(1)), delete("f/b", Expect::Anything), put("f/c", "c", Expect::Absent)];
    assert_eq!(store.write(&swapped).await.unwrap(), [2, 2, 1]);
    let back = [put("f/a", "a", Expect::Absent), put("f/b", "b", Expect::Anything), delete("f/c", Expect::Version(1))];
    assert_eq!(store.write(&back).await.unwrap(), [3, 3, 2]);
    assert_eq!(store.query("f/", None, 10).await.unwrap().items, [item("f/a", 3, "a"), item("f/b", 3, "b")]);
}

pub async fn an_empty_write_does_nothing(stores: Stores) {
    assert!(stores.one.write(&[]).await.unwrap().is_empty());
}
