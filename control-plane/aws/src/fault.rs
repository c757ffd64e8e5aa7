//! The one place where a failure of the SDK becomes core's `Fault`.
//!
//! Knows codes, statuses and, for Auto Scaling's `ValidationError`, texts; knows nothing of what a call was for.

mod code;
mod silence;
#[cfg(test)]
mod tests;
mod validation;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use spothub_core::fault::{Conflict, Fault, Unable};
use spothub_core::id::InstanceId;
use spothub_core::time::Span;

use crate::action::Action;
pub(crate) use code::{Meaning, meaning};

pub(crate) use code::lacks_capacity;

/// The longest wait taken from a server's hint: a wrong one must not park a group for the day.
const AFTER_MAX_S: i64 = 300;
/// Characters of a message kept for the log: enough to read, too few for an encoded authorization failure to help.
const MESSAGE_MAX: usize = 300;

/// How far a failed request came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    /// It was never sent.
    Unsent,
    /// It was sent, or may have been, and nothing readable came back.
    Unanswered,
    /// The service answered.
    Answered,
}

/// What was heard of a request that failed.
#[derive(Clone, Debug)]
pub(crate) struct Heard<'a> {
    /// How far it came.
    pub(crate) reach: Reach,
    /// The error code, as sent.
    pub(crate) code: Option<&'a str>,
    /// The error message.
    pub(crate) message: Option<&'a str>,
    /// The HTTP status.
    pub(crate) status: Option<u16>,
    /// What kept an answer from coming.
    pub(crate) silent: Option<String>,
    /// What kept the last attempt from being sent, where that is certain.
    pub(crate) unable: Option<Unable>,
    /// How long the service asks us to wait.
    pub(crate) after: Option<Span>,
}

impl<'a> Heard<'a> {
    /// What an SDK error says.
    pub(crate) fn new<E: ProvideErrorMetadata>(error: &'a SdkError<E, HttpResponse>) -> Self {
        // A broken connection may have broken after the request had passed; and so for whatever comes to be.
        let reach = if error.as_service_error().is_some() { Reach::Answered } else { unanswered(error) };
        let silent = (reach != Reach::Answered).then(|| cause(error));
        let meta = error.as_service_error().map(ProvideErrorMetadata::meta);
        let raw = error.raw_response();
        Self {
            reach,
            code: meta.and_then(|m| m.code()),
            message: meta.and_then(|m| m.message()),
            status: raw.map(|r| r.status().as_u16()),
            silent,
            unable: silence::unable(error),
            after: raw.and_then(|r| r.headers().get("retry-after")).and_then(seconds),
        }
    }

    /// The words for the log: a code and a shortened message, where the message says something.
    pub(crate) fn told(&self) -> (&str, String) {
        let code = self.code.unwrap_or("none");
        // The encoded message of a refusal helps nobody who cannot decode it, and is long.
        let silent = matches!(meaning(code), Some(Meaning::Denied | Meaning::StaleSession));
        let message = self.message.or(self.silent.as_deref()).filter(|_| !silent).unwrap_or_default();
        if self.code.is_none() && message.is_empty() {
            return (code, self.status.map_or_else(String::new, |status| format!("HTTP status {status}")));
        }
        (code, message.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect())
    }

    /// Whether the credentials that it was sent with are of no more use.
    pub(crate) fn spoils_session(&self) -> bool {
        let meaning = self.code.and_then(meaning);
        matches!(meaning, Some(Meaning::StaleSession | Meaning::Unreachable(_)))
    }
}

fn unanswered<E>(error: &SdkError<E, HttpResponse>) -> Reach {
    let refused = matches!(error, SdkError::DispatchFailure(failure) if failure.is_user());
    let unsent = refused || matches!(error, SdkError::ConstructionFailure(_));
    if unsent { Reach::Unsent } else { Reach::Unanswered }
}

/// Why there is no answer, down to its last cause: a refused connection, a missing certificate, no credentials.
fn cause<E>(error: &SdkError<E, HttpResponse>) -> String {
    if let SdkError::DispatchFailure(failure) = error {
        let connector = failure.as_connector_error();
        return connector.map_or_else(String::new, |error| DisplayErrorContext(error).to_string());
    }
    let cause = match error {
        SdkError::ConstructionFailure(_) => "the request could not be built",
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) | SdkError::ResponseError(_) | SdkError::ServiceError(_) | _ => {
            "the answer could not be read"
        }
    };
    cause.to_owned()
}

fn seconds(text: &str) -> Option<Span> {
    let seconds: i64 = text.trim().parse().ok()?;
    (0..=AFTER_MAX_S).contains(&seconds).then(|| Span::secs(seconds))
}

/// The fault that a failed call of this action is, made with the hub's own credentials: where those are refused, it
/// says nothing of the account.
pub(crate) fn judge_own(heard: &Heard<'_>, action: Action, instance: Option<&InstanceId>) -> Fault {
    match heard.code.and_then(code::meaning) {
        Some(Meaning::StaleSession | Meaning::Unreachable(code::NOT_ACCEPTED)) if heard.reach == Reach::Answered => {
            Fault::Unable(Unable::NotAccepted)
        }
        _ => judge(heard, action, instance),
    }
}

/// The fault that a failed call of this action is. `instance` is the one that the call was about, if any.
pub(crate) fn judge(heard: &Heard<'_>, action: Action, instance: Option<&InstanceId>) -> Fault {
    let lost = if action.changing() { Fault::Unclear } else { Fault::Broken };
    match heard.reach {
        Reach::Unsent => return Fault::Broken,
        // Of a change nobody knows: an attempt before the last may have been sent.
        Reach::Unanswered => return heard.unable.filter(|_| !action.changing()).map_or(lost, Fault::Unable),
        Reach::Answered => {}
    }
    let state = || instance.map_or(Fault::Conflict(Conflict::Busy), state_of);
    match heard.code.and_then(meaning) {
        Some(Meaning::Throttled) => Fault::Throttled { after: heard.after },
        Some(Meaning::Capacity) => Fault::NoCapacity(Vec::new()),
        Some(Meaning::Quota) => Fault::Quota,
        Some(Meaning::Denied) => Fault::Denied(action.iam()),
        Some(Meaning::DeniedFor(other)) => Fault::Denied(other),
        Some(Meaning::Unreachable(why)) => Fault::Unreachable(why),
        Some(Meaning::StaleSession) => Fault::Broken,
        Some(Meaning::Gone) => Fault::Gone,
        Some(Meaning::Busy) => Fault::Conflict(Conflict::Busy),
        Some(Meaning::InstanceState) => state(),
        Some(Meaning::Validation) => validation::judge(heard.message.unwrap_or_default(), instance),
        Some(Meaning::Invalid(why)) => Fault::Invalid(why),
        None => by_status(heard, action, lost),
    }
}

fn state_of(id: &InstanceId) -> Fault {
    Fault::Conflict(Conflict::InstanceState(id.clone()))
}

fn by_status(heard: &Heard<'_>, action: Action, lost: Fault) -> Fault {
    match heard.status {
        Some(401 | 403) => Fault::Denied(action.iam()),
        Some(429) => Fault::Throttled { after: heard.after },
        // The service failed somewhere on the way: for a changing call nobody knows how far it had come.
        Some(500..) | None => lost,
        Some(_) => Fault::Invalid("for a reason that is in the log"),
    }
}
