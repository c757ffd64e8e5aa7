//! What was metered, as rows for people: where the amounts are, and what each billed step was made from.
//!
//! Pure: knows rows, and no store.

use serde::Serialize;
use spothub_core::id::AccountId;
use spothub_core::time::Timestamp;

use crate::charge::{Dimension, Line};
use crate::meter::Quantity;
use crate::record::{Books, Record, State};
use crate::task::rows::MeteredHour;

/// Where one hour's amount in one dimension is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct StatusRow {
    /// The hour.
    pub hour: Timestamp,
    /// The dimension.
    pub dimension: String,
    /// The quantity, as it is sent.
    pub quantity: String,
    /// A word for where it is.
    pub state: &'static str,
    /// AWS's id for the record, the hour that it was carried into, or the reason.
    pub detail: String,
    /// Its steps.
    pub books: Books,
}

/// Where the amounts of one dimension are, all hours together.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Total {
    /// The dimension.
    pub dimension: String,
    /// Records in it.
    pub records: usize,
    /// Their steps.
    pub books: Books,
}

/// One account's part of one billed hour.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AuditRow {
    /// The hour.
    pub hour: Timestamp,
    /// The dimension.
    pub dimension: String,
    /// The account.
    pub account: AccountId,
    /// The carry before, in parts of a step, as the other amounts here.
    pub before: i128,
    /// What the hour and the corrections taken with it came to.
    pub amount: i128,
    /// What came back from records that were not accepted.
    pub returned: i128,
    /// What a rule dropped.
    pub dropped: i128,
    /// The account's part of the quantity, as it is sent.
    pub quantity: String,
    /// The carry after.
    pub carry: i128,
    /// A word for where the hour's record is.
    pub state: &'static str,
    /// AWS's id for the record.
    pub record_id: Option<String>,
}

/// A line that does not add up.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AuditError {
    /// `before + amount + returned` is not `units × step + dropped + carry`.
    #[error("{account} in {dimension} of {hour} does not add up")]
    Line {
        /// The hour.
        hour: Timestamp,
        /// The dimension.
        dimension: String,
        /// The account.
        account: AccountId,
    },
    /// The accounts' steps are not the record's.
    #[error("the accounts of {dimension} in {hour} have {lines} steps, and the record {record}")]
    Record {
        /// The hour.
        hour: Timestamp,
        /// The dimension.
        dimension: String,
        /// The sum of its lines.
        lines: u64,
        /// The record's quantity.
        record: u64,
    },
}

/// One row for each record, and the totals of each dimension, in the order given.
#[must_use]
pub fn status<'a>(records: impl IntoIterator<Item = &'a Record>) -> (Vec<StatusRow>, Vec<Total>) {
    let (mut rows, mut totals) = (Vec::new(), Vec::<Total>::new());
    for record in records {
        let books = record.books();
        rows.push(StatusRow {
            hour: record.hour,
            dimension: record.dimension.clone(),
            quantity: record.quantity.to_string(),
            state: record.state.label(),
            detail: detail(&record.state),
            books,
        });
        let place = totals.iter().position(|total| total.dimension == record.dimension).unwrap_or(totals.len());
        if place == totals.len() {
            let (dimension, books) = (record.dimension.clone(), Books::default());
            totals.push(Total { dimension, records: 0, books });
        }
        let total = &mut totals[place];
        total.records += 1;
        total.books.accepted += books.accepted;
        total.books.pending += books.pending;
        total.books.unknown += books.unknown;
        total.books.written_off += books.written_off;
    }
    (rows, totals)
}

/// The lines of one hour with its records, each checked: what a buyer holds against the savings ledger.
pub fn audit(hour: &MeteredHour, lines: &[Line], records: &[Record]) -> Result<Vec<AuditRow>, AuditError> {
    let mut rows = Vec::new();
    for (place, dimension) in hour.dimensions.iter().enumerate() {
        let record = records.iter().find(|record| record.dimension == dimension.name);
        let before = rows.len();
        let mut sum = 0;
        for line in lines {
            let Some(part) = line.parts.get(place).filter(|part| **part != crate::charge::Part::default()) else {
                continue;
            };
            let step = record.map_or(dimension.step(), |record| record.step);
            let out = i128::from(part.units) * step + part.dropped + part.carry;
            if part.before + part.amount + part.returned != out {
                let (hour, dimension, account) = (hour.hour, dimension.name.clone(), line.account);
                return Err(AuditError::Line { hour, dimension, account });
            }
            sum += part.units;
            rows.push(row(hour, dimension, line.account, *part, record));
        }
        let told = record.map_or(sum, |record| record.quantity.units);
        if sum != told {
            rows.truncate(before);
            let (hour, dimension) = (hour.hour, dimension.name.clone());
            return Err(AuditError::Record { hour, dimension, lines: sum, record: told });
        }
    }
    Ok(rows)
}

fn row(
    hour: &MeteredHour,
    dimension: &Dimension,
    account: AccountId,
    part: crate::charge::Part,
    record: Option<&Record>,
) -> AuditRow {
    AuditRow {
        hour: hour.hour,
        dimension: dimension.name.clone(),
        account,
        before: part.before,
        amount: part.amount,
        returned: part.returned,
        dropped: part.dropped,
        quantity: Quantity { units: part.units, places: dimension.places }.to_string(),
        carry: part.carry,
        state: record.map_or("not billed", |record| record.state.label()),
        record_id: record.and_then(|record| match &record.state {
            State::Accepted { id, .. } => id.clone(),
            State::Held { .. }
            | State::Sending { .. }
            | State::Refused { .. }
            | State::Unknown { .. }
            | State::WrittenOff { .. }
            | State::Carried { .. } => None,
        }),
    }
}

fn detail(state: &State) -> String {
    match state {
        State::Held { why } | State::Refused { why } | State::WrittenOff { why } => why.clone(),
        State::Sending { task, .. } | State::Unknown { task, .. } => task.clone(),
        State::Accepted { id, .. } => id.clone().unwrap_or_default(),
        State::Carried { into } => into.to_string(),
    }
}
