//! A rollout for people and programs: what is to be done, what was done, and how everything stands.

mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use serde_json::{Value, json};
use spothub_aws::stacks::{Filter, Named, Spot, Targets};
use spothub_core::id::Region;

use super::figure::{count, wrap};
use super::{Paint, WIDTH};
use crate::Style;
use crate::rollout::{Act, Change, Failure, Part, Thing, Wrote};

pub(crate) use status::{status, status_json};

/// Failures and places that are told one by one: the JSON has all of them.
const SHOWN: usize = 20;
/// Where a reason begins.
const INDENT: usize = 10;

/// Changes as JSON, those that keep everything left out.
pub(crate) fn json(changes: &[Change]) -> Value {
    changes.iter().filter(|change| change.act != Act::Keep).map(change_json).collect()
}

fn change_json(change: &Change) -> Value {
    let why: Vec<String> = change.why.iter().map(ToString::to_string).collect();
    let mut told = match &change.thing {
        Thing::Stack { account, region, name } => {
            json!({"kind": "stack", "name": name, "account": account.to_string(), "region": region.as_str()})
        }
        Thing::Set { name } => json!({"kind": "stack-set", "name": name}),
        Thing::Instances { name, targets, spots } => json!({
            "kind": "instances",
            "name": name,
            "units": targets.units.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "accounts_named": targets.accounts.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "accounts_are": filter(targets),
            "regions": targets.regions.iter().map(Region::as_str).collect::<Vec<_>>(),
            "places": spots.iter().map(place_json).collect::<Vec<_>>(),
        }),
    };
    if let Value::Object(map) = &mut told {
        map.insert("template".to_owned(), json!(change.part.file()));
        map.insert("does".to_owned(), json!(change.act.label()));
        map.insert("why".to_owned(), json!(why));
    }
    told
}

fn filter(targets: &Targets) -> &'static str {
    match targets.filter {
        Filter::All => "all",
        Filter::Only => "only",
        Filter::Without => "without",
    }
}

fn place_json(spot: &Spot) -> Value {
    json!({"account": spot.0.to_string(), "region": spot.1.as_str()})
}

/// What would be done.
pub(crate) fn plan(changes: &[Change], style: Style) -> String {
    let paint = Paint(style);
    let due: Vec<&Change> = changes.iter().filter(|change| change.act != Act::Keep).collect();
    if due.is_empty() {
        return "Nothing to do: all is as the file says.\n".to_owned();
    }
    let mut text: String = due.iter().map(|change| row(change, paint)).collect();
    let blocked = due.iter().filter(|change| change.act == Act::Blocked).count();
    let (number, noun) = (due.len() - blocked, if due.len() - blocked == 1 { "change" } else { "changes" });
    let _ = write!(text, "\n{} {noun}", count(number as u64));
    if blocked > 0 {
        let _ = write!(text, ", and {} blocked", count(blocked as u64));
    }
    text.push('\n');
    text
}

/// One change: what is done, with what, and why.
fn row(change: &Change, paint: Paint) -> String {
    let what = match &change.thing {
        Thing::Stack { account, region, name } => format!("the stack {name} in {account} {region}"),
        Thing::Set { name } => format!("the stack set {name}"),
        Thing::Instances { name, targets, .. } => format!("instances of {name} in {}", whereabouts(targets)),
    };
    let label = format!("{:<INDENT$}", change.act.label());
    let label = match change.act {
        Act::Blocked | Act::Delete | Act::Withdraw | Act::Release => paint.bad(&label),
        Act::Create | Act::Deploy => paint.good(&label),
        Act::Keep | Act::Update | Act::Remake | Act::Retry | Act::Wait => paint.bold(&label),
    };
    let mut text = String::new();
    for (index, line) in wrap(&what, usize::from(WIDTH) - INDENT).enumerate() {
        let first = if index == 0 { label.clone() } else { " ".repeat(INDENT) };
        let _ = writeln!(text, "{first}{line}");
    }
    for why in &change.why {
        for line in wrap(&why.to_string(), usize::from(WIDTH) - INDENT - 2) {
            let _ = writeln!(text, "{}{}", " ".repeat(INDENT + 2), paint.dim(&line));
        }
    }
    text
}

/// Where instances are, in few words.
fn whereabouts(targets: &Targets) -> String {
    let some = |items: Vec<String>, noun: &str| match items.len() {
        0 => format!("no {noun}"),
        1..=3 => items.join(", "),
        number => format!("{} {noun}s", count(number as u64)),
    };
    let accounts: Vec<String> = targets.accounts.iter().map(ToString::to_string).collect();
    let regions = some(targets.regions.iter().map(ToString::to_string).collect(), "region");
    if targets.units.is_empty() {
        return format!("{}: {regions}", some(accounts, "account"));
    }
    let units = some(targets.units.iter().map(ToString::to_string).collect(), "unit");
    let which = match targets.filter {
        Filter::All => String::new(),
        Filter::Only => format!(", {} alone", some(accounts, "account")),
        Filter::Without => format!(", without {}", some(accounts, "account")),
    };
    format!("{units}{which}: {regions}")
}

/// Failures as JSON.
pub(crate) fn failures_json(failures: &[Failure]) -> Value {
    let one = |failure: &Failure| {
        let place = failure.place.as_ref().map(place_json);
        json!({"what": failure.what, "place": place, "why": failure.said})
    };
    failures.iter().map(one).collect()
}

