//! On-demand prices: Linux by region, and what each other product adds.

use std::num::NonZeroU32;

use crate::money::UsdPerHour;

use super::{Product, TypeId};

/// A price or fee in millionths of a USD per hour; `None` where it is unknown.
pub(super) type Micros = Option<NonZeroU32>;

/// What a licence adds to the Linux price, the same in every region.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fees {
    pub(super) windows: Micros,
    pub(super) rhel: Micros,
    pub(super) suse: Micros,
}

/// Prices of one catalogue, by `TypeId`.
#[derive(Clone, Debug)]
pub(super) struct Prices {
    /// Linux prices: `types` entries for each region, in the catalogue's order of regions.
    linux: Vec<Micros>,
    fees: Vec<Fees>,
}

impl Prices {
    /// Prices of which none is known yet.
    pub(super) fn unknown(types: usize, regions: usize) -> Self {
        Self { linux: vec![None; types * regions], fees: vec![Fees::default(); types] }
    }

    /// These prices in a table of another shape: `regions` says at which place each region stood before, if it did.
    pub(super) fn laid_out(&self, types: usize, regions: &[Option<usize>]) -> Self {
        let before = self.fees.len();
        let mut new = Self::unknown(types, regions.len());
        new.fees[..before].copy_from_slice(&self.fees);
        for (place, old) in regions.iter().enumerate() {
            if let Some(old) = old {
                let row = &self.linux[old * before..(old + 1) * before];
                new.linux[place * types..place * types + before].copy_from_slice(row);
            }
        }
        new
    }

    pub(super) fn set_fees(&mut self, id: TypeId, fees: Fees) {
        self.fees[id.index()] = fees;
    }

    pub(super) fn set_linux(&mut self, region: usize, id: TypeId, price: Micros) {
        let place = region * self.fees.len() + id.index();
        self.linux[place] = price;
    }

    /// The price of a product, if both parts of it are known.
    pub(super) fn get(&self, region: usize, product: Product, id: TypeId) -> Option<UsdPerHour> {
        let linux = *self.linux.get(region * self.fees.len() + id.index())?;
        let fees = self.fees.get(id.index())?;
        let fee = match product {
            Product::Linux => 0,
            Product::Windows => fees.windows?.get(),
            Product::Rhel => fees.rhel?.get(),
            Product::Suse => fees.suse?.get(),
        };
        Some(UsdPerHour(i64::from(linux?.get()) + i64::from(fee)))
    }
}
