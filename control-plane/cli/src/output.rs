//! A run's result for people: at most 80 columns, the same text with or without colors.
//!
//! Renders the outcome and nothing else; a figure that is not in the JSON is not shown here either.

pub(crate) mod autospotting;
#[cfg(feature = "aws")]
pub(crate) mod doctor;
mod figure;
mod holds;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod remedy;
#[cfg(feature = "aws")]
pub(crate) mod rollout;
#[cfg(feature = "aws")]
pub(crate) mod status;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};
use spothub_core::time::Span;
use spothub_sim::outcome::{Ends, Outcome};
use spothub_sim::scenario::Scenario;

use crate::Style;
use figure::{cents, count, percent, share, usd, wrap};

/// Columns of the smallest terminal that people have.
const WIDTH: u16 = 80;
/// Accounts shown: more scroll the headline off the screen, and the JSON has them all.
const ACCOUNTS_SHOWN: usize = 20;
/// Violations shown; the first ones tell what broke, the others follow from it.
const VIOLATIONS_SHOWN: usize = 10;

/// What was asked for, beside what came of it.
pub(crate) struct Asked<'a> {
    /// The scenario.
    pub(crate) scenario: &'a Scenario,
    /// How it was named.
    pub(crate) argument: &'a str,
    /// How the program was called, up to the scenario.
    pub(crate) program: &'a str,
    /// The engine ran.
    pub(crate) engine: bool,
    /// A trace was written.
    pub(crate) trace: bool,
}

/// The whole result.
pub(crate) fn table(outcome: &Outcome, asked: &Asked<'_>, style: Style) -> String {
    let paint = Paint(style);
    let mut text = headline(outcome, asked, paint);
    if let Some(beside) = beside(outcome, paint) {
        let _ = write!(text, "\n{beside}\n");
    }
    text.push_str(&accounts(outcome, paint));
    text.push_str(&holds::section(outcome, paint));
    text.push_str(&violations(outcome, paint));
    text.push_str(&next(outcome, asked, paint));
    text
}

/// Colors, or none.
#[derive(Clone, Copy)]
struct Paint(Style);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        match self.0 {
            Style::Plain => text.to_owned(),
            Style::Colored => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn good(self, text: &str) -> String {
        self.with("1;32", text)
    }

    fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
}

/// Capacity that was not there, and restlessness.
fn noticed(o: &Outcome) -> Vec<String> {
    let s = &o.steadiness;
    let platforms = [("Linux", &s.linux), ("Windows", &s.windows)];
    let wanted = platforms.into_iter().filter(|(_, of)| of.wanted_instance_hours > 0.0);
    let mut lines: Vec<String> = wanted
        .map(|(name, of)| {
            let (missing, wanted) = (of.missing_instance_hours, of.wanted_instance_hours);
            format!("{:.4} % of what {name} groups wanted ({missing:.1} of {wanted:.0} h)", of.percent)
        })
        .collect();
    lines.push(format!("changes of lifecycle: {:.2} per instance and day", s.lifecycle_changes_per_instance_day));
    let (refused, at_once) = (count(s.launches_refused), count(s.launches_refused_at_once));
    lines.push(format!("launches refused: {refused}; most in a group in 10 minutes: {at_once}"));
    lines
}

/// The same world with spothub and without, side by side.
fn beside(o: &Outcome, paint: Paint) -> Option<String> {
    let alone = o.baseline.as_ref()?;
    let mut lines = vec![paint.bold(&format!("{:<38}{:>14}{:>16}", "", "with spothub", "groups alone"))];
    let mut row = |name: &str, ours: String, theirs: String| lines.push(format!("  {name:<36}{ours:>14}{theirs:>16}"));
    let (ours, theirs) = (&o.steadiness, &alone.steadiness);
    for (name, ours, theirs) in [("Linux", ours.linux, theirs.linux), ("Windows", ours.windows, theirs.windows)] {
        if ours.wanted_instance_hours > 0.0 || theirs.wanted_instance_hours > 0.0 {
            let shown = |percent: f64| format!("{percent:.4} %");
            row(&format!("missing capacity, {name}"), shown(ours.percent), shown(theirs.percent));
        }
    }
    let (taken, alone_taken) = (&o.interruptions, &alone.interruptions);
    row("interruptions", count(taken.received), count(alone_taken.received));
    row("of these replaced in time", count(taken.replaced_in_time), count(alone_taken.replaced_in_time));
    row("cost, $", usd(&o.cost.actual_usd), usd(&alone.cost.actual_usd));
    Some(lines.join("\n"))
}

