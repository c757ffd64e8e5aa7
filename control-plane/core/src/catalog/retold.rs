//! What a catalogue has to tell another edition of itself, so that both answer the same for some regions.
//!
//! Compares two catalogues; knows nothing of files or of who reads them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::id::{AzId, Region};

use super::{Catalog, Overlay, Product};

impl Catalog {
    /// What laid over `base` answers for these regions as this catalogue does: types and zones that `base` has
    /// otherwise or not at all, and every on-demand price, also where there is none.
    #[must_use]
    pub fn retold(&self, base: &Self, regions: &BTreeSet<Region>) -> Overlay {
        let mut overlay = Overlay::default();
        for (_, kind) in self.types() {
            if base.by_name(&kind.name).is_none_or(|id| base.get(id) != kind) {
                overlay.set_type(kind.clone());
            }
        }
        for region in regions {
            for zone in self.zones(region) {
                let types = self.offers_of(zone);
                if !base.zones(region).contains(zone) || base.offers_of(zone) != types {
                    overlay.set_zone(region, zone.clone(), types);
                }
            }
            for product in Product::ALL {
                for (id, kind) in self.types() {
                    overlay.set_price(region, product, &kind.name, self.on_demand(region, product, id));
                }
            }
        }
        overlay
    }

    /// Whether this catalogue answers already as the overlay tells it to.
    #[must_use]
    pub fn says(&self, overlay: &Overlay) -> bool {
        // What neither knows is laid over nothing, and so is no difference.
        let known = |types: &BTreeSet<Arc<str>>| -> BTreeSet<Arc<str>> {
            types.iter().filter(|name| self.by_name(name).is_some()).cloned().collect()
        };
        overlay.types().all(|kind| self.by_name(&kind.name).is_some_and(|id| self.get(id) == kind))
            && overlay
                .zones()
                .all(|(region, zone, types)| self.zones(region).contains(zone) && self.offers_of(zone) == known(types))
            && overlay.prices().all(|(region, product, kind, price)| {
                self.by_name(kind).is_none_or(|id| self.on_demand(region, product, id) == price)
            })
    }

    fn offers_of(&self, zone: &AzId) -> BTreeSet<Arc<str>> {
        self.types().filter(|(id, _)| self.offered(zone, *id)).map(|(_, kind)| Arc::clone(&kind.name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::InstanceType;
    use crate::money::UsdPerHour;

    fn region(name: &str) -> Region {
        name.parse().unwrap()
    }

    /// The embedded catalogue with a type, a zone and prices of its own in a region that it does not know.
    fn newer() -> Catalog {
        let base = Catalog::embedded();
        let m5 = base.get(base.by_name("m5.large").unwrap()).clone();
        let mut overlay = Overlay::default();
        overlay.set_type(InstanceType { name: "zz9.large".into(), family: "zz9".into(), ..m5 });
        overlay.set_zone(&region("aa-mars-1"), "aam1-az1".parse().unwrap(), ["zz9.large".into()].into());
        overlay.set_price(&region("aa-mars-1"), Product::Linux, "zz9.large", Some(UsdPerHour(7)));
        overlay.set_price(&region("eu-west-1"), Product::Linux, "m5.large", Some(UsdPerHour(8)));
        overlay.set_price(&region("eu-west-1"), Product::Linux, "m5.xlarge", None);
        base.with_overlay(&overlay)
    }

    #[test]
    fn what_is_told_makes_the_other_answer_alike() {
        let (newer, base) = (newer(), Catalog::embedded());
        let regions = [region("aa-mars-1"), region("eu-west-1")].into();
        let told = newer.retold(base, &regions);
        assert_eq!(told.types().map(|kind| &*kind.name).collect::<Vec<_>>(), ["zz9.large"]);
        assert_eq!(told.zones().map(|(region, ..)| region.as_str()).collect::<Vec<_>>(), ["aa-mars-1"]);
        assert!(!base.says(&told) && newer.says(&told));
        let laid = base.with_overlay(&told);
        assert!(laid.says(&told));
        assert_eq!(laid.retold(base, &regions), told);
        for (id, kind) in newer.types() {
            let same = laid.by_name(&kind.name).unwrap();
            for region in &regions {
                assert_eq!(laid.on_demand(region, Product::Linux, same), newer.on_demand(region, Product::Linux, id));
            }
        }
    }

    #[test]
    fn an_edition_needs_nothing_told_of_itself() {
        let base = Catalog::embedded();
        let told = base.retold(base, &[region("us-east-1")].into());
        let (types, zones, prices) = told.counts();
        assert_eq!((types, zones), (0, 0));
        assert_eq!(prices, base.len() * Product::ALL.len());
        assert!(base.says(&told) && base.says(&Overlay::default()));
    }

    #[test]
    fn a_price_a_zone_and_a_type_each_make_a_difference() {
        let base = Catalog::embedded();
        let other = newer();
        for region in ["aa-mars-1", "eu-west-1"] {
            assert!(!base.says(&other.retold(base, &[self::region(region)].into())), "{region}");
        }
        assert!(!base.says(&other.retold(base, &BTreeSet::new())), "a type alone");
    }
}
