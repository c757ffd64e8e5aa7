//! What `plan` takes.

use std::path::PathBuf;

use clap::ValueEnum;

use super::seed;

/// Examples of its help.
#[cfg(feature = "aws")]
pub(super) const EXAMPLES: &str = "\
Examples:
  spothub plan --config spothub.yaml                 your organization
  spothub plan --config spothub.yaml --record org.jsonl
                                                     and keep what was seen
  spothub plan --snapshot org.jsonl --policy p.yaml  the same, another policy
  spothub plan --snapshot org.jsonl --policy p.yaml --from-autospotting
                                                     beside AutoSpotting
  spothub plan --snapshot org.jsonl --output html --out plan.html
                                                     a page to hand on
  spothub plan --scenario small                      a simulated organization

Exit codes:
  0  all was seen
  1  nothing could be seen
  2  the command line or an input file is wrong; nothing was begun
  3  seen in part: some account or region did not answer; stderr names it";
/// Examples of its help.
#[cfg(not(feature = "aws"))]
pub(super) const EXAMPLES: &str = "\
Examples:
  spothub plan --scenario small                      a simulated organization
  spothub plan --scenario small --record org.jsonl   and keep what was seen
  spothub plan --snapshot org.jsonl --policy p.yaml  the same, your policy
  spothub plan --snapshot org.jsonl --policy p.yaml --from-autospotting
                                                     beside AutoSpotting
  spothub plan --snapshot org.jsonl --output html --out plan.html
                                                     a page to hand on

Exit codes:
  0  all was seen
  1  nothing could be seen
  2  the command line or an input file is wrong; nothing was begun
  3  seen in part: some account or region did not answer; stderr names it";

/// What `plan` takes.
#[derive(Debug, clap::Args)]
#[command(group(
    clap::ArgGroup::new("source").required(cfg!(not(feature = "aws"))).args(["scenario", "snapshot"])
))]
pub struct Plan {
    /// Plans for a simulated organization: a shipped scenario (see `simulate`), or the path of a YAML file.
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: Option<String>,

    /// Decides everything that the scenario leaves open.
    #[arg(long, default_value = "1", value_name = "N", allow_negative_numbers = true, value_parser = seed)]
    #[arg(requires = "scenario", conflicts_with = "snapshot")]
    pub seed: u64,

    /// Plans for an organization that `--record` wrote, at the time of its recording.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,

    /// The policy to plan with, instead of the settings' or the scenario's; a snapshot has none, so that groups are
    /// enabled by their tag alone.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Also writes what was seen to this file. Reads more: what plans under any other policy would ask for.
    #[arg(long, value_name = "FILE", conflicts_with = "snapshot")]
    pub record: Option<PathBuf>,

    /// Instead of the plan, says what will be different for groups that AutoSpotting works on, and why. Goes by its
    /// tags; its own settings are its defaults, or those of a file with one `KEY=value` in a line: its environment.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "the way in which clap tells a flag from a flag with a value")]
    pub from_autospotting: Option<Option<PathBuf>>,

    /// How the plan is printed.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub output: Printed,

    /// Writes it to this file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Where to look, and how: those of `run`, without `queues` and `store`.
    #[cfg(feature = "aws")]
    #[command(flatten)]
    pub given: super::Given,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Printed {
    /// For people.
    Table,
    /// One object, for programs.
    Json,
    /// A line for each group; text that a spreadsheet would take for a formula begins with an apostrophe.
    Csv,
    /// One page that needs nothing else, with tables to search and sort.
    Html,
}

impl Plan {
    /// Whether it is about accounts of AWS, and neither simulated nor recorded ones.
    #[must_use]
    pub fn reaches_aws(&self) -> bool {
        cfg!(feature = "aws") && self.scenario.is_none() && self.snapshot.is_none()
    }

    /// The part of the command line that names the same organization again.
    #[must_use]
    pub fn source(&self) -> String {
        match (&self.snapshot, &self.scenario) {
            (Some(path), _) => format!(" --snapshot {}", path.display()),
            (None, Some(name)) => format!(" --scenario {name} --seed {}", self.seed),
            #[cfg(feature = "aws")]
            (None, None) => {
                let config = self.given.config.as_ref();
                config.map(|path| format!(" --config {}", path.display())).unwrap_or_default()
            }
            #[cfg(not(feature = "aws"))]
            (None, None) => String::new(),
        }
    }
}
