//! The market of a run as an outsider sees it: prices, capacity, and what the trace shows in use of it.
//!
//! Knows the market's own functions and the judge's naive reading of "compatible", and nothing of the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use spothub_core::catalog::{Catalog, InstanceType, Product, TypeId};
use spothub_core::group::Lifecycle;
use spothub_core::id::AzId;
use spothub_core::money::UsdPerHour;
use spothub_core::time::{Span, Timestamp};
use spothub_sim::delivered::{Asks, fits, fitting};
use spothub_sim::market::{Market, PoolId};
use spothub_sim::organization::Organization;
use spothub_sim::record::{Record, What};
use spothub_sim::scenario::Scenario;

/// What runs on demand, and what policy wants saved on it.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(crate) struct Asked {
    pub(crate) kind: String,
    pub(crate) os: String,
    pub(crate) az: AzId,
    pub(crate) on_demand: UsdPerHour,
    pub(crate) min_saving_percent: u8,
}

/// The market with what is in use.
pub(crate) struct Stall {
    market: Arc<Market>,
    start: Timestamp,
    /// From when to when each Spot instance was in its pool.
    used: BTreeMap<PoolId, Vec<(i64, i64)>>,
    fitting: BTreeMap<(TypeId, AzId, u32, u32, u32), Vec<TypeId>>,
    answers: BTreeMap<(Asked, i64), Option<UsdPerHour>>,
}

fn product(os: &str) -> Product {
    if os == "Windows" { Product::Windows } else { Product::Linux }
}

impl Stall {
    pub(crate) fn new(scenario: &Scenario, seed: u64, records: &[Record]) -> Self {
        let shape = scenario.shape(seed);
        let market = Arc::clone(&Organization::new(&shape, seed, Vec::new()).market);
        let mut ends = BTreeMap::new();
        for record in records {
            if let What::InstanceEnd { instance_id, .. } = &record.what {
                ends.entry(instance_id).or_insert(record.t);
            }
        }
        let mut used: BTreeMap<PoolId, Vec<(i64, i64)>> = BTreeMap::new();
        for record in records {
            let What::InstanceStart(start) = &record.what else { continue };
            let kind = Catalog::embedded().by_name(&start.kind);
            let pool = kind.and_then(|kind| market.pool(&start.az_id, kind, product(&start.os)));
            if let (Some(pool), Lifecycle::Spot) = (pool, start.lifecycle) {
                let end = ends.get(&start.instance_id).copied().unwrap_or(i64::MAX);
                used.entry(pool).or_default().push((record.t, end));
            }
        }
        Self { market, start: shape.start, used, fitting: BTreeMap::new(), answers: BTreeMap::new() }
    }

    /// The price of the cheapest fitting pool that saves enough and has room at a virtual millisecond.
    pub(crate) fn open(&mut self, asked: &Asked, t: i64) -> Option<UsdPerHour> {
        let key = (asked.clone(), t);
        if let Some(answer) = self.answers.get(&key) {
            return *answer;
        }
        let mut pools = self.affordable(asked, t, Asks::default());
        pools.retain(|&(_, pool)| self.room(pool, t));
        let answer = pools.into_iter().map(|(price, _)| price).min();
        self.answers.insert(key, answer);
        answer
    }

    /// Fitting pools that save enough, with room or without.
    pub(crate) fn affordable(&mut self, asked: &Asked, t: i64, asks: Asks) -> Vec<(UsdPerHour, PoolId)> {
        let catalog = Catalog::embedded();
        let Some(kind) = catalog.by_name(&asked.kind) else { return Vec::new() };
        let key = (kind, asked.az.clone(), asks.network_interfaces, asks.volumes, asks.ebs_tolerance_percent);
        let find = || fitting(catalog, &asked.az, kind, asks).map(|(id, _)| id).collect();
        let fits: Vec<TypeId> = self.fitting.entry(key).or_insert_with(find).clone();
        self.priced(asked, t, fits)
    }

    /// Pools that policy could take as well, read less strictly: a tenth less bandwidth of volumes, and any burstable
    /// type for a burstable one.
    pub(crate) fn affordable_widely(&mut self, asked: &Asked, t: i64, asks: Asks) -> Vec<(UsdPerHour, PoolId)> {
        let asks = Asks { ebs_tolerance_percent: 10, ..asks };
        let mut found = self.affordable(asked, t, asks);
        let catalog = Catalog::embedded();
        let Some(old) = catalog.by_name(&asked.kind).map(|id| catalog.get(id)).filter(|t| t.burstable) else {
            return found;
        };
        let burstable = catalog.types().filter(|(id, new)| new.burstable && catalog.offered(&asked.az, *id));
        let as_family = |new: &InstanceType| InstanceType { family: old.family.clone(), ..new.clone() };
        let fits: Vec<TypeId> =
            burstable.filter(|(_, new)| fits(old, &as_family(new), asks)).map(|(id, _)| id).collect();
        found.extend(self.priced(asked, t, fits));
        found
    }

    fn priced(&self, asked: &Asked, t: i64, fits: Vec<TypeId>) -> Vec<(UsdPerHour, PoolId)> {
        let most = asked.on_demand.0 * i64::from(100 - asked.min_saving_percent) / 100;
        let at = self.start + Span(t);
        let pools = fits.into_iter().filter_map(|other| self.market.pool(&asked.az, other, product(&asked.os)));
        let priced = pools.filter_map(|pool| Some((self.market.price_at(pool, at)?, pool)));
        priced.filter(|(price, _)| price.0 <= most).collect()
    }

    fn room(&self, pool: PoolId, t: i64) -> bool {
        let used = self.used.get(&pool).map_or(0, |lives| lives.iter().filter(|(a, b)| *a <= t && t < *b).count());
        usize::try_from(self.market.capacity_at(pool, self.start + Span(t))).unwrap_or(usize::MAX) > used
    }
}
