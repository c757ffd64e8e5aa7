//! What is asked of EC2 for one newcomer.

use serde::{Deserialize, Serialize};

use crate::cloud::{LaunchPool, Route};
use crate::group::{Lifecycle, Source};
use crate::money::UsdPerHour;
use crate::time::Timestamp;

use super::GroupRecord;

/// What is launched, and how; fixed before the first try so that a repeat is the same request.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The source, with its version as a number.
    pub source: Source,
    /// The route.
    pub route: Route,
    /// The pools in rank order.
    pub pools: Vec<LaunchPool>,
    /// The most to pay; on demand costs what it costs.
    pub max_price: UsdPerHour,
    /// How it is bought.
    #[serde(default = "spot")]
    pub lifecycle: Lifecycle,
    /// The attempt that its first pool is asked with; a request in another's place goes on counting.
    #[serde(default)]
    pub first_attempt: u32,
}

/// What every request was for before there were others.
const fn spot() -> Lifecycle {
    Lifecycle::Spot
}

impl Request {
    /// Which pool a RunInstances of this attempt asks; `None` where there is none left, and for fleets, which ask all.
    #[must_use]
    pub fn pool(&self, attempt: u32) -> Option<usize> {
        let index = usize::try_from(attempt.checked_sub(self.first_attempt)?).ok()?;
        (self.route == Route::Run && index < self.pools.len()).then_some(index)
    }
}

impl GroupRecord {
    /// When a launch of ours was last refused for want of capacity, in any zone.
    #[must_use]
    pub fn refused_at(&self) -> Option<Timestamp> {
        self.refused.values().max().copied()
    }
}
