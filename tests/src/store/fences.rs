//! Fences: who wrote under a lease that has passed on is refused.

use spothub_core::port::{Expect, Put};

use super::{Stores, delete, fenced, item, lost, off, put};

pub async fn a_lower_fence_is_refused(stores: Stores) {
    let store = &*stores.one;
    for (fence, key) in [(5, "k"), (5, "k"), (9, "k"), (u64::MAX, "top")] {
        store.write(&[fenced(key, fence)]).await.unwrap();
    }
    for (fence, key) in [(8, "k"), (0, "k"), (u64::MAX - 1, "top")] {
        assert_eq!(store.write(&[fenced(key, fence)]).await, off(key), "fence {fence}");
    }
    assert_eq!(store.get("k").await.unwrap(), Some(item("k", 3, "v")));
}

pub async fn a_fence_comes_before_a_lost_race(stores: Stores) {
    let store = &*stores.one;
    store.write(&[fenced("k", 5)]).await.unwrap();
    for expect in [Expect::Absent, Expect::Version(7), Expect::Version(u64::MAX), Expect::Version(1)] {
        let late = Put { fence: 4, ..put("k", "v", expect) };
        assert_eq!(store.write(&[late]).await, off("k"), "{expect:?}");
    }
}

pub async fn an_equal_fence_is_let_in(stores: Stores) {
    let store = &*stores.one;
    for version in 1..=3 {
        assert_eq!(store.write(&[fenced("k", 5)]).await.unwrap(), [version]);
    }
}

pub async fn each_key_has_its_own_fence(stores: Stores) {
    let store = &*stores.one;
    store.write(&[fenced("a", 9)]).await.unwrap();
    assert_eq!(store.write(&[fenced("b", 1)]).await.unwrap(), [1]);
    assert_eq!(store.write(&[fenced("a", 9), fenced("b", 2)]).await.unwrap(), [2, 2]);
}

pub async fn fences_outlive_deletion(stores: Stores) {
    let store = &*stores.one;
    store.write(&[fenced("k", 5)]).await.unwrap();
    let gone = Put { fence: 6, ..delete("k", Expect::Version(1)) };
    assert_eq!(store.write(&[gone]).await.unwrap(), [2]);
    assert_eq!(store.write(&[fenced("k", 5)]).await, off("k"));
    assert_eq!(store.write(&[Put { fence: 5, ..put("k", "late", Expect::Absent) }]).await, off("k"));
    assert_eq!(store.write(&[Put { fence: 6, ..put("k", "late", Expect::Version(1)) }]).await, lost("k"));
}

pub async fn fences_outlive_coming_back(stores: Stores) {
    let store = &*stores.one;
    store.write(&[fenced("k", 5)]).await.unwrap();
    store.write(&[Put { fence: 5, ..delete("k", Expect::Anything) }]).await.unwrap();
    let back = Put { fence: 6, ..put("k", "back", Expect::Absent) };
    assert_eq!(store.write(&[back]).await.unwrap(), [3]);
    assert_eq!(store.write(&[fenced("k", 5)]).await, off("k"));
    assert_eq!(store.get("k").await.unwrap(), Some(item("k", 3, "back")));
}

pub async fn a_worker_whose_lease_passed_on_writes_nothing(stores: Stores) {
    let first = Put { fence: 1, ..put("group/1", "one", Expect::Absent) };
    assert_eq!(stores.one.write(&[first]).await.unwrap(), [1]);
    let taken = Put { fence: 2, ..put("group/1", "two", Expect::Version(1)) };
    assert_eq!(stores.two.write(&[taken]).await.unwrap(), [2]);
    // It stood still and knows nothing of it: neither its record nor the rows beside it may be written.
    let late = [
        Put { fence: 1, ..put("group/1", "late", Expect::Version(1)) },
        Put { fence: 1, ..put("swap/1", "late", Expect::Anything) },
    ];
    assert_eq!(stores.one.write(&late).await, off("group/1"));
    assert_eq!(stores.one.get("swap/1").await.unwrap(), None);
    assert_eq!(stores.one.get("group/1").await.unwrap(), Some(item("group/1", 2, "two")));
}

pub async fn a_deletion_raises_the_fence(stores: Stores) {
    let store = &*stores.one;
    store.write(&[Put { fence: 7, ..delete("k", Expect::Absent) }]).await.unwrap();
    assert_eq!(store.write(&[fenced("k", 6)]).await, off("k"));
    assert_eq!(store.write(&[fenced("k", 7)]).await.unwrap(), [2]);
}
