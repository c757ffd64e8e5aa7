//! The command line as it is typed.

#[cfg(feature = "aws")]
mod audit;
#[cfg(feature = "aws")]
mod brake;
#[cfg(feature = "aws")]
mod dashboard;
#[cfg(feature = "aws")]
mod doctor;
#[cfg(feature = "aws")]
mod metering;
mod plan;
mod policy;
#[cfg(feature = "aws")]
mod report;
#[cfg(feature = "aws")]
mod rollout;

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use spothub_sim::scenario::HOURS_MAX;

#[cfg(feature = "aws")]
pub use audit::{Audit, Export, Lines, Verify};
#[cfg(feature = "aws")]
pub use brake::{Brake, Hub, HubStore, Revert};
#[cfg(feature = "aws")]
pub use dashboard::Dashboard;
#[cfg(feature = "aws")]
pub use doctor::Doctor;
#[cfg(feature = "aws")]
pub use metering::{Hour, Metering, MeteringTask, Settle};
#[cfg(feature = "aws")]
pub(crate) use metering::{Mode, Status};
pub use plan::{Plan, Printed};
#[cfg(feature = "aws")]
pub(crate) use policy::Approve;
pub use policy::Policy;
pub(crate) use policy::{Check, Diff, Explain};
#[cfg(feature = "aws")]
pub use report::{By, Form, Per, Report};
#[cfg(feature = "aws")]
pub use rollout::Rollout;
#[cfg(feature = "aws")]
pub(crate) use rollout::{
    Apply as RolloutApply, Asked as RolloutAsked, Example as RolloutExample, Remove as RolloutRemove,
};

/// Version and commit.
pub(crate) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("SPOTHUB_COMMIT"), ")");

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line or an input file is wrong; nothing was begun
  3  done in part
  4  an invariant was violated";

const EXAMPLES: &str = "\
Examples:
  spothub simulate                                  a small company for a day
  spothub simulate storm --seed 7                   mass interruptions
  spothub simulate small --engine off               the same world without spothub
  spothub simulate small --baseline                 both, side by side
  spothub simulate mine.yaml --trace trace.jsonl    your own, with every fact written down
  spothub simulate --snapshot org.jsonl --policy policy.yaml
                                                    what `plan --record` wrote, from then on";

#[cfg(feature = "aws")]
const RUN_EXAMPLES: &str = "\
Examples:
  spothub config example > spothub.yaml             begin here
  spothub config check spothub.yaml                 what is in force, or wrong
  spothub run --config spothub.yaml --once --dry-run -v
  spothub run --config spothub.yaml --log-format json";

