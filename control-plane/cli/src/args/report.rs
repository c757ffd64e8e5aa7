//! What `report` takes.

use std::path::PathBuf;

use clap::ValueEnum;
use spothub_core::time::Timestamp;

use super::HubStore;

/// Examples of its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  spothub report --config spothub.yaml              the last 30 days, by account
  spothub report --config spothub.yaml --from 2026-01-01 --to 2026-01-31 --by ou
  spothub report --config spothub.yaml --format html --out report.html
  spothub report --config spothub.yaml --by group --each day --format focus";

/// What `report` takes.
#[derive(Debug, clap::Args)]
pub struct Report {
    /// The first day, in UTC; without it 30 days are reported.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub from: Option<Timestamp>,

    /// The last day, in UTC, and part of it; without it today.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub to: Option<Timestamp>,

    /// What a row is about. Rows of units count all below them.
    #[arg(long, default_value = "account", value_name = "LEVEL")]
    pub by: By,

    /// How long the period of a row is.
    #[arg(long, default_value = "total", value_name = "PERIOD")]
    pub each: Per,

    /// How it is written.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub format: Form,

    /// Writes it to this file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Where the hub's store is.
    #[command(flatten)]
    pub at: HubStore,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum By {
    /// Everything.
    Organization,
    /// A unit, with all below it.
    Ou,
    /// An account.
    Account,
    /// A group.
    Group,
}

/// The period of a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Per {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A calendar month.
    Month,
    /// All of it.
    Total,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Form {
    /// For people.
    Table,
    /// One object, for programs.
    Json,
    /// For spreadsheets.
    Csv,
    /// The columns of FOCUS 1.2, as csv.
    Focus,
    /// One file for browsers.
    Html,
}

fn date(text: &str) -> Result<Timestamp, String> {
    let found = (text.len() == 10).then(|| Timestamp::from_rfc3339(&format!("{text}T00:00:00Z"))).flatten();
    found.ok_or_else(|| "give a day as 2026-01-31".to_owned())
}
