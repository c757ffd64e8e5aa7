//! The probe: an event that does nothing, from a member's default bus to a queue of the hub's.

use std::sync::Arc;

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types as aws;
use spothub_core::fault::Fault;
use spothub_core::id::Site;
use spothub_core::time::{Span, Timestamp};

use super::Doctor;
use crate::action::Action;

/// Messages in one receive or delete: SQS's own limit.
const BATCH_MAX: usize = 10;
/// The longest wait of one receive: with its way there and back it stays below the 6 s that any attempt has.
const WAIT_MAX: Span = Span::secs(3);
/// What is received and not ours comes back so soon, for whoever waits for it.
const VISIBILITY_S: i32 = 5;

/// An event to put.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProbeEvent {
    /// Its source.
    pub source: String,
    /// Its detail-type.
    pub detail_type: String,
    /// Its detail, as JSON.
    pub detail: String,
}

/// What stood in the probe queue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProbeMessage {
    /// The body; whoever may put events on the hub's bus may have written it.
    pub body: String,
    /// When it came to the queue, by AWS's clock.
    pub sent_at: Option<Timestamp>,
    /// What deletes it.
    pub receipt: String,
}

/// The hub's queue of probes.
pub struct ProbeQueue {
    doctor: Arc<Doctor>,
    client: Client,
    url: String,
}

impl Doctor {
    /// Puts an event on a member's default bus.
    pub async fn put(&self, site: &Site, event: &ProbeEvent) -> Result<(), Fault> {
        let line = self.line(site);
        let client = aws_sdk_eventbridge::Client::new(line.client.config());
        let entry = PutEventsRequestEntry::builder().source(&event.source).detail_type(&event.detail_type);
        let request = client.put_events().entries(entry.detail(&event.detail).build());
        let answer = line.call(Action::PutEvents, None, request.send()).await?;
        // A request is answered with success also where its event was refused.
        match answer.entries().first().and_then(|entry| entry.error_code()) {
            None => Ok(()),
            Some(code) => {
                tracing::debug!(account = %site.account, region = %site.region, code, "the probe's event was refused");
                Err(Fault::Invalid("EventBridge did not take the event"))
            }
        }
    }

    /// The queue of probes behind this URL.
    #[must_use]
    pub fn probe_queue(self: &Arc<Self>, url: String) -> ProbeQueue {
        ProbeQueue { client: Client::new(self.home.session()), doctor: Arc::clone(self), url }
    }
}

impl ProbeQueue {
    /// Up to ten messages, waited for at most `wait`, and three seconds.
    pub async fn receive(&self, wait: Span) -> Result<Vec<ProbeMessage>, Fault> {
        let wait = wait.min(WAIT_MAX).max(Span::ZERO).as_secs();
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(BATCH_MAX).unwrap_or(1))
            .wait_time_seconds(i32::try_from(wait).unwrap_or(0))
            .visibility_timeout(VISIBILITY_S)
            .message_system_attribute_names(aws::MessageSystemAttributeName::SentTimestamp);
        let answer = self.doctor.own(Action::ReceiveMessage, request.send().await).map_err(Fault::from)?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    /// Deletes messages; what cannot be deleted stays until the queue forgets it.
    pub async fn delete(&self, messages: &[&ProbeMessage]) -> Result<(), Fault> {
        for some in messages.chunks(BATCH_MAX) {
            let entry = |(number, message): (usize, &&ProbeMessage)| {
                let entry = aws::DeleteMessageBatchRequestEntry::builder().id(number.to_string());
                entry.receipt_handle(&message.receipt).build().ok()
            };
            let entries: Vec<_> = some.iter().enumerate().filter_map(entry).collect();
            let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
            self.doctor.own(Action::DeleteMessage, request.send().await).map_err(Fault::from)?;
        }
        Ok(())
    }
}

fn message(message: aws::Message) -> Option<ProbeMessage> {
    let sent = message.attributes.as_ref().and_then(|all| all.get(&aws::MessageSystemAttributeName::SentTimestamp));
    let sent_at = sent.and_then(|text| text.parse().ok()).map(Timestamp);
    Some(ProbeMessage { receipt: message.receipt_handle?, body: message.body.unwrap_or_default(), sent_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_can_be_deleted_is_one() {
        let bare = aws::Message::builder().receipt_handle("r").build();
        assert_eq!(message(bare), Some(ProbeMessage { body: String::new(), sent_at: None, receipt: "r".to_owned() }));
        let dated = aws::Message::builder().receipt_handle("r").body("{}");
        let dated = dated.attributes(aws::MessageSystemAttributeName::SentTimestamp, "1700000000000").build();
        assert_eq!(message(dated).and_then(|m| m.sent_at), Some(Timestamp(1_700_000_000_000)));
        assert_eq!(message(aws::Message::builder().body("{}").build()), None);
    }
}