/// Moves an AWS organization onto Spot instances, safely, from one place.
#[cfg_attr(feature = "aws", doc = "\nThe engine runs against AWS, and on an embedded, simulated organization.")]
#[cfg_attr(
    not(feature = "aws"),
    doc = "\nThe engine runs on an embedded, simulated organization; this build does not reach AWS."
)]
#[derive(Debug, Parser)]
#[command(name = "spothub", version = VERSION, after_help = EXIT_CODES, term_width = 80)]
#[command(propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    /// Says more on stderr: -v what happens, -vv why, -vvv everything.
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,

    /// Which messages to log, as `info` or `warn,spothub_hub=debug`; stronger than -v.
    #[arg(long, env = "SPOTHUB_LOG", value_name = "FILTER", global = true, hide_env_values = true)]
    pub log: Option<String>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the engine on an embedded, simulated organization.
    ///
    /// One seed decides everything: the same scenario and seed give the same result, byte for byte, wall time aside.
    /// The laws of the design are judged after every step; the result says how much was saved, and what was broken.
    #[command(after_help = EXAMPLES)]
    Simulate(Simulate),
    /// Says what would be swapped, why not where not, and what it would save. Changes nothing.
    ///
    /// Looks at every Auto Scaling group once, and tells what the engine would begin with each and why it leaves the
    /// other members on demand. Savings are estimates: list prices against the Spot prices of the moment.
    #[command(after_help = plan::EXAMPLES)]
    Plan(Box<Plan>),
    /// Checks policy files, explains what they say of a group, and compares them.
    #[command(subcommand)]
    Policy(Policy),
    /// Installs spothub in an organization: the hub's stack and two stack sets for the members.
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Rollout(Rollout),
    /// Runs the engine against AWS.
    ///
    /// It acts at once. SIGTERM or SIGINT stops it in good order: no more is begun, the steps in hand are finished,
    /// and what is in flight goes on at the next start. A second signal ends it where it stands.
    #[cfg(feature = "aws")]
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<Run>),
    /// Proves that roles, rules, queues and rights work, in every account and region. Changes nothing.
    ///
    /// Assumes each account's role, compares its rules with those of this version, sends a probe event from each region
    /// to the hub and measures its way, and tells what is missing, with what to do about it.
    #[cfg(feature = "aws")]
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(Box<Doctor>),
    /// Stops new swaps, in a part of the organization or all of it, until `resume`.
    ///
    /// Acts at once: from five seconds after it returned no worker begins a swap in its scope, also after restarts.
    /// Swaps in flight are finished or undone, and rescues go on unless --all is given.
    #[cfg(feature = "aws")]
    #[command(after_help = brake::EXAMPLES)]
    Pause(Brake),
    /// Releases a brake of exactly this scope. A new hub begins paused for the organization.
    #[cfg(feature = "aws")]
    #[command(after_help = brake::EXAMPLES)]
    Resume(Brake),
    /// Sends a part of the organization back to on-demand, one swap at a time in each group, until `resume`.
    ///
    /// What spothub brought on Spot is replaced by on-demand instances under the same laws as every swap: the newcomer
    /// serves first, intervals and budgets hold, `pause` stops it. Nothing new goes onto Spot there meanwhile; what AWS
    /// takes back is still replaced. It is on record in the hub's store, so that restarts change nothing. Without
    /// --apply it says what would go back. The member role must be allowed to launch on demand (AllowOnDemandFallback);
    /// otherwise groups are held as `on-demand-not-allowed`.
    #[cfg(feature = "aws")]
    #[command(after_help = brake::REVERTS)]
    Revert(Revert),
    /// Says what the hub does now: swaps in flight, brakes, holds, and groups that wait after failures.
    #[cfg(feature = "aws")]
    Status(Hub),
    /// Shows what the hub does now in a browser, read from its store alone, until it is stopped.
    ///
    /// On loopback anybody may look and nobody may change anything, unless an access file is named: then everybody
    /// signs in, and operators may pause and resume.
    #[cfg(feature = "aws")]
    #[command(after_help = dashboard::EXAMPLES)]
    Dashboard(Dashboard),
    /// Says what was saved, from the hub's ledger, by unit, account or group.
    ///
    /// Gross is against list prices, net against what the account pays on demand. Time without a known price is told
    /// as such and is in no amount.
    #[cfg(feature = "aws")]
    #[command(after_help = report::EXAMPLES)]
    Report(Box<Report>),
    /// Proves the log of what was done, or writes it out.
    ///
    /// Each end of a swap or rescue, and each brake that is set or released, names the one before by its digest. Who
    /// changes or removes one has to change all later ones, and what was noted of them elsewhere.
    #[cfg(feature = "aws")]
    #[command(subcommand, after_help = audit::EXAMPLES)]
    Audit(Audit),
    /// Says what was metered on AWS Marketplace, and settles what nobody knows
    #[cfg(feature = "aws")]
    #[command(subcommand, after_help = metering::EXAMPLES)]
    Metering(Metering),
    /// Checks settings without credentials, or prints an example.
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Config(Config),
    /// Prints a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Prints the manual page, of the program or of one command, in roff.
    Man {
        /// The command.
        #[arg(value_name = "COMMAND")]
        page: Option<String>,
    },
}

