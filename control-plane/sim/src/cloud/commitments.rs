//! What simulated accounts pay for anyway, and what of theirs can use it.

use async_trait::async_trait;
use spothub_core::commitment::{Commitment, Running, Terms};
use spothub_core::fault::Fault;
use spothub_core::id::{AccountId, Site};
use spothub_core::port::{Cause, Commitments};

use super::{Ask, Family, SimCloud, none};

#[async_trait]
impl Commitments for SimCloud {
    /// The first account pays.
    fn payer(&self) -> Option<AccountId> {
        self.world.lock().accounts().first().map(|account| account.id)
    }

    async fn reserved(&self, site: &Site) -> Result<Vec<Commitment>, Fault> {
        let here = |c: &Commitment| matches!(&c.terms, Terms::Reserved { region, .. } if *region == site.region);
        let ask = Ask::read(site, "ec2:DescribeReservedInstances", Family::Ec2Read, Cause::default());
        self.send(ask, |world| Ok(world.committed(site.account, here)), none).await
    }

    async fn plans(&self, via: &Site) -> Result<Vec<Commitment>, Fault> {
        let plan = |c: &Commitment| !matches!(c.terms, Terms::Reserved { .. });
        let ask = Ask::read(via, "savingsplans:DescribeSavingsPlans", Family::Iam, Cause::default());
        self.send(ask, |world| Ok(world.committed(via.account, plan)), none).await
    }

    async fn running(&self, site: &Site) -> Result<Running, Fault> {
        let ask = Ask::read(site, "ec2:DescribeInstances", Family::Ec2Read, Cause::default());
        self.send(ask, |world| Ok(world.running(site)), none).await
    }
}
