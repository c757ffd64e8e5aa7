//! What DynamoDB's failures mean to the store: the one place where they are told apart.
//!
//! Refused conditions are answers and not among them. Knows codes; knows nothing of items.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use spothub_core::port::StoreError;
use tracing::{debug, warn};

use super::DynamoStore;
use crate::action::Action;
use crate::fault::Meaning;
use crate::fault::{Heard, Reach, judge, meaning};

/// Why one attempt gave nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    /// It did nothing, and may be made again.
    Busy(String),
    /// Nobody knows whether it did something. May be made again by who can tell the difference.
    Unclear(String),
    /// It did nothing, and will not.
    Over(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Over(error)
    }
}

/// What there is to do about a table that is not there.
pub(super) fn missing(table: &str, region: &str) -> StoreError {
    StoreError::Unavailable(format!(
        "there is no DynamoDB table {table} in {region} of the hub's account: \
         create it as control-plane/docs/store.md says, or correct the setting store"
    ))
}

/// Tells what a failed attempt means.
fn told(heard: &Heard<'_>, action: Action, table: &str, region: &str) -> Trouble {
    let (code, message) = heard.told();
    let text = format!("{action} of the table {table} in {region}: {code}: {message}");
    match heard.reach {
        // Credentials that are not there, or a request that cannot be built.
        Reach::Unsent => return Trouble::Over(StoreError::Unavailable(text)),
        Reach::Unanswered => return Trouble::Unclear(text),
        Reach::Answered => {}
    }
    match code {
        "ProvisionedThroughputExceededException"
        | "TransactionConflictException"
        | "TransactionInProgressException"
        | "ReplicatedWriteConflictException" => Trouble::Busy(text),
        "ResourceNotFoundException" => Trouble::Over(missing(table, region)),
        _ => match meaning(code) {
            Some(Meaning::Throttled | Meaning::StaleSession) => Trouble::Busy(text),
            None if heard.status.is_none_or(|status| status >= 500) => Trouble::Unclear(text),
            Some(_) | None => Trouble::Over(StoreError::Unavailable(text)),
        },
    }
}

impl DynamoStore {
    /// Tells the observer and the log of an attempt, and what its failure means.
    pub(super) fn heard<T, E: ProvideErrorMetadata>(
        &self,
        action: Action,
        answer: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<T, Trouble> {
        let error = match answer {
            Ok(answer) => {
                self.home.told(action, &Ok(()));
                return Ok(answer);
            }
            Err(error) => error,
        };
        let heard = Heard::new(&error);
        self.home.told::<()>(action, &Err(judge(&heard, action, None)));
        let trouble = told(&heard, action, self.table(), self.region());
        match &trouble {
            Trouble::Over(why) => warn!(action = action.iam(), %why, "the store refuses"),
            Trouble::Busy(why) | Trouble::Unclear(why) => {
                debug!(action = action.iam(), why, "the store did not answer");
            }
        }
        Err(trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: Option<&'static str>, status: Option<u16>, reach: Reach) -> &'static str {
        let heard = Heard { reach, code, message: Some("words"), status, silent: None, unable: None, after: None };
        match told(&heard, Action::PutItem, "hub", "eu-west-1") {
            Trouble::Busy(text) | Trouble::Unclear(text) if !text.contains("hub in eu-west-1") => "bad text",
            Trouble::Busy(_) => "busy",
            Trouble::Unclear(_) => "unclear",
            Trouble::Over(StoreError::Unavailable(text)) if !text.contains("hub in eu-west-1") => "bad text",
            Trouble::Over(_) => "over",
        }
    }

    #[test]
    fn only_what_may_have_happened_is_unclear() {
        let cases = [
            (None, None, Reach::Unsent, "over"),
            (None, None, Reach::Unanswered, "unclear"),
            (Some("InternalServerError"), Some(500), Reach::Answered, "unclear"),
            (None, Some(503), Reach::Answered, "unclear"),
            (Some("ThrottlingException"), Some(400), Reach::Answered, "busy"),
            (Some("ProvisionedThroughputExceededException"), Some(400), Reach::Answered, "busy"),
            (Some("RequestLimitExceeded"), Some(503), Reach::Answered, "busy"),
            (Some("TransactionConflictException"), Some(400), Reach::Answered, "busy"),
            (Some("TransactionInProgressException"), Some(400), Reach::Answered, "busy"),
            (Some("ExpiredTokenException"), Some(400), Reach::Answered, "busy"),
            (Some("ResourceNotFoundException"), Some(400), Reach::Answered, "over"),
            (Some("AccessDeniedException"), Some(400), Reach::Answered, "over"),
            (Some("ValidationException"), Some(400), Reach::Answered, "over"),
            (Some("IdempotentParameterMismatchException"), Some(400), Reach::Answered, "over"),
        ];
        for (code, status, reach, expected) in cases {
            assert_eq!(found(code, status, reach), expected, "{code:?} {status:?} {reach:?}");
        }
    }
}
