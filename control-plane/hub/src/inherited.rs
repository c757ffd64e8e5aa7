//! What this worker found in the store and did not write itself: the world may be further than it says, most of all
//! after the store was brought back from a backup.

use std::collections::{BTreeMap, BTreeSet};

use spothub_core::id::{GroupKey, Site, SwapId};
use spothub_core::record::{self, GroupRecord};

use crate::engine::Engine;
use crate::held::{Halt, record_key};
use crate::memory::Kept;
use crate::sweep::first_of;

impl Engine {
    /// A group's record as the store has it. One of a newer program is nobody's to act on here.
    pub(crate) async fn read_record(&self, group: &GroupKey) -> Result<Kept, Halt> {
        let known = self.memory().records.get(group).map(|kept| kept.version);
        let Some(stored) = self.ports.store.get(&record_key(group)).await? else {
            return Ok(Kept { version: 0, record: GroupRecord::new(group.clone()) });
        };
        let Some(record) = record::read::<GroupRecord>(&stored.value) else {
            tracing::warn!(account = %group.site.account, region = %group.site.region, group = %group.name,
                "a record of a newer program: the group is left alone; run the newer program");
            return Err(Halt::Unreadable);
        };
        if record.driver.as_ref() != Some(&self.settings.worker) {
            self.inherit(&record);
        }
        let found = Kept { version: stored.version, record };
        if known.is_some_and(|version| version != found.version) {
            // Written by somebody else since: what this worker counts as its own must not stay at what it was.
            self.memory().records.insert(group.clone(), found.clone());
        }
        self.went_back(known, &found);
        Ok(found)
    }

    /// What is in flight in this record may be further than it says.
    pub(crate) fn inherit(&self, record: &GroupRecord) {
        let swaps: BTreeSet<SwapId> = record.ops.iter().map(|op| op.id.clone()).collect();
        self.memory().inherited.insert(record.group.clone(), swaps);
    }

    /// Whether this one was found, and not begun by this worker.
    pub(crate) fn is_inherited(&self, group: &GroupKey, swap: &SwapId) -> bool {
        self.memory().inherited.get(group).is_some_and(|swaps| swaps.contains(swap))
    }

    /// Whether the store has less than this worker has seen in it: then it was brought back from a backup.
    pub(crate) fn went_back(&self, known: Option<u64>, found: &Kept) -> bool {
        let back = known.is_some_and(|version| version > found.version);
        if back {
            let group = &found.record.group;
            tracing::warn!(account = %group.site.account, region = %group.site.region, group = %group.name,
                "the store went back: what is in flight is looked at anew");
            self.inherit(&found.record);
        }
        back
    }

    /// The versions of a site's records that this worker has seen in the store.
    pub(crate) fn versions_at(&self, site: &Site) -> BTreeMap<GroupKey, u64> {
        let memory = self.memory();
        let records = memory.records.range(first_of(site)..).take_while(|(group, _)| group.site == *site);
        let stored = records.filter(|(_, kept)| kept.version > 0);
        stored.map(|(group, kept)| (group.clone(), kept.version)).collect()
    }
}
