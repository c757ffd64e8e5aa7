//! Operations of a stack set: what runs, how it ended, and where.

use aws_sdk_cloudformation::types as aws;
use spothub_core::id::{AccountId, Region};

use super::refusal::clean;

/// How an operation that was asked for began.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Begun {
    /// It runs, or has run already, under this id.
    Runs(String),
    /// Another one is running: it was not begun.
    Busy,
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// It runs or waits its turn.
    Running,
    /// It ended, and all is well.
    Succeeded,
    /// It ended, and failed somewhere, or was stopped.
    Failed,
}

/// One operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// How far it is.
    pub progress: Progress,
    /// Why it failed, where CloudFormation says so.
    pub reason: Option<String>,
}

impl Operation {
    pub(super) fn read(
        id: Option<&str>,
        status: Option<&aws::StackSetOperationStatus>,
        reason: Option<&str>,
    ) -> Option<Self> {
        use aws::StackSetOperationStatus as Status;
        let progress = match status? {
            Status::Running | Status::Queued | Status::Stopping => Progress::Running,
            Status::Succeeded => Progress::Succeeded,
            Status::Failed | Status::Stopped | _ => Progress::Failed,
        };
        let reason = reason.filter(|text| !text.is_empty()).map(clean);
        Some(Self { id: id?.to_owned(), progress, reason })
    }
}

/// What an operation did in one account and region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// How far it is there.
    pub progress: Progress,
    /// Why it failed there.
    pub reason: Option<String>,
}

impl Row {
    pub(super) fn read(row: &aws::StackSetOperationResultSummary) -> Option<Self> {
        use aws::StackSetOperationResultStatus as Status;
        let progress = match row.status()? {
            Status::Pending | Status::Running => Progress::Running,
            Status::Succeeded => Progress::Succeeded,
            Status::Failed | Status::Cancelled | _ => Progress::Failed,
        };
        let reason = row.status_reason().filter(|text| !text.is_empty()).map(clean);
        Some(Self { account: row.account()?.parse().ok()?, region: row.region()?.parse().ok()?, progress, reason })
    }
}

#[cfg(test)]
mod tests {
    use aws::StackSetOperationStatus as Status;

    use super::*;

    #[test]
    fn unknown_ends_are_failures() {
        for (status, progress) in [
            (Status::Running, Progress::Running),
            (Status::Queued, Progress::Running),
            (Status::Stopping, Progress::Running),
            (Status::Succeeded, Progress::Succeeded),
            (Status::Failed, Progress::Failed),
            (Status::Stopped, Progress::Failed),
            (Status::from("NEW"), Progress::Failed),
        ] {
            assert_eq!(Operation::read(Some("x"), Some(&status), None).unwrap().progress, progress, "{status}");
        }
        assert!(Operation::read(None, Some(&Status::Running), None).is_none());
    }
}
