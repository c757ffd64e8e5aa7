//! Findings of the doctor for people: what is not as it should be, what is good to know, and counts.
//!
//! Equal findings are told once, with the places where they hold.

// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use comfy_table::{Row as Cells, Table};

use super::figure::{count, wrap};
use super::{Paint, WIDTH, rendered};
use crate::Style;
use crate::args::Doctor;
use crate::doctor::report::Report;
use crate::doctor::row::{Check, Place, Row, State};

/// Places named for one finding; the JSON has them all.
const PLACES_SHOWN: usize = 4;
/// Findings shown.
const FINDINGS_SHOWN: usize = 40;
/// What stands below a finding's state.
const INDENT: &str = "           ";

/// One finding with all the places where it holds.
struct Finding<'a> {
    row: &'a Row,
    places: Vec<&'a Place>,
}

/// All of it.
pub(crate) fn table(report: &Report, asked: &Doctor, style: Style) -> String {
    let paint = Paint(style);
    let of = |number: usize, one: &str, more: &str| {
        format!("{} {}", count(number as u64), if number == 1 { one } else { more })
    };
    let (accounts, sites) =
        (of(report.accounts, "account", "accounts"), of(report.sites, "account's region", "accounts' regions"));
    let mut text = format!("{}\n", paint.bold(&format!("The doctor looked at the hub, {accounts} and {sites}")));
    let bad: Vec<&Row> = report.rows.iter().filter(|row| row.state != State::Ok).collect();
    if bad.is_empty() {
        let _ = writeln!(text, "\n{}", paint.good("All is as it should be."));
    } else {
        let _ = writeln!(text, "\n{}", paint.bad("Not as it should be"));
        let found = findings(&bad);
        for finding in found.iter().take(FINDINGS_SHOWN) {
            told(&mut text, finding, paint);
        }
        if found.len() > FINDINGS_SHOWN {
            let _ = writeln!(text, "  ... and {} more: --output json has them all", found.len() - FINDINGS_SHOWN);
        }
    }
    let notes: Vec<&Row> = report.rows.iter().filter(|row| row.told && row.state == State::Ok).collect();
    if !notes.is_empty() {
        let _ = writeln!(text, "\n{}", paint.bold("Good to know"));
        for row in notes {
            paragraph(&mut text, "  ", &format!("{}: {}", row.check.label(), row.found), ToOwned::to_owned);
        }
    }
    let _ = write!(text, "\n{}\n{}", paint.bold("Checks"), counts(report, paint));
    if let Some(latency) = report.latency_ms {
        let (least, median, most) = (latency.least, latency.median, latency.most);
        let _ = writeln!(text, "\n  Probes came after {median} ms (the median), from {least} to {most} ms.");
    }
    text + &next(report, asked, paint)
}

/// Rows with equal words together; the worst first, then in the order of checks.
fn findings<'a>(rows: &[&'a Row]) -> Vec<Finding<'a>> {
    let mut found: Vec<Finding<'a>> = Vec::new();
    for row in rows {
        let same = |one: &&mut Finding<'_>| {
            one.row.check == row.check && one.row.state == row.state && one.row.found == row.found
        };
        match found.iter_mut().find(same) {
            Some(finding) => finding.places.push(&row.place),
            None => found.push(Finding { row, places: vec![&row.place] }),
        }
    }
    let rank = |state: State| match state {
        State::Missing => 0,
        State::Unknown => 1,
        State::Warning => 2,
        State::Ok => 3,
    };
    found.sort_by_key(|finding| rank(finding.row.state));
    found
}

fn told(text: &mut String, finding: &Finding<'_>, paint: Paint) {
    let row = finding.row;
    let state = format!("{:<8}", row.state.label());
    let state = if row.state == State::Missing { paint.bad(&state) } else { paint.bold(&state) };
    let title = format!("{}: {}", row.check.label(), places(&finding.places));
    for (index, line) in wrap(&title, usize::from(WIDTH) - INDENT.len()).enumerate() {
        let _ = if index == 0 { writeln!(text, "  {state} {line}") } else { writeln!(text, "{INDENT}{line}") };
    }
    paragraph(text, INDENT, &row.found, ToOwned::to_owned);
    if let Some(remedy) = &row.remedy {
        paragraph(text, INDENT, &format!("= {remedy}"), |line| paint.dim(line));
    }
}

fn place(place: &Place) -> String {
    match (&place.account, &place.region) {
        (None, _) => "the hub".to_owned(),
        (Some(account), None) => account.to_string(),
        (Some(account), Some(region)) => format!("{account} {region}"),
    }
}

