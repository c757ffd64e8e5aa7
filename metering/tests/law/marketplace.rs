//! A stand-in for AWS Marketplace Metering, with its rules and its faults, in virtual time. Its books are what AWS
//! would bill.

use std::collections::{BTreeMap, BTreeSet};

use spothub_core::time::{Span, Timestamp};
use spothub_usage::meter::{MeterFault, Usage};

use crate::chance::Chance;

/// What AWS holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Booked {
    pub(crate) id: String,
    pub(crate) task: String,
    pub(crate) hour: Timestamp,
    pub(crate) dimension: String,
    pub(crate) units: u64,
    /// Accounts and steps; an untagged part has no account.
    pub(crate) allocations: Vec<(String, u64)>,
}

/// How often something goes wrong, in thousandths of the calls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) throttled: u64,
    /// The request never arrives, and the caller cannot know.
    pub(crate) request_lost: u64,
    /// It is booked, and the answer is lost.
    pub(crate) answer_lost: u64,
    /// Allocations are refused, whatever they are.
    pub(crate) allocations: u64,
}

/// Which call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Api {
    MeterUsage,
    BatchMeterUsage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outage {
    /// No connection: the caller knows that nothing was sent.
    Unreachable,
    Throttling,
}

#[derive(Default)]
pub(crate) struct Marketplace {
    pub(crate) books: Vec<Booked>,
    by_task: BTreeMap<(String, i64, String), usize>,
    called: BTreeSet<String>,
    /// Sender, hour and dimension whose last answer was lost.
    pub(crate) unanswered: BTreeSet<(String, i64, String)>,
    pub(crate) faults: Faults,
    pub(crate) outage: Option<(Timestamp, Outage)>,
    pub(crate) subscribed: bool,
    /// What no caller should ever do.
    pub(crate) misuse: Vec<String>,
    pub(crate) calls: u64,
}

impl Marketplace {
    pub(crate) fn new() -> Self {
        Self { subscribed: true, ..Self::default() }
    }

    /// Something else meters from a task.
    pub(crate) fn intrude(&mut self, task: &str, hour: Timestamp, dimension: &str, units: u64) {
        let key = (task.to_owned(), hour.0, dimension.to_owned());
        let (task, dimension) = (task.to_owned(), dimension.to_owned());
        self.by_task.insert(key, self.books.len());
        let id = "intruder".to_owned();
        self.books.push(Booked { id, task, hour, dimension, units, allocations: vec![] });
    }

    /// A record from a task, at the service's own time.
    pub(crate) fn meter(
        &mut self,
        task: &str,
        (usage, api): (&Usage, Api),
        now: Timestamp,
        chance: &mut Chance,
    ) -> Result<String, MeterFault> {
        self.calls += 1;
        if let Some((_, kind)) = self.outage.filter(|(until, _)| now < *until) {
            return Err(match kind {
                Outage::Unreachable => MeterFault::NotSent("no route".to_owned()),
                Outage::Throttling => MeterFault::Throttled,
            });
        }
        if chance.permille(self.faults.throttled) {
            return Err(MeterFault::Throttled);
        }
        let rounded = usage.hour.0 - usage.hour.0.rem_euclid(3_600_000);
        let key = (task.to_owned(), rounded, usage.dimension.clone());
        if chance.permille(self.faults.request_lost) {
            self.unanswered.insert(key);
            return Err(MeterFault::Unclear("no answer".to_owned()));
        }
        let answer = self.book(&key, (usage, api), now, chance);
        if chance.permille(self.faults.answer_lost) {
            self.unanswered.insert(key);
            return Err(MeterFault::Unclear("no answer".to_owned()));
        }
        if answer.is_ok() {
            self.unanswered.remove(&key);
        }
        answer
    }

    fn book(
        &mut self,
        sent: &(String, i64, String),
        (usage, api): (&Usage, Api),
        now: Timestamp,
        chance: &mut Chance,
    ) -> Result<String, MeterFault> {
        // MeterUsage takes one record from each task; BatchMeterUsage takes one for each customer.
        let mut key = sent.clone();
        let (age, always) = match api {
            Api::MeterUsage => (Span::hours(6), false),
            Api::BatchMeterUsage => {
                key.0 = usage.customer.as_ref().map(|customer| customer.account.to_string()).unwrap();
                (Span::hours(24), true)
            }
        };
        let key = &key;
        // A task is asked for a subscription on its first call only.
        if (self.called.insert(key.0.clone()) || always) && !self.subscribed {
            self.called.remove(&key.0);
            return Err(MeterFault::NotEntitled);
        }
        if now.0 < usage.hour.0 || now.0 - usage.hour.0 > age.0 {
            return Err(MeterFault::OutOfBounds);
        }
        if now.0 < key.1 + 3_600_000 {
            self.misuse.push(format!("{} was reported before it was over", usage.hour));
        }
        let parts: u64 = usage.allocations.iter().map(|part| part.units).sum();
        let named: BTreeSet<_> = usage.allocations.iter().map(|part| part.account).collect();
        let wrong = parts != usage.quantity.units || named.len() != usage.allocations.len();
        if !usage.allocations.is_empty() && (wrong || usage.allocations.len() > 2500) {
            self.misuse.push(format!("the allocations of {} are wrong", usage.hour));
            return Err(MeterFault::Allocations("sum".to_owned()));
        }
        let told = |part: &spothub_usage::meter::Allocation| {
            (part.account.map_or_else(String::new, |account| account.to_string()), part.units)
        };
        let allocations: Vec<_> = usage.allocations.iter().map(told).collect();
        if let Some(&place) = self.by_task.get(key) {
            let held = &self.books[place];
            if held.units == usage.quantity.units && held.allocations == allocations {
                return Ok(held.id.clone());
            }
            self.misuse.push(format!("another quantity for {} from one task", usage.hour));
            return Err(MeterFault::Duplicate { held: Some(held.units) });
        }
        if !allocations.is_empty() && chance.permille(self.faults.allocations) {
            return Err(MeterFault::Allocations("tag".to_owned()));
        }
        let id = format!("record-{}", self.books.len());
        self.by_task.insert(key.clone(), self.books.len());
        self.books.push(Booked {
            id: id.clone(),
            task: sent.0.clone(),
            hour: Timestamp(key.1),
            dimension: key.2.clone(),
            units: usage.quantity.units,
            allocations,
        });
        Ok(id)
    }
}
