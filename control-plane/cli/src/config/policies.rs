//! Policy files of the settings: read at the start, so that a mistake in them is found before anything runs.

use std::path::{Path, PathBuf};

use spothub_aws::ParameterName;
use spothub_core::policy::PolicySet;
use spothub_hub::policy_file;

use super::draft::Floors;
use crate::local;

/// What begins the name of a parameter.
const PARAMETER: &str = "ssm:";

/// Where policy is published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// Nowhere.
    Nowhere,
    /// On this machine: files and directories.
    Files(Vec<PathBuf>),
    /// In S3, as this parameter of Systems Manager says.
    Parameter(ParameterName),
}

impl Source {
    /// From the settings' list.
    pub(super) fn new(named: &[String], file: Option<&Path>) -> Result<Self, String> {
        match named {
            [] => Ok(Self::Nowhere),
            [one] if one.starts_with(PARAMETER) => {
                let name = one[PARAMETER.len()..].parse().map_err(|error| format!("policies: {one}: {error}"))?;
                Ok(Self::Parameter(name))
            }
            _ if named.iter().any(|name| name.starts_with(PARAMETER)) => Err(format!(
                "policies: a parameter ({PARAMETER}...) stands beside others\n   = {}",
                "publish all policy in one place: the parameter can name several objects"
            )),
            _ => Ok(Self::Files(named.iter().map(|name| super::beside(file, name)).collect())),
        }
    }
}

/// One file, for `config check`.
pub(super) struct Summary {
    pub(super) file: String,
    pub(super) rules: usize,
    pub(super) defaults: bool,
}

/// Reads files, and the files of directories.
pub(super) fn read(source: &Source, floors: Floors, mistakes: &mut Vec<String>) -> (PolicySet, Vec<Summary>) {
    let Source::Files(paths) = source else { return (PolicySet::default(), Vec::new()) };
    let files = match local::files(paths) {
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
        mistakes.extend(policy_file::below_floors(&set));
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
