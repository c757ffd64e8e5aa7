//! Spot placement scores: EC2's own advice, asked with the hub's session.
//!
//! Zone ids mean the same in every account, so one account asks for all.

use std::sync::Arc;

use async_trait::async_trait;
use spothub_core::catalog::{Catalog, TypeId};
use spothub_core::fault::Fault;
use spothub_core::id::{AzId, Region};
use spothub_core::port::Placement;

use crate::action::Action;
use crate::home::Home;

/// Instances asked about together: swaps come one by one, and a few groups at a time.
const CAPACITY: i32 = 10;

/// Spot placement scores of EC2.
pub struct AwsPlacement {
    home: Arc<Home>,
    catalog: &'static Catalog,
}

impl AwsPlacement {
    /// Scores asked with the hub's own session, for the types of this catalogue.
    #[must_use]
    pub fn new(home: Arc<Home>, catalog: &'static Catalog) -> Self {
        Self { home, catalog }
    }
}

#[async_trait]
impl Placement for AwsPlacement {
    async fn scores(&self, region: &Region, types: &[TypeId]) -> Result<Vec<(AzId, u8)>, Fault> {
        let names = types.iter().map(|kind| self.catalog.get(*kind).name.to_string()).collect();
        let call = self
            .home
            .ec2(region)
            .get_spot_placement_scores()
            .set_instance_types(Some(names))
            .target_capacity(CAPACITY)
            .single_availability_zone(true)
            .region_names(region.as_str());
        // Ten scores at most, in one page.
        let answer = self.home.answered(Action::GetSpotPlacementScores, call.send().await)?;
        let rows = answer.spot_placement_scores().iter().filter_map(|row| {
            let score = u8::try_from(row.score()?).ok().filter(|score| (1..=10).contains(score))?;
            Some((row.availability_zone_id()?.parse().ok()?, score))
        });
        Ok(rows.collect())
    }
}
