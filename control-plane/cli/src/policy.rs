//! `spothub policy`: what policy files say, and of whom. Only `approve` reaches the hub's store; nothing reaches AWS
//! for the rest.

#[cfg(feature = "aws")]
mod approve;
mod check;
pub(crate) mod diff;
pub(crate) mod explain;

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde::Serialize;
use spothub_core::policy::PolicySet;
use spothub_hub::policy_file::{self, File};
use spothub_hub::published;

use crate::args::{Format, Policy};
use crate::{Exit, Streams, local};

/// Where policy files lie if nothing else is said.
const USUAL: &str = "policies";

/// Runs one of its commands.
pub(crate) fn policy(command: &Policy, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let ended = match command {
        Policy::Check(args) => return check::check(args, streams),
        Policy::Explain(args) => explain::explain(args, streams),
        Policy::Diff(args) => diff::diff(args, streams),
        Policy::Schema => {
            writeln!(streams.out, "{}", serde_json::to_string_pretty(&policy_file::schema())?)?;
            Ok(())
        }
        #[cfg(feature = "aws")]
        Policy::Approve(args) => return approve::approve(args, streams),
    };
    match ended {
        Ok(()) => Ok(Exit::Done),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::Input(error)) => {
            writeln!(streams.err, "error: {error:#}")?;
            Ok(Exit::Usage)
        }
    }
}

/// Why there is no answer.
enum Stop {
    /// The input is wrong.
    Input(anyhow::Error),
    /// It failed on the way.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The files of a policy, and what they say.
struct Read {
    files: Vec<File>,
    set: PolicySet,
}

impl Read {
    fn digest(&self) -> String {
        published::digest(&self.files)
    }
}

/// The paths that were named, or the usual one.
fn named(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    if !paths.is_empty() {
        return Ok(paths.to_vec());
    }
    if Path::new(USUAL).is_dir() {
        return Ok(vec![PathBuf::from(USUAL)]);
    }
    Err(format!("no policy file is named, and there is no directory ./{USUAL}\n   = name files or directories"))
}

/// Reads the policy of these files and directories as the hub would.
fn read(paths: &[PathBuf]) -> Result<Read, Stop> {
    let refuse = |mistakes: Vec<String>| {
        let check = "spothub policy check tells the same, and warnings too";
        Stop::Input(anyhow!("the policy cannot be used\n\n{}\n   = {check}", mistakes.join("\n\n")))
    };
    let files = local::files(paths).map_err(refuse)?;
    let set = policy_file::combine(&files);
    let set = set.map_err(|mistakes| refuse(mistakes.iter().map(ToString::to_string).collect()))?;
    Ok(Read { files, set })
}

/// Prints a report for programs or for people.
fn print<T: Serialize>(
    report: &T,
    format: Format,
    table: impl FnOnce(&T) -> String,
    streams: &mut Streams<'_>,
) -> anyhow::Result<()> {
    // In one piece, so that a closed pipe is seen as what it is.
    match format {
        Format::Json => writeln!(streams.out, "{}", serde_json::to_string_pretty(report)?)?,
        Format::Table => write!(streams.out, "{}", table(report))?,
    }
    Ok(())
}
