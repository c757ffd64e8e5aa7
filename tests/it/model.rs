//! Every state that two workers on one store, one group and the calls between them can reach, breadth first, with
//! the laws asked of each. The simulator tries a few orders of much; this tries all orders of little.
//!
//! **Real** is what decides: core's `saga::{next, answered, closing, sent}` and `Op::enter` on real records, and
//! `Past::admit` for each write. [`worker`] follows the hub around them (load, lease, intent, call, answer, park,
//! begin), [`world`] the simulated cloud in what calls do and why they are refused.
//!
//! **Any order**: who moves next; wake-ups that are lost, late or doubled (a wake may come at any time, or never); a
//! worker that dies between any two moves, or stands still until its lease is over; a call that is done or not done
//! without an answer, fails, or arrives at any later time; stores that refuse a late writer; instances that boot,
//! serve, are lost, are scaled in or replaced by the group; an owner who opts out. A lease may be seen as over
//! whenever its holder has no call under way, which is what leases promise; late calls are those that break it.
//!
//! **Time** is not there: each decision is taken as within each limit and as beyond it, so every true one is among
//! those tried (`timeless` in [`book`]).
//!
//! **Bounds**: one group of one or two members, one or two swaps, and a number of crashes, failed calls, late calls,
//! losses and opt-outs for each run, below. **Not modelled**: rescues, target groups, hooks, brakes, denied access,
//! groups that vanish, owners who change sizes, looks that lag behind, and how the plan chooses.
//!
//! **Asked** of each state: INV-1 and INV-3; INV-2 while no instance was lost, and INV-4 whenever no swap is on record,
//! both only where calls arrive within their time-out; and that a settled state can still be reached. Of each run:
//! that swaps were both done and undone.
//!
//! Each run prints its size. Larger ones take minutes and some GB:
//! `SPOTHUB_MODEL=large cargo test -p spothub-tests --test it model::larger -- --nocapture`.

mod book;
mod check;
mod laws;
mod look;
mod state;
mod step;
mod worker;
mod world;

use std::time::Instant;

use check::{Model, Space};
use state::{Bounds, Left};

/// A way to break the workers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sabotage {
    /// Writes do not insist on the version that was read.
    NoVersions,
    /// Somebody else's lease is not waited for.
    NoLeaseWait,
    /// A launch that is tried again has a new token.
    FreshTokens,
    /// A launch is sent before its swap is on record.
    LaunchesUnrecorded,
    /// That a member's end was asked for is not put on record.
    NotMarkedAsSent,
    /// A look from before the last write of another worker is used.
    UsesOldLooks,
}

const NOTHING: Left = Left { crashes: 0, faults: 0, late: 0, losses: 0, opt_outs: 0 };
/// A group that wants one instance and may have no more: MaxSize has to be raised.
const TIGHT: Bounds = Bounds { desired: 1, min: 1, max: 1, swaps: 1, left: NOTHING, remembers: false, strict: false };
/// One that has room, and may go down to nothing.
const ROOMY: Bounds = Bounds { min: 0, max: 2, ..TIGHT };
/// Two members to be swapped, one after the other.
const PAIR: Bounds = Bounds { desired: 2, max: 2, ..TIGHT };

#[expect(clippy::disallowed_methods, reason = "how long it took is told, and nothing rests on it")]
fn explored(name: &str, bounds: Bounds, sabotage: Option<Sabotage>) -> Space {
    let began = Instant::now();
    let space = Model::new(bounds, sabotage).explore();
    let seconds = Instant::now().duration_since(began).as_secs_f32();
    let Space { states, transitions, depth, settled, .. } = space;
    println!("{name}: {states} states, {transitions} transitions, depth {depth}, {settled} settled, {seconds:.1} s");
    space
}

/// Explores all; no law may be broken, nothing may be left out, and there must be ends of both kinds.
fn holds(name: &str, bounds: Bounds) {
    let space = explored(name, bounds, None);
    if let Some((law, way)) = space.broken {
        panic!("{name}: {law}\n{way}");
    }
    assert_eq!(space.cut, 0, "{name}: an instance had no place");
    assert!(["done", "undone"].iter().all(|end| space.ends.contains(end)), "{name}: {:?}", space.ends);
}

