//! What `policy` takes.

use std::path::PathBuf;

use clap::Subcommand;
use spothub_core::id::{AccountId, GroupName, OuPath, Region};

use super::Format;

/// Examples of its help.
#[cfg(feature = "aws")]
const EXAMPLES: &str = "\
Examples:
  spothub policy check policies                      what is wrong, or looks it
  spothub policy explain --account 123456789012 --region eu-west-1 --group web
  spothub policy diff policies changed --snapshot org.jsonl
  spothub policy schema > policy.schema.json
  spothub policy approve 0123456789ab --why \"reviewed with the web team\"";
/// Examples of its help.
#[cfg(not(feature = "aws"))]
const EXAMPLES: &str = "\
Examples:
  spothub policy check policies                      what is wrong, or looks it
  spothub policy explain --account 123456789012 --region eu-west-1 --group web
  spothub policy diff policies changed --snapshot org.jsonl
  spothub policy schema > policy.schema.json";

const CHECK_EXIT: &str = "\
Exit codes:
  0  good, perhaps with warnings
  2  there is a mistake, or a file cannot be read";

/// What `policy` does.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Policy {
    /// Reads policy files and says all that is wrong with them at once. Needs no credentials.
    ///
    /// Mistakes and warnings come with file, line and column, and with what to do. The digest at the end is what
    /// `approve` takes.
    #[command(after_help = CHECK_EXIT)]
    Check(Check),
    /// Says each value in force for a group, where it comes from, and what it overrode.
    ///
    /// Also says whether spothub may act on the group, and if not, who says so and what to do. What is not told of the
    /// group counts as not there.
    Explain(Box<Explain>),
    /// Says what a change of policy alters for the groups of a recorded organization.
    Diff(Diff),
    /// Prints the JSON Schema of a policy file, for editors.
    Schema,
    /// Lets the published policy into force where it loosens anything. Restrictions hold without it.
    ///
    /// It counts for the policy that the hub has seen last, and not from who wrote that one.
    #[cfg(feature = "aws")]
    Approve(Approve),
}

/// What `policy check` takes.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Policy files, or directories of them; ./policies where none is named.
    #[arg(value_name = "FILE|DIRECTORY")]
    pub paths: Vec<PathBuf>,

    /// How the findings are printed.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
}

/// What `policy explain` takes.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The group's account.
    #[arg(long, value_name = "ID")]
    pub account: AccountId,
    /// Its region.
    #[arg(long, value_name = "REGION")]
    pub region: Region,
    /// Its name.
    #[arg(long, value_name = "NAME")]
    pub group: GroupName,

    /// A policy file, or a directory of them; may be given several times. ./policies where none is named.
    #[arg(long, value_name = "FILE|DIRECTORY")]
    pub policy: Vec<PathBuf>,

    /// Takes the group's unit and tags from an organization that `plan --record` wrote.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,

    /// The organizational unit of the account, by its path, as /prod/web; instead of the snapshot's.
    #[arg(long, value_name = "PATH")]
    pub ou: Option<OuPath>,
    /// A tag of the group, beside or instead of the snapshot's; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    pub tag: Vec<(String, String)>,
    /// A tag of the account, likewise.
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    pub account_tag: Vec<(String, String)>,

    /// Also says whether members may become instances of this type, as far as policy is asked.
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,

    /// How the answer is printed.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
}

/// What `policy diff` takes.
#[derive(Debug, clap::Args)]
pub struct Diff {
    /// The policy as it is: a file, or a directory of them.
    pub old: PathBuf,
    /// The policy as it would be.
    pub new: PathBuf,

    /// The organization to try them on, as `plan --record` wrote it.
    #[arg(long, value_name = "FILE")]
    pub snapshot: PathBuf,

    /// How the answer is printed.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
}

/// What `policy approve` takes.
#[cfg(feature = "aws")]
#[derive(Debug, clap::Args)]
pub struct Approve {
    /// The digest of the published policy, or its first digits, at least 12: `check` and `status` say it.
    #[arg(value_parser = digest)]
    pub digest: String,

    /// Why, for whoever finds it so; at most 500 characters.
    #[arg(long, value_name = "TEXT", value_parser = super::brake::why)]
    pub why: String,

    /// Who does it, where that is not who is logged in.
    #[arg(long, value_name = "NAME", env = "SPOTHUB_BY", hide_env_values = true)]
    pub by: Option<String>,

    /// Where the hub's store is.
    #[command(flatten)]
    pub hub: super::Hub,
}

fn tag(text: &str) -> Result<(String, String), String> {
    let told = || format!("{text:?} is no tag: give KEY=VALUE, as team=web");
    let (key, value) = text.split_once('=').ok_or_else(told)?;
    if key.is_empty() { Err(told()) } else { Ok((key.to_owned(), value.to_owned())) }
}

#[cfg(feature = "aws")]
fn digest(text: &str) -> Result<String, String> {
    let text = text.strip_suffix("...").unwrap_or(text).to_ascii_lowercase();
    let good = (12..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    good.then_some(text).ok_or_else(|| "a digest is 12 to 64 hexadecimal digits; spothub status says it".to_owned())
}