/// What an `apply` has done, and what is left.
pub(crate) fn applied(made: &[Change], failures: &[Failure], left: &[Change], style: Style) -> String {
    let paint = Paint(style);
    let due: Vec<Change> = left.iter().filter(|change| change.act != Act::Keep).cloned().collect();
    let mut text = String::new();
    match (made.len(), due.is_empty()) {
        (0, true) => text.push_str("Nothing was to do: all is as the file says.\n"),
        (_, true) => {
            let _ = writeln!(text, "{}", paint.good("Done: all is as the file says."));
        }
        (_, false) => {
            let hub = due.iter().any(|change| change.part == Part::Hub);
            let head = if hub { "Failed: without the hub's stack nothing else is begun." } else { "Done in part." };
            let _ = writeln!(text, "{}", paint.bad(head));
            text.push_str(&told(failures, paint));
            let _ = writeln!(text, "\n{}", paint.bold("What is left:"));
            text.push_str(&plan(&due, style));
            let next = "Mend what is told above, then run spothub rollout apply again: it goes on from here.";
            text.push_str(&paragraph(next));
        }
    }
    text
}

fn told(failures: &[Failure], paint: Paint) -> String {
    let mut text = String::new();
    if failures.is_empty() {
        return text;
    }
    let _ = writeln!(text, "\n{}", paint.bold("What was said on the way:"));
    for failure in failures.iter().take(SHOWN) {
        for (index, line) in wrap(&format!("{}: {}", failure.what, failure.said), usize::from(WIDTH) - 4).enumerate() {
            let _ = writeln!(text, "{}{line}", if index == 0 { "  - " } else { "    " });
        }
    }
    if failures.len() > SHOWN {
        let _ = writeln!(text, "  and {} more; --output json has them all", failures.len() - SHOWN);
    }
    text
}

/// What became of the settings.
pub(crate) fn settings(wrote: &Wrote, path: &str) -> String {
    match wrote {
        Wrote::Made => format!("The hub's settings were written to {path}.\n"),
        Wrote::Renewed => format!("The hub's settings in {path} were brought up to date.\n"),
        Wrote::Right => String::new(),
        Wrote::Differs(keys) => paragraph(&format!(
            "{path} was left as it is, and says something else than this rollout in: {}. Where that is not meant, \
             change it, or let --replace-settings write it anew.",
            keys.join(", ")
        )),
    }
}

/// What to do next.
pub(crate) fn next(settings: &str) -> String {
    format!(
        "\nNext:\n  export SPOTHUB_CONFIG={settings}\n  spothub doctor                  whether all of it works\n  \
         spothub plan --policy FILE      what that policy would save, and why not more\n"
    )
}

/// What a `remove` has done, what is left, and what stays on purpose.
pub(crate) fn removed(
    steps: &[Change],
    failures: &[Failure],
    left: &[Change],
    (kept, region): (&Named, &str),
    style: Style,
) -> String {
    let paint = Paint(style);
    let mut text = String::new();
    if !left.is_empty() {
        let _ = writeln!(text, "{}", paint.bad("Removed in part. What is left:"));
        text.push_str(&plan(left, style));
        text.push_str(&told(failures, paint));
        text.push_str(&paragraph(
            "Mend what is told above, then run spothub rollout remove again: it goes on from here.",
        ));
        return text;
    }
    if steps.is_empty() {
        return "Nothing is there.\n".to_owned();
    }
    let _ = writeln!(text, "{}", paint.good("Removed."));
    let kept = commands(kept, region);
    if !kept.is_empty() {
        text.push_str("What holds data stays. It is deleted by:\n");
        for line in kept.values().flatten() {
            let _ = writeln!(text, "  {line}");
        }
        let again = "Or kept for another rollout: give it TableName and PolicyBucketName in hub.parameters.";
        text.push_str(&paragraph(again));
    }
    text
}

/// What stays, with the commands that delete it.
fn commands(kept: &Named, region: &str) -> BTreeMap<&'static str, Vec<String>> {
    let mut found = BTreeMap::new();
    if let Some(table) = kept.get("TableName").filter(|name| !name.is_empty()) {
        found.insert(
            "table",
            vec![
                format!(
                    "aws dynamodb update-table --region {region} --table-name {table} --no-deletion-protection-enabled"
                ),
                format!("aws dynamodb delete-table --region {region} --table-name {table}"),
            ],
        );
    }
    if let Some(bucket) = kept.get("PolicyBucket").filter(|name| !name.is_empty()) {
        found.insert(
            "bucket",
            vec![
                format!(
                    "aws s3api delete-objects --region {region} --bucket {bucket} --delete \"$(aws s3api \
                     list-object-versions --region {region} --bucket {bucket} --max-items 1000 --query \
                     '{{Objects: [Versions, DeleteMarkers][][].{{Key: Key, VersionId: VersionId}}, Quiet: `true`}}')\""
                ),
                format!("aws s3api delete-bucket --region {region} --bucket {bucket}"),
            ],
        );
    }
    found
}

/// What stays, as JSON.
pub(crate) fn kept_json(kept: &Named, region: &str) -> Value {
    let name = |key: &str| kept.get(key);
    json!({"table": name("TableName"), "bucket": name("PolicyBucket"), "commands": commands(kept, region)})
}

fn paragraph(text: &str) -> String {
    wrap(text, usize::from(WIDTH)).map(|line| line + "\n").collect()
}
