//! A run's result as an HTML report.

use spothub_core::money::{Usd, UsdPerHour};
use spothub_core::time::Timestamp;
use spothub_report::model::Section;
use spothub_report::{Each, Level, Report, html};
use spothub_sim::outcome::Outcome;
use spothub_usage::book::Totals;

/// The page. A run tells sums of accounts, no days, no discounts and no time on Spot by account.
pub(super) fn page(outcome: &Outcome) -> anyhow::Result<String> {
    let end = Timestamp(i64::from(outcome.hours) * 3_600_000);
    let mut report = Report::new(Level::Account, Each::Total, Timestamp(0), end);
    report.whole = false;
    for row in &outcome.rollups {
        let totals = Totals { actual: usd(&row.actual_usd)?, on_demand: usd(&row.on_demand_usd)?, ..Totals::default() };
        report.total.add(&totals);
        report.accounts.entry(row.account_id).or_default().add(&totals);
        report.names.insert(row.account_id, row.account_name.clone());
    }
    report.sections = sections(outcome);
    Ok(html::html(&report, &format!("Simulated: {} with seed {}", outcome.scenario, outcome.seed)))
}

/// As the outcome spells it, which is with six decimals.
fn usd(text: &str) -> anyhow::Result<Usd> {
    Ok(Usd::from_micros(text.parse::<UsdPerHour>()?.0))
}

fn sections(outcome: &Outcome) -> Vec<Section> {
    let mut sections = Vec::new();
    let share = &outcome.delivered;
    if share.eligible_instance_hours > 0.0 {
        let line = ("Of the instance-hours that could be on Spot".to_owned(), format!("{:.2} %", share.percent));
        sections.push(Section { title: "Spot share".to_owned(), lines: vec![line] });
    }
    let lost = &outcome.interruptions;
    if lost.received > 0 {
        let lines = [("Announced", lost.received), ("Replaced in time", lost.replaced_in_time)];
        let lines = lines.map(|(name, count)| (name.to_owned(), count.to_string()));
        sections.push(Section { title: "Interruptions".to_owned(), lines: lines.to_vec() });
    }
    if !outcome.holds.is_empty() {
        let lines = outcome.holds.iter().map(|(reason, count)| (reason.clone(), count.to_string()));
        sections.push(Section { title: "Holds at the end, by reason".to_owned(), lines: lines.collect() });
    }
    sections
}
