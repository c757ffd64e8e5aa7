//! What time AWS has: the `Date` of its answers, beside our own.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};
use spothub_core::fault::Fault;
use spothub_core::port::Clock;
use spothub_core::time::{Span, Timestamp};

use super::Doctor;
use crate::action::Action;
use crate::home::Caller;

/// `Date` counts whole seconds and drops the rest: on the average half of one.
const DROPPED: Span = Span::millis(500);

/// Who the hub is, and how its clock stands against AWS's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answered {
    /// Who called, or why nobody knows.
    pub caller: Result<Caller, Fault>,
    /// How far our clock is ahead of AWS's; negative where it is behind. `None` where no answer had a readable date.
    /// Off by at most half of the answer's way and half a second.
    pub ahead: Option<Span>,
}

/// Takes down the date of each answer, also of a refusal, and our own time then.
struct Dates {
    clock: Arc<dyn Clock>,
    last: Arc<Mutex<Option<(Timestamp, Timestamp)>>>,
}

impl fmt::Debug for Dates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dates")
    }
}

impl Intercept for Dates {
    fn name(&self) -> &'static str {
        "Dates"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let now = self.clock.now();
        if let Some(theirs) = context.response().headers().get("date").and_then(date) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((theirs, now));
        }
        Ok(())
    }
}

fn date(text: &str) -> Option<Timestamp> {
    DateTime::from_str(text, Format::HttpDate).ok()?.to_millis().ok().map(Timestamp)
}

/// How far the clock that read `sent` and `heard` is ahead of the one that read `theirs` in between.
fn ahead(sent: Timestamp, heard: Timestamp, theirs: Timestamp) -> Span {
    let way = Span(heard.since(sent).0 / 2);
    (heard - way).since(theirs + DROPPED)
}

impl Doctor {
    /// Asks STS who the hub is, and takes the time of the answer.
    pub async fn identity(&self) -> Answered {
        let last = Arc::new(Mutex::new(None));
        let dates = Dates { clock: Arc::clone(&self.clock), last: Arc::clone(&last) };
        let client = aws_sdk_sts::Client::new(self.home.session());
        let sent = self.clock.now();
        let answer = client.get_caller_identity().customize().interceptor(dates).send().await;
        let caller = match self.own(Action::GetCallerIdentity, answer) {
            Err(failed) => Err(failed.fault),
            Ok(answer) => Caller::of(answer),
        };
        let last = *last.lock().unwrap_or_else(PoisonError::into_inner);
        Answered { caller, ahead: last.map(|(theirs, heard)| ahead(sent, heard, theirs)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_and_the_second_are_allowed_for() {
        let theirs = date("Sun, 22 Nov 2026 21:58:44 GMT").unwrap();
        assert_eq!(theirs.to_string().get(..19), Some("2026-11-22T21:58:44"));
        let at = |millis| theirs + Span::millis(millis);
        assert_eq!(ahead(at(400), at(600), theirs), Span::ZERO);
        assert_eq!(ahead(at(60_400), at(60_600), theirs), Span::mins(1));
        assert_eq!(ahead(at(-60_500), at(-58_500), theirs), Span::millis(-60_000));
        assert_eq!(date("yesterday"), None);
    }
}
