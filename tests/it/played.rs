//! Runs of scenarios as the tests need them: the outcome with its trace, honest or with tampered ports.
//!
//! Judges nothing.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use spothub_core::time::Span;
use spothub_hub::Ports;
use spothub_sim::laws::{LawSettings, Laws, Queues};
use spothub_sim::outcome::Outcome;
use spothub_sim::record::{Record, Sink as _};
use spothub_sim::run::{Options, Sabotage, run, sabotaged};
use spothub_sim::scenario::Scenario;

/// One run and the trace that it wrote.
pub(crate) struct Played {
    pub(crate) outcome: Outcome,
    pub(crate) text: String,
}

/// The main job, as a new user runs it: `small`, seed 1, a whole day. Shared by the tests of one process.
pub(crate) static SMALL: LazyLock<Played> = LazyLock::new(|| play("small", 1, 24));

/// Ports that were tampered with by a function.
pub(crate) struct Tampered<F>(pub(crate) F);

impl<F: Fn(Ports) -> Ports> Sabotage for Tampered<F> {
    fn ports(&self, ports: Ports) -> Ports {
        (self.0)(ports)
    }
}

pub(crate) fn scenario(name: &str) -> Scenario {
    Scenario::named(name).expect("a shipped scenario")
}

pub(crate) fn options(seed: u64, hours: u32) -> Options {
    Options { seed, hours: Some(hours), ..Options::default() }
}

/// An honest run with its trace.
pub(crate) fn play(name: &str, seed: u64, hours: u32) -> Played {
    play_tampered(&scenario(name), &options(seed, hours), |ports| ports)
}

/// An honest run without a trace.
pub(crate) fn outcome(scenario: &Scenario, options: &Options) -> Outcome {
    run(scenario, options, None, &mut |_| ()).expect("nothing is written")
}

/// A run with an engine whose ports were tampered with, and its trace.
pub(crate) fn play_tampered(scenario: &Scenario, options: &Options, tamper: impl Fn(Ports) -> Ports) -> Played {
    let mut trace = Vec::new();
    let outcome = sabotaged(scenario, options, &Tampered(tamper), Some(&mut trace), &mut |_| ());
    let outcome = outcome.expect("a vector takes all bytes");
    Played { outcome, text: String::from_utf8(trace).expect("JSON is UTF-8") }
}

impl Played {
    /// The trace as the simulator's own records.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.text.lines().map(|line| serde_json::from_str(line).expect("each line is a record")).collect()
    }

    /// The laws broken, each once.
    pub(crate) fn broken(&self) -> BTreeSet<&'static str> {
        self.outcome.violations.iter().map(|v| v.law).collect()
    }

    /// What was broken besides the promise to come to rest, which an engine without hands cannot keep.
    pub(crate) fn broken_at_rest(&self) -> Vec<&'static str> {
        self.broken().into_iter().filter(|law| *law != "CONVERGE").collect()
    }

    /// What was broken, for a person.
    pub(crate) fn violations(&self) -> Vec<String> {
        let texts = self.outcome.violations.iter().map(|v| format!("{} at {} ms: {}", v.law, v.t, v.text));
        texts.take(10).collect()
    }
}

/// When the laws sweep over all that stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sweeps {
    /// Only at the end.
    Never,
    /// Each time so much virtual time has passed.
    Every(Span),
    /// After every record.
    Always,
}

/// The verdict of the laws on records, with event queues read empty.
pub(crate) fn judged(records: &[Record], sweeps: Sweeps) -> Laws {
    let mut laws = Laws::new(LawSettings::default());
    let mut due = 0;
    for record in records {
        if let Sweeps::Every(every) = sweeps {
            while due < record.t {
                laws.sweep(due);
                due += every.0;
            }
        }
        laws.take(record);
        if let Sweeps::Always = sweeps {
            laws.sweep(record.t);
        }
    }
    laws.finish(records.last().map_or(0, |r| r.t), Queues::Drained);
    laws
}
