//! Limits of a write, and the bytes of a value.

use spothub_core::port::{Expect, ITEM_BYTES_MAX, Put, StoreError, WRITE_BYTES_MAX, WRITE_ITEMS_MAX};

use super::{Stores, delete, put};

fn too_large<T>(done: &Result<T, StoreError>) -> bool {
    matches!(done, Err(StoreError::TooLarge(_)))
}

pub async fn items_and_bytes_of_a_write_are_limited(stores: Stores) {
    let store = &*stores.one;
    let many = |n: usize| (0..n).map(|n| put(&format!("k{n}"), "v", Expect::Anything)).collect::<Vec<_>>();
    assert_eq!(store.write(&many(WRITE_ITEMS_MAX)).await.unwrap(), [1; WRITE_ITEMS_MAX]);
    assert!(too_large(&store.write(&many(WRITE_ITEMS_MAX + 1)).await));

    let sized = |bytes: usize| {
        let half = |key: &str, bytes| Put { value: Some(vec![7; bytes]), ..put(key, "", Expect::Anything) };
        [half("b0", bytes / 2 - 2), half("b1", bytes - bytes / 2 - 2)]
    };
    assert!(too_large(&store.write(&sized(WRITE_BYTES_MAX + 1)).await));
    assert_eq!(store.get("b0").await.unwrap(), None);
    assert_eq!(store.write(&sized(WRITE_BYTES_MAX)).await.unwrap(), [1, 1]);
    assert_eq!(store.get("b1").await.unwrap().unwrap().value.len(), WRITE_BYTES_MAX / 2 - 2);
}

pub async fn one_item_holds_390_kilobytes(stores: Stores) {
    let store = &*stores.one;
    let value: Vec<u8> = (0..=255).cycle().take(390 * 1024).collect();
    let mut expect = Expect::Absent;
    for version in 1..=3 {
        let written = store.write(&[Put { value: Some(value.clone()), ..put("group/1", "", expect) }]).await;
        assert_eq!(written.unwrap(), [version]);
        expect = if version == 1 { Expect::Version(1) } else { Expect::Anything };
    }
    assert_eq!(store.get("group/1").await.unwrap().unwrap().value, value);
    let lost = store.write(&[put("group/1", "small", Expect::Version(1))]).await;
    assert_eq!(lost, Err(StoreError::Lost("group/1".to_owned())));
    assert_eq!(store.write(&[delete("group/1", Expect::Version(3))]).await.unwrap(), [4]);
}

pub async fn one_item_has_a_limit_of_its_own(stores: Stores) {
    let store = &*stores.one;
    // The longest key costs most beside itself.
    let key = format!("{}/7", "k".repeat(1022));
    let sized = |bytes: usize| [Put { value: Some(vec![1; bytes - key.len()]), ..put(&key, "", Expect::Absent) }];
    assert!(too_large(&store.write(&sized(ITEM_BYTES_MAX + 1)).await));
    assert_eq!(store.get(&key).await.unwrap(), None);
    assert_eq!(store.write(&sized(ITEM_BYTES_MAX)).await.unwrap(), [1]);
}

pub async fn a_key_twice_is_refused(stores: Stores) {
    let store = &*stores.one;
    let twice = [put("k", "a", Expect::Anything), put("j", "b", Expect::Anything), delete("k", Expect::Anything)];
    assert!(too_large(&store.write(&twice).await));
    assert_eq!(store.get("j").await.unwrap(), None);
}

pub async fn values_are_bytes(stores: Stores) {
    let store = &*stores.one;
    for value in [vec![], vec![0], vec![0xff, 0x00, 0xfe], (0..=255).collect::<Vec<u8>>()] {
        store.write(&[Put { value: Some(value.clone()), ..put("k", "", Expect::Anything) }]).await.unwrap();
        assert_eq!(store.get("k").await.unwrap().unwrap().value, value);
        assert_eq!(store.query("k", None, 1).await.unwrap().items[0].value, value, "empty is not absent");
    }
    assert_eq!(store.write(&[put("k", "", Expect::Absent)]).await, Err(StoreError::Lost("k".to_owned())));
}
