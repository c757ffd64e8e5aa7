//! Brakes and the hub's state for people: at most 80 columns where names allow it.

mod policy;

// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use comfy_table::{Row, Table};
use spothub_core::brake::{Brake, BrakeScope, Brakes};
use spothub_core::breaker::State;
use spothub_core::time::Timestamp;
use spothub_hub::published::{Approval, short};
use spothub_hub::status::{Reverting, Status};
use spothub_report::text::plain;

use super::figure::wrap;
use super::{Paint, WIDTH, rendered};
use crate::Style;

/// Swaps and groups shown: the JSON has more.
const SHOWN: usize = 10;

/// What a brake that was just pulled does.
pub(crate) fn paused(brake: &Brake) -> String {
    let rescues = match brake.scope {
        BrakeScope::All => "no rescue is begun either: what AWS takes back is replaced by the groups themselves",
        BrakeScope::Org | BrakeScope::Ou(_) | BrakeScope::Account(_) | BrakeScope::Region(_) | BrakeScope::Group(_) => {
            "rescues go on"
        }
    };
    paragraph(&format!(
        "Paused: {}. From five seconds on no worker begins a swap there; swaps in flight are finished or undone; {}.",
        brake.scope, rescues
    ))
}

/// What sending a scope back does, or would do; `on_spot` is `None` where nobody can tell from the store.
pub(crate) fn reverted(brake: &Brake, on_spot: Option<u64>, applied: bool) -> String {
    let count = match on_spot {
        None => "How many instances that spothub brought are on Spot there is known to the workers only".to_owned(),
        Some(1) => "1 instance that spothub brought is on Spot there".to_owned(),
        Some(count) => format!("{count} instances that spothub brought are on Spot there"),
    };
    let text = if applied {
        format!(
            "Goes back to on-demand: {}. {count}. One swap at a time in each group replaces them, and nothing new goes \
             onto Spot there; spothub status says how far it is, and spothub resume with this scope ends it.",
            brake.scope
        )
    } else {
        format!("Would go back to on-demand: {}. {count}. Nothing was changed: say --apply.", brake.scope)
    };
    paragraph(&text)
}

/// What a release did.
pub(crate) fn resumed(scope: &BrakeScope, was: bool) -> String {
    let text = if was {
        format!("Resumed: {scope}. Workers see it within 15 seconds.")
    } else {
        format!("No brake was set for {scope}; nothing has changed.")
    };
    paragraph(&text)
}

/// What an approval leads to.
pub(crate) fn approved(approval: &Approval, rings: &[String]) -> String {
    let next = match rings {
        [] => "within a minute it is in force everywhere".to_owned(),
        [first, ..] => format!(
            "within a minute it is in force in its first ring, {first:?} (of {}), and everywhere once the last one \
             has been watched; spothub status says how far it is",
            rings.len()
        ),
    };
    paragraph(&format!("Approved: {}..., by {}. Every worker reads it: {next}.", short(&approval.digest), approval.by))
}

fn paragraph(text: &str) -> String {
    wrap(text, usize::from(WIDTH)).map(|line| line + "\n").collect()
}

/// Brakes that stay set beside one.
pub(crate) fn others(brakes: &Brakes, beside: &BrakeScope) -> String {
    let others: Vec<&Brake> = brakes.0.iter().filter(|brake| brake.scope != *beside).collect();
    if others.is_empty() {
        return String::new();
    }
    format!("\nAlso paused:\n{}", rows(&others))
}

fn rows(brakes: &[&Brake]) -> String {
    let mut text = String::new();
    for brake in brakes {
        let at = moment(brake.at);
        let back = if brake.revert { ", back to on-demand" } else { "" };
        let _ = writeln!(text, "  {}{back}: {} (by {}, {at})", brake.scope, brake.why, brake.by);
    }
    text
}

fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| "?".to_owned(), |at| at.strftime("%F %T UTC").to_string())
}

