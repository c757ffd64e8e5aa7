//! Several workers on one store, in virtual time: they share the limits, and take over from one that is gone.

use std::sync::Arc;

use spothub_core::port::Clock;
use spothub_core::time::Span;
use spothub_hub::limit::Shares;
use spothub_hub::status::status;
use spothub_hub::{Engine, Settings};
use spothub_sim::record::{Outcome, What};
use spothub_sim::run::Options;

use crate::once::Stage;
use crate::played::{options, play_tampered, scenario};

/// A worker among several, and what it takes of the API limits.
fn worker(stage: &Stage, number: u32) -> (Arc<Engine>, Shares) {
    let settings = Settings { peers: true, ..Settings::default() };
    let engine = stage.engine(number.into(), &settings, |ports| ports);
    (engine, settings.shares)
}

#[test]
fn who_comes_later_takes_its_share_of_the_limits_at_once() {
    let stage = Stage::new();
    let exec = &stage.organization.exec;
    let (first, one) = worker(&stage, 1);
    exec.spawn(1, first.run());
    exec.run_until(stage.start + Span::secs(30));
    assert_eq!(one.workers(), 1);
    let (second, two) = worker(&stage, 2);
    exec.spawn(2, second.run());
    exec.run_until(stage.start + Span::secs(50));
    assert_eq!((one.workers(), two.workers()), (2, 2));
    exec.abort_all(1);
    exec.run_until(stage.start + Span::secs(120));
    assert_eq!(two.workers(), 1);
}

#[test]
fn who_stops_in_good_order_is_not_waited_for() {
    let stage = Stage::new();
    let (engine, _) = worker(&stage, 1);
    let (clock, until) = (stage.organization.clock(), stage.start + Span::mins(1));
    let stop = async move { clock.sleep_until(until).await };
    stage.organization.exec.run(engine.run_until(stop)).unwrap();
    let (store, now) = (Arc::clone(&stage.store), stage.organization.exec.now());
    let told = stage.organization.exec.run(async move { status(&*store, now).await }).unwrap().unwrap();
    assert_eq!(told.workers.len(), 0);
}

#[test]
fn three_workers_of_which_one_dies_every_few_minutes_break_no_law() {
    for (name, seed) in [("small", 1), ("small", 2), ("storm", 1), ("racing", 1), ("messy", 1)] {
        let crashing = Options { workers: 3, crash_every: Some(Span::mins(4)), ..options(seed, 2) };
        let played = play_tampered(&scenario(name), &crashing, |ports| ports);
        assert_eq!(played.violations(), [""; 0], "{name}, seed {seed}");
        assert!(played.outcome.converged && played.outcome.swaps.completed > 20, "{name}, seed {seed}");
    }
}

#[test]
fn what_one_worker_learns_of_pools_all_know() {
    let two = Options { workers: 2, ..options(2, 2) };
    let played = play_tampered(&scenario("scarce"), &two, |ports| ports);
    assert_eq!(played.violations(), [""; 0], "pools that refuse are asked again and again");
}

#[test]
fn what_a_dead_worker_may_have_launched_is_not_launched_under_a_brake() {
    // A worker died between the record and the call; its successor found out by sending it, 111 s after the brake.
    let crashing = Options { workers: 3, crash_every: Some(Span::mins(3)), ..options(6, 2) };
    let played = play_tampered(&scenario("racing"), &crashing, |ports| ports);
    assert_eq!(played.violations(), [""; 0]);
}

/// The part of calls that AWS throttled, in thousandths, and how many calls there were.
fn throttled(workers: u32) -> (usize, usize) {
    let many = Options { workers, ..options(1, 1) };
    let mut storm = scenario("storm");
    storm.shape.faults.throttled_ppm = 0;
    let played = play_tampered(&storm, &many, |ports| ports);
    let outcomes = |what: &What| if let What::Call(call) = what { Some(call.outcome) } else { None };
    let calls: Vec<Outcome> = played.records().iter().filter_map(|record| outcomes(&record.what)).collect();
    let throttled = calls.iter().filter(|outcome| **outcome == Outcome::Throttled).count();
    (throttled * 1000 / calls.len().max(1), calls.len())
}

#[test]
fn three_workers_are_throttled_no_more_than_one() {
    let (one, three) = (throttled(1), throttled(3));
    println!("throttled, of 1,000 calls, and calls: one worker {one:?}, three workers {three:?}");
    assert!(three.0 <= one.0 + 5, "{one:?} {three:?}");
}
