//! Breadth first through every state that can be reached, with the laws asked of each.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::{self, Write as _};

use spothub_core::lookup::Lookup;

use super::Sabotage;
use super::book::{Book, swap_of};
use super::laws::broken;
use super::state::{Bounds, Phase, Row, State};
use super::worker::Turn;
use super::world::{Life, Seat};

/// Who moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Who {
    Worker(usize),
    Aws(u8),
    Owner,
    Sweep(u8),
    /// A call after its time-out.
    Late,
}

/// One move.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) who: Who,
    pub(super) what: &'static str,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.who {
            Who::Worker(at) => write!(f, "worker {} {}", at + 1, self.what),
            Who::Aws(at) => write!(f, "instance {} {}", at + 1, self.what),
            Who::Late => write!(f, "the late call {}", self.what),
            Who::Owner => write!(f, "the owner {}", self.what),
            Who::Sweep(at) => write!(f, "the sweep {} instance {}", self.what, at + 1),
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Space {
    pub(super) states: usize,
    pub(super) transitions: usize,
    pub(super) depth: usize,
    /// States in which nothing is under way and nothing is left to do.
    pub(super) settled: usize,
    /// States from which no such state can be reached.
    pub(super) stuck: usize,
    /// States that were not gone on from, for want of places.
    pub(super) cut: usize,
    pub(super) ends: BTreeSet<&'static str>,
    /// The first law broken, and the shortest way there.
    pub(super) broken: Option<(&'static str, String)>,
}

pub(super) struct Model {
    pub(super) bounds: Bounds,
    book: Book,
}

impl Model {
    pub(super) fn new(bounds: Bounds, sabotage: Option<Sabotage>) -> Self {
        Self { bounds, book: Book::of(sabotage) }
    }

    /// Visits every state; stops at the first that breaks a law.
    pub(super) fn explore(mut self) -> Space {
        let first = State::first(&self.bounds, &mut self.book);
        let (mut space, mut moved) = (Space::default(), Vec::new());
        let mut known: Lookup<State, u32> = Lookup::default();
        // For each state, in the order of their numbers: the one that it was first reached from.
        let mut parents = vec![0_u32];
        let mut ends = Vec::new();
        let mut edges = Vec::new();
        let mut queue = VecDeque::from([(first, 0)]);
        known.insert(first, 0);
        while let Some((state, depth)) = queue.pop_front() {
            let here = u32::try_from(ends.len()).unwrap();
            space.depth = depth;
            if let Some(law) = broken(&state, &self.book, &self.bounds) {
                space.broken = Some((law, self.way(first, &parents, &known, here)));
                break;
            }
            let settled = self.is_settled(&state);
            space.settled += usize::from(settled);
            space.cut += usize::from(state.world.full);
            ends.push(settled || state.world.full);
            if state.world.full {
                continue;
            }
            self.moves(state, &mut moved);
            for (_, next) in moved.drain(..) {
                let next = next.ordered();
                let to = *known.get_or_insert_with(&next, || {
                    parents.push(here);
                    queue.push_back((next, depth + 1));
                    u32::try_from(parents.len() - 1).unwrap()
                });
                edges.push((to, here));
            }
        }
        (space.states, space.transitions) = (parents.len(), edges.len());
        space.ends.clone_from(&self.book.ends);
        if space.broken.is_none() {
            let ways = reaching(ends, &edges);
            space.stuck = ways.iter().filter(|reaches| !**reaches).count();
            if let Some(at) = ways.iter().position(|reaches| !reaches) {
                let at = u32::try_from(at).unwrap();
                space.broken = Some(("no way to an end", self.way(first, &parents, &known, at)));
            }
        }
        space
    }

    /// Every move out of a state.
    fn moves(&mut self, state: State, moved: &mut Vec<(Move, State)>) {
        for at in 0..state.workers.len() {
            let Self { book, bounds } = self;
            Turn { book, bounds, at, moved }.take(state);
        }
        state.world.by_itself(state.hour(&self.book), |what, at, world| {
            let mut next = state;
            next.world = world;
            moved.push((Move { who: Who::Aws(at), what }, next));
        });
        if let Some(call) = state.late {
            let mut arrived = state;
            arrived.late = None;
            arrived.world.arrives(call);
            moved.push((Move { who: Who::Late, what: "arrives" }, arrived));
            let mut lost = state;
            lost.late = None;
            moved.push((Move { who: Who::Late, what: "is lost" }, lost));
        }
        for (at, place) in (0_u8..).zip(&state.world.places) {
            let mut ended = state;
            ended.world.places[usize::from(at)].life = Life::Ended;
            if is_orphan(&state, at) {
                moved.push((Move { who: Who::Sweep(at), what: "ends" }, ended));
            }
            if state.left.losses > 0 && place.is_alive() && place.seat != Seat::Terminating {
                ended.left.losses -= 1;
                moved.push((Move { who: Who::Aws(at), what: "is lost" }, ended));
            }
        }
        if state.left.opt_outs > 0 {
            let mut out = state;
            (out.left.opt_outs, out.world.opted_out) = (state.left.opt_outs - 1, true);
            moved.push((Move { who: Who::Owner, what: "opts out" }, out));
        }
    }

    /// Nothing is under way, and nothing is left to do.
    fn is_settled(&self, state: &State) -> bool {
        let idle = state.workers.iter().all(|worker| worker.phase == Phase::Idle);
        let orphans = (0..).take(state.world.places.len()).any(|at| is_orphan(state, at));
        idle && !orphans && state.late.is_none() && self.book.op(state.record).is_none()
    }

    /// The moves from the first state to this one, with what was on record after each.
    fn way(&mut self, first: State, parents: &[u32], known: &Lookup<State, u32>, to: u32) -> String {
        let mut numbers = vec![to];
        while let Some(last) = numbers.last().filter(|last| **last != 0) {
            numbers.push(parents[*last as usize]);
        }
        let (mut state, mut text, mut moved) = (first, String::new(), Vec::new());
        for number in numbers.iter().rev().skip(1) {
            self.moves(state, &mut moved);
            let found = moved.drain(..).find(|(_, next)| known.get(&next.ordered()) == Some(number));
            let (step, next) = found.expect("each state was reached by a move from the one before");
            state = next;
            let op = self.book.op(state.record).map(|op| (swap_of(op), op.stage.label()));
            let on_record = op.map_or("-".to_owned(), |(swap, stage)| format!("swap {swap}, {stage}"));
            let (step, world) = (step.to_string(), &state.world);
            let _ = writeln!(text, "  {step:<55} {on_record:<16} desired {} max {}", world.desired, world.max);
        }
        text
    }
}

/// INV-3: what the sweep ends, by the closed row and by what it sees.
pub(super) fn is_orphan(state: &State, at: u8) -> bool {
    let place = &state.world.places[usize::from(at)];
    let row = place.swap().and_then(|swap| state.rows[usize::from(swap) - 1]);
    let released = |row: Row| row.attached && row.new == Some(at);
    place.is_alive() && !place.is_member() && row.is_some_and(|row| !released(row))
}

/// Which states have a way to one of those that are marked. An edge is (to, from).
fn reaching(mut reaches: Vec<bool>, edges: &[(u32, u32)]) -> Vec<bool> {
    let mut first = vec![0_usize; reaches.len() + 1];
    for (to, _) in edges {
        first[*to as usize + 1] += 1;
    }
    for at in 0..reaches.len() {
        first[at + 1] += first[at];
    }
    let (mut fill, mut sources) = (first.clone(), vec![0_u32; edges.len()]);
    for (to, from) in edges {
        sources[fill[*to as usize]] = *from;
        fill[*to as usize] += 1;
    }
    let mut queue: Vec<usize> = (0..reaches.len()).filter(|at| reaches[*at]).collect();
    while let Some(at) = queue.pop() {
        for from in &sources[first[at]..first[at + 1]] {
            if !std::mem::replace(&mut reaches[*from as usize], true) {
                queue.push(*from as usize);
            }
        }
    }
    reaches
}
