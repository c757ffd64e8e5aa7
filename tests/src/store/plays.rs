//! Random plays: the same steps on a store and on the [`Model`], whose answers must be equal.

use proptest::collection::vec;
use proptest::prelude::*;
use spothub_core::port::{Expect, Put, Store, StoreError};

use super::Stores;
use super::model::Model;

/// Few keys, so that steps meet; some alike, some in another partition, some without a family.
const KEYS: [&str; 8] = ["group/1", "group/1/x", "group/2", "group/a", "group", "group0", "pause/1", "é/ü"];
/// Prefixes of them, and of nothing.
const PREFIXES: [&str; 8] = ["", "group", "group/", "group/1", "group/1/", "pause/", "h/", "é/"];

/// One step, by either of two workers.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads one key.
    Get(usize),
    /// Reads a page: prefix, the key to begin after, limit.
    Query(usize, Option<usize>, usize),
    /// Writes.
    Write(Vec<Put>),
}

fn puts() -> impl Strategy<Value = Vec<Put>> {
    let expect = prop_oneof![
        2 => Just(Expect::Absent),
        3 => (0_u64..6).prop_map(Expect::Version),
        3 => Just(Expect::Anything),
    ];
    // Mostly without a fence, so that not everything is fenced off in the end.
    let fence = prop_oneof![4 => Just(3_u64), 1 => 0_u64..6];
    let put = (0..KEYS.len(), proptest::option::weighted(0.7, vec(any::<u8>(), 0..4)), expect, fence);
    let put = put.prop_map(|(key, value, expect, fence)| Put { key: KEYS[key].to_owned(), value, expect, fence });
    prop_oneof![3 => vec(put.clone(), 1..=1), 2 => vec(put, 2..=4)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..KEYS.len()).prop_map(Step::Get),
        1 => (0..PREFIXES.len(), proptest::option::of(0..KEYS.len()), 0_usize..5)
            .prop_map(|(prefix, after, limit)| Step::Query(prefix, after, limit)),
        4 => puts().prop_map(Step::Write),
    ]
}

/// So many steps, each with the worker who does it.
pub fn steps(most: usize) -> impl Strategy<Value = Vec<(bool, Step)>> {
    vec((any::<bool>(), step()), 1..=most)
}

/// A refusal without the words that each store chooses for itself.
fn plain(refused: StoreError) -> StoreError {
    if matches!(refused, StoreError::TooLarge(_)) { StoreError::TooLarge(String::new()) } else { refused }
}

/// Plays the steps on an empty store, and compares each answer and, at the end, everything.
pub async fn play(stores: &Stores, steps: &[(bool, Step)]) {
    let model = Model::default();
    for (number, (first, step)) in steps.iter().enumerate() {
        let store: &dyn Store = if *first { &*stores.one } else { &*stores.two };
        match step {
            Step::Get(key) => {
                assert_eq!(store.get(KEYS[*key]).await, model.get(KEYS[*key]).await, "step {number}: {step:?}");
            }
            Step::Query(prefix, after, limit) => {
                let (prefix, after) = (PREFIXES[*prefix], after.map(|key| KEYS[key]));
                let (found, told) =
                    (store.query(prefix, after, *limit).await, model.query(prefix, after, *limit).await);
                let (found, told) = (found.unwrap(), told.unwrap());
                assert_eq!((found.items, found.more), (told.items, told.more), "step {number}: {step:?}");
            }
            Step::Write(puts) => {
                let (found, told) = (store.write(puts).await, model.write(puts).await);
                assert_eq!(found.map_err(plain), told.map_err(plain), "step {number}: {step:?}");
            }
        }
    }
    let (found, told) = (stores.two.query("", None, 1000).await.unwrap(), model.query("", None, 1000).await.unwrap());
    assert_eq!(found.items, told.items, "at the end");
}
