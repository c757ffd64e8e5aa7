//! Prices and capacity signals of one region, keyed by availability zone id: what one account learns, all know.
//!
//! Knows what was quoted and when; a pool without a quote is unknown, never free.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalog::{Product, TypeId};
use crate::id::{AzId, Region};
use crate::money::UsdPerHour;
use crate::placement::Placements;
use crate::time::{Span, Timestamp};

/// A Spot capacity pool of a known zone: what EC2 prices, fills and empties as one.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct Pool {
    /// Where.
    pub az: AzId,
    /// Which type.
    pub kind: TypeId,
    /// Which operating system's price.
    pub product: Product,
}

/// One row of DescribeSpotPriceHistory.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SpotPrice {
    /// The pool.
    pub pool: Pool,
    /// The price from `at` on.
    pub price: UsdPerHour,
    /// When it came into force.
    pub at: Timestamp,
}

/// A zone's pools of one product.
type Zone = (AzId, Product);
/// Prices by type number.
type Prices = Vec<Option<UsdPerHour>>;

/// The prices in force in a region, as read at one time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quotes {
    /// When they were read.
    pub as_of: Timestamp,
    zones: BTreeMap<Zone, Prices>,
}

impl Quotes {
    /// Quotes from rows of which the last of each pool counts.
    #[must_use]
    pub fn new(as_of: Timestamp, rows: impl IntoIterator<Item = SpotPrice>) -> Self {
        let mut quotes = Self { as_of, zones: BTreeMap::new() };
        // Rows come zone by zone: the table of the last one is kept at hand.
        let mut at_hand: Option<(Zone, Prices)> = None;
        for row in rows {
            let same = at_hand.as_ref().is_some_and(|((az, product), _)| {
                *product == row.pool.product && (az.is_same(&row.pool.az) || *az == row.pool.az)
            });
            if !same {
                if let Some((key, prices)) = at_hand.take() {
                    quotes.zones.insert(key, prices);
                }
                let key = (row.pool.az.clone(), row.pool.product);
                let prices = quotes.zones.remove(&key).unwrap_or_default();
                at_hand = Some((key, prices));
            }
            if let Some((_, prices)) = &mut at_hand {
                put(prices, row.pool.kind, row.price);
            }
        }
        if let Some((key, prices)) = at_hand {
            quotes.zones.insert(key, prices);
        }
        quotes
    }

    /// Sets the price in force of one pool.
    pub fn set(&mut self, pool: &Pool, price: UsdPerHour) {
        put(self.zones.entry((pool.az.clone(), pool.product)).or_default(), pool.kind, price);
    }

    /// The prices of a zone by type number, empty where nothing is known of the zone.
    #[must_use]
    pub fn zone(&self, az: &AzId, product: Product) -> &[Option<UsdPerHour>] {
        self.zones.get(&(az.clone(), product)).map_or(&[], Vec::as_slice)
    }

    /// All pools that have a quote, with it.
    pub fn iter(&self) -> impl Iterator<Item = (Pool, UsdPerHour)> {
        self.zones.iter().flat_map(|((az, product), prices)| {
            let known = (0..).zip(prices).filter_map(|(kind, price)| Some((TypeId(kind), (*price)?)));
            known.map(|(kind, price)| (Pool { az: az.clone(), kind, product: *product }, price))
        })
    }

    /// The price in force of one pool, where it is known.
    #[must_use]
    pub fn get(&self, pool: &Pool) -> Option<UsdPerHour> {
        self.zone(&pool.az, pool.product).get(usize::from(pool.kind.0)).copied().flatten()
    }
}

fn put(prices: &mut Prices, kind: TypeId, price: UsdPerHour) {
    let index = kind.index();
    if prices.len() <= index {
        prices.resize(index + 1, None);
    }
    prices[index] = Some(price);
}

/// What the organization has lately learnt of one pool.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Do not try before this time: it answered "insufficient capacity".
    pub closed_until: Option<Timestamp>,
    /// Insufficient-capacity answers in a row.
    pub refusals: u32,
    /// Somebody tries it again just now, after it was closed: others wait for the answer, until then at most.
    #[serde(default)]
    pub probed_until: Option<Timestamp>,
    /// The last instance that it gave.
    #[serde(default)]
    pub gave_at: Option<Timestamp>,
    /// Launches in a minute that it is asked for since it last refused; 0 for as many as come.
    #[serde(default)]
    pub allowance: u8,
    /// Instances that it gave within the minute that began with the first of them.
    #[serde(default)]
    pub given: Option<(Timestamp, u8)>,
    /// The last interruption or rebalance recommendation seen there.
    pub taken_at: Option<Timestamp>,
}

