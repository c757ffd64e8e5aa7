//! What an outsider recomputes from the trace of the main job, against what the run said of itself.

use serde_json::Value;
use spothub_core::time::Span;
use spothub_sim::laws::EventEnds;

use crate::judge::Trace;
use crate::played::{SMALL, Sweeps, judged, options, play_tampered, scenario};

fn amount(text: &str) -> f64 {
    text.parse().expect("a decimal amount")
}

/// The JSON object that `simulate --output json` prints.
fn printed() -> Value {
    serde_json::to_value(&SMALL.outcome).expect("an outcome is JSON")
}

#[test]
fn cost_and_savings_are_recomputed() {
    let (cost, said) = (Trace::parse(&SMALL.text).cost(), &SMALL.outcome.cost);
    let percent = cost.saved_percent();
    assert!((percent - said.saved_percent).abs() < 0.1, "{percent} % by the trace, {} % said", said.saved_percent);
    for (found, said) in [(cost.actual, &said.actual_usd), (cost.on_demand, &said.on_demand_usd)] {
        assert!((found - amount(said)).abs() < 0.01, "{found} USD by the trace, {said} said");
    }
    let difference = amount(&said.on_demand_usd) - amount(&said.actual_usd);
    assert!((difference - amount(&said.saved_usd)).abs() < 2e-6, "{difference} {}", said.saved_usd);
    assert!(percent > 20.0, "{percent}");
}

#[test]
fn rollups_are_the_whole() {
    let outcome = &SMALL.outcome;
    let sum =
        |of: fn(&spothub_sim::outcome::Rollup) -> &str| outcome.rollups.iter().map(|r| amount(of(r))).sum::<f64>();
    for (sum, whole) in [
        (sum(|r| &r.saved_usd), &outcome.cost.saved_usd),
        (sum(|r| &r.actual_usd), &outcome.cost.actual_usd),
        (sum(|r| &r.on_demand_usd), &outcome.cost.on_demand_usd),
    ] {
        // Each account's amount is printed to the micro-dollar, rounded down.
        assert!((sum - amount(whole)).abs() < 13e-6, "{sum} {whole}");
    }
}

#[test]
fn calls_for_a_swap_are_few() {
    let calls = Trace::parse(&SMALL.text).calls_per_swap().expect("there are swaps");
    assert!(calls <= 10.0, "{calls} calls for a swap by the trace");
    assert!(SMALL.outcome.api_calls.per_swap <= 10.0, "{} said", SMALL.outcome.api_calls.per_swap);
}

#[test]
fn an_independent_judge_finds_no_law_broken() {
    assert_eq!(Trace::parse(&SMALL.text).violations(), [""; 0]);
    assert_eq!(SMALL.violations(), [""; 0]);
    assert!(SMALL.outcome.converged);
}

#[test]
fn the_stored_trace_gives_the_verdict_of_the_run() {
    let laws = judged(&SMALL.records(), Sweeps::Every(Span::mins(15)));
    assert_eq!(laws.violations(), SMALL.outcome.violations);
    let events = SMALL.outcome.events;
    let EventEnds { acted, held, ignored, duplicate, quarantined } = laws.event_ends();
    let said = (events.acted, events.held, events.ignored, events.duplicate, events.quarantined);
    assert_eq!((acted, held, ignored, duplicate, quarantined), said);

    // A broken run's, too, violation by violation.
    let broken = play_tampered(&scenario("small"), &options(3, 2), |ports| {
        let forgets = crate::sabotage::act::ForgetsMax::default();
        spothub_hub::Ports { act: crate::sabotage::act::Hands::with(forgets, ports.act.as_ref()), ..ports }
    });
    let laws = judged(&broken.records(), Sweeps::Every(Span::mins(15)));
    assert!(!laws.violations().is_empty());
    assert_eq!(laws.violations(), broken.outcome.violations);
}

#[test]
fn every_record_is_read_back_as_it_was() {
    for (line, record) in SMALL.text.lines().zip(SMALL.records()) {
        assert_eq!(serde_json::to_string(&record).expect("a record is JSON"), line);
    }
}

#[test]
fn the_object_has_every_field_of_the_contract() {
    let printed = printed();
    let has = |at: &str, fields: &[&str]| {
        let object = if at.is_empty() { &printed } else { &printed[at] };
        let object = if object.is_array() { &object[0] } else { object };
        for field in fields {
            assert!(object.get(field).is_some(), "{at}.{field} is missing");
        }
    };
    has(
        "",
        &[
            "seed", "hours", "accounts", "regions", "groups", "instances", "swaps", "rescues", "holds",
            "interruptions", "api_calls", "cost", "rollups", "delivered", "violations", "events", "virtual_seconds",
            "wall_seconds",
        ],
    );
    for ends in ["swaps", "rescues"] {
        has(ends, &["started", "completed", "undone", "failed", "stranded"]);
    }
    has("interruptions", &["received", "replaced_in_time"]);
    has("api_calls", &["total", "per_swap", "by_action"]);
    has("cost", &["on_demand_usd", "actual_usd", "saved_usd", "saved_percent"]);
    has("rollups", &["account_id", "account_name", "ou", "saved_usd", "on_demand_usd", "actual_usd", "instance_hours"]);
    has("delivered", &["eligible_instance_hours", "on_spot_instance_hours", "percent"]);
    has("events", &["received", "acted", "held", "ignored", "duplicate", "quarantined"]);
    assert!(printed["cost"]["saved_usd"].is_string(), "money is a decimal string");
    let (accounts, regions) = (printed["accounts"].as_u64(), printed["regions"].as_u64());
    assert_eq!((accounts, regions, printed["groups"].as_u64()), (Some(12), Some(3), Some(60)));
}

#[test]
fn counts_add_up() {
    let outcome = &SMALL.outcome;
    for ends in [outcome.swaps, outcome.rescues] {
        let parts = ends.completed + ends.undone + ends.failed + ends.stranded + ends.in_flight;
        assert_eq!(parts, ends.started, "{ends:?}");
    }
    let events = outcome.events;
    let parts = events.acted + events.held + events.ignored + events.duplicate + events.quarantined;
    assert_eq!(parts, events.received);
    assert_eq!(outcome.api_calls.by_action.values().sum::<u64>(), outcome.api_calls.total);
    assert!(outcome.interruptions.replaced_in_time <= outcome.interruptions.received);
    let lines = |kind: &str| {
        let needle = format!("\"kind\":\"{kind}\"");
        SMALL.text.lines().filter(|line| line.contains(&needle)).count()
    };
    assert_eq!(lines("call"), usize::try_from(outcome.api_calls.total).expect("few"));
    assert_eq!(lines("event"), usize::try_from(events.received).expect("few"));
}

#[test]
fn lines_are_in_order_of_time() {
    let records = SMALL.records();
    assert!(records.is_sorted_by_key(|record| record.t));
    let end = records.last().expect("there are records");
    assert_eq!(end.t, SMALL.outcome.virtual_seconds * 1000);
}
