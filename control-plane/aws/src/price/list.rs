//! On-demand prices of a region and product: GetProducts of the price list.
//!
//! Knows the API's places and filters; what an entry means is `offer`'s business.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_pricing::Client;
use aws_sdk_pricing::types::{Filter, FilterType};
use spothub_core::catalog::{Overlay, Product};
use spothub_core::fault::Fault;
use spothub_core::id::Region;
use spothub_core::money::UsdPerHour;
use tracing::{debug, warn};

use super::offer::{Refusal, Tally, Wanted};
use crate::action::Action;
use crate::home::Home;

/// Entries of a page: the API's most.
const PAGE_ENTRIES: i32 = 100;
/// Most pages of one answer: a region has some 900 types, nine pages, for each product.
const PAGES_MAX: usize = 100;

/// AWS's price list. List prices: discounts of an account are not in it.
pub struct PriceList {
    home: Arc<Home>,
    client: Client,
}

/// On-demand prices of one region and product.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// The region.
    pub region: Region,
    /// The product, its licence included in the prices.
    pub product: Product,
    /// The price of each type, or why there is none.
    pub prices: BTreeMap<String, Result<UsdPerHour, Refusal>>,
}

impl Listed {
    /// Lays these prices over the embedded ones; a refused type has none from then on.
    pub fn add_to(&self, overlay: &mut Overlay) {
        for (kind, price) in &self.prices {
            overlay.set_price(&self.region, self.product, kind, price.ok());
        }
    }
}

impl PriceList {
    /// The list at the endpoint nearest to the hub's home region.
    #[must_use]
    pub fn new(home: Arc<Home>) -> Self {
        let region = home.session().region().map_or("", |region| region.as_ref());
        let client = Client::new(&home.in_region(endpoint_region(region)));
        Self { home, client }
    }

    /// Reads one region's prices of one product; all pages.
    pub async fn read(&self, region: &Region, product: Product) -> Result<Listed, Fault> {
        let wanted = Wanted { region, product };
        let filter = |(name, value): &(&str, &str)| {
            Filter::builder().r#type(FilterType::TermMatch).field(*name).value(*value).build()
        };
        let filters: Result<Vec<Filter>, _> = wanted.attributes().iter().map(filter).collect();
        let filters = filters.map_err(|_| Fault::Invalid("a filter of the price list"))?;
        let call = self.client.get_products().service_code("AmazonEC2").set_filters(Some(filters));
        let mut pages = call.max_results(PAGE_ENTRIES).into_paginator().send();
        let mut tally = Tally::default();
        for _ in 0..PAGES_MAX {
            let Some(page) = pages.next().await else { return Ok(finish(wanted, tally)) };
            let page = self.home.answered(Action::GetProducts, page)?;
            for entry in page.price_list() {
                tally.take(wanted, entry);
            }
        }
        warn!(%region, %product, pages = PAGES_MAX, "the price list did not end; what came is used");
        Ok(finish(wanted, tally))
    }
}

fn finish(wanted: Wanted<'_>, tally: Tally) -> Listed {
    let (region, product, skipped) = (wanted.region.clone(), wanted.product, tally.skipped);
    let prices = tally.finish();
    let refused = prices.values().filter(|price| price.is_err()).count();
    debug!(%region, %product, types = prices.len(), refused, skipped, "price list");
    Listed { region, product, prices }
}

/// The list is served in these regions only; each has the prices of all. China has a list of its own, in CNY, which is
/// then refused for its currency.
fn endpoint_region(home: &str) -> &'static str {
    match home.split('-').next().unwrap_or_default() {
        "eu" | "af" | "me" | "il" => "eu-central-1",
        "ap" => "ap-south-1",
        "cn" => "cn-northwest-1",
        _ => "us-east-1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spothub_core::catalog::Catalog;

    #[test]
    fn the_list_is_asked_nearby() {
        let cases = [
            ("eu-west-1", "eu-central-1"),
            ("ap-southeast-2", "ap-south-1"),
            ("us-west-2", "us-east-1"),
            ("cn-north-1", "cn-northwest-1"),
            ("", "us-east-1"),
        ];
        for (home, endpoint) in cases {
            assert_eq!(endpoint_region(home), endpoint);
        }
    }

    #[test]
    fn prices_reach_the_catalogue_and_refusals_take_them_away() {
        let region: Region = "eu-west-1".parse().unwrap();
        let prices =
            [("m5.large".to_owned(), Ok(UsdPerHour(101_000))), ("m5.xlarge".to_owned(), Err(Refusal::SeveralPrices))];
        let mut overlay = Overlay::default();
        Listed { region: region.clone(), product: Product::Linux, prices: prices.into() }.add_to(&mut overlay);
        let catalog = Catalog::embedded().with_overlay(&overlay);
        let price = |name| catalog.on_demand(&region, Product::Linux, catalog.by_name(name).unwrap());
        assert_eq!(price("m5.large"), Some(UsdPerHour(101_000)));
        assert_eq!(price("m5.xlarge"), None);
        assert!(price("m5.2xlarge").is_some());
    }
}
