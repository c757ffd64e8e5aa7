//! Usage to savings to ledger: what each instance cost, and what it would have cost on demand.
//!
//! Knows times and prices, all of them exact integers; knows no cloud, no store and no clock. What an instance did
//! becomes [`Slice`]s of one price each; slices are booked in the pages of a [`book`] and summed up in [`Rollups`].
//!
//! Beside it, what the Marketplace bills: account-hours ([`hours`]) become units ([`charge`]) in one record for each
//! hour and dimension ([`record`]), which the hourly [`task`] sends through the [`meter`] port, at most once (INV-8).

#![deny(clippy::float_arithmetic)]

pub mod audit;
pub mod book;
pub mod charge;
pub mod hours;
pub mod meter;
pub mod record;
pub mod rollup;
pub mod savings;
pub mod settle;
pub mod slice;
pub mod task;

pub use rollup::{Difference, Grain, Level, Period, Rollups, Scope};
pub use savings::Sums;
pub use slice::{Baseline, Slice, Subject, Usage};
