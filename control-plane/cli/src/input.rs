//! Files that the command line names: read within their limits, refused with what to do about it.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use anyhow::Context;
use spothub_core::autospotting::{Installation, Mistake};
use spothub_core::policy::PolicySet;
use spothub_hub::document::{self, Problems};
use spothub_hub::policy_file;
use spothub_hub::snapshot::Snapshot;
use spothub_sim::market::replay::Traces;

use crate::local;

/// The most bytes of AutoSpotting's settings: AWS Lambda takes 4 KB of environment, and comments may stand beside it.
const SETTINGS_MAX: u64 = 64 * 1024;

/// The most bytes of recorded capacity: a month of forty pools has less than one of the sixteen million.
const CAPACITY_MAX: u64 = 16 * 1024 * 1024;

/// A recording.
pub(crate) fn snapshot(path: &Path) -> anyhow::Result<Snapshot> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("{name}: it cannot be read"))?;
    Ok(Snapshot::read(&name, BufReader::new(file))?)
}

/// AutoSpotting's settings; everything that is wrong with them at once.
pub(crate) fn autospotting(path: &Path) -> anyhow::Result<Installation> {
    let name = path.display().to_string();
    // A file of settings has some thirty lines.
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(SETTINGS_MAX + 1).read_to_end(&mut bytes));
    let told = "the settings of AutoSpotting cannot be read";
    read.with_context(|| format!("{name}: {told}"))?;
    anyhow::ensure!(
        bytes.len() as u64 <= SETTINGS_MAX,
        "{name}: {told}: more than {SETTINGS_MAX} bytes\n   = give a file with one KEY=value in a line"
    );
    let text = document::decode(&name, bytes).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    Installation::parse(&text).map_err(|mistakes| {
        let told = mistakes.into_iter().map(|Mistake { line, key, what, remedy }| {
            let key = key.map(|key| format!("{key}: ")).unwrap_or_default();
            format!("{name}:{line}: {key}{what}\n   = {remedy}")
        });
        anyhow::anyhow!("{}", told.collect::<Vec<_>>().join("\n"))
    })
}

/// Recorded capacity.
pub(crate) fn capacity(path: &Path) -> anyhow::Result<Traces> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(CAPACITY_MAX + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("{name}: recorded capacity cannot be read"))?;
    anyhow::ensure!(
        bytes.len() as u64 <= CAPACITY_MAX,
        "{name}: more than {CAPACITY_MAX} bytes\n   = give fewer traces"
    );
    let text = document::decode(&name, bytes).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    let remedy = "give one JSON object a line, with target_nodes, step_s and rle: [[nodes, steps], ...]";
    Traces::read(&text).map_err(|bad| anyhow::anyhow!("{name}: {bad}\n   = {remedy}"))
}

/// A policy file, or a directory of them.
pub(crate) fn policy(path: &Path) -> anyhow::Result<PolicySet> {
    let refuse = |mistakes: Vec<String>| anyhow::anyhow!("{}", mistakes.join("\n"));
    let files = local::files(&[path.to_owned()]).map_err(refuse)?;
    let refuse = |mistakes: Vec<Problems>| refuse(mistakes.iter().map(ToString::to_string).collect());
    policy_file::combine(&files).map_err(refuse).context("the policy cannot be used:\n")
}