/// The first closing of a pool after an insufficient-capacity answer; doubles with each further one.
/// Karpenter closes for 3 minutes; shorter asks again while the answer is still the same.
pub const CLOSED_FIRST: Span = Span::mins(3);
/// How long others wait for the answer of who tries a pool again: a launch is answered within 20 s.
pub const PROBE_MAX: Span = Span::mins(1);
/// The longest closing: capacity comes back within the hour often enough to look once in that time.
pub const CLOSED_MAX: Span = Span::mins(45);
/// How long after it may be asked again a pool that refused stays behind those that never did. A group without Spot
/// fleets asks one pool in ten minutes: it gets to the sixtieth, if all before have nothing, within this time.
pub const REFUSED_COUNTS: Span = Span::hours(12);
/// Launches in a minute that a pool is asked for after its first refusal: half of what one that never refused would
/// give to an ordinary organization. Each further refusal halves it, each instance given doubles it.
pub const ALLOWED_FIRST: u8 = 8;
/// An allowance that would be greater is no longer counted.
const ALLOWED_MAX: u8 = 32;
/// The time that an allowance is for.
pub const ALLOWED_PER: Span = Span::mins(1);
/// How long an interruption counts against its pool. The traces show takebacks clustered within the hour.
pub const TAKEN_COUNTS: Span = Span::mins(60);

/// Pools of one zone that take instances back within [`EMPTIED_WITHIN`] of each other, from which on the zone counts as
/// being emptied: ordinary takings of a large organization come from one or two.
const EMPTIED_POOLS: usize = 4;

/// Within what time: about as long as a newcomer boots. Longer keeps more on demand that could be on Spot; in `storm`
/// this loses half of the newcomers that 45 s lose again, and keeps as much on Spot.
const EMPTIED_WITHIN: Span = Span::secs(90);

/// How long a launch speaks for its pool: where most others refuse, it is the best sign that there is.
pub const GAVE_COUNTS: Span = Span::mins(60);

/// What is known of all pools of a region.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Signals {
    pools: BTreeMap<(AzId, Product), BTreeMap<TypeId, Signal>>,
}

impl Signal {
    /// Whether it gave an instance lately.
    #[must_use]
    pub fn gave_lately(&self, now: Timestamp) -> bool {
        self.gave_at.is_some_and(|at| now < at + GAVE_COUNTS)
    }

    /// Whether it took an instance back, or said that it may, so lately that it may again.
    #[must_use]
    pub fn took_lately(&self, now: Timestamp) -> bool {
        self.taken_at.is_some_and(|at| now < at + TAKEN_COUNTS)
    }

    /// Whether nobody should ask this pool now: it refused lately, somebody asks it again just now, or it gave as many
    /// as it is trusted with for the moment.
    #[must_use]
    pub fn closed(&self, now: Timestamp) -> bool {
        self.closed_until.is_some_and(|until| now < until)
            || self.probed_until.is_some_and(|until| now < until)
            || (self.allowance > 0 && self.given_lately(now) >= self.allowance)
    }

    /// Instances that it gave within the minute, as far as they are counted.
    fn given_lately(&self, now: Timestamp) -> u8 {
        self.given.filter(|(since, _)| now < *since + ALLOWED_PER).map_or(0, |(_, given)| given)
    }
}

impl Signals {
    fn entry(&mut self, pool: &Pool) -> &mut Signal {
        self.pools.entry((pool.az.clone(), pool.product)).or_default().entry(pool.kind).or_default()
    }

    /// Everything known of a zone.
    #[must_use]
    pub fn zone(&self, az: &AzId, product: Product) -> Option<&BTreeMap<TypeId, Signal>> {
        self.pools.get(&(az.clone(), product))
    }

    /// The pool answered "insufficient capacity"; whether that is news.
    pub fn refused(&mut self, pool: &Pool, now: Timestamp) -> bool {
        let signal = self.entry(pool);
        // An answer from a parallel launch within the closing says nothing new.
        if signal.closed_until.is_some_and(|until| now < until) {
            return false;
        }
        signal.probed_until = None;
        let doubled = CLOSED_FIRST.times(1 << signal.refusals.min(8));
        signal.closed_until = Some(now + doubled.min(CLOSED_MAX));
        signal.refusals += 1;
        signal.allowance = if signal.allowance == 0 { ALLOWED_FIRST } else { (signal.allowance / 2).max(1) };
        true
    }

