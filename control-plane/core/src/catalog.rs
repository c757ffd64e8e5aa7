//! Instance types: what each is, where it is offered, and what it costs on demand.
//!
//! Knows the generated tables under `catalogue/`, how they are laid out, and how newer answers of AWS are laid over
//! them; knows nothing of policies, Spot prices or AWS accounts. Who may stand in for whom is `compat`'s business.

mod facts;
mod label;
mod overlay;
mod parse;
mod prices;
mod product;
mod retold;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::id::{AzId, Region};
use crate::money::UsdPerHour;

pub use facts::{
    Accelerator, AcceleratorKind, Arch, AttachmentLimit, BootMode, Ebs, EbsOptimized, Gpu, Hypervisor, InstanceStorage,
    InstanceType, Medium, Pace, Purpose, Support, Virtualization,
};
pub use label::LabelError;
pub use overlay::{AlreadyInUse, Overlay};
pub use parse::{CatalogError, CatalogFile};
pub use product::Product;

use overlay::Stated;
use parse::{Offers, Zone};
use prices::Prices;

const TYPES: &str = include_str!("../catalogue/types.tsv");
const OFFERS: &str = include_str!("../catalogue/offers.tsv");
const PRICES: &str = include_str!("../catalogue/prices.tsv");

/// An instance type's place in one [`Catalog`]: dense from zero, so tables can be indexed by it.
///
/// It is stored by name, never as a number: the next catalogue numbers its types anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct TypeId(pub u16);

impl TypeId {
    /// The place as an index.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Instance types with their offerings and on-demand prices, in one fixed order: the embedded ones by name, then those
/// that AWS told of later.
#[derive(Clone, Debug)]
pub struct Catalog {
    types: Vec<InstanceType>,
    /// Types of an overlay that the tables do not have; they stand behind those of the tables.
    added: BTreeMap<Arc<str>, TypeId>,
    regions: Vec<Region>,
    /// Zone ids of each region, in the order of `regions`.
    zones: Vec<Vec<AzId>>,
    /// Which types each zone offers: bit `TypeId`.
    offered: BTreeMap<AzId, Zone>,
    prices: Prices,
    stated: Stated,
}

impl Catalog {
    /// The catalogue that was generated into this program, parsed on first use.
    ///
    /// # Panics
    /// Never: a test parses the embedded tables.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static EMBEDDED: OnceLock<Catalog> = OnceLock::new();
        EMBEDDED.get_or_init(|| Self::parse(TYPES, OFFERS, PRICES).expect("a test parses the embedded tables"))
    }

    /// Reads the three tables; an error names the table, the line and the column.
    pub fn parse(types: &str, offers: &str, prices: &str) -> Result<Self, CatalogError> {
        let types = parse::types(types)?;
        let Offers { regions, zones, offered } = parse::offers(offers, &types)?;
        let prices = parse::prices(prices, &types, &regions)?;
        Ok(Self { types, added: BTreeMap::new(), regions, zones, offered, prices, stated: BTreeMap::new() })
    }

    /// The type of this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<TypeId> {
        let tables = self.types.len() - self.added.len();
        parse::find(&self.types[..tables], name).or_else(|| self.added.get(name).copied())
    }

    /// The facts of one type.
    ///
    /// # Panics
    /// If the id came from a catalogue with more types.
    #[must_use]
    pub fn get(&self, id: TypeId) -> &InstanceType {
        &self.types[id.index()]
    }

    /// Number of types.
    #[must_use]
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether there are no types at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// Every type with its id, by id.
    pub fn types(&self) -> impl Iterator<Item = (TypeId, &InstanceType)> {
        (0..=u16::MAX).map(TypeId).zip(&self.types)
    }

    /// Regions of the tables, by name.
    #[must_use]
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Zone ids of a region, sorted; empty where the region is unknown.
    #[must_use]
    pub fn zones(&self, region: &Region) -> &[AzId] {
        self.regions.binary_search(region).map_or(&[], |index| &self.zones[index])
    }

    /// Whether a zone offers a type; an unknown zone offers nothing.
    #[must_use]
    pub fn offered(&self, zone: &AzId, id: TypeId) -> bool {
        self.offered.get(zone).is_some_and(|zone| zone.offers(id))
    }

    /// On-demand price with the product's licence included; `None` where it is unknown, never zero.
    #[must_use]
    pub fn on_demand(&self, region: &Region, product: Product, id: TypeId) -> Option<UsdPerHour> {
        if let Some(stated) = self.stated.get(region).and_then(|prices| prices.get(&(product, id))) {
            return *stated;
        }
        let region = self.regions.binary_search(region).ok()?;
        self.prices.get(region, product, id)
    }
}
