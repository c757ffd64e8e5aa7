//! Account-hours to units: what each account owes in an hour, and what stays on its carry. Integers only.
//!
//! Knows rates and remainders; knows nothing of sending. For each account and dimension, in *parts* (the smallest
//! thing that is counted, see [`Basis`]), always and exactly:
//! `before + amount + returned = units × unit + dropped + carry`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spothub_core::id::AccountId;

use crate::hours::Counts;

/// The most that one record holds, in whole units: the API's limit for an integer quantity.
pub const QUANTITY_MAX: u64 = 2_147_483_647;
/// Dimensions of one listing: an hour's records, the ledger's head, and some records of earlier hours fit one write.
pub const DIMENSIONS_MAX: usize = 8;

/// One way in which the listing bills.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Dimension {
    /// The API name that was given at publishing, 1 to 255 characters. It never changes.
    pub name: String,
    /// What is counted.
    pub basis: Basis,
    /// How many decimals are reported, 0 to 6. One step is a unit's 10^-places.
    pub places: u8,
}

/// What a dimension counts, and how much of it is one reported step.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A share of net savings. Its part is a millionth of a millionth of a USD.
    NetSavings {
        /// Millionths of each net USD that are charged: 200,000 is 20 %.
        rate_ppm: u32,
        /// What one step stands for, in millionths of a USD; at least 1.
        step_micro_usd: u64,
        /// The most that an account is charged for one hour, in millionths of a USD.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cap_micro_usd: Option<u64>,
    },
    /// Hours that managed instances ran. Its part is a second.
    InstanceHours {
        /// Seconds in one step; 3,600 without decimals.
        step_seconds: u64,
    },
    /// Hours that accounts were managed. Its part is one account-hour.
    Accounts {
        /// Account-hours in one step; at least 1.
        step_hours: u64,
    },
}

/// What happens to carries when a month is over.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MonthEnd {
    /// They go on into the new month.
    #[default]
    Keep,
    /// What is left above nothing is dropped, in the buyer's favor; what is below goes on.
    DropRemainders,
    /// Both begin at nothing: also a month's losses do not lower the next month's bill.
    Reset,
}

/// How an hour counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeteringMode {
    /// It is billed.
    #[default]
    On,
    /// It is worked out and written off; carries stay as they are.
    Trial,
    /// It is not even worked out.
    Off,
}

/// One account's line in one dimension of one hour, in parts but for `units`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The carry before it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub before: i128,
    /// What the hour and the corrections taken with it come to.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub amount: i128,
    /// What comes back from records of earlier hours that were not accepted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub returned: i128,
    /// What a rule dropped: a month's end, or a trial hour's remainder.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: i128,
    /// Steps that go into the hour's record.
    #[serde(default, skip_serializing_if = "is_none")]
    pub units: u64,
    /// The carry after it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub carry: i128,
}

/// One account's lines in one hour.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Whose.
    pub account: AccountId,
    /// One for each dimension, in the hour's order of them.
    pub parts: Vec<Part>,
}

/// What goes into an account's line in one dimension.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owed {
    /// The carry after the last hour.
    pub before: i128,
    /// What the hour and its corrections come to.
    pub amount: i128,
    /// What comes back from earlier records, in parts.
    pub returned: i128,
}

/// A setting that cannot be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("dimension {dimension}: {why}")]
pub struct ChargeError {
    /// Which.
    pub dimension: String,
    /// What is wrong with it.
    pub why: &'static str,
}

fn is_zero(value: &i128) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_none(value: &u64) -> bool {
    *value == 0
}

impl Dimension {
    /// Whether these dimensions make sense together; the first that does not, otherwise.
    pub fn check(all: &[Self]) -> Result<(), ChargeError> {
        for (index, one) in all.iter().enumerate() {
            let refuse = |why| Err(ChargeError { dimension: one.name.clone(), why });
            if !(1..=255).contains(&one.name.len()) || one.name.contains('/') {
                return refuse("a name has 1 to 255 characters, and no slash");
            }
            if all[..index].iter().any(|other| other.name == one.name) {
                return refuse("it is there twice");
            }
            if one.places > 6 {
                return refuse("a quantity has at most 6 decimals");
            }
            if one.step() < 1 {
                return refuse("a step is at least 1");
            }
            if index >= DIMENSIONS_MAX {
                return refuse("there are at most 8 dimensions");
            }
        }
        Ok(())
    }

