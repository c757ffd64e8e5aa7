//! Single cases: what each answer leads to, flags, trials, month ends, dry runs, and both ways for one hour.

use std::sync::Arc;

use spothub_core::id::AccountId;
use spothub_core::port::Store;
use spothub_core::time::{Span, Timestamp};
use spothub_usage::audit;
use spothub_usage::charge::{MeteringMode, MonthEnd};
use spothub_usage::hours;
use spothub_usage::meter::Customer;
use spothub_usage::record::{Path, State};
use spothub_usage::settle::{SettleError, Verdict, settle};
use spothub_usage::task::{Doing, Flags, Order, Outcome, TaskError, rows};

use crate::marketplace::Outage;
use crate::run::{Plan, START, Sim, now, run};
use crate::world::Running;

const HOUR: i64 = 3_600_000;

#[test]
fn calm_hours_are_all_accepted() {
    let found = run(&Plan::calm(1, 60)).unwrap();
    assert_eq!((found.unknown, found.carried), (0, 0));
    assert!(found.booked >= 2 * 60, "{found:?}");
}

/// The world some hours after the start, with these hours closed, two accounts in each.
fn sim(hours: i64) -> Sim {
    let mut sim = Sim::new(&Plan::calm(7, 0));
    pass(&mut sim, hours);
    sim
}

/// That many more hours are over, and closed five minutes later.
fn pass(sim: &mut Sim, hours: i64) {
    for _ in 0..hours {
        let hour = (sim.world.now().0 - START.0) / HOUR * HOUR + START.0;
        sim.drive(hour + HOUR + 300_000).unwrap();
        sim.first(hour, 1, (10_000, 3600));
        sim.first(hour, 2, (20_000, 7200));
        sim.close(hour, 2);
    }
}

/// One task, alone, until it ends.
fn task(sim: &mut Sim) -> Result<Outcome, TaskError> {
    sim.ended = None;
    sim.start(0);
    let until = sim.world.now().0 + 3_000_000;
    sim.drive(until).unwrap();
    sim.look().unwrap();
    sim.ended.take().unwrap()
}

fn states(sim: &Sim) -> Vec<&'static str> {
    sim.records(|_| true).iter().map(|record| record.state.label()).collect()
}

fn flags(sim: &Sim) -> Flags {
    now(rows::get::<Flags>(&sim.world.store, rows::FLAGS)).unwrap().unwrap().row
}

fn billed(sim: &Sim) -> Vec<(i64, String, u64)> {
    let marketplace = sim.world.marketplace.lock().unwrap();
    let told = |row: &crate::marketplace::Booked| ((row.hour.0 - START.0) / HOUR, row.dimension.clone(), row.units);
    marketplace.books.iter().map(told).collect()
}

fn named(rows: &[(i64, &str, u64)]) -> Vec<(i64, String, u64)> {
    rows.iter().map(|&(hour, name, units)| (hour, name.to_owned(), units)).collect()
}

#[test]
fn an_hour_is_billed_with_its_accounts() {
    let mut sim = sim(1);
    let outcome = task(&mut sim).unwrap();
    assert_eq!(outcome.failing, "");
    // 15 % of 10,000 and 20,000 micro-USD are 1.5 and 3 steps; 3,600 s and 7,200 s are 10 and 20.
    assert_eq!(billed(&sim), named(&[(0, "hours", 30), (0, "savings", 4)]).into_iter().rev().collect::<Vec<_>>());
    let marketplace = sim.world.marketplace.lock().unwrap();
    let parts: Vec<u64> = marketplace.books[0].allocations.iter().map(|part| part.1).collect();
    assert_eq!(parts, [1, 3]);
}

#[test]
fn an_audit_holds_each_line_against_its_record() {
    let mut sim = sim(2);
    task(&mut sim).unwrap();
    let store = &sim.world.store;
    let (hour, mut lines, records) = now(rows::metered(store, Timestamp(START.0 + HOUR))).unwrap().unwrap();
    let told = audit::audit(&hour, &lines, &records).unwrap();
    let first = &told[0];
    assert_eq!((first.before, first.amount, first.carry), (500_000_000, 1_500_000_000, 0));
    assert_eq!((first.quantity.as_str(), first.state), ("0.002", "accepted"));
    let (_, totals) = audit::status(&records);
    assert_eq!(totals.iter().map(|total| total.books.accepted).collect::<Vec<_>>(), [30, 5]);
    lines[0].parts[0].carry += 1;
    assert!(audit::audit(&hour, &lines, &records).unwrap_err().to_string().contains("does not add up"));
}

