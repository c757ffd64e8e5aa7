//! Records and looks by number, so that states stay small, and what core says of each: asked once, then remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use spothub_core::lookup::Lookup;
use spothub_core::record::{Backoff, GroupRecord, Op, Stage};
use spothub_core::saga::TRIES_MAX;
use spothub_core::time::Timestamp;

use super::Sabotage;
use super::step::{self, Asked, Heard, READY, Step};
use super::world::World;

/// A record's number in the [`Book`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) struct Number(u32);

/// The number of what a look showed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) struct Seen(u32);

#[derive(Default)]
pub(super) struct Book {
    pub(super) sabotage: Option<Sabotage>,
    records: Vec<GroupRecord>,
    numbers: BTreeMap<Vec<u8>, Number>,
    looks: Vec<World>,
    looked: Lookup<World, Seen>,
    steps: Lookup<Asked, Rc<[Step]>>,
    heard: Lookup<Heard, (Number, Option<Seen>, bool)>,
    begun: Lookup<(Number, u8, u8, u8), Number>,
    /// Labels of the ends that swaps came to.
    pub(super) ends: BTreeSet<&'static str>,
}

impl Book {
    pub(super) fn of(sabotage: Option<Sabotage>) -> Self {
        Self { sabotage, ..Self::default() }
    }

    pub(super) fn record(&self, number: Number) -> &GroupRecord {
        &self.records[number.0 as usize]
    }

    pub(super) fn op(&self, number: Number) -> Option<&Op> {
        self.record(number).ops.first()
    }

    pub(super) fn number(&mut self, record: GroupRecord) -> Number {
        let record = timeless(record);
        let text = serde_json::to_vec(&record).unwrap();
        let next = Number(u32::try_from(self.records.len()).unwrap());
        *self.numbers.entry(text).or_insert_with(|| {
            self.records.push(record);
            next
        })
    }

    pub(super) fn look(&self, seen: Seen) -> &World {
        &self.looks[seen.0 as usize]
    }

    pub(super) fn seen(&mut self, world: &World) -> Seen {
        let shown = world.seen();
        let looks = &mut self.looks;
        *self.looked.get_or_insert_with(&shown, || {
            looks.push(shown);
            Seen(u32::try_from(looks.len() - 1).unwrap())
        })
    }

    /// Everything that the swap of a record may do next.
    pub(super) fn steps(&mut self, asked: Asked) -> Rc<[Step]> {
        if let Some(known) = self.steps.get(&asked) {
            return Rc::clone(known);
        }
        let steps: Rc<[Step]> = step::steps(self, asked).into();
        self.steps.insert(asked, Rc::clone(&steps));
        steps
    }

    /// The record and the look after an answer, and whether the worker goes on at once.
    pub(super) fn hears(&mut self, heard: Heard) -> (Number, Option<Seen>, bool) {
        if let Some(known) = self.heard.get(&heard) {
            return *known;
        }
        let after = step::hears(self, heard);
        self.heard.insert(heard, after);
        after
    }

    /// The record with a new swap of the member in place `old`.
    pub(super) fn begins(&mut self, number: Number, id: u8, old: u8, hour: u8) -> Number {
        if let Some(known) = self.begun.get(&(number, id, old, hour)) {
            return *known;
        }
        let mut record = self.record(number).clone();
        record.ops.push(step::swap_op(id, old, hour));
        let begun = self.number(record);
        self.begun.insert((number, id, old, hour), begun);
        begun
    }
}

/// A record without times and without what only waits are made of.
///
/// This is sound because [`step::steps`] asks at a time within each limit and at one beyond it: whatever the times
/// that are dropped here were, the true decision is among those that it gives. Tries count only as none, some and
/// too many. Starts stay: they are hours of the model, and tell a replacement launched since from an older member.
fn timeless(mut record: GroupRecord) -> GroupRecord {
    (record.last_swap_at, record.backoff) = (None, Backoff::default());
    record.recent.clear();
    for op in &mut record.ops {
        op.entered_at = Timestamp(0);
        op.tries = match (&op.stage, op.tries) {
            (Stage::Launch { .. }, tries) if tries > 1 => tries.clamp(TRIES_MAX, TRIES_MAX + 1),
            (_, tries) => tries.min(1),
        };
        if let Stage::Settle { serving_since: Some(since), ready_at, .. } = &mut op.stage {
            (*since, *ready_at) = (Timestamp(0), READY);
        }
        match &mut op.stage {
            Stage::Boot { new }
            | Stage::Attach { new }
            | Stage::Settle { new, .. }
            | Stage::Retire { new, .. }
            | Stage::Net { new: Some(new), .. }
            | Stage::Undo { new, .. } => new.launched_at = Timestamp(0),
            Stage::Launch { .. } | Stage::Net { new: None, .. } | Stage::LetGo | Stage::Restore { .. } => {}
        }
    }
    record
}

/// The number that a swap's id was made from.
pub(super) fn swap_of(op: &Op) -> u8 {
    let digits = op.id.as_str().rsplit('-').next().unwrap();
    u8::from_str_radix(digits, 16).unwrap()
}
