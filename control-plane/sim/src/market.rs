//! The Spot market by pool: price and capacity as functions of the seed, the pool and the time.
//!
//! Knows no instance and keeps no state but the time from which the market is quiet, and the prices last asked for,
//! since most are asked for again before they change. Integers only; prices are
//! millionths of a USD per hour.

pub(crate) mod capacity;
pub mod replay;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use spothub_core::catalog::{Catalog, Product, TypeId};
use spothub_core::id::{AzId, Region};
use spothub_core::market::Pool;
use spothub_core::money::UsdPerHour;
use spothub_core::time::{Span, Timestamp};

use crate::exec::lock;
use crate::seed::{draw, purpose, scale};
use crate::shape::MarketShape;

/// A pool by number: zone, type and product packed, in that order.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct PoolId(u32);

const KIND_BITS: u32 = 16;
const PRODUCT_BITS: u32 = 2;

impl PoolId {
    fn new(zone: u16, kind: TypeId, product: Product) -> Self {
        Self((u32::from(zone) << (KIND_BITS + PRODUCT_BITS)) | (u32::from(kind.0) << PRODUCT_BITS) | product as u32)
    }

    /// The zone's number in the market.
    #[must_use]
    pub fn zone(self) -> u16 {
        (self.0 >> (KIND_BITS + PRODUCT_BITS)) as u16
    }

    /// The type.
    #[must_use]
    pub fn kind(self) -> TypeId {
        TypeId(((self.0 >> PRODUCT_BITS) & 0xffff) as u16)
    }

    /// The product.
    #[must_use]
    pub fn product(self) -> Product {
        Product::ALL[(self.0 & 3) as usize]
    }

    /// Without the product: what belongs to the hardware is the same for all products.
    fn hardware(self) -> u64 {
        u64::from(self.0 >> PRODUCT_BITS)
    }
}

struct Zone {
    az: AzId,
    region: usize,
    offered: Vec<bool>,
}

struct Prices {
    region: Region,
    /// On-demand by product and type; 0 where there is none.
    on_demand: [Vec<i64>; 4],
}

/// The market of all zones of some regions.
pub struct Market {
    seed: u64,
    shape: MarketShape,
    start: Timestamp,
    zones: Vec<Zone>,
    by_az: BTreeMap<AzId, u16>,
    regions: Vec<Prices>,
    /// Larger types have less: the divisor's vCPU.
    vcpu: Vec<u32>,
    spot: Vec<bool>,
    /// What hardware usually costs, by zone and type, in thousandths of on-demand.
    usual: Vec<u16>,
    quiet_from: AtomicI64,
    asked: Mutex<Vec<Asked>>,
}

/// The price last asked for of a pool, and from when until when it is in force.
#[derive(Clone, Copy, Default)]
struct Asked {
    from: i64,
    until: i64,
    price: i64,
}

const P_TYPE: u64 = purpose("price-type");
const P_ZONE: u64 = purpose("price-zone");
const P_DEAR: u64 = purpose("price-dear");
const P_RHYTHM: u64 = purpose("price-rhythm");
const P_MOMENT: u64 = purpose("price-moment");
const P_DRIFT: u64 = purpose("price-drift");
const P_NOISE: u64 = purpose("price-noise");

/// Two, three or four changes a day.
const RHYTHMS: [i64; 3] = [12 * 3_600_000, 8 * 3_600_000, 6 * 3_600_000];
/// Changes between two points of the slow drift.
const DRIFT: i64 = 8;
/// How far the slow drift goes, in thousandths of what is usual.
const DRIFT_MAX: i64 = 120;
/// How far one change stands off the drift, likewise.
const NOISE_MAX: i64 = 15;

impl Market {
    /// The market of these regions, all zones of the catalogue.
    #[must_use]
    pub fn new(seed: u64, shape: MarketShape, start: Timestamp, regions: &[Region]) -> Self {
        let catalog = Catalog::in_use();
        let mut market = Self {
            seed,
            shape,
            start,
            zones: Vec::new(),
            by_az: BTreeMap::new(),
            regions: Vec::new(),
            vcpu: catalog.types().map(|(_, t)| t.vcpu).collect(),
            spot: catalog.types().map(|(_, t)| t.spot).collect(),
            usual: Vec::new(),
            quiet_from: AtomicI64::new(i64::MAX),
            asked: Mutex::default(),
        };
        for region in regions {
            let index = market.regions.len();
            let price = |product| {
                let of = |(id, _)| catalog.on_demand(region, product, id).map_or(0, |p| p.0);
                catalog.types().map(of).collect()
            };
            market.regions.push(Prices { region: region.clone(), on_demand: Product::ALL.map(price) });
            for az in catalog.zones(region) {
                let Ok(number) = u16::try_from(market.zones.len()) else { continue };
                market.by_az.insert(az.clone(), number);
                let offered = catalog.types().map(|(id, _)| catalog.offered(az, id)).collect();
                market.zones.push(Zone { az: az.clone(), region: index, offered });
            }
        }
        market.usual = market.usual_prices();
        let pools = market.zones.len() * market.spot.len() * Product::ALL.len();
        market.asked = Mutex::new(vec![Asked::default(); pools]);
        market
    }

