//! Two workers at once: a race has one winner, and nothing is lost by it.

use futures::future::join;
use spothub_core::port::{Expect, Put, Store, StoreError};

use super::{Stores, item, lost, put};

/// Rounds of each race: more than enough for both orders to come up where they can.
const ROUNDS: u64 = 8;

pub async fn one_of_two_creates(stores: Stores) {
    for round in 0..ROUNDS {
        let key = format!("notice/{round}");
        let (one, two) = ([put(&key, "one", Expect::Absent)], [put(&key, "two", Expect::Absent)]);
        let told = join(stores.one.write(&one), stores.two.write(&two)).await;
        let winner = match told {
            (Ok(version), refused) if version == [1] && refused == lost(&key) => "one",
            (refused, Ok(version)) if version == [1] && refused == lost(&key) => "two",
            other => panic!("{other:?}"),
        };
        assert_eq!(stores.one.get(&key).await.unwrap(), Some(item(&key, 1, winner)));
    }
}

pub async fn one_of_two_replaces_a_version(stores: Stores) {
    stores.one.write(&[put("group/1", "begun", Expect::Absent)]).await.unwrap();
    for version in 1..=ROUNDS {
        let expect = Expect::Version(version);
        let (one, two) = ([put("group/1", "one", expect)], [put("group/1", "two", expect)]);
        let (first, second) = join(stores.one.write(&one), stores.two.write(&two)).await;
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        let winner = if first.is_ok() { "one" } else { "two" };
        assert_eq!(first.and(second), lost("group/1"));
        assert_eq!(stores.one.get("group/1").await.unwrap(), Some(item("group/1", version + 1, winner)));
    }
}

pub async fn one_of_two_writes_both_of_two_items(stores: Stores) {
    for round in 0..ROUNDS {
        let keys = [format!("a/{round}"), format!("b/{round}")];
        let puts = |value: &str| -> Vec<Put> { keys.iter().map(|key| put(key, value, Expect::Absent)).collect() };
        let (one, mut two) = (puts("one"), puts("two"));
        two.reverse();
        let told = join(stores.one.write(&one), stores.two.write(&two)).await;
        let winner = match told {
            (Ok(_), Err(StoreError::Lost(_))) => "one",
            (Err(StoreError::Lost(_)), Ok(_)) => "two",
            other => panic!("{other:?}"),
        };
        for key in &keys {
            assert_eq!(stores.two.get(key).await.unwrap(), Some(item(key, 1, winner)), "never one of each");
        }
    }
}

async fn increment(store: &dyn Store, key: &str, times: u64) {
    let mut done = 0;
    while done < times {
        let stored = store.get(key).await.unwrap();
        let count: u64 = stored.as_ref().map_or(0, |item| String::from_utf8_lossy(&item.value).parse().unwrap());
        let expect = stored.map_or(Expect::Absent, |item| Expect::Version(item.version));
        match store.write(&[put(key, &(count + 1).to_string(), expect)]).await {
            Ok(_) => done += 1,
            Err(StoreError::Lost(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

pub async fn no_increment_is_lost(stores: Stores) {
    join(increment(&*stores.one, "budget/x", ROUNDS), increment(&*stores.two, "budget/x", ROUNDS)).await;
    let count = 2 * ROUNDS;
    assert_eq!(stores.one.get("budget/x").await.unwrap(), Some(item("budget/x", count, &count.to_string())));
}

pub async fn unnamed_writes_of_two_all_count(stores: Stores) {
    let (one, two) = ([put("usage/x", "one", Expect::Anything)], [put("usage/x", "two", Expect::Anything)]);
    let mut versions = Vec::new();
    for _ in 0..ROUNDS {
        let (first, second) = join(stores.one.write(&one), stores.two.write(&two)).await;
        versions.extend(first.unwrap().into_iter().chain(second.unwrap()));
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=2 * ROUNDS).collect::<Vec<_>>(), "each is a version of its own");
}
