//! Quotas of a member's region, and what of them is in use.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, Instance, Reservation};
use spothub_core::catalog::Catalog;
use spothub_core::fault::Fault;
use spothub_core::id::Site;

use super::Doctor;
use crate::action::Action;

/// EC2's code at Service Quotas.
const SERVICE: &str = "ec2";
/// Quotas in a page: the API's most.
const QUOTAS: i32 = 100;
/// Instances in a page: the API's most.
const INSTANCES: i32 = 1000;
/// Pages at most: EC2 has two pages of quotas, and nobody has so many Spot instances in a region.
const PAGES_MAX: usize = 100;

/// Spot instances that run in a region.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SpotUse {
    /// Virtual processors by instance type.
    pub vcpus: BTreeMap<String, u32>,
    /// Instances whose processors nobody tells.
    pub unknown: u32,
}

impl SpotUse {
    fn add(&mut self, instance: &Instance, catalog: &Catalog) {
        let name = instance.instance_type().map_or("", |kind| kind.as_str());
        let options = instance.cpu_options().and_then(|o| o.core_count()?.checked_mul(o.threads_per_core()?));
        let told = options.and_then(|vcpus| u32::try_from(vcpus).ok()).filter(|vcpus| *vcpus > 0);
        match told.or_else(|| catalog.by_name(name).map(|kind| catalog.get(kind).vcpu)) {
            Some(vcpus) => *self.vcpus.entry(name.to_owned()).or_default() += vcpus,
            None => self.unknown += 1,
        }
    }
}

/// A value as a whole number; what is negative or no number is 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast that stays within u32 is meant")]
pub(super) fn whole(value: f64) -> u32 {
    value as u32
}

impl Doctor {
    /// The applied values of these quotas of EC2, by code; those that AWS does not tell are left out.
    pub async fn quotas(&self, site: &Site, codes: &BTreeSet<&str>) -> Result<BTreeMap<String, u32>, Fault> {
        let line = self.line(site);
        let client = aws_sdk_servicequotas::Client::new(line.client.config());
        let (mut found, mut next) = (BTreeMap::new(), None);
        for _ in 0..PAGES_MAX {
            let request = client.list_service_quotas().service_code(SERVICE).max_results(QUOTAS).set_next_token(next);
            let answer = line.call(Action::ListServiceQuotas, None, request.send()).await?;
            let rows = answer.quotas().iter().filter_map(|row| Some((row.quota_code()?, row.value()?)));
            let asked = rows.filter(|(code, _)| codes.contains(code));
            found.extend(asked.map(|(code, value)| (code.to_owned(), whole(value))));
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() || found.len() == codes.len() {
                break;
            }
        }
        Ok(found)
    }

    /// What Spot instances of the region count against its quotas now, whoever launched them.
    pub async fn spot_in_use(&self, site: &Site) -> Result<SpotUse, Fault> {
        let line = self.line(site);
        let lifecycle = Filter::builder().name("instance-lifecycle").values("spot").build();
        let state = Filter::builder().name("instance-state-name").values("pending").values("running").build();
        let (mut used, mut next) = (SpotUse::default(), None);
        for _ in 0..PAGES_MAX {
            let request = line.client.ec2().describe_instances().filters(lifecycle.clone()).filters(state.clone());
            let request = request.max_results(INSTANCES).set_next_token(next);
            let answer = line.call(Action::DescribeInstances, None, request.send()).await?;
            for instance in answer.reservations().iter().flat_map(Reservation::instances) {
                used.add(instance, self.cloud.catalog);
            }
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(used)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{CpuOptions, InstanceType};

    use super::*;

    #[test]
    fn processors_are_those_that_run() {
        let of = |kind: &str| Instance::builder().instance_type(InstanceType::from(kind));
        let halved = CpuOptions::builder().core_count(1).threads_per_core(1).build();
        let mut used = SpotUse::default();
        for instance in [of("m5.large"), of("m5.large").cpu_options(halved), of("zz9.huge")] {
            used.add(&instance.build(), Catalog::embedded());
        }
        assert_eq!(used, SpotUse { vcpus: [("m5.large".to_owned(), 3)].into(), unknown: 1 });
    }

    #[test]
    fn values_are_whole() {
        assert_eq!([5.0, 0.0, -1.0, f64::NAN, 1e12].map(whole), [5, 0, 0, 0, u32::MAX]);
    }
}
