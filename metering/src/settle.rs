//! What an operator does with a record that no task may touch: `unknown` by evidence, or written off.

use spothub_core::port::{Expect, Store, StoreError};
use spothub_core::time::{Span, Timestamp};

use crate::meter::{AGE_MAX, BATCH_AGE_MAX};
use crate::record::{Event, IllegalStep, Path, Record};
use crate::task::rows::{self, RowError, record_key};

/// How much longer than AWS takes an hour's record we wait before it may be said that AWS does not hold it: the
/// service's and the operator's clocks differ, and a usage report comes late.
const CERTAIN_AFTER: Span = Span::hours(1);

/// What the operator's evidence says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// AWS holds it, under this record id; in steps, where it holds another quantity.
    Accepted {
        /// AWS's id for the record.
        id: String,
        /// The steps that AWS holds, where they are not those asked for.
        units: Option<u64>,
    },
    /// AWS does not hold it: it will be billed with the next open hour.
    NotAccepted,
    /// It is never to be billed. Only for what AWS certainly does not hold.
    WriteOff,
}

/// Why nothing was settled.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SettleError {
    /// The record cannot be read or written; where it was lost to somebody faster, look at it again.
    #[error(transparent)]
    Rows(#[from] RowError),
    /// It is not in a state for this.
    #[error(transparent)]
    Step(#[from] IllegalStep),
    /// AWS might still take it.
    #[error("AWS may still accept this hour until {0}: nobody can know yet that it did not")]
    TooEarly(Timestamp),
    /// No reason was given.
    #[error("say why: the reason is kept for the auditor")]
    NoReason,
}

impl From<StoreError> for SettleError {
    fn from(error: StoreError) -> Self {
        Self::Rows(RowError::Store(error))
    }
}

/// What settling would make of a record, with the version of the row that was read; nothing is written. `why` names the
/// evidence: CloudTrail's event, or the seller's usage report.
pub async fn considered(
    store: &dyn Store,
    (hour, dimension): (Timestamp, &str),
    verdict: &Verdict,
    (why, now): (&str, Timestamp),
) -> Result<(u64, Record), SettleError> {
    if why.trim().is_empty() {
        return Err(SettleError::NoReason);
    }
    let kept = rows::record(store, hour, dimension).await?;
    let why = why.to_owned();
    let event = match verdict {
        Verdict::Accepted { id, units } => Event::Accept { id: id.clone(), units: *units, why },
        Verdict::NotAccepted => {
            let age = match kept.row.path {
                Path::Task => AGE_MAX,
                Path::Seller => BATCH_AGE_MAX,
            };
            let certain = hour + age + CERTAIN_AFTER;
            if now < certain {
                return Err(SettleError::TooEarly(certain));
            }
            Event::NotAccepted { why }
        }
        Verdict::WriteOff => Event::WriteOff { why },
    };
    Ok((kept.version, kept.row.after(&event, now)?))
}

/// Settles one record, and returns it as it is now.
pub async fn settle(
    store: &dyn Store,
    (hour, dimension): (Timestamp, &str),
    verdict: &Verdict,
    (why, now): (&str, Timestamp),
) -> Result<Record, SettleError> {
    let (version, next) = considered(store, (hour, dimension), verdict, (why, now)).await?;
    let key = record_key(hour, dimension);
    store.write(&[rows::put(key, &next, Expect::Version(version))?]).await?;
    Ok(next)
}
