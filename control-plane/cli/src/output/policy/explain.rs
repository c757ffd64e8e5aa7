//! One group's policy for people: what somebody set first, with who set it; what is built in after it.

// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use super::visible;
use crate::Style;
use crate::output::figure::wrap;
use crate::output::{Paint, WIDTH};
use crate::policy::explain::{By, KindLine, Line, Report, Said};

/// Columns of keys: the longest name and two blanks.
const KEYS: usize = 24;

/// The whole answer.
pub(crate) fn table(report: &Report, style: Style) -> String {
    let paint = Paint(style);
    let title = format!("{}/{}/{} in {}", report.account_id, report.region, report.group, report.ou);
    let mut text = format!("{}\n", paint.bold(&visible(&title)));
    for line in wrap(&visible(&report.told), usize::from(WIDTH) - 2) {
        let line = if report.standing == "enabled" { paint.good(&line) } else { line };
        let _ = writeln!(text, "  {line}");
    }
    if let Some(remedy) = &report.remedy {
        indented(&mut text, 2, &format!("= {}", visible(remedy)));
    }
    if let Some(kind) = &report.kind {
        types(&mut text, kind, paint);
    }
    let (set, built_in): (Vec<&Line>, Vec<&Line>) = report.values.iter().partition(|line| line.said.len() > 1);
    if !set.is_empty() {
        let _ = writeln!(text, "\n{}", paint.bold("Set by policy and tags"));
        for line in set {
            value(&mut text, line, paint);
        }
    }
    if !built_in.is_empty() {
        let _ = writeln!(text, "\n{}", paint.bold("As built in, since nobody says anything"));
        for line in built_in {
            row(&mut text, line);
        }
    }
    text
}

fn indented(text: &mut String, by: usize, sentence: &str) {
    for (index, line) in wrap(sentence, usize::from(WIDTH) - by - 2).enumerate() {
        let _ = writeln!(text, "{:by$}{}{line}", "", if index == 0 { "" } else { "  " });
    }
}

fn row(text: &mut String, line: &Line) {
    for (index, part) in wrap(&visible(&line.value), usize::from(WIDTH) - KEYS).enumerate() {
        let _ = writeln!(text, "  {:<width$}{part}", if index == 0 { line.name } else { "" }, width = KEYS - 2);
    }
}

/// A value with who said it, the strongest first, and what that overrode.
fn value(text: &mut String, line: &Line, paint: Paint) {
    row(text, line);
    let (counting, others): (Vec<&Said>, Vec<&Said>) = line.said.iter().rev().partition(|said| said.counts);
    for said in counting {
        let what = if said.value == line.value { String::new() } else { format!("{} ", said.value) };
        indented(text, KEYS, &visible(&format!("{what}from {}", said.by)));
    }
    for said in others {
        let sentence = match &said.by {
            By::Tag { tag } => format!("not {} of the tag {tag}, which can only restrict here", said.value),
            By::BuiltIn | By::File { .. } => format!("over {} from {}", said.value, said.by),
        };
        let mut dimmed = String::new();
        indented(&mut dimmed, KEYS, &visible(&sentence.replace("from built in", "as built in")));
        for line in dimmed.lines() {
            let _ = writeln!(text, "{}", paint.dim(line));
        }
    }
}

fn types(text: &mut String, kind: &KindLine, paint: Paint) {
    let name = visible(&kind.name);
    let verdict = match (kind.allowed, kind.same_type_only) {
        (true, false) => paint.good(&format!("{name} may be used, as far as policy is asked")),
        (true, true) => format!("{name} may be used in place of its own kind alone"),
        (false, _) => paint.bad(&format!("{name} may not be used")),
    };
    let _ = writeln!(text, "\n  {verdict}");
    for why in &kind.because {
        indented(text, 4, &visible(why));
    }
}
