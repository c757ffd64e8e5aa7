//! A plan as csv and as a page: what is handed on to those who do not run the command.
//!
//! Unknown amounts are empty or said to be unknown, never zero.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::error::Error;

use serde::Serialize as _;
use spothub_core::catalog::TypeId;
use spothub_report::html::{ACCOUNTS_MAX, GROUPS_MAX, Sheet, Table};
use spothub_report::model::Section;
use spothub_report::text::{lines, member, plain, thousands};

use super::report::{AccountLine, GroupLine, HoldLine, Report, SavingLine, sentence};

/// Reads that failed and are named on the page: the JSON has them all.
const MISSED_MAX: usize = 100;

/// Columns of csv.
const COLUMNS: [&str; 24] = [
    "account", "account_name", "ou", "region", "group", "standing", "min", "max", "desired", "floor", "on_demand",
    "spot", "swaps", "on_demand_usd_per_hour", "saved_usd_per_hour", "saved_usd_per_hour_at_least",
    "saved_usd_per_month", "saved_percent", "members_unknown", "first_swap", "first_swap_from", "first_swap_to",
    "held", "held_in_the_end",
];

/// A line for each group.
pub(super) fn csv(report: &Report) -> Result<String, Box<dyn Error + Send + Sync>> {
    lines(COLUMNS, report.groups.iter().map(cells))
}

fn cells(line: &GroupLine) -> [String; 24] {
    let saving = &line.saving;
    let known = |text: &str| if saving.groups_unknown > 0 { String::new() } else { text.to_owned() };
    let swap = line.swap.as_ref();
    let pools = swap.map(|swap| {
        let pools = swap.pools.iter().map(|pool| format!("{} {}", name(pool.kind), pool.usd_per_hour));
        pools.collect::<Vec<_>>().join("; ")
    });
    [
        line.account_id.to_string(),
        member(&plain(&line.account_name)),
        member(&line.ou.to_string()),
        line.region.to_string(),
        member(&plain(&line.group.to_string())),
        line.standing.to_owned(),
        line.min.to_string(),
        line.max.to_string(),
        line.desired.to_string(),
        line.floor.to_string(),
        line.members.on_demand.to_string(),
        line.members.spot.to_string(),
        known(&saving.members.to_string()),
        known(&saving.on_demand_usd_per_hour),
        known(&saving.saved_usd_per_hour),
        known(&saving.saved_usd_per_hour_at_least),
        known(&saving.saved_usd_per_month),
        known(saving.saved_percent.as_deref().unwrap_or_default()),
        saving.members_unknown.to_string(),
        swap.map(|swap| swap.instance_id.to_string()).unwrap_or_default(),
        swap.map(|swap| format!("{} in {}", name(swap.kind), swap.az_id)).unwrap_or_default(),
        pools.unwrap_or_default(),
        counted(&line.holds),
        counted(&line.holds_after),
    ]
}

/// Reasons with how often each holds, in the order of their labels.
fn counted(holds: &[HoldLine]) -> String {
    let mut counts = BTreeMap::<&'static str, u32>::new();
    for hold in holds {
        *counts.entry(hold.reason.label()).or_default() += 1;
    }
    let told =
        counts.iter().map(|(label, count)| if *count > 1 { format!("{label} x{count}") } else { (*label).to_owned() });
    told.collect::<Vec<_>>().join("; ")
}

