//! Budgets of swaps in flight over all workers (INV-10): a small counter for each scope, moved in the same atomic write
//! as the record that begins or ends the swap, so that no crash leaves them apart.
//!
//! A worker alone counts in memory what its store has in flight; counters are for several workers on one store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spothub_core::id::{AccountId, OuPath};
use spothub_core::plan::{Flight, Load};
use spothub_core::policy::Budgets;
use spothub_core::port::{Expect, Put, Store, StoreError, Stored};
use spothub_core::reason::{HoldReason, Scope};
use spothub_core::record::{FORMAT, GroupRecord};

use crate::engine::Engine;
use crate::held::{Halt, Held};
use crate::rows::{self, ROW_FENCE};

/// The prefix of all counters.
const KEYS: &str = "budget/";

/// A stored counter.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Count {
    /// Format of the item.
    format: u16,
    /// Swaps in flight.
    used: u32,
}

/// A counter that goes up (there is a limit) or down with the next write of a group's record.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    key: String,
    limit: Option<u32>,
}

/// Tries of a write whose counters somebody else moved first: each is two trips to the store, and that many workers at
/// one counter at once are rare.
pub(crate) const MOVES_TRIES_MAX: usize = 6;

/// Whether a lost race was about a counter: then the record itself is as it was read.
pub(crate) fn is_counter(key: &str) -> bool {
    key.starts_with(KEYS)
}

/// What the counters were when they were last read.
#[derive(Debug, Default)]
pub(crate) struct Counters(BTreeMap<String, u32>);

fn keys(account: AccountId, ou: &OuPath) -> [(Scope, String); 3] {
    [
        (Scope::Organization, format!("{KEYS}org")),
        (Scope::Ou, format!("{KEYS}ou{ou}")),
        (Scope::Account, format!("{KEYS}account/{account}")),
    ]
}

fn limit(budgets: &Budgets, scope: Scope) -> u32 {
    match scope {
        Scope::Organization => budgets.organization,
        Scope::Ou => budgets.ou,
        Scope::Account => budgets.account,
    }
}

impl Counters {
    /// What is in flight by these counters, where that is more than this worker knows of.
    pub(crate) fn raise(&self, load: &mut Load, account: AccountId, ou: &OuPath) {
        for (scope, key) in keys(account, ou) {
            let Some(used) = self.0.get(&key) else { continue };
            let flight: &mut Flight = match scope {
                Scope::Organization => &mut load.organization,
                Scope::Ou => &mut load.ou,
                Scope::Account => &mut load.account,
            };
            flight.used = flight.used.max(*used);
        }
    }
}

/// Swaps in flight by the scope that they count in: `org`, `ou/prod`, `account/...`; scopes without any are left out.
pub(crate) async fn used(store: &dyn Store) -> Result<BTreeMap<String, u32>, StoreError> {
    let scope = |item: Stored| {
        let count: Count = serde_json::from_slice(&item.value).ok()?;
        (count.used > 0).then(|| (item.key[KEYS.len()..].to_owned(), count.used))
    };
    Ok(rows::all(store, KEYS).await?.into_iter().filter_map(scope).collect())
}

impl Engine {
    /// Reads the counters for planning; where they cannot be read, the last ones stay.
    pub(crate) async fn hear_counters(&self) {
        let Ok(rows) = rows::all(&*self.ports.store, KEYS).await else { return };
        let used = |item: &Stored| serde_json::from_slice::<Count>(&item.value).ok().map(|count| count.used);
        let all = rows.into_iter().filter_map(|item| used(&item).map(|used| (item.key, used))).collect();
        self.memory().counters = Counters(all);
    }

