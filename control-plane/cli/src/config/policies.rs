//! Policy files of the settings: read at the start, so that a mistake in them is found before anything runs.

use std::path::Path;

use spothub_core::policy::{PolicySet, Settings};
use spothub_core::time::Span;
use spothub_hub::limit::START_INTERVAL_MIN;
use spothub_hub::policy_file;

use super::draft::Floors;
use crate::local;

/// Members serve at least so long before the one that they replace goes, whatever policy says: a target that flaps
/// once shows it by then.
const SETTLE_MIN: Span = Span::secs(30);

/// One file, for `config check`.
pub(super) struct Summary {
    pub(super) file: String,
    pub(super) rules: usize,
    pub(super) defaults: bool,
}

/// Reads files, and the files of directories.
pub(super) fn read(
    named: &[String],
    file: Option<&Path>,
    floors: Floors,
    mistakes: &mut Vec<String>,
) -> (PolicySet, Vec<Summary>) {
    let paths: Vec<_> = named.iter().map(|name| super::beside(file, name)).collect();
    let files = match local::files(&paths) {
        Ok(files) => files,
        Err(found) => {
            mistakes.extend(found);
            return (PolicySet::default(), Vec::new());
        }
    };
    let set = match policy_file::combine(&files) {
        Ok(set) => set,
        Err(problems) => {
            mistakes.extend(problems.iter().map(ToString::to_string));
            return (PolicySet::default(), Vec::new());
        }
    };
    if floors == Floors::Kept {
        for rule in set.rules() {
            below(&rule.at.to_string(), &rule.settings, mistakes);
        }
    }
    let of =
        |file: &policy_file::File| set.rules().iter().filter(|rule| *rule.at.file == file.name).collect::<Vec<_>>();
    let summary = |file: &policy_file::File| {
        let (defaults, rules): (Vec<_>, Vec<_>) = of(file).into_iter().partition(|rule| rule.selector.only.is_empty());
        Summary { file: file.name.clone(), rules: rules.len(), defaults: !defaults.is_empty() }
    };
    let summaries = files.iter().map(summary).collect();
    (set, summaries)
}

fn below(place: &str, settings: &Settings, mistakes: &mut Vec<String>) {
    let (settle, interval) = (settings.settle, settings.interval);
    for (key, found, floor) in [("settle", settle, SETTLE_MIN), ("interval", interval, START_INTERVAL_MIN)] {
        if let Some(found) = found.filter(|found| *found < floor) {
            mistakes.push(format!(
                "{place}: {key}: {found} is below the floor of {floor}\n   = {}",
                "give more; only against an emulator on loopback it may be less, with --unsafe-timings"
            ));
        }
    }
}
