//! The book of slices: entries are appended and never changed; a mistake is corrected by entries of its own.
//!
//! No moment of an instance is in force twice, so nothing is counted twice, whoever books again after a crash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spothub_core::id::InstanceId;
use spothub_core::time::Timestamp;

use crate::rollup::Rollups;
use crate::slice::Slice;

/// What an entry does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum EntryKind {
    /// Counts its slice.
    Booked,
    /// Takes the slice of an earlier entry out again.
    Reversal {
        /// That entry's number.
        of: usize,
    },
}

/// One line of the book. Its number is its place, counted from 0.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was written.
    pub at: Timestamp,
    /// What it does.
    pub kind: EntryKind,
    /// The slice that it counts or takes out.
    pub slice: Slice,
}

/// Why nothing was booked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LedgerError {
    /// The slice ends where it begins, or before.
    #[error("the slice of {instance} from {from} has no length")]
    Empty {
        /// Whose.
        instance: InstanceId,
        /// Where it begins.
        from: Timestamp,
    },
    /// Some of the time is booked already, exactly so or otherwise: correct that entry instead.
    #[error("time of {instance} from {from} is already booked by entry {entry}")]
    Overlap {
        /// Whose.
        instance: InstanceId,
        /// Where the refused slice begins.
        from: Timestamp,
        /// The entry that has it.
        entry: usize,
    },
    /// There is no such entry in force: it is no booking, was reversed before, or is not there at all.
    #[error("entry {0} is not in force")]
    NotInForce(usize),
}

/// For each instance and beginning: the end, and the entry that has this time.
type Claims = BTreeMap<(InstanceId, Timestamp), (Timestamp, usize)>;

/// Entries in the order of their writing.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
    in_force: Claims,
}

impl Ledger {
    /// Every entry ever written.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Books a slice, and returns its entry's number.
    pub fn append(&mut self, at: Timestamp, slice: Slice) -> Result<usize, LedgerError> {
        free(&self.in_force, &slice)?;
        Ok(self.book(at, slice))
    }

    /// Reverses the entry `wrong` and books `right` in its place: nothing, one slice or several. If anything is
    /// refused nothing is written.
    pub fn correct(&mut self, at: Timestamp, wrong: usize, right: Vec<Slice>) -> Result<(), LedgerError> {
        let entry = self.entries.get(wrong).ok_or(LedgerError::NotInForce(wrong))?;
        let slice = entry.slice.clone();
        let (key, claim) = (key_of(&slice), (slice.to, wrong));
        // A reversal, and an entry reversed before, claim no time.
        if self.in_force.get(&key) != Some(&claim) {
            return Err(LedgerError::NotInForce(wrong));
        }
        self.in_force.remove(&key);
        if let Err(refused) = self.all_free(&right) {
            self.in_force.insert(key, claim);
            return Err(refused);
        }
        self.entries.push(Entry { at, kind: EntryKind::Reversal { of: wrong }, slice });
        for slice in right {
            self.book(at, slice);
        }
        Ok(())
    }

    /// The slices that count, by instance and time.
    pub fn in_force(&self) -> impl Iterator<Item = &Slice> {
        self.in_force.values().filter_map(|&(_, entry)| self.entries.get(entry)).map(|entry| &entry.slice)
    }

    /// The sums of all entries, reversals taken out.
    #[must_use]
    pub fn rollups(&self) -> Rollups {
        let mut rollups = Rollups::default();
        for entry in &self.entries {
            match entry.kind {
                EntryKind::Booked => rollups.add(&entry.slice),
                EntryKind::Reversal { .. } => rollups.subtract(&entry.slice),
            }
        }
        rollups
    }

    fn book(&mut self, at: Timestamp, slice: Slice) -> usize {
        let number = self.entries.len();
        self.in_force.insert(key_of(&slice), (slice.to, number));
        self.entries.push(Entry { at, kind: EntryKind::Booked, slice });
        number
    }

    /// Whether all of `right` can be booked, also beside each other, after the reversal.
    fn all_free(&self, right: &[Slice]) -> Result<(), LedgerError> {
        let mut claims = Claims::new();
        for (number, slice) in (self.entries.len() + 1..).zip(right) {
            free(&self.in_force, slice)?;
            free(&claims, slice)?;
            claims.insert(key_of(slice), (slice.to, number));
        }
        Ok(())
    }
}

fn key_of(slice: &Slice) -> (InstanceId, Timestamp) {
    (slice.subject.instance.clone(), slice.from)
}

/// Whether nobody has any of this time. Claims do not overlap, so only the last that begins before its end can.
fn free(claims: &Claims, slice: &Slice) -> Result<(), LedgerError> {
    let (instance, from) = key_of(slice);
    if slice.to <= from {
        return Err(LedgerError::Empty { instance, from });
    }
    match claims.range(..(instance.clone(), slice.to)).next_back() {
        Some(((other, _), &(end, entry))) if *other == instance && end > from => {
            Err(LedgerError::Overlap { instance, from, entry })
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