fn headline(outcome: &Outcome, asked: &Asked<'_>, paint: Paint) -> String {
    let o = outcome;
    let mut lines = vec![
        paint.bold(&format!("{}, seed {}, {} virtual hours", o.scenario, o.seed, o.hours)),
        [(o.accounts, "account"), (o.regions, "region"), (o.groups, "group"), (o.instances, "instance")]
            .map(|(number, noun)| format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" }))
            .join(", "),
        String::new(),
    ];
    lines.extend(wrap(&asked.scenario.about, usize::from(WIDTH)).map(|line| paint.dim(&line)));
    lines.push(String::new());
    let mut row = |name: &str, value: String| lines.push(format!("  {name:<15}{value}"));
    row("on demand", format!("${:>13}", usd(&o.cost.on_demand_usd)));
    row("actual", format!("${:>13}", usd(&o.cost.actual_usd)));
    let saved = format!("${:>13}  {}", usd(&o.cost.saved_usd), percent(o.cost.saved_percent));
    row("saved", paint.good(&saved));
    let best = share(cents(&o.cost.best_possible_usd), cents(&o.cost.on_demand_usd));
    row("best possible", format!("${:>13}  {best}", usd(&o.cost.best_possible_usd)));
    row(
        "on Spot",
        format!(
            "{} of the instance-hours that could be ({:.0} of {:.0})",
            percent(o.delivered.percent),
            o.delivered.on_spot_instance_hours,
            o.delivered.eligible_instance_hours
        ),
    );
    if asked.engine {
        row("swaps", ends(&o.swaps));
        row("rescues", ends(&o.rescues));
        for (index, line) in undone(o).into_iter().enumerate() {
            row(if index == 0 { "not completed" } else { "" }, line);
        }
    } else {
        row("engine", "off: this is what happens without spothub".to_owned());
    }
    let taken = &o.interruptions;
    row(
        "interruptions",
        format!("{}, of which {} replaced in time", count(taken.received), count(taken.replaced_in_time)),
    );
    for (index, line) in noticed(o).into_iter().enumerate() {
        row(if index == 0 { "missing" } else { "" }, line);
    }
    let calls = &o.api_calls;
    row(
        "API calls",
        format!(
            "{}, of which {} polls; {:.1} per swap, polls apart",
            count(calls.total),
            count(calls.polls),
            calls.per_swap
        ),
    );
    let e = &o.events;
    row(
        "events",
        format!(
            "{}: {} acted on, {} held, {} ignored,",
            count(e.received),
            count(e.acted),
            count(e.held),
            count(e.ignored)
        ),
    );
    row("", format!("{} duplicate, {} quarantined", count(e.duplicate), count(e.quarantined)));
    row("simulated in", format!("{:.2} s", o.wall_seconds));
    lines.join("\n") + "\n"
}

fn ends(ends: &Ends) -> String {
    let mut text = format!("{} started, {} completed", count(ends.started), count(ends.completed));
    let others =
        [(ends.undone, "undone"), (ends.failed, "failed"), (ends.stranded, "stranded"), (ends.in_flight, "in flight")];
    for (number, name) in others.into_iter().filter(|(number, _)| *number > 0) {
        let _ = write!(text, ", {} {name}", count(number));
    }
    text
}

fn undone(outcome: &Outcome) -> Vec<String> {
    let mut why: Vec<(&String, &u32)> = outcome.undone_by.iter().collect();
    why.sort_by_key(|(label, number)| (Reverse(**number), *label));
    let list = why.iter().take(6).map(|(label, number)| format!("{label} {}", count(**number)));
    let list = list.collect::<Vec<_>>().join(", ");
    if list.is_empty() { Vec::new() } else { wrap(&list, 62).collect() }
}

/// A table without lines, its header in bold.
fn rendered(mut table: Table, header: &[&str], right: &[usize], paint: Paint) -> String {
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header.to_vec());
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 2 } else { 1 }, 0));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        } else {
            column.set_cell_alignment(CellAlignment::Left);
        }
    }
    let text = table.trim_fmt();
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    format!("{}\n{rest}\n", paint.dim(first))
}

