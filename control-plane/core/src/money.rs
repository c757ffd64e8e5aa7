//! Money and shares as integers with the unit in the type.
//!
//! Amounts are kept exactly (a price per hour times milliseconds needs no rounding in this unit); rounding
//! happens once, when an amount is shown or billed.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// Price of one running instance, in millionths of a USD per hour.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct UsdPerHour(pub i64);

/// An exact amount of money: one unit is a millionth of a USD divided by 3,600,000, the cost of one millisecond
/// at one millionth of a USD per hour. The range is far beyond any bill.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Usd(i128);

/// A share in whole percent, 0 to 100.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8")]
pub struct Percent(u8);

/// A text that is no amount, or a number that is no percentage.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct MoneyError(pub String);

const MILLIS_PER_HOUR: i128 = 3_600_000;

impl UsdPerHour {
    /// What one instance at this price costs over `run`; exact. A negative span costs a negative amount.
    #[must_use]
    pub fn over(self, run: Span) -> Usd {
        Usd(i128::from(self.0) * i128::from(run.0))
    }

    /// `percent` of this price, rounded down.
    #[must_use]
    pub fn share(self, percent: Percent) -> Self {
        Self(self.0 * i64::from(percent.0) / 100)
    }

    /// By how many percent this price lies under `other`, rounded down; 0 if it does not, or `other` is not positive.
    #[must_use]
    pub fn percent_under(self, other: Self) -> u8 {
        if other.0 <= 0 || self.0 >= other.0 {
            return 0;
        }
        u8::try_from((other.0 - self.0.max(0)) * 100 / other.0).unwrap_or(100)
    }
}

impl fmt::Display for UsdPerHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let n = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:06}", n / 1_000_000, n % 1_000_000)
    }
}

impl FromStr for UsdPerHour {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let refuse = || MoneyError(format!("{text:?} is no amount in USD with at most six decimals"));
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || part.len() > 6 || !plain(whole) || !plain(part) {
            return Err(refuse());
        }
        let whole: i64 = whole.parse().map_err(|_| refuse())?;
        let micros: i64 = format!("{part:0<6}").parse().map_err(|_| refuse())?;
        let value = whole.checked_mul(1_000_000).and_then(|n| n.checked_add(micros)).ok_or_else(refuse)?;
        Ok(Self(if negative { -value } else { value }))
    }
}

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Whole millionths of a USD, rounded down (toward minus infinity): in the payer's favor.
    #[must_use]
    pub fn micros_floor(self) -> i128 {
        self.0.div_euclid(MILLIS_PER_HOUR)
    }

    /// That many millionths of a USD.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(i128::from(micros) * MILLIS_PER_HOUR)
    }

    /// The exact number of units (see the type).
    #[must_use]
    pub fn units(self) -> i128 {
        self.0
    }

    /// The amount of that many units (see the type).
    #[must_use]
    pub fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// This amount as hundredths of a percent of `whole`, rounded down; `None` where `whole` is not positive.
    #[must_use]
    pub fn basis_points_of(self, whole: Self) -> Option<i64> {
        (whole.0 > 0).then(|| i64::try_from((self.0 * 10_000).div_euclid(whole.0)).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.micros_floor();
        let sign = if micros < 0 { "-" } else { "" };
        let n = micros.unsigned_abs();
        write!(f, "{sign}{}.{:06}", n / 1_000_000, n % 1_000_000)
    }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Usd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Usd {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for Usd {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

impl Percent {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const ALL: Self = Self(100);

    /// A percentage from 0 to 100.
    pub fn new(value: u8) -> Result<Self, MoneyError> {
        if value <= 100 { Ok(Self(value)) } else { Err(MoneyError(format!("{value} is over 100 percent"))) }
    }

    /// The bare number.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }

    /// This share of `n`, rounded up.
    #[must_use]
    pub fn of_rounded_up(self, n: u32) -> u32 {
        (u64::from(n) * u64::from(self.0)).div_ceil(100).try_into().unwrap_or(n)
    }
}

impl TryFrom<u8> for Percent {
    type Error = MoneyError;
    fn try_from(value: u8) -> Result<Self, MoneyError> {
        Self::new(value)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_costs_its_price_and_parts_add_up() {
        let price: UsdPerHour = "0.096".parse().unwrap();
        assert_eq!(price.over(Span::hours(1)).to_string(), "0.096000");
        let parts: Usd = (0..3600).map(|_| price.over(Span::secs(1))).sum();
        assert_eq!(parts, price.over(Span::hours(1)));
    }

    #[test]
    fn rounding_is_down() {
        assert_eq!(UsdPerHour(1).over(Span::secs(1)).to_string(), "0.000000");
        assert_eq!((-UsdPerHour(1).over(Span::secs(1))).to_string(), "-0.000001");
        assert_eq!(UsdPerHour(40).percent_under(UsdPerHour(100)), 60);
        assert_eq!(UsdPerHour(100).percent_under(UsdPerHour(100)), 0);
        assert_eq!(Percent::new(10).unwrap().of_rounded_up(11), 2);
    }

    #[test]
    fn bad_amounts_are_refused() {
        for bad in ["", ".", "1.", "1.1234567", "one", "+1", "1e3"] {
            assert_eq!(bad.parse::<UsdPerHour>().is_ok(), bad == "1.", "{bad:?}");
        }
        assert!(Percent::new(101).is_err());
    }
}
