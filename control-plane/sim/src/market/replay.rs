//! Recorded capacity in place of drawn episodes: each pool follows one of some traces, from a place of its own on.
//!
//! A trace is one line of JSON with `target_nodes`, `step_s` and `rle`, a list of `[nodes, steps]`; other fields are
//! passed over. What share of its target a trace had is the share of its usual capacity that a pool has.

use std::sync::Arc;

use serde::Deserialize;
use spothub_core::time::Span;

/// Most traces of a file: far more than there are recordings.
const TRACES_MAX: usize = 10_000;
/// Most changes of one trace: a year of changes each minute.
const RUNS_MAX: usize = 600_000;
/// Longest trace, in steps: a year of seconds.
const STEPS_MAX: u64 = 32_000_000;

/// Capacity over time, in thousandths of what is usual.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Trace {
    step: Span,
    steps: u64,
    /// The first step of each run of equal shares, with the share.
    runs: Vec<(u64, u16)>,
}

/// Traces that pools follow; none where capacity is drawn.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Traces(Arc<[Trace]>);

/// Why a file of traces cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BadTrace {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

#[derive(Deserialize)]
struct Line {
    target_nodes: u64,
    step_s: i64,
    rle: Vec<(u64, u64)>,
}

impl Traces {
    /// Reads traces, one on a line. Refuses the whole where one is wrong.
    pub fn read(text: &str) -> Result<Self, BadTrace> {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let mut traces = Vec::new();
        for (line, text) in lines {
            let bad = |what: String| BadTrace { line, what };
            if traces.len() == TRACES_MAX {
                return Err(bad(format!("more than {TRACES_MAX} traces")));
            }
            let read: Line = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
            traces.push(Trace::of(&read).map_err(bad)?);
        }
        if traces.is_empty() {
            return Err(BadTrace { line: 1, what: "there is no trace".to_owned() });
        }
        Ok(Self(traces.into()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left, in thousandths, at a time since the start for who drew `bits`.
    pub(super) fn left(&self, since: Span, bits: u64) -> u64 {
        let Some(count) = u64::try_from(self.0.len()).ok().filter(|count| *count > 0) else { return 1000 };
        // Which trace, and where in it, are drawn from the two halves.
        let trace = &self.0[usize::try_from((bits >> 32) % count).unwrap_or(0)];
        let passed = u64::try_from(since.0 / trace.step.0).unwrap_or(0);
        let step = ((bits & 0xffff_ffff) + passed) % trace.steps;
        let run = trace.runs.partition_point(|(first, _)| *first <= step).saturating_sub(1);
        u64::from(trace.runs[run].1)
    }
}

impl Trace {
    fn of(line: &Line) -> Result<Self, String> {
        if line.step_s <= 0 || line.target_nodes == 0 {
            return Err("step_s and target_nodes are at least 1".to_owned());
        }
        if line.rle.len() > RUNS_MAX {
            return Err(format!("more than {RUNS_MAX} changes"));
        }
        let (mut runs, mut steps) = (Vec::with_capacity(line.rle.len()), 0_u64);
        for (nodes, long) in &line.rle {
            let share = nodes.saturating_mul(1000) / line.target_nodes;
            runs.push((steps, u16::try_from(share.min(1000)).unwrap_or(1000)));
            steps = steps.saturating_add(*long);
        }
        if steps == 0 || steps > STEPS_MAX {
            return Err(format!("a trace has 1 to {STEPS_MAX} steps, and this one {steps}"));
        }
        Ok(Self { step: Span::secs(line.step_s), steps, runs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_follows_its_trace_round_and_round() {
        let traces =
            Traces::read("{\"target_nodes\": 4, \"step_s\": 60, \"rle\": [[4, 2], [1, 1], [0, 1]], \"id\": 1}\n")
                .unwrap();
        let left = |minute| traces.left(Span::mins(minute), 0);
        assert_eq!((0..6).map(left).collect::<Vec<_>>(), [1000, 1000, 250, 0, 1000, 1000]);
        assert_eq!(traces.left(Span::mins(1), 2), 0, "from a place of its own on");
        assert_eq!(Traces::default().left(Span::mins(1), 7), 1000);
    }

    #[test]
    fn a_bad_trace_is_named_by_its_line() {
        let good = "{\"target_nodes\": 1, \"step_s\": 60, \"rle\": [[1, 2]]}";
        let told = |bad: &str| Traces::read(&format!("{good}\n\n{bad}\n")).unwrap_err().to_string();
        assert!(told("{}").starts_with("line 3: missing field"), "{}", told("{}"));
        assert_eq!(told(&good.replace("60", "0")), "line 3: step_s and target_nodes are at least 1");
        assert!(told(&good.replace("[1, 2]", "")).contains("and this one 0"));
        assert_eq!(Traces::read("\n").unwrap_err().to_string(), "line 1: there is no trace");
    }
}
