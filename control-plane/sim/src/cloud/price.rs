//! Public prices and the organization's directory, asked with the hub's own session: no member's call.

use async_trait::async_trait;
use spothub_core::catalog::{Product, TypeId};
use spothub_core::fault::Fault;
use spothub_core::id::{AzId, Region};
use spothub_core::market::{Pool, Quotes};
use spothub_core::money::UsdPerHour;
use spothub_core::port::{Account, Directory, Placement, Prices};
use spothub_core::time::{Span, Timestamp};

use super::{SimCloud, State};
use crate::exec::lock;
use crate::market::{Market, PoolId};
use crate::seed::Stream;

/// The prices of a region as last read, and until when each holds: only what changed is worked out again.
pub(super) struct Board {
    quotes: Quotes,
    pools: Vec<(PoolId, Timestamp)>,
}

impl Board {
    fn new<'a>(market: &Market, region: &Region, products: impl IntoIterator<Item = &'a Product>) -> Self {
        let pools = products.into_iter().flat_map(|&product| market.pools(region, product));
        Self { quotes: Quotes::new(Timestamp(0), []), pools: pools.map(|pool| (pool, Timestamp(i64::MIN))).collect() }
    }

    fn refresh(&mut self, market: &Market, now: Timestamp) {
        for (pool, until) in &mut self.pools {
            if *until > now {
                continue;
            }
            if let Some(price) = market.price_at(*pool, now) {
                self.quotes.set(&market.describe(*pool), price);
            }
            *until = market.next_change(*pool, now);
        }
    }
}

impl SimCloud {
    /// A call of the hub in its own account.
    async fn at_home(&self) -> Result<(), Fault> {
        self.at_home_by(|state| &mut state.chance).await
    }

    async fn at_home_by(&self, stream: fn(&mut State) -> &mut Stream) -> Result<(), Fault> {
        let leg = || Span(stream(&mut lock(&self.state)).between(self.api.leg.low.0, self.api.leg.high.0));
        self.wait(leg()).await;
        let fails = {
            let (ppm, quiet) = {
                let world = self.world.lock();
                (world.faults.hub_reads_ppm, world.is_quiet())
            };
            !quiet && stream(&mut lock(&self.state)).chance(ppm)
        };
        self.wait(leg()).await;
        if fails { Err(Fault::Broken) } else { Ok(()) }
    }
}

#[async_trait]
impl Placement for SimCloud {
    /// By how many of the types have room in a zone: a simulated service knows what AWS estimates.
    async fn scores(&self, region: &Region, types: &[TypeId]) -> Result<Vec<(AzId, u8)>, Fault> {
        self.at_home().await?;
        let world = self.world.lock();
        let (market, now) = (world.market(), world.now());
        let scores = market.zones_of(region).map(|zone| {
            let pools = types.iter().map(|kind| Market::pool_at(zone, *kind, Product::Linux));
            let offered: Vec<_> = pools.filter(|pool| market.is_offered(*pool)).collect();
            let open = offered.iter().filter(|pool| market.capacity_at(**pool, now) > 0).count();
            let score = 1 + (8 * open).checked_div(offered.len()).unwrap_or(0);
            (market.az(zone).clone(), u8::try_from(score).unwrap_or(1))
        });
        Ok(scores.collect())
    }
}

#[async_trait]
impl Prices for SimCloud {
    async fn spot(&self, region: &Region) -> Result<Quotes, Fault> {
        let sent = self.exec.now();
        self.at_home().await?;
        let world = self.world.lock();
        let (market, now) = (world.market(), world.now());
        let mut state = lock(&self.state);
        let board = state.boards.entry(region.clone()).or_insert_with(|| Board::new(market, region, world.products()));
        board.refresh(market, now);
        let mut quotes = board.quotes.clone();
        quotes.as_of = sent;
        Ok(quotes)
    }

    async fn history(
        &self,
        pool: &Pool,
        _region: &Region,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, UsdPerHour)>, Fault> {
        self.at_home_by(|state| &mut state.books).await?;
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
                tags: Some(a.tags.clone()),
                regions: a.regions.iter().cloned().collect(),
                active: a.active,
            })
            .collect())
    }
}
