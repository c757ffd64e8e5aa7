//! The stored ledger as reports: sums by level and length of period, and their renderings.
//!
//! Pure: rows go in, text comes out. Amounts are integers until they are spelled.

#![deny(clippy::float_arithmetic)]

pub mod html;
pub mod model;
pub mod text;

pub use model::{Each, Level, Report, Scope};
