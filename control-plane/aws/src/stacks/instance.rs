//! Instances of a stack set: one account in one region, and how it stands there.

use aws_sdk_cloudformation::types as aws;
use spothub_core::id::{AccountId, Region};

use super::refusal::clean;
use crate::org::UnitId;

/// How an instance stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Health {
    /// It is as the set says.
    Current,
    /// An operation is at it, or will be.
    Pending,
    /// The last operation failed there, or has not come there.
    Outdated,
    /// Its deletion failed: CloudFormation touches it no more, until it is given up.
    Inoperable,
    /// Its account is suspended, and was left out.
    Suspended,
}

impl Health {
    /// A stable word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Pending => "pending",
            Self::Outdated => "failed",
            Self::Inoperable => "inoperable",
            Self::Suspended => "suspended",
        }
    }
}

/// One instance.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Instance {
    /// Its account.
    pub account: AccountId,
    /// Its region.
    pub region: Region,
    /// The unit by which it was targeted; of sets that are managed by the service.
    pub unit: Option<UnitId>,
    /// How it stands.
    pub health: Health,
    /// Why, where CloudFormation says so.
    pub reason: Option<String>,
}

impl Instance {
    /// `None` where it names no account or region.
    pub(super) fn read(row: &aws::StackInstanceSummary) -> Option<Self> {
        let detailed = row.stack_instance_status().and_then(|status| status.detailed_status());
        Some(Self {
            account: row.account()?.parse().ok()?,
            region: row.region()?.parse().ok()?,
            unit: row.organizational_unit_id().and_then(|id| id.parse().ok()),
            health: health(row.status(), detailed),
            reason: row.status_reason().filter(|text| !text.is_empty()).map(clean),
        })
    }
}

fn health(status: Option<&aws::StackInstanceStatus>, detailed: Option<&aws::StackInstanceDetailedStatus>) -> Health {
    use aws::StackInstanceDetailedStatus as Detailed;
    match (status, detailed) {
        (_, Some(Detailed::SkippedSuspendedAccount)) => Health::Suspended,
        (Some(aws::StackInstanceStatus::Inoperable), _) | (_, Some(Detailed::Inoperable)) => Health::Inoperable,
        (_, Some(Detailed::Pending | Detailed::Running)) => Health::Pending,
        (Some(aws::StackInstanceStatus::Current), None | Some(Detailed::Succeeded)) => Health::Current,
        // Unknown is not good.
        _ => Health::Outdated,
    }
}

#[cfg(test)]
mod tests {
    use aws::{StackInstanceDetailedStatus as Detailed, StackInstanceStatus as Status};

    use super::*;

    #[test]
    fn only_what_succeeded_is_current() {
        for (status, detailed, expected) in [
            (Status::Current, Some(Detailed::Succeeded), Health::Current),
            (Status::Current, None, Health::Current),
            (Status::Current, Some(Detailed::Running), Health::Pending),
            (Status::Outdated, Some(Detailed::Pending), Health::Pending),
            (Status::Outdated, Some(Detailed::Failed), Health::Outdated),
            (Status::Outdated, Some(Detailed::Cancelled), Health::Outdated),
            (Status::Outdated, Some(Detailed::SkippedSuspendedAccount), Health::Suspended),
            (Status::Inoperable, Some(Detailed::Failed), Health::Inoperable),
            (Status::from("NEW"), Some(Detailed::from("NEW")), Health::Outdated),
        ] {
            assert_eq!(health(Some(&status), detailed.as_ref()), expected, "{status} {detailed:?}");
        }
    }

    #[test]
    fn rows_without_a_place_are_none() {
        let row = aws::StackInstanceSummary::builder().account("000000000042");
        assert!(Instance::read(&row.clone().build()).is_none());
        let found = Instance::read(&row.region("eu-west-1").status_reason("a\nb").build()).unwrap();
        assert_eq!((found.account.to_string().as_str(), found.reason.as_deref()), ("000000000042", Some("a b")));
    }
}
