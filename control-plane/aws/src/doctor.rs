//! What `spothub doctor` asks of AWS: roles, rules, queues, quotas and clocks as they are.
//!
//! Reads, and puts one harmless event on a bus where it is told to. Knows what was found; what of it is right is judged
//! by whoever asked.

mod clock;
mod probe;
mod queue;
mod quota;
mod role;
mod rule;

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use spothub_core::fault::Fault;
use spothub_core::id::Site;
use spothub_core::port::{Cause, Clock};

use crate::action::Action;
use crate::cloud::{AwsCloud, Failed, Line};
use crate::fault::{Heard, judge_own};
use crate::home::Home;
use crate::session::Kind;
use crate::settings::{ExternalId, MemberRole};

pub use clock::Answered;
pub use probe::{ProbeEvent, ProbeMessage, ProbeQueue};
pub use queue::QueueSeen;
pub use quota::SpotUse;
pub use role::{RoleSeen, Tried, Trust};
pub use rule::{RuleSeen, TargetSeen};

/// What stands for something that is not there. Sources: the API references of IAM, EventBridge and SQS.
const ABSENT: [&str; 5] = [
    "NoSuchEntity",
    "NoSuchEntityException",
    "ResourceNotFoundException",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
];

/// Asks in member accounts through their sessions, and in the hub's own account.
pub struct Doctor {
    cloud: Arc<AwsCloud>,
    home: Arc<Home>,
    clock: Arc<dyn Clock>,
    role: MemberRole,
    external_id: Option<ExternalId>,
}

impl fmt::Debug for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doctor").field("cloud", &self.cloud).finish_non_exhaustive()
    }
}

impl Doctor {
    /// Asks over these sessions for what belongs to this role and external id.
    #[must_use]
    pub fn new(
        cloud: Arc<AwsCloud>,
        home: Arc<Home>,
        clock: Arc<dyn Clock>,
        role: MemberRole,
        external_id: Option<ExternalId>,
    ) -> Self {
        Self { cloud, home, clock, role, external_id }
    }

    fn line<'a>(&'a self, site: &'a Site) -> Line<'a> {
        self.cloud.line(site, Kind::Looking, Cause::default())
    }

    /// Counts and classifies one answer to the hub's own credentials. Nothing is told to the log but on request: every
    /// failure becomes a row.
    fn own<T, E: ProvideErrorMetadata>(
        &self,
        action: Action,
        answer: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<T, Failed> {
        let answer = answer.map_err(|error| {
            let heard = Heard::new(&error);
            let fault = judge_own(&heard, action, None);
            let (code, said) = heard.told();
            tracing::debug!(action = action.iam(), fault = fault.label(), code, said, "a call of the hub failed");
            Failed { fault, code: code.to_owned(), message: String::new() }
        });
        let told = answer.as_ref().map(|_| ()).map_err(|failed| failed.fault.clone());
        self.home.told(action, &told);
        answer
    }
}

/// The answer, or `None` where what was asked for is not there.
fn there<T>(answer: Result<T, Failed>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(failed) if ABSENT.contains(&failed.code.as_str()) => Ok(None),
        Err(failed) => Err(failed.fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(code: &str) -> Result<(), Failed> {
        Err(Failed { fault: Fault::Invalid("x"), code: code.to_owned(), message: String::new() })
    }

    #[test]
    fn what_is_absent_is_no_failure() {
        for code in ABSENT {
            assert_eq!(there(failed(code)), Ok(None), "{code}");
        }
        assert_eq!(there(failed("ValidationException")), Err(Fault::Invalid("x")));
        assert_eq!(there(Ok(())), Ok(Some(())));
    }
}
