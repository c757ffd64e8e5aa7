//! How everything stands that was rolled out.

// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use serde_json::{Value, json};
use spothub_aws::stacks::{Health, Instance, SetSeen, StackSeen};

use super::{SHOWN, WIDTH, json as changes_json, plan};
use crate::Style;
use crate::output::Paint;
use crate::output::figure::{count, wrap};
use crate::rollout::{Act, Change, Desired, Seen, SetWish, StackWish, Why, version};

/// All of it as JSON.
pub(crate) fn status_json(desired: &Desired, seen: &Seen, changes: &[Change]) -> Value {
    let mut stacks = vec![stack_json(&desired.hub, seen.hub.as_ref())];
    let own = desired.own.iter().zip(&seen.own);
    stacks.extend(own.map(|(wish, is)| stack_json(wish, is.as_ref())));
    let sets: Vec<Value> = desired.sets.iter().zip(&seen.sets).map(|(wish, is)| set_json(wish, is.as_ref())).collect();
    json!({
        "good": changes.iter().all(|change| change.act == Act::Keep),
        "version": desired.hub.template.version,
        "stacks": stacks,
        "stack_sets": sets,
        "changes": changes_json(changes),
    })
}

fn stack_json(wish: &StackWish, is: Option<&StackSeen>) -> Value {
    json!({
        "name": wish.name,
        "template": wish.part.file(),
        "account": wish.account.to_string(),
        "region": wish.region.as_str(),
        "status": is.map_or("absent", |is| &is.status),
        "reason": is.and_then(|is| is.reason.as_deref()),
        "version": is.and_then(|is| version(&is.template)),
    })
}

fn set_json(wish: &SetWish, is: Option<&SetSeen>) -> Value {
    let version = is.and_then(|is| version(&is.template));
    let one = |row: &Instance| {
        json!({
            "account": row.account.to_string(),
            "region": row.region.as_str(),
            "unit": row.unit.as_ref().map(ToString::to_string),
            "status": row.health.label(),
            "reason": row.reason,
            // Only what is current has the set's own version for sure.
            "version": version.filter(|_| row.health == Health::Current),
            "wanted": wish.spots.contains(&(row.account, row.region.clone())),
        })
    };
    let instances: Vec<Value> = is.map(|is| is.instances.iter().map(one).collect()).unwrap_or_default();
    json!({
        "name": wish.name,
        "template": wish.part.file(),
        "status": if is.is_some() { "there" } else { "absent" },
        "version": version,
        "wanted": wish.spots.len(),
        "current": is.map_or(0, |is| wish.good(&is.instances)),
        "instances": instances,
    })
}

/// All of it for people.
pub(crate) fn status(desired: &Desired, seen: &Seen, changes: &[Change], style: Style) -> String {
    let paint = Paint(style);
    let mut text = stack(&desired.hub, seen.hub.as_ref(), paint);
    for (wish, is) in desired.sets.iter().zip(&seen.sets) {
        text.push_str(&set(wish, is.as_ref(), paint));
    }
    for (wish, is) in desired.own.iter().zip(&seen.own) {
        text.push_str(&stack(wish, is.as_ref(), paint));
    }
    if changes.iter().all(|change| change.act == Act::Keep) {
        let _ = writeln!(text, "\n{}", paint.good("All is as the file says."));
        return text;
    }
    let _ = writeln!(text, "\n{}", paint.bad("Not all is as the file says; spothub rollout apply would:"));
    // Why an instance failed stands above.
    let short = |change: &Change| Change {
        why: change.why.iter().filter(|why| !matches!(why, Why::Failed(..))).cloned().collect(),
        ..change.clone()
    };
    text + &plan(&changes.iter().map(short).collect::<Vec<_>>(), style)
}

fn stack(wish: &StackWish, is: Option<&StackSeen>, paint: Paint) -> String {
    let status = is.map_or("absent", |is| is.status.as_str());
    let name = format!("{} in {} {}", wish.name, wish.account, wish.region);
    format!("{}\n  {status}{}\n", paint.bold(&name), versioned(is.map(|is| is.template.as_str())))
}

fn versioned(template: Option<&str>) -> String {
    template.and_then(version).map_or_else(String::new, |version| format!(", version {version}"))
}

fn set(wish: &SetWish, is: Option<&SetSeen>, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(&format!("{} (stack set)", wish.name)));
    let Some(is) = is else { return text + "  absent\n" };
    let (good, all) = (wish.good(&is.instances), wish.spots.len());
    let version = versioned(Some(&is.template));
    let _ = writeln!(text, "  {} of {} current{version}", count(good as u64), count(all as u64));
    let bad: Vec<&Instance> = is.instances.iter().filter(|row| row.health != Health::Current).collect();
    for row in bad.iter().take(SHOWN) {
        let reason = row.reason.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
        let line = format!("{} {} {}{reason}", row.account, row.region, row.health.label());
        for (index, line) in wrap(&line, usize::from(WIDTH) - 6).enumerate() {
            let _ = writeln!(text, "{}{line}", if index == 0 { "  " } else { "      " });
        }
    }
    if bad.len() > SHOWN {
        let _ = writeln!(text, "  and {} more; --output json has them all", bad.len() - SHOWN);
    }
    text
}