#[test]
fn a_lost_subscription_is_told_and_its_hours_wait() {
    let mut sim = sim(1);
    sim.world.marketplace.lock().unwrap().subscribed = false;
    assert!(task(&mut sim).unwrap().failing.contains("no subscription"));
    assert_eq!(states(&sim), ["refused", "refused"]);
    let told = flags(&sim);
    assert!(told.unentitled_since.is_some() && told.hold_swaps && !told.alarm);
    sim.world.marketplace.lock().unwrap().subscribed = true;
    pass(&mut sim, 1);
    assert_eq!(task(&mut sim).unwrap().failing, "");
    assert_eq!(billed(&sim), named(&[(1, "savings", 9), (1, "hours", 60)]));
    let told = flags(&sim);
    assert!(told.unentitled_since.is_none() && !told.hold_swaps);
}

#[test]
fn failing_for_more_than_two_hours_is_an_alarm() {
    let mut sim = sim(1);
    let until = Timestamp(START.0 + 100 * HOUR);
    sim.world.marketplace.lock().unwrap().outage = Some((until, Outage::Throttling));
    sim.plan.settings.hold_when_failing = true;
    let mut told = Vec::new();
    for _ in 0..4 {
        task(&mut sim).unwrap();
        told.push((flags(&sim).alarm, flags(&sim).hold_swaps));
        pass(&mut sim, 1);
    }
    assert_eq!(told, [(false, false), (false, false), (true, true), (true, true)]);
    sim.world.marketplace.lock().unwrap().outage = None;
    task(&mut sim).unwrap();
    assert!(!flags(&sim).alarm);
    assert_eq!(billed(&sim), named(&[(4, "savings", 22), (4, "hours", 150)]));
    assert!(flags(&sim).stale(sim.world.now() + Span::hours(4)));
}

#[test]
fn what_is_older_than_aws_accepts_goes_into_the_next_open_hour() {
    let mut sim = sim(10);
    task(&mut sim).unwrap();
    // Ten hours at five past: the first five were too old, and all of them are in the sixth.
    let told = billed(&sim);
    assert_eq!(told[..2], named(&[(5, "savings", 27), (5, "hours", 180)]));
    assert_eq!(sim.records(|state| matches!(state, State::Carried { .. })).len(), 10);
    let first = &sim.records(|_| true)[0];
    assert!(first.notes[0].text.contains("older than AWS accepts"), "{:?}", first.notes);
}

#[test]
fn a_month_ends_with_what_was_refused_in_it() {
    let mut sim = Sim::new(&Plan::calm(7, 0));
    sim.plan.settings.month_end = MonthEnd::DropRemainders;
    pass(&mut sim, 71);
    task(&mut sim).unwrap();
    let before = billed(&sim).len();
    // The month's last hour, 23:00 on January 31st, is refused until the new month.
    pass(&mut sim, 1);
    sim.world.marketplace.lock().unwrap().outage = Some((sim.world.now() + Span::mins(50), Outage::Throttling));
    task(&mut sim).unwrap();
    pass(&mut sim, 1);
    task(&mut sim).unwrap();
    let told: Vec<i64> = billed(&sim)[before..].iter().map(|row| row.0).collect();
    assert_eq!(told, [71, 71, 72, 72]);
}

#[test]
fn another_quantity_at_aws_is_carried_and_never_resent() {
    let mut sim = sim(1);
    // Somebody else metered one step from this task.
    sim.plan.settings.dimensions.truncate(1);
    let arn = "arn:aws:ecs:eu-west-1:000000000001:task/hub/0";
    sim.world.marketplace.lock().unwrap().intrude(arn, START, "savings", 1);
    // The judge takes the intruder for ours.
    sim.judged = false;
    assert!(task(&mut sim).unwrap().failing.contains("another quantity"));
    let records = sim.records(|_| true);
    assert_eq!((records[0].state.label(), records[0].books().pending), ("accepted", 3));
    pass(&mut sim, 1);
    task(&mut sim).unwrap();
    assert_eq!(billed(&sim), named(&[(0, "savings", 1), (1, "savings", 8)]));
    let books: Vec<_> = sim.records(|_| true).iter().map(|record| record.books().pending).collect();
    assert_eq!(books, [0, 0]);
}

