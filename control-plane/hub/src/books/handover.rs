//! What the books hand over to be billed: each account's sums of an hour, corrections, and which hours are closed.
//!
//! A row says which account-hours have pages that were not handed over; it is written with each page and goes with what
//! was handed over, so nothing is forgotten in between, and nothing is handed over twice.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use spothub_core::id::AccountId;
use spothub_core::port::{Expect, Put, StoreError, Stored};
use spothub_core::record;
use spothub_core::time::{Span, Timestamp};
use spothub_usage::book::{self, Page, Totals};
use spothub_usage::hours::{self, AccountHour, Counts, HourClosed, HoursError};

use crate::engine::Engine;
use crate::rows::{self, ROW_FENCE};

/// Account-hours whose pages were not handed over.
const DUE: &str = "books-due/";
/// The last hour that was closed.
const HEAD: &str = "books-head/closed";
/// Hours closed in one go: after a month without a worker it goes on where it was, some hours at a time.
const HOURS_MAX: usize = 200;

/// An account-hour with pages that were not handed over.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Due {
    pub(super) hour: Timestamp,
    pub(super) account: AccountId,
}

/// Up to when hours are closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
struct Head {
    until: Timestamp,
}

pub(super) fn due_key(hour: Timestamp, account: AccountId) -> String {
    format!("{DUE}{}/{account}", hours::spelled(hour))
}

impl Engine {
    /// Hands over what was booked up to `until`, and closes the hours before it, in order and without a gap.
    pub(crate) async fn hand_over(&self, until: Timestamp) -> Result<(), StoreError> {
        let store = &*self.ports.store;
        let due = rows::all(store, DUE).await?;
        let due: Vec<(Stored, Due)> = due
            .into_iter()
            .filter_map(|row| Some((serde_json::from_slice(&row.value).ok()?, row)))
            .map(swapped)
            .collect();
        let head = store.get(HEAD).await?;
        let closed = head.as_ref().and_then(|row| serde_json::from_slice::<Head>(&row.value).ok());
        // A hub that begins owes nothing for the time before its first instance.
        let first = || due.iter().map(|(_, due)| due.hour).min();
        let Some(from) = closed.map(|head| head.until).or_else(first) else { return Ok(()) };
        let open: BTreeSet<Timestamp> = book::hours(from, until).take(HOURS_MAX).collect();
        let end = open.last().map_or(from, |hour| *hour + book::HOUR_LONG);
        for (row, due) in due.iter().filter(|(_, due)| due.hour < end) {
            self.hand_over_one(row, due).await?;
        }
        let mut expect = head.map_or(Expect::Absent, |row| Expect::Version(row.version));
        for hour in open {
            let accounts = rows::all(store, &format!("{}{}/", hours::HOURS, hours::spelled(hour))).await?;
            let accounts = accounts.iter().filter_map(|row| serde_json::from_slice::<AccountHour>(&row.value).ok());
            // Those that came too late for it are corrections.
            let counted = accounts.filter(|row| row.entries.first().is_some_and(|first| first.why.is_empty())).count();
            let counted = u32::try_from(counted).unwrap_or(u32::MAX);
            let head = Head { until: hour + book::HOUR_LONG };
            let head = super::put(HEAD.to_owned(), &head, expect);
            let close = hours::close(hour, counted, self.now()).map_err(|error| told(&error))?;
            let versions = store.write(&head.into_iter().chain([close]).collect::<Vec<Put>>()).await?;
            expect = versions.first().map_or(expect, |version| Expect::Version(*version));
        }
        Ok(())
    }

    async fn hand_over_one(&self, row: &Stored, due: &Due) -> Result<(), StoreError> {
        let store = &*self.ports.store;
        let Due { hour, account } = *due;
        let pages = rows::all(store, &book::hour_prefix(hour, account)).await?;
        let pages: Vec<Page> = pages.iter().filter_map(|row| record::read(&row.value)).collect();
        let mut totals = Totals::default();
        book::day(&pages).iter().flat_map(|day| &day.groups).for_each(|group| totals.add(&group.totals));
        let counts = counted(&totals);
        let gone = Put { key: row.key.clone(), value: None, expect: Expect::Version(row.version), fence: ROW_FENCE };
        let stored = store.get(&hours::key(hour, account)).await?;
        let closed = store.get(&hours::closed_key(hour)).await?;
        let closed = closed.is_some_and(|row| serde_json::from_slice::<HourClosed>(&row.value).is_ok());
        let puts = match &stored {
            None if !closed => {
                vec![hours::first(hour, account, self.now(), counts).map_err(|error| told(&error))?, gone]
            }
            stored => {
                let before = stored.as_ref().and_then(|row| serde_json::from_slice::<AccountHour>(&row.value).ok());
                let before = before.map(|row| row.entries.iter().fold(Counts::default(), |sum, e| sum.plus(e.counts)));
                let by = counts.less(before.unwrap_or_default());
                let mut puts = vec![gone];
                if by != Counts::default() {
                    let why = (self.now(), by, "what was booked later");
                    puts.extend(hours::correct((hour, account), stored.as_ref(), why).map_err(|error| told(&error))?);
                }
                puts
            }
        };
        store.write(&puts).await.map(drop)
    }
}

fn swapped((due, row): (Due, Stored)) -> (Stored, Due) {
    (row, due)
}

/// What is billed by. Rounded down to whole millionths and seconds; corrections are differences of what was rounded.
fn counted(totals: &Totals) -> Counts {
    Counts {
        net_micro_usd: i64::try_from(totals.net().micros_floor()).unwrap_or(i64::MAX),
        instance_seconds: Span(totals.time).as_secs(),
        managed: i64::from(totals.time > 0),
    }
}

fn told(error: &HoursError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
