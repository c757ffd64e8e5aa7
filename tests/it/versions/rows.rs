//! Rows as the first format has them, in `tests/it/rows/format-1.jsonl`: every later version must read them.
//!
//! The file is history: it is written once for a format, by a run with `SPOTHUB_WRITE_ROWS=1`, and then stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use spothub_core::brake::{self, Brake, BrakeScope};
use spothub_core::id::{GroupKey, Region, Site};
use spothub_core::port::{Expect, Page, Put, Store, StoreError, Stored};
use spothub_core::record::{Closed, FORMAT, GroupRecord, Usage, read};
use spothub_core::time::Timestamp;
use spothub_hub::{Beat, Ports, Quarantined};
use spothub_sim::run::Options;
use spothub_store::Sqlite;

use super::SINCE;
use crate::played::{options, play_tampered, scenario};

const FIRST: &str = include_str!("../rows/format-1.jsonl");
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/it/rows/format-1.jsonl");

/// What a row is an example of: its family, and how it stands.
fn kind(key: &str, row: &Value) -> String {
    let family = key.split('/').next().unwrap_or_default();
    let stands = match family {
        "group" => {
            let ops = row["ops"].as_array().map_or(&[][..], Vec::as_slice);
            let raised = if row["max"].is_null() { "" } else { " raised" };
            let leased = if row["lease"].is_null() { "" } else { " leased" };
            let held = if row["holds"] == json!([]) { "" } else { " held" };
            let stages = ops.iter().map(|op| op["stage"]["stage"].as_str().unwrap_or_default());
            format!("{}{raised}{leased}{held}", stages.collect::<Vec<_>>().join("+"))
        }
        "swap" => format!("{} {}", row["end"]["end"], row["end"]["why"]),
        "usage" => format!("ended {} settled {}", !row["ended_at"].is_null(), row["settled"]),
        "pause" => row["scope"]["scope"].to_string(),
        _ => String::new(),
    };
    format!("{family} {stands}").trim_end().to_owned()
}

/// The first row of each kind that workers write.
#[derive(Clone, Default)]
struct Examples(Arc<Mutex<BTreeMap<String, (String, Value)>>>);

/// The store with a look at what is written.
struct Looked(Examples, Arc<dyn Store>);

#[async_trait]
impl Store for Looked {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.1.get(key).await
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.1.query(prefix, after, limit).await
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        for put in puts {
            let row = put.value.as_ref().and_then(|value| serde_json::from_slice::<Value>(value).ok());
            if let Some(row) = row {
                let mut examples = self.0.0.lock().unwrap();
                examples.entry(kind(&put.key, &row)).or_insert_with(|| (put.key.clone(), row));
            }
        }
        self.1.write(puts).await
    }
}

/// What today's workers write in these runs.
fn written(runs: &[(&str, u64, u32)]) -> BTreeMap<String, (String, Value)> {
    let examples = Examples::default();
    for (name, seed, hours) in runs {
        let two = Options { workers: 2, ..options(*seed, *hours) };
        let looked = |ports: Ports| Ports { store: Arc::new(Looked(examples.clone(), ports.store)), ..ports };
        play_tampered(&scenario(name), &two, looked);
    }
    let mut rows = std::mem::take(&mut *examples.0.lock().unwrap());
    for scope in brakes() {
        let (key, why, by) = (scope.key(), "an incident".to_owned(), "operator".to_owned());
        let brake = json!(Brake { format: brake::FORMAT, scope, why, by, at: Timestamp(1), revert: false });
        rows.insert(kind(&key, &brake), (key, brake));
    }
    rows
}

/// One brake of each scope.
fn brakes() -> Vec<BrakeScope> {
    let account = "000000000101".parse().unwrap();
    let region: Region = "eu-west-1".parse().unwrap();
    let group = GroupKey { site: Site { account, region: region.clone() }, name: "web".parse().unwrap() };
    let unit = BrakeScope::Ou("/prod/web".parse().unwrap());
    let some = [unit, BrakeScope::Account(account), BrakeScope::Region(region), BrakeScope::Group(group)];
    [BrakeScope::All, BrakeScope::Org].into_iter().chain(some).collect()
}

fn first() -> Vec<(String, Value)> {
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("each line is a row");
        (row["key"].as_str().expect("with its key").to_owned(), row["value"].clone())
    };
    FIRST.lines().map(row).collect()
}

