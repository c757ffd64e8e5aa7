//! What the engine hands over to be billed: account-hours, their corrections, and which hours are closed.
//!
//! Knows the rows' shapes and keys, and how to append to them; knows no rate and no state of billing.
//!
//! | key | written | holds |
//! | --- | --- | --- |
//! | `hours/<YYYY-MM-DDTHH>/<account>` | once an account, then appended to | [`AccountHour`] |
//! | `hours-closed/<YYYY-MM-DDTHH>` | once, after the hour's last account | [`HourClosed`] |
//! | `hours-late/<YYYY-MM-DDTHH>/<account>/<seq>` | with each correction, in one write | [`Late`] |
//!
//! The writer closes every hour, in order and without a gap, also those in which nothing ran (with 0 accounts). The
//! first entry of an account-hour is written before the hour is closed; whatever comes later is a correction, with
//! a number from 1 on, in the same atomic write as its [`Late`] row. So nothing that was metered is ever overwritten,
//! and nothing that comes late is overlooked.

use serde::{Deserialize, Serialize};
use spothub_core::id::AccountId;
use spothub_core::port::{Expect, Put, Stored};
use spothub_core::time::Timestamp;

/// Where account-hours are.
pub const HOURS: &str = "hours/";
/// Where closed hours are told.
pub const CLOSED: &str = "hours-closed/";
/// Where corrections wait to be metered.
pub const LATE: &str = "hours-late/";
/// The format of these rows.
pub const FORMAT: u32 = 1;
/// Entries of one account-hour: corrections are rare, and a row must stay far below a store's limit for an item.
pub const ENTRIES_MAX: usize = 1000;

/// What is counted of an account in an hour: the whole of it in a first entry, the difference in a correction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Net savings in millionths of a USD; negative where both old and new ran for longer than was gained.
    pub net_micro_usd: i64,
    /// Time that managed instances ran, in seconds, all added up.
    pub instance_seconds: i64,
    /// 1 where the account was managed in this hour, 0 where it was not; a correction says by how much.
    pub managed: i64,
}

/// One entry of an account-hour. Entries are added up, and never changed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place, from 0.
    pub seq: u32,
    /// When it was written.
    pub at: Timestamp,
    /// What it adds.
    pub counts: Counts,
    /// Why it was written; empty in a first entry.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// An account in an hour, with every correction since.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AccountHour {
    /// [`FORMAT`] when it was written.
    pub format: u32,
    /// The hour's first moment, in UTC.
    pub hour: Timestamp,
    /// Whose.
    pub account: AccountId,
    /// In order of their numbers, without a gap.
    pub entries: Vec<Entry>,
}

/// An hour that the engine has handed over completely.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct HourClosed {
    /// [`FORMAT`] when it was written.
    pub format: u32,
    /// The hour's first moment, in UTC.
    pub hour: Timestamp,
    /// How many accounts have a row in it: fewer found is an error, and nothing is metered.
    pub accounts: u32,
    /// When it was closed.
    pub at: Timestamp,
}

/// A correction that waits to be metered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Late {
    /// [`FORMAT`] when it was written.
    pub format: u32,
    /// The hour that it corrects.
    pub hour: Timestamp,
    /// Whose.
    pub account: AccountId,
    /// The entry, as it stands in the account-hour.
    pub entry: Entry,
    /// The sum of the entries before it: where a charge has a cap, the difference depends on it.
    pub before: Counts,
}

/// Why nothing can be appended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HoursError {
    /// It is no whole hour.
    #[error("{0} is no whole hour")]
    NoHour(Timestamp),
    /// The row cannot be read.
    #[error("{key} cannot be read: {why}")]
    Unreadable {
        /// Its key.
        key: String,
        /// What the reader says.
        why: String,
    },
    /// It has [`ENTRIES_MAX`] entries already.
    #[error("{0} has {ENTRIES_MAX} entries already")]
    Full(String),
}

/// `2026-01-31T22`: an hour as keys spell it.
#[must_use]
pub fn spelled(hour: Timestamp) -> String {
    hour.to_rfc3339().chars().take(13).collect()
}

/// Reads what [`spelled`] wrote.
#[must_use]
pub fn parsed(text: &str) -> Option<Timestamp> {
    (text.len() == 13).then(|| Timestamp::from_rfc3339(&format!("{text}:00:00Z"))).flatten()
}

/// The key of an account-hour.
#[must_use]
pub fn key(hour: Timestamp, account: AccountId) -> String {
    format!("{HOURS}{}/{account}", spelled(hour))
}

/// The key under which an hour is told to be closed.
#[must_use]
pub fn closed_key(hour: Timestamp) -> String {
    format!("{CLOSED}{}", spelled(hour))
}

/// The key of a correction.
#[must_use]
pub fn late_key(hour: Timestamp, account: AccountId, seq: u32) -> String {
    format!("{LATE}{}/{account}/{seq:04}", spelled(hour))
}

