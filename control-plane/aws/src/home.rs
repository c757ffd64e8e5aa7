//! The hub's own session: clients for public data by region, and the one way in which their answers are judged.
//!
//! Knows how a call of the hub in its own account is counted and classified; knows nothing of members' sessions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{Region as SdkRegion, SdkConfig};
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use spothub_core::fault::{Fault, Unable};
use spothub_core::id::{AccountId, Region};
use spothub_core::port::Cause;
use tracing::{debug, warn};

use crate::action::{Action, Observer, tell};
use crate::fault::{Heard, judge_own};

/// One attempt at a page of a public list. A page is up to a megabyte and no lease waits for it, so it gets more than
/// the 6 s of a call that is made for a swap.
const LIST_ATTEMPT: Duration = Duration::from_secs(15);
/// Such a page with its retries: two full attempts and their pause.
const LIST_WHOLE: Duration = Duration::from_secs(40);

/// Who the hub's own session is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The account that it is in.
    pub account: AccountId,
    /// The user's, or the assumed role's with its session's name.
    pub arn: String,
}

impl Caller {
    /// As STS tells it.
    pub(crate) fn of(answer: GetCallerIdentityOutput) -> Result<Self, Fault> {
        let account = answer.account().and_then(|text| text.parse().ok()).ok_or(Fault::Broken)?;
        Ok(Self { account, arn: answer.arn.filter(|arn| !arn.is_empty()).ok_or(Fault::Broken)? })
    }
}

/// The session that public data, queues and the directory are asked with.
pub struct Home {
    session: SdkConfig,
    observer: Arc<dyn Observer>,
    /// A client keeps its endpoint and its retry budget: one for each region that was asked.
    ec2: Mutex<BTreeMap<Region, aws_sdk_ec2::Client>>,
}

impl Home {
    /// Calls with this session, and tells the observer of each.
    #[must_use]
    pub fn new(session: SdkConfig, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Self { session, observer, ec2: Mutex::default() })
    }

    /// The session as it was given, in the home region.
    pub(crate) const fn session(&self) -> &SdkConfig {
        &self.session
    }

    /// Who is told of each call.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.observer)
    }

    /// The session for public lists of a region, with time for long answers.
    pub(crate) fn in_region(&self, region: &str) -> SdkConfig {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(LIST_ATTEMPT).operation_timeout(LIST_WHOLE);
        let builder = self.session.to_builder().region(SdkRegion::new(region.to_owned()));
        builder.timeout_config(timeouts.build()).build()
    }

    /// EC2 of a region.
    pub(crate) fn ec2(&self, region: &Region) -> aws_sdk_ec2::Client {
        let mut clients = self.ec2.lock().unwrap_or_else(PoisonError::into_inner);
        let client =
            clients.entry(region.clone()).or_insert_with(|| aws_sdk_ec2::Client::new(&self.in_region(region.as_str())));
        client.clone()
    }

    /// Who calls: STS tells it to everybody, whatever policies say.
    pub async fn caller(&self) -> Result<Caller, Fault> {
        let answer = aws_sdk_sts::Client::new(&self.session).get_caller_identity().send().await;
        Caller::of(self.answered(Action::GetCallerIdentity, answer)?)
    }

    /// Counts one call whose answer was classified elsewhere.
    pub(crate) fn told<T>(&self, action: Action, answer: &Result<T, Fault>) {
        tell(self.observer.as_ref(), None, action, Cause::default(), None, answer);
    }

    /// Classifies and counts one answer.
    pub(crate) fn answered<T, E>(
        &self,
        action: Action,
        answer: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<T, Fault>
    where
        E: ProvideErrorMetadata,
    {
        let answer = answer.map_err(|error| {
            let heard = Heard::new(&error);
            let fault = judge_own(&heard, action, None);
            let (code, message) = heard.told();
            if matches!(
                fault,
                Fault::Invalid(_) | Fault::Denied(_) | Fault::Unreachable(_) | Fault::Unable(Unable::NotAccepted)
            ) {
                // The hub's own settings or rights: nobody but its operator can put that right.
                warn!(action = action.iam(), code, said = message, "a call of the hub was refused");
            } else {
                debug!(action = action.iam(), fault = fault.label(), code, said = message, "a call of the hub failed");
            }
            fault
        });
        self.told(action, &answer);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Uncounted;

    #[test]
    fn lists_are_asked_in_their_region_with_more_time() {
        let base = SdkConfig::builder().region(SdkRegion::new("eu-west-1")).build();
        let home = Home::new(base, Arc::new(Uncounted));
        let there = home.in_region("us-east-1");
        assert_eq!(there.region().map(AsRef::as_ref), Some("us-east-1"));
        assert_eq!(there.timeout_config().and_then(TimeoutConfig::operation_attempt_timeout), Some(LIST_ATTEMPT));
        assert_eq!(home.session().region().map(AsRef::as_ref), Some("eu-west-1"));
    }
}
