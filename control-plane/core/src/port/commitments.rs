//! What is paid for anyway, as the engine asks it.

use async_trait::async_trait;

use crate::commitment::{Commitment, Running};
use crate::fault::Fault;
use crate::id::{AccountId, Site};

/// Reads what accounts have committed to, and what runs that can use it. Every method is free of effects and may be
/// repeated. Asked once an hour: these calls pass no limiter.
#[async_trait]
pub trait Commitments: Send + Sync {
    /// The account that pays for the organization and may have bought for all; `None` where nobody said which.
    fn payer(&self) -> Option<AccountId>;

    /// Active reserved instances of default tenancy of an account in a region: DescribeReservedInstances. A standing
    /// one that cannot be told (a type or platform that is not known) is left out: no group of ours can use it.
    async fn reserved(&self, site: &Site) -> Result<Vec<Commitment>, Fault>;

    /// Active EC2 Instance and Compute Savings Plans of an account: DescribeSavingsPlans, asked through `via`, one of
    /// the account's regions; the answer is the same in each.
    async fn plans(&self, via: &Site) -> Result<Vec<Commitment>, Fault>;

    /// On-demand instances of default tenancy that run in an account's region, whoever launched them:
    /// DescribeInstances.
    async fn running(&self, site: &Site) -> Result<Running, Fault>;
}
