//! Keys: any text of 1 to 1,024 bytes.

use spothub_core::port::{Expect, KEY_BYTES_MAX, StoreError};

use super::{Stores, fill, item, keys_of, put, walk};

pub async fn keys_are_any_text(stores: Stores) {
    let store = &*stores.one;
    let odd = ["\u{0}", "a\u{0}b", "a\nb", "a'b", "a\"b", "é", "e\u{301}", "日本", "🦀", "\u{10ffff}"];
    fill(store, &odd).await;
    for key in odd {
        assert_eq!(store.get(key).await.unwrap(), Some(item(key, 1, key)), "{key:?}");
    }
    let mut sorted = odd;
    sorted.sort_unstable();
    assert_eq!(keys_of(&store.query("", None, 100).await.unwrap()), sorted);
    assert_eq!(store.get("a").await.unwrap(), None, "not cut at a NUL");
}

pub async fn keys_may_hold_blanks_and_slashes(stores: Stores) {
    let store = &*stores.one;
    let odd = [" ", "/", "//", "a b", "a /b", "a/ b", "a//b", "a/b/", "group/1/eu-west-1/we b/ü/x "];
    fill(store, &odd).await;
    for key in odd {
        assert_eq!(store.get(key).await.unwrap(), Some(item(key, 1, key)), "{key:?}");
        let found = store.query(key, None, 10).await.unwrap();
        assert_eq!(keys_of(&found)[0], key);
    }
    assert_eq!(keys_of(&store.query("a/", None, 10).await.unwrap()), ["a/ b", "a//b", "a/b/"]);
}

fn long(first: &str, last: &str) -> String {
    let fill = KEY_BYTES_MAX - first.len() - last.len();
    format!("{first}{}{}{last}", "é".repeat(fill / 2), "x".repeat(fill % 2))
}

pub async fn a_key_has_1024_bytes_at_most(stores: Stores) {
    let store = &*stores.one;
    for key in [long("", ""), long("group/", "!"), long("7", "/"), long("/", "")] {
        assert_eq!(key.len(), KEY_BYTES_MAX);
        assert_eq!(store.write(&[put(&key, "v", Expect::Absent)]).await.unwrap(), [1]);
        assert_eq!(store.write(&[put(&key, "w", Expect::Version(1))]).await.unwrap(), [2]);
        assert_eq!(store.get(&key).await.unwrap(), Some(item(&key, 2, "w")));
        let refused = store.write(&[put(&format!("{key}x"), "v", Expect::Absent)]).await;
        assert!(matches!(refused, Err(StoreError::TooLarge(_))), "{refused:?}");
    }
}

pub async fn an_empty_key_is_refused(stores: Stores) {
    let refused = stores.one.write(&[put("a", "v", Expect::Absent), put("", "v", Expect::Absent)]).await;
    assert!(matches!(refused, Err(StoreError::TooLarge(_))), "{refused:?}");
    assert_eq!(stores.one.get("a").await.unwrap(), None);
}

pub async fn what_cannot_be_a_key_is_absent(stores: Stores) {
    let store = &*stores.one;
    fill(store, &["k/a"]).await;
    let longer = "k/".repeat(KEY_BYTES_MAX);
    assert_eq!(store.get("").await.unwrap(), None);
    assert_eq!(store.get(&longer).await.unwrap(), None);
    assert!(store.query(&longer, None, 10).await.unwrap().items.is_empty());
    assert_eq!(keys_of(&store.query("k/", Some(""), 10).await.unwrap()), ["k/a"]);
    let before = format!("k/A{longer}");
    assert_eq!(keys_of(&store.query("k/", Some(&before), 10).await.unwrap()), ["k/a"]);
    let behind = format!("k/b{longer}");
    assert!(store.query("k/", Some(&behind), 10).await.unwrap().items.is_empty());
}

pub async fn long_keys_are_paged(stores: Stores) {
    let store = &*stores.one;
    let mut all: Vec<String> = ["0", "1", "A", "é"].map(|last| long("k/5", last)).into();
    fill(store, &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    all.sort_unstable();
    assert_eq!(walk(store, "k/", 1).await, all);
    let behind = format!("{}x", all[0]);
    let found = store.query("k/", Some(&behind), 10).await.unwrap();
    assert_eq!(keys_of(&found), all[1..].iter().map(String::as_str).collect::<Vec<_>>(), "longer than a key");
}
