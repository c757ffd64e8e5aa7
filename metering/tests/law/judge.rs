//! INV-8, judged from the stand-in's books, the inputs as they were made, and the stored rows as plain JSON. Shares no
//! function with the code under test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::marketplace::Marketplace;
use crate::memory::Memory;

/// Net micro-USD and instance-seconds.
pub(crate) type Input = (i64, i64);

pub(crate) const RATE_PPM: i64 = 150_000;
pub(crate) const CAP_MICRO_USD: i64 = 25_000;
pub(crate) const STEP_MICRO_USD: i64 = 1000;
pub(crate) const STEP_SECONDS: i64 = 360;
/// In the order of the settings.
pub(crate) const DIMENSIONS: [&str; 2] = ["savings", "hours"];

#[derive(Clone, Debug, Default)]
struct Seen {
    hour: i64,
    dimension: usize,
    state: String,
    units: i64,
    held: i64,
    carried: bool,
    id: String,
    task: String,
}

#[derive(Default)]
pub(crate) struct Judge {
    /// Every entry of an account-hour, in order, as the engine made it.
    pub(crate) inputs: BTreeMap<(i64, String), Vec<Input>>,
    records: BTreeMap<(i64, usize), Seen>,
    /// What a record's steps are: accepted, pending, unknown, written off.
    sums: [[i64; 4]; 2],
    assessed: [i64; 2],
    dropped: [i64; 2],
    carry: [i64; 2],
    modes: BTreeMap<i64, String>,
    pub(crate) taken: BTreeSet<String>,
    /// How many of the service's bookings were looked at, and those whose record is not accepted yet.
    looked: usize,
    open: BTreeSet<usize>,
    booked: BTreeSet<(i64, String)>,
    /// The records that are unknown, and how many are accepted.
    pub(crate) unknown: BTreeSet<(i64, usize)>,
    accepted: usize,
}

fn amount(dimension: usize, (net, seconds): Input) -> i64 {
    if dimension == 0 { (net * RATE_PPM).min(CAP_MICRO_USD * 1_000_000) } else { seconds }
}

fn step(dimension: usize) -> i64 {
    if dimension == 0 { STEP_MICRO_USD * 1_000_000 } else { STEP_SECONDS }
}

/// `2026-01-31T22` to its first moment.
fn moment(text: &str) -> i64 {
    spothub_core::time::Timestamp::from_rfc3339(&format!("{text}:00:00Z")).unwrap().0
}

fn four(seen: &Seen) -> [i64; 4] {
    match seen.state.as_str() {
        "accepted" => [seen.held, if seen.carried { 0 } else { seen.units - seen.held }, 0, 0],
        "held" | "sending" | "refused" => [0, seen.units, 0, 0],
        "unknown" => [0, 0, seen.units, 0],
        "written_off" => [0, 0, 0, seen.units],
        "carried" => [0; 4],
        other => panic!("a state that nobody knows: {other}"),
    }
}

impl Judge {
    /// The charge that one entry adds to what those before it made.
    fn added(&self, dimension: usize, hour: i64, account: &str, place: usize) -> i64 {
        let entries = &self.inputs[&(hour, account.to_owned())];
        let sum = |n: usize| entries[..n].iter().fold((0, 0), |sum: Input, one| (sum.0 + one.0, sum.1 + one.1));
        let before = if place == 0 { 0 } else { amount(dimension, sum(place)) };
        amount(dimension, sum(place + 1)) - before
    }

    /// Looks at what was written, and at the service's books; tells every fault.
    pub(crate) fn check(&mut self, store: &Memory, marketplace: &Marketplace, ended: &BTreeSet<String>) -> Vec<String> {
        let mut faults = marketplace.misuse.clone();
        let changed = store.changed();
        if changed.is_empty() && self.looked == marketplace.books.len() {
            return faults;
        }
        for key in changed {
            let parts: Vec<&str> = key.split('/').collect();
            match parts.as_slice() {
                ["meter", "records", hour, dimension] => self.see(store, &key, moment(hour), dimension),
                ["meter", "hours", hour] => self.count(store, &key, hour, &mut faults),
                _ => {}
            }
        }
        for (dimension, name) in DIMENSIONS.into_iter().enumerate() {
            let sum: i64 = self.sums[dimension].iter().sum();
            let found = sum * step(dimension) + self.carry[dimension] + self.dropped[dimension];
            if self.assessed[dimension] != found {
                faults.push(format!("{}: chargeable {}, found {found}", name, self.assessed[dimension]));
            }
        }
        self.compare(marketplace, &mut faults);
        for seen in self.unknown.iter().filter_map(|key| self.records.get(key)) {
            let key = (seen.task.clone(), seen.hour, DIMENSIONS[seen.dimension].to_owned());
            if !ended.contains(&seen.task) && !marketplace.unanswered.contains(&key) {
                let hour: String = spothub_core::time::Timestamp(seen.hour).to_rfc3339().chars().take(13).collect();
                let row = store.value(&format!("meter/records/{hour}/{}", key.2)).unwrap();
                let row = String::from_utf8(row).unwrap();
                faults.push(format!("{row} is unknown, and its sender never died"));
            }
        }
        faults
    }

