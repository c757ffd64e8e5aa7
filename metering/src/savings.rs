//! What slices cost, what they would have cost on demand, and the difference; exact to the last unit.

use std::ops::{Add, AddAssign, Neg};

use spothub_core::money::Usd;
use spothub_core::time::Span;

use crate::slice::Slice;

/// Sums over any number of slices.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sums {
    /// What the instances cost.
    pub actual: Usd,
    /// What those would have cost that run no more because of them, and what others launched.
    pub on_demand: Usd,
    /// Time that the instances ran, all added up.
    pub time: Span,
}

impl Sums {
    /// Nothing.
    pub const ZERO: Self = Self { actual: Usd::ZERO, on_demand: Usd::ZERO, time: Span::ZERO };

    /// The sums of one slice.
    #[must_use]
    pub fn of(slice: &Slice) -> Self {
        let time = slice.span();
        let on_demand = slice.baseline.map_or(Usd::ZERO, |baseline| baseline.over(time));
        Self { actual: slice.actual.over(time), on_demand, time }
    }

    /// On-demand cost less actual cost; negative where both old and new ran for longer than was gained since.
    #[must_use]
    pub fn saved(&self) -> Usd {
        self.on_demand - self.actual
    }

    /// The saving in hundredths of a percent of the on-demand cost, rounded down; `None` where that is nothing.
    #[must_use]
    pub fn saved_basis_points(&self) -> Option<i64> {
        self.saved().basis_points_of(self.on_demand)
    }
}

impl Add for Sums {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            actual: self.actual + other.actual,
            on_demand: self.on_demand + other.on_demand,
            time: self.time + other.time,
        }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Neg for Sums {
    type Output = Self;
    fn neg(self) -> Self {
        Self { actual: -self.actual, on_demand: -self.on_demand, time: Span::ZERO - self.time }
    }
}

impl std::iter::Sum for Sums {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}
