//! The two queues: batches of ten, visibility, half a round trip each way, and when each notice was handed out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use spothub_core::fault::Fault;
use spothub_core::id::InstanceId;
use spothub_core::port::{Clock, Inbox, Lane, Message, Receipt};
use spothub_core::time::Span;
use tokio::sync::Notify;

use crate::ROUND_TRIP;
use crate::cloud::lock;
use crate::wall::{Wall, elapsed, pause};

/// SQS gives at most so many messages at once.
const BATCH_MAX: usize = 10;
/// SQS's own default.
const VISIBILITY: Duration = Duration::from_secs(30);
/// The longest wait of a receive that finds nothing.
const LONG_POLL: Duration = Duration::from_secs(20);

/// One message, until it is deleted.
#[derive(Clone)]
pub(crate) struct Letter {
    pub(crate) body: Vec<u8>,
    /// The instance that it announces the loss of.
    pub(crate) notice: Option<InstanceId>,
}

#[derive(Default)]
struct Queue {
    visible: VecDeque<Letter>,
    taken: BTreeMap<u64, (Duration, Letter)>,
    receipts: u64,
    deleted: usize,
}

/// Both queues, of which all workers receive.
#[derive(Default)]
pub(crate) struct Queues {
    lanes: [(Mutex<Queue>, Notify); 2],
    /// When each notice was first handed to a worker.
    handed: Mutex<BTreeMap<InstanceId, Duration>>,
}

impl Queues {
    fn lane(&self, lane: Lane) -> &(Mutex<Queue>, Notify) {
        match lane {
            Lane::Urgent => &self.lanes[0],
            Lane::Normal => &self.lanes[1],
        }
    }

    /// Puts messages into a queue, all at once.
    pub(crate) fn put(&self, lane: Lane, letters: impl IntoIterator<Item = Letter>) {
        let (queue, arrived) = self.lane(lane);
        lock(queue).visible.extend(letters);
        arrived.notify_waiters();
    }

    /// When each notice was first handed to a worker.
    pub(crate) fn handed(&self) -> BTreeMap<InstanceId, Duration> {
        lock(&self.handed).clone()
    }

    /// Messages that were deleted.
    pub(crate) fn deleted(&self, lane: Lane) -> usize {
        lock(&self.lane(lane).0).deleted
    }

    fn take(&self, lane: Lane, max: usize) -> Vec<(u64, Letter)> {
        let now = elapsed();
        let mut queue = lock(&self.lane(lane).0);
        while let Some(entry) = queue.taken.first_entry()
            && entry.get().0 <= now
        {
            let (_, letter) = entry.remove();
            queue.visible.push_back(letter);
        }
        let mut batch = Vec::new();
        while batch.len() < max.clamp(1, BATCH_MAX) {
            let Some(letter) = queue.visible.pop_front() else { break };
            queue.receipts += 1;
            let receipt = queue.receipts;
            queue.taken.insert(receipt, (now + VISIBILITY, letter.clone()));
            batch.push((receipt, letter));
        }
        batch
    }
}

#[async_trait]
impl Inbox for Queues {
    async fn receive(&self, lane: Lane, max: usize) -> Result<Vec<Message>, Fault> {
        pause(ROUND_TRIP / 2).await;
        let give_up = elapsed() + LONG_POLL;
        let batch = loop {
            let arrived = self.lane(lane).1.notified();
            let batch = self.take(lane, max);
            let now = elapsed();
            if !batch.is_empty() || now >= give_up {
                break batch;
            }
            tokio::select! {
                biased;
                () = arrived => {}
                () = pause(give_up.saturating_sub(now).min(Duration::from_secs(1))) => {}
            }
        };
        pause(ROUND_TRIP / 2).await;
        let (at, sent_at) = (elapsed(), Wall.now());
        let mut handed = lock(&self.handed);
        let message = |(receipt, letter): (u64, Letter)| {
            if let Some(instance) = letter.notice {
                handed.entry(instance).or_insert(at);
            }
            Message { receipt: Receipt(receipt.to_string()), body: letter.body, sent_at }
        };
        Ok(batch.into_iter().map(message).collect())
    }

    /// Word of what is in flight would come minutes later, when the figures are long printed.
    async fn later(&self, _: Lane, _: String, _: Span) -> Result<(), Fault> {
        pause(ROUND_TRIP).await;
        Ok(())
    }

    async fn delete(&self, lane: Lane, receipts: &[Receipt]) -> Result<(), Fault> {
        pause(ROUND_TRIP).await;
        let mut queue = lock(&self.lane(lane).0);
        for receipt in receipts {
            let gone = receipt.0.parse().ok().and_then(|number: u64| queue.taken.remove(&number));
            queue.deleted += usize::from(gone.is_some());
        }
        Ok(())
    }
}
