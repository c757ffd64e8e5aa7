//! One state of the whole: AWS, the store, two workers, what is on its way, and what may still go wrong.

use spothub_core::port::{Expect, Past, Put};
use spothub_core::record::GroupRecord;

use super::Sabotage;
use super::book::{Book, Number, Seen, swap_of};
use super::look::key;
use super::world::{Call, World};

/// What the owner wants, and how often what may go wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) desired: u8,
    pub(super) min: u8,
    pub(super) max: u8,
    /// Swaps that have an id: 1 or 2.
    pub(super) swaps: u8,
    pub(super) left: Left,
    /// Looks made before a wake may be used by it.
    pub(super) remembers: bool,
    /// INV-2 and INV-4 are asked for although calls may arrive late.
    pub(super) strict: bool,
}

/// What may still go wrong.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) struct Left {
    /// Workers that die.
    pub(super) crashes: u8,
    /// Calls that fail or are not answered.
    pub(super) faults: u8,
    /// Calls that arrive at AWS after their time-out.
    pub(super) late: u8,
    /// Instances that end by themselves.
    pub(super) losses: u8,
    /// Opt-outs.
    pub(super) opt_outs: u8,
}

/// Where a worker stands: each phase ends with one answer from outside.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) enum Phase {
    #[default]
    Idle,
    /// It looks at the group.
    Look,
    /// It reads who took this member out.
    Ask(u8),
    /// It writes the record with its lease, for a call.
    Save(Sent),
    /// The call is under way.
    Call(Sent),
    /// It writes the record and lets go of it.
    Park,
}

/// A call, and the record that holds if it clearly did not happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) struct Sent {
    pub(super) call: Call,
    pub(super) before: Number,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) struct Worker {
    pub(super) phase: Phase,
    pub(super) record: Number,
    pub(super) version: u8,
    pub(super) fence: u8,
    pub(super) leased: bool,
    pub(super) dirty: bool,
    pub(super) view: Option<Seen>,
    pub(super) taken_by_us: Option<bool>,
    /// The row to write with the record.
    pub(super) closes: Option<(u8, Row)>,
}

/// What is kept of a swap that is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) struct Row {
    pub(super) new: Option<u8>,
    pub(super) attached: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) struct State {
    pub(super) world: World,
    pub(super) record: Number,
    pub(super) version: u8,
    /// Who wrote the record last, while a swap is on it and that one lives.
    pub(super) driver: Option<u8>,
    pub(super) rows: [Option<Row>; 2],
    pub(super) workers: [Worker; 2],
    pub(super) late: Option<Call>,
    pub(super) left: Left,
}

/// Versions and fences matter only against the store's, so the store's are kept at these.
const VERSION: u8 = 2;
const FENCE: u8 = 4;
/// A fence this far behind is as good as any that is further behind: one lease adds one.
const BEHIND_MAX: u8 = 2;

impl State {
    pub(super) fn first(bounds: &Bounds, book: &mut Book) -> Self {
        Self {
            world: World::new(bounds.desired, bounds.min, bounds.max),
            record: book.number(GroupRecord::new(key())),
            version: 0,
            driver: None,
            rows: [None; 2],
            workers: [Worker::default(); 2],
            late: None,
            left: bounds.left,
        }
    }

    /// When a swap begins now. The model's hour grows with each swap that begins or ends, which tells a replacement
    /// launched since from an older member.
    pub(super) fn hour_of_start(&self) -> u8 {
        2 + 2 * u8::try_from(self.rows.iter().flatten().count()).unwrap()
    }

    /// The model's hour at AWS.
    pub(super) fn hour(&self, book: &Book) -> u8 {
        self.hour_of_start() - u8::from(book.op(self.record).is_none())
    }

    /// An id that no swap has; `None` where all are used up.
    pub(super) fn free_id(&self, book: &Book, swaps: u8) -> Option<u8> {
        let has = |record: Number, id: u8| book.op(record).is_some_and(|op| swap_of(op) == id);
        let used = |id: &u8| {
            self.rows[usize::from(*id) - 1].is_some()
                || has(self.record, *id)
                || self.workers.iter().any(|worker| worker.phase != Phase::Idle && has(worker.record, *id))
                || self.world.places.iter().any(|place| place.swap() == Some(*id))
                || matches!(self.late, Some(Call::Launch { swap, .. }) if swap == *id)
        };
        (1..=swaps).find(|id| !used(id))
    }

    /// The record as a worker reads it.
    pub(super) fn load(&self) -> Worker {
        Worker { record: self.record, version: self.version, fence: FENCE, ..Worker::default() }
    }

    /// A worker's write as the store judges it; `false` where it is refused.
    pub(super) fn write(&mut self, at: usize, leased: bool, book: &Book) -> bool {
        let mut worker = self.workers[at];
        let fence = worker.fence + u8::from(leased && !worker.leased);
        let expect = match worker.version {
            _ if book.sabotage == Some(Sabotage::NoVersions) => Expect::Anything,
            0 => Expect::Absent,
            version => Expect::Version(version.into()),
        };
        let past = Past { version: self.version.into(), fence: FENCE.into(), live: self.version > 0 };
        let put = Put { key: String::new(), value: None, expect, fence: fence.into() };
        if past.admit(&put).is_err() {
            return false;
        }
        let lead = fence - FENCE;
        for other in self.workers.iter_mut().filter(|other| other.phase != Phase::Idle) {
            other.version = other.version.min(1);
            other.fence = other.fence.saturating_sub(lead).max(FENCE - BEHIND_MAX);
        }
        (worker.version, worker.fence, worker.leased, worker.dirty) = (VERSION, FENCE, leased, false);
        if let Some((swap, row)) = worker.closes.take() {
            self.rows[usize::from(swap) - 1] = Some(row);
        }
        self.workers[at] = worker;
        (self.version, self.record) = (VERSION, worker.record);
        self.driver = book.op(self.record).and_then(|_| u8::try_from(at).ok());
        true
    }

    /// The same state with the workers in order: which of the two is which changes nothing.
    pub(super) fn ordered(mut self) -> Self {
        let [one, other] = self.workers;
        if other < one || (other == one && self.driver == Some(1)) {
            self.workers.swap(0, 1);
            self.driver = self.driver.map(|at| 1 - at);
        }
        self
    }
}