#[test]
fn a_trial_bills_nothing_and_leaves_no_debt() {
    let mut sim = Sim::new(&Plan { trial_hours: 3, ..Plan::calm(7, 0) });
    pass(&mut sim, 2);
    task(&mut sim).unwrap();
    assert_eq!(states(&sim), ["written off"; 4]);
    // A trial hour's correction is not billed either.
    sim.correct(START.0, 1, (1_000_000, 360_000));
    pass(&mut sim, 2);
    task(&mut sim).unwrap();
    assert_eq!(billed(&sim), named(&[(2, "savings", 4), (2, "hours", 30), (3, "savings", 5), (3, "hours", 30)]));
}

#[test]
fn off_means_that_hours_pass() {
    let mut sim = sim(3);
    sim.plan.settings.mode = MeteringMode::Off;
    assert_eq!(task(&mut sim).unwrap().records, []);
    sim.plan.settings.mode = MeteringMode::On;
    pass(&mut sim, 1);
    task(&mut sim).unwrap();
    assert_eq!(billed(&sim), named(&[(3, "savings", 4), (3, "hours", 30)]));
}

#[test]
fn a_dry_run_writes_and_sends_nothing() {
    let mut sim = sim(8);
    sim.correct(START.0, 1, (1000, 0));
    sim.world.store.changed();
    let arn = "arn:aws:ecs:eu-west-1:000000000001:task/hub/dry";
    let settings = sim.plan.settings.clone();
    let order = Order { doing: Doing::DryRun, last: Some(Timestamp(START.0 + 6 * HOUR)) };
    let mut running = Running::begin(&sim.world, arn, &settings, 0, sim.plan.wrap, order);
    let outcome = loop {
        if let Some(ended) = running.poll() {
            break ended.unwrap();
        }
    };
    assert_eq!(outcome.records.len(), 14);
    assert_eq!(sim.world.store.changed(), Vec::<String>::new());
    assert_eq!(sim.world.marketplace.lock().unwrap().calls, 0);
}

#[test]
fn one_hour_never_goes_both_ways() {
    let mut sim = sim(1);
    task(&mut sim).unwrap();
    let account = AccountId::from_number(1).unwrap();
    sim.plan.settings.customer = Some(Customer { account, license_arn: "arn:aws:license-manager::1:license:l".into() });
    pass(&mut sim, 1);
    assert_eq!(task(&mut sim), Err(TaskError::OtherPath { found: Path::Task }));
    assert_eq!(billed(&sim).len(), 2);
}

#[test]
fn a_seller_reports_by_batches() {
    let mut sim = Sim::new(&Plan::calm(7, 0));
    let account = AccountId::from_number(1).unwrap();
    sim.plan.settings.customer = Some(Customer { account, license_arn: "arn:aws:license-manager::1:license:l".into() });
    pass(&mut sim, 1);
    task(&mut sim).unwrap();
    assert_eq!(billed(&sim), named(&[(0, "savings", 4), (0, "hours", 30)]));
}

#[test]
fn nobody_may_say_too_early_that_aws_does_not_hold_it() {
    let mut sim = sim(1);
    sim.plan.crash = 1000;
    // Dies once the hour is stored, before anything is sent.
    sim.start(0);
    sim.plan.crash = 0;
    let store = Arc::clone(&sim.world);
    while now(store.store.get(rows::HEAD)).unwrap().is_none() {
        assert!(sim.running[0].poll().is_none());
    }
    sim.killed.insert(sim.running.remove(0).arn);
    pass(&mut sim, 1);
    task(&mut sim).unwrap();
    assert_eq!(states(&sim), ["unknown", "unknown", "accepted", "accepted"]);
    assert!(flags(&sim).alarm);
    let say = |at: Timestamp, verdict: &Verdict, why: &str| {
        now(settle(&store.store, (START, "savings"), verdict, (why, at))).map(|record| record.state.label())
    };
    let at = sim.world.now();
    let early = say(at, &Verdict::NotAccepted, "CloudTrail has no call");
    assert!(matches!(early, Err(SettleError::TooEarly(_))), "{early:?}");
    assert_eq!(say(at, &Verdict::WriteOff, " "), Err(SettleError::NoReason));
    assert!(say(at, &Verdict::WriteOff, "a gift").is_err());
    let later = at + Span::hours(8);
    assert_eq!(say(later, &Verdict::NotAccepted, "CloudTrail has no call"), Ok("refused"));
    assert_eq!(say(later, &Verdict::WriteOff, "a gift"), Ok("written off"));
}

