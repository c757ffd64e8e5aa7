//! A plan for people: at most 80 columns, the same text with or without colors.
//!
//! Renders the report and nothing else; a figure that is not in the JSON is not shown here either.

use std::cmp::Reverse;
// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use comfy_table::{Row, Table};
use serde::Serialize as _;
use spothub_core::catalog::TypeId;
use spothub_hub::survey::Missed;

use super::figure::{cents, count, usd, wrap};
use super::{ACCOUNTS_SHOWN, Paint, WIDTH, rendered};
use crate::Style;
use crate::args::Plan;
use crate::plan::report::{GroupLine, Report, SavingLine, sentence};

/// Groups shown, in either list: those that save most come first, and the JSON has them all.
const GROUPS_SHOWN: usize = 10;
/// Units shown.
const OUS_SHOWN: usize = 10;
/// Places shown that could not be read.
const MISSED_SHOWN: usize = 10;

/// The whole plan.
pub(crate) fn table(report: &Report, asked: &Plan, style: Style) -> String {
    let paint = Paint(style);
    let mut text = headline(report, asked, paint);
    text.push_str(&accounts(report, paint));
    text.push_str(&units(report, paint));
    text.push_str(&holds(report, paint));
    text.push_str(&guarded(report, paint));
    text.push_str(&groups(report, paint));
    text.push_str(&unseen(&report.missed, paint));
    text.push_str(&next(report, asked, paint));
    text
}

