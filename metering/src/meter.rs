//! The Marketplace as the task meets it: what is asked, what can be answered instead, and the port between.
//!
//! Knows the API's limits and errors (the API models of AWS Marketplace Metering, 2026); knows no ledger.

use std::fmt::Write as _;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spothub_core::id::AccountId;
use spothub_core::time::{Span, Timestamp};

/// Usage allocations of one record.
pub const ALLOCATIONS_MAX: usize = 2500;
/// Records of one batch.
pub const BATCH_MAX: usize = 25;
/// The age at which `MeterUsage` refuses a record, counted from its timestamp.
pub const AGE_MAX: Span = Span::hours(6);
/// The same for `BatchMeterUsage`.
pub const BATCH_AGE_MAX: Span = Span::hours(24);
/// The tag of an allocation. Buyers see it as `aws:marketplace:isv:AccountId`.
pub const ALLOCATION_TAG: &str = "AccountId";

/// A quantity in steps of 10^-places, which is sent as an integer or as a decimal text, never as a float.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// How many steps.
    pub units: u64,
    /// How many decimals, 0 to 6.
    pub places: u8,
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.places == 0 {
            return write!(f, "{}", self.units);
        }
        let one = 10_u64.saturating_pow(u32::from(self.places));
        write!(f, "{}.{:0width$}", self.units / one, self.units % one, width = usize::from(self.places))
    }
}

/// A part of a record's quantity.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Allocation {
    /// Whose, as the tag [`ALLOCATION_TAG`]; `None` is the untagged rest.
    pub account: Option<AccountId>,
    /// Steps of the quantity.
    pub units: u64,
}

/// Who is billed where the seller reports.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// The buyer's account.
    pub account: AccountId,
    /// The agreement's licence.
    pub license_arn: String,
}

/// One record to be metered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Usage {
    /// The product's code.
    pub product_code: String,
    /// The hour's first moment.
    pub hour: Timestamp,
    /// The dimension's API name.
    pub dimension: String,
    /// How much.
    pub quantity: Quantity,
    /// Whose it is: nothing at all, or parts that add up to the quantity exactly.
    pub allocations: Vec<Allocation>,
    /// For `BatchMeterUsage` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
}

impl Usage {
    /// SHA-256 of everything in it, in hexadecimal digits: two requests with one digest are identical.
    #[must_use]
    pub fn digest(&self) -> String {
        // Texts, numbers and lists of them: this cannot fail.
        hex(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// The allocations of these steps by account: none where there are no steps; the accounts with most, and the rest in
/// one untagged part, where there are more than a record takes.
#[must_use]
pub fn allocations(lines: &[(AccountId, u64)]) -> Vec<Allocation> {
    let mut sorted: Vec<_> = lines.iter().copied().filter(|(_, units)| *units > 0).collect();
    let mut rest = 0;
    if sorted.len() > ALLOCATIONS_MAX {
        sorted.sort_by_key(|&(account, units)| (std::cmp::Reverse(units), account));
        rest = sorted.split_off(ALLOCATIONS_MAX - 1).iter().map(|(_, units)| units).sum();
        sorted.sort_unstable();
    }
    let tagged = sorted.into_iter().map(|(account, units)| Allocation { account: Some(account), units });
    tagged.chain((rest > 0).then_some(Allocation { account: None, units: rest })).collect()
}

/// What was answered instead of a record's id.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum MeterFault {
    /// Too many calls: nothing was recorded.
    #[error("throttled")]
    Throttled,
    /// It never left: no connection, no credentials.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It was sent, and whether it was recorded is not known: no answer, or an internal error.
    #[error("no clear answer: {0}")]
    Unclear(String),
    /// This task has metered another quantity for the hour already; AWS never changes it. How much, where it is told.
    #[error("another quantity was metered for this hour already")]
    Duplicate {
        /// Steps that AWS holds.
        held: Option<u64>,
    },
    /// The hour is too old, or lies in the future.
    #[error("the hour is out of bounds")]
    OutOfBounds,
    /// The allocations or their tags are wrong.
    #[error("the allocations were refused: {0}")]
    Allocations(String),
    /// There is no subscription, or not any more.
    #[error("no subscription")]
    NotEntitled,
    /// The task's role, or an organization's policy, does not allow it.
    #[error("denied: {0}")]
    Denied(String),
    /// Something that only a new release or another setting mends: dimension, product code, region, token, platform.
    #[error("refused: {0}")]
    Broken(String),
}

/// What comes after a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// The identical request again, after a while. Nothing was recorded.
    Again,
    /// The identical request again, after a while. Whether something was recorded is not known.
    AgainUnclear,
    /// The same without allocations.
    WithoutAllocations,
    /// Nothing was recorded, and asking again changes nothing.
    Refused,
    /// Another quantity stands.
    Other,
}

impl MeterFault {
    /// What comes after it.
    #[must_use]
    pub fn next(&self) -> Next {
        match self {
            Self::Throttled | Self::NotSent(_) => Next::Again,
            Self::Unclear(_) => Next::AgainUnclear,
            Self::Allocations(_) => Next::WithoutAllocations,
            Self::Duplicate { .. } => Next::Other,
            Self::OutOfBounds | Self::NotEntitled | Self::Denied(_) | Self::Broken(_) => Next::Refused,
        }
    }

