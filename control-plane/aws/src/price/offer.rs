//! Entries of AWS's price list to one hourly price for each type.
//!
//! Pure: texts in, prices out. An entry that says anything but one price leaves its type without one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use spothub_core::catalog::Product;
use spothub_core::id::Region;
use spothub_core::money::UsdPerHour;

/// Why a type has no on-demand price.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, thiserror::Error)]
pub enum Refusal {
    /// No price above zero is listed.
    #[error("no price above zero is listed")]
    NoPrice,
    /// Prices that differ are listed.
    #[error("several prices are listed")]
    SeveralPrices,
    /// A price is not for an hour.
    #[error("a price is not for an hour")]
    OtherUnit,
    /// A price is not in USD.
    #[error("a price is not in USD")]
    OtherCurrency,
    /// A price is no amount.
    #[error("a price is no amount")]
    Unreadable,
}

/// What is asked for: one region and one product, shared tenancy, used capacity, no further software.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) region: &'a Region,
    pub(super) product: Product,
}

impl Wanted<'_> {
    /// What an instance is billed as: the usage operation of its image.
    pub(super) const fn operation(self) -> &'static str {
        match self.product {
            Product::Linux => "RunInstances",
            Product::Windows => "RunInstances:0002",
            Product::Rhel => "RunInstances:0010",
            Product::Suse => "RunInstances:000g",
        }
    }

    /// The attributes that an entry must have, under the list's names.
    pub(super) fn attributes(&self) -> [(&'static str, &str); 5] {
        [
            ("regionCode", self.region.as_str()),
            ("operation", self.operation()),
            ("tenancy", "Shared"),
            ("capacitystatus", "Used"),
            ("preInstalledSw", "NA"),
        ]
    }
}

#[derive(Deserialize)]
struct Entry {
    product: Listing,
    #[serde(default)]
    terms: Terms,
}

#[derive(Deserialize)]
struct Listing {
    attributes: BTreeMap<String, serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct Terms {
    #[serde(rename = "OnDemand", default)]
    on_demand: BTreeMap<String, Term>,
}

#[derive(Deserialize)]
struct Term {
    #[serde(rename = "priceDimensions", default)]
    dimensions: BTreeMap<String, Dimension>,
}

#[derive(Deserialize)]
struct Dimension {
    #[serde(default)]
    unit: String,
    #[serde(rename = "pricePerUnit", default)]
    price: BTreeMap<String, String>,
}

/// What is listed for one type so far.
#[derive(Debug, Default)]
struct Found {
    prices: BTreeSet<UsdPerHour>,
    refusal: Option<Refusal>,
}

/// Gathers entries into prices.
#[derive(Debug, Default)]
pub(super) struct Tally {
    types: BTreeMap<String, Found>,
    /// Entries for something else than was asked for, or without a readable shape.
    pub(super) skipped: usize,
}

impl Tally {
    /// Takes one entry, as the JSON text that the API gives.
    pub(super) fn take(&mut self, wanted: Wanted<'_>, text: &str) {
        let Ok(entry) = serde_json::from_str::<Entry>(text) else {
            self.skipped += 1;
            return;
        };
        let attribute = |name: &str| entry.product.attributes.get(name).and_then(|value| value.as_str());
        // Capacity blocks are listed beside on-demand, and not everyone who answers applies every filter.
        let other = wanted.attributes().iter().any(|(name, value)| attribute(name) != Some(value))
            || attribute("marketoption").is_some_and(|market| market != "OnDemand");
        let Some(kind) = attribute("instanceType").filter(|_| !other) else {
            self.skipped += 1;
            return;
        };
        let found = self.types.entry(kind.to_owned()).or_default();
        for dimension in entry.terms.on_demand.values().flat_map(|term| term.dimensions.values()) {
            match dimension.hourly() {
                Ok(price) => found.prices.extend(price),
                Err(refusal) => found.refusal = found.refusal.or(Some(refusal)),
            }
        }
    }

