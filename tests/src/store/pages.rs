//! Queries: by prefix, in the order of the keys' bytes, page by page.

use spothub_core::port::{Expect, PAGE_ITEMS_MAX, Put};

use super::{Stores, delete, fill, fill_many, item, keys_of, put, walk};

pub async fn a_query_is_in_key_order(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["b", "a/2", "a/10", "a", "c", "a/é", "a/z"]).await;
    let page = store.query("", None, 100).await.unwrap();
    assert_eq!(keys_of(&page), ["a", "a/10", "a/2", "a/z", "a/é", "b", "c"], "by bytes");
    assert!(!page.more);
    assert_eq!(keys_of(&store.query("a/", None, 100).await.unwrap()), ["a/10", "a/2", "a/z", "a/é"]);
}

pub async fn a_query_keeps_to_its_prefix(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["a", "a/1", "a/2", "a0", "A/1", "a%", "a_x", "a\u{10ffff}1", "b"]).await;
    for (prefix, expected) in [
        ("a/", vec!["a/1", "a/2"]),
        ("a%", vec!["a%"]),
        ("a_", vec!["a_x"]),
        ("a/1", vec!["a/1"]),
        ("a\u{10ffff}", vec!["a\u{10ffff}1"]),
        ("c", vec![]),
        ("c/", vec![]),
        ("/", vec![]),
    ] {
        assert_eq!(keys_of(&store.query(prefix, None, 10).await.unwrap()), expected, "{prefix:?}");
    }
    assert_eq!(store.query("a", None, 10).await.unwrap().items.len(), 7);
}

pub async fn a_prefix_may_end_anywhere(stores: Stores) {
    let store = &*stores.one;
    let key = "usage/012345678901/eu-west-1/i-0123456789abcdef0";
    fill(store, &[key, "usage/", "usage//", "usage/x\u{10ffff}"]).await;
    for end in (1..=key.len()).rev() {
        let found = store.query(&key[..end], None, 10).await.unwrap();
        assert!(keys_of(&found).contains(&key), "{}", &key[..end]);
        assert_eq!(found.items.len(), if end > "usage/".len() { 1 } else { 4 }, "{}", &key[..end]);
    }
    assert!(store.query(&format!("{key}0"), None, 10).await.unwrap().items.is_empty());
    assert_eq!(keys_of(&store.query("usage//", None, 10).await.unwrap()), ["usage//"]);
    assert_eq!(keys_of(&store.query("usage/x\u{10ffff}", None, 10).await.unwrap()), ["usage/x\u{10ffff}"]);
}

pub async fn families_with_a_common_beginning_are_apart(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["group", "group/1", "group/a", "groups/1", "group /1", "grou/p/1", "/group/1"]).await;
    assert_eq!(keys_of(&store.query("group/", None, 10).await.unwrap()), ["group/1", "group/a"]);
    assert_eq!(keys_of(&store.query("groups/", None, 10).await.unwrap()), ["groups/1"]);
    assert_eq!(keys_of(&store.query("grou/", None, 10).await.unwrap()), ["grou/p/1"]);
    assert_eq!(keys_of(&store.query("/", None, 10).await.unwrap()), ["/group/1"]);
    let all = ["/group/1", "grou/p/1", "group", "group /1", "group/1", "group/a", "groups/1"];
    assert_eq!(keys_of(&store.query("", None, 10).await.unwrap()), all);
    assert_eq!(keys_of(&store.query("group", Some("group"), 10).await.unwrap()), all[3..]);
}

pub async fn a_query_goes_on_after_a_key(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["a", "p/1", "p/1\u{1}", "p/2", "p/3", "q"]).await;
    for (after, limit, expected) in [
        ("p/1", 10, vec!["p/1\u{1}", "p/2", "p/3"]),
        ("p/15", 10, vec!["p/2", "p/3"]),
        ("p/", 10, vec!["p/1", "p/1\u{1}", "p/2", "p/3"]),
        ("a", 1, vec!["p/1"]),
        ("", 1, vec!["p/1"]),
        ("p/3", 10, vec![]),
        ("p/9", 10, vec![]),
        ("q", 10, vec![]),
    ] {
        assert_eq!(keys_of(&store.query("p/", Some(after), limit).await.unwrap()), expected, "after {after:?}");
    }
}