    /// The fault behind an AWS error code, for adapters. A code that nobody knows may stand for anything, so it is
    /// unclear.
    #[must_use]
    pub fn of_code(code: &str, message: &str) -> Self {
        let told = || format!("{code}: {message}");
        match code {
            "ThrottlingException" | "TooManyRequestsException" => Self::Throttled,
            "DuplicateRequestException" | "DuplicateRecord" => Self::Duplicate { held: None },
            "TimestampOutOfBoundsException" => Self::OutOfBounds,
            "InvalidUsageAllocationsException" | "InvalidTagException" => Self::Allocations(told()),
            "CustomerNotEntitledException" | "CustomerNotSubscribed" => Self::NotEntitled,
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedException" | "UnauthorizedOperation" => {
                Self::Denied(told())
            }
            "InvalidUsageDimensionException"
            | "InvalidProductCodeException"
            | "InvalidEndpointRegionException"
            | "IdempotencyConflictException"
            | "InvalidLicenseException"
            | "InvalidCustomerIdentifierException"
            | "DisabledApiException"
            | "PlatformNotSupportedException" => Self::Broken(told()),
            _ => Self::Unclear(told()),
        }
    }
}

/// What became of one record of a batch: its id, or what was answered instead. A record that AWS gave back unprocessed
/// is [`MeterFault::Throttled`].
pub type Processed = Result<String, MeterFault>;

/// AWS Marketplace Metering. Dropping a call leaves open whether it took effect.
#[async_trait]
pub trait Meter: Send + Sync {
    /// `MeterUsage`: meters one record and answers its id. The identical request from the same task is answered
    /// with the same id; from another task it is **metered again**.
    async fn meter(&self, usage: &Usage) -> Result<String, MeterFault>;

    /// `MeterUsage` with `DryRun`: whether it would be allowed.
    async fn probe(&self, usage: &Usage) -> Result<(), MeterFault>;

    /// `RegisterUsage`: that this task or pod runs; AWS meters it by itself from then on.
    async fn register(&self, product_code: &str) -> Result<(), MeterFault>;

    /// `BatchMeterUsage`, in the seller's account: at most [`BATCH_MAX`] records. Answers in their order; the
    /// outer error is one of all of them.
    async fn batch(&self, product_code: &str, usages: &[Usage]) -> Result<Vec<Processed>, MeterFault>;
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_spelled_without_a_float() {
        let spelled = |units, places| Quantity { units, places }.to_string();
        assert_eq!([spelled(17, 0), spelled(17, 3), spelled(12_050, 2)], ["17", "0.017", "120.50"]);
    }

    #[test]
    fn allocations_add_up_and_fold() {
        let lines: Vec<_> = (0..3000).map(|n| (AccountId::from_number(n).unwrap(), n % 7)).collect();
        let made = allocations(&lines);
        assert_eq!(made.iter().map(|part| part.units).sum::<u64>(), lines.iter().map(|line| line.1).sum::<u64>());
        assert_eq!(made.len(), ALLOCATIONS_MAX);
        assert_eq!(made.iter().filter(|part| part.account.is_none()).count(), 1);
        assert_eq!(allocations(&[(AccountId::from_number(1).unwrap(), 0)]), []);
        let few = allocations(&lines[..2500]);
        assert!(few.iter().all(|part| part.account.is_some() && part.units > 0));
    }

    #[test]
    fn every_error_has_its_answer() {
        for (code, next) in [
            ("ThrottlingException", Next::Again),
            ("InternalServiceErrorException", Next::AgainUnclear),
            ("DuplicateRequestException", Next::Other),
            ("TimestampOutOfBoundsException", Next::Refused),
            ("InvalidUsageDimensionException", Next::Refused),
            ("InvalidTagException", Next::WithoutAllocations),
            ("CustomerNotEntitledException", Next::Refused),
            ("AccessDeniedException", Next::Refused),
            ("SomethingNew", Next::AgainUnclear),
        ] {
            assert_eq!(MeterFault::of_code(code, "").next(), next, "{code}");
        }
    }
}