/// The whole state.
pub(crate) fn status(status: &Status, now: Timestamp, style: Style) -> String {
    let paint = Paint(style);
    let mut text = format!("{}\n", paint.bold(&format!("The hub as of {}", moment(now))));
    if let Some(why) = &status.brakes_unreadable {
        let _ = writeln!(text, "\nThe brakes cannot be read, so everything is paused:\n  {why}");
    }
    if status.brakes.is_empty() {
        text.push_str("  brakes         none\n");
    } else {
        let all: Vec<&Brake> = status.brakes.iter().collect();
        let _ = write!(text, "\nPaused:\n{}", rows(&all));
        for Reverting { scope, on_spot } in &status.reverts {
            if let Some(left) = on_spot {
                let _ = writeln!(text, "  {scope}: {left} still on Spot");
            }
        }
        text.push('\n');
    }
    text.push_str(&policy::section(status, now, paint));
    let sum: u64 = status.in_flight_by_stage.values().sum();
    let stages = list(status.in_flight_by_stage.iter().map(|(stage, number)| (*stage, *number)));
    let _ = writeln!(text, "  in flight      {sum}{stages}");
    if !status.budgets.is_empty() {
        let scopes = list(status.budgets.iter().map(|(scope, used)| (scope.as_str(), u64::from(*used))));
        let _ = writeln!(text, "  budgets used  {scopes}");
    }
    if !status.stranded.is_empty() {
        let _ = writeln!(text, "  stranded       {} to be put right by their owners", status.stranded.len());
    }
    if let Some(standing) = &status.commitments {
        let told = format!("{}, read {}", standing.sentence(), moment(standing.at));
        for (index, line) in wrap(&told, usize::from(WIDTH) - 17).enumerate() {
            let _ = writeln!(text, "  {:<15}{line}", if index == 0 { "commitments" } else { "" });
        }
    }
    if let Some(metered) = &status.metering {
        let last = metered.flags.as_ref().map(|flags| format!("last run {}", moment(flags.last_run)));
        let told: Vec<String> = metered.troubles.iter().map(|trouble| plain(trouble)).chain(last).collect();
        for (index, line) in wrap(&told.join("; "), usize::from(WIDTH) - 17).enumerate() {
            let _ = writeln!(text, "  {:<15}{line}", if index == 0 { "metering" } else { "" });
        }
    }
    let _ = writeln!(text, "  breakers       {} not closed", status.breakers_open);
    let _ = writeln!(text, "  announced      {} losses of instances kept in mind", status.notices);
    let _ = writeln!(text, "  quarantine     {} unreadable messages on record", status.quarantined);
    if !status.workers.is_empty() {
        let _ = writeln!(text, "  workers        {}", status.workers.len());
        for beat in &status.workers {
            let age = now.since(beat.at).as_secs();
            let _ = writeln!(text, "    {}, since {}, last heard {age} s ago", beat.worker, moment(beat.started_at));
        }
    }
    let held: u64 = status.holds.values().sum();
    let holds = list(status.holds.iter().map(|(reason, number)| (*reason, *number)));
    for (index, line) in wrap(&format!("{held}{holds}"), usize::from(WIDTH) - 17).enumerate() {
        let _ = writeln!(text, "  {:<15}{line}", if index == 0 { "held" } else { "" });
    }
    let _ = writeln!(text, "  groups known   {}", status.groups);
    if status.unreadable > 0 {
        let _ = writeln!(text, "  not understood {} records: written by a newer program", status.unreadable);
    }
    text + &lists(status, now, paint)
}

/// What stands in lists below the counts.
fn lists(status: &Status, now: Timestamp, paint: Paint) -> String {
    let mut text = String::new();
    if !status.in_flight.is_empty() {
        let mut table = Table::new();
        for row in status.in_flight.iter().take(SHOWN) {
            let new = row.new.as_ref().map(ToString::to_string).unwrap_or_default();
            let since = format!("{} s", now.since(row.started_at).as_secs());
            let (swap, old) = (row.swap.to_string(), row.old.to_string());
            table.add_row(Row::from([swap, row.group.to_string(), row.stage.to_owned(), old, new, since]));
        }
        let _ = write!(
            text,
            "\nIn flight, the oldest first:\n{}",
            rendered(table, &["swap", "group", "stage", "old", "new", "since"], &[5], paint)
        );
    }
    text.push_str(&stranded(status));
    if !status.breakers.is_empty() {
        text.push_str("\nBreakers, those of the most failures first:\n");
        for row in status.breakers.iter().take(SHOWN) {
            let (state, why, until) = (row.state.label(), row.why.unwrap_or("?"), moment(row.until));
            let next = if row.state == State::HalfOpen {
                "the next one is tried alone".to_owned()
            } else {
                format!("next try {until}")
            };
            let _ = writeln!(
                text,
                "  {} {}: {state}, {why}, {} in a row; {next}",
                row.guards.label(),
                row.of,
                row.failures
            );
        }
    }
    if !status.quarantine.is_empty() {
        text.push_str("\nUnreadable messages, the latest first:\n");
        for row in status.quarantine.iter().take(SHOWN) {
            let digest = row.digest.get(..16).unwrap_or(&row.digest);
            let _ = writeln!(text, "  {}: {}, {} bytes, SHA-256 {digest}...", moment(row.at), row.reason, row.bytes);
        }
    }
    if status.waiting > 0 {
        let _ = writeln!(text, "\n{} groups wait after failures:", status.waiting);
        for row in status.backoffs.iter().take(SHOWN) {
            let (why, until) = (row.why.unwrap_or("?"), moment(row.until));
            let _ = writeln!(text, "  {}: {why}, {} in a row; next try {until}", row.group, row.failures);
        }
    }
    text
}

/// What stranded swaps left, each with the commands that put it right: those are copied, so they are not wrapped.
fn stranded(status: &Status) -> String {
    if status.stranded.is_empty() {
        return String::new();
    }
    let mut text = "\nStranded: access was lost half way, and the owner has to put these right:\n".to_owned();
    for row in status.stranded.iter().take(SHOWN) {
        let (left, new) = (&row.left, row.left.new.as_ref());
        let new = new.map(|new| format!(", new {new}")).unwrap_or_default();
        let _ = writeln!(text, "  {} in {}, {}: old {}{new}", left.id, row.group, moment(left.at), left.old);
        for command in &row.commands {
            let _ = writeln!(text, "    {command}");
        }
    }
    if status.stranded.len() > SHOWN {
        let _ = writeln!(text, "  ... and {} more: --output json has them all", status.stranded.len() - SHOWN);
    }
    text
}

fn list<'a>(rows: impl Iterator<Item = (&'a str, u64)>) -> String {
    let all: Vec<String> = rows.map(|(label, number)| format!("{number} {label}")).collect();
    if all.is_empty() { String::new() } else { format!(" ({})", all.join(", ")) }
}
