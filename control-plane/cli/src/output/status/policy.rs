//! What is in force of published policy, and what somebody has to do about it.

// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use spothub_core::time::Timestamp;
use spothub_hub::published::{Out, PolicyState, Seen, short};
use spothub_hub::status::Status;

use super::moment;
use crate::output::figure::wrap;
use crate::output::policy::visible;
use crate::output::{Paint, WIDTH};

/// Lines of what is wrong that are shown; `policy check` tells all.
const TROUBLE_LINES: usize = 6;

/// The part of the state that is about policy.
pub(super) fn section(status: &Status, now: Timestamp, paint: Paint) -> String {
    let state = &status.policy;
    let mut text = String::new();
    if let Some(why) = &status.policy_unreadable {
        row(&mut text, "policy", "");
        bad(&mut text, &format!("what is stored of it cannot be read: {why}"), paint);
        row(&mut text, "", "what was in force stays; run the newer program, or restore the row from a backup");
        return text;
    }
    row(&mut text, "policy", &in_force(state));
    if let Some(seen) = &state.seen {
        row(&mut text, "", &published(seen));
    }
    if state.waits() {
        waiting(&mut text, state, paint);
    }
    if let Some(out) = &state.out {
        going(&mut text, out, &status.policy_rings, now, paint);
    }
    if let Some(refused) = &state.refused {
        let why = format!(
            "the approval of {}... by {} does not count: who writes a policy does not approve it",
            short(&refused.digest),
            refused.by
        );
        bad(&mut text, &why, paint);
    }
    if let Some(problem) = &state.problem {
        let since = moment(problem.since);
        bad(&mut text, &format!("what is published cannot be read, since {since}:"), paint);
        let lines = problem.text.lines().filter(|line| !line.trim().is_empty());
        for line in lines.clone().take(TROUBLE_LINES) {
            let _ = writeln!(text, "{:17}  {}", "", visible(line));
        }
        if lines.count() > TROUBLE_LINES {
            let _ = writeln!(text, "{:17}  ...", "");
        }
        row(&mut text, "", "what was in force stays; mend it: spothub policy check tells all that is wrong");
    }
    text
}

fn row(text: &mut String, name: &str, value: &str) {
    painted(text, name, value, ToOwned::to_owned);
}

/// Colors begin and end in each line, so that they are no part of its width.
fn painted(text: &mut String, name: &str, value: &str, paint: impl Fn(&str) -> String) {
    for (index, line) in wrap(&visible(value), usize::from(WIDTH) - 17).enumerate() {
        let _ = writeln!(text, "  {:<15}{}", if index == 0 { name } else { "" }, paint(&line));
    }
}

fn bad(text: &mut String, value: &str, paint: Paint) {
    painted(text, "", value, |line| paint.bad(line));
}

fn in_force(state: &PolicyState) -> String {
    let digests: Vec<String> = state.chain.iter().map(|digest| format!("{}...", short(digest))).collect();
    let going = state.out.as_ref().is_some_and(|out| out.halted.is_none());
    let beside = if going { " outside the rings" } else { "" };
    match digests.as_slice() {
        _ if state.crowded => format!("too many changes wait for approval ({}): everything is held", digests.len()),
        [] if state.seen.is_none() => "none is published, or it is read from the settings alone".to_owned(),
        [] => "none was ever approved, so every group is held".to_owned(),
        [one] => format!("{one} is in force{beside}"),
        all => format!("of {} the strictest value of each key is in force{beside}", all.join(", ")),
    }
}

fn published(seen: &Seen) -> String {
    let author = seen.author.as_deref().unwrap_or("nobody knows whom");
    format!(
        "published is {}... (version {}) by {author}, first seen {}",
        short(&seen.digest),
        seen.version,
        moment(seen.at)
    )
}

fn waiting(text: &mut String, state: &PolicyState, paint: Paint) {
    let Some(seen) = &state.seen else { return };
    let digest = short(&seen.digest);
    let rest = if state.chain.is_empty() { "" } else { " where it loosens; what it restricts is in force" };
    painted(text, "", &format!("it waits for approval{rest}:"), |line| paint.bold(line));
    let _ = writeln!(text, "{:17}  spothub policy approve {digest} --why TEXT", "");
}

fn going(text: &mut String, out: &Out, rings: &[String], now: Timestamp, paint: Paint) {
    let digest = short(&out.digest);
    let of = if rings.is_empty() { String::new() } else { format!(" of {}", rings.len()) };
    let name = rings.get(out.reached.saturating_sub(1)).map(|name| format!(" ({name})")).unwrap_or_default();
    let ended = format!("{} swaps ended there, {} of them not well", out.ended, out.bad);
    if let Some(why) = &out.halted {
        bad(text, &format!("{digest}... has halted at ring {}{of}{name}: {why}", out.reached), paint);
        row(text, "", &format!("{ended}; nothing of it is in force until it is approved once more"));
        return;
    }
    let minutes = now.since(out.since).as_secs() / 60;
    row(text, "", &format!("{digest}... is in ring {}{of}{name}, for {minutes} min; {ended}", out.reached));
}
