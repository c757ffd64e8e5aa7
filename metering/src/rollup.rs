//! Sums by hour, day and month, of each group, account, organizational unit and the whole organization.
//!
//! Only the finest sums are kept: one for each hour, unit and group. Coarser ones are added up from them when they
//! are asked for, so the levels cannot disagree among themselves; [`Rollups::equals`] holds all of them to slices.

use std::collections::BTreeMap;
use std::fmt;

use spothub_core::id::{AccountId, GroupKey, OuPath};
use spothub_core::time::{Span, Timestamp};

use crate::savings::Sums;
use crate::slice::{HOUR, Slice, hour_of};

/// The length of a period, in UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Grain {
    /// A whole hour.
    Hour,
    /// A calendar day.
    Day,
    /// A calendar month.
    Month,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Level {
    /// One Auto Scaling group.
    Group,
    /// One account.
    Account,
    /// The accounts directly in one organizational unit; those in units beneath it are counted there.
    Unit,
    /// Everything.
    Organization,
}

/// An hour, day or month in UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct Period {
    /// How long.
    pub grain: Grain,
    /// Its first moment.
    pub start: Timestamp,
}

/// Whose sums they are.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Scope {
    /// A group's.
    Group(GroupKey),
    /// An account's.
    Account(AccountId),
    /// An organizational unit's.
    Unit(OuPath),
    /// Everyone's.
    Organization,
}

/// Where rollups and slices part. One of the two sums is wrong; nothing says which.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{scope} in the {grain:?} from {start}: rolled up {} USD actual, {} USD on demand, {} ms; \
     by slices {} USD, {} USD, {} ms",
    rolled.actual, rolled.on_demand, rolled.time.0, slices.actual, slices.on_demand, slices.time.0,
    grain = period.grain, start = period.start
)]
pub struct Difference {
    /// When.
    pub period: Period,
    /// Whose.
    pub scope: Scope,
    /// What the rollups say.
    pub rolled: Sums,
    /// What the slices say.
    pub slices: Sums,
}

/// Exact sums over slices.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rollups {
    finest: BTreeMap<(Timestamp, OuPath, GroupKey), Sums>,
}

/// Every length of period.
const GRAINS: [Grain; 3] = [Grain::Hour, Grain::Day, Grain::Month];
/// Every level.
const LEVELS: [Level; 4] = [Level::Group, Level::Account, Level::Unit, Level::Organization];

impl Rollups {
    /// Counts a slice, which may lie in any number of hours.
    pub fn add(&mut self, slice: &Slice) {
        slice.hours().for_each(|part| self.count(&part, Sums::of(&part)));
    }

    /// Takes a slice out again, exactly.
    pub fn subtract(&mut self, slice: &Slice) {
        slice.hours().for_each(|part| self.count(&part, -Sums::of(&part)));
    }

    /// The sums of each scope of a level in each period, in order of time; periods without usage have no row.
    #[must_use]
    pub fn rows(&self, grain: Grain, level: Level) -> BTreeMap<(Period, Scope), Sums> {
        let mut rows = BTreeMap::new();
        for ((hour, unit, group), sums) in &self.finest {
            let key = (Period::of(grain, *hour), Scope::of(level, unit, group));
            *rows.entry(key).or_insert(Sums::ZERO) += *sums;
        }
        rows
    }

    /// The sums of each scope of a level over all time.
    #[must_use]
    pub fn totals(&self, level: Level) -> BTreeMap<Scope, Sums> {
        let mut totals = BTreeMap::new();
        for ((_, unit, group), sums) in &self.finest {
            *totals.entry(Scope::of(level, unit, group)).or_insert(Sums::ZERO) += *sums;
        }
        totals
    }

    /// The sums of everything.
    #[must_use]
    pub fn total(&self) -> Sums {
        self.finest.values().copied().sum()
    }

