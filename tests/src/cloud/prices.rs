//! Public prices.

use spothub_core::catalog::{Catalog, Product};
use spothub_core::market::Pool;
use spothub_core::placement::Size;
use spothub_core::time::{Span, Timestamp};

use super::{Scene, kind};

/// A pool of the case's region that is offered and that no other case touches.
fn pool(scene: &Scene, name: &str) -> Pool {
    let zones = Catalog::embedded().zones(&scene.site().region);
    let az = zones.iter().find(|az| Catalog::embedded().offered(az, kind(name))).unwrap();
    Pool { az: az.clone(), kind: kind(name), product: Product::Linux }
}

pub async fn quotes_are_by_zone_id(scene: Scene) {
    let region = scene.site().region;
    let quotes = scene.prices.spot(&region).await.unwrap();
    let zones = Catalog::embedded().zones(&region);
    assert!(quotes.iter().all(|(pool, price)| zones.contains(&pool.az) && price.0 > 0));
    assert!(quotes.iter().count() > 100, "{}", quotes.iter().count());
    assert!(quotes.as_of <= scene.clock.now());
    let pool = pool(&scene, "m5.large");
    let list = Catalog::embedded().on_demand(&region, Product::Linux, pool.kind).unwrap();
    assert!(quotes.get(&pool).unwrap() < list, "Spot costs less than the list says");
}

pub async fn a_pool_that_is_not_offered_has_no_quote(scene: Scene) {
    let quotes = scene.prices.spot(&scene.site().region).await.unwrap();
    let offered = pool(&scene, "m5.large");
    assert!(quotes.get(&offered).is_some());
    let far = Pool { az: "aps1-az1".parse().unwrap(), ..offered };
    assert_eq!(quotes.get(&far), None);
}

pub async fn a_change_shows_in_the_next_quotes(scene: Scene) {
    let (region, pool) = (scene.site().region, pool(&scene, "m5.2xlarge"));
    let before = scene.prices.spot(&region).await.unwrap();
    scene.stage.move_price(&pool).await;
    let after = scene.prices.spot(&region).await.unwrap();
    assert_ne!(before.get(&pool), after.get(&pool));
    assert!(before.as_of < after.as_of);
}

pub async fn history_begins_with_the_price_in_force_and_goes_on_in_order(scene: Scene) {
    let (region, pool) = (scene.site().region, pool(&scene, "m5.4xlarge"));
    scene.stage.move_price(&pool).await;
    let from = scene.clock.now();
    let at_first = scene.prices.spot(&region).await.unwrap().get(&pool).unwrap();
    scene.stage.move_price(&pool).await;
    let to = scene.clock.now();
    let rows = scene.prices.history(&pool, &region, from, to).await.unwrap();
    assert!(rows.len() > 1, "{rows:?}");
    assert_eq!(rows[0].1, at_first);
    assert!(rows[0].0 <= from || rows[0].0 == from, "{rows:?} from {from:?}");
    assert!(rows.windows(2).all(|two| two[0].0 < two[1].0), "{rows:?}");
    assert!(rows.iter().skip(1).all(|(at, _)| from < *at && *at <= to), "{rows:?}");
    let last = scene.prices.spot(&region).await.unwrap().get(&pool);
    assert_eq!(rows.last().map(|row| row.1), last);
}

pub async fn what_has_no_quote_has_no_history(scene: Scene) {
    let (region, catalog) = (scene.site().region, Catalog::embedded());
    let quotes = scene.prices.spot(&region).await.unwrap();
    let unquoted = |az| {
        let mut pools = catalog.types().map(|(kind, _)| Pool { az: Clone::clone(az), kind, product: Product::Linux });
        pools.find(|pool| quotes.get(pool).is_none())
    };
    let pool = catalog.zones(&region).iter().find_map(unquoted).unwrap();
    let now = scene.clock.now();
    let from = Timestamp(now.0 - Span::hours(1).0);
    assert_eq!(scene.prices.history(&pool, &region, from, now).await, Ok(vec![]), "{pool:?}");
}

pub async fn scores_are_of_zone_ids_and_from_one_to_ten(scene: Scene) {
    let (region, catalog) = (scene.site().region, Catalog::embedded());
    let types = Size::of(catalog.get(kind("m5.large"))).unwrap().types(catalog, &region);
    let scores = scene.placement.scores(&region, &types).await.unwrap();
    let zones = catalog.zones(&region);
    assert!(!scores.is_empty() && scores.len() <= 10, "{scores:?}");
    assert!(scores.iter().all(|(az, score)| zones.contains(az) && (1..=10).contains(score)), "{scores:?}");
    // Where capacity is as usual, there is a zone that has some.
    assert!(scores.iter().any(|(_, score)| *score > 3), "{scores:?}");
}
