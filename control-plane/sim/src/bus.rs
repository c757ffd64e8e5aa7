//! The way of events from the members to the hub: best effort, into two queues with visibility.
//!
//! Knows bytes, lanes and chance; knows nothing of what an event says.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use spothub_core::fault::Fault;
use spothub_core::port::{Inbox, Lane, Message, Receipt};
use spothub_core::time::{Span, Timestamp};

use crate::exec::{Exec, lock};
use crate::seed::{Seeds, Stream};
use crate::shape::{BusShape, Delay};
use crate::world::Event;

/// SQS gives at most this many messages at once.
const BATCH_MAX: usize = 10;
/// How much later an event that is to be overtaken arrives.
const DISORDER: Delay = Delay::secs(2, 30);
/// How far copies of an event lie apart.
const COPIES: Delay = Delay::secs(0, 60);

/// The buses, rules and queues between the members and the hub.
pub struct Bus {
    exec: Exec,
    inner: Mutex<Inner>,
}

struct Inner {
    shape: BusShape,
    chance: Stream,
    quiet: bool,
    letters: Vec<Letter>,
    free: Vec<u32>,
    queues: [Queue; 2],
    waiters: u64,
}

/// One message, until it is deleted.
struct Letter {
    generation: u32,
    lane: Lane,
    body: Arc<[u8]>,
    sent_at: Timestamp,
    deleted: bool,
}

#[derive(Default)]
struct Queue {
    visible: VecDeque<u32>,
    /// Received and not deleted, in the order of their return.
    taken: VecDeque<(Timestamp, u32, u32)>,
    return_due: bool,
    waiting: Vec<(u64, Waker)>,
}

const fn index(lane: Lane) -> usize {
    match lane {
        Lane::Urgent => 0,
        Lane::Normal => 1,
    }
}

impl Bus {
    pub(crate) fn new(exec: &Exec, seeds: Seeds, shape: BusShape) -> Self {
        let inner = Inner {
            shape,
            chance: seeds.stream("bus", ""),
            quiet: false,
            letters: Vec::new(),
            free: Vec::new(),
            queues: [Queue::default(), Queue::default()],
            waiters: 0,
        };
        Self { exec: exec.clone(), inner: Mutex::new(inner) }
    }

    /// From now on every event arrives once, soon and in order.
    pub(crate) fn quiet(&self) {
        lock(&self.inner).quiet = true;
    }

    /// Takes an event; what was sent: ids and the numbers of copies.
    pub(crate) fn publish(&self, lane: Lane, id: &str, body: String) -> Vec<(String, u32)> {
        let now = self.exec.now();
        let mut inner = lock(&self.inner);
        let copies = inner.copies();
        let body: Arc<[u8]> = body.into_bytes().into();
        for copy in 0..copies {
            let delay = inner.delay(copy);
            inner.post(&self.exec, lane, body.clone(), now + delay);
        }
        let mut sent = vec![(id.to_owned(), copies)];
        if let Some((junk_id, junk)) = inner.junk(&body) {
            inner.post(&self.exec, lane, junk, now + Span::secs(1));
            sent.extend(junk_id.map(|id| (id, 1)));
        }
        sent
    }

    /// Puts any bytes into a queue, to arrive after a second: for tests and special cases of scenarios.
    pub fn inject(&self, lane: Lane, body: &[u8]) {
        let at = self.exec.now() + Span::secs(1);
        lock(&self.inner).post(&self.exec, lane, body.into(), at);
    }

    pub(crate) fn deliver(&self, letter: u32) {
        let mut inner = lock(&self.inner);
        let now = self.exec.now();
        let place = &mut inner.letters[letter as usize];
        place.sent_at = now;
        let lane = place.lane;
        inner.show(lane, letter);
    }

    pub(crate) fn reappear(&self, lane: u8) {
        let now = self.exec.now();
        let mut inner = lock(&self.inner);
        let lane = if lane == 0 { Lane::Urgent } else { Lane::Normal };
        inner.queues[index(lane)].return_due = false;
        while let Some(&(at, letter, generation)) = inner.queues[index(lane)].taken.front() {
            if at > now {
                break;
            }
            inner.queues[index(lane)].taken.pop_front();
            if inner.is(letter, generation) {
                inner.letters[letter as usize].generation += 1;
                inner.show(lane, letter);
            }
        }
        inner.await_return(&self.exec, lane);
    }

    /// Messages that are not deleted yet, or still under way.
    #[must_use]
    pub fn pending(&self) -> usize {
        let inner = lock(&self.inner);
        inner.letters.len() - inner.free.len()
    }
}

impl Inner {
    fn copies(&mut self) -> u32 {
        if self.quiet {
            return 1;
        }
        if self.chance.chance(self.shape.lost_ppm) {
            0
        } else if self.chance.chance(self.shape.duplicate_ppm) {
            if self.chance.permille(200) { 3 } else { 2 }
        } else {
            1
        }
    }

    fn delay(&mut self, copy: u32) -> Span {
        let mut draw = |delay: Delay| Span(self.chance.between(delay.low.0, delay.high.0));
        let mut total = draw(self.shape.latency);
        if copy > 0 {
            total = total + draw(COPIES);
        }
        if self.quiet {
            return total;
        }
        if self.chance.chance(self.shape.late_ppm) {
            return total + Span(self.chance.between(self.shape.late.low.0, self.shape.late.high.0));
        }
        if self.chance.chance(self.shape.disorder_ppm) {
            return total + Span(self.chance.between(DISORDER.low.0, DISORDER.high.0));
        }
        total
    }

