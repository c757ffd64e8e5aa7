//! Policy files put together: rules add up, and defaults stand in one file at most.

use std::path::Path;

use spothub_core::policy::{PolicySet, Settings};
use spothub_core::time::Span;
use spothub_hub::limit::START_INTERVAL_MIN;
use spothub_hub::policy_file;

use super::draft::Floors;

/// Members serve at least so long before the one that they replace goes, whatever policy says: a target that flaps
/// once shows it by then.
const SETTLE_MIN: Span = Span::secs(30);

/// One file, for `config check`.
pub(super) struct Summary {
    pub(super) file: String,
    pub(super) rules: usize,
    pub(super) defaults: bool,
}

/// Reads files in their order.
pub(super) fn read(
    named: &[String],
    file: Option<&Path>,
    floors: Floors,
    mistakes: &mut Vec<String>,
) -> (PolicySet, Vec<Summary>) {
    let (mut all, mut summaries) = (PolicySet::default(), Vec::<Summary>::new());
    for name in named {
        let path = super::beside(file, name);
        let shown = path.display().to_string();
        let text = match super::read_text(&path, "policy file") {
            Ok(text) => text,
            Err(error) => {
                mistakes.push(error);
                continue;
            }
        };
        let set = match policy_file::read(&shown, &text) {
            Ok(set) => set,
            Err(problems) => {
                mistakes.push(problems.to_string());
                continue;
            }
        };
        if floors == Floors::Kept {
            below(&shown, "defaults", &set.defaults, mistakes);
            for (index, rule) in set.rules.iter().enumerate() {
                below(&shown, &format!("rules[{index}]"), &rule.settings, mistakes);
            }
        }
        let defaults = set.defaults != Settings::default();
        if let Some(first) = summaries.iter().find(|summary| summary.defaults && defaults) {
            let first = &first.file;
            mistakes.push(format!(
                "{shown}: defaults stand here and in {first}\n   = keep them in one file; a rule can say what differs"
            ));
        } else if defaults {
            all.defaults = set.defaults;
        }
        summaries.push(Summary { file: shown, rules: set.rules.len(), defaults });
        all.rules.extend(set.rules);
    }
    (all, summaries)
}

fn below(file: &str, place: &str, settings: &Settings, mistakes: &mut Vec<String>) {
    let (settle, interval) = (settings.settle, settings.interval);
    for (key, found, floor) in [("settle", settle, SETTLE_MIN), ("interval", interval, START_INTERVAL_MIN)] {
        if let Some(found) = found.filter(|found| *found < floor) {
            mistakes.push(format!(
                "{file}: {place}.{key}: {found} is below the floor of {floor}\n   = {}",
                "give more; only against an emulator on loopback it may be less, with --unsafe-timings"
            ));
        }
    }
}