/// The shortest way to the first law that is broken, which must be this one.
fn caught(sabotage: Option<Sabotage>, bounds: Bounds, law: &str) {
    let name = sabotage.map_or("honest".to_owned(), |sabotage| format!("{sabotage:?}"));
    let (found, way) = explored(&name, bounds, sabotage).broken.expect("a broken law");
    println!("{found}\n{way}");
    assert!(found.starts_with(law), "{name}: {found} instead of {law}\n{way}");
}

#[test]
fn workers_that_die_and_calls_that_fail() {
    holds("2 crashes, 1 failed call", Bounds { left: Left { crashes: 2, faults: 1, ..NOTHING }, ..TIGHT });
}

#[test]
fn two_swaps_one_after_the_other() {
    holds("2 swaps", Bounds { swaps: 2, ..TIGHT });
    holds("2 members, 1 crash", Bounds { left: Left { crashes: 1, ..NOTHING }, ..PAIR });
}

#[test]
fn an_instance_that_is_lost() {
    holds("1 loss", Bounds { left: Left { losses: 1, ..NOTHING }, ..TIGHT });
}

#[test]
fn an_owner_who_opts_out() {
    holds("1 opt-out, 1 crash", Bounds { left: Left { crashes: 1, opt_outs: 1, ..NOTHING }, ..TIGHT });
}

#[test]
fn calls_that_arrive_late() {
    holds("1 late call", Bounds { left: Left { late: 1, ..NOTHING }, ..TIGHT });
    holds("1 late call, 1 crash", Bounds { left: Left { crashes: 1, late: 1, ..NOTHING }, ..ROOMY });
}

#[test]
fn looks_that_are_remembered() {
    holds("looks, 1 crash", Bounds { left: Left { crashes: 1, ..NOTHING }, remembers: true, ..TIGHT });
}

#[test]
fn writes_that_insist_on_no_version_are_caught() {
    caught(Some(Sabotage::NoVersions), Bounds { swaps: 2, ..TIGHT }, "INV-1");
}

#[test]
fn a_lease_that_is_not_waited_for_is_caught() {
    caught(Some(Sabotage::NoLeaseWait), Bounds { swaps: 2, left: Left { faults: 1, ..NOTHING }, ..TIGHT }, "INV-1");
}

#[test]
fn a_token_that_is_not_stable_is_caught() {
    caught(Some(Sabotage::FreshTokens), Bounds { left: Left { faults: 1, ..NOTHING }, ..TIGHT }, "INV-1");
}

#[test]
fn a_launch_before_its_record_is_caught() {
    caught(Some(Sabotage::LaunchesUnrecorded), Bounds { left: Left { crashes: 1, ..NOTHING }, ..TIGHT }, "INV-3");
}

#[test]
fn an_end_that_is_not_marked_as_asked_for_is_caught() {
    let bounds = Bounds { left: Left { crashes: 1, faults: 1, ..NOTHING }, ..ROOMY };
    caught(Some(Sabotage::NotMarkedAsSent), bounds, "INV-2");
}

#[test]
fn a_look_from_before_anothers_write_is_caught() {
    caught(Some(Sabotage::UsesOldLooks), Bounds { remembers: true, ..TIGHT }, "INV-4");
}

/// What no lease and no record can help against: MaxSize raised by a call that arrives when its swap is over.
#[test]
fn what_arrives_after_the_end_stays() {
    let late = Left { late: 1, ..NOTHING };
    caught(None, Bounds { left: late, strict: true, ..TIGHT }, "INV-4");
}

#[test]
fn larger() {
    if !is_large() {
        return;
    }
    let left = Left { crashes: 1, ..NOTHING };
    holds("2 swaps, 1 crash, 1 failed call", Bounds { swaps: 2, left: Left { faults: 1, ..left }, ..TIGHT });
    holds("2 members, 2 swaps, 1 crash", Bounds { swaps: 2, left, ..PAIR });
    holds("1 late call, 1 crash", Bounds { left: Left { late: 1, ..left }, ..TIGHT });
    holds("1 late call, 1 loss", Bounds { left: Left { late: 1, losses: 1, ..NOTHING }, ..TIGHT });
}

#[expect(clippy::disallowed_methods, reason = "the command says so")]
fn is_large() -> bool {
    std::env::var("SPOTHUB_MODEL").is_ok_and(|text| text == "large")
}
