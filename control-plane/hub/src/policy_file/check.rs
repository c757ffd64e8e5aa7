//! Several policy files as one policy: what contradicts what, and what is probably a slip.

use std::collections::BTreeMap;

use spothub_core::catalog::Catalog;
use spothub_core::policy::{Conflict, Key, Place, PolicySet, Rule};
use spothub_core::time::Span;

use super::Said;
use crate::document::{Mark, Problem, Problems};
use crate::limit::START_INTERVAL_MIN;

/// One policy file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// How messages name it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What was found in policy files.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The policy; `None` where a file cannot be read.
    pub set: Option<PolicySet>,
    /// Mistakes, file by file.
    pub mistakes: Vec<Problems>,
    /// What may be meant, and is worth a look.
    pub warnings: Vec<Problems>,
}

/// Most rules of a policy: ten times what the largest organization that we know needs. Each costs a little for every
/// group that is looked at.
const RULES_MAX: usize = 5_000;

/// The policy of some files, as far as each can be read. What contradicts is left to the rule that the stricter value
/// counts; [`check`] names it.
pub fn combine(files: &[File]) -> Result<PolicySet, Vec<Problems>> {
    let (mut rules, mut rollout, mut mistakes) = (Vec::new(), None, Vec::new());
    for file in files {
        match super::said(&file.name, &file.text) {
            Ok(Said { rules: more, rollout: ours }) => {
                rules.extend(more);
                if let Some(ours) = ours {
                    match &rollout {
                        None => rollout = Some((ours, &file.name)),
                        Some((_, first)) => {
                            let what = format!("rollout stands here and in {first}");
                            mistakes.push(single(file, Mark::START, "rollout", what, "keep it in one of the files"));
                        }
                    }
                }
            }
            Err(problems) => mistakes.push(problems),
        }
    }
    if rules.len() > RULES_MAX {
        let what = format!("there are {} rules, more than the {RULES_MAX} that are read", rules.len());
        let last = files.last().cloned().unwrap_or_else(|| File { name: String::new(), text: String::new() });
        mistakes.push(single(
            &last,
            Mark::START,
            "rules",
            what,
            "say more with each: a selector takes lists and patterns",
        ));
    }
    if mistakes.is_empty() {
        Ok(PolicySet::new(rules).rolled_out(rollout.map(|(rollout, _)| rollout).unwrap_or_default()))
    } else {
        Err(mistakes)
    }
}

/// Everything that is wrong with some files, or looks like it, at once.
#[must_use]
pub fn check(files: &[File], catalog: &Catalog) -> Checked {
    let set = match combine(files) {
        Ok(set) => set,
        Err(mistakes) => return Checked { set: None, mistakes, warnings: Vec::new() },
    };
    let (mut mistakes, mut warnings) = (BTreeMap::new(), BTreeMap::new());
    for conflict in set.conflicts() {
        let list = if conflict.certain { &mut mistakes } else { &mut warnings };
        note(list, &conflict.at[1], contradiction(&conflict));
    }
    for rule in set.rules() {
        unmatched(rule, catalog, &mut warnings);
    }
    for (at, key, what) in short_times(&set) {
        let remedy = "give more; only against an emulator on loopback it may be less".to_owned();
        note(&mut mistakes, &at, Problem { at: mark(&at), path: key.name().to_owned(), what, remedy });
    }
    Checked { set: Some(set), mistakes: by_file(files, &mistakes), warnings: by_file(files, &warnings) }
}

/// Members serve at least so long before the one that they replace goes, whatever policy says: a target that flaps
/// once shows it by then.
const SETTLE_MIN: Span = Span::secs(30);

/// A member that just came is not moved for its price: prices change a few times a day.
const MOVE_LIFE_MIN: Span = Span::hours(1);

/// Times that are shorter than is safe outside of tests.
#[must_use]
pub fn below_floors(set: &PolicySet) -> Vec<String> {
    let remedy = "give more; only against an emulator on loopback it may be less, with --unsafe-timings";
    short_times(set).into_iter().map(|(at, key, what)| format!("{at}: {key}: {what}\n   = {remedy}")).collect()
}

fn short_times(set: &PolicySet) -> Vec<(Place, Key, String)> {
    let mut short = Vec::new();
    for rule in set.rules() {
        let (settle, interval) = (rule.settings.settle, rule.settings.interval);
        let life = rule.settings.move_life;
        let times = [
            (Key::Settle, settle, SETTLE_MIN),
            (Key::Interval, interval, START_INTERVAL_MIN),
            (Key::MoveLife, life, MOVE_LIFE_MIN),
        ];
        for (key, found, floor) in times {
            if let Some(found) = found.filter(|found| *found < floor) {
                let place = rule.places.get(&key).unwrap_or(&rule.at).clone();
                short.push((place, key, format!("{found} is below the floor of {floor}")));
            }
        }
    }
    short
}

type Notes = BTreeMap<String, Vec<Problem>>;

fn note(list: &mut Notes, at: &Place, problem: Problem) {
    list.entry(at.file.to_string()).or_default().push(problem);
}

fn by_file(files: &[File], notes: &Notes) -> Vec<Problems> {
    let of = |file: &File| notes.get(&file.name).map(|list| Problems::new(&file.name, &file.text, list.clone()));
    files.iter().filter_map(of).collect()
}

fn contradiction(conflict: &Conflict) -> Problem {
    let Conflict { key, at: [first, second], values: [one, other], certain } = conflict;
    let (what, remedy) = if *certain {
        (
            format!("{other} here, and {one} at {first} for the same groups, and neither rule is more specific"),
            format!("keep one; until then the stricter counts ({})", key.stricter()),
        )
    } else {
        (
            format!("{other} here and {one} at {first}: a group that both match gets the stricter"),
            format!("nothing to do where that is meant ({})", key.stricter()),
        )
    };
    Problem { at: mark(second), path: key.name().to_owned(), what, remedy }
}

/// Patterns that fit no type that the catalogue knows.
fn unmatched(rule: &Rule, catalog: &Catalog, warnings: &mut Notes) {
    let allowed = rule.settings.allowed_types.iter().flatten().flatten().map(|glob| (Key::AllowedTypes, glob));
    let denied = rule.settings.denied_types.iter().flatten().map(|glob| (Key::DeniedTypes, glob));
    for (key, glob) in allowed.chain(denied) {
        if catalog.types().any(|(_, kind)| glob.matches(&kind.name)) {
            continue;
        }
        let at = rule.places.get(&key).unwrap_or(&rule.at);
        let problem = Problem {
            at: mark(at),
            path: key.name().to_owned(),
            what: format!("{:?} matches no instance type that is known", glob.as_str()),
            remedy: "mend it, unless it is meant for a type to come".to_owned(),
        };
        note(warnings, at, problem);
    }
}

fn mark(at: &Place) -> Mark {
    Mark { line: at.line as usize, column: at.column as usize }
}

fn single(file: &File, at: Mark, path: &str, what: String, remedy: &str) -> Problems {
    let problem = Problem { at, path: path.to_owned(), what, remedy: remedy.to_owned() };
    Problems::new(&file.name, &file.text, vec![problem])
}