    fn see(&mut self, store: &Memory, key: &str, hour: i64, dimension: &str) {
        let dimension = DIMENSIONS.iter().position(|name| *name == dimension).unwrap();
        let row: Value = serde_json::from_slice(&store.value(key).unwrap()).unwrap();
        let (state, inner) = row["state"].as_object().unwrap().iter().next().unwrap();
        let text = |name: &str| inner[name].as_str().unwrap_or_default().to_owned();
        let seen = Seen {
            hour,
            dimension,
            state: state.clone(),
            units: row["quantity"]["units"].as_i64().unwrap(),
            held: inner["units"].as_i64().unwrap_or(0),
            carried: inner["carried"].is_i64(),
            id: text("id"),
            task: text("task"),
        };
        let before = self
            .records
            .insert((hour, dimension), seen.clone())
            .unwrap_or(Seen { state: "carried".to_owned(), ..seen.clone() });
        self.accepted += usize::from(seen.state == "accepted");
        self.accepted -= usize::from(before.state == "accepted");
        if seen.state == "unknown" {
            self.unknown.insert((hour, dimension));
        } else {
            self.unknown.remove(&(hour, dimension));
        }
        let before = four(&before);
        for (place, now) in four(&seen).into_iter().enumerate() {
            self.sums[dimension][place] += now - before[place];
        }
    }

    fn count(&mut self, store: &Memory, key: &str, hour: &str, faults: &mut Vec<String>) {
        let row: Value = serde_json::from_slice(&store.value(key).unwrap()).unwrap();
        let at = moment(hour);
        let mode = row["mode"].as_str().unwrap().to_owned();
        if self.modes.insert(at, mode.clone()).is_some() {
            faults.push(format!("{hour} was worked out twice"));
        }
        if mode == "off" {
            return;
        }
        let chunks = |kind: &str| -> Vec<Value> {
            let names = row[kind].as_array().unwrap().iter();
            let read = |name: &Value| store.value(&format!("meter/{kind}/{hour}/{}", name.as_str().unwrap())).unwrap();
            names.flat_map(|name| serde_json::from_slice::<Vec<Value>>(&read(name)).unwrap()).collect()
        };
        self.carry = [0; 2];
        for line in chunks("lines") {
            for (dimension, part) in line["parts"].as_array().unwrap().iter().enumerate() {
                self.carry[dimension] += part["carry"].as_i64().unwrap_or(0);
                self.dropped[dimension] += part["dropped"].as_i64().unwrap_or(0);
            }
        }
        let accounts: Vec<String> =
            self.inputs.range((at, String::new())..(at + 1, String::new())).map(|row| row.0.1.clone()).collect();
        for account in accounts {
            for dimension in 0..2 {
                self.assessed[dimension] += self.added(dimension, at, &account, 0);
            }
        }
        for taken in chunks("late") {
            let late = &taken["late"];
            let (of, account) = (late["hour"].as_i64().unwrap(), late["account"].as_str().unwrap());
            let place = usize::try_from(late["entry"]["seq"].as_u64().unwrap()).unwrap();
            if !self.taken.insert(format!("{of}/{account}/{place}")) {
                faults.push(format!("correction {place} of {account} in {of} was taken twice"));
            }
            // A correction counts as the hour does that it corrects.
            let counts = self.modes.get(&of).is_some_and(|other| *other == mode);
            for dimension in (0..2).filter(|_| counts) {
                self.assessed[dimension] += self.added(dimension, of, account, place);
            }
        }
    }

    /// The service's books against the records.
    fn compare(&mut self, marketplace: &Marketplace, faults: &mut Vec<String>) {
        for (place, booked) in marketplace.books.iter().enumerate().skip(self.looked) {
            if !self.booked.insert((booked.hour.0, booked.dimension.clone())) {
                faults.push(format!("{} of {} was accepted twice", booked.dimension, booked.hour));
            }
            self.open.insert(place);
        }
        self.looked = marketplace.books.len();
        let mut settled = Vec::new();
        for &place in &self.open {
            let booked = &marketplace.books[place];
            let dimension = DIMENSIONS.iter().position(|name| *name == booked.dimension).unwrap();
            let units = i64::try_from(booked.units).unwrap();
            let told = self.records.get(&(booked.hour.0, dimension));
            match told {
                Some(seen) if seen.state == "accepted" && seen.id == booked.id && seen.held == units => {
                    settled.push(place);
                }
                Some(seen) if seen.task == booked.task && seen.units == units => {}
                other => faults.push(format!("{booked:?} is billed, and the ledger says {other:?}")),
            }
        }
        for place in settled {
            self.open.remove(&place);
        }
        let accepted = self.accepted;
        if accepted + self.open.len() != marketplace.books.len() {
            faults.push(format!("{accepted} records are accepted, and {} are booked", marketplace.books.len()));
        }
    }

    /// At the end: what the service bills, with all that is not billed, is everything that the inputs come to.
    pub(crate) fn totals(&self, marketplace: &Marketplace) -> [(i64, i64); 2] {
        [0, 1].map(|dimension| {
            let name = DIMENSIONS[dimension];
            let billed: u64 = marketplace.books.iter().filter(|row| row.dimension == name).map(|row| row.units).sum();
            let [accepted, pending, unknown, off] = self.sums[dimension];
            assert_eq!(accepted, i64::try_from(billed).unwrap(), "{name}");
            assert_eq!((pending, unknown), (0, 0), "{name}");
            let all: i64 = self
                .inputs
                .iter()
                .map(|((hour, account), entries)| {
                    (0..entries.len()).map(|place| self.added(dimension, *hour, account, place)).sum::<i64>()
                })
                .sum();
            (all, (accepted + off) * step(dimension) + self.carry[dimension] + self.dropped[dimension])
        })
    }
}