#[test]
fn an_hour_with_fewer_rows_than_told_is_not_metered() {
    let mut sim = Sim::new(&Plan::calm(7, 0));
    sim.drive(START.0 + HOUR + 1000).unwrap();
    sim.first(START.0, 1, (10_000, 3600));
    sim.close(START.0, 2);
    assert_eq!(task(&mut sim), Err(TaskError::Incomplete { hour: START, told: 2, found: 1 }));
    assert!(flags(&sim).failing_why.contains("closed with 2 accounts"));
    assert_eq!(hours::spelled(START), "2026-01-29T00");
}

#[test]
fn a_task_may_die_at_its_every_call() {
    // One that dies in the middle of three hours, one of them too old, beside another that goes on.
    let mut cuts = 0;
    for cut in 0.. {
        let mut sim = sim(7);
        sim.correct(START.0, 1, (77_000, 100));
        sim.plan.crash = 0;
        sim.start(0);
        let mut dying = sim.running.remove(0);
        let ended = (0..cut).any(|_| {
            sim.look().unwrap();
            dying.poll().is_some()
        });
        sim.killed.insert(dying.arn);
        if ended {
            break;
        }
        drop(dying.run);
        sim.start(0);
        sim.calm(7).unwrap();
        let marketplace = sim.world.marketplace.lock().unwrap();
        for (all, found) in sim.judge.totals(&marketplace) {
            assert_eq!(all, found, "cut {cut}");
        }
        cuts = cut;
    }
    assert!(cuts > 60, "{cuts}");
}

#[test]
fn half_an_hour_of_silence_leaves_the_hour_unknown() {
    let mut sim = sim(1);
    sim.world.marketplace.lock().unwrap().faults.answer_lost = 1000;
    assert!(task(&mut sim).unwrap().failing.contains("no clear answer"));
    // The other dimension was not sent any more when the first one's time was over.
    assert_eq!(states(&sim), ["refused", "pending"]);
    sim.world.marketplace.lock().unwrap().faults.answer_lost = 0;
    pass(&mut sim, 1);
    task(&mut sim).unwrap();
    assert_eq!(states(&sim), ["carried", "unknown", "accepted", "accepted"]);
    assert_eq!(billed(&sim), named(&[(0, "savings", 4), (1, "savings", 5), (1, "hours", 60)]));
}

#[test]
fn the_same_task_settles_its_own_silence_an_hour_later() {
    let mut sim = sim(1);
    // The judge reckons with two dimensions.
    sim.plan.settings.dimensions.truncate(1);
    sim.judged = false;
    sim.world.marketplace.lock().unwrap().faults.answer_lost = 1000;
    let arn = "arn:aws:ecs:eu-west-1:000000000001:task/hub/long";
    for (lost, told) in [(1000, vec!["pending"]), (1000, vec!["pending", "pending"]), (0, vec!["accepted"; 3])] {
        sim.world.marketplace.lock().unwrap().faults.answer_lost = lost;
        sim.start_as(arn, 0);
        let until = sim.world.now().0 + 3_000_000;
        sim.drive(until).unwrap();
        assert_eq!(states(&sim), told);
        if lost > 0 {
            pass(&mut sim, 1);
        }
    }
    assert_eq!(billed(&sim), named(&[(0, "savings", 4), (1, "savings", 5), (2, "savings", 4)]));
}

#[test]
fn refused_allocations_cost_no_money() {
    let mut sim = sim(1);
    sim.world.marketplace.lock().unwrap().faults.allocations = 1000;
    assert_eq!(task(&mut sim).unwrap().failing, "");
    let marketplace = sim.world.marketplace.lock().unwrap();
    let told: Vec<_> = marketplace.books.iter().map(|row| (row.units, row.allocations.len())).collect();
    assert_eq!(told, [(4, 0), (30, 0)]);
}
