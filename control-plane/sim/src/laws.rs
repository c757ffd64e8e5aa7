//! The laws of the design, judged from the records of a run alone.
//!
//! Knows records and nothing else: neither the engine's view nor its store, and no function of `plan`. What a
//! record touches is judged when it is taken; [`Laws::sweep`] judges all that stands, whatever touched it.

mod facts;
mod inv1;
mod inv10;
mod inv11;
mod inv12;
mod inv13;
mod inv2;
mod inv3;
mod inv4;
mod inv6;
mod inv9;
mod report;
mod settings;
#[cfg(test)]
pub(crate) mod story;
#[cfg(test)]
mod tests;

pub use inv9::EventEnds;
pub use report::Violation;
pub use settings::{Bucket, Family, LawSettings};

use facts::Facts;
use report::Report;

use crate::record::{Record, Sink, What};

/// Every law that is judged here, with its sentence. INV-7 is judged where the ledger is at hand, by the bill.
pub const LAWS: [(&str, &str); 11] = [
    inv1::LAW,
    inv2::LAW,
    inv3::LAW,
    inv4::LAW,
    inv2::FLOOR_LAW,
    inv6::LAW,
    inv9::LAW,
    inv10::LAW,
    inv11::LAW,
    inv12::LAW,
    inv13::LAW,
];

/// Whether the event queues were read empty before the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Queues {
    /// Read empty: every copy sent long enough ago must have ended.
    Drained,
    /// The run was cut off: copies may still lie there.
    Unread,
}

/// Judges a run as it goes.
pub struct Laws {
    settings: LawSettings,
    facts: Facts,
    events: inv9::Events,
    meters: inv10::Meters,
    brakes: inv11::Brakes,
    draining: inv13::Draining,
    report: Report,
}

impl Laws {
    /// A judge that has seen nothing yet.
    #[must_use]
    pub fn new(settings: LawSettings) -> Self {
        Self {
            settings,
            facts: Facts::default(),
            events: inv9::Events::default(),
            meters: inv10::Meters::default(),
            brakes: inv11::Brakes::default(),
            draining: inv13::Draining::default(),
            report: Report::default(),
        }
    }

    /// Judges all that stands at virtual millisecond `t`, touched or not.
    pub fn sweep(&mut self, t: i64) {
        self.facts.reach(t);
        inv1::sweep(&self.facts, &mut self.report);
        inv3::sweep(&self.facts, &self.settings, &mut self.report);
        inv4::sweep(&self.facts, &mut self.report);
        inv10::sweep(&self.facts, &mut self.report);
    }

    /// The last judgement: a sweep, and with drained queues every event must have ended.
    pub fn finish(&mut self, t: i64, queues: Queues) {
        self.sweep(t);
        if queues == Queues::Drained {
            self.events.finish(t, &self.settings, &mut self.report);
        }
    }

    /// The engine was killed at virtual millisecond `t`: only what its store holds is still known.
    pub fn engine_died(&mut self, t: i64) {
        self.events.died(t);
    }

    /// What was broken, in order of discovery; at most [`Laws::KEPT`].
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        self.report.kept()
    }

    /// How many more violations there were than are kept.
    #[must_use]
    pub fn not_kept(&self) -> u64 {
        self.report.not_kept()
    }

    /// How the events ended so far, for comparing with what the engine counted.
    #[must_use]
    pub fn event_ends(&self) -> EventEnds {
        self.events.ends()
    }

    /// Violations kept with their text: a person reads the first few, and a broken engine makes millions.
    pub const KEPT: usize = report::KEPT;
}

impl Sink for Laws {
    fn take(&mut self, record: &Record) {
        self.facts.take(record);
        let Self { settings, facts, events, meters, brakes, draining, report } = self;
        match &record.what {
            What::InstanceStart(start) => {
                inv1::started(facts, settings, start, report);
                inv3::started(facts, start, report);
                inv10::started(facts, settings, start, report);
                brakes.started(facts, start, report);
                inv12::started(facts, brakes, start, report);
            }
            What::InstanceEnd { instance_id, .. } => inv3::ended(facts, settings, instance_id, report),
            What::Membership(membership) => inv1::changed(facts, &membership.group, report),
            What::Call(call) => {
                inv2::called(facts, settings, call, report);
                inv3::called(facts, settings, call, report);
                inv6::called(facts, call, report);
                meters.called(facts, settings, call, report);
                draining.called(record.t, call);
            }
            What::Swap { swap, group, state, old, .. } => {
                inv4::reached(facts, group, state, report);
                draining.reached(record.t, group, (swap, state, old), report);
            }
            What::Container(line) => draining.changed(record.t, line, report),
            What::Policy(line) => draining.policy(line),
            What::EventSent { id, copies } => events.sent(record.t, id, *copies, !settings.one_memory),
            What::Event { id, end, reason, .. } => events.ended(record.t, id, end, reason, report),
            What::Brake { scope, set, revert } => brakes.moved(record.t, scope, *set, *revert),
            What::Price { .. } | What::Notice { .. } | What::Recommendation { .. } | What::Hold { .. } | What::End => {}
        }
    }
}
