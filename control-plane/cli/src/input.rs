//! Files that the command line names: read within their limits, refused with what to do about it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use spothub_core::policy::PolicySet;
use spothub_hub::document::Problems;
use spothub_hub::policy_file;
use spothub_hub::snapshot::Snapshot;

use crate::local;

/// A recording.
pub(crate) fn snapshot(path: &Path) -> anyhow::Result<Snapshot> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("{name}: it cannot be read"))?;
    Ok(Snapshot::read(&name, BufReader::new(file))?)
}

/// A policy file, or a directory of them.
pub(crate) fn policy(path: &Path) -> anyhow::Result<PolicySet> {
    let refuse = |mistakes: Vec<String>| anyhow::anyhow!("{}", mistakes.join("\n"));
    let files = local::files(&[path.to_owned()]).map_err(refuse)?;
    let refuse = |mistakes: Vec<Problems>| refuse(mistakes.iter().map(ToString::to_string).collect());
    policy_file::combine(&files).map_err(refuse).context("the policy cannot be used:\n")
}