    /// INV-7: every row of every level equals the slices exactly. The other sum is made from the slices alone, each
    /// clipped to each period that it touches.
    pub fn equals<'a>(&self, slices: impl IntoIterator<Item = &'a Slice>) -> Result<(), Box<Difference>> {
        let mut counted: BTreeMap<(Period, Scope), Sums> = BTreeMap::new();
        for slice in slices {
            for grain in GRAINS {
                let mut period = Period::of(grain, slice.from);
                while period.start < slice.to {
                    let sums = slice.within(period.start, period.end()).map_or(Sums::ZERO, |part| Sums::of(&part));
                    for level in LEVELS {
                        let scope = Scope::of(level, &slice.subject.unit, &slice.subject.group);
                        *counted.entry((period, scope)).or_insert(Sums::ZERO) += sums;
                    }
                    period = Period { grain, start: period.end() };
                }
            }
        }
        for grain in GRAINS {
            for level in LEVELS {
                for ((period, scope), rolled) in self.rows(grain, level) {
                    let slices = counted.remove(&(period, scope.clone())).unwrap_or(Sums::ZERO);
                    if rolled != slices {
                        return Err(Box::new(Difference { period, scope, rolled, slices }));
                    }
                }
            }
        }
        // What is left has no row at all.
        match counted.into_iter().find(|(_, slices)| *slices != Sums::ZERO) {
            Some(((period, scope), slices)) => Err(Box::new(Difference { period, scope, rolled: Sums::ZERO, slices })),
            None => Ok(()),
        }
    }

    fn count(&mut self, part: &Slice, sums: Sums) {
        let key = (hour_of(part.from), part.subject.unit.clone(), part.subject.group.clone());
        let slot = self.finest.entry(key.clone()).or_default();
        *slot += sums;
        if *slot == Sums::ZERO {
            self.finest.remove(&key);
        }
    }
}

impl Period {
    /// The period in which `at` lies.
    #[must_use]
    pub fn of(grain: Grain, at: Timestamp) -> Self {
        let start = match grain {
            Grain::Hour => hour_of(at),
            Grain::Day => first_moment(day_of(at)),
            Grain::Month => first_moment(day_of(at) - i64::from(day_of_month(day_of(at))) + 1),
        };
        Self { grain, start }
    }

    /// The first moment after it.
    #[must_use]
    pub fn end(self) -> Timestamp {
        match self.grain {
            Grain::Hour => self.start + HOUR,
            Grain::Day => self.start + DAY,
            // The longest month has 31 days, so 31 days after its first moment is early in the next one.
            Grain::Month => Self::of(Grain::Month, self.start + DAY.times(31)).start,
        }
    }
}

impl Scope {
    fn of(level: Level, unit: &OuPath, group: &GroupKey) -> Self {
        match level {
            Level::Group => Self::Group(group.clone()),
            Level::Account => Self::Account(group.site.account),
            Level::Unit => Self::Unit(unit.clone()),
            Level::Organization => Self::Organization,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => group.fmt(f),
            Self::Account(account) => account.fmt(f),
            Self::Unit(unit) => unit.fmt(f),
            Self::Organization => f.write_str("organization"),
        }
    }
}

const DAY: Span = Span::hours(24);

/// Days since 1970-01-01.
fn day_of(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY.0)
}

fn first_moment(day: i64) -> Timestamp {
    Timestamp(day.saturating_mul(DAY.0))
}

/// The day of the month, 1 to 31, of a day since 1970-01-01: `civil_from_days` of Howard Hinnant's
/// "chrono-Compatible Low-Level Date Algorithms", whose years begin in March so that the leap day comes last.
/// Unlike a calendar library it has an answer for every day there is.
fn day_of_month(day: i64) -> u8 {
    let day_of_era = (day + 719_468).rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    u8::try_from(day_of_year - (153 * month + 2) / 5 + 1).unwrap_or(31)
}

#[cfg(test)]
mod tests;