    fn junk(&mut self, real: &[u8]) -> Option<(Option<String>, Arc<[u8]>)> {
        if self.quiet || !self.chance.chance(self.shape.junk_ppm) {
            return None;
        }
        let id = crate::world::uuid(self.chance.bits(), self.chance.bits());
        let envelope = |account: &str, region: &str, detail: &str| {
            format!(
                concat!(
                    r#"{{"version":"0","id":"{}","detail-type":"EC2 Spot Instance Interruption Warning","#,
                    r#""source":"aws.ec2","account":"{}","time":"2026-01-01T00:00:00Z","region":"{}","#,
                    r#""resources":[],"detail":{}}}"#
                ),
                id, account, region, detail
            )
        };
        let good = r#"{"instance-id":"i-0123456789abcdef0","instance-action":"terminate"}"#;
        let bad = r#"{"instance-id":"i-../../etc/passwd","instance-action":"terminate"}"#;
        let (with_id, body) = match self.chance.below(5) {
            0 => (false, "not json".to_owned()),
            1 => (false, String::from_utf8_lossy(&real[..real.len() / 2]).into_owned()),
            2 => (true, envelope("999999999999", "us-east-1", good)),
            3 => (true, envelope("999999999999", "mars-north-1", good)),
            _ => (true, envelope("999999999998", "us-east-1", bad)),
        };
        Some((with_id.then_some(id), body.into_bytes().into()))
    }

    fn post(&mut self, exec: &Exec, lane: Lane, body: Arc<[u8]>, at: Timestamp) {
        let letter = self.free.pop().unwrap_or_else(|| {
            let empty = Letter { generation: 0, lane, body: Arc::new([]), sent_at: at, deleted: true };
            self.letters.push(empty);
            u32::try_from(self.letters.len() - 1).unwrap_or(u32::MAX)
        });
        let place = &mut self.letters[letter as usize];
        (place.lane, place.body, place.sent_at, place.deleted) = (lane, body, at, false);
        exec.at(at, Event::Deliver(letter));
    }

    fn is(&self, letter: u32, generation: u32) -> bool {
        let place = self.letters.get(letter as usize);
        place.is_some_and(|p| p.generation == generation && !p.deleted)
    }

    fn show(&mut self, lane: Lane, letter: u32) {
        let queue = &mut self.queues[index(lane)];
        queue.visible.push_back(letter);
        for (_, waker) in queue.waiting.drain(..) {
            waker.wake();
        }
    }

    fn await_return(&mut self, exec: &Exec, lane: Lane) {
        let queue = &mut self.queues[index(lane)];
        if let (Some((at, _, _)), false) = (queue.taken.front(), queue.return_due) {
            queue.return_due = true;
            exec.at(*at, Event::Reappear(u8::try_from(index(lane)).unwrap_or(0)));
        }
    }

    fn take(&mut self, exec: &Exec, lane: Lane, max: usize) -> Vec<Message> {
        let until = exec.now() + self.shape.visibility;
        let mut messages = Vec::new();
        while messages.len() < max.clamp(1, BATCH_MAX) {
            let Some(letter) = self.queues[index(lane)].visible.pop_front() else { break };
            let place = &self.letters[letter as usize];
            let receipt = Receipt(format!("{letter}/{}", place.generation));
            messages.push(Message { receipt, body: place.body.to_vec(), sent_at: place.sent_at });
            let generation = place.generation;
            self.queues[index(lane)].taken.push_back((until, letter, generation));
        }
        self.await_return(exec, lane);
        messages
    }

    fn delete(&mut self, receipt: &Receipt) {
        let Some((letter, generation)) = receipt.0.split_once('/') else { return };
        let (Ok(letter), Ok(generation)) = (letter.parse::<u32>(), generation.parse::<u32>()) else { return };
        if self.is(letter, generation) {
            let place = &mut self.letters[letter as usize];
            place.deleted = true;
            place.generation += 1;
            place.body = Arc::new([]);
            self.free.push(letter);
        }
    }
}

/// The consumer's end of the queues.
#[derive(Clone)]
pub struct SimInbox(pub Arc<Bus>);

struct Receive {
    bus: Arc<Bus>,
    lane: Lane,
    max: usize,
    waiter: Option<u64>,
}

impl Future for Receive {
    type Output = Vec<Message>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<Message>> {
        let bus = self.bus.clone();
        let mut inner = lock(&bus.inner);
        let messages = inner.take(&bus.exec, self.lane, self.max);
        if !messages.is_empty() {
            return Poll::Ready(messages);
        }
        let number = self.waiter.unwrap_or_else(|| {
            inner.waiters += 1;
            inner.waiters
        });
        self.waiter = Some(number);
        let waiting = &mut inner.queues[index(self.lane)].waiting;
        waiting.retain(|(n, _)| *n != number);
        waiting.push((number, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Receive {
    fn drop(&mut self) {
        if let Some(number) = self.waiter {
            lock(&self.bus.inner).queues[index(self.lane)].waiting.retain(|(n, _)| *n != number);
        }
    }
}

#[async_trait]
impl Inbox for SimInbox {
    async fn receive(&self, lane: Lane, max: usize) -> Result<Vec<Message>, Fault> {
        Ok(Receive { bus: self.0.clone(), lane, max, waiter: None }.await)
    }

    async fn later(&self, lane: Lane, body: String, delay: Span) -> Result<(), Fault> {
        let bus = &self.0;
        lock(&bus.inner).post(&bus.exec, lane, body.into_bytes().into(), bus.exec.now() + delay);
        Ok(())
    }

    async fn delete(&self, _lane: Lane, receipts: &[Receipt]) -> Result<(), Fault> {
        let mut inner = lock(&self.0.inner);
        for receipt in receipts {
            inner.delete(receipt);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
