//! A change of policy for people: who becomes enabled first, then who does not any more, then values.

// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use comfy_table::{Row, Table};
use spothub_core::reason::OptOut;
use spothub_hub::published::short;

use super::visible;
use crate::Style;
use crate::args::Diff;
use crate::output::figure::{count, wrap};
use crate::output::{Paint, WIDTH, rendered};
use crate::policy::diff::{Direction, Line, Report};

/// Groups of a list that are shown: the JSON has them all.
const GROUPS_SHOWN: usize = 10;
/// Changes of values that are shown.
const CHANGES_SHOWN: usize = 30;

/// The whole answer.
pub(crate) fn table(report: &Report, asked: &Diff, style: Style) -> String {
    let paint = Paint(style);
    let mut text = headline(report, asked, paint);
    text.push_str(&groups("Become enabled", report.enabled.iter(), paint));
    text.push_str(&groups("Are no longer enabled", report.disabled.iter(), paint));
    text.push_str(&changes(report, paint));
    let other_reason = report.idle.iter().filter(|line| line.before != line.after);
    text.push_str(&groups("Left alone now and then, for another reason", other_reason, paint));
    text
}

fn headline(report: &Report, asked: &Diff, paint: Paint) -> String {
    let (old, new) = (asked.old.display(), asked.new.display());
    let mut text = format!("{}\n", paint.bold(&format!("From {old} to {new}, over {}", asked.snapshot.display())));
    let mut row = |name: &str, value: &str| {
        for (index, line) in wrap(value, usize::from(WIDTH) - 17).enumerate() {
            let _ = writeln!(text, "  {:<15}{line}", if index == 0 { name } else { "" });
        }
    };
    row("digest", &format!("{}... to {}...", short(&report.old.digest), short(&report.new.digest)));
    let parts = [
        (report.enabled.len(), "become enabled"),
        (report.disabled.len(), "are no longer enabled"),
        (report.changed.len(), "change values"),
        (report.idle.len(), "are left alone now and then"),
        (report.same, "stay as they are"),
    ];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, what)| format!("{} {what}", count(*number as u64))).collect();
    row("groups", &format!("{}: {}", count(report.groups as u64), parts.join(", ")));
    row("once published", &published(report));
    text
}

/// What happens when the new policy takes the place of the old one.
fn published(report: &Report) -> String {
    if report.old.digest == report.new.digest {
        return "nothing: the files say the same".to_owned();
    }
    if report.only_restricts {
        return "in force everywhere within a minute: it only restricts".to_owned();
    }
    let then = if report.rings.is_empty() {
        "then in force everywhere".to_owned()
    } else {
        format!("then by rings: {}, and everywhere", visible(&report.rings.join(", ")))
    };
    format!(
        "waits for spothub policy approve {}, {then}; until then the stricter of the two holds for each value",
        short(&report.new.digest)
    )
}

fn groups<'l>(title: &str, lines: impl Iterator<Item = &'l Line>, paint: Paint) -> String {
    let lines: Vec<&Line> = lines.collect();
    if lines.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    for line in lines.iter().take(GROUPS_SHOWN) {
        let by = match line.opted_out_by {
            Some(OptOut::Policy) => " by policy",
            Some(OptOut::Tag) => " by tag",
            None => "",
        };
        let place = format!("{}/{}/{}", line.account_id, line.region, line.group);
        let mut row =
            Row::from(vec![place, line.ou.to_string(), line.before.to_owned(), format!("{}{by}", line.after)]);
        row.max_height(1);
        table.add_row(row);
    }
    let header = ["group", "unit", "now", "then"];
    let mut text = format!("\n{}\n{}", paint.bold(title), rendered(table, &header, &[], paint));
    if lines.len() > GROUPS_SHOWN {
        let _ = writeln!(text, "  ... and {} more: --output json has them all", lines.len() - GROUPS_SHOWN);
    }
    text
}

fn changes(report: &Report, paint: Paint) -> String {
    if report.changes.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    for sum in report.changes.iter().take(CHANGES_SHOWN) {
        let change = &sum.change;
        let direction = match change.direction {
            Direction::Mixed => "perhaps looser",
            other @ (Direction::Looser | Direction::Stricter) => other.label(),
        };
        table.add_row(vec![
            change.key.to_owned(),
            visible(&change.old),
            visible(&change.new),
            direction.to_owned(),
            count(sum.groups as u64),
        ]);
    }
    let title = "Values that change where it is enabled now and then";
    let header = ["key", "now", "then", "", "groups"];
    let mut text = format!("\n{}\n{}", paint.bold(title), rendered(table, &header, &[4], paint));
    if report.changes.len() > CHANGES_SHOWN {
        let _ = writeln!(text, "  ... and {} more: --output json has them all", report.changes.len() - CHANGES_SHOWN);
    }
    text
}
