//! The life of one instance, cut into pieces that have one price each.
//!
//! Cuts lie where a price changes, where the baseline begins to count, and at each whole hour in UTC, so that a
//! piece belongs to one hour of every report and of the Marketplace's meter.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spothub_core::group::Lifecycle;
use spothub_core::id::{AzId, GroupKey, InstanceId, OuPath};
use spothub_core::money::UsdPerHour;
use spothub_core::time::{Span, Timestamp};

/// Length of an hour; every time here counts from an instant that begins one.
pub(crate) const HOUR: Span = Span::hours(1);

/// Whose usage it is: what stays the same for as long as an instance lives.
///
/// Where its account moves to another organizational unit meanwhile, one usage ends and another begins.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct Subject {
    /// The group it was launched for, with its account and region.
    pub group: GroupKey,
    /// The organizational unit that the account is directly in.
    pub unit: OuPath,
    /// The instance.
    pub instance: InstanceId,
    /// Its type's name, as `m5.large`.
    pub kind: Arc<str>,
    /// Its zone.
    pub az: AzId,
    /// How it is bought.
    pub lifecycle: Lifecycle,
}

/// What an instance is compared with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Baseline {
    /// Itself: it was not launched by us, so it saves nothing whatever it costs.
    Own,
    /// The on-demand instance in whose place we launched it.
    Replaced {
        /// What that one costs on demand; carried over where this one stands in for an interrupted Spot instance.
        price: UsdPerHour,
        /// When that one ended; `None` while both run, which is cost and no saving.
        from: Option<Timestamp>,
    },
}

/// One instance's life so far.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Usage {
    /// Whose.
    pub subject: Arc<Subject>,
    /// What it is compared with.
    pub baseline: Baseline,
    /// When it ended; `None` while it runs.
    pub end: Option<Timestamp>,
    start: Timestamp,
    /// The price from each of these times on; the first is `start`.
    prices: BTreeMap<Timestamp, UsdPerHour>,
}

/// The usage of one instance in a span at one price.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Whose.
    pub subject: Arc<Subject>,
    /// Where it begins.
    pub from: Timestamp,
    /// Where it ends; not part of it.
    pub to: Timestamp,
    /// The price in force.
    pub actual: UsdPerHour,
    /// What it replaces costs on demand, or its own price where we did not launch it; `None` where we did and
    /// nothing is replaced yet.
    pub baseline: Option<UsdPerHour>,
}

impl Usage {
    /// An instance that starts to cost.
    #[must_use]
    pub fn new(subject: Arc<Subject>, start: Timestamp, price: UsdPerHour, baseline: Baseline) -> Self {
        Self { subject, baseline, end: None, start, prices: BTreeMap::from([(start, price)]) }
    }

    /// When it started.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Another price is in force from `at` on; told twice of one moment, the later telling counts. A time before
    /// the start means the start.
    pub fn reprice(&mut self, at: Timestamp, price: UsdPerHour) {
        self.prices.insert(at.max(self.start), price);
    }

    /// The slices of the part of its life that lies in `from..to`, in order, without gap or overlap. Windows that
    /// join give slices that join, so a ledger can book hour by hour.
    pub fn slices(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Slice> + '_ {
        let mut cursor = from.max(self.start);
        let to = self.end.map_or(to, |end| end.min(to));
        std::iter::from_fn(move || {
            // There is a price at or before each moment since the start.
            let (_, &price) = self.prices.range(..=cursor).next_back().filter(|_| cursor < to)?;
            let slice = Slice {
                subject: Arc::clone(&self.subject),
                from: cursor,
                to: self.cut_after(cursor).min(to),
                actual: price,
                baseline: self.baseline_at(cursor, price),
            };
            cursor = slice.to;
            Some(slice)
        })
    }

    /// The first moment after `at` at which anything changes.
    fn cut_after(&self, at: Timestamp) -> Timestamp {
        let later = (std::ops::Bound::Excluded(at), std::ops::Bound::Unbounded);
        let price = self.prices.range(later).next().map(|(&at, _)| at);
        let counted = match self.baseline {
            Baseline::Replaced { from: Some(from), .. } if from > at => Some(from),
            Baseline::Replaced { .. } | Baseline::Own => None,
        };
        [price, counted].into_iter().flatten().fold(hour_of(at) + HOUR, Timestamp::min)
    }

    fn baseline_at(&self, at: Timestamp, actual: UsdPerHour) -> Option<UsdPerHour> {
        match self.baseline {
            Baseline::Own => Some(actual),
            Baseline::Replaced { price, from } => from.filter(|&from| from <= at).map(|_| price),
        }
    }
}

impl Slice {
    /// How long it is.
    #[must_use]
    pub fn span(&self) -> Span {
        self.to.since(self.from)
    }

    /// The part of it that lies in `from..to`; `None` where there is none.
    #[must_use]
    pub fn within(&self, from: Timestamp, to: Timestamp) -> Option<Self> {
        let (from, to) = (self.from.max(from), self.to.min(to));
        (from < to).then(|| Self { from, to, ..self.clone() })
    }

    /// Its parts by whole hour in UTC, in order; just itself where it lies in one.
    pub fn hours(&self) -> impl Iterator<Item = Self> + '_ {
        let mut cursor = self.from;
        std::iter::from_fn(move || {
            let part = self.within(cursor, hour_of(cursor) + HOUR)?;
            cursor = part.to;
            Some(part)
        })
    }
}

/// The beginning of the hour in which `at` lies.
pub(crate) fn hour_of(at: Timestamp) -> Timestamp {
    Timestamp(at.0.div_euclid(HOUR.0).saturating_mul(HOUR.0))
}

#[cfg(test)]
pub(crate) use tests::made;

#[cfg(test)]
mod tests;
