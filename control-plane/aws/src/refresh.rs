//! Everything public of some regions in one go, to be laid over the embedded catalogue before the engine starts.
//!
//! Knows what to ask and when to stop; what fails stays as it is embedded, and is named.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use spothub_core::catalog::{Overlay, Product};
use spothub_core::fault::Fault;
use spothub_core::id::Region;
use spothub_core::port::Clock;
use spothub_core::time::Timestamp;
use tracing::warn;

use crate::home::Home;
use crate::price::{Listed, PriceList};
use crate::types::{RegionTypes, TypeReader};

/// Regions asked at once: the price list's answers are megabytes, and all of them come from one endpoint.
const REGIONS_AT_ONCE: usize = 4;

/// Newer facts, and what could not be had.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// What AWS answered.
    pub overlay: Overlay,
    /// What it did not: the region, what was asked (`types`, or the product), and why.
    pub failed: Vec<(Region, &'static str, Fault)>,
}

struct Read {
    region: Region,
    types: Option<Result<RegionTypes, Fault>>,
    prices: Vec<(Product, Result<Listed, Fault>)>,
}

/// Reads types, offerings and on-demand prices of these products in these regions. About fifty calls a region; none is
/// begun after `give_up`, so that a slow list cannot keep the engine from starting.
pub async fn refresh(
    home: &Arc<Home>,
    clock: &dyn Clock,
    regions: &BTreeSet<Region>,
    products: &[Product],
    give_up: Timestamp,
) -> Refreshed {
    let (types, list) = (TypeReader::new(Arc::clone(home)), PriceList::new(Arc::clone(home)));
    let late = || clock.now() >= give_up;
    let read = async |region: &Region| {
        let mut read = Read { region: region.clone(), types: None, prices: Vec::new() };
        if !late() {
            read.types = Some(types.read(region).await);
        }
        for product in products {
            if !late() {
                read.prices.push((*product, list.read(region, *product).await));
            }
        }
        read
    };
    // In the order of regions, whichever answers first: the same answers give the same catalogue.
    let reads: Vec<Read> = stream::iter(regions).map(read).buffered(REGIONS_AT_ONCE).collect().await;
    gather(reads, products)
}

fn gather(reads: Vec<Read>, products: &[Product]) -> Refreshed {
    let mut all = Refreshed::default();
    for read in reads {
        let mut fail = |what, fault: Option<Fault>| {
            // Not asked for want of time: as if the service had been too slow.
            let fault = fault.unwrap_or(Fault::Broken);
            warn!(region = %read.region, what, fault = fault.label(), "the embedded catalogue stays in use");
            all.failed.push((read.region.clone(), what, fault));
        };
        match read.types {
            Some(Ok(types)) => types.add_to(&mut all.overlay),
            other => fail("types", other.and_then(Result::err)),
        }
        for product in products {
            match read.prices.iter().find(|(asked, _)| asked == product).map(|(_, answer)| answer) {
                Some(Ok(listed)) => listed.add_to(&mut all.overlay),
                other => fail(product.label(), other.and_then(|answer| answer.as_ref().err().cloned())),
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use spothub_core::money::UsdPerHour;

    use super::*;

    #[test]
    fn what_fails_is_named_and_the_rest_is_used() {
        let (virginia, ireland): (Region, Region) = ("us-east-1".parse().unwrap(), "eu-west-1".parse().unwrap());
        let listed = |region: &Region| Listed {
            region: region.clone(),
            product: Product::Linux,
            prices: BTreeMap::from([("m5.large".to_owned(), Ok(UsdPerHour(5)))]),
        };
        let reads = vec![
            Read {
                region: ireland.clone(),
                types: Some(Err(Fault::Denied("ec2:DescribeInstanceTypes"))),
                prices: vec![(Product::Linux, Ok(listed(&ireland))), (Product::Windows, Err(Fault::Broken))],
            },
            Read { region: virginia.clone(), types: None, prices: vec![(Product::Linux, Ok(listed(&virginia)))] },
        ];
        let all = gather(reads, &[Product::Linux, Product::Windows]);
        assert_eq!(all.overlay.counts(), (0, 0, 2));
        assert_eq!(
            all.failed,
            [
                (ireland.clone(), "types", Fault::Denied("ec2:DescribeInstanceTypes")),
                (ireland, "Windows", Fault::Broken),
                (virginia.clone(), "types", Fault::Broken),
                (virginia, "Windows", Fault::Broken),
            ]
        );
    }
}
