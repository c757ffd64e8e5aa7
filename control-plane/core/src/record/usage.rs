//! The ledger's rows.

use serde::{Deserialize, Serialize};

use crate::catalog::{Product, TypeId};
use crate::group::Lifecycle;
use crate::id::{AzId, GroupKey, InstanceId, SwapId};
use crate::money::UsdPerHour;
use crate::time::Timestamp;

/// What every row was of before there were others.
const fn spot() -> Lifecycle {
    Lifecycle::Spot
}

/// One instance that we launched, for the ledger: what its own life and the life of the replaced one are billed by.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Format of the item.
    pub format: u16,
    /// The instance.
    pub instance: InstanceId,
    /// The swap that launched it.
    pub swap: SwapId,
    /// Its group.
    pub group: GroupKey,
    /// Its type.
    pub kind: TypeId,
    /// Its zone.
    pub az: AzId,
    /// How it is bought.
    #[serde(default = "spot")]
    pub lifecycle: Lifecycle,
    /// The Spot price that its pool was quoted at when it was launched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<UsdPerHour>,
    /// Its operating system.
    pub product: Product,
    /// What it was to replace.
    pub replaces: InstanceId,
    /// The on-demand price counted for that.
    pub baseline: UsdPerHour,
    /// The on-demand type that price belongs to.
    pub original: TypeId,
    /// When it was launched, as EC2 says.
    pub launched_at: Option<Timestamp>,
    /// When it ended, once EC2 said so.
    pub ended_at: Option<Timestamp>,
    /// When the replaced one ended, once EC2 said so: from then on the baseline counts.
    pub replaced_at: Option<Timestamp>,
    /// The end of the replaced one was never seen: EC2 had forgotten it when it could be asked again.
    pub unseen: bool,
    /// Nothing more is to be learnt of the replaced one.
    pub settled: bool,
}
