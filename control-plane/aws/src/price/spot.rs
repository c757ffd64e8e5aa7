//! Rows of DescribeSpotPriceHistory to prices of pools.
//!
//! Pure: rows in, prices out. A row that cannot be read is skipped and counted by its reason.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_ec2::types as aws;
use spothub_core::catalog::{Catalog, Product};
use spothub_core::id::AzId;
use spothub_core::market::{Pool, SpotPrice};
use spothub_core::money::UsdPerHour;
use spothub_core::time::Timestamp;

use super::offer::hourly;

/// Names under which a product's rows are asked for: EC2 adds the ending to those of some pools.
pub(super) fn descriptions(product: Product) -> [String; 2] {
    [product.label().to_owned(), format!("{product} (Amazon VPC)")]
}

/// Rows that gave no price, by reason.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Skipped {
    /// Types that the catalogue does not have.
    pub(super) types: usize,
    /// Products that this program does not serve.
    pub(super) products: usize,
    /// Zones without a known id.
    pub(super) zones: usize,
    /// No positive price, or no time.
    pub(super) prices: usize,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { types, products, zones, prices } = self;
        write!(f, "{types} of unknown types, {products} of other products, {zones} in unknown zones, {prices} unpriced")
    }
}

/// The newest price of each pool.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Reduced {
    /// By zone, product and type: in the order that `Quotes` takes fastest.
    pub(super) prices: Vec<SpotPrice>,
    pub(super) skipped: Skipped,
}

/// Keeps the newest row of each pool; of two at the same time the dearer, so that no saving is overstated.
pub(super) fn newest(rows: &[aws::SpotPrice], zones: &BTreeMap<String, AzId>, catalog: &Catalog) -> Reduced {
    let mut reader = Reader { zones, catalog, ids: BTreeMap::new(), skipped: Skipped::default() };
    let mut pools = BTreeMap::new();
    for SpotPrice { pool, price, at } in rows.iter().filter_map(|row| reader.read(row)) {
        let kept = pools.entry((pool.az, pool.product, pool.kind)).or_insert((at, price));
        *kept = (*kept).max((at, price));
    }
    let prices = pools.into_iter().map(|((az, product, kind), (at, price))| SpotPrice {
        pool: Pool { az, kind, product },
        price,
        at,
    });
    Reduced { prices: prices.collect(), skipped: reader.skipped }
}

/// The price of a pool in force at `from`, and each change up to `to`, in order of time.
///
/// The first bears the time at which it came into force. AWS repeats unchanged prices about once a day; repeats are
/// left out.
pub(super) fn changes(
    rows: &[aws::SpotPrice],
    zones: &BTreeMap<String, AzId>,
    catalog: &Catalog,
    pool: &Pool,
    from: Timestamp,
    to: Timestamp,
) -> Vec<(Timestamp, UsdPerHour)> {
    let mut reader = Reader { zones, catalog, ids: BTreeMap::new(), skipped: Skipped::default() };
    let mut by_time = BTreeMap::new();
    let of_pool = rows.iter().filter_map(|row| reader.read(row)).filter(|row| row.pool == *pool && row.at <= to);
    for row in of_pool {
        let price = by_time.entry(row.at).or_insert(row.price);
        *price = row.price.max(*price);
    }
    let first = by_time.range(..=from).next_back().map(|(at, _)| *at);
    let mut changes: Vec<(Timestamp, UsdPerHour)> =
        by_time.into_iter().filter(|(at, _)| first.is_none_or(|first| *at >= first)).collect();
    changes.dedup_by_key(|(_, price)| *price);
    changes
}

struct Reader<'a> {
    /// Zone ids by the asking account's names.
    zones: &'a BTreeMap<String, AzId>,
    catalog: &'a Catalog,
    /// One copy of each id: comparisons of copies are quick, and there are thousands.
    ids: BTreeMap<String, AzId>,
    skipped: Skipped,
}

