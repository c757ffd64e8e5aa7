//! The breakers of sites at work: failures are counted in the store, so that all workers share them and a restart
//! forgets none.
//!
//! A row is written when a swap fails, and when one is done while failures are counted: in good times there is none. A
//! worker that dies between a swap's end and this write forgets one failure, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use spothub_core::breaker::{Breaker, Guards, POOLS, SITES, State, tells_of_site};
use spothub_core::catalog::{Catalog, Product};
use spothub_core::id::{AzId, Region, Site, SwapId};
use spothub_core::market::{Pool, REFUSED_COUNTS};
use spothub_core::port::{Expect, LaunchPool, Put, Store, StoreError, Stored, WRITE_ITEMS_MAX};
use spothub_core::record::{Closed, End, FORMAT, Why};
use spothub_core::time::Timestamp;

use crate::engine::Engine;
use crate::rows::{self, ROW_FENCE};

/// Tries of a write that another worker was faster at: they meet when swaps of one site end at once.
const TRIES_MAX: usize = 5;

/// The stored breaker of a site.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Format of the item.
    pub format: u16,
    /// Which account and region.
    pub site: Site,
    /// The breaker.
    #[serde(flatten)]
    pub breaker: Breaker,
}

/// The stored breaker of a pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PoolRow {
    /// Format of the item.
    pub format: u16,
    /// The region whose market it belongs to.
    pub region: Region,
    /// Which pool.
    pub pool: Pool,
    /// Insufficient-capacity answers in a row.
    pub refusals: u32,
    /// Nobody asks it before then; the next one who does is alone.
    pub until: Timestamp,
    /// When it last refused.
    pub at: Timestamp,
}

impl PoolRow {
    fn put(&self) -> Option<Put> {
        let value = serde_json::to_vec(self).ok()?;
        Some(Put {
            key: pool_key(&self.region, &self.pool),
            value: Some(value),
            expect: Expect::Anything,
            fence: ROW_FENCE,
        })
    }
}

fn pool_key(region: &Region, pool: &Pool) -> String {
    let kind = &Catalog::in_use().get(pool.kind).name;
    format!("{POOLS}{region}/{}/{kind}/{}", pool.az, pool.product.label())
}

/// What is known of the breakers, by site.
pub(crate) type Known = BTreeMap<Site, Breaker>;

fn key(site: &Site) -> String {
    format!("{SITES}{site}")
}

/// A breaker that is not closed, for `status`.
#[derive(Clone, Debug, Serialize)]
pub struct Opened {
    /// Of what kind of thing it is.
    pub guards: Guards,
    /// Which one: a group, an account's region, or a pool.
    pub of: String,
    /// Open or half-open.
    pub state: State,
    /// What failed last: a stable label.
    pub why: Option<&'static str>,
    /// Failures in a row.
    pub failures: u32,
    /// The next try is not before then.
    pub until: Timestamp,
}

/// The breakers of sites and pools that are not closed.
pub(crate) async fn opened(store: &dyn Store, now: Timestamp) -> Result<Vec<Opened>, StoreError> {
    let mut opened = Vec::new();
    for row in rows::all(store, SITES).await? {
        let Ok(Row { site, breaker, .. }) = serde_json::from_slice(&row.value) else { continue };
        if let Some((_, until)) = breaker.open {
            opened.push(Opened {
                guards: Guards::Site,
                of: site.to_string(),
                state: breaker.state(now),
                why: breaker.why.map(Why::label),
                failures: breaker.failures,
                until,
            });
        }
    }
    for row in rows::all(store, POOLS).await? {
        let Ok(PoolRow { region, pool, refusals, until, .. }) = serde_json::from_slice(&row.value) else { continue };
        let kind = &Catalog::in_use().get(pool.kind).name;
        opened.push(Opened {
            guards: Guards::Pool,
            of: format!("{kind} {} in {} ({region})", pool.product.label(), pool.az),
            state: if now < until { State::Open } else { State::HalfOpen },
            why: Some(Why::NoCapacity.label()),
            failures: refusals,
            until,
        });
    }
    Ok(opened)
}

impl Engine {
    /// Reads what other workers noted; where that fails, what is known stays.
    pub(crate) async fn hear_breakers(&self) {
        let Ok(rows) = rows::all(&*self.ports.store, SITES).await else { return };
        let read = |row: &[u8]| serde_json::from_slice::<Row>(row).ok().filter(|row| row.format <= FORMAT);
        let known = rows.iter().filter_map(|row| read(&row.value)).map(|row| (row.site, row.breaker)).collect();
        self.memory().breakers = known;
        let Ok(rows) = rows::all(&*self.ports.store, POOLS).await else { return };
        let mut closed = BTreeMap::<Region, BTreeMap<Pool, (u32, Timestamp)>>::new();
        let read = |row: &[u8]| serde_json::from_slice::<PoolRow>(row).ok().filter(|row| row.format <= FORMAT);
        for row in rows.iter().filter_map(|row| read(&row.value)) {
            closed.entry(row.region).or_default().insert(row.pool, (row.refusals, row.until));
        }
        let mut memory = self.memory();
        let regions: BTreeSet<Region> = memory.markets.keys().chain(closed.keys()).cloned().collect();
        for region in regions {
            let closed = closed.remove(&region).unwrap_or_default();
            memory.signal(&region, |signals| signals.hear(&closed));
        }
    }