    /// The pool gave an instance; whether that is news.
    pub fn gave(&mut self, pool: &Pool, now: Timestamp) -> bool {
        let signal = self.entry(pool);
        signal.gave_at = Some(now);
        let given = signal.given_lately(now);
        let since = signal.given.filter(|_| given > 0).map_or(now, |(since, _)| since);
        signal.given = Some((since, given.saturating_add(1)));
        let doubled = signal.allowance.saturating_mul(2);
        signal.allowance = if doubled > ALLOWED_MAX { 0 } else { doubled };
        let refused = signal.refusals > 0;
        (signal.closed_until, signal.probed_until, signal.refusals) = (None, None, 0);
        refused
    }

    /// A launch asks this pool: where it was closed before, that is the one try whose answer others wait for.
    pub fn asked(&mut self, pool: &Pool, now: Timestamp) {
        let signal = self.pools.get_mut(&(pool.az.clone(), pool.product)).and_then(|zone| zone.get_mut(&pool.kind));
        if let Some(signal) = signal.filter(|signal| signal.refusals > 0) {
            signal.probed_until = Some(now + PROBE_MAX);
        }
    }

    /// Takes what other workers know: all pools that are closed or were when they were last asked.
    pub fn hear(&mut self, closed: &BTreeMap<Pool, (u32, Timestamp)>) {
        for ((az, product), zone) in &mut self.pools {
            for (kind, signal) in zone.iter_mut().filter(|(_, signal)| signal.refusals > 0) {
                let pool = Pool { az: az.clone(), kind: *kind, product: *product };
                if !closed.contains_key(&pool) {
                    (signal.closed_until, signal.probed_until, signal.refusals) = (None, None, 0);
                }
            }
        }
        for (pool, (refusals, until)) in closed {
            let signal = self.entry(pool);
            if *refusals > signal.refusals {
                signal.allowance = (ALLOWED_FIRST >> (refusals - 1).min(7)).max(1);
            }
            (signal.refusals, signal.closed_until) = (*refusals, Some(*until));
        }
    }

    /// What is known of a pool.
    #[must_use]
    pub fn of(&self, pool: &Pool) -> Signal {
        self.zone(&pool.az, pool.product).and_then(|zone| zone.get(&pool.kind)).copied().unwrap_or_default()
    }

    /// The pool took an instance back, or said that it may.
    pub fn took(&mut self, pool: &Pool, now: Timestamp) {
        self.entry(pool).taken_at = Some(now);
    }

    /// Whether a zone is being emptied just now: so many of its pools took instances back within minutes that the next
    /// one may fall before a newcomer has booted.
    #[must_use]
    pub fn emptied(&self, az: &AzId, product: Product, now: Timestamp) -> bool {
        let zone = self.zone(az, product).into_iter().flat_map(BTreeMap::values);
        zone.filter(|signal| signal.taken_at.is_some_and(|at| now < at + EMPTIED_WITHIN)).count() >= EMPTIED_POOLS
    }

    /// Whether any pool took an instance back, or said that it may, since then.
    #[must_use]
    pub fn taken_since(&self, then: Timestamp) -> bool {
        self.pools.values().flat_map(BTreeMap::values).any(|signal| signal.taken_at.is_some_and(|at| at >= then))
    }

    /// Forgets what has decayed, so that the table stays as small as the news.
    pub fn forget(&mut self, now: Timestamp) {
        for zone in self.pools.values_mut() {
            zone.retain(|_, s| {
                s.closed_until.is_some_and(|t| now < t + REFUSED_COUNTS)
                    || s.taken_at.is_some_and(|t| now < t + TAKEN_COUNTS)
                    || s.gave_at.is_some_and(|t| now < t + GAVE_COUNTS)
            });
        }
        self.pools.retain(|_, zone| !zone.is_empty());
    }
}

/// One region's market, as `plan` sees it.
#[derive(Clone, Debug)]
pub struct Market {
    /// The region.
    pub region: Region,
    /// The prices, or `None` before the first read.
    pub quotes: Option<Arc<Quotes>>,
    /// Capacity signals.
    pub signals: Arc<Signals>,
    /// What EC2 says of its zones.
    pub placements: Arc<Placements>,
}