pub async fn pages_join_without_gap_or_repeat(stores: Stores) {
    let store = &*stores.one;
    // One of each range of what follows the family, and two of one.
    let all: Vec<String> = ["-", "0", "00", "5", "9", "a", "é"].map(|rest| format!("usage/{rest}")).into();
    fill(store, &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    fill(store, &["usage", "usages/0"]).await;
    for limit in 1..=8 {
        assert_eq!(walk(store, "usage/", limit).await, all, "limit {limit}");
        let (mut after, mut pages) = (None::<String>, 0);
        loop {
            let page = store.query("usage/", after.as_deref(), limit).await.unwrap();
            (after, pages) = (page.items.last().map(|item| item.key.clone()), pages + 1);
            if !page.more {
                break;
            }
        }
        assert_eq!(pages, 7_usize.div_ceil(limit), "a page that ends with the last item says so");
    }
}

pub async fn pages_join_across_everything(stores: Stores) {
    let store = &*stores.one;
    let mut all = ["a", "a/1", "a/b", "a0", "b/", "b/7/x", "c"].map(str::to_owned).to_vec();
    fill(store, &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    all.sort_unstable();
    for limit in [1, 2, 3, 7] {
        assert_eq!(walk(store, "", limit).await, all, "limit {limit}");
    }
}

pub async fn deleted_keys_are_no_part_of_a_page(stores: Stores) {
    let store = &*stores.one;
    let all: Vec<String> = (0..60).map(|n| format!("notice/1{n:03}")).collect();
    fill_many(store, &all).await;
    let dead: Vec<Put> =
        all.iter().enumerate().filter(|(n, _)| n % 10 != 9).map(|(_, k)| delete(k, Expect::Anything)).collect();
    for some in dead.chunks(25) {
        store.write(some).await.unwrap();
    }
    let living: Vec<String> = all.iter().skip(9).step_by(10).cloned().collect();
    for limit in [1, 4, 6, 7] {
        assert_eq!(walk(store, "notice/", limit).await, living, "limit {limit}");
    }
    let page = store.query("notice/", Some(&all[5]), 6).await.unwrap();
    assert!(page.items.len() == 6 && !page.more, "after one that is dead");
}

pub async fn an_odd_limit_is_made_to_fit(stores: Stores) {
    let store = &*stores.one;
    let all: Vec<String> = (0..=PAGE_ITEMS_MAX).map(|n| format!("k/{n:04}")).collect();
    fill_many(store, &all).await;
    let least = store.query("k/", None, 0).await.unwrap();
    assert_eq!((least.items.len(), least.more), (1, true));
    let most = store.query("k/", None, usize::MAX).await.unwrap();
    assert_eq!((most.items.len(), most.more), (PAGE_ITEMS_MAX, true));
    let whole = store.query("", Some(&all[0]), usize::MAX).await.unwrap();
    assert_eq!((whole.items.len(), whole.more), (PAGE_ITEMS_MAX, false));
}

pub async fn more_than_a_thousand_are_walked(stores: Stores) {
    let store = &*stores.one;
    let mut all: Vec<String> = (0..1_100_u64).map(|n| format!("group/{:012}/r/{n}", n * 909_090_909)).collect();
    fill_many(store, &all).await;
    all.sort_unstable();
    for limit in [1_000, 300] {
        assert_eq!(walk(store, "group/", limit).await, all, "limit {limit}");
    }
    let seventh: Vec<String> = all.iter().filter(|key| key.starts_with("group/7")).cloned().collect();
    assert!(seventh.len() > 50);
    assert_eq!(walk(store, "group/7", 50).await, seventh);
}

/// Together they are more than DynamoDB gives in one answer.
pub async fn a_page_of_long_values_is_whole(stores: Stores) {
    let store = &*stores.one;
    let long = |n: u8| Put { value: Some(vec![n; 150_000]), ..put(&format!("k/{n:03}"), "", Expect::Absent) };
    for n in 0..12 {
        store.write(&[long(n)]).await.unwrap();
    }
    for prefix in ["k/", "k"] {
        let page = store.query(prefix, None, 11).await.unwrap();
        assert!(page.items.len() == 11 && page.more, "{prefix}");
        assert!(page.items.iter().zip(0..).all(|(item, n)| item.value == vec![n; 150_000]));
        let page = store.query(prefix, None, 12).await.unwrap();
        assert!(page.items.len() == 12 && !page.more, "{prefix}");
    }
}

pub async fn a_page_tells_versions_and_values(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["k/a", "k/b", "k/b"]).await;
    store.write(&[put("k/b", "third", Expect::Version(2))]).await.unwrap();
    let expected = [item("k/a", 1, "k/a"), item("k/b", 3, "third")];
    for prefix in ["k/", "k"] {
        assert_eq!(store.query(prefix, None, 10).await.unwrap().items, expected);
    }
}
