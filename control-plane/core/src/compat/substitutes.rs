//! Remembers who may stand in for whom: a plan has 20 microseconds, a comparison of all types takes longer.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use crate::catalog::{Catalog, TypeId};

use super::{Needs, compatible};

/// Most sets of needs remembered for one old type.
///
/// 256: an organization has a few images and policies for each type; at 2 bytes for each of some 500
/// substitutes, even all of it is 256 kB for a type. Beyond it, that type's sets are forgotten and found anew.
pub const SETS_PER_TYPE_MAX: usize = 256;

type Sets = BTreeMap<Arc<Needs>, Arc<[TypeId]>>;

/// Compatible types by old type and needs, each set computed once.
///
/// It borrows the embedded catalogue, or shares a newer one: `Substitutes<Arc<Catalog>>`.
#[derive(Debug)]
pub struct Substitutes<C = &'static Catalog> {
    catalog: C,
    /// By `TypeId`: one lock each, so that readers rarely meet.
    slots: Box<[RwLock<Sets>]>,
}

impl<C: Deref<Target = Catalog>> Substitutes<C> {
    /// Nothing remembered yet.
    #[must_use]
    pub fn new(catalog: C) -> Self {
        let slots = (0..catalog.len()).map(|_| RwLock::default()).collect();
        Self { catalog, slots }
    }

    /// The catalogue that the ids belong to.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Every type that can replace `old` under these needs, in the catalogue's order; `old` itself when it can.
    ///
    /// # Panics
    /// If `old` belongs to a catalogue with more types.
    pub fn of(&self, old: TypeId, needs: &Needs) -> Arc<[TypeId]> {
        let slot = &self.slots[old.index()];
        if let Some(found) = slot.read().unwrap_or_else(PoisonError::into_inner).get(needs) {
            return Arc::clone(found);
        }
        let found = self.compare(old, needs);
        let mut sets = slot.write().unwrap_or_else(PoisonError::into_inner);
        if sets.len() >= SETS_PER_TYPE_MAX {
            sets.clear();
        }
        sets.insert(Arc::new(needs.clone()), Arc::clone(&found));
        found
    }

    /// Compares with every type, remembering nothing.
    fn compare(&self, old: TypeId, needs: &Needs) -> Arc<[TypeId]> {
        let kind = self.catalog.get(old);
        self.catalog.types().filter(|(_, new)| compatible(kind, new, needs).is_ok()).map(|(id, _)| id).collect()
    }
}
