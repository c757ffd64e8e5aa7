//! Workers of two versions on one store, and rows that an earlier version wrote.
//!
//! The other version cannot be linked in, so a store plays it: the older one neither writes nor sees what records have
//! got since, and the newer one adds what today's program does not know.

mod rows;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use serde_json::{Map, Value};
use spothub_core::port::{Expect, Page, Put, Store, StoreError, Stored};
use spothub_core::record::FORMAT_DRAINS;
use spothub_core::time::{Span, Timestamp};
use spothub_hub::status::status;
use spothub_hub::{Ports, Settings};
use spothub_sim::record::What;
use spothub_sim::run::Options;
use spothub_store::Sqlite;

use crate::played::{options, play_tampered, scenario};
use crate::restored::{BackedUp, Hub};

/// What records have got since the first release, by the beginning of their keys: each is optional, and a worker that
/// does not know it leaves it out of what it writes. A field that is not optional needs a format of its own, as
/// [`FORMAT_DRAINS`] is.
pub(crate) const SINCE: [(&str, &str); 17] = [
    ("group/", "driver"),
    ("group/", "counted"),
    ("group/", "bake"),
    ("group/", "bake_until"),
    ("group/", "policy"),
    ("group/", "refused"),
    ("group/", "fallback"),
    ("group/", "lifecycle"),
    ("group/", "first_attempt"),
    ("group/", "drain"),
    ("group/", "ended"),
    ("swap/", "policy"),
    ("swap/", "started_at"),
    ("swap/", "after"),
    ("usage/", "lifecycle"),
    ("usage/", "quoted"),
    ("notice/", "marked"),
];

/// A field that a newer version adds.
const LATER: &str = "x-later";

/// How another version's rows differ from today's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Version {
    Older,
    Today,
    Newer,
}

/// The store as a worker of that version uses it.
struct As(Version, Arc<dyn Store>);

impl As {
    /// What the worker takes a stored value for.
    fn reads(&self, mut item: Stored) -> Stored {
        if self.0 == Version::Older {
            item.value = without(&item.key, &item.value);
        }
        item
    }

    /// What is stored of what the worker writes.
    fn writes(&self, put: &Put) -> Put {
        let value = put.value.as_ref().map(|value| match self.0 {
            Version::Older => without(&put.key, value),
            Version::Today => value.clone(),
            Version::Newer => with_more(value),
        });
        Put { value, ..put.clone() }
    }
}

#[async_trait]
impl Store for As {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        Ok(self.1.get(key).await?.map(|item| self.reads(item)))
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let page = self.1.query(prefix, after, limit).await?;
        Ok(Page { items: page.items.into_iter().map(|item| self.reads(item)).collect(), ..page })
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        let puts: Vec<Put> = puts.iter().map(|put| self.writes(put)).collect();
        self.1.write(&puts).await
    }
}

fn without(key: &str, value: &[u8]) -> Vec<u8> {
    let since: Vec<&str> = SINCE.iter().filter(|(prefix, _)| key.starts_with(prefix)).map(|(_, name)| *name).collect();
    edited(value, &|object| object.retain(|name, _| !since.contains(&name.as_str())))
}

fn with_more(value: &[u8]) -> Vec<u8> {
    edited(value, &|object| drop(object.insert(LATER.to_owned(), Value::from("unknown"))))
}

/// A row with itself and its swaps edited: where a version may add a field. What is no JSON object stays as it is.
fn edited(value: &[u8], edit: &dyn Fn(&mut Map<String, Value>)) -> Vec<u8> {
    let Ok(Value::Object(mut row)) = serde_json::from_slice::<Value>(value) else { return value.to_vec() };
    if let Some(Value::Array(ops)) = row.get_mut("ops") {
        ops.iter_mut().filter_map(Value::as_object_mut).for_each(edit);
    }
    edit(&mut row);
    serde_json::to_vec(&row).unwrap()
}