    /// Marks the pools of a launch that is about to be sent.
    pub(crate) fn asking(&self, site: &Site, az: &AzId, product: Product, pools: &[LaunchPool]) {
        let now = self.now();
        self.memory().signal(&site.region, |signals| {
            for pool in pools {
                signals.asked(&Pool { az: az.clone(), kind: pool.kind, product }, now);
            }
        });
    }

    /// What a launch says of pools: to all accounts of this worker at once, and of others with their next look.
    pub(crate) async fn told(&self, region: &Region, refused: Vec<Pool>, gave: Option<Pool>) {
        let now = self.now();
        let mut puts = Vec::new();
        self.memory().signal(region, |signals| {
            for pool in refused {
                if signals.refused(&pool, now) {
                    let signal = signals.of(&pool);
                    let (refusals, until) = (signal.refusals, signal.closed_until.unwrap_or(now));
                    let row = PoolRow { format: FORMAT, region: region.clone(), pool, refusals, until, at: now };
                    puts.extend(row.put());
                }
            }
            if let Some(pool) = gave
                && signals.gave(&pool, now)
            {
                puts.push(rows::gone(pool_key(region, &pool)));
            }
        });
        for some in puts.chunks(WRITE_ITEMS_MAX) {
            if self.ports.store.write(some).await.is_err() {
                tracing::debug!(region = %region, "what pools answered is known to this worker alone");
            }
        }
    }

    /// Deletes rows of pools that nobody was refused by for long.
    pub(crate) async fn forget_pools(&self) {
        if !self.leads(POOLS) {
            return;
        }
        let Ok(rows) = rows::all(&*self.ports.store, POOLS).await else { return };
        let now = self.now();
        let old = |row: &&Stored| {
            serde_json::from_slice::<PoolRow>(&row.value).is_ok_and(|row| row.until + REFUSED_COUNTS < now)
        };
        let puts: Vec<Put> = rows.iter().filter(old).map(|row| rows::gone(row.key.clone())).collect();
        for some in puts.chunks(WRITE_ITEMS_MAX) {
            let _ = self.ports.store.write(some).await;
        }
    }

    /// Whether a swap may begin at a site: the first after a breaker was open is its probe, and the store decides
    /// whose that is.
    pub(crate) async fn passes(&self, site: &Site, swap: &SwapId) -> bool {
        let now = self.now();
        let half_open = self.memory().breakers.get(site).is_some_and(|b| b.state(now) != State::Closed);
        if !half_open {
            return true;
        }
        let mut begun = false;
        let written = self.change(site, |breaker| begun = breaker.begin(swap, now)).await;
        written && begun
    }

    /// Counts how a swap ended.
    pub(crate) async fn count(&self, closed: &Closed) {
        if closed.id.is_rescue() {
            return;
        }
        let (site, now) = (&closed.group.site, self.now());
        let counted = self.memory().breakers.contains_key(site);
        let written = match closed.end {
            End::Done { .. } if counted => self.change(site, Breaker::succeeded).await,
            End::Undone { why } | End::Failed { why } if tells_of_site(why) => {
                self.change(site, |breaker| breaker.failed(&closed.id, &closed.group, why, now)).await
            }
            End::Stranded => {
                self.change(site, |breaker| breaker.failed(&closed.id, &closed.group, Why::Denied, now)).await
            }
            End::Undone { .. } | End::Failed { .. } if counted => {
                self.change(site, |breaker| breaker.unproved(&closed.id)).await
            }
            End::Done { .. } | End::Undone { .. } | End::Failed { .. } => true,
        };
        if !written {
            tracing::warn!(account = %site.account, region = %site.region, "a swap's end was not counted");
        }
    }

    /// Changes the breaker of a site in the store; a row that says nothing is deleted.
    async fn change(&self, site: &Site, mut change: impl FnMut(&mut Breaker)) -> bool {
        let key = key(site);
        for _ in 0..TRIES_MAX {
            let Ok(stored) = self.ports.store.get(&key).await else { return false };
            let expect = stored.as_ref().map_or(Expect::Absent, |row| Expect::Version(row.version));
            let before = match stored.map(|row| serde_json::from_slice::<Row>(&row.value)) {
                None => Breaker::default(),
                Some(Ok(row)) if row.format <= FORMAT => row.breaker,
                // A newer program counts in its own way.
                Some(_) => return false,
            };
            let mut breaker = before.clone();
            change(&mut breaker);
            if breaker == before {
                self.knows(site, breaker);
                return true;
            }
            let (opens, reset) = (breaker.opened > before.opened, breaker == Breaker::default());
            let row = Row { format: FORMAT, site: site.clone(), breaker: breaker.clone() };
            let Ok(value) = serde_json::to_vec(&row) else { return false };
            let put = Put { key: key.clone(), value: (!reset).then_some(value), expect, fence: ROW_FENCE };
            match self.ports.store.write(&[put]).await {
                Ok(_) => {
                    if opens {
                        let why = breaker.why.map(Why::label);
                        tracing::warn!(account = %site.account, region = %site.region, why, "a breaker opened");
                    }
                    self.knows(site, breaker);
                    return true;
                }
                Err(StoreError::Lost(_)) => {}
                Err(_) => return false,
            }
        }
        false
    }

    fn knows(&self, site: &Site, breaker: Breaker) {
        let mut memory = self.memory();
        if breaker == Breaker::default() {
            memory.breakers.remove(site);
        } else {
            memory.breakers.insert(site.clone(), breaker);
        }
    }
}