/// The write of an account-hour's first entry; lost where there is one already.
pub fn first(hour: Timestamp, account: AccountId, at: Timestamp, counts: Counts) -> Result<Put, HoursError> {
    whole(hour)?;
    let entry = Entry { seq: 0, at, counts, why: String::new() };
    let row = AccountHour { format: FORMAT, hour, account, entries: vec![entry] };
    put(key(hour, account), &row, Expect::Absent)
}

/// The writes, to be made as one, that correct an account-hour by a difference. `stored` is its row; `None` where
/// the account had none when the hour was closed.
pub fn correct(
    (hour, account): (Timestamp, AccountId),
    stored: Option<&Stored>,
    (at, counts, why): (Timestamp, Counts, &str),
) -> Result<[Put; 2], HoursError> {
    whole(hour)?;
    let key = key(hour, account);
    let (mut row, expect): (AccountHour, Expect) = if let Some(stored) = stored {
        (read(&stored.key, &stored.value)?, Expect::Version(stored.version))
    } else {
        // Place 0 is for what was there when the hour was closed: nothing.
        let nothing = Entry { seq: 0, at, counts: Counts::default(), why: "no usage when it was closed".to_owned() };
        (AccountHour { format: FORMAT, hour, account, entries: vec![nothing] }, Expect::Absent)
    };
    if row.entries.len() >= ENTRIES_MAX {
        return Err(HoursError::Full(key));
    }
    let before = row.entries.iter().fold(Counts::default(), |sum, entry| sum.plus(entry.counts));
    let seq = u32::try_from(row.entries.len()).unwrap_or(u32::MAX);
    let entry = Entry { seq, at, counts, why: why.to_owned() };
    row.entries.push(entry.clone());
    let late = Late { format: FORMAT, hour, account, entry, before };
    Ok([put(key, &row, expect)?, put(late_key(hour, account, seq), &late, Expect::Absent)?])
}

/// The write that closes an hour; lost where it is closed already.
pub fn close(hour: Timestamp, accounts: u32, at: Timestamp) -> Result<Put, HoursError> {
    whole(hour)?;
    put(closed_key(hour), &HourClosed { format: FORMAT, hour, accounts, at }, Expect::Absent)
}

impl Counts {
    /// What these are more than others.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self {
            net_micro_usd: self.net_micro_usd.saturating_sub(other.net_micro_usd),
            instance_seconds: self.instance_seconds.saturating_sub(other.instance_seconds),
            managed: self.managed.saturating_sub(other.managed),
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            net_micro_usd: self.net_micro_usd.saturating_add(other.net_micro_usd),
            instance_seconds: self.instance_seconds.saturating_add(other.instance_seconds),
            managed: self.managed.saturating_add(other.managed),
        }
    }
}

/// Reads a row of this module, or of any other that is kept as JSON.
pub(crate) fn read<T: serde::de::DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, HoursError> {
    let told = |error: serde_json::Error| HoursError::Unreadable { key: key.to_owned(), why: error.to_string() };
    serde_json::from_slice(value).map_err(told)
}

fn whole(hour: Timestamp) -> Result<(), HoursError> {
    if crate::slice::hour_of(hour) == hour { Ok(()) } else { Err(HoursError::NoHour(hour)) }
}

fn put<T: Serialize>(key: String, row: &T, expect: Expect) -> Result<Put, HoursError> {
    let told = |error: serde_json::Error| HoursError::Unreadable { key: key.clone(), why: error.to_string() };
    let value = serde_json::to_vec(row).map_err(told)?;
    // Facts, the same whoever writes them: no lease guards them.
    Ok(Put { key, value: Some(value), expect, fence: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Timestamp = Timestamp(1_769_896_800_000);

    #[test]
    fn a_correction_is_appended_and_told_in_one_write() {
        let account = AccountId::from_number(7).unwrap();
        let counts = Counts { net_micro_usd: 5, instance_seconds: 60, managed: 1 };
        let first = first(HOUR, account, HOUR, counts).unwrap();
        assert_eq!(first.key, "hours/2026-01-31T22/000000000007");
        let stored = Stored { key: first.key, version: 1, value: first.value.unwrap() };
        let by = Counts { net_micro_usd: -9, ..Counts::default() };
        let [row, late] = correct((HOUR, account), Some(&stored), (HOUR, by, "a price came late")).unwrap();
        assert_eq!(row.expect, Expect::Version(1));
        let row: AccountHour = read(&row.key, row.value.as_ref().unwrap()).unwrap();
        assert_eq!(row.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(late.key, "hours-late/2026-01-31T22/000000000007/0001");
        let late: Late = read(&late.key, late.value.as_ref().unwrap()).unwrap();
        assert_eq!((late.before, late.entry.counts), (counts, by));
    }

    #[test]
    fn an_hour_is_spelled_as_it_is_read() {
        assert_eq!(parsed(&spelled(HOUR)), Some(HOUR));
        assert_eq!(parsed("2026-01-31"), None);
        let told = close(Timestamp(HOUR.0 + 1), 0, HOUR).map(|put| put.key);
        assert_eq!(told, Err(HoursError::NoHour(Timestamp(HOUR.0 + 1))));
    }
}
