//! Files that the command line names: read within their limits, refused with what to do about it.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::Context;
use spothub_core::policy::PolicySet;
use spothub_hub::document::{self, BYTES_MAX};
use spothub_hub::policy_file;
use spothub_hub::snapshot::Snapshot;

/// A recording.
pub(crate) fn snapshot(path: &Path) -> anyhow::Result<Snapshot> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("{name}: it cannot be read"))?;
    Ok(Snapshot::read(&name, BufReader::new(file))?)
}

/// A policy file.
pub(crate) fn policy(path: &Path) -> anyhow::Result<PolicySet> {
    let name = path.display().to_string();
    let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX) + 1;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read the policy file {name}"))?;
    let text = document::decode(&name, bytes).context("the policy cannot be used:\n")?;
    policy_file::read(&name, &text).context("the policy cannot be used:\n")
}
