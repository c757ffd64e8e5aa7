//! Public prices: Spot prices behind core's `Prices`, and AWS's price list for on-demand.
//!
//! Asked with the hub's own session, once a region for the whole organization; knows nothing of accounts. A price that
//! cannot be read is unknown, never zero.

mod list;
mod offer;
mod spot;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types as aws;
use aws_smithy_types::DateTime;
use spothub_core::catalog::{Catalog, Product};
use spothub_core::fault::Fault;
use spothub_core::id::{AzId, Region};
use spothub_core::market::{Pool, Quotes};
use spothub_core::money::UsdPerHour;
use spothub_core::port::{Clock, Prices};
use spothub_core::time::Timestamp;
use tokio::sync::Mutex;
use tracing::{debug, warn};

use crate::action::Action;
use crate::home::Home;

pub use list::{Listed, PriceList};
pub use offer::Refusal;

/// Rows of a page: the API's most.
const PAGE_ROWS: i32 = 1_000;
/// Most pages of one answer. The largest region has some 900 types, 6 zones and 4 products: 22,000 rows, 22 pages;
/// a token that never ends must not hold the engine's prices for ever.
const PAGES_MAX: usize = 100;

/// Names of one account's zones. Each account has its own letters.
type ZoneIds = Arc<BTreeMap<String, AzId>>;

/// Spot prices of EC2.
pub struct AwsPrices {
    home: Arc<Home>,
    clock: Arc<dyn Clock>,
    catalog: &'static Catalog,
    /// Read at most once a region: an account's letters never change.
    zones: Mutex<BTreeMap<Region, ZoneIds>>,
}

impl AwsPrices {
    /// Prices asked with the hub's own session, for the types of this catalogue.
    #[must_use]
    pub fn new(home: Arc<Home>, clock: Arc<dyn Clock>, catalog: &'static Catalog) -> Self {
        Self { home, clock, catalog, zones: Mutex::default() }
    }

    /// Rows between two times, both included, and the row in force at the first; narrowed to one pool where one is
    /// given.
    async fn rows(
        &self,
        region: &Region,
        from: Timestamp,
        to: Timestamp,
        pool: Option<&Pool>,
    ) -> Result<Vec<aws::SpotPrice>, Fault> {
        let products = pool.map_or(&Product::ALL[..], |pool| std::slice::from_ref(&pool.product));
        let kind = pool.map(|pool| aws::InstanceType::from(&*self.catalog.get(pool.kind).name));
        let call = self
            .home
            .ec2(region)
            .describe_spot_price_history()
            .start_time(DateTime::from_millis(from.0))
            .end_time(DateTime::from_millis(to.0))
            .set_product_descriptions(Some(products.iter().copied().flat_map(spot::descriptions).collect()))
            .set_instance_types(kind.map(|kind| vec![kind]))
            .set_availability_zone_id(pool.map(|pool| pool.az.to_string()))
            .max_results(PAGE_ROWS);
        let (mut rows, mut pages) = (Vec::new(), call.into_paginator().send());
        for _ in 0..PAGES_MAX {
            let Some(page) = pages.next().await else { return Ok(rows) };
            let page = self.home.answered(Action::DescribeSpotPriceHistory, page)?;
            rows.extend(page.spot_price_history.unwrap_or_default());
        }
        warn!(%region, pages = PAGES_MAX, rows = rows.len(), "Spot prices did not end; what came is used");
        Ok(rows)
    }

    /// Ids of the zones that rows name only by letter, where there are such rows.
    async fn zone_ids(&self, region: &Region, rows: &[aws::SpotPrice]) -> Result<ZoneIds, Fault> {
        if rows.iter().all(|row| row.availability_zone_id().is_some()) {
            return Ok(ZoneIds::default());
        }
        let mut zones = self.zones.lock().await;
        if let Some(known) = zones.get(region) {
            return Ok(Arc::clone(known));
        }
        let answer = self.home.ec2(region).describe_availability_zones().all_availability_zones(true).send().await;
        let answer = self.home.answered(Action::DescribeAvailabilityZones, answer)?;
        let ids = answer.availability_zones().iter().filter_map(|zone| {
            let id = zone.zone_id()?.parse().ok()?;
            Some((zone.zone_name()?.to_owned(), id))
        });
        let ids: ZoneIds = Arc::new(ids.collect());
        zones.insert(region.clone(), Arc::clone(&ids));
        Ok(ids)
    }
}

#[async_trait]
impl Prices for AwsPrices {
    async fn spot(&self, region: &Region) -> Result<Quotes, Fault> {
        let sent = self.clock.now();
        let rows = self.rows(region, sent, sent, None).await?;
        let zones = self.zone_ids(region, &rows).await?;
        let reduced = spot::newest(&rows, &zones, self.catalog);
        debug!(%region, rows = rows.len(), pools = reduced.prices.len(), skipped = %reduced.skipped, "Spot prices");
        if reduced.prices.is_empty() {
            // Each region has thousands of pools: without one, something other than the market is empty.
            warn!(%region, rows = rows.len(), skipped = %reduced.skipped, "no Spot price could be read");
            return Err(Fault::Broken);
        }
        Ok(Quotes::new(sent, reduced.prices))
    }

    async fn history(
        &self,
        pool: &Pool,
        region: &Region,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, UsdPerHour)>, Fault> {
        let rows = self.rows(region, from, to, Some(pool)).await?;
        let zones = self.zone_ids(region, &rows).await?;
        Ok(spot::changes(&rows, &zones, self.catalog, pool, from, to))
    }
}
