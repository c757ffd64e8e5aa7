//! The queues of events: SQS behind core's `Inbox`.
//!
//! Knows messages and their receipts; knows nothing of what a message says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{StalledStreamProtectionConfig, timeout::TimeoutConfig};
use aws_sdk_sqs::types as aws;
use spothub_core::event::BODY_BYTES_MAX;
use spothub_core::fault::Fault;
use spothub_core::port::{Clock, DELAY_MAX, Inbox, Lane, Message, Receipt};
use spothub_core::time::{Span, Timestamp};
use tracing::{debug, warn};

use crate::action::Action;
use crate::home::Home;

/// Messages in one receive or delete: SQS's own limit.
const BATCH_MAX: usize = 10;
/// How long an empty receive waits for a message: SQS's own limit. Shorter means more calls for nothing.
const WAIT_S: i32 = 20;
/// An attempt to receive may take the wait and the 6 s that any other call has.
const RECEIVE_ATTEMPT: Duration = Duration::from_secs(26);
/// A receive with its retries: room for a second full attempt. Then the worker asks anew, with fresh credentials.
const RECEIVE_WHOLE: Duration = Duration::from_secs(55);

/// The two queues by URL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueUrls {
    /// Interruption warnings and rebalance recommendations.
    pub urgent: String,
    /// Everything else.
    pub normal: String,
}

/// Receives from two standard queues of the home region.
///
/// Visibility is the queues' own: a message is stored and deleted within seconds, and comes again where that failed.
/// A receive that is dropped while it waits may have taken messages; they come again after their visibility, too.
pub struct SqsInbox {
    home: Arc<Home>,
    clock: Arc<dyn Clock>,
    urls: QueueUrls,
    /// With time-outs above the long poll's wait.
    receiver: Client,
    /// With the session's own time-outs.
    deleter: Client,
}

impl SqsInbox {
    /// An inbox of the hub's own session.
    #[must_use]
    pub fn new(home: Arc<Home>, clock: Arc<dyn Clock>, urls: QueueUrls) -> Self {
        let timeouts = TimeoutConfig::builder()
            .read_timeout(RECEIVE_ATTEMPT)
            .operation_attempt_timeout(RECEIVE_ATTEMPT)
            .operation_timeout(RECEIVE_WHOLE);
        // A long poll is silent for longer than a stalled answer may be; the time-outs bound it.
        let waiting = aws_sdk_sqs::config::Builder::from(home.session())
            .timeout_config(timeouts.build())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let (receiver, deleter) = (Client::from_conf(waiting.build()), Client::new(home.session()));
        Self { home, clock, urls, receiver, deleter }
    }

    fn url(&self, lane: Lane) -> &str {
        match lane {
            Lane::Urgent => &self.urls.urgent,
            Lane::Normal => &self.urls.normal,
        }
    }

    /// Deletes at most [`BATCH_MAX`] deliveries with one call.
    async fn delete_batch(&self, lane: Lane, receipts: &[Receipt]) -> Result<(), Fault> {
        let entries = receipts.iter().enumerate().map(|(n, receipt)| {
            aws::DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(&receipt.0).build()
        });
        let entries: Result<Vec<_>, _> = entries.collect();
        let entries = entries.map_err(|_| Fault::Invalid("a receipt"))?;
        let call = self.deleter.delete_message_batch().queue_url(self.url(lane)).set_entries(Some(entries));
        let answer = self.home.answered(Action::DeleteMessage, call.send().await)?;
        if let Some(first) = answer.failed().first() {
            let (failed, sent) = (answer.failed().len(), receipts.len());
            debug!(?lane, failed, sent, code = first.code(), "messages were not deleted and come again");
        }
        Ok(())
    }
}

