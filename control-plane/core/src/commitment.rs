//! Reserved instances and Savings Plans: what is paid for whether it is used or not, and which on-demand usage carries
//! it. Pure, in exact integers.
//!
//! Neither ever applies to Spot. What counts for a swap is the margin: while more on-demand usage runs than
//! commitments take up, one that becomes Spot hands its commitment over to another, and nothing is lost. So an
//! instance is *covered* only as far as nothing else would use what it leaves.

mod coverage;
mod size;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::catalog::{Product, TypeId};
use crate::id::{AccountId, AzId, Region};
use crate::money::UsdPerHour;
use crate::time::Timestamp;

pub use coverage::{Coverage, Standing};

/// Millionths: the shares here are told in them.
pub const PPM: u32 = 1_000_000;

/// One active commitment of an account.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct Commitment {
    /// Who bought it.
    pub account: AccountId,
    /// What it pays for.
    pub terms: Terms,
    /// When it ends, where AWS says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

/// What a commitment pays for.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Terms {
    /// Reserved instances of default tenancy.
    Reserved {
        /// Where.
        region: Region,
        /// The zone of a zonal one; `None` where it is good for the whole region.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        az: Option<AzId>,
        /// The type.
        kind: TypeId,
        /// The platform.
        product: Product,
        /// How many.
        count: u32,
    },
    /// An EC2 Instance Savings Plan: one family in one region.
    InstancePlan {
        /// Where.
        region: Region,
        /// The family, as `m5`.
        family: String,
        /// What is paid an hour, counted at the plan's own rates.
        hourly: UsdPerHour,
    },
    /// A Compute Savings Plan: any instance anywhere, Fargate and Lambda.
    ComputePlan {
        /// What is paid an hour, counted at the plan's own rates.
        hourly: UsdPerHour,
    },
}

/// Sorts of commitments, as AWS is asked for them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// Reserved instances, of one account in one region.
    Reserved,
    /// Savings Plans, of one account for all regions.
    Plans,
}

impl Sort {
    /// Its words.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Reserved => "reserved instances",
            Self::Plans => "Savings Plans",
        }
    }
}

/// Instances that are billed alike: on demand and with default tenancy.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct Slot {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// In which zone.
    pub az: AzId,
    /// Of which type.
    pub kind: TypeId,
    /// With which software.
    pub product: Product,
}

/// On-demand instances that run, counted by what they are.
pub type Running = BTreeMap<Slot, u32>;

/// What is known of commitments when a plan is made.
#[derive(Clone, Copy, Debug)]
pub enum Known<'a> {
    /// The settings say that they are not read.
    Unasked,
    /// They are to be read, and were not yet.
    Unread,
    /// They were read.
    Read {
        /// What they cover.
        coverage: &'a Coverage,
        /// Whether every account and region answered.
        whole: bool,
    },
}

#[cfg(test)]
mod tests;
