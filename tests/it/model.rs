//! Every state that two workers on one store, a group and the calls between them can reach, with the laws asked of
//! each.

mod book;
mod check;
mod laws;
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

/// A group that wants one instance and may have no more: MaxSize has to be raised.
const ONE: Bounds = Bounds {
    desired: 1,
    min: 1,
    max: 1,
    swaps: 2,
    left: Left { crashes: 1, faults: 1, late: 0, losses: 0, opt_outs: 0 },
    remembers: false,
    strict: false,
};

#[expect(clippy::disallowed_methods, reason = "how long it took is told, and nothing rests on it")]
fn explored(name: &str, bounds: Bounds, sabotage: Option<Sabotage>) -> Space {
    let began = Instant::now();
    let space = Model::new(bounds, sabotage).explore();
    let seconds = began.elapsed().as_secs_f32();
    println!(
        "{name}: {} states, {} transitions, depth {}, {} settled, {} stuck, {} cut, ends {:?}, {seconds:.1} s",
        space.states, space.transitions, space.depth, space.settled, space.stuck, space.cut, space.ends
    );
    if let Some((law, way)) = &space.broken {
        println!("{law}\n{way}");
    }
    space
}

#[test]
fn tries() {
    let with = |crashes, faults, late, losses, opt_outs, swaps, remembers| Bounds {
        left: Left { crashes, faults, late, losses, opt_outs },
        swaps,
        remembers,
        ..ONE
    };
    explored("late", with(0, 0, 1, 0, 0, 1, false), None);
    explored("two crash", with(1, 0, 0, 0, 0, 2, false), None);
    explored("two members", Bounds {desired: 2, min:1, max: 2, ..with(1, 0, 0, 0, 0, 2, false)}, None);
}

#[test]
fn sabotage() {
    let with = |crashes, faults, late, losses, opt_outs, swaps, remembers| Bounds {
        left: Left { crashes, faults, late, losses, opt_outs },
        swaps,
        remembers,
        ..ONE
    };
    let all = with(1, 1, 0, 0, 0, 2, false);
    explored("versions", all, Some(Sabotage::NoVersions));
    explored("lease", all, Some(Sabotage::NoLeaseWait));
    explored("tokens", all, Some(Sabotage::FreshTokens));
    explored("unrecorded", all, Some(Sabotage::LaunchesUnrecorded));
    explored("marked", all, Some(Sabotage::NotMarkedAsSent));
    explored("old looks", with(0, 0, 0, 0, 0, 1, true), Some(Sabotage::UsesOldLooks));
    explored("late strict", Bounds { strict: true, ..with(0, 0, 1, 0, 0, 1, false) }, None);
}