fn accounts(outcome: &Outcome, paint: Paint) -> String {
    let mut rollups: Vec<_> = outcome.rollups.iter().collect();
    if rollups.is_empty() {
        return String::new();
    }
    rollups.sort_by_key(|r| (Reverse(cents(&r.saved_usd)), r.account_id));
    let mut table = Table::new();
    for r in rollups.iter().take(ACCOUNTS_SHOWN) {
        let mut row = Row::from(vec![
            r.account_id.to_string(),
            r.account_name.clone(),
            r.ou.to_string(),
            usd(&r.on_demand_usd),
            usd(&r.saved_usd),
            share(cents(&r.saved_usd), cents(&r.on_demand_usd)),
        ]);
        // Long names are cut rather than wrapped: an account is one line.
        row.max_height(1);
        table.add_row(row);
    }
    let header = ["account", "name", "unit", "on demand $", "saved $", "%"];
    let mut text = format!("\n{}\n", paint.bold("Saved by account"));
    text.push_str(&rendered(table, &header, &[3, 4, 5], paint));
    if let Some(more) = rollups.len().checked_sub(ACCOUNTS_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "  ... and {} more: --output json has them all", count(more as u64));
    }
    text
}

fn violations(outcome: &Outcome, paint: Paint) -> String {
    if outcome.violations.is_empty() {
        let rest = if outcome.converged { "all came to rest after the last hour" } else { "not all came to rest" };
        return format!("\n{}: {}; {rest}\n", paint.bold("Laws"), paint.good("none broken"));
    }
    let mut text = format!("\n{}\n", paint.bad(&format!("Laws: {} violations", outcome.violations.len())));
    for violation in outcome.violations.iter().take(VIOLATIONS_SHOWN) {
        let group = violation.group.as_ref().map(|g| format!(" {}/{}/{}", g.account, g.region, g.group));
        let line =
            format!("{} at {}{}: {}", violation.law, Span(violation.t), group.unwrap_or_default(), violation.text);
        for (index, part) in wrap(&line, usize::from(WIDTH) - 4).enumerate() {
            let _ = writeln!(text, "{}{part}", if index == 0 { "  " } else { "    " });
        }
    }
    if outcome.violations.len() > VIOLATIONS_SHOWN {
        let _ = writeln!(text, "  ... and {} more", outcome.violations.len() - VIOLATIONS_SHOWN);
    }
    text
}

fn next(outcome: &Outcome, asked: &Asked<'_>, paint: Paint) -> String {
    let (program, this) = (asked.program, asked.argument);
    let other = Scenario::NAMES.into_iter().find(|name| *name != this && *name != "small").unwrap_or("small");
    let mut tries = Vec::new();
    if !outcome.violations.is_empty() {
        tries.push((format!("{program} {this} --seed {} --trace trace.jsonl", outcome.seed), "what led to it"));
    }
    tries.push((format!("{program} {other}"), "another scenario"));
    tries.push((format!("{program} {this} --seed {}", outcome.seed.wrapping_add(1)), "the same with other chances"));
    if asked.engine {
        tries.push((format!("{program} {this} --engine off"), "the same without spothub"));
    }
    if !asked.trace && outcome.violations.is_empty() {
        tries.push((format!("{program} {this} --trace trace.jsonl"), "every fact, to recompute this"));
    }
    tries.push((format!("{program} {this} --output json"), "every figure"));
    let width = tries.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let lines = tries.iter().map(|(command, why)| format!("  {command:<width$}  {why}\n"));
    format!("\n{}\n{}", paint.bold("What to try next"), lines.collect::<Vec<_>>().concat())
}
