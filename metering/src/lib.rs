//! Usage to savings to ledger: what each instance cost, and what it would have cost on demand.
//!
//! Knows times and prices, all of them exact integers; knows no cloud, no store and no clock. What an instance did
//! becomes [`Slice`]s of one price each; slices are booked in a [`Ledger`] and summed up in [`Rollups`].

#![deny(clippy::float_arithmetic)]

pub mod book;
pub mod ledger;
pub mod rollup;
pub mod savings;
pub mod slice;

pub use ledger::{Entry, EntryKind, Ledger, LedgerError};
pub use rollup::{Difference, Grain, Level, Period, Rollups, Scope};
pub use savings::Sums;
pub use slice::{Baseline, Slice, Subject, Usage};
