//! It delivers: judged by the run, and again from the written trace and the market alone. Holds are found true.

mod holds;
pub(crate) mod stall;

use serde_json::Value;
use spothub_core::time::Span;
use spothub_hub::Ports;
use spothub_sim::record::Record;
use spothub_sim::run::Options;
use spothub_sim::scenario::Scenario;

use crate::judge::Trace;
use crate::played::{Played, options, play, play_tampered, scenario};

use holds::Case;
use stall::{Asked, Stall};

/// What has to be on Spot, in percent of what could be.
const WANTED: f64 = 90.0;

/// The share on Spot by the trace and the market alone, over the hours of ordinary life.
fn percent_by_outsider(scenario: &Scenario, seed: u64, hours: u32, played: &Played) -> f64 {
    let end = Span::hours(hours.into());
    let records = played.records();
    let lines = played.text.lines().zip(&records).take_while(|(_, record)| record.t <= end.0).map(|(line, _)| line);
    let trace = Trace::parse(&lines.collect::<Vec<_>>().join("\n"));
    let mut stall = Stall::new(scenario, seed, &records);
    let delivered = trace.delivered(|start, t| {
        let field = |name: &str| start[name].as_str().expect("a text").to_owned();
        let asked = Asked {
            kind: field("type"),
            os: field("os"),
            az: field("az_id").parse().expect("a zone"),
            on_demand: field("usd_per_hour").parse().expect("a price"),
            min_saving_percent: 10,
        };
        #[expect(clippy::cast_possible_truncation, reason = "seconds of a day")]
        let t = (t * 1000.0) as i64;
        stall.open(&asked, t).is_some()
    });
    assert!(delivered.eligible_instance_hours > 0.0);
    delivered.percent()
}

fn delivers(seed: u64) {
    let small = scenario("small");
    let played = play("small", seed, 24);
    let (said, found) = (played.outcome.delivered.percent, percent_by_outsider(&small, seed, 24, &played));
    assert!(said >= WANTED, "seed {seed}: {said} % by the run");
    assert!(found >= WANTED, "seed {seed}: {found} % by the trace and the market");
    assert!((said - found).abs() < 1.0, "seed {seed}: {said} % by the run, {found} % by the trace and the market");
    let (saved, best) = (&played.outcome.cost.saved_usd, &played.outcome.cost.best_possible_usd);
    let amount = |text: &str| text.parse::<f64>().expect("an amount");
    assert!(amount(saved) > 0.5 * amount(best), "seed {seed}: {saved} USD saved of {best} at best");
}

#[test]
fn an_ordinary_day_runs_on_spot_with_seed_1() {
    delivers(1);
}

#[test]
fn an_ordinary_day_runs_on_spot_with_seed_2() {
    delivers(2);
}

#[test]
fn an_ordinary_day_runs_on_spot_with_seed_3() {
    delivers(3);
}

#[test]
fn an_engine_that_holds_everything_does_not_deliver() {
    let small = scenario("small");
    let idle = [
        play_tampered(&small, &options(1, 6), |ports| Ports { act: None, ..ports }),
        play_tampered(&small, &Options { engine: false, ..options(1, 6) }, |ports| ports),
    ];
    for played in idle {
        assert_eq!(played.broken_at_rest(), [""; 0], "laws alone are met by doing nothing");
        let (said, found) = (played.outcome.delivered.percent, percent_by_outsider(&small, 1, 6, &played));
        assert!(said < 10.0, "{said} % by the run");
        assert!(found < 10.0, "{found} % by the trace and the market");
        assert!(played.outcome.delivered.eligible_instance_hours > 500.0);
    }
}

/// Every hold of a run that can be judged from outside must be true when it begins; so many can be, in percent.
fn holds_are_true(name: &str, hours: u32, judged_percent: usize) {
    let scenario = scenario(name);
    let played = play(name, 1, hours);
    let records: Vec<Record> = played.records();
    let mut case = Case::new(&scenario, 1, &records);
    let (mut judged, mut unknown, mut untrue) = (0, Vec::new(), Vec::new());
    for hold in case.holds(Span::hours(hours.into())) {
        match case.is_true(&hold) {
            Some(true) => judged += 1,
            Some(false) => untrue.push(format!("{hold:?}")),
            None => unknown.push(hold.reason),
        }
    }
    assert!(
        untrue.is_empty(),
        "{name}: {} of {judged} untrue:\n{}",
        untrue.len(),
        untrue[..untrue.len().min(20)].join("\n")
    );
    unknown.sort_unstable();
    unknown.dedup_by(|a, b| a == b);
    let all = case.holds(Span::hours(hours.into())).len();
    assert!(judged * 100 >= all * judged_percent, "{name}: {judged} of {all} holds could be judged, not {unknown:?}");
    assert!(all > 10, "{name}: {all} holds");
}

#[test]
fn holds_of_an_ordinary_day_are_true() {
    holds_are_true("small", 24, 95);
}

#[test]
fn holds_of_a_mess_are_true() {
    holds_are_true("messy", 6, 85);
}

#[test]
fn holds_among_racing_owners_are_true() {
    holds_are_true("racing", 3, 60);
}

#[test]
fn holds_where_capacity_is_scarce_are_true() {
    holds_are_true("scarce", 4, 85);
}

/// The judge's JSON is the run's: what it asks for is there.
#[test]
fn a_trace_names_type_zone_and_price_of_every_instance() {
    let played = play("small", 1, 1);
    for line in played.text.lines().filter(|line| line.contains("\"kind\":\"instance_start\"")) {
        let line: Value = serde_json::from_str(line).expect("JSON");
        for field in ["type", "os", "az_id", "usd_per_hour", "account", "region", "group", "instance_id", "by"] {
            assert!(line[field].is_string(), "{field} in {line}");
        }
    }
}
