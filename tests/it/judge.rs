//! An outsider's reading of a trace: cost, calls a swap, INV-1 to INV-6 and delivery, from its JSON lines alone.
//!
//! Knows the table of fields in the design and none of our types; slow, simple, and written a second time on purpose.

mod cost;
mod delivered;
mod laws;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// The lines of a trace, in order.
pub(crate) struct Trace {
    lines: Vec<Value>,
}

impl Trace {
    /// Reads a file that `--trace` wrote.
    pub(crate) fn read(file: &Path) -> Self {
        Self::parse(&std::fs::read_to_string(file).expect("the trace can be read"))
    }

    /// Reads the text of a trace.
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().map(|line| serde_json::from_str(line).expect("each line is a JSON object"));
        Self { lines: lines.collect() }
    }

    /// All lines with their place, those of one kind.
    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (usize, &'a Value)> {
        self.lines.iter().enumerate().filter(move |(_, line)| text(line, "kind") == kind)
    }

    /// When the trace ends, in seconds.
    fn end(&self) -> f64 {
        self.lines.last().map_or(0.0, seconds)
    }

    /// All states of all groups, each with its place.
    fn memberships(&self) -> BTreeMap<String, Vec<(usize, &Value)>> {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (place, line) in self.of("membership") {
            groups.entry(group(line)).or_default().push((place, line));
        }
        groups
    }

    /// All that policy said of all groups, each with its place.
    fn policies(&self) -> BTreeMap<String, Vec<(usize, &Value)>> {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (place, line) in self.of("policy") {
            groups.entry(group(line)).or_default().push((place, line));
        }
        groups
    }

    /// Calls a completed swap: polls and rescues apart, a batched read shared among its swaps. `None` without swaps.
    pub(crate) fn calls_per_swap(&self) -> Option<f64> {
        let ours = |swap: &str| swap.starts_with("sw-");
        let mut calls = 0.0;
        for (_, call) in self.of("call").filter(|(_, call)| !flag(call, "poll")) {
            let batch: Vec<_> = list(call, "swaps").iter().filter_map(Value::as_str).collect();
            let share = 1.0 / f64::from(u32::try_from(batch.len().max(1)).expect("a batch is small"));
            calls += batch.iter().filter(|swap| ours(swap)).map(|_| share).sum::<f64>();
            if batch.is_empty() && ours(text(call, "swap")) {
                calls += 1.0;
            }
        }
        let done = |line: &Value| ours(text(line, "swap")) && text(line, "state") == "done";
        let swaps = u32::try_from(self.of("swap").filter(|(_, line)| done(line)).count()).expect("fewer than 2^32");
        (swaps > 0).then(|| calls / f64::from(swaps))
    }
}

/// A text field; empty where it is absent.
fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or("")
}

/// A whole number; zero where it is absent.
fn number(line: &Value, field: &str) -> i64 {
    line[field].as_i64().unwrap_or(0)
}

/// A yes or no; no where it is absent.
fn flag(line: &Value, field: &str) -> bool {
    line[field].as_bool().unwrap_or(false)
}

/// A list; empty where it is absent.
fn list<'a>(line: &'a Value, field: &str) -> &'a [Value] {
    line[field].as_array().map_or(&[], Vec::as_slice)
}

/// A decimal amount of money.
fn usd(line: &Value, field: &str) -> f64 {
    text(line, field).parse().unwrap_or(0.0)
}

/// When it happened.
fn seconds(line: &Value) -> f64 {
    line["t"].as_f64().unwrap_or(0.0)
}

/// The group that a line names, spelled in one piece.
fn group(line: &Value) -> String {
    format!("{}/{}/{}", text(line, "account"), text(line, "region"), text(line, "group"))
}

/// Whether policy lets the group be touched.
fn enabled(policy: &Value) -> bool {
    flag(policy, "enabled") && policy["opted_out_by"].is_null()
}

/// On-demand members to keep of those wanted.
fn floor(policy: &Value, want: i64) -> i64 {
    let share = (want * number(policy, "floor_percent") + 99) / 100;
    share.max(number(policy, "floor_number"))
}

/// The last of some lines at or before a place.
fn latest<'a>(lines: &[(usize, &'a Value)], place: usize) -> Option<&'a Value> {
    lines.iter().rev().find(|(at, _)| *at <= place).map(|(_, line)| *line)
}

/// Whether a member serves: in service, and healthy where that is said.
fn serves(member: &Value) -> bool {
    text(member, "state") == "InService" && member["healthy"].as_bool().unwrap_or(true)
}
