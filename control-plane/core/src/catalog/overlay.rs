//! What AWS answered at run time, laid over the embedded tables: newer types, zones and prices.
//!
//! Knows types by name, as answers carry them; knows nothing of how they were read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use crate::id::{AzId, Region};
use crate::money::UsdPerHour;

use super::parse::{TYPES_MAX, Zone};
use super::{Catalog, InstanceType, Product, TypeId};

/// Newer facts than the embedded ones. What was not asked, or not answered, stays as it is embedded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Overlay {
    types: BTreeMap<Arc<str>, InstanceType>,
    zones: BTreeMap<Region, BTreeMap<AzId, BTreeSet<Arc<str>>>>,
    prices: BTreeMap<Region, PricesByName>,
}

/// A region's on-demand prices by product and type.
type PricesByName = BTreeMap<(Product, Arc<str>), Option<UsdPerHour>>;

/// On-demand prices that AWS stated or made unusable; `None` hides the embedded price.
pub(super) type Stated = BTreeMap<Region, BTreeMap<(Product, TypeId), Option<UsdPerHour>>>;

/// A catalogue is in use already: ids would change their meaning under the engine's hands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a catalogue is in use already")]
pub struct AlreadyInUse;

impl Overlay {
    /// Facts of one type, new or changed.
    pub fn set_type(&mut self, kind: InstanceType) {
        self.types.insert(Arc::clone(&kind.name), kind);
    }

    /// All types that a zone offers; replaces what was known of that zone.
    pub fn set_zone(&mut self, region: &Region, zone: AzId, types: BTreeSet<Arc<str>>) {
        self.zones.entry(region.clone()).or_default().insert(zone, types);
    }

    /// The on-demand price of a type; `None` where AWS's list has no single usable one, so that an older price does
    /// not stand in for it.
    pub fn set_price(&mut self, region: &Region, product: Product, kind: &str, price: Option<UsdPerHour>) {
        self.prices.entry(region.clone()).or_default().insert((product, kind.into()), price);
    }

    /// The types that it tells of, by name.
    #[must_use]
    pub fn types(&self) -> impl ExactSizeIterator<Item = &InstanceType> {
        self.types.values()
    }

    /// The zones that it tells of, with all types that each offers.
    pub fn zones(&self) -> impl Iterator<Item = (&Region, &AzId, &BTreeSet<Arc<str>>)> {
        self.zones.iter().flat_map(|(region, zones)| zones.iter().map(move |(zone, types)| (region, zone, types)))
    }

    /// The on-demand prices that it tells of, by region, product and type; `None` where there is none to count with.
    pub fn prices(&self) -> impl Iterator<Item = (&Region, Product, &Arc<str>, Option<UsdPerHour>)> {
        let of = |(region, prices)| {
            let prices: &PricesByName = prices;
            prices.iter().map(move |((product, kind), price)| (region, *product, kind, *price))
        };
        self.prices.iter().flat_map(of)
    }

    /// Numbers of types, zones and prices, for a log line.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let zones = self.zones.values().map(BTreeMap::len).sum();
        (self.types.len(), zones, self.prices.values().map(BTreeMap::len).sum())
    }
}

static IN_USE: OnceLock<Catalog> = OnceLock::new();

impl Catalog {
    /// This catalogue with newer facts. Every id of this one names the same type there; new types follow, by name.
    #[must_use]
    pub fn with_overlay(&self, overlay: &Overlay) -> Self {
        let mut new = self.clone();
        for kind in overlay.types.values() {
            new.put_type(kind);
        }
        new.put_regions(overlay.zones.keys().chain(overlay.prices.keys()));
        for (region, zones) in &overlay.zones {
            for (zone, types) in zones {
                new.put_zone(region, zone, types);
            }
        }
        for (region, prices) in &overlay.prices {
            for ((product, name), price) in prices {
                let Some(id) = new.by_name(name) else { continue };
                new.stated.entry(region.clone()).or_default().insert((*product, id), *price);
            }
        }
        new
    }