impl Market {
    /// A market of which nothing is known yet.
    #[must_use]
    pub fn unknown(region: Region) -> Self {
        Self { region, quotes: None, signals: Arc::default(), placements: Arc::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        Pool { az: "use1-az1".parse().unwrap(), kind: TypeId(3), product: Product::Linux }
    }

    /// After a pool opened again, all groups went for the one instance that it had.
    #[test]
    fn an_allowance_halves_with_each_refusal_and_doubles_with_each_instance_given() {
        let mut signals = Signals::default();
        let (mut now, pool) = (Timestamp(0), pool());
        let allowed = |signals: &Signals| signals.of(&pool).allowance;
        for left in [ALLOWED_FIRST, 4, 2, 1, 1] {
            signals.refused(&pool, now);
            assert_eq!(allowed(&signals), left);
            now = now + CLOSED_MAX;
        }
        signals.gave(&pool, now);
        assert!(allowed(&signals) == 2 && !signals.of(&pool).closed(now), "one of two was given");
        signals.refused(&pool, now);
        assert!(signals.of(&pool).closed(now + Span::secs(5)));
        now = now + CLOSED_FIRST;
        assert!(!signals.of(&pool).closed(now), "a new minute");
        for left in [2, 4, 8, 16, 32, 0, 0] {
            signals.gave(&pool, now);
            assert_eq!(allowed(&signals), left);
        }
        assert!(!signals.of(&pool).closed(now));
        signals.gave(&Pool { kind: TypeId(9), ..pool.clone() }, now);
        assert_eq!(signals.of(&Pool { kind: TypeId(9), ..pool.clone() }).allowance, 0, "it never refused");
    }

    #[test]
    fn what_was_given_in_a_minute_counts_against_the_allowance_and_then_no_more() {
        let mut signals = Signals::default();
        let (now, pool) = (Timestamp(0), pool());
        let signal = Signal { allowance: 2, given: Some((now, 2)), ..Signal::default() };
        assert!(signal.closed(now + Span::secs(59)) && !signal.closed(now + ALLOWED_PER));
        signals.refused(&pool, now);
        let later = now + CLOSED_FIRST;
        signals.gave(&pool, later);
        assert_eq!(signals.of(&pool).given, Some((later, 1)));
        signals.gave(&pool, later + ALLOWED_PER);
        assert_eq!(signals.of(&pool).given, Some((later + ALLOWED_PER, 1)));
    }

    #[test]
    fn no_quote_is_unknown_not_free() {
        let quotes = Quotes::new(Timestamp(0), []);
        assert_eq!(quotes.get(&pool()), None);
        let quotes = Quotes::new(Timestamp(0), [SpotPrice { pool: pool(), price: UsdPerHour(5), at: Timestamp(0) }]);
        assert_eq!(quotes.get(&pool()), Some(UsdPerHour(5)));
        assert_eq!(quotes.get(&Pool { kind: TypeId(2), ..pool() }), None);
    }

    #[test]
    fn refusals_double_and_one_success_reopens() {
        let mut signals = Signals::default();
        let mut now = Timestamp(0);
        let until = |s: &Signals| s.zone(&pool().az, Product::Linux).unwrap()[&TypeId(3)].closed_until;
        signals.refused(&pool(), now);
        assert_eq!(until(&signals), Some(now + CLOSED_FIRST));
        signals.refused(&pool(), now + Span::secs(5));
        assert_eq!(until(&signals), Some(now + CLOSED_FIRST), "the same news twice is one");
        now = now + CLOSED_FIRST;
        signals.refused(&pool(), now);
        assert_eq!(until(&signals), Some(now + CLOSED_FIRST.times(2)));
        let due = now + CLOSED_FIRST.times(2);
        assert!(!signals.of(&pool()).closed(due));
        signals.asked(&pool(), due);
        assert!(signals.of(&pool()).closed(due + Span::secs(5)), "one at a time");
        assert!(!signals.of(&pool()).closed(due + PROBE_MAX));
        assert!(signals.gave(&pool(), due) && !signals.gave(&pool(), due));
        assert!(signals.of(&pool()).gave_lately(due) && !signals.of(&pool()).gave_lately(due + GAVE_COUNTS));
        assert_eq!(until(&signals), None);
        signals.forget(now + Span::hours(9));
        assert!(signals.zone(&pool().az, Product::Linux).is_none());
    }

    /// In `scarce` with seed 97 a group went round the same twenty empty pools for hours: each was forgotten, and so
    /// the cheapest again, before the last of sixty was asked.
    #[test]
    fn a_refusal_counts_for_longer_than_the_pool_is_closed() {
        let mut signals = Signals::default();
        signals.refused(&pool(), Timestamp(0));
        signals.forget(Timestamp(0) + REFUSED_COUNTS);
        let signal = signals.of(&pool());
        assert!(signal.refusals == 1 && !signal.closed(Timestamp(0) + REFUSED_COUNTS));
        signals.forget(Timestamp(0) + CLOSED_FIRST + REFUSED_COUNTS);
        assert_eq!(signals.of(&pool()).refusals, 0);
    }
}
