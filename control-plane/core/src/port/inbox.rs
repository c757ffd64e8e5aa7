//! The queues of events.

use async_trait::async_trait;

use crate::fault::Fault;
use crate::time::{Span, Timestamp};

/// The longest delay of a message: SQS's own limit.
pub const DELAY_MAX: Span = Span::mins(15);

/// Which queue: interruption warnings must not wait behind the rest.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Lane {
    /// Interruption warnings and rebalance recommendations.
    Urgent,
    /// Everything else.
    Normal,
}

/// What deletes a message; valid until its visibility ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt(pub String);

/// One delivery of one message. The same message may be delivered again.
#[derive(Clone, Debug)]
pub struct Message {
    /// For deleting it.
    pub receipt: Receipt,
    /// The bytes as sent: an EventBridge envelope, or nonsense.
    pub body: Vec<u8>,
    /// When it reached the queue.
    pub sent_at: Timestamp,
}

/// A queue consumer with at-least-once delivery and no order, like SQS.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Waits for messages and returns 1 to `max` of them (at most 10). It may return none after a while.
    async fn receive(&self, lane: Lane, max: usize) -> Result<Vec<Message>, Fault>;

    /// Sends a message of our own that comes after `delay` (at most [`DELAY_MAX`]).
    async fn later(&self, lane: Lane, body: String, delay: Span) -> Result<(), Fault>;

    /// Deletes deliveries that were stored; a failure only means that they come again.
    async fn delete(&self, lane: Lane, receipts: &[Receipt]) -> Result<(), Fault>;
}
