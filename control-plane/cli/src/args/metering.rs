//! What `metering` and the metering task take.

use std::path::PathBuf;

use clap::Parser;
use spothub_core::time::Timestamp;

use super::{Format, Hub, HubStore};

/// Examples of its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  spothub metering status --config spothub.yaml
  spothub metering audit 2026-01-31T13:00:00Z --config spothub.yaml
  spothub metering settle 2026-01-31T13:00:00Z savings --accepted ID --why \"CloudTrail event 4f1c\" --apply";

/// What `metering` does.
#[derive(Debug, clap::Subcommand)]
pub enum Metering {
    /// Says where each metered hour's amount is, and what the hourly task found last
    Status(Status),
    /// Says what each billed unit of an hour was made from, account by account, and checks that it adds up
    Audit(Hour),
    /// Settles a record whose sender died without an answer, by evidence. Changes nothing without --apply
    Settle(Box<Settle>),
}

/// What `metering status` takes.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// Only records that are not final.
    #[arg(long)]
    pub open: bool,

    /// Where the hub's store is.
    #[command(flatten)]
    pub hub: Hub,
}

/// What `metering audit` takes.
#[derive(Debug, clap::Args)]
pub struct Hour {
    /// The hour's first moment, in UTC, as 2026-01-31T13:00:00Z.
    #[arg(value_name = "HOUR", value_parser = hour)]
    pub hour: Timestamp,

    /// Where the hub's store is.
    #[command(flatten)]
    pub hub: Hub,
}

/// What `metering settle` takes.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("verdict").required(true).multiple(false)
    .args(["accepted", "not_accepted", "write_off"])))]
pub struct Settle {
    /// The hour's first moment, in UTC.
    #[arg(value_name = "HOUR", value_parser = hour)]
    pub hour: Timestamp,

    /// The dimension's name.
    #[arg(value_name = "DIMENSION")]
    pub dimension: String,

    /// AWS holds it, under this record id.
    #[arg(long, value_name = "RECORD-ID")]
    pub accepted: Option<String>,

    /// The steps that AWS holds, where they are not those that were sent.
    #[arg(long, value_name = "STEPS", requires = "accepted")]
    pub steps: Option<u64>,

    /// AWS does not hold it: it is billed with the next open hour.
    #[arg(long)]
    pub not_accepted: bool,

    /// It is never to be billed.
    #[arg(long)]
    pub write_off: bool,

    /// The evidence, for the auditor: an event of CloudTrail, or the seller's usage report.
    #[arg(long, value_name = "TEXT")]
    pub why: String,

    /// Does it.
    #[arg(long)]
    pub apply: bool,

    /// Where the hub's store is.
    #[command(flatten)]
    pub hub: Hub,
}

/// What the metering task takes.
#[derive(Debug, Parser)]
#[command(
    name = "spothub-metering",
    version = super::VERSION,
    about = "Meters the hub's closed hours on AWS Marketplace, each at most once.",
    long_about = "Meters the hub's closed hours on AWS Marketplace, each at most once.\n\nTo be run hourly, as a task \
                  of its own. Safe to run twice, late, in parallel, or after days: what it cannot know, it marks as \
                  unknown and leaves to `spothub metering settle`.",
    after_help = super::EXIT_CODES
)]
pub struct MeteringTask {
    /// How the listing is billed: a JSON file as the seller's page describes it.
    #[arg(long, value_name = "FILE", env = "SPOTHUB_LISTING", default_value = "/etc/spothub/listing.json")]
    pub listing: PathBuf,

    /// How hours count, instead of the listing's `mode`: `marketplace` bills them, a `trial` works them out and never
    /// sends them, and with `off` they just pass.
    #[arg(long, value_name = "MODE", env = "SPOTHUB_METERING_MODE")]
    pub mode: Option<Mode>,

    /// Works out what would be metered; writes and sends nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// With --dry-run: asks AWS for each record whether it would be allowed.
    #[arg(long, requires = "dry_run")]
    pub ask: bool,

    /// The last hour to meter; without it, the last one that is over.
    #[arg(long, value_name = "HOUR", value_parser = hour)]
    pub last: Option<Timestamp>,

    /// Where the hub's store is.
    #[command(flatten)]
    pub at: HubStore,

    /// How the outcome is printed.
    #[arg(long, default_value = "json", value_name = "FORMAT")]
    pub output: Format,
}

/// How hours count.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Mode {
    /// They are billed.
    Marketplace,
    /// They are worked out, and never sent.
    Trial,
    /// They pass.
    Off,
}

fn hour(text: &str) -> Result<Timestamp, String> {
    const HOUR_MS: i64 = 3_600_000;
    let at = Timestamp::from_rfc3339(text).ok_or("give it as 2026-01-31T13:00:00Z")?;
    if at.0 % HOUR_MS == 0 { Ok(at) } else { Err("give an hour's first moment, as 2026-01-31T13:00:00Z".to_owned()) }
}