/// What `simulate` takes.
#[derive(Debug, clap::Args)]
pub struct Simulate {
    /// A shipped scenario (small, storm, windows, scarce, racing, messy, guarded, kinds, large), or the path of a YAML
    /// file.
    #[arg(default_value = "small", hide_possible_values = true, conflicts_with = "snapshot")]
    pub scenario: String,

    /// Simulates the organization that `plan --record` wrote, from the time of its recording on.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,

    /// The policy in force, instead of the scenario's; a recording has none, so that groups are enabled by their tag
    /// alone.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Decides everything that the scenario leaves open.
    #[arg(long, default_value = "1", value_name = "N", allow_negative_numbers = true, value_parser = seed)]
    pub seed: u64,

    /// Virtual hours of ordinary life (1 to 8760), instead of the scenario's.
    #[arg(long, value_name = "H", allow_negative_numbers = true, value_parser = hours)]
    pub hours: Option<u32>,

    /// Whether spothub acts; `off` shows what happens without it.
    #[arg(long, default_value = "on", value_name = "on|off", hide_possible_values = true)]
    pub engine: Switch,

    /// Whether it thinks of what pools did when it chooses among them; `off` shows what that is worth.
    #[arg(long, default_value = "on", value_name = "on|off", hide_possible_values = true)]
    pub learning: Switch,

    /// Pools follow the recorded capacity in this file, instead of episodes that are drawn.
    #[arg(long, value_name = "FILE", conflicts_with = "snapshot")]
    pub capacity: Option<PathBuf>,

    /// Runs the same without spothub, too, and shows both side by side: what groups alone would make of it.
    #[arg(long)]
    pub baseline: bool,

    /// Writes every fact of the run to this file, one JSON object in a line.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,

    /// Writes the result to this file as a page for browsers, too.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// How the result is printed.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
}

/// Settings: the file, and what is given beside it.
#[cfg(feature = "aws")]
#[derive(Debug, clap::Args)]
pub struct Given {
    /// Settings as flags and variables. First, since taking a field takes it out of what was parsed, and this one looks
    /// at how `--config` was given.
    #[command(flatten)]
    pub typed: crate::config::Typed,

    /// The settings file.
    #[arg(long, value_name = "FILE", env = "SPOTHUB_CONFIG", hide_env_values = true, display_order = 0)]
    pub config: Option<PathBuf>,
}

/// Where settings come from.
#[cfg(feature = "aws")]
#[derive(Debug, clap::Args)]
pub struct From {
    /// The settings.
    #[command(flatten)]
    pub given: Given,

    /// Takes times below their floors; refused unless every AWS endpoint is on loopback. For tests.
    #[arg(long)]
    pub unsafe_timings: bool,
}

/// What `run` takes.
#[cfg(feature = "aws")]
#[expect(clippy::struct_field_names, reason = "the flag is called --dry-run")]
#[derive(Debug, clap::Args)]
pub struct Run {
    /// One full sweep to completion, then the end: 0 all was reached, 3 some account failed.
    #[arg(long)]
    pub once: bool,

    /// Decides everything and changes nothing; queues and the store are left alone.
    #[arg(long)]
    pub dry_run: bool,

    /// How the summary of --once is printed.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,

    /// Where settings come from.
    #[command(flatten)]
    pub from: From,
}

/// What `config` does.
#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Reads the settings and all files that they name; says what is in force, or all that is wrong.
    Check {
        /// The settings file; stronger than --config.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,

        /// Where settings come from.
        #[command(flatten)]
        from: Box<From>,
    },
    /// Prints a settings file with every key, its default and what it is for.
    Example,
}

/// On or off.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One object, for programs.
    Json,
}

pub(crate) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

fn hours(text: &str) -> Result<u32, String> {
    let found = text.parse().ok().filter(|hours| (1..=HOURS_MAX).contains(hours));
    found.ok_or_else(|| format!("hours are a whole number from 1 to {HOURS_MAX}"))
}