fn places(all: &[&Place]) -> String {
    let shown: Vec<String> = all.iter().take(PLACES_SHOWN).map(|one| place(one)).collect();
    match all.len().saturating_sub(PLACES_SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), count(more as u64)),
    }
}

/// Wrapped lines, each behind `indent`; colors begin and end in each line, so that they are no part of its width.
fn paragraph(text: &mut String, indent: &str, words: &str, paint: impl Fn(&str) -> String) {
    // What AWS, owners and other programs wrote must not move the cursor.
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    for line in wrap(&words, usize::from(WIDTH) - indent.len()) {
        let _ = writeln!(text, "{indent}{}", paint(&line));
    }
}

fn counts(report: &Report, paint: Paint) -> String {
    let mut table = Table::new();
    for (check, states) in &report.counts {
        let number = |state: State| states.get(state.label()).copied().unwrap_or(0);
        let cell = |state: State| match number(state) {
            0 => String::new(),
            some => count(some as u64),
        };
        table.add_row(Cells::from([label(*check)].into_iter().chain(State::ALL.map(cell)).collect::<Vec<_>>()));
    }
    let header: Vec<&str> = ["check"].into_iter().chain(State::ALL.map(State::label)).collect();
    rendered(table, &header, &[1, 2, 3, 4], paint)
}

fn label(check: Check) -> String {
    check.label().to_owned()
}

fn next(report: &Report, asked: &Doctor, paint: Paint) -> String {
    let config = asked.given.config.as_ref().map(|path| format!(" --config {}", path.display())).unwrap_or_default();
    let mut tries = vec![(format!("spothub doctor{config} --output json"), "every row")];
    let broken = report.rows.iter().find(|row| row.state != State::Ok && row.place.account.is_some());
    if let Some(account) = broken.and_then(|row| row.place.account) {
        tries.push((format!("spothub doctor{config} --account {account}"), "this account again"));
    } else {
        tries.push((format!("spothub plan{config}"), "what would be swapped"));
    }
    let width = tries.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let lines = tries.iter().map(|(command, why)| format!("  {command:<width$}  {why}\n"));
    format!("\n{}\n{}", paint.bold("What to try next"), lines.collect::<Vec<_>>().concat())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use spothub_core::id::{AccountId, Site};
    use spothub_core::time::Span;

    use super::*;
    use crate::args::{Args, Command};
    use crate::doctor::report::tests::report;

    fn asked() -> Doctor {
        let args = Args::try_parse_from(["spothub", "doctor", "--config", "hub.yaml"]).unwrap();
        let Command::Doctor(asked) = args.command else { panic!("another command") };
        *asked
    }

    fn site(number: u64) -> Site {
        Site { account: AccountId::from_number(number).unwrap(), region: "eu-west-1".parse().unwrap() }
    }

    fn shown(rows: Vec<Row>) -> String {
        let text = table(&report(rows), &asked(), Style::Plain);
        assert!(text.lines().all(|line| line.chars().count() <= usize::from(WIDTH)), "{text}");
        text
    }

    #[test]
    fn where_all_is_well_it_is_short() {
        let brake = Row::told(Check::Brake, Place::HUB, "paused: organization: a freeze (by ann)");
        let text = shown(vec![Row::ok(Check::Clock, Place::HUB, "0.0 s ahead"), brake, Row::came(&site(1), Span(412))]);
        let expected = "\
The doctor looked at the hub, 1 account and 2 accounts' regions

All is as it should be.

Good to know
  brake: paused: organization: a freeze (by ann)

Checks
  check ok warning missing unknown
  clock  1
  brake  1
  probe  1

  Probes came after 412 ms (the median), from 412 to 412 ms.

What to try next
  spothub doctor --config hub.yaml --output json  every row
  spothub plan --config hub.yaml                  what would be swapped
";
        assert_eq!(text, expected);
    }

    #[test]
    fn equal_findings_are_told_once_and_the_worst_first() {
        let mut rows = vec![Row::warning(Check::Role, &site(1), "it is\u{1b}[2J old", "renew it")];
        rows.extend((1..=6).map(|n| Row::missing(Check::Probe, &site(n), "lost", "look for it")));
        let text = shown(rows);
        let expected = "\
Not as it should be
  missing  probe: 000000000001 eu-west-1, 000000000002 eu-west-1, 000000000003
           eu-west-1, 000000000004 eu-west-1 and 2 more
           lost
           = look for it
  warning  role: 000000000001 eu-west-1
           it is [2J old
           = renew it
";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("spothub doctor --config hub.yaml --account 000000000001  this account again"), "{text}");
    }
}
