//! What a worker does, move by move, as the hub's reconcile does it: load, drive the swap, begin one, park.

use super::Sabotage;
use super::book::{Book, Seen};
use super::check::{Move, Who};
use super::state::{Bounds, Phase, Sent, State, Worker};
use super::step::Step;
use super::world::{Call, Instance, Origin, Outcome, Seat, World, place};

/// Moves within one drive, as in the hub.
const MOVES_MAX: u8 = 24;

/// One worker's turn: from an answer to the next question.
pub(super) struct Turn<'a> {
    pub(super) book: &'a mut Book,
    pub(super) bounds: &'a Bounds,
    pub(super) at: usize,
    pub(super) moved: &'a mut Vec<(Move, State)>,
}

impl Turn<'_> {
    /// Everything that the worker may do next.
    pub(super) fn take(&mut self, mut state: State) {
        let phase = state.workers[self.at].phase;
        if phase != Phase::Idle && state.left.crashes > 0 {
            self.dies(state);
        }
        match phase {
            Phase::Idle => self.wakes(state),
            Phase::Look => {
                state.workers[self.at].view = Some(self.book.seen(&state.world));
                self.drive("looks", state, 0);
            }
            Phase::Ask(member) => {
                state.workers[self.at].taken_by_us = Some(state.world.places[usize::from(member)].requested);
                self.drive("reads the activities", state, 0);
            }
            Phase::Save(sent) => self.saves(state, sent),
            Phase::Call(sent) => self.calls(state, sent),
            Phase::Park => self.parks(state),
        }
    }

    fn is_broken_by(&self, sabotage: Sabotage) -> bool {
        self.book.sabotage == Some(sabotage)
    }

    fn push(&mut self, what: &'static str, state: State) {
        self.moved.push((Move { who: Who::Worker(self.at), what }, state));
    }

    /// A wake names the group and nothing else, so it may come at any time: late, twice, or never.
    fn wakes(&mut self, state: State) {
        let remembered = state.workers[self.at].view;
        if self.bounds.remembers && remembered.is_none() {
            let mut state = state;
            state.workers[self.at].view = Some(self.book.seen(&state.world));
            self.push("remembers a look", state);
        }
        // Whoever has a call under way has a lease that outlasts it. Any other lease may be over.
        let calls = |worker: &Worker| matches!(worker.phase, Phase::Call(_));
        if state.workers.iter().any(calls) && !self.is_broken_by(Sabotage::NoLeaseWait) {
            return;
        }
        self.loads(state, None);
        // What somebody else changed since is not in what was remembered.
        let drives = state.driver.is_some_and(|driver| usize::from(driver) == self.at);
        let known = drives || self.book.op(state.record).is_none() || self.is_broken_by(Sabotage::UsesOldLooks);
        if remembered.is_some() && known {
            self.loads(state, remembered);
        }
    }

    fn loads(&mut self, mut state: State, view: Option<Seen>) {
        state.workers[self.at] = Worker { view, ..state.load() };
        if view.is_none() && self.book.op(state.record).is_none() {
            self.stops("wakes", state, Phase::Look);
        } else {
            self.drive("wakes", state, 0);
        }
    }

    /// Drives the swap in the record until something outside has to answer.
    fn drive(&mut self, what: &'static str, state: State, moves: u8) {
        let worker = state.workers[self.at];
        let op = self.book.op(worker.record).filter(|_| moves < MOVES_MAX);
        let Some(op) = op else { return self.rests(what, state) };
        let newcomer = op.stage.newcomer().map(|new| state.world.places[usize::from(place(&new.id))]);
        let told = newcomer.map(Instance::told).unwrap_or_default();
        let steps = self.book.steps((worker.record, worker.view, worker.taken_by_us, told));
        for step in steps.iter() {
            let mut state = state;
            let worker = &mut state.workers[self.at];
            match *step {
                Step::Look => self.stops(what, state, Phase::Look),
                Step::Ask(member) => self.stops(what, state, Phase::Ask(member)),
                Step::Wait => self.rests(what, state),
                Step::Goes(record) => {
                    (worker.record, worker.dirty, worker.taken_by_us) = (record, true, None);
                    self.drive(what, state, moves + 1);
                }
                Step::Closes(record, swap, row) => {
                    (worker.record, worker.closes) = (record, Some((swap, row)));
                    self.stops(what, state, Phase::Park);
                }
                Step::Calls(record, sent) => {
                    if worker.view.is_some() {
                        // The look is too old for a call.
                        self.stops(what, state, Phase::Look);
                    }
                    let worker = &mut state.workers[self.at];
                    (worker.record, worker.dirty) = (record, true);
                    self.stops(what, state, Phase::Save(sent));
                }
            }
        }
    }

    /// The write that takes the lease; then the call goes out, unless the process stood still for too long.
    fn saves(&mut self, mut state: State, sent: Sent) {
        let launches = matches!(sent.call, Call::Launch { .. });
        let unsaved = launches && self.is_broken_by(Sabotage::LaunchesUnrecorded);
        if !unsaved && !state.write(self.at, true, self.book) {
            return self.idles("loses the race", state);
        }
        self.stops("takes the lease and calls", state, Phase::Call(sent));
        self.idles("takes the lease and lets it pass", state);
    }

    /// What may become of a call: answered, refused, not answered, late.
    fn calls(&mut self, state: State, sent: Sent) {
        let mut arrived = state;
        let outcome = arrived.world.arrives(sent.call);
        self.hears("is answered", arrived, sent, outcome);
        if state.left.faults > 0 {
            let (mut failed, mut done) = (state, arrived);
            failed.left.faults -= 1;
            done.left.faults -= 1;
            self.hears("gets no answer, and it was done", done, sent, Outcome::Unclear);
            self.hears("gets no answer, and it was not done", failed, sent, Outcome::Unclear);
            self.hears("hears that it failed", failed, sent, Outcome::Broken);
            if let Call::Launch { swap, token } = sent.call {
                let origin = Origin::Ours { swap, token };
                if state.world.places.iter().all(|place| place.origin != origin) {
                    self.hears("hears that there is no capacity", failed, sent, Outcome::NoCapacity);
                }
            }
        }
        if state.left.late > 0 && state.late.is_none() {
            let mut late = state;
            late.late = Some(sent.call);
            late.left.late -= 1;
            self.hears("gets no answer, and it is on its way", late, sent, Outcome::Unclear);
        }
    }

    fn hears(&mut self, what: &'static str, mut state: State, sent: Sent, outcome: Outcome) {
        let worker = &mut state.workers[self.at];
        let (record, view, goes_on) = self.book.hears((worker.record, worker.view, sent, outcome));
        (worker.record, worker.view, worker.dirty) = (record, view, true);
        if goes_on { self.drive(what, state, 0) } else { self.rests(what, state) }
    }

    /// The swap waits or is over: one is begun where nothing speaks against it, and the record is parked.
    fn rests(&mut self, what: &'static str, state: State) {
        let worker = state.workers[self.at];
        let free = self.book.op(worker.record).is_none();
        let old = worker.view.filter(|_| free).and_then(|seen| chosen(self.book.look(seen)));
        if let (Some(old), Some(id)) = (old, state.free_id(self.book, self.bounds.swaps)) {
            let mut state = state;
            let record = self.book.begins(worker.record, id, old, state.hour_of_start());
            let worker = &mut state.workers[self.at];
            (worker.record, worker.dirty) = (record, true);
            self.drive(what, state, 0);
        }
        if worker.leased || worker.dirty { self.stops(what, state, Phase::Park) } else { self.idles(what, state) }
    }

    fn parks(&mut self, mut state: State) {
        let closes = state.workers[self.at].closes.is_some();
        if !state.write(self.at, false, self.book) {
            self.idles("loses the race", state);
        } else if closes {
            self.rests("closes the swap", state);
        } else {
            self.idles("parks", state);
        }
    }

    /// The process ends here. A call under way arrives before its lease is over, or late, or never.
    fn dies(&mut self, mut state: State) {
        let died = state.workers[self.at].phase;
        state.workers[self.at] = Worker::default();
        state.driver = state.driver.filter(|driver| usize::from(*driver) != self.at);
        state.left.crashes -= 1;
        self.push("dies", state);
        let Phase::Call(sent) = died else { return };
        let mut arrived = state;
        arrived.world.arrives(sent.call);
        self.push("dies, and its call is done", arrived);
        if state.left.late > 0 && state.late.is_none() {
            state.late = Some(sent.call);
            state.left.late -= 1;
            self.push("dies, and its call is on its way", state);
        }
    }

    /// The worker waits for an answer. What it will not look at again is dropped, so that equal states are equal.
    fn stops(&mut self, what: &'static str, mut state: State, phase: Phase) {
        let raises = |max: u8, seen: &World| max > seen.max;
        let worker = &mut state.workers[self.at];
        worker.phase = phase;
        let keeps = match phase {
            Phase::Idle | Phase::Look => false,
            Phase::Ask(_) => true,
            Phase::Park => worker.closes.is_some(),
            Phase::Save(sent) | Phase::Call(sent) => match sent.call {
                Call::Launch { .. } | Call::Attach(_) => true,
                Call::SetMax(max) => worker.view.is_some_and(|seen| raises(max, self.book.look(seen))),
                Call::Retire(_) | Call::Terminate(_) => false,
            },
        };
        worker.view = worker.view.filter(|_| keeps);
        self.push(what, state);
    }

    fn idles(&mut self, what: &'static str, mut state: State) {
        state.workers[self.at] = Worker::default();
        self.push(what, state);
    }
}

/// What the plan would replace: in a group at rest, its first on-demand member.
fn chosen(seen: &World) -> Option<u8> {
    let seats = || seen.places.iter().map(|place| place.seat);
    let in_service = seats().filter(|seat| *seat == Seat::InService).count();
    if seen.opted_out || in_service < usize::from(seen.desired) || seats().any(|seat| seat == Seat::Pending) {
        return None;
    }
    let on_demand = |origin| matches!(origin, Origin::Owner | Origin::Group(_));
    let found = seen.places.iter().position(|place| on_demand(place.origin) && place.seat == Seat::InService);
    found.and_then(|at| u8::try_from(at).ok())
}