/// A type's name, by the one way in which it is stored.
fn name(kind: TypeId) -> String {
    let stored = kind.serialize(serde_json::value::Serializer);
    stored.ok().as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// The page.
pub(super) fn html(report: &Report) -> anyhow::Result<String> {
    let saving = &report.saving;
    let usd = |text: &str| format!("{} USD", cents(text));
    let mut figures = vec![
        ("Saved a month of 730 hours", usd(&saving.saved_usd_per_month)),
        ("Saved an hour", usd(&saving.saved_usd_per_hour)),
        ("Saved an hour at least, in the dearest pools", usd(&saving.saved_usd_per_hour_at_least)),
        ("Saved of the list price", percent(saving)),
        ("Members that would go to Spot", saving.members.to_string()),
        ("Groups in which a swap would begin at once", report.swaps_now.to_string()),
    ];
    if saving.groups_unknown > 0 || saving.members_unknown > 0 {
        let told = format!("{} groups, {} members", saving.groups_unknown, saving.members_unknown);
        figures.push(("Not known, and in no sum", told));
    }
    let sheet = Sheet {
        title: "What spothub would do".to_owned(),
        note: format!(
            "{} accounts, {} regions, {} groups, as of {}; nothing was changed",
            report.accounts, report.regions, report.groups_seen, report.taken_at
        ),
        source: "--output csv",
        figures,
        tables: vec![accounts(report), groups(report)],
        sections: [holds(report), missed(report)].into_iter().flatten().collect(),
    };
    Ok(sheet.html()?)
}

/// An amount as it is spelled, to the cent.
fn cents(text: &str) -> String {
    let end = text.find('.').map_or(text.len(), |point| text.len().min(point + 3));
    thousands(text.get(..end).unwrap_or(text))
}

fn percent(saving: &SavingLine) -> String {
    saving.saved_percent.as_ref().map_or_else(|| "unknown".to_owned(), |percent| format!("{percent} %"))
}

/// Micro-USD of an amount as it is spelled, for the order of rows alone.
fn size(saving: &SavingLine) -> i128 {
    saving.saved_usd_per_month.replace('.', "").parse().unwrap_or(0)
}

fn accounts(report: &Report) -> Table {
    let mut all: Vec<&AccountLine> = report.rollups.accounts.iter().collect();
    all.sort_by_key(|line| (Reverse(size(&line.sum.saving)), line.account_id));
    let rows = all.iter().take(ACCOUNTS_MAX).map(|line| {
        let (sum, saving) = (&line.sum, &line.sum.saving);
        let name = plain(&format!("{} {}", line.account_name, line.account_id));
        let counts = [sum.groups, sum.on_demand, sum.spot, saving.members].map(|count| count.to_string());
        let unknown = saving.groups_unknown.to_string();
        let saved = vec![cents(&saving.saved_usd_per_month), percent(saving), unknown];
        (name, [vec![line.ou.to_string()], counts.to_vec(), saved].concat())
    });
    let heads =
        vec!["Name", "Unit", "Groups", "On demand", "Spot", "Would go", "Saved a month, USD", "Saved", "Unknown"];
    Table { title: "Accounts", heads, all: all.len(), rows: rows.collect() }
}

fn groups(report: &Report) -> Table {
    let mut all: Vec<&GroupLine> = report.groups.iter().collect();
    all.sort_by_key(|line| Reverse(size(&line.saving)));
    let rows = all.iter().take(GROUPS_MAX).map(|line| {
        let saving = &line.saving;
        let name = plain(&format!("{}/{}/{}", line.account_id, line.region, line.group));
        let unknown = saving.groups_unknown > 0;
        let known = |text: String| if unknown { "unknown".to_owned() } else { text };
        let members = [line.members.on_demand, line.members.spot].map(|count| count.to_string());
        let (would, saved) = (known(saving.members.to_string()), known(cents(&saving.saved_usd_per_month)));
        let first = line.swap.as_ref().map(|swap| {
            let best = swap.pools.first().map(|pool| self::name(pool.kind)).unwrap_or_default();
            format!("{} to {best}", self::name(swap.kind))
        });
        let last = vec![would, saved, first.unwrap_or_default(), counted(&line.holds)];
        (name, [vec![line.standing.to_owned()], members.to_vec(), last].concat())
    });
    let heads =
        vec!["Name", "Policy", "On demand", "Spot", "Would go", "Saved a month, USD", "The first swap", "Held now"];
    Table { title: "Groups", heads, all: all.len(), rows: rows.collect() }
}

fn holds(report: &Report) -> Option<Section> {
    let mut all: Vec<_> = report.holds.iter().collect();
    all.sort_by_key(|(label, sum)| (Reverse(sum.members), Reverse(sum.groups), **label));
    let lines = all.into_iter().map(|(label, sum)| {
        (format!("{label}, {} groups, {} members", sum.groups, sum.members), sum.remedy.unwrap_or_default().to_owned())
    });
    section("Why members stay on demand", "What an owner could change to gain more.", lines.collect())
}

fn missed(report: &Report) -> Option<Section> {
    let lines = report.missed.iter().take(MISSED_MAX).map(|missed| (missed.what.label().to_owned(), sentence(missed)));
    section("What could not be read", "It is in no sum.", lines.collect())
}

fn section(title: &str, note: &str, lines: Vec<(String, String)>) -> Option<Section> {
    (!lines.is_empty()).then(|| Section { title: title.to_owned(), note: note.to_owned(), lines })
}