/// Reads a row as this type, and tells it again.
fn told<T: DeserializeOwned + Serialize>(value: &[u8]) -> Option<Value> {
    read::<T>(value).map(|row| serde_json::to_value(row).expect("it was JSON"))
}

/// What today's program takes a stored row for.
fn retold(key: &str, value: &[u8]) -> Option<Value> {
    match key.split('/').next() {
        Some("group") => told::<GroupRecord>(value),
        Some("swap") => told::<Closed>(value),
        Some("usage") => told::<Usage>(value),
        Some("pause") => told::<Brake>(value),
        Some("worker") => told::<Beat>(value),
        Some("quarantine") => told::<Quarantined>(value),
        // Known to the hub alone; the version tests read it as it does.
        Some("notice") => told::<Value>(value),
        _ => None,
    }
}

/// Whether `now` says all that `then` said.
fn says(now: &Value, then: &Value) -> bool {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            then.iter().all(|(name, then)| now.get(name).is_some_and(|now| says(now, then)))
        }
        (Value::Array(now), Value::Array(then)) => {
            now.len() == then.len() && now.iter().zip(then).all(|(now, then)| says(now, then))
        }
        (now, then) => now == then,
    }
}

#[test]
fn rows_of_the_first_format_are_read_as_what_they_are() {
    let store = Sqlite::memory().unwrap();
    let mut kinds = BTreeSet::new();
    for (key, row) in first() {
        let put = Put { key: key.clone(), value: Some(row.to_string().into()), expect: Expect::Anything, fence: 0 };
        futures::executor::block_on(store.write(&[put])).unwrap();
        let stored = futures::executor::block_on(store.get(&key)).unwrap().unwrap();
        let now = retold(&key, &stored.value);
        assert!(now.as_ref().is_some_and(|now| says(now, &row)), "{key}: {row}\nis read as {now:?}");
        kinds.extend(kind(&key, &row).split([' ', '+']).map(ToOwned::to_owned));
    }
    let stages = ["launch", "boot", "attach", "settle", "retire", "undo", "net", "let-go", "restore"];
    for kind in
        stages.into_iter().chain(["raised", "leased", "swap", "usage", "notice", "pause", "worker", "quarantine"])
    {
        assert!(kinds.contains(kind), "no row of the first format shows {kind}");
    }
}

/// Where a value may stand in rows of a family: the names on the way to it. Reasons of holds are left out: each has
/// numbers of its own, and who does not know a reason leaves the record alone.
fn places(path: &str, value: &Value, all: &mut BTreeSet<String>) {
    if let Value::Array(values) = value {
        for value in values {
            places(path, value, all);
        }
    }
    if let (Value::Object(object), false) = (value, path.ends_with(".holds.reason")) {
        for (name, value) in object {
            let path = format!("{path}.{name}");
            places(&path, value, all);
            all.insert(path);
        }
    }
}

fn all_places<'a>(rows: impl Iterator<Item = &'a (String, Value)>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (key, row) in rows {
        places(key.split('/').next().unwrap_or_default(), row, &mut all);
    }
    all
}

#[test]
fn what_rows_have_got_since_the_first_format_is_listed() {
    let rows = written(&[("small", 3, 3), ("racing", 3, 1)]);
    let then = all_places(first().iter());
    let listed = |place: &String| {
        SINCE.iter().any(|(family, name)| place.starts_with(&family.replace('/', ".")) && place.contains(name))
    };
    // A worker that does not know a whole family of rows leaves it alone.
    let known = |place: &String| then.iter().any(|old| old.split('.').next() == place.split('.').next());
    let new = all_places(rows.values()).into_iter().filter(|p| known(p) && !then.contains(p) && !listed(p));
    let new: Vec<String> = new.collect();
    assert_eq!(new, [""; 0], "list it in SINCE if it is optional; otherwise raise FORMAT ({FORMAT})");
}

#[test]
fn rows_of_the_first_format_are_written_when_asked_for() {
    #[expect(clippy::disallowed_methods, reason = "whoever rewrites history must say so")]
    let asked = std::env::var_os("SPOTHUB_WRITE_ROWS").is_some();
    if !asked {
        return;
    }
    let runs =
        [("small", 1, 3), ("storm", 1, 1), ("racing", 1, 4), ("messy", 1, 4), ("scarce", 1, 2), ("windows", 1, 2)];
    let rows = written(&runs);
    let line = |(key, row): &(String, Value)| format!("{}\n", json!({ "key": key, "value": row }));
    std::fs::write(FILE, rows.values().map(line).collect::<String>()).unwrap();
}
