//! Spot placement scores, as the engine asks for them.

use async_trait::async_trait;

use crate::catalog::TypeId;
use crate::fault::Fault;
use crate::id::{AzId, Region};

/// Asks EC2 how likely Spot capacity is. Free of effects, but for the few different questions a day that AWS allows.
#[async_trait]
pub trait Placement: Send + Sync {
    /// The scores, from 1 to 10, of the best ten zones of a region for a few instances of any of these types:
    /// GetSpotPlacementScores. A question too many is [`Fault::Quota`].
    async fn scores(&self, region: &Region, types: &[TypeId]) -> Result<Vec<(AzId, u8)>, Fault>;
}
