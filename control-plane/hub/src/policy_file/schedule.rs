//! The time windows of a policy file.

use spothub_core::policy::{DAY_WORDS, Schedule, ScheduleError, Window, minute_of};

use crate::document::At;

pub(super) fn read(at: &At<'_>) -> Option<Schedule> {
    let (zone, windows) = at.fields(|fields| {
        let zone = fields.need("zone").and_then(|zone| Some((zone.text()?.to_owned(), zone)));
        let windows = fields.need("windows").and_then(|at| at.each(|one| Some((window(one)?, one.clone()))));
        (zone, windows)
    })?;
    let ((name, zone), windows) = (zone?, windows?);
    overlaps(&windows);
    match Schedule::new(&name, windows.iter().map(|(w, _)| w.clone()).collect()) {
        Ok(schedule) => Some(schedule),
        Err(error @ ScheduleError::Zone(_)) => zone.fail(error, ""),
        // Already noted where the window was read.
        Err(ScheduleError::Window(_) | ScheduleError::Text(_)) => None,
    }
}

fn window(at: &At<'_>) -> Option<Window> {
    at.fields(|fields| {
        let days = fields.need("days").and_then(|at| at.each(|day| day.word(DAY_WORDS)));
        let from = fields.need("from").and_then(|at| minute(&at));
        let to = fields.need("to").and_then(|at| minute(&at));
        let window = Window { days: days?, from: from?, to: to? };
        if window.days.is_empty() {
            fields.note("days", "no day is named, so the window is never open", "name days, as [mon, tue]");
        }
        if window.from >= window.to {
            let remedy = "for a window over midnight give two: one to \"24:00\", one from \"00:00\" on the next day";
            fields.note("to", "the window ends before it begins", remedy);
        }
        Some(window)
    })?
}

/// Two windows that are open together are a slip: one of them was meant to say something else.
fn overlaps(windows: &[(Window, At<'_>)]) {
    for (index, (one, at)) in windows.iter().enumerate() {
        let shared = |other: &Window| {
            one.from < other.to && other.from < one.to && one.days.iter().any(|day| other.days.contains(day))
        };
        if let Some(first) = windows[..index].iter().position(|(other, _)| shared(other)) {
            let _: Option<()> = at.fail(format_args!("the window overlaps with windows[{first}]"), "join the two");
        }
    }
}

fn minute(at: &At<'_>) -> Option<u16> {
    let (text, _) = at.scalar("a time of day in quotes, as \"02:00\"")?;
    let parsed = minute_of(text);
    parsed.or_else(|| at.fail(format_args!("{text:?} is no time of day"), "write \"00:00\" to \"24:00\", in quotes"))
}
