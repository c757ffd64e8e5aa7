//! A group's record while one reconcile has it: read, leased, written with what goes with it, let go.

use spothub_core::id::GroupKey;
use spothub_core::port::{Expect, Put, StoreError};
use spothub_core::record::{GroupRecord, Lease};
use spothub_core::time::Timestamp;

use crate::budget::{MOVES_TRIES_MAX, Move, is_counter};
use crate::engine::Engine;
use crate::memory::Kept;

/// The record, and what is to be written with it.
pub(crate) struct Held {
    pub(crate) kept: Kept,
    pub(crate) dirty: bool,
    pub(crate) leased: bool,
    /// Before the lease was last written.
    pub(crate) leased_at: Timestamp,
    /// Further rows to write with the record, atomically.
    pub(crate) rows: Vec<Put>,
    /// Counters to move with it.
    pub(crate) moves: Vec<Move>,
}

/// Why a reconcile stops early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Somebody else writes the record: read it again later.
    Lost,
    /// The store does not answer.
    Store,
    /// A newer program wrote it.
    Unreadable,
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Lost(_) | StoreError::Fenced(_) => Self::Lost,
            StoreError::TooLarge(_) | StoreError::Newer { .. } | StoreError::Unavailable(_) => Self::Store,
        }
    }
}

impl Held {
    pub(crate) fn record(&mut self) -> &mut GroupRecord {
        self.dirty = true;
        &mut self.kept.record
    }
}

pub(crate) fn record_key(group: &GroupKey) -> String {
    format!("group/{group}")
}

impl Engine {
    /// The record from memory or the store.
    pub(crate) async fn load(&self, group: &GroupKey) -> Result<Held, Halt> {
        // What others may have written since is read again.
        let known = if self.settings.peers { None } else { self.memory().records.get(group).cloned() };
        let kept = match known {
            Some(kept) => kept,
            None => self.read_record(group).await?,
        };
        Ok(Held { kept, dirty: false, leased: false, leased_at: Timestamp(0), rows: Vec::new(), moves: Vec::new() })
    }

    /// Writes the record, keeping the lease for a call that follows.
    pub(crate) async fn save_leased(&self, held: &mut Held) -> Result<(), Halt> {
        let lease = Lease { owner: self.settings.worker.clone(), length: self.settings.lease };
        if !held.leased {
            held.kept.record.fence += 1;
        }
        held.kept.record.lease = Some(lease);
        held.leased = true;
        held.leased_at = self.now();
        self.write(held).await
    }

    /// Writes the record if something changed, and lets go of it.
    pub(crate) async fn park(&self, held: &mut Held) -> Result<(), Halt> {
        if held.dirty || held.leased || !held.rows.is_empty() || !held.moves.is_empty() {
            if held.kept.record.fence == 0 {
                held.kept.record.fence = 1;
            }
            held.kept.record.lease = None;
            held.leased = false;
            self.write(held).await?;
        }
        Ok(())
    }

    async fn write(&self, held: &mut Held) -> Result<(), Halt> {
        let driver = (!held.kept.record.ops.is_empty()).then(|| self.settings.worker.clone());
        held.kept.record.driver = driver;
        held.kept.record.format = held.kept.record.format_needed();
        let record = &held.kept.record;
        let value = serde_json::to_vec(record).map_err(|_| Halt::Store)?;
        let expect = if held.kept.version == 0 { Expect::Absent } else { Expect::Version(held.kept.version) };
        let own = Put { key: record_key(&record.group), value: Some(value), expect, fence: record.fence };
        let versions = self.write_counted(own, held).await?;
        held.kept.version = versions.first().copied().unwrap_or(held.kept.version);
        held.dirty = false;
        self.memory().records.insert(held.kept.record.group.clone(), held.kept.clone());
        Ok(())
    }

    /// Writes a record with what goes with it; counters that somebody else moved meanwhile are read again.
    async fn write_counted(&self, own: Put, held: &mut Held) -> Result<Vec<u64>, Halt> {
        let rows = std::mem::take(&mut held.rows);
        let moves = std::mem::take(&mut held.moves);
        for left in (0..MOVES_TRIES_MAX).rev() {
            let counted = self.moved(&moves).await?;
            let puts: Vec<Put> = std::iter::once(own.clone()).chain(rows.iter().cloned()).chain(counted).collect();
            match self.ports.store.write(&puts).await {
                Err(StoreError::Lost(key)) if left > 0 && is_counter(&key) => {}
                answer => return Ok(answer?),
            }
        }
        Err(Halt::Lost)
    }
}
