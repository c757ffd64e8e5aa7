//! Breadth first through every state that can be reached, with the laws asked of each.

use std::collections::BTreeSet;
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
        let mut space = Space::default();
        let mut known: Lookup<State, u32> = Lookup::default();
        let mut states = vec![(first, 0_u32, 0_u32)];
        let mut edges: Vec<(u32, u32)> = Vec::new();
        known.insert(first.ordered(), 0);
        let mut moved = Vec::new();
        let mut at = 0;
        while let Some(&(state, _, depth)) = states.get(at) {
            let here = u32::try_from(at).unwrap();
            at += 1;
            space.depth = space.depth.max(depth as usize);
            if let Some(law) = broken(&state, &self.book, &self.bounds) {
                space.broken = Some((law, self.way(&states, here)));
                break;
            }
            if state.world.full {
                space.cut += 1;
                continue;
            }
            self.moves(state, &mut moved);
            for (_, next) in moved.drain(..) {
                space.transitions += 1;
                let next = next.ordered();
                let number = *known.get_or_insert_with(&next, || {
                    states.push((next, here, depth + 1));
                    u32::try_from(states.len() - 1).unwrap()
                });
                edges.push((number, here));
            }
        }
        space.states = states.len();
        space.ends.clone_from(&self.book.ends);
        if space.broken.is_none() {
            let ends: Vec<bool> = states.iter().map(|(state, ..)| self.is_settled(state)).collect();
            space.settled = ends.iter().filter(|end| **end).count();
            let lets = |((state, ..), end): (&(State, u32, u32), &bool)| *end || state.world.full;
            space.stuck = stuck(states.iter().zip(&ends).map(lets).collect(), &edges);
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
    fn way(&mut self, states: &[(State, u32, u32)], to: u32) -> String {
        let mut numbers = vec![to];
        while let Some(&last) = numbers.last().filter(|last| **last != 0) {
            numbers.push(states[last as usize].1);
        }
        let (mut state, mut text, mut moved) = (states[0].0, String::new(), Vec::new());
        for number in numbers.iter().rev().skip(1) {
            self.moves(state, &mut moved);
            let there = states[*number as usize].0;
            let found = moved.drain(..).find(|(_, next)| next.ordered() == there);
            let (step, next) = found.expect("each state was reached by a move from the one before");
            state = next;
            let op = self.book.op(state.record).map(|op| (swap_of(op), op.stage.label()));
            let on_record = op.map_or("-".to_owned(), |(swap, stage)| format!("swap {swap}, {stage}"));
            let world = &state.world;
            let _ = writeln!(text, "  {step:<60} [{on_record}] desired {} max {}", world.desired, world.max);
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

/// How many states have no way to one of the ends. An edge is (to, from).
fn stuck(mut reaches: Vec<bool>, edges: &[(u32, u32)]) -> usize {
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
    reaches.iter().filter(|reaches| !**reaches).count()
}
