//! Public prices and the organization's directory, asked with the hub's own session: no member's call.

use async_trait::async_trait;
use spothub_core::fault::Fault;
use spothub_core::id::Region;
use spothub_core::market::{Pool, SpotPrice};
use spothub_core::money::UsdPerHour;
use spothub_core::port::{Account, Directory, Prices};
use spothub_core::time::Timestamp;

use super::SimCloud;
use crate::exec::lock;

impl SimCloud {
    /// A call of the hub in its own account.
    async fn at_home(&self) -> Result<(), Fault> {
        self.wait(self.span(self.api.leg)).await;
        let fails = {
            let (ppm, quiet) = {
                let world = self.world.lock();
                (world.faults.hub_reads_ppm, world.is_quiet())
            };
            !quiet && lock(&self.state).chance.chance(ppm)
        };
        self.wait(self.span(self.api.leg)).await;
        if fails { Err(Fault::Broken) } else { Ok(()) }
    }
}

#[async_trait]
impl Prices for SimCloud {
    async fn spot(&self, region: &Region) -> Result<Vec<SpotPrice>, Fault> {
        self.at_home().await?;
        let world = self.world.lock();
        let (market, now) = (world.market(), world.now());
        let mut rows = Vec::new();
        for &product in world.products() {
            for id in market.pools(region, product) {
                if let Some(price) = market.price_at(id, now) {
                    rows.push(SpotPrice { pool: market.describe(id), price, at: now });
                }
            }
        }
        Ok(rows)
    }

    async fn history(
        &self,
        pool: &Pool,
        _region: &Region,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, UsdPerHour)>, Fault> {
        self.at_home().await?;
        let world = self.world.lock();
        let market = world.market();
        let id = market.pool(&pool.az, pool.kind, pool.product);
        Ok(id.map_or_else(Vec::new, |id| market.changes(id, from, to.min(world.now()))))
    }
}

#[async_trait]
impl Directory for SimCloud {
    async fn accounts(&self) -> Result<Vec<Account>, Fault> {
        self.at_home().await?;
        let world = self.world.lock();
        let enrolled = world.accounts().iter().filter(|a| a.enrolled);
        Ok(enrolled
            .map(|a| Account {
                id: a.id,
                name: a.name.clone(),
                ou: a.ou.clone(),
                regions: a.regions.iter().cloned().collect(),
                active: a.active,
            })
            .collect())
    }
}
