//! What `rollout` takes.

use std::path::PathBuf;

use clap::Subcommand;

use super::Format;

/// Examples of its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  spothub rollout example --from-aws > rollout.yaml   begin here
  spothub rollout plan                     what would be done, and why
  spothub rollout apply                    does it, and writes spothub.yaml
  spothub rollout status --output json     each account and region
  spothub rollout remove                   takes all of it away again";

const APPLY_EXIT: &str = "\
It can be broken off at any time: CloudFormation finishes what it has begun, and
the next `apply` goes on from there. Where all is right, it does nothing.

Exit codes:
  0  all is as the file says
  1  failed; the hub's stack, without which nothing else is begun
  2  the file or the session does not fit; nothing was begun
  3  done in part: what is missing is told with its reason";

const STATUS_EXIT: &str = "\
Exit codes:
  0  all is as the file says
  2  the file or the session does not fit
  3  something is not: each stack, account and region is told with its reason";

const REMOVE_EXIT: &str = "\
It can be broken off like `apply`. The brake is pulled first, so that nothing
more is begun meanwhile.

Exit codes:
  0  nothing is left but what holds data
  1  failed
  2  something runs or lives that needs it; nothing was begun
  3  done in part: what is left is told with its reason";

/// What `rollout` does.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Rollout {
    /// Prints a file with every key, its default and what it is for.
    Example(Example),
    /// Says what would be created, updated and deleted, and why. Changes nothing.
    Plan(Asked),
    /// Installs and updates: the hub's stack, both stack sets, and the management account's own stacks.
    ///
    /// Says first what it will do, and asks. What fails in some accounts or regions is told with its reason, and does
    /// not keep it from the others. At the end it writes the settings of the hub that it has made.
    #[command(after_help = APPLY_EXIT)]
    Apply(Apply),
    /// Says how each stack and each account and region of the stack sets stands: version, differences, failures.
    #[command(after_help = STATUS_EXIT)]
    Status(Asked),
    /// Takes everything away again: rules, roles, stack sets, the management account's own stacks, the hub's stack.
    ///
    /// Refuses while swaps run or instances live that the hub has launched. What holds data stays, and it says how to
    /// delete that.
    #[command(after_help = REMOVE_EXIT)]
    Remove(Remove),
}

/// What `rollout example` takes.
#[derive(Debug, clap::Args)]
pub struct Example {
    /// Asks AWS for the organization, the account, and who you are, and fills them in.
    #[arg(long)]
    pub from_aws: bool,
}

/// Which rollout, and how the answer is printed.
#[derive(Debug, clap::Args)]
pub struct Asked {
    /// What is rolled out, and where.
    #[arg(long, value_name = "FILE", default_value = "rollout.yaml", env = "SPOTHUB_ROLLOUT", hide_env_values = true)]
    pub file: PathBuf,

    /// How the answer is printed.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
}

/// What `rollout apply` takes.
#[derive(Debug, clap::Args)]
pub struct Apply {
    /// Which rollout.
    #[command(flatten)]
    pub asked: Asked,

    /// Does it without asking.
    #[arg(long)]
    pub yes: bool,

    /// The hub's settings; spothub.yaml beside the rollout's file by itself.
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,

    /// Writes the settings anew where they are there and differ.
    #[arg(long)]
    pub replace_settings: bool,

    /// Takes roles and rules out of accounts and regions without looking whether instances live there.
    #[arg(long)]
    pub leave_spot: bool,
}

/// What `rollout remove` takes.
#[derive(Debug, clap::Args)]
pub struct Remove {
    /// Which rollout.
    #[command(flatten)]
    pub asked: Asked,

    /// Does it without asking.
    #[arg(long)]
    pub yes: bool,

    /// The hub's settings, by which it looks for swaps and instances; spothub.yaml beside the rollout's file by itself.
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,

    /// First sends all that the hub brought onto Spot back to on-demand, and waits until it is; the hub has to run for
    /// that.
    #[arg(long, conflicts_with = "leave_spot")]
    pub revert: bool,

    /// Leaves instances that the hub launched to their groups, and swaps as they are, without looking for them.
    #[arg(long)]
    pub leave_spot: bool,
}
