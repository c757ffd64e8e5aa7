//! What every [`Store`] must do, whoever keeps the bytes: one body for each promise, over the port alone. Each
//! adapter's tests run all of them.
//!
//! A case has an empty store of its own, and two workers in front of it. A case never sleeps.

pub mod fences;
pub mod keys;
pub mod limits;
pub mod model;
pub mod pages;
pub mod plays;
pub mod races;
pub mod together;
pub mod versions;

use std::sync::Arc;

use spothub_core::port::{Expect, Page, Put, Store, StoreError, Stored};

/// Two workers' ways to the same items; where a store has one process only, they are one.
#[derive(Clone)]
pub struct Stores {
    /// A worker's.
    pub one: Arc<dyn Store>,
    /// Another worker's.
    pub two: Arc<dyn Store>,
}

/// A put without a fence.
#[must_use]
pub fn put(key: &str, value: &str, expect: Expect) -> Put {
    Put { key: key.to_owned(), value: Some(value.as_bytes().to_vec()), expect, fence: 0 }
}

/// A put under a fence, whatever is there.
#[must_use]
pub fn fenced(key: &str, fence: u64) -> Put {
    Put { fence, ..put(key, "v", Expect::Anything) }
}

/// A deletion without a fence.
#[must_use]
pub fn delete(key: &str, expect: Expect) -> Put {
    Put { key: key.to_owned(), value: None, expect, fence: 0 }
}

/// An item as it is read.
#[must_use]
pub fn item(key: &str, version: u64, value: &str) -> Stored {
    Stored { key: key.to_owned(), version, value: value.as_bytes().to_vec() }
}

/// The keys of a page.
#[must_use]
pub fn keys_of(page: &Page) -> Vec<&str> {
    page.items.iter().map(|item| item.key.as_str()).collect()
}

/// Writes items whose values are their keys.
pub async fn fill(store: &dyn Store, keys: &[&str]) {
    for key in keys {
        store.write(&[put(key, key, Expect::Anything)]).await.unwrap();
    }
}

/// Writes a lot of new items, each with its key as its value.
pub async fn fill_many(store: &dyn Store, keys: &[String]) {
    for some in keys.chunks(spothub_core::port::WRITE_ITEMS_MAX) {
        let puts: Vec<Put> = some.iter().map(|key| put(key, key, Expect::Absent)).collect();
        store.write(&puts).await.unwrap();
    }
}

/// All keys with a prefix, page by page; each page but the last is full.
pub async fn walk(store: &dyn Store, prefix: &str, limit: usize) -> Vec<String> {
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = store.query(prefix, after.as_deref(), limit).await.unwrap();
        assert!(page.items.len() == limit || !page.more, "a page of {} of {limit} is not the last", page.items.len());
        seen.extend(page.items.into_iter().map(|item| item.key));
        after = seen.last().cloned();
        if !page.more {
            return seen;
        }
    }
}

/// A lost race.
pub fn lost<T>(key: &str) -> Result<T, StoreError> {
    Err(StoreError::Lost(key.to_owned()))
}

/// A passed fence.
pub fn off<T>(key: &str) -> Result<T, StoreError> {
    Err(StoreError::Fenced(key.to_owned()))
}

/// Hands the modules and names of all cases to a macro of the adapter's tests.
#[macro_export]
macro_rules! store_cases {
    ($each:ident) => {
        $each! {
            versions {
                an_unknown_key_is_absent,
                versions_grow_by_one,
                a_lost_race_writes_nothing,
                a_version_must_be_exact,
                versions_outlive_deletion,
                deleting_what_was_never_there_counts,
                the_version_of_a_deletion_can_be_named,
                what_another_worker_wrote_is_read_at_once,
                an_unnamed_version_goes_over_what_another_wrote,
                absent_is_what_another_deleted,
                absent_is_not_what_another_brought_back,
            }
            fences {
                a_lower_fence_is_refused,
                a_fence_comes_before_a_lost_race,
                an_equal_fence_is_let_in,
                each_key_has_its_own_fence,
                fences_outlive_deletion,
                fences_outlive_coming_back,
                a_worker_whose_lease_passed_on_writes_nothing,
                a_deletion_raises_the_fence,
            }
            together {
                several_items_are_written_together_or_not_at_all,
                the_first_refused_item_is_named,
                a_fence_refuses_the_whole_write,
                new_versions_come_in_the_order_of_the_items,
                unnamed_versions_go_over_what_another_wrote,
                items_of_many_partitions_are_written_together,
                deletions_and_writes_mix,
                an_empty_write_does_nothing,
            }
            races {
                one_of_two_creates,
                one_of_two_replaces_a_version,
                one_of_two_writes_both_of_two_items,
                no_increment_is_lost,
                unnamed_writes_of_two_all_count,
            }
            pages {
                a_query_is_in_key_order,
                a_query_keeps_to_its_prefix,
                a_prefix_may_end_anywhere,
                families_with_a_common_beginning_are_apart,
                a_query_goes_on_after_a_key,
                pages_join_without_gap_or_repeat,
                pages_join_across_everything,
                deleted_keys_are_no_part_of_a_page,
                an_odd_limit_is_made_to_fit,
                more_than_a_thousand_are_walked,
                a_page_of_long_values_is_whole,
                a_page_tells_versions_and_values,
            }
            keys {
                keys_are_any_text,
                keys_may_hold_blanks_and_slashes,
                a_key_has_1024_bytes_at_most,
                an_empty_key_is_refused,
                what_cannot_be_a_key_is_absent,
                long_keys_are_paged,
            }
            limits {
                items_and_bytes_of_a_write_are_limited,
                one_item_holds_390_kilobytes,
                one_item_has_a_limit_of_its_own,
                a_key_twice_is_refused,
                values_are_bytes,
            }
        }
    };
}
