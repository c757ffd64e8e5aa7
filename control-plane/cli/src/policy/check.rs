//! `spothub policy check`: everything that is wrong with policy files, or looks like it, at once.

use std::path::PathBuf;

use serde::Serialize;
use spothub_core::catalog::Catalog;
use spothub_hub::document::{self, Problem, Problems};
use spothub_hub::policy_file::{self, File};
use spothub_hub::published::{self, ALL_BYTES_MAX};

use crate::args::{Check, Format};
use crate::{Exit, Streams, local};

/// What was found, for programs.
#[derive(Serialize)]
struct Report {
    ok: bool,
    files: Vec<String>,
    /// Rules, without the defaults.
    rules: usize,
    /// Blocks of defaults.
    defaults: usize,
    digest: Option<String>,
    problems: Vec<Line>,
    /// Mistakes beyond those that are listed.
    more: usize,
}

#[expect(clippy::struct_field_names, reason = "the JSON has a problem's line beside its column")]
#[derive(Serialize)]
struct Line {
    severity: &'static str,
    file: String,
    /// The line and the character in it, from 1; null where it is about the file as a whole.
    line: Option<usize>,
    column: Option<usize>,
    /// The key's path; empty for the file as a whole.
    path: String,
    what: String,
    remedy: String,
}

/// Everything that was found.
#[derive(Default)]
struct Found {
    files: Vec<File>,
    /// What has no place in any file, with what to do about it.
    general: Vec<String>,
    mistakes: Vec<Problems>,
    warnings: Vec<Problems>,
    rules: usize,
    defaults: usize,
}

/// Checks and tells.
pub(super) fn check(args: &Check, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let found = match super::named(&args.paths) {
        Ok(paths) => find(&paths),
        Err(general) => Found { general: vec![general], ..Found::default() },
    };
    match args.output {
        Format::Json => writeln!(streams.out, "{}", serde_json::to_string_pretty(&found.report())?)?,
        Format::Table => found.tell(streams)?,
    }
    Ok(if found.good() { Exit::Done } else { Exit::Usage })
}

fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    let listed = local::listed(paths).unwrap_or_else(|general| {
        found.general = general;
        Vec::new()
    });
    for path in listed {
        let name = path.display().to_string();
        match local::bytes(&path).map(|bytes| document::decode(&name, bytes)) {
            Ok(Ok(text)) => found.files.push(File { name, text }),
            Ok(Err(problems)) => found.mistakes.push(problems),
            Err(general) => found.general.push(general),
        }
    }
    let bytes: usize = found.files.iter().map(|file| file.text.len()).sum();
    if bytes > ALL_BYTES_MAX {
        let what = format!("the policy files have {bytes} bytes, more than the {ALL_BYTES_MAX} that are read");
        found.general.push(what + "\n   = check that these are the files you meant");
    }
    let checked = policy_file::check(&found.files, Catalog::in_use());
    found.mistakes.extend(checked.mistakes);
    found.mistakes.sort_by(|one, other| one.file.cmp(&other.file));
    found.warnings = checked.warnings;
    if let Some(set) = checked.set {
        found.defaults = set.rules().iter().filter(|rule| rule.selector.only.is_empty()).count();
        found.rules = set.rules().len() - found.defaults;
    }
    found
}

fn count(problems: &[Problems]) -> usize {
    problems.iter().map(|of_file| of_file.list.len() + of_file.more).sum()
}

fn plural(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

impl Found {
    fn good(&self) -> bool {
        self.general.is_empty() && self.mistakes.is_empty()
    }

    fn tell(&self, streams: &mut Streams<'_>) -> anyhow::Result<()> {
        for general in &self.general {
            writeln!(streams.err, "error: {general}\n")?;
        }
        for problems in &self.mistakes {
            writeln!(streams.err, "{problems}\n")?;
        }
        for problems in &self.warnings {
            let text = self.files.iter().find(|file| file.name == problems.file).map_or("", |file| &file.text);
            for problem in &problems.list {
                let alone = Problems::new(&problems.file, text, vec![problem.clone()]);
                writeln!(streams.err, "warning: {}", alone.listed())?;
            }
            if problems.more > 0 {
                writeln!(streams.err, "warning: ... and {} more in {}\n", problems.more, problems.file)?;
            }
        }
        let warnings = count(&self.warnings);
        let warned = if warnings == 0 { String::new() } else { format!(", {}", plural(warnings, "warning")) };
        if !self.good() {
            let mistakes = plural(self.general.len() + count(&self.mistakes), "mistake");
            writeln!(streams.err, "not good: {mistakes}{warned}")?;
            return Ok(());
        }
        let defaults = if self.defaults == 0 { "" } else { "defaults and " };
        let digest = published::digest(&self.files);
        writeln!(
            streams.out,
            "ok: {}, {defaults}{}, digest {}...{warned}",
            plural(self.files.len(), "file"),
            plural(self.rules, "rule"),
            published::short(&digest)
        )?;
        Ok(())
    }

    fn report(&self) -> Report {
        let general = self.general.iter().map(|text| {
            let (what, remedy) = text.split_once("\n   = ").unwrap_or((text, ""));
            let (what, remedy) = (what.to_owned(), remedy.to_owned());
            let (file, path) = (String::new(), String::new());
            Line { severity: "error", file, line: None, column: None, path, what, remedy }
        });
        let lines = |severity: &'static str, problems: &[Problems]| -> Vec<Line> {
            let of = |of_file: &Problems| {
                let line = |problem: &Problem| Line::of(severity, &of_file.file, problem);
                of_file.list.iter().map(line).collect::<Vec<_>>()
            };
            problems.iter().flat_map(of).collect()
        };
        let hidden = self.mistakes.iter().chain(&self.warnings).map(|of_file| of_file.more).sum();
        Report {
            ok: self.good(),
            files: self.files.iter().map(|file| file.name.clone()).collect(),
            rules: self.rules,
            defaults: self.defaults,
            digest: self.good().then(|| published::digest(&self.files)),
            problems: general.chain(lines("error", &self.mistakes)).chain(lines("warning", &self.warnings)).collect(),
            more: hidden,
        }
    }
}

impl Line {
    fn of(severity: &'static str, file: &str, problem: &Problem) -> Self {
        let Problem { at, path, what, remedy } = problem.clone();
        Self { severity, file: file.to_owned(), line: Some(at.line), column: Some(at.column), path, what, remedy }
    }
}
