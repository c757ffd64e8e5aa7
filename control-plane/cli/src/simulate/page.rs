//! A run's result as an HTML report.

use std::collections::BTreeMap;

use spothub_core::id::AccountId;
use spothub_core::time::{Span, Timestamp};
use spothub_report::model::Section;
use spothub_report::{Each, Level, Report, html};
use spothub_sim::outcome::{Ends, Outcome};
use spothub_usage::book::Page;

/// The longest run that is drawn by hour; the bars of a longer one are days.
const HOURLY_MAX: Span = Span::hours(96);

/// The page: the run's stored ledger as `spothub report` tells it, and what else the run knows.
pub(super) fn page(outcome: &Outcome) -> anyhow::Result<String> {
    let ledger = &outcome.ledger;
    let each = if ledger.to.since(ledger.from) <= HOURLY_MAX { Each::Hour } else { Each::Day };
    let mut report = Report::new(Level::Account, each, ledger.from, ledger.to);
    let mut hours = BTreeMap::<(AccountId, Timestamp), Vec<Page>>::new();
    for page in &ledger.pages {
        hours.entry((page.account, page.hour)).or_default().push(page.clone());
    }
    for pages in hours.values() {
        report.add_hour(pages);
    }
    report.names = outcome.rollups.iter().map(|row| (row.account_id, row.account_name.clone())).collect();
    report.sections = sections(outcome);
    Ok(html::html(&report, &format!("Simulated: {} with seed {}", outcome.scenario, outcome.seed))?)
}

fn sections(outcome: &Outcome) -> Vec<Section> {
    let (share, lost) = (&outcome.delivered, &outcome.interruptions);
    let mut sections = Vec::new();
    let mut section = |title: &str, note: &str, lines: Vec<(String, String)>| {
        if !lines.is_empty() {
            sections.push(Section { title: title.to_owned(), note: note.to_owned(), lines });
        }
    };
    if share.eligible_instance_hours > 0.0 {
        let line = ("Of the instance-hours that could be on Spot".to_owned(), format!("{:.2} %", share.percent));
        section("Delivered", "Once the groups have had time to move, and with the floors of the policy.", vec![line]);
    }
    section("Swaps", "", ends(&outcome.swaps));
    section("Rescues", "", ends(&outcome.rescues));
    if lost.received > 0 {
        let lines = [("Announced", lost.received), ("Replaced in time", lost.replaced_in_time)];
        section("Interruptions", "", lines.map(|(name, count)| (name.to_owned(), count.to_string())).to_vec());
    }
    let counted = |counts: &BTreeMap<String, u32>| {
        counts.iter().map(|(reason, count)| (reason.clone(), count.to_string())).collect()
    };
    section("Undone and failed, by reason", "", counted(&outcome.undone_by));
    section("Holds at the end, by reason", "spothub plan says of each group what ends it.", counted(&outcome.holds));
    sections
}

fn ends(ends: &Ends) -> Vec<(String, String)> {
    let lines = [
        ("Completed", ends.completed),
        ("Undone", ends.undone),
        ("Failed", ends.failed),
        ("Stranded", ends.stranded),
        ("In flight at the end", ends.in_flight),
    ];
    let lines = lines.into_iter().filter(|(_, count)| *count > 0);
    lines.map(|(name, count)| (name.to_owned(), count.to_string())).collect()
}