    /// From here on no episode and no storm begins or lasts: capacity is what it usually is.
    pub fn quiet(&self, from: Timestamp) {
        self.quiet_from.store(from.0, Ordering::Relaxed);
    }

    /// The zone's number, where the market has it.
    #[must_use]
    pub fn zone(&self, az: &AzId) -> Option<u16> {
        self.by_az.get(az).copied()
    }

    /// The zone of that number.
    #[must_use]
    pub fn az(&self, zone: u16) -> &AzId {
        &self.zones[usize::from(zone)].az
    }

    /// Zones of a region, by number.
    pub fn zones_of<'a>(&'a self, region: &'a Region) -> impl Iterator<Item = u16> + 'a {
        let own = move |(_, z): &(u16, &Zone)| self.regions[z.region].region == *region;
        (0_u16..).zip(&self.zones).filter(own).map(|(number, _)| number)
    }

    /// The pool of that zone, whether or not it is offered.
    #[must_use]
    pub fn pool(&self, az: &AzId, kind: TypeId, product: Product) -> Option<PoolId> {
        self.zone(az).map(|zone| PoolId::new(zone, kind, product))
    }

    /// The pool of a zone's number.
    #[must_use]
    pub fn pool_at(zone: u16, kind: TypeId, product: Product) -> PoolId {
        PoolId::new(zone, kind, product)
    }

    /// The pool in core's words.
    #[must_use]
    pub fn describe(&self, pool: PoolId) -> Pool {
        Pool { az: self.az(pool.zone()).clone(), kind: pool.kind(), product: pool.product() }
    }

    /// Pools of a region and product that are offered and priced, by zone and type.
    pub fn pools<'a>(&'a self, region: &'a Region, product: Product) -> impl Iterator<Item = PoolId> + 'a {
        let kinds = u16::try_from(self.spot.len()).unwrap_or(u16::MAX);
        self.zones_of(region)
            .flat_map(move |zone| (0..kinds).map(move |kind| PoolId::new(zone, TypeId(kind), product)))
            .filter(|&pool| self.is_offered(pool))
    }

    /// Whether Spot is offered there: type, zone and price exist.
    #[must_use]
    pub fn is_offered(&self, pool: PoolId) -> bool {
        let (zone, kind) = (usize::from(pool.zone()), pool.kind().index());
        self.zones
            .get(zone)
            .is_some_and(|z| z.offered.get(kind) == Some(&true) && self.spot[kind] && self.on_demand_micros(pool) > 0)
    }

    /// The on-demand price at the pool's place, where there is one.
    #[must_use]
    pub fn on_demand(&self, pool: PoolId) -> Option<UsdPerHour> {
        let micros = self.on_demand_micros(pool);
        (micros > 0).then_some(UsdPerHour(micros))
    }

    fn on_demand_micros(&self, pool: PoolId) -> i64 {
        let region = &self.regions[self.zones[usize::from(pool.zone())].region];
        region.on_demand[pool.product() as usize].get(pool.kind().index()).copied().unwrap_or(0)
    }

    /// The price in force; `None` where Spot is not offered.
    #[must_use]
    pub fn price_at(&self, pool: PoolId, at: Timestamp) -> Option<UsdPerHour> {
        if !self.is_offered(pool) {
            return None;
        }
        let index = usize::from(pool.zone()) * self.spot.len() + pool.kind().index();
        let index = index * Product::ALL.len() + pool.product() as usize;
        let asked = lock(&self.asked)[index];
        if asked.from <= at.0 && at.0 < asked.until {
            return Some(UsdPerHour(asked.price));
        }
        let n = self.change_at(pool, at);
        let price = self.price_of_change(pool, n);
        let (from, until) = (self.moment(pool, n), self.moment(pool, n + 1));
        lock(&self.asked)[index] = Asked { from, until, price: price.0 };
        Some(price)
    }

    /// When the price changes next, after `at`.
    #[must_use]
    pub fn next_change(&self, pool: PoolId, at: Timestamp) -> Timestamp {
        Timestamp(self.moment(pool, self.change_at(pool, at) + 1))
    }

    /// The price in force at `from`, and each change after it up to `to`, in order of time.
    #[must_use]
    pub fn changes(&self, pool: PoolId, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, UsdPerHour)> {
        if !self.is_offered(pool) {
            return Vec::new();
        }
        let (first, last) = (self.change_at(pool, from), self.change_at(pool, to));
        (first..=last).map(|n| (Timestamp(self.moment(pool, n)), self.price_of_change(pool, n))).collect()
    }

    /// No price of the pool is ever below this.
    #[must_use]
    pub fn least(&self, pool: PoolId) -> UsdPerHour {
        self.price_for(pool, self.permille_of(pool, -(DRIFT_MAX + NOISE_MAX)))
    }