pub(super) fn plural(number: impl Into<u64>, noun: &str) -> String {
    let number = number.into();
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// What was planned for, in words.
pub(super) fn source(asked: &Plan) -> String {
    match (&asked.snapshot, &asked.scenario) {
        (Some(path), _) => format!("the snapshot {}", path.display()),
        (None, Some(name)) => format!("{name}, seed {}, simulated", asked.seed),
        (None, None) => "the organization".to_owned(),
    }
}

fn headline(report: &Report, asked: &Plan, paint: Paint) -> String {
    let r = report;
    let mut lines = vec![
        paint.bold(&format!("Plan for {}", source(asked))),
        format!(
            "{}, {}, {}; as of {}",
            plural(r.accounts as u64, "account"),
            plural(r.regions as u64, "region"),
            plural(r.groups_seen as u64, "group"),
            r.taken_at
        ),
        String::new(),
    ];
    let mut row = |name: &str, value: String| lines.push(format!("  {name:<15}{value}"));
    let s = &r.groups_by_standing;
    let standings = [(s.enabled, "enabled"), (s.not_enabled, "not enabled"), (s.opted_out, "opted out")];
    row("groups", standings.map(|(number, word)| format!("{} {word}", count(number))).join(", "));
    let m = &r.members;
    let mut members = format!("{} on demand, {} Spot", count(m.on_demand), count(m.spot));
    if m.unknown > 0 {
        let _ = write!(members, ", {} not known", count(m.unknown));
    }
    row("in service", members);
    row("begun at once", format!("a swap in {}", plural(r.swaps_now as u64, "group")));
    let saving = &r.saving;
    row("in the end", format!("{} swapped, all above the floors", plural(saving.members, "member")));
    row("on demand", format!("${:>13} an hour for these, at list prices", usd(&saving.on_demand_usd_per_hour)));
    let percent = saving.saved_percent.as_ref().map(|p| format!("  {p} %")).unwrap_or_default();
    let saved = format!("${:>13} an hour{percent}", usd(&saving.saved_usd_per_hour));
    row("saved", paint.good(&saved));
    row("", format!("${:>13} a month of 730 hours", usd(&saving.saved_usd_per_month)));
    row("at least", format!("${:>13} an hour", usd(&saving.saved_usd_per_hour_at_least)));
    if saving.groups_unknown > 0 || saving.members_unknown > 0 {
        let (groups, members) = (plural(saving.groups_unknown, "group"), plural(saving.members_unknown, "member"));
        row("not known", format!("{groups}, {members}; they are in no sum"));
    }
    if !r.set_aside.is_empty() {
        row("set aside", format!("{} not active", plural(r.set_aside.len() as u64, "account")));
    }
    if !r.on_demand_fallback {
        row("fallback", "left to the groups: nothing is launched on demand in place of Spot".to_owned());
    }
    lines.join("\n") + "\n"
}

/// The figures that each sum shows, as cells.
fn cells(saving: &SavingLine) -> [String; 4] {
    let percent = saving.saved_percent.as_deref().unwrap_or("-").to_owned();
    let unknown = if saving.groups_unknown > 0 { count(saving.groups_unknown) } else { String::new() };
    [count(saving.members), usd(&saving.saved_usd_per_month), percent, unknown]
}

pub(super) fn more(text: &mut String, all: usize, shown: usize) {
    if all > shown {
        let _ = writeln!(text, "  ... and {} more: --output json has them all", count((all - shown) as u64));
    }
}

fn accounts(report: &Report, paint: Paint) -> String {
    let mut lines: Vec<_> = report.rollups.accounts.iter().collect();
    if lines.is_empty() {
        return String::new();
    }
    lines.sort_by_key(|line| (Reverse(cents(&line.sum.saving.saved_usd_per_month)), line.account_id));
    let mut table = Table::new();
    for line in lines.iter().take(ACCOUNTS_SHOWN) {
        let [members, month, percent, unknown] = cells(&line.sum.saving);
        let who = [line.account_id.to_string(), line.account_name.clone(), line.ou.to_string()];
        let mut row = Row::from([&who[..], &[members, month, percent, unknown][..]].concat());
        // Long names are cut rather than wrapped: an account is one line.
        row.max_height(1);
        table.add_row(row);
    }
    let header = ["account", "name", "unit", "swaps", "$ a month", "%", "unknown"];
    let mut text = format!("\n{}\n", paint.bold("Saved by account"));
    text.push_str(&rendered(table, &header, &[3, 4, 5, 6], paint));
    more(&mut text, lines.len(), ACCOUNTS_SHOWN);
    text
}

fn units(report: &Report, paint: Paint) -> String {
    let mut lines: Vec<_> = report.rollups.ous.iter().collect();
    if lines.len() < 2 {
        return String::new();
    }
    lines.sort_by_key(|line| (Reverse(cents(&line.sum.saving.saved_usd_per_month)), &line.ou));
    let mut table = Table::new();
    for line in lines.iter().take(OUS_SHOWN) {
        let [members, month, percent, unknown] = cells(&line.sum.saving);
        let mut row = Row::from(vec![line.ou.to_string(), count(line.sum.groups), members, month, percent, unknown]);
        row.max_height(1);
        table.add_row(row);
    }
    let header = ["unit", "groups", "swaps", "$ a month", "%", "unknown"];
    let mut text = format!("\n{}\n", paint.bold("Saved by organizational unit"));
    text.push_str(&rendered(table, &header, &[1, 2, 3, 4, 5], paint));
    more(&mut text, lines.len(), OUS_SHOWN);
    text
}

fn holds(report: &Report, paint: Paint) -> String {
    if report.holds.is_empty() {
        return String::new();
    }
    let mut lines: Vec<_> = report.holds.iter().collect();
    lines.sort_by_key(|(label, sum)| (Reverse(sum.members), Reverse(sum.groups), **label));
    let mut table = Table::new();
    for (label, sum) in lines {
        let remedy = sum.remedy.unwrap_or_default().to_owned();
        table.add_row(vec![(*label).to_owned(), count(sum.groups), count(sum.members), remedy]);
    }
    let header = ["reason", "groups", "members", "what you can do"];
    format!("\n{}\n{}", paint.bold("Why members stay on demand"), rendered(table, &header, &[1, 2], paint))
}

/// Groups that policy enables and IAM would refuse.
fn guarded(report: &Report, paint: Paint) -> String {
    if report.iam_guarded.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    for line in report.iam_guarded.iter().take(GROUPS_SHOWN) {
        let place = format!("{}/{}", line.account_id, line.region);
        let says = line.tag.as_ref().map_or_else(|| "is not there".to_owned(), |value| format!("says {value:?}"));
        let mut row = Row::from(vec![place, line.group.to_string(), line.guard.label().to_owned(), says]);
        row.max_height(1);
        table.add_row(row);
    }
    let number = plural(report.iam_guarded.len() as u64, "group");
    let mut text = format!("\n{}\n", paint.bold(&format!("Enabled by policy, refused by IAM: {number}")));
    text.push_str(&rendered(table, &["account and region", "group", "guard", "spothub:enabled"], &[], paint));
    more(&mut text, report.iam_guarded.len(), GROUPS_SHOWN);
    text
}

fn groups(report: &Report, paint: Paint) -> String {
    let saves = |line: &&GroupLine| cents(&line.saving.saved_usd_per_month) > 0;
    let mut lines: Vec<&GroupLine> = report.groups.iter().filter(saves).collect();
    if lines.is_empty() {
        return String::new();
    }
    // Equal ones stay in the order of their keys.
    lines.sort_by_key(|line| Reverse(cents(&line.saving.saved_usd_per_month)));
    let mut table = Table::new();
    for line in lines.iter().take(GROUPS_SHOWN) {
        let swap = line.swap.as_ref().map(|swap| {
            let best = swap.pools.first().map(|pool| name(pool.kind)).unwrap_or_default();
            format!("{} > {best}", name(swap.kind))
        });
        let place = format!("{}/{}", line.account_id, line.region);
        let [members, month, ..] = cells(&line.saving);
        let mut row = Row::from(vec![place, line.group.to_string(), members, month, swap.unwrap_or_default()]);
        row.max_height(1);
        table.add_row(row);
    }
    let header = ["account and region", "group", "swaps", "$ a month", "the first swap"];
    let mut text = format!("\n{}\n", paint.bold("Groups that save most"));
    text.push_str(&rendered(table, &header, &[2, 3], paint));
    more(&mut text, lines.len(), GROUPS_SHOWN);
    text
}

/// A type's name, by the one way in which it is stored.
fn name(kind: TypeId) -> String {
    let stored = kind.serialize(serde_json::value::Serializer);
    stored.ok().as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// What could not be read.
pub(super) fn unseen(missed: &[Missed], paint: Paint) -> String {
    if missed.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", paint.bad(&format!("Not seen: {}", plural(missed.len() as u64, "read"))));
    for missed in missed.iter().take(MISSED_SHOWN) {
        for (index, part) in wrap(&sentence(missed), usize::from(WIDTH) - 4).enumerate() {
            let _ = writeln!(text, "{}{part}", if index == 0 { "  " } else { "    " });
        }
    }
    more(&mut text, missed.len(), MISSED_SHOWN);
    text
}

fn next(report: &Report, asked: &Plan, paint: Paint) -> String {
    let this = asked.source();
    let policy = asked.policy.as_ref().map(|path| format!(" --policy {}", path.display())).unwrap_or_default();
    let mut tries = vec![(format!("spothub plan{this}{policy} --output json"), "every group and figure")];
    if asked.policy.is_none() || report.groups_by_standing.enabled == 0 {
        tries.push((format!("spothub plan{this} --policy FILE"), "with your policy"));
    }
    match &asked.record {
        Some(path) => {
            let path = path.display();
            tries.push((format!("spothub plan --snapshot {path} --policy FILE"), "what was recorded, again"));
            if asked.scenario.is_none() {
                tries.push((format!("spothub simulate --snapshot {path}{policy}"), "what could come of it"));
            }
        }
        None if asked.snapshot.is_none() => {
            tries.push((format!("spothub plan{this}{policy} --record FILE"), "keep what was seen"));
        }
        None => tries.push((format!("spothub simulate{this}{policy}"), "what could come of it")),
    }
    if let Some(name) = &asked.scenario {
        tries.push((format!("spothub simulate {name} --seed {}", asked.seed), "what comes of it"));
    }
    let width = tries.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let lines = tries.iter().map(|(command, why)| format!("  {command:<width$}  {why}\n"));
    format!("\n{}\n{}", paint.bold("What to try next"), lines.collect::<Vec<_>>().concat())
}
