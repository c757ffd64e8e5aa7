//! Reads: one item, and pages of items in the order of their keys.
//!
//! A page with a family in its prefix goes from one partition to the next; any other reads the whole table.

use std::collections::BTreeMap;

use spothub_core::port::{KEY_BYTES_MAX, PAGE_ITEMS_MAX, Page, StoreError, Stored};

use super::answer::Trouble;
use super::row::{Attribute, Item, KEY, LIVE, PARTITION, SHOWN, place, place_in, stored};
use super::{DynamoStore, layout};
use crate::action::Action;

/// One answer of a query or scan: what was alive, and where it goes on.
struct Part {
    items: Vec<Stored>,
    next: Option<[Attribute; 2]>,
}

impl Part {
    fn of(items: Option<Vec<Item>>, last: Option<Item>) -> Result<Self, StoreError> {
        let items = items.unwrap_or_default().into_iter().filter_map(|item| stored(item).transpose());
        let next = last.and_then(|mut key| Some([(PARTITION, key.remove(PARTITION)?), (KEY, key.remove(KEY)?)]));
        Ok(Self { items: items.collect::<Result<_, _>>()?, next })
    }
}

impl DynamoStore {
    /// The item under a key.
    pub(super) async fn read(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        // No such key was ever written, and DynamoDB would not take it.
        if !(1..=KEY_BYTES_MAX).contains(&key.len()) {
            return Ok(None);
        }
        let mut patience = self.patience();
        loop {
            match self.get_item(place(key)).await {
                Ok(found) => return found.map_or(Ok(None), stored),
                Err(trouble) => patience.wait(&*self.clock, again(trouble)?).await?,
            }
        }
    }

    /// What one attempt finds in a place.
    pub(super) async fn get_item(&self, place: [Attribute; 2]) -> Result<Option<Item>, Trouble> {
        let call = self.client.get_item().table_name(self.table()).consistent_read(true);
        let call = place.into_iter().fold(call, |call, (name, value)| call.key(name, value));
        let answer = self.heard(Action::GetItem, call.send().await)?;
        Ok(answer.item)
    }

    /// One page; see the port.
    pub(super) async fn page(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        // One more tells whether there are more.
        let most = limit.clamp(1, PAGE_ITEMS_MAX) + 1;
        let behind = after.is_some_and(|after| after > prefix && !after.starts_with(prefix));
        if behind || prefix.len() > KEY_BYTES_MAX {
            return Ok(Page::default());
        }
        let mut items = match layout::partitions(prefix, after) {
            Some(partitions) => self.walk(partitions, prefix, after, most).await?,
            None => self.scan(prefix, after, most).await?,
        };
        let more = items.len() == most;
        items.truncate(most - 1);
        Ok(Page { items, more })
    }

    /// The first items after `after` in these partitions.
    async fn walk(
        &self,
        partitions: Vec<String>,
        prefix: &str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let mut items: Vec<Stored> = Vec::new();
        let first = after.and_then(|after| begin(prefix, after));
        let mut start = first.zip(partitions.first()).map(|(key, name)| place_in(name.as_str(), key));
        for partition in &partitions {
            loop {
                let limit = i32::try_from(most - items.len()).unwrap_or(i32::MAX);
                let part = self.query_part(partition, prefix, start.take(), limit).await?;
                items.extend(part.items.into_iter().filter(|item| after.is_none_or(|after| item.key.as_str() > after)));
                start = part.next;
                if items.len() >= most {
                    items.truncate(most);
                    return Ok(items);
                }
                if start.is_none() {
                    break;
                }
            }
        }
        Ok(items)
    }

    async fn query_part(
        &self,
        partition: &str,
        prefix: &str,
        start: Option<[Attribute; 2]>,
        limit: i32,
    ) -> Result<Part, StoreError> {
        let mut patience = self.patience();
        loop {
            let call = self.client.query().table_name(self.table()).consistent_read(true).limit(limit);
            let call = call.key_condition_expression("p = :p AND begins_with(k, :k)").filter_expression(LIVE);
            let [(_, p), (_, k)] = place_in(partition, prefix);
            let call = call.expression_attribute_values(":p", p).expression_attribute_values(":k", k);
            let mut call = call.projection_expression(SHOWN);
            for (name, value) in start.iter().flatten() {
                call = call.exclusive_start_key(*name, value.clone());
            }
            match self.heard(Action::Query, call.send().await) {
                Ok(answer) => return Part::of(answer.items, answer.last_evaluated_key),
                Err(trouble) => patience.wait(&*self.clock, again(trouble)?).await?,
            }
        }
    }

    /// The first items after `after` in the whole table: each request reads up to a megabyte of it, in no order.
    async fn scan(&self, prefix: &str, after: Option<&str>, most: usize) -> Result<Vec<Stored>, StoreError> {
        let mut first: BTreeMap<String, Stored> = BTreeMap::new();
        let mut start = None;
        loop {
            let part = self.scan_part(start.take()).await?;
            for item in part.items {
                if item.key.starts_with(prefix) && after.is_none_or(|after| item.key.as_str() > after) {
                    first.insert(item.key.clone(), item);
                    if first.len() > most {
                        first.pop_last();
                    }
                }
            }
            start = part.next;
            if start.is_none() {
                return Ok(first.into_values().collect());
            }
        }
    }

    async fn scan_part(&self, start: Option<[Attribute; 2]>) -> Result<Part, StoreError> {
        let mut patience = self.patience();
        loop {
            let call = self.client.scan().table_name(self.table()).consistent_read(true);
            let mut call = call.filter_expression(LIVE).projection_expression(SHOWN);
            for (name, value) in start.iter().flatten() {
                call = call.exclusive_start_key(*name, value.clone());
            }
            match self.heard(Action::Scan, call.send().await) {
                Ok(answer) => return Part::of(answer.items, answer.last_evaluated_key),
                Err(trouble) => patience.wait(&*self.clock, again(trouble)?).await?,
            }
        }
    }
}

/// Why a read is made again: nothing that it does can be done twice.
pub(super) fn again(trouble: Trouble) -> Result<String, StoreError> {
    match trouble {
        Trouble::Busy(why) | Trouble::Unclear(why) => Ok(why),
        Trouble::Over(error) => Err(error),
    }
}

/// The key to begin behind, inside the prefix as DynamoDB asks, and no longer than a key; what comes before `after` all
/// the same is left out by the caller.
fn begin<'a>(prefix: &str, after: &'a str) -> Option<&'a str> {
    let end = after.floor_char_boundary(KEY_BYTES_MAX);
    Some(&after[..end]).filter(|key| key.starts_with(prefix) && !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_inside_its_prefix() {
        assert_eq!(begin("a/", "a/b"), Some("a/b"));
        assert_eq!(begin("a/", "a"), None);
        assert_eq!(begin("", ""), None);
        let long = format!("a/{}", "é".repeat(600));
        let cut = begin("a/", &long).unwrap();
        assert!(cut.len() == KEY_BYTES_MAX && long.starts_with(cut));
        assert_eq!(begin(&long, &long), None);
    }
}