    /// Sets counters right that are not what the records add up to: after a table was restored, or a worker of an older
    /// version ended what another had counted. One worker does it, after its sweep.
    ///
    /// The counters are read first. One that is moved meanwhile has another version when it is to be written, and is
    /// left for the next time; under one that stands still no counted swap began or ended.
    pub(crate) async fn recount(&self) {
        if !self.settings.peers || !self.leads(KEYS) {
            return;
        }
        let Ok(counters) = rows::all(&*self.ports.store, KEYS).await else { return };
        let Ok(records) = rows::all(&*self.ports.store, "group/").await else { return };
        let mut sums = BTreeMap::<String, u32>::new();
        for row in records {
            // Who counts what this program cannot read is not known: then all counters stay as they are.
            let Ok(record) = serde_json::from_slice::<GroupRecord>(&row.value) else { return };
            for ou in record.ops.iter().filter_map(|op| op.counted.as_ref()) {
                for (_, key) in keys(record.group.site.account, ou) {
                    *sums.entry(key).or_default() += 1;
                }
            }
        }
        for row in counters {
            let Ok(count) = serde_json::from_slice::<Count>(&row.value) else { continue };
            let used = sums.remove(&row.key).unwrap_or_default();
            if count.format <= FORMAT && count.used != used {
                self.set_right(row.key, count.used, used, Expect::Version(row.version)).await;
            }
        }
        for (key, used) in sums {
            self.set_right(key, 0, used, Expect::Absent).await;
        }
    }

    async fn set_right(&self, key: String, was: u32, used: u32, expect: Expect) {
        let Ok(value) = serde_json::to_vec(&Count { format: FORMAT, used }) else { return };
        let put = Put { key: key.clone(), value: Some(value), expect, fence: ROW_FENCE };
        if self.ports.store.write(&[put]).await.is_ok() {
            tracing::warn!(%key, was, used, "a budget's counter was not what the records add up to, and was set right");
        }
    }

    /// Counts, with the next write of the record, one more swap of this unit; or says whose budget has no room for it.
    pub(crate) async fn count_in(
        &self,
        held: &mut Held,
        ou: &OuPath,
        budgets: &Budgets,
    ) -> Result<Option<HoldReason>, Halt> {
        if !self.settings.peers {
            return Ok(None);
        }
        let account = held.kept.record.group.site.account;
        for (scope, key) in keys(account, ou) {
            let (used, _) = self.counter(&key).await?;
            let limit = limit(budgets, scope);
            if used >= limit {
                self.memory().counters.0.insert(key, used);
                held.moves.clear();
                return Ok(Some(HoldReason::Budget { scope, limit }));
            }
            held.moves.push(Move { key, limit: Some(limit) });
        }
        Ok(None)
    }

    /// Counts, with the next write of the record, one swap of this unit less.
    pub(crate) fn count_out(held: &mut Held, ou: &OuPath) {
        let account = held.kept.record.group.site.account;
        held.moves.extend(keys(account, ou).into_iter().map(|(_, key)| Move { key, limit: None }));
    }

    /// The writes of these moves by what the counters are now; a budget that was used up meanwhile is a lost race.
    pub(crate) async fn moved(&self, moves: &[Move]) -> Result<Vec<Put>, Halt> {
        let mut puts = Vec::with_capacity(moves.len());
        for Move { key, limit } in moves {
            let (used, expect) = self.counter(key).await?;
            let used = match limit {
                Some(limit) if used >= *limit => return Err(Halt::Lost),
                Some(_) => used + 1,
                None => used.saturating_sub(1),
            };
            let value = serde_json::to_vec(&Count { format: FORMAT, used }).map_err(|_| Halt::Store)?;
            puts.push(Put { key: key.clone(), value: Some(value), expect, fence: ROW_FENCE });
        }
        Ok(puts)
    }

    /// A counter, and what a write of it has to insist on. One that is not understood stops what was to be counted:
    /// a newer program wrote it.
    async fn counter(&self, key: &str) -> Result<(u32, Expect), Halt> {
        let Some(item) = self.ports.store.get(key).await? else { return Ok((0, Expect::Absent)) };
        let count: Count = serde_json::from_slice(&item.value).map_err(|_| Halt::Store)?;
        if count.format > FORMAT {
            return Err(Halt::Store);
        }
        Ok((count.used, Expect::Version(item.version)))
    }
}