#[async_trait]
impl Inbox for SqsInbox {
    async fn receive(&self, lane: Lane, max: usize) -> Result<Vec<Message>, Fault> {
        let call = self
            .receiver
            .receive_message()
            .queue_url(self.url(lane))
            .max_number_of_messages(batch(max))
            .wait_time_seconds(WAIT_S)
            .message_system_attribute_names(aws::MessageSystemAttributeName::SentTimestamp);
        let answer = self.home.answered(Action::ReceiveMessage, call.send().await)?;
        let now = self.clock.now();
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(|message| read(message, now)).collect())
    }

    async fn later(&self, lane: Lane, body: String, delay: Span) -> Result<(), Fault> {
        let seconds = i32::try_from(delay.min(DELAY_MAX).as_secs()).unwrap_or(0);
        let call = self.deleter.send_message().queue_url(self.url(lane)).delay_seconds(seconds).message_body(body);
        self.home.answered(Action::SendMessage, call.send().await).map(|_| ())
    }

    async fn delete(&self, lane: Lane, receipts: &[Receipt]) -> Result<(), Fault> {
        let mut failed = None;
        // What follows a failed batch is tried all the same: each message deleted is one that does not come again.
        for some in receipts.chunks(BATCH_MAX) {
            failed = self.delete_batch(lane, some).await.err().or(failed);
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Messages to ask for: 1 to [`BATCH_MAX`].
fn batch(max: usize) -> i32 {
    i32::try_from(max.clamp(1, BATCH_MAX)).unwrap_or(1)
}

/// A message in our words; `None` where it has no receipt, so that it could never be deleted.
///
/// SQS's own limit is [`BODY_BYTES_MAX`]; a longer body is cut one byte above, which still tells that it was too long.
/// Without a time the message counts as sent now: a deadline then lies too late by the time it was under way.
fn read(message: aws::Message, now: Timestamp) -> Option<Message> {
    let sent = message.attributes().and_then(|all| all.get(&aws::MessageSystemAttributeName::SentTimestamp));
    let sent_at = sent.and_then(|text| text.parse().ok()).filter(|ms| (0..=now.0).contains(ms)).map_or(now, Timestamp);
    let Some(receipt) = message.receipt_handle else {
        warn!("a message without a receipt was left to its visibility");
        return None;
    };
    let mut body = message.body.unwrap_or_default().into_bytes();
    body.truncate(BODY_BYTES_MAX + 1);
    Some(Message { receipt: Receipt(receipt), body, sent_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sent: Option<&str>, body: &str) -> aws::Message {
        let bare = aws::Message::builder().receipt_handle("handle").body(body);
        match sent {
            Some(text) => bare.attributes(aws::MessageSystemAttributeName::SentTimestamp, text).build(),
            None => bare.build(),
        }
    }

    #[test]
    fn the_time_of_sending_is_aws_s_own_or_else_now() {
        let now = Timestamp(5_000);
        let cases = [
            (Some("4000"), 4_000),
            (Some("0"), 0),
            (Some("5001"), 5_000),
            (Some("-1"), 5_000),
            (Some("soon"), 5_000),
            (None, 5_000),
        ];
        for (sent, expected) in cases {
            assert_eq!(read(message(sent, "{}"), now).unwrap().sent_at, Timestamp(expected), "{sent:?}");
        }
    }

    #[test]
    fn bodies_are_bytes_and_bounded() {
        let found = read(message(None, "{\"a\":\"ä\"}"), Timestamp(1)).unwrap();
        assert_eq!((found.receipt.0.as_str(), found.body.as_slice()), ("handle", "{\"a\":\"ä\"}".as_bytes()));
        let long = read(message(None, &"x".repeat(BODY_BYTES_MAX + 9)), Timestamp(1)).unwrap();
        assert_eq!(long.body.len(), BODY_BYTES_MAX + 1);
        let refused = spothub_core::event::parse(&long.body, Timestamp(1)).unwrap_err();
        assert_eq!(refused.reason, "too-large", "still to be told");
        let empty = aws::Message::builder().receipt_handle("handle").build();
        assert_eq!(read(empty, Timestamp(1)).unwrap().body, b"");
        assert!(read(aws::Message::builder().body("{}").build(), Timestamp(1)).is_none());
    }

    #[test]
    fn one_to_ten_are_asked_for() {
        assert_eq!([0, 1, 7, 10, 11, usize::MAX].map(batch), [1, 1, 7, 10, 10, 10]);
    }
}