    /// Makes this the catalogue that [`Catalog::in_use`] gives from now on. The program calls it at most once, with an
    /// overlay of the embedded catalogue, so ids that were made before stay right.
    pub fn install(self) -> Result<&'static Self, AlreadyInUse> {
        IN_USE.set(self).map_err(|_| AlreadyInUse)?;
        Ok(Self::in_use())
    }

    /// The installed catalogue, or else the embedded one. Stored names of types are read against it.
    #[must_use]
    pub fn in_use() -> &'static Self {
        IN_USE.get().unwrap_or_else(Self::embedded)
    }

    /// Sees to it that [`Catalog::in_use`] says what this overlay tells, as a recording needs it before its types can
    /// be read. Refused where the process uses another catalogue already.
    pub fn take_up(overlay: &Overlay) -> Result<(), AlreadyInUse> {
        if Self::in_use().says(overlay) {
            return Ok(());
        }
        Self::embedded().with_overlay(overlay).install().map(|_| ())
    }

    fn put_type(&mut self, kind: &InstanceType) {
        match self.by_name(&kind.name) {
            Some(id) => self.types[id.index()] = kind.clone(),
            // More than an id can number: the type stays unknown, as any is that AWS has not told of.
            None if self.types.len() >= TYPES_MAX => {}
            None => {
                let id = TypeId(u16::try_from(self.types.len()).unwrap_or(u16::MAX));
                self.types.push(kind.clone());
                self.added.insert(Arc::clone(&kind.name), id);
            }
        }
    }

    /// Regions that are not in the tables yet; the price table is laid out anew for them and for new types.
    fn put_regions<'a>(&mut self, regions: impl Iterator<Item = &'a Region>) {
        let mut all: BTreeSet<Region> = regions.cloned().collect();
        all.extend(self.regions.iter().cloned());
        let before: Vec<Option<usize>> = all.iter().map(|r| self.regions.binary_search(r).ok()).collect();
        self.prices = self.prices.laid_out(self.types.len(), &before);
        self.zones = before.iter().map(|at| at.map_or_else(Vec::new, |at| self.zones[at].clone())).collect();
        self.regions = all.into_iter().collect();
    }

    fn put_zone(&mut self, region: &Region, zone: &AzId, types: &BTreeSet<Arc<str>>) {
        let Ok(at) = self.regions.binary_search(region) else { return };
        let mut offered = Zone::empty(self.types.len());
        for id in types.iter().filter_map(|name| self.by_name(name)) {
            offered.add(id);
        }
        if let Err(place) = self.zones[at].binary_search(zone) {
            self.zones[at].insert(place, zone.clone());
        }
        self.offered.insert(zone.clone(), offered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str) -> Region {
        name.parse().unwrap()
    }

    fn renamed(catalog: &Catalog, from: &str, to: &str) -> InstanceType {
        InstanceType { name: to.into(), ..catalog.get(catalog.by_name(from).unwrap()).clone() }
    }

    #[test]
    fn ids_keep_their_meaning_and_new_types_follow() {
        let base = Catalog::embedded();
        let mut overlay = Overlay::default();
        overlay.set_type(renamed(base, "m5.large", "a0.large"));
        overlay.set_type(InstanceType { vcpu: 3, ..renamed(base, "m5.large", "m5.large") });
        let new = base.with_overlay(&overlay);
        assert_eq!(new.len(), base.len() + 1);
        assert!(base.types().all(|(id, kind)| new.get(id).name == kind.name && new.by_name(&kind.name) == Some(id)));
        let added = new.by_name("a0.large").unwrap();
        assert_eq!((added.index(), &*new.get(added).name), (base.len(), "a0.large"));
        assert_eq!(new.get(new.by_name("m5.large").unwrap()).vcpu, 3);
        let again = new.with_overlay(&overlay);
        assert_eq!((again.len(), again.by_name("a0.large")), (new.len(), Some(added)));
    }

    #[test]
    fn stated_prices_win_and_refused_ones_hide_the_old() {
        let base = Catalog::embedded();
        let (virginia, mars) = (region("us-east-1"), region("aa-mars-1"));
        let m5 = base.by_name("m5.large").unwrap();
        let old = base.on_demand(&virginia, Product::Windows, m5);
        let mut overlay = Overlay::default();
        overlay.set_price(&virginia, Product::Linux, "m5.large", Some(UsdPerHour(97_000)));
        overlay.set_price(&virginia, Product::Rhel, "m5.large", None);
        overlay.set_price(&mars, Product::Linux, "m5.large", Some(UsdPerHour(5)));
        overlay.set_price(&mars, Product::Linux, "m5.gigantic", Some(UsdPerHour(5)));
        let new = base.with_overlay(&overlay);
        assert_eq!(new.on_demand(&virginia, Product::Linux, m5), Some(UsdPerHour(97_000)));
        assert_eq!(new.on_demand(&virginia, Product::Windows, m5), old, "not asked, so as embedded");
        assert!(base.on_demand(&virginia, Product::Rhel, m5).is_some());
        assert_eq!(new.on_demand(&virginia, Product::Rhel, m5), None);
        assert_eq!(new.on_demand(&mars, Product::Linux, m5), Some(UsdPerHour(5)));
        assert_eq!(new.on_demand(&mars, Product::Windows, m5), None);
        // Every region moved one place; their prices must have moved along.
        for region in base.regions() {
            for (id, _) in base.types().filter(|(id, _)| *id != m5) {
                assert_eq!(new.on_demand(region, Product::Linux, id), base.on_demand(region, Product::Linux, id));
            }
        }
    }

    #[test]
    fn a_zone_is_replaced_whole_and_others_stay() {
        let base = Catalog::embedded();
        let (virginia, zone) = (region("us-east-1"), "use1-az3".parse::<AzId>().unwrap());
        let mut overlay = Overlay::default();
        overlay.set_type(renamed(base, "m5.large", "zz9.large"));
        overlay.set_zone(&virginia, zone.clone(), ["zz9.large".into(), "unknown.large".into()].into());
        overlay.set_zone(&virginia, "use1-az9".parse().unwrap(), BTreeSet::new());
        let new = base.with_overlay(&overlay);
        let id = |name: &str| new.by_name(name).unwrap();
        assert!(new.offered(&zone, id("zz9.large")) && !new.offered(&zone, id("m5.large")));
        let other = "use1-az1".parse().unwrap();
        assert!(new.offered(&other, id("m5.large")) && !new.offered(&other, id("zz9.large")));
        assert_eq!(new.zones(&virginia).len(), base.zones(&virginia).len() + 1);
        assert!(new.zones(&virginia).is_sorted());
        assert_eq!(overlay.counts(), (1, 2, 0));
    }
}
