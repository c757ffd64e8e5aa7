//! Instance types of a region and where they are offered, as EC2 tells the hub's own account.
//!
//! Knows which calls to make; what an answer means is `facts`' business. Public data: read once a region.

mod facts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ec2::types as aws;
use spothub_core::catalog::{InstanceType, Overlay};
use spothub_core::fault::Fault;
use spothub_core::id::{AzId, Region};
use tracing::{debug, warn};

use crate::action::Action;
use crate::home::Home;

pub use facts::Missing;

/// Types of a page: the API's most.
const PAGE_TYPES: i32 = 100;
/// Offerings of a page: the API's most.
const PAGE_OFFERINGS: i32 = 1_000;
/// Most pages of one answer. A region has some 900 types: nine pages of them, and six of offerings.
const PAGES_MAX: usize = 100;

/// What a region has.
#[derive(Clone, Debug)]
pub struct RegionTypes {
    /// The region.
    pub region: Region,
    /// Its types, as they were listed.
    pub types: Vec<InstanceType>,
    /// The types that each zone offers, by name.
    pub zones: BTreeMap<AzId, BTreeSet<Arc<str>>>,
    /// Types whose facts are not all known, and the first that is missing: they take no part.
    pub left_out: BTreeMap<String, Missing>,
}

impl RegionTypes {
    /// Lays these facts over the embedded ones.
    pub fn add_to(&self, overlay: &mut Overlay) {
        for kind in &self.types {
            overlay.set_type(kind.clone());
        }
        for (zone, types) in &self.zones {
            overlay.set_zone(&self.region, zone.clone(), types.clone());
        }
    }
}

/// Reads types and offerings.
pub struct TypeReader {
    home: Arc<Home>,
}

impl TypeReader {
    /// A reader with the hub's own session.
    #[must_use]
    pub fn new(home: Arc<Home>) -> Self {
        Self { home }
    }

    /// Reads one region: DescribeInstanceTypes and DescribeInstanceTypeOfferings, all pages.
    ///
    /// Zones that the hub's own account cannot use are not told of; they stay as the embedded catalogue has them.
    pub async fn read(&self, region: &Region) -> Result<RegionTypes, Fault> {
        let (types, left_out) = self.types(region).await?;
        let zones = self.zones(region).await?;
        debug!(%region, types = types.len(), zones = zones.len(), left_out = left_out.len(), "instance types");
        Ok(RegionTypes { region: region.clone(), types, zones, left_out })
    }

    async fn types(&self, region: &Region) -> Result<(Vec<InstanceType>, BTreeMap<String, Missing>), Fault> {
        let call = self.home.ec2(region).describe_instance_types().max_results(PAGE_TYPES);
        let mut pages = call.into_paginator().send();
        let (mut types, mut left_out) = (Vec::new(), BTreeMap::new());
        for _ in 0..PAGES_MAX {
            let Some(page) = pages.next().await else { return Ok((types, left_out)) };
            let page = self.home.answered(Action::DescribeInstanceTypes, page)?;
            for row in page.instance_types() {
                match facts::instance_type(row) {
                    Ok(kind) => types.push(kind),
                    Err(missing) => {
                        let name = row.instance_type().map_or("", aws::InstanceType::as_str);
                        left_out.insert(name.to_owned(), missing);
                    }
                }
            }
        }
        warn!(%region, pages = PAGES_MAX, "instance types did not end; what came is used");
        Ok((types, left_out))
    }

    async fn zones(&self, region: &Region) -> Result<BTreeMap<AzId, BTreeSet<Arc<str>>>, Fault> {
        let call = self.home.ec2(region).describe_instance_type_offerings();
        let call = call.location_type(aws::LocationType::AvailabilityZoneId).max_results(PAGE_OFFERINGS);
        let mut pages = call.into_paginator().send();
        let mut zones = facts::Offered::default();
        for _ in 0..PAGES_MAX {
            let Some(page) = pages.next().await else { return Ok(zones.finish()) };
            let page = self.home.answered(Action::DescribeInstanceTypeOfferings, page)?;
            page.instance_type_offerings().iter().for_each(|row| zones.take(row));
        }
        // Half of a zone's types would read as all of them: better the embedded offerings than these.
        warn!(%region, pages = PAGES_MAX, "offerings did not end; none is used");
        Ok(BTreeMap::new())
    }
}