    fn rhythm(&self, pool: PoolId) -> (i64, i64) {
        let bits = draw(self.seed, P_RHYTHM, u64::from(pool.0), 0);
        let every = RHYTHMS[(bits % 3) as usize];
        (every, signed(scale(bits.rotate_left(32), unsigned(every))))
    }

    /// When change `n` comes into force: once in each beat, in its first half at a moment of its own.
    fn moment(&self, pool: PoolId, n: i64) -> i64 {
        let (every, phase) = self.rhythm(pool);
        self.moment_in(pool, n, every, phase)
    }

    fn moment_in(&self, pool: PoolId, n: i64, every: i64, phase: i64) -> i64 {
        let bits = draw(self.seed, P_MOMENT, u64::from(pool.0), n.cast_unsigned());
        n * every + phase + signed(scale(bits, unsigned(every / 2)))
    }

    /// The number of the change in force at `at`.
    fn change_at(&self, pool: PoolId, at: Timestamp) -> i64 {
        let (every, phase) = self.rhythm(pool);
        let n = (at.0 - phase).div_euclid(every);
        if self.moment_in(pool, n, every, phase) <= at.0 { n } else { n - 1 }
    }

    fn price_of_change(&self, pool: PoolId, n: i64) -> UsdPerHour {
        self.price_for(pool, self.permille(pool, n))
    }

    fn price_for(&self, pool: PoolId, permille: i64) -> UsdPerHour {
        let on_demand = self.on_demand_micros(pool);
        let linux = self.on_demand_micros(PoolId::new(pool.zone(), pool.kind(), Product::Linux));
        // Only the hardware is discounted; the licence is not. Without a Linux price all counts as hardware.
        let hardware = if linux > 0 { linux.min(on_demand) } else { on_demand };
        let license = on_demand - hardware;
        let spot = hardware * permille / 1000;
        // EC2 quotes to a hundredth of a cent.
        let rounded = (license + spot).div_euclid(100) * 100;
        UsdPerHour(rounded.clamp(100.min(on_demand), on_demand))
    }

    /// The hardware's price in thousandths of on-demand, at change `n`.
    fn permille(&self, pool: PoolId, n: i64) -> i64 {
        let bits = draw(self.seed, P_NOISE, u64::from(pool.0), n.cast_unsigned());
        let noise = between(bits, 2 * NOISE_MAX.unsigned_abs()) - NOISE_MAX;
        self.permille_of(pool, self.drift(pool, n) + noise)
    }

    /// The hardware's price in thousandths of on-demand, that many thousandths off what is usual.
    fn permille_of(&self, pool: PoolId, off: i64) -> i64 {
        let base = i64::from(self.usual[usize::from(pool.zone()) * self.spot.len() + pool.kind().index()]);
        let level = i64::from(self.shape.price_permille);
        (base + base * off / 1000) * level / 1000
    }

    /// What hardware usually costs in each zone.
    fn usual_prices(&self) -> Vec<u16> {
        let kinds = u16::try_from(self.spot.len()).unwrap_or(u16::MAX);
        let zones = (0_u16..).zip(&self.zones);
        let all = zones.flat_map(|(number, zone)| (0..kinds).map(move |kind| (number, zone.region, TypeId(kind))));
        all.map(|(zone, region, kind)| self.usual_price(zone, region, kind)).collect()
    }

    fn usual_price(&self, zone: u16, region: usize, kind: TypeId) -> u16 {
        if let Some(known) = self.shape.usual_permille.get(self.az(zone)).and_then(|kinds| kinds.get(&kind)) {
            return *known;
        }
        let hardware = PoolId::new(zone, kind, Product::Linux).hardware();
        let dear = draw(self.seed, P_DEAR, hardware, 0);
        if scale(dear, 1000) < u64::from(self.shape.expensive_permille) {
            return u16::try_from(850 + between(dear.rotate_left(32), 140)).unwrap_or(u16::MAX);
        }
        let by_type = draw(self.seed, P_TYPE, u64::from(kind.0), region as u64);
        let base = 280 + between(by_type, 270);
        let by_zone = draw(self.seed, P_ZONE, hardware, 0);
        // One zone in eight stands out by up to a half, the others by a few percent.
        let off = if by_zone.is_multiple_of(8) { between(by_zone, 500) } else { between(by_zone, 100) - 40 };
        u16::try_from(base + base * off / 1000).unwrap_or(u16::MAX)
    }

    /// From `-DRIFT_MAX` to `DRIFT_MAX`, straight lines between points some days apart.
    fn drift(&self, pool: PoolId, n: i64) -> i64 {
        let (point, part) = (n.div_euclid(DRIFT), n.rem_euclid(DRIFT));
        let at = |p: i64| {
            between(draw(self.seed, P_DRIFT, u64::from(pool.0), p.cast_unsigned()), 2 * DRIFT_MAX.unsigned_abs())
                - DRIFT_MAX
        };
        (at(point) * (DRIFT - part) + at(point + 1) * part) / DRIFT
    }

    fn since_start(&self, at: Timestamp) -> Span {
        at.since(self.start)
    }
}

fn between(bits: u64, n: u64) -> i64 {
    signed(scale(bits, n + 1))
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
