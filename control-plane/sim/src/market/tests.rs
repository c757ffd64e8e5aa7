//! Prices and capacity as functions of seed, pool and time.

use spothub_core::catalog::{Catalog, Product};
use spothub_core::time::{Span, Timestamp};

use super::capacity::STEP;
use super::*;
use crate::shape::{Delay, START, StormShape};

fn region() -> Region {
    "us-east-1".parse().unwrap()
}

fn market(seed: u64, shape: MarketShape) -> Market {
    Market::new(seed, shape, START, &[region()])
}

fn sample(market: &Market, product: Product) -> Vec<PoolId> {
    market.pools(&region(), product).step_by(37).collect()
}

#[test]
fn a_pool_number_gives_back_its_parts() {
    let market = market(1, MarketShape::default());
    let kind = Catalog::embedded().by_name("m5.large").unwrap();
    let az = Catalog::embedded().zones(&region())[2].clone();
    let pool = market.pool(&az, kind, Product::Suse).unwrap();
    assert_eq!((market.az(pool.zone()), pool.kind(), pool.product()), (&az, kind, Product::Suse));
}

#[test]
fn prices_are_stable_and_never_above_on_demand() {
    let (one, same, other) =
        (market(1, MarketShape::default()), market(1, MarketShape::default()), market(2, MarketShape::default()));
    let mut differs = 0;
    for product in Product::ALL {
        for pool in sample(&one, product) {
            for hour in 0..48 {
                let at = START + Span::hours(hour);
                let price = one.price_at(pool, at).unwrap();
                assert_eq!(Some(price), same.price_at(pool, at));
                assert!(price <= one.on_demand(pool).unwrap() && price.0 > 0);
                differs += u32::from(Some(price) != other.price_at(pool, at));
            }
        }
    }
    assert!(differs > 1000);
}

#[test]
fn a_price_holds_until_its_next_change() {
    let market = market(3, MarketShape::default());
    for pool in sample(&market, Product::Linux) {
        let to = START + Span::hours(24);
        let changes = market.changes(pool, START, to);
        assert!((2..=6).contains(&changes.len()), "{}", changes.len());
        assert!(changes[0].0 <= START);
        assert_eq!(market.next_change(pool, START), changes[1].0);
        for pair in changes.windows(2) {
            let just_before = Timestamp(pair[1].0.0 - 1);
            assert_eq!(market.price_at(pool, just_before), Some(pair[0].1));
            assert_eq!(market.price_at(pool, pair[1].0), Some(pair[1].1));
        }
    }
}

#[test]
fn linux_costs_about_a_third_to_a_half_and_windows_keeps_its_licence() {
    let market = market(5, MarketShape::default());
    let mut usual = 0;
    let pools = sample(&market, Product::Linux);
    for &pool in &pools {
        let (spot, full) = (market.price_at(pool, START).unwrap().0, market.on_demand(pool).unwrap().0);
        usual += usize::from((230..=650).contains(&(spot * 1000 / full)));
    }
    assert!(usual * 10 > pools.len() * 8, "{usual} of {}", pools.len());
    let kind = Catalog::embedded().by_name("m5.large").unwrap();
    let linux = Market::pool_at(0, kind, Product::Linux);
    let windows = Market::pool_at(0, kind, Product::Windows);
    let license = market.on_demand(windows).unwrap().0 - market.on_demand(linux).unwrap().0;
    assert!(market.price_at(windows, START).unwrap().0 > license);
}

#[test]
fn capacity_falls_in_episodes_and_recovers() {
    let shape = MarketShape { episodes_permille: 1000, episode: Delay::mins(30, 60), ..MarketShape::default() };
    let market = market(7, shape);
    let (mut fallen, mut steps) = (0, 0);
    for pool in sample(&market, Product::Linux) {
        let usual = market.usual(pool);
        for step in 0..288 {
            let now = market.capacity_at(pool, START + Span(step * STEP));
            assert!(now <= usual);
            steps += 1;
            fallen += u32::from(now < usual);
        }
    }
    // One episode of 45 minutes a day is 3 %.
    assert!(fallen * 100 > steps && fallen * 100 < steps * 6, "{fallen} of {steps}");
}

#[test]
fn a_storm_takes_its_share_and_quiet_ends_it() {
    let storm = StormShape {
        at: Span::hours(2),
        spread: Span::mins(5),
        length: Span::mins(40),
        pools_permille: 700,
        left_permille: 0,
        regions: vec![],
    };
    let shape = MarketShape { episodes_permille: 0, dead_permille: 0, storms: vec![storm], ..MarketShape::default() };
    let market = market(7, shape);
    let pools = sample(&market, Product::Linux);
    let empty = |at: Span| pools.iter().filter(|&&p| market.capacity_at(p, START + at) == 0).count();
    let large = pools.iter().filter(|&&p| market.usual(p) == 0).count();
    assert_eq!(empty(Span::mins(110)), large);
    let during = empty(Span::mins(135)) - large;
    assert!(during * 10 > pools.len() * 5 && during * 10 < pools.len() * 9, "{during} of {}", pools.len());
    assert_eq!(empty(Span::hours(4)), large);
    market.quiet(START + Span::hours(1));
    assert_eq!(empty(Span::mins(135)), large);
}

#[test]
fn a_price_is_quick_to_find() {
    let market = market(7, MarketShape::default());
    let pools = sample(&market, Product::Linux);
    let mut sum = 0;
    for at in 0..200 {
        for &pool in &pools {
            sum += market.price_at(pool, START + Span::mins(at)).map_or(0, |p| p.0);
        }
    }
    assert!(sum > 0);
}

#[test]
fn no_price_is_below_the_least() {
    let market = market(11, MarketShape::default());
    for product in [Product::Linux, Product::Windows] {
        for pool in sample(&market, product) {
            let least = market.least(pool);
            for hours in (0..30 * 24).step_by(3) {
                let price = market.price_at(pool, START + Span::hours(hours));
                assert!(price.is_some_and(|p| least <= p), "{pool:?} at {hours} h");
            }
        }
    }
}