    /// One price for each type that had entries, or why it has none.
    pub(super) fn finish(self) -> BTreeMap<String, Result<UsdPerHour, Refusal>> {
        let judge = |found: Found| match (found.refusal, found.prices.len(), found.prices.first()) {
            (Some(refusal), _, _) => Err(refusal),
            (None, 1, Some(price)) => Ok(*price),
            (None, 0, _) => Err(Refusal::NoPrice),
            (None, _, _) => Err(Refusal::SeveralPrices),
        };
        self.types.into_iter().map(|(kind, found)| (kind, judge(found))).collect()
    }
}

impl Dimension {
    /// The price an hour; `None` for zero, which is listed for what is paid elsewhere.
    fn hourly(&self) -> Result<Option<UsdPerHour>, Refusal> {
        let text = self.price.get("USD").ok_or(Refusal::OtherCurrency)?;
        let price = hourly(text).ok_or(Refusal::Unreadable)?;
        if price.0 == 0 {
            return Ok(None);
        }
        if self.unit == "Hrs" { Ok(Some(price)) } else { Err(Refusal::OtherUnit) }
    }
}

/// USD an hour, not negative. AWS writes ten decimals; what lies beyond a millionth is cut, so that no saving against
/// this price is overstated.
pub(super) fn hourly(text: &str) -> Option<UsdPerHour> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.starts_with('-') || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{whole}.{}", &part[..part.len().min(6)]).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn entry(kind: &str, change: impl FnOnce(&mut Value), prices: &[(&str, &str, &str)]) -> String {
        let dimensions = prices.iter().enumerate().map(|(n, (unit, currency, amount))| {
            (format!("SKU.TERM.{n}"), json!({"unit": unit, "pricePerUnit": {*currency: amount}, "appliesTo": []}))
        });
        let dimensions: BTreeMap<String, Value> = dimensions.collect();
        let mut entry = json!({
            "product": {
                "productFamily": "Compute Instance",
                "attributes": {
                    "instanceType": kind, "regionCode": "eu-west-1", "operation": "RunInstances", "tenancy": "Shared",
                    "capacitystatus": "Used", "preInstalledSw": "NA", "marketoption": "OnDemand", "vcpu": "2",
                },
                "sku": "SKU",
            },
            "serviceCode": "AmazonEC2",
            "terms": {
                "OnDemand": {"SKU.TERM": {"priceDimensions": dimensions, "effectiveDate": "2026-01-01T00:00:00Z"}},
                "Reserved": {"SKU.R": {"priceDimensions": {"R": {"unit": "Quantity", "pricePerUnit": {"USD": "9"}}}}},
            },
            "version": "20260101000000",
        });
        change(&mut entry);
        entry.to_string()
    }

    fn told(entries: &[String]) -> (Vec<String>, usize) {
        let region = "eu-west-1".parse().unwrap();
        let mut tally = Tally::default();
        for text in entries {
            tally.take(Wanted { region: &region, product: Product::Linux }, text);
        }
        let skipped = tally.skipped;
        let tell = |(kind, price): (String, Result<UsdPerHour, Refusal>)| match price {
            Ok(price) => format!("{kind} {price}"),
            Err(refusal) => format!("{kind} {refusal}"),
        };
        (tally.finish().into_iter().map(tell).collect(), skipped)
    }

    #[test]
    fn exactly_one_price_an_hour_in_usd() {
        let plain = |kind, prices: &[(&str, &str, &str)]| entry(kind, |_| {}, prices);
        let cases = [
            (plain("a", &[("Hrs", "USD", "0.1070000000")]), "a 0.107000"),
            (plain("a", &[("Hrs", "USD", "218.4000000000")]), "a 218.400000"),
            (plain("a", &[("Hrs", "USD", "0.0000000000"), ("Hrs", "USD", "0.2")]), "a 0.200000"),
            (plain("a", &[("Hrs", "USD", "0.2"), ("Hrs", "USD", "0.20")]), "a 0.200000"),
            (plain("a", &[("Hrs", "USD", "0.0000000000")]), "a no price above zero is listed"),
            (plain("a", &[]), "a no price above zero is listed"),
            (plain("a", &[("Hrs", "USD", "0.1"), ("Hrs", "USD", "0.2")]), "a several prices are listed"),
            (plain("a", &[("Quantity", "USD", "0.1")]), "a a price is not for an hour"),
            (plain("a", &[("Hrs", "CNY", "0.1")]), "a a price is not in USD"),
            (plain("a", &[("Hrs", "USD", "cheap"), ("Hrs", "USD", "0.1")]), "a a price is no amount"),
        ];
        for (text, expected) in cases {
            assert_eq!(told(&[text]), (vec![expected.to_owned()], 0));
        }
        let twice = [plain("a", &[("Hrs", "USD", "0.1")]), plain("a", &[("Hrs", "USD", "0.3")])];
        assert_eq!(told(&twice).0, ["a several prices are listed"], "two entries for one type");
    }

    #[test]
    fn entries_for_something_else_are_skipped() {
        let attributes = [
            ("regionCode", "eu-west-2"),
            ("operation", "RunInstances:0002"),
            ("tenancy", "Dedicated"),
            ("capacitystatus", "UnusedCapacityReservation"),
            ("preInstalledSw", "SQL Web"),
            ("marketoption", "CapacityBlock"),
        ];
        for (name, value) in attributes {
            let text = entry("a", |e| e["product"]["attributes"][name] = value.into(), &[("Hrs", "USD", "0.1")]);
            assert_eq!(told(&[text]), (vec![], 1), "{name}");
        }
        let untyped =
            entry("a", |e| drop(e["product"]["attributes"].as_object_mut().unwrap().remove("instanceType")), &[]);
        let unmarked =
            entry("a", |e| drop(e["product"]["attributes"].as_object_mut().unwrap().remove("marketoption")), &[]);
        let unsold = entry("b", |e| drop(e.as_object_mut().unwrap().remove("terms")), &[]);
        let broken = ["{".to_owned(), "[]".to_owned(), "{}".to_owned(), String::new()];
        assert_eq!(told(&broken), (vec![], 4));
        assert_eq!(told(&[untyped]), (vec![], 1));
        assert_eq!(told(&[unmarked, unsold]).0, ["a no price above zero is listed", "b no price above zero is listed"]);
    }

    #[test]
    fn amounts_are_cut_to_millionths_and_never_guessed() {
        let cases = [
            ("0.0960000000", Some(96_000)),
            ("0.0000019999", Some(1)),
            ("3", Some(3_000_000)),
            ("0.00001", Some(10)),
            ("-0.1", None),
            ("-0", None),
            ("1e3", None),
            ("0.1e3", None),
            ("0.12345é", None),
            (".5", None),
            ("", None),
        ];
        for (text, micros) in cases {
            assert_eq!(hourly(text).map(|usd| usd.0), micros, "{text:?}");
        }
    }

    #[test]
    fn each_product_is_asked_for_by_its_usage_operation() {
        let region = "eu-west-1".parse().unwrap();
        let operations = Product::ALL.map(|product| Wanted { region: &region, product }.operation());
        assert_eq!(operations, ["RunInstances", "RunInstances:0002", "RunInstances:0010", "RunInstances:000g"]);
    }
}
