//! Metrics in Prometheus' text: registered here and nowhere else, each with its unit and help. Labels are closed words,
//! never instances, groups or accounts.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use spothub_aws::{Called, Observer};
use spothub_core::port::EventEnd;
use spothub_core::time::Timestamp;
use spothub_hub::State;

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Call {
    action: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Reached {
    state: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Ended {
    end: &'static str,
}

/// What became of spans.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Spans {
    /// The collector took them.
    Exported,
    /// It did not, or there was no room to wait for it.
    Lost,
}

/// What is counted, and what is set when somebody asks.
pub(super) struct Metrics {
    registry: Registry,
    calls: Family<Call, Counter>,
    swaps: Family<Reached, Counter>,
    drains: Family<Reached, Counter>,
    events: Family<Ended, Counter>,
    spans: Family<Ended, Counter>,
    in_flight: Family<Reached, Gauge>,
    holds: Family<Reason, Gauge>,
    accounts: Gauge,
    failing: Gauge,
    unpriced: Gauge,
    policy_unreadable: Gauge<f64, std::sync::atomic::AtomicU64>,
    policy_waits: Gauge,
    sweep_duration: Gauge<f64, std::sync::atomic::AtomicU64>,
    sweep_age: Gauge<f64, std::sync::atomic::AtomicU64>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut all = Self {
            registry: Registry::with_prefix("spothub"),
            calls: Family::default(),
            swaps: Family::default(),
            drains: Family::default(),
            events: Family::default(),
            spans: Family::default(),
            in_flight: Family::default(),
            holds: Family::default(),
            accounts: Gauge::default(),
            failing: Gauge::default(),
            unpriced: Gauge::default(),
            policy_unreadable: Gauge::default(),
            policy_waits: Gauge::default(),
            sweep_duration: Gauge::default(),
            sweep_age: Gauge::default(),
        };
        let unit = |unit: &str| Unit::Other(unit.to_owned());
        let registry = &mut all.registry;
        // A name ends with its unit: `spothub_aws_calls_total`, `spothub_sweep_age_seconds`.
        registry.register_with_unit("aws", "AWS API calls by IAM action and outcome", unit("calls"), all.calls.clone());
        registry.register_with_unit("swap", "States that swaps reached", unit("states"), all.swaps.clone());
        let text = "States that draining of container instances reached";
        registry.register_with_unit("drain", text, unit("states"), all.drains.clone());
        registry.register_with_unit("received", "Events by how they ended", unit("events"), all.events.clone());
        let text = "Spans for the collector of traces by how they ended";
        registry.register_with_unit("traced", text, unit("spans"), all.spans.clone());
        let text = "Swaps and rescues in flight by stage";
        registry.register_with_unit("in_flight", text, unit("swaps"), all.in_flight.clone());
        registry.register_with_unit("in_force", "Holds in force by reason", unit("holds"), all.holds.clone());
        registry.register_with_unit("enrolled", "Accounts that are enrolled", unit("accounts"), all.accounts.clone());
        let text = "Accounts' regions that could not be read in full, or refused a call";
        registry.register_with_unit("failing", text, unit("sites"), all.failing.clone());
        let text = "Regions whose Spot prices could not be read";
        registry.register_with_unit("unpriced", text, unit("regions"), all.unpriced.clone());
        let text = "Time since which the published policy cannot be read; 0 while it can";
        registry.register_with_unit("policy_unreadable", text, Unit::Seconds, all.policy_unreadable.clone());
        let text = "Published policies that wait for approval";
        registry.register_with_unit("waiting", text, unit("policies"), all.policy_waits.clone());
        let text = "Duration of the last whole sweep";
        registry.register_with_unit("sweep_duration", text, Unit::Seconds, all.sweep_duration.clone());
        let text = "Time since the last whole sweep was over";
        registry.register_with_unit("sweep_age", text, Unit::Seconds, all.sweep_age.clone());
        all
    }

    pub(super) fn swap(&self, state: &'static str) {
        self.swaps.get_or_create(&Reached { state }).inc();
    }

    pub(super) fn drain(&self, state: &'static str) {
        self.drains.get_or_create(&Reached { state }).inc();
    }

    pub(super) fn event(&self, end: EventEnd) {
        self.events.get_or_create(&Ended { end: end.label() }).inc();
    }

    pub(super) fn spans(&self, end: Spans, count: u64) {
        let end = match end {
            Spans::Exported => "exported",
            Spans::Lost => "lost",
        };
        self.spans.get_or_create(&Ended { end }).inc_by(count);
    }

    /// Spans that were exported, and lost.
    #[cfg(test)]
    pub(super) fn spans_ended(&self) -> (u64, u64) {
        let count = |end| self.spans.get_or_create(&Ended { end }).get();
        (count("exported"), count("lost"))
    }

    /// Sets what is known of the worker now.
    pub(super) fn set(&self, state: &State, now: Timestamp) {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.in_flight.clear();
        for (state, number) in &state.in_flight {
            self.in_flight.get_or_create(&Reached { state }).set(count(*number));
        }
        self.holds.clear();
        for (reason, number) in &state.holds {
            self.holds.get_or_create(&Reason { reason }).set(count(*number));
        }
        self.accounts.set(count(state.accounts));
        self.failing.set(count(state.failing.len()));
        self.unpriced.set(count(state.unpriced.len()));
        let unreadable = state.policy_unreadable.map_or(0, |since| now.since(since).0);
        self.policy_unreadable.set(seconds(unreadable));
        self.policy_waits.set(i64::from(state.policy_waits));
        if let Some(took) = state.sweep_took {
            self.sweep_duration.set(seconds(took.0));
        }
        if let Some(ended) = state.sweep_ended {
            self.sweep_age.set(seconds(now.since(ended).0));
        }
    }

    /// All of them as text.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

/// Milliseconds as seconds, for showing.
fn seconds(millis: i64) -> f64 {
    let millis = u32::try_from(millis.max(0)).unwrap_or(u32::MAX);
    f64::from(millis) / 1000.0
}

impl Observer for Metrics {
    fn called(&self, call: &Called<'_>) {
        self.calls.get_or_create(&Call { action: call.action.iam(), outcome: call.outcome.label() }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_help_and_unit() {
        let metrics = Metrics::new();
        metrics.swap("done");
        metrics.event(EventEnd::Ignored);
        metrics.set(&State { accounts: 3, holds: [("no-quote", 2)].into(), ..State::default() }, Timestamp(0));
        let text = metrics.text().unwrap();
        let (mut types, mut helps, mut units) = (0, 0, 0);
        for line in text.lines() {
            types += usize::from(line.starts_with("# TYPE spothub_"));
            helps += usize::from(line.starts_with("# HELP spothub_"));
            units += usize::from(line.starts_with("# UNIT spothub_"));
        }
        assert!(types >= 8 && types == helps && types == units, "{text}");
        for line in [
            "spothub_swap_states_total{state=\"done\"} 1",
            "spothub_received_events_total{end=\"ignored\"} 1",
            "spothub_in_force_holds{reason=\"no-quote\"} 2",
            "spothub_enrolled_accounts 3",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
