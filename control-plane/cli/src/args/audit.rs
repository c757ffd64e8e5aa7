//! What `audit` takes.

use std::path::PathBuf;

use clap::ValueEnum;
use spothub_core::id::AccountId;

use super::{Hub, HubStore};

/// Examples of its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  spothub audit verify --config spothub.yaml
  spothub audit verify --write-heads heads.json     note where the chains stand
  spothub audit verify --heads heads.json           and hold them against that
  spothub audit export --account 123456789012 --format csv --out audit.csv";

/// What `audit` does.
#[derive(Debug, clap::Subcommand)]
pub enum Audit {
    /// Holds the log's chains against themselves, and against heads that were noted before. Exit 4 where they differ
    Verify(Verify),
    /// Writes what was done: ends of swaps and rescues, and who set and released brakes
    Export(Export),
}

/// What `audit verify` takes.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// Heads that `--write-heads` wrote before: each must still be in its chain.
    #[arg(long, value_name = "FILE")]
    pub heads: Option<PathBuf>,

    /// Writes where the chains stand now, to be kept where the hub's workers cannot write.
    #[arg(long, value_name = "FILE")]
    pub write_heads: Option<PathBuf>,

    /// Where the hub's store is.
    #[command(flatten)]
    pub hub: Hub,
}

/// What `audit export` takes.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// What was done in this account alone; what was done to the whole organization is left out then.
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,

    /// How it is written.
    #[arg(long, default_value = "csv", value_name = "FORMAT")]
    pub format: Lines,

    /// Writes it to this file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Where the hub's store is.
    #[command(flatten)]
    pub at: HubStore,
}

/// How an export is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Lines {
    /// With a heading; text that a spreadsheet would take for a formula begins with an apostrophe.
    Csv,
    /// The stored rows themselves, one JSON object a line.
    Jsonl,
}