/// Parks a swap in this stage with a worker of one version, and finishes it with one of another.
fn parked_and_finished(stage: &'static str, first: Version, second: Version) {
    let hub = Hub::new(scenario("small"), 1);
    let watched = BackedUp::at(stage);
    hub.begin(1, Arc::new(As(first, watched.clone())), &Settings::default());
    while watched.backup().is_none() {
        hub.run_for(Span::millis(20));
    }
    hub.kill(1);
    let store = watched.store.clone();
    let parked: BTreeSet<_> = hub.stored(&store).values().flat_map(|r| &r.ops).map(|op| op.stage.label()).collect();
    let case = format!("{stage}, {first:?} to {second:?}");
    assert!(parked.contains(stage), "{case}: {parked:?}");
    hub.begin(2, Arc::new(As(second, store.clone())), &Settings::default());
    hub.run_for(Span::mins(20));
    hub.rest();
    let broken: Vec<_> = hub.broken_since(Span::ZERO).into_iter().map(|v| (v.law, v.text)).collect();
    assert_eq!((broken, hub.stuck(&store)), (vec![], vec![]), "{case}");
    assert!(hub.swapped_since(Span::ZERO) > 10, "{case}");
}

#[test]
fn what_one_version_parks_another_finishes() {
    for stage in ["launch", "boot", "attach", "settle", "retire", "restore"] {
        for (first, second) in [
            (Version::Older, Version::Today),
            (Version::Today, Version::Older),
            (Version::Newer, Version::Today),
            (Version::Today, Version::Newer),
        ] {
            parked_and_finished(stage, first, second);
        }
    }
}

#[test]
fn two_versions_run_side_by_side() {
    for other in [Version::Older, Version::Newer] {
        for (name, seed) in [("small", 2), ("racing", 1), ("scarce", 1)] {
            let crashing = Options { workers: 2, crash_every: Some(Span::mins(7)), ..options(seed, 2) };
            let started = AtomicU32::new(0);
            let tamper = |ports: Ports| {
                let even = started.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
                let version = if even { other } else { Version::Today };
                Ports { store: Arc::new(As(version, ports.store)), ..ports }
            };
            let played = play_tampered(&scenario(name), &crashing, tamper);
            assert_eq!(played.violations(), [""; 0], "{other:?} beside today's on {name}");
            assert!(played.outcome.converged && played.outcome.swaps.completed > 20, "{other:?} on {name}");
        }
    }
}

/// Gives every second group's record a format that is not known yet; returns those as they are stored then.
async fn half_ahead(store: Arc<Sqlite>) -> Vec<Stored> {
    let page = store.query("group/", None, 1000).await.unwrap();
    let mut rows = Vec::new();
    for item in page.items.iter().step_by(2) {
        let mut json: Value = serde_json::from_slice(&item.value).unwrap();
        json["format"] = Value::from(FORMAT_DRAINS + 1);
        let (value, fence) = (Some(serde_json::to_vec(&json).unwrap()), json["fence"].as_u64().unwrap());
        let put = Put { key: item.key.clone(), value, expect: Expect::Version(item.version), fence };
        store.write(&[put]).await.unwrap();
        rows.push(store.get(&item.key).await.unwrap().unwrap());
    }
    rows
}

/// The keys of groups that a changing call was about since then.
fn changed_since(hub: &Hub, since: Span) -> BTreeSet<String> {
    let mut changed = BTreeSet::new();
    for record in hub.records() {
        if let What::Call(call) = &record.what
            && let (true, Some(group)) = (call.changing && record.t >= since.0, &call.group)
        {
            changed.insert(format!("group/{}/{}/{group}", call.account, call.region));
        }
    }
    changed
}

#[test]
fn a_record_of_a_newer_format_is_left_alone_and_others_go_on() {
    let (hub, at) = (Hub::new(scenario("small"), 1), Span::secs(75));
    let store = Arc::new(Sqlite::memory().unwrap());
    hub.begin(1, store.clone(), &Settings::default());
    hub.run_until(at);
    hub.kill(1);
    let newer = hub.wait(half_ahead(store.clone()));
    hub.begin(2, store.clone(), &Settings::default());
    hub.run_for(Span::mins(60));
    let kept = store.clone();
    let (told, now) = hub.wait(async move {
        let mut now = Vec::new();
        for item in &newer {
            now.push((item.clone(), kept.get(&item.key).await.unwrap().unwrap()));
        }
        (status(&*kept, Timestamp(0)).await.unwrap(), now)
    });
    assert!(now.len() > 10 && now.iter().all(|(before, after)| before == after), "their records are as they were");
    assert_eq!(told.unreadable, now.len() as u64);
    let changed = changed_since(&hub, at);
    let touched: Vec<_> = now.iter().map(|(item, _)| &item.key).filter(|key| changed.contains(*key)).collect();
    assert_eq!(touched, [""; 0], "their groups are not touched");
    assert!(hub.swapped_since(at) > 10, "the others go on");
}