    /// The parts of one step.
    #[must_use]
    pub fn step(&self) -> i128 {
        match self.basis {
            Basis::NetSavings { step_micro_usd, .. } => i128::from(step_micro_usd) * 1_000_000,
            Basis::InstanceHours { step_seconds } => i128::from(step_seconds),
            Basis::Accounts { step_hours } => i128::from(step_hours),
        }
    }

    /// What an account-hour with these sums comes to, in parts.
    #[must_use]
    pub fn amount(&self, sums: Counts) -> i128 {
        match self.basis {
            Basis::NetSavings { rate_ppm, cap_micro_usd, .. } => {
                let share = i128::from(sums.net_micro_usd) * i128::from(rate_ppm);
                cap_micro_usd.map_or(share, |cap| share.min(i128::from(cap) * 1_000_000))
            }
            Basis::InstanceHours { .. } => i128::from(sums.instance_seconds),
            Basis::Accounts { .. } => i128::from(sums.managed),
        }
    }

    /// What a correction changes: these are differences of sums, so the order of corrections does not matter.
    #[must_use]
    pub fn correction(&self, before: Counts, by: Counts) -> i128 {
        self.amount(before.plus(by)) - self.amount(before)
    }

    /// The most steps in one record.
    #[must_use]
    pub fn units_max(&self) -> u64 {
        QUANTITY_MAX.saturating_mul(10_u64.saturating_pow(u32::from(self.places)))
    }
}

/// One account's part of an hour that is billed: `floor((before + amount + returned) / step)` steps, never below
/// none and at most `room`; the rest stays on the carry. `new_month` asks for a month's end before it.
#[must_use]
pub fn billed(owed: Owed, step: i128, room: u64, new_month: Option<MonthEnd>) -> Part {
    let dropped = match new_month {
        None | Some(MonthEnd::Keep) => 0,
        Some(MonthEnd::DropRemainders) => owed.before.max(0),
        Some(MonthEnd::Reset) => owed.before,
    };
    let total = owed.before - dropped + owed.amount + owed.returned;
    let units = steps(total, step).min(room);
    let carry = total - i128::from(units) * step;
    Part { before: owed.before, amount: owed.amount, returned: owed.returned, dropped, units, carry }
}

/// One account's part of a trial hour: worked out by itself; the carry stays as it was.
#[must_use]
pub fn tried(owed: Owed, step: i128, room: u64) -> Part {
    let units = steps(owed.amount, step).min(room);
    let dropped = owed.amount - i128::from(units) * step;
    Part { before: owed.before, amount: owed.amount, returned: 0, dropped, units, carry: owed.before }
}

fn steps(total: i128, step: i128) -> u64 {
    u64::try_from(total.div_euclid(step.max(1)).max(0)).unwrap_or(u64::MAX)
}

/// What comes back to each account, in steps, where AWS accepted `accepted` of a record: nothing of it gives back
/// all. In order of accounts the accepted steps count for the first ones; where AWS holds more than was asked for, the
/// account with most steps gets the difference as a credit.
#[must_use]
pub fn returned(lines: &[(AccountId, u64)], accepted: u64) -> BTreeMap<AccountId, i128> {
    let mut left = accepted;
    let mut back = BTreeMap::new();
    for &(account, units) in lines {
        let kept = units.min(left);
        left -= kept;
        if units > kept {
            back.insert(account, i128::from(units - kept));
        }
    }
    // The first of those with most: the order of accounts decides, so that everybody works out the same.
    let most = lines.iter().rev().max_by_key(|(_, units)| *units);
    if let Some((account, _)) = most.filter(|_| left > 0) {
        back.insert(*account, -i128::from(left));
    }
    back
}

#[cfg(test)]
mod tests;