impl Reader<'_> {
    fn read(&mut self, row: &aws::SpotPrice) -> Option<SpotPrice> {
        let name = row.instance_type().map_or("", aws::InstanceType::as_str);
        let Some(kind) = self.catalog.by_name(name) else {
            self.skipped.types += 1;
            return None;
        };
        let product = row.product_description().and_then(|text| text.as_str().parse::<Product>().ok());
        let Some(product) = product else {
            self.skipped.products += 1;
            return None;
        };
        let Some(az) = self.az(row) else {
            self.skipped.zones += 1;
            return None;
        };
        let price = row.spot_price().and_then(hourly).filter(|price| price.0 > 0);
        let at = row.timestamp().and_then(|at| at.to_millis().ok()).map(Timestamp);
        let (Some(price), Some(at)) = (price, at) else {
            self.skipped.prices += 1;
            return None;
        };
        Some(SpotPrice { pool: Pool { az, kind, product }, price, at })
    }

    fn az(&mut self, row: &aws::SpotPrice) -> Option<AzId> {
        let Some(text) = row.availability_zone_id() else {
            return self.zones.get(row.availability_zone()?).cloned();
        };
        if let Some(id) = self.ids.get(text) {
            return Some(id.clone());
        }
        let id: AzId = text.parse().ok()?;
        self.ids.insert(text.to_owned(), id.clone());
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::DateTime;

    struct Cells<'a> {
        kind: &'a str,
        product: &'a str,
        zone: Result<&'a str, &'a str>,
        price: &'a str,
        at: i64,
    }

    const ROW: Cells<'_> =
        Cells { kind: "m5.large", product: "Linux/UNIX", zone: Ok("euw1-az1"), price: "0.04", at: 5 };

    fn row(cells: &Cells<'_>) -> aws::SpotPrice {
        let row = aws::SpotPrice::builder()
            .instance_type(cells.kind.into())
            .product_description(cells.product.into())
            .spot_price(cells.price)
            .timestamp(DateTime::from_secs(cells.at));
        match cells.zone {
            Ok(id) => row.availability_zone_id(id).availability_zone("eu-west-1z").build(),
            Err(name) => row.availability_zone(name).build(),
        }
    }

    fn zones() -> BTreeMap<String, AzId> {
        [("eu-west-1a".to_owned(), "euw1-az3".parse().unwrap())].into()
    }

    fn told(cells: &[Cells<'_>]) -> (Vec<String>, Skipped) {
        let catalog = Catalog::embedded();
        let rows: Vec<_> = cells.iter().map(row).collect();
        let reduced = newest(&rows, &zones(), catalog);
        let tell = |row: &SpotPrice| {
            format!("{} {} {} {}", row.pool.az, catalog.get(row.pool.kind).name, row.pool.product, row.price)
        };
        (reduced.prices.iter().map(tell).collect(), reduced.skipped)
    }

    #[test]
    fn the_newest_row_of_a_pool_counts_whatever_its_order_and_name() {
        let vpc = "Linux/UNIX (Amazon VPC)";
        let (prices, skipped) = told(&[
            Cells { price: "0.05", at: 7, ..ROW },
            Cells { price: "0.06", at: 6, product: vpc, ..ROW },
            Cells { price: "0.0900", product: "Windows", ..ROW },
            Cells { price: "0.03", zone: Err("eu-west-1a"), ..ROW },
            Cells { price: "0.041", at: 5, product: "SUSE Linux", ..ROW },
            Cells { price: "0.042000", at: 5, product: "SUSE Linux", ..ROW },
        ]);
        assert_eq!(
            prices,
            [
                "euw1-az1 m5.large Linux/UNIX 0.050000",
                "euw1-az1 m5.large Windows 0.090000",
                "euw1-az1 m5.large SUSE Linux 0.042000",
                "euw1-az3 m5.large Linux/UNIX 0.030000",
            ]
        );
        assert_eq!(skipped, Skipped::default());
    }

    #[test]
    fn rows_that_cannot_be_read_are_counted_and_never_free() {
        let (prices, skipped) = told(&[
            Cells { kind: "m99.large", ..ROW },
            Cells { product: "Windows with SQL", ..ROW },
            Cells { zone: Err("eu-west-1q"), ..ROW },
            Cells { zone: Ok("EUW1"), ..ROW },
            Cells { price: "0.000000", ..ROW },
            Cells { price: "-1", ..ROW },
            Cells { price: "cheap", ..ROW },
        ]);
        assert!(prices.is_empty());
        assert_eq!(skipped, Skipped { types: 1, products: 1, zones: 2, prices: 3 });
        let bare = newest(&[aws::SpotPrice::builder().build()], &zones(), Catalog::embedded());
        assert_eq!(bare.skipped.types, 1);
    }

    #[test]
    fn a_history_begins_with_the_price_in_force_and_holds_changes_only() {
        let catalog = Catalog::embedded();
        let pool = Pool {
            az: "euw1-az1".parse().unwrap(),
            kind: catalog.by_name("m5.large").unwrap(),
            product: Product::Linux,
        };
        let rows: Vec<_> = [
            Cells { price: "0.05", at: 30, ..ROW },
            Cells { price: "0.03", at: 1, ..ROW },
            Cells { price: "0.04", at: 9, ..ROW },
            Cells { price: "0.04", at: 20, ..ROW },
            Cells { price: "0.06", at: 41, ..ROW },
            Cells { price: "0.01", at: 15, zone: Ok("euw1-az2"), ..ROW },
            Cells { price: "0.01", at: 16, product: "Windows", ..ROW },
        ]
        .iter()
        .map(row)
        .collect();
        let told = |from, to| {
            let changes = changes(&rows, &zones(), catalog, &pool, Timestamp(from), Timestamp(to));
            changes.into_iter().map(|(at, price)| (at.0, price.0)).collect::<Vec<_>>()
        };
        assert_eq!(told(10_000, 40_000), [(9_000, 40_000), (30_000, 50_000)]);
        assert_eq!(told(9_000, 9_000), [(9_000, 40_000)]);
        assert_eq!(told(500, 9_000), [(1_000, 30_000), (9_000, 40_000)], "nothing is known of the time before");
        assert_eq!(told(0, 500), []);
    }

    #[test]
    fn both_names_of_a_product_are_asked_for() {
        assert_eq!(descriptions(Product::Suse), ["SUSE Linux", "SUSE Linux (Amazon VPC)"]);
    }
}
