//! Where the members of each organizational unit are, counted for the caps on their share of a pool.

use std::collections::BTreeMap;
use std::sync::Arc;

use spothub_core::group::Lifecycle;
use spothub_core::id::{AccountId, OuPath, Site, SwapId};
use spothub_core::market::Pool;
use spothub_core::money::Percent;
use spothub_core::plan::Shares;
use spothub_core::policy::{Effective, Standing};
use spothub_core::record::Op;
use spothub_core::time::{Span, Timestamp};

use crate::engine::Engine;
use crate::memory::Memory;

/// A count is good for so long: counting looks at every member, and few swaps end in a minute.
const COUNT_AGE_MAX: Span = Span::mins(1);

/// A launch that was decided on counts in each pool that it may take until it is answered, or so long: what was not
/// answered by then waits for something that lasts.
const DECIDED_FOR: Span = Span::mins(5);

/// The last count, when it was made, and launches that are decided on and not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    at: Option<Timestamp>,
    units: BTreeMap<OuPath, Arc<Shares>>,
    decided: BTreeMap<SwapId, (Timestamp, OuPath, Vec<Pool>)>,
}

impl Engine {
    /// Where the members of an account's unit are; `None` where policy caps no share of them, or the unit is not known.
    ///
    /// A worker counts the sites that it drives. Where each keeps to the share of what it sees, all do.
    pub(crate) fn shares(&self, account: AccountId, effective: &Effective, now: Timestamp) -> Option<Arc<Shares>> {
        if effective.policy.pool_share.ou == Percent::ALL {
            return None;
        }
        let mut memory = self.memory();
        let ou = memory.accounts.get(&account)?.ou.clone();
        if memory.shares.at.is_none_or(|at| now >= at + COUNT_AGE_MAX) {
            let units = memory.count_units();
            (memory.shares.at, memory.shares.units) = (Some(now), units);
            memory.shares.decided.retain(|_, (at, ..)| now < *at + DECIDED_FOR);
        }
        // Of a unit that is not counted yet, nobody knows that there is room for more than one.
        let mut shares = memory.shares.units.get(&ou).cloned().unwrap_or_default();
        for pool in memory.shares.decided.values().filter(|(_, at, _)| *at == ou).flat_map(|(.., pools)| pools) {
            *Arc::make_mut(&mut shares).spot.entry(pool.clone()).or_default() += 1;
        }
        Some(shares)
    }

    /// A launch is decided on: until it is answered, it counts in each pool that it may take.
    pub(crate) fn shares_decided(&self, account: AccountId, op: &Op, effective: &Effective) {
        if effective.policy.pool_share.ou == Percent::ALL || op.request.lifecycle != Lifecycle::Spot {
            return;
        }
        let now = self.now();
        let mut memory = self.memory();
        let Some(ou) = memory.accounts.get(&account).map(|account| account.ou.clone()) else { return };
        let pools =
            op.request.pools.iter().map(|pool| Pool { az: op.az.clone(), kind: pool.kind, product: op.product });
        memory.shares.decided.insert(op.id.clone(), (now, ou, pools.collect()));
    }

    /// A launch was answered; with the pool that gave, where one did.
    pub(crate) fn shares_answered(&self, account: AccountId, swap: &SwapId, gave: Option<&Pool>) {
        let mut memory = self.memory();
        if memory.shares.decided.remove(swap).is_none() {
            return;
        }
        let Some(ou) = memory.accounts.get(&account).map(|account| account.ou.clone()) else { return };
        if let (Some(pool), Some(shares)) = (gave, memory.shares.units.get_mut(&ou)) {
            // Until the next count.
            *Arc::make_mut(shares).spot.entry(pool.clone()).or_default() += 1;
        }
    }
}

impl Memory {
    fn count_units(&self) -> BTreeMap<OuPath, Arc<Shares>> {
        let mut units = BTreeMap::<OuPath, Shares>::new();
        let unit = |site: &Site| self.accounts.get(&site.account).map(|account| account.ou.clone());
        let served = self.groups.iter().filter(|(_, known)| known.served && known.standing == Standing::Enabled);
        for (ou, known) in served.filter_map(|(group, known)| Some((unit(&group.site)?, known))) {
            units.entry(ou).or_default().members += known.want;
        }
        for (ou, pool) in self.brought().filter_map(|(site, pool)| Some((unit(site)?, pool))) {
            *units.entry(ou).or_default().spot.entry(pool.clone()).or_default() += 1;
        }
        units.into_iter().map(|(ou, shares)| (ou, Arc::new(shares))).collect()
    }
}
