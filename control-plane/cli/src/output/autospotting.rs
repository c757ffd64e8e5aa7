//! AutoSpotting and spothub side by side, for people: at most 80 columns, the same text with or without colors.
//!
//! Renders the comparison and nothing else; what is not in the JSON is not shown here either.

use std::cmp::Reverse;
// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use super::figure::{count, wrap};
use super::plan::{more, plural, source, unseen};
use super::{Paint, WIDTH};
use crate::Style;
use crate::args::Plan;
use crate::plan::autospotting::{Beside, GroupLine};

/// Groups shown: those with most differences come first, and the JSON has them all.
const GROUPS_SHOWN: usize = 10;
/// How the lines of one difference begin.
const BULLET: [&str; 2] = ["  - ", "    "];

/// The whole comparison.
pub(crate) fn table(beside: &Beside, asked: &Plan, style: Style) -> String {
    let paint = Paint(style);
    let mut text = headline(beside, asked, paint);
    text.push_str(&differences(beside, paint));
    text.push_str(&settings(beside, paint));
    text.push_str(&groups(beside, paint));
    text.push_str(&unseen(&beside.missed, paint));
    text.push_str(&policy(beside, paint));
    text.push_str(&next(asked, paint));
    text
}

fn headline(beside: &Beside, asked: &Plan, paint: Paint) -> String {
    let seen = plural(beside.groups_seen as u64, "group");
    let mut lines = vec![
        paint.bold(&format!("AutoSpotting and spothub, side by side, for {}", source(asked))),
        format!("{seen}, of which {} are compared; as of {}", count(beside.groups_concerned as u64), beside.taken_at),
        String::new(),
    ];
    let mut row = |name: &str, value: String| lines.push(format!("  {name:<19}{value}"));
    let file = beside.settings.file.as_deref().unwrap_or("none were given: as if nobody had set any");
    row("its settings", file.to_owned());
    let acts = &beside.groups_by_act;
    let both = plural(acts.both, "group");
    row("both would act", if acts.both > 0 { paint.bad(&both) } else { both });
    row("AutoSpotting alone", plural(acts.autospotting, "group"));
    row("spothub alone", plural(acts.spothub, "group"));
    row("neither", plural(acts.neither, "group"));
    lines.join("\n") + "\n"
}

fn differences(beside: &Beside, paint: Paint) -> String {
    if beside.differences.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n{}\n", paint.bold("What will be different"), paint.dim("  groups difference"));
    for sum in &beside.differences {
        let named = format!("{} {}", sum.difference, sum.subject);
        let _ = writeln!(text, "{:>8} {}", count(sum.groups), named.trim_end());
        paragraph(&mut text, &sum.remedy, ["         = ", "           "]);
    }
    text
}

/// A text in lines, the first of which begins otherwise than the others.
fn paragraph(text: &mut String, told: &str, [first, others]: [&str; 2]) {
    for (index, part) in wrap(told, usize::from(WIDTH) - others.len()).enumerate() {
        let _ = writeln!(text, "{}{part}", if index == 0 { first } else { others });
    }
}

fn settings(beside: &Beside, paint: Paint) -> String {
    let lines = &beside.settings.differences;
    if lines.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", paint.bold("Settings that nothing here takes over"));
    for line in lines {
        paragraph(&mut text, &line.sentence, BULLET);
        paragraph(&mut text, &line.remedy, ["    = ", "      "]);
    }
    text
}

fn groups(beside: &Beside, paint: Paint) -> String {
    let mut lines: Vec<&GroupLine> = beside.groups.iter().filter(|group| !group.differences.is_empty()).collect();
    if lines.is_empty() {
        return String::new();
    }
    // Equal ones stay in the order of their keys.
    lines.sort_by_key(|group| Reverse(group.differences.len()));
    let mut text = format!("\n{}\n", paint.bold("Groups with most differences"));
    for group in lines.iter().take(GROUPS_SHOWN) {
        let place = format!("{}/{}/{}", group.account_id, group.region, group.group);
        let _ = writeln!(text, "  {}", paint.dim(&place));
        for line in &group.differences {
            paragraph(&mut text, &line.sentence, BULLET);
        }
    }
    more(&mut text, lines.len(), GROUPS_SHOWN);
    text
}

fn policy(beside: &Beside, paint: Paint) -> String {
    let title = paint.bold("A policy that says what its settings say");
    format!("\n{title}\n{}", beside.suggested_policy)
}

fn next(asked: &Plan, paint: Paint) -> String {
    let this = asked.source();
    let file = asked.from_autospotting.iter().flatten().map(|path| format!("={}", path.display())).next();
    let file = file.unwrap_or_default();
    let policy = asked.policy.as_ref().map(|path| format!(" --policy {}", path.display())).unwrap_or_default();
    let mut tries = vec![format!("spothub plan{this}{policy} --from-autospotting{file} --output json")];
    if file.is_empty() {
        tries.push(format!("spothub plan{this}{policy} --from-autospotting=FILE"));
    }
    if asked.policy.is_none() {
        tries.push(format!("spothub plan{this} --policy FILE --from-autospotting{file}"));
    }
    let lines = tries.iter().map(|command| format!("  {command}\n")).collect::<Vec<_>>();
    format!("\n{}\n{}", paint.bold("What to try next"), lines.concat())
}
