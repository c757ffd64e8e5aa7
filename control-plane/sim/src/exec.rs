//! A single-threaded executor in virtual time: one queue, ordered by time and then by sequence.
//!
//! Tasks run in the order in which they were woken; time moves only when no task is ready. The locks are never
//! contended: they are here because the port traits ask for `Send + Sync`.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering as Atomic};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use async_trait::async_trait;
use spothub_core::port::Clock;
use spothub_core::time::Timestamp;

use crate::world::Event;

/// Below this many cancelled timers the queue is left alone: sweeping it would cost more than they do.
const CANCELLED_MIN: usize = 1024;

/// Locks, also after a panic elsewhere: a test that panics must not hide behind a second panic.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names a task for aborting it; never reused for another one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TaskId {
    slot: u32,
    generation: u32,
}

/// Takes the world's own events when their time has come.
pub trait Handler: Send + Sync {
    /// One event is due.
    fn handle(&self, now: Timestamp, event: Event);
}

/// The executor; clones share one queue.
#[derive(Clone)]
pub struct Exec(Arc<Shared>);

struct Shared {
    now: AtomicI64,
    queue: Mutex<Queue>,
    tasks: Mutex<Tasks>,
    ready: Arc<Ready>,
    handler: Mutex<Option<Weak<dyn Handler>>>,
}

#[derive(Default)]
struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    timers: Vec<Timer>,
    free: Vec<u32>,
    cancelled: usize,
}

#[derive(Default)]
struct Timer {
    generation: u32,
    waker: Option<Waker>,
}

#[derive(Clone, Copy)]
enum Due {
    Timer { slot: u32, generation: u32 },
    Event(Event),
}

struct Entry {
    at: i64,
    sequence: u64,
    due: Due,
}

impl Entry {
    fn order(&self) -> (i64, u64) {
        (self.at, self.sequence)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct Tasks {
    slots: Vec<Task>,
    free: Vec<u32>,
    live: usize,
}

struct Task {
    generation: u32,
    tag: u32,
    alive: bool,
    /// `None` while it is polled, and when it is over.
    job: Option<Job>,
    waker: Option<Arc<TaskWaker>>,
}

#[derive(Default)]
struct Ready(Mutex<VecDeque<TaskId>>);

struct TaskWaker {
    ready: Arc<Ready>,
    id: TaskId,
    queued: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Atomic::Relaxed) {
            lock(&self.ready.0).push_back(self.id);
        }
    }
}

impl Queue {
    fn push(&mut self, at: i64, due: Due) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, due }));
    }

    fn is_live(timers: &[Timer], due: Due) -> bool {
        match due {
            Due::Timer { slot, generation } => timers[slot as usize].generation == generation,
            Due::Event(_) => true,
        }
    }

    fn drop_cancelled_head(&mut self) {
        while let Some(Reverse(head)) = self.heap.peek() {
            if Self::is_live(&self.timers, head.due) {
                return;
            }
            self.heap.pop();
            self.cancelled -= 1;
        }
    }

    /// The next item, and the waker of a timer.
    fn pop(&mut self) -> Option<(Entry, Option<Waker>)> {
        self.drop_cancelled_head();
        let Reverse(entry) = self.heap.pop()?;
        let waker = match entry.due {
            Due::Timer { slot, generation } => self.disarm(slot, generation),
            Due::Event(_) => None,
        };
        Some((entry, waker))
    }

    fn arm(&mut self, at: i64, waker: Waker) -> (u32, u32) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.timers.push(Timer::default());
            u32::try_from(self.timers.len() - 1).unwrap_or(u32::MAX)
        });
        let timer = &mut self.timers[slot as usize];
        timer.waker = Some(waker);
        let generation = timer.generation;
        self.push(at, Due::Timer { slot, generation });
        (slot, generation)
    }

    /// Ends a timer; its waker, where it had not fired.
    fn disarm(&mut self, slot: u32, generation: u32) -> Option<Waker> {
        let timer = &mut self.timers[slot as usize];
        if timer.generation != generation {
            return None;
        }
        timer.generation = timer.generation.wrapping_add(1);
        self.free.push(slot);
        timer.waker.take()
    }

    fn cancel(&mut self, slot: u32, generation: u32) -> Option<Waker> {
        let waker = self.disarm(slot, generation)?;
        self.cancelled += 1;
        if self.cancelled > CANCELLED_MIN && self.cancelled * 2 > self.heap.len() {
            let timers = &self.timers;
            self.heap.retain(|Reverse(entry)| Self::is_live(timers, entry.due));
            self.cancelled = 0;
        }
        Some(waker)
    }
}

impl Exec {
    /// An empty executor whose clock stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(Shared {
            now: AtomicI64::new(start.0),
            queue: Mutex::default(),
            tasks: Mutex::default(),
            ready: Arc::default(),
            handler: Mutex::new(None),
        }))
    }

    /// Names who takes the world's events; held weakly, so that the world may hold the executor.
    pub fn set_handler(&self, handler: Weak<dyn Handler>) {
        *lock(&self.0.handler) = Some(handler);
    }

    /// Virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.now.load(Atomic::Relaxed))
    }

    /// Starts a task; `tag` is for [`Exec::abort_all`].
    pub fn spawn(&self, tag: u32, job: impl Future<Output = ()> + Send + 'static) -> TaskId {
        let job: Job = Box::pin(job);
        let mut tasks = lock(&self.0.tasks);
        let slot = tasks.free.pop().unwrap_or_else(|| {
            tasks.slots.push(Task { generation: 0, tag: 0, alive: false, job: None, waker: None });
            u32::try_from(tasks.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let task = &mut tasks.slots[slot as usize];
        let id = TaskId { slot, generation: task.generation };
        let waker = Arc::new(TaskWaker { ready: self.0.ready.clone(), id, queued: AtomicBool::new(false) });
        waker.wake_by_ref();
        (task.tag, task.alive, task.job, task.waker) = (tag, true, Some(job), Some(waker));
        tasks.live += 1;
        id
    }

    /// Drops a task where it stands; nothing happens if it is over.
    pub fn abort(&self, id: TaskId) {
        let job = lock(&self.0.tasks).end(id);
        drop(job);
    }

    /// Drops all tasks with this tag: a crash of the process that they stand for.
    pub fn abort_all(&self, tag: u32) {
        let jobs: Vec<Option<Job>> = {
            let mut tasks = lock(&self.0.tasks);
            let ids: Vec<TaskId> = tasks.with_tag(tag).collect();
            ids.into_iter().map(|id| tasks.end(id)).collect()
        };
        drop(jobs);
    }

    /// Drops every task and everything queued, so that nothing keeps the world alive.
    pub fn clear(&self) {
        let tasks = std::mem::take(&mut *lock(&self.0.tasks));
        drop(tasks);
        lock(&self.0.ready.0).clear();
        let queue = std::mem::take(&mut *lock(&self.0.queue));
        drop(queue);
    }

    /// Whether a task is over.
    #[must_use]
    pub fn is_over(&self, id: TaskId) -> bool {
        let tasks = lock(&self.0.tasks);
        tasks.slots.get(id.slot as usize).is_none_or(|t| t.generation != id.generation || !t.alive)
    }

    /// Tasks that are not over.
    #[must_use]
    pub fn tasks(&self) -> usize {
        lock(&self.0.tasks).live
    }

    /// Items in the queue, without cancelled timers.
    #[must_use]
    pub fn queued(&self) -> usize {
        let queue = lock(&self.0.queue);
        queue.heap.len() - queue.cancelled
    }

    /// Queues an event of the world, not before now.
    pub fn at(&self, at: Timestamp, event: Event) {
        let at = at.max(self.now());
        lock(&self.0.queue).push(at.0, Due::Event(event));
    }

    /// Completes at `at`, at once if that is past. Dropping it cancels it.
    #[must_use]
    pub fn sleep_until(&self, at: Timestamp) -> Sleep {
        Sleep { exec: self.clone(), at, timer: None }
    }

    /// Takes the next item: polls one ready task, or moves the clock to the next event or timer.
    /// False when there is nothing left to do.
    #[must_use = "false means that nothing will ever happen again"]
    pub fn step(&self) -> bool {
        let ready = lock(&self.0.ready.0).pop_front();
        if let Some(id) = ready {
            self.poll(id);
            return true;
        }
        let Some((entry, waker)) = lock(&self.0.queue).pop() else { return false };
        self.0.now.store(entry.at, Atomic::Relaxed);
        match entry.due {
            Due::Timer { .. } => {
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            Due::Event(event) => {
                let handler = lock(&self.0.handler).as_ref().and_then(Weak::upgrade);
                if let Some(handler) = handler {
                    handler.handle(Timestamp(entry.at), event);
                }
            }
        }
        true
    }

    /// When the next item is due: now, if a task is ready.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        if !lock(&self.0.ready.0).is_empty() {
            return Some(self.now());
        }
        let mut queue = lock(&self.0.queue);
        queue.drop_cancelled_head();
        queue.heap.peek().map(|Reverse(entry)| Timestamp(entry.at))
    }

    /// Does everything that is due up to and at `until`, and moves the clock there.
    pub fn run_until(&self, until: Timestamp) {
        while self.next_at().is_some_and(|at| at <= until) {
            let _ = self.step();
        }
        self.0.now.fetch_max(until.0, Atomic::Relaxed);
    }

    /// Runs until `job` is done; `None` if everything else ran dry before. For tests and for setting up.
    pub fn run<T: Send + 'static>(&self, job: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let slot = Arc::new(Mutex::new(None));
        let out = slot.clone();
        let id = self.spawn(u32::MAX, async move {
            let value = job.await;
            *lock(&out) = Some(value);
        });
        while !self.is_over(id) && self.step() {}
        lock(&slot).take()
    }

    fn poll(&self, id: TaskId) {
        let taken = lock(&self.0.tasks).take(id);
        let Some((mut job, waker)) = taken else { return };
        waker.queued.store(false, Atomic::Relaxed);
        let waker = Waker::from(waker);
        let done = job.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let rest = lock(&self.0.tasks).put_back(id, job, done);
        drop(rest);
    }
}

impl Tasks {
    fn with_tag(&self, tag: u32) -> impl Iterator<Item = TaskId> {
        let slots = (0_u32..).zip(&self.slots);
        slots.filter(move |(_, t)| t.alive && t.tag == tag).map(|(slot, t)| TaskId { slot, generation: t.generation })
    }

    fn live(&mut self, id: TaskId) -> Option<&mut Task> {
        self.slots.get_mut(id.slot as usize).filter(|t| t.alive && t.generation == id.generation)
    }

    fn take(&mut self, id: TaskId) -> Option<(Job, Arc<TaskWaker>)> {
        let task = self.live(id)?;
        Some((task.job.take()?, task.waker.clone()?))
    }

    /// Gives a polled job back; what is over comes out again, to be dropped without the lock.
    fn put_back(&mut self, id: TaskId, job: Job, done: bool) -> Option<Job> {
        let Some(task) = self.live(id) else { return Some(job) };
        task.job = Some(job);
        if done { self.end(id) } else { None }
    }

    fn end(&mut self, id: TaskId) -> Option<Job> {
        let task = self.live(id)?;
        task.alive = false;
        task.generation = task.generation.wrapping_add(1);
        task.waker = None;
        let job = task.job.take();
        self.free.push(id.slot);
        self.live -= 1;
        job
    }
}

/// A wait for a point in virtual time.
pub struct Sleep {
    exec: Exec,
    at: Timestamp,
    timer: Option<(u32, u32)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.exec.now() >= self.at {
            return Poll::Ready(());
        }
        let shared = self.exec.0.clone();
        let mut queue = lock(&shared.queue);
        match self.timer {
            Some((slot, generation)) if queue.timers[slot as usize].generation == generation => {
                let timer = &mut queue.timers[slot as usize];
                if !timer.waker.as_ref().is_some_and(|w| w.will_wake(context.waker())) {
                    timer.waker = Some(context.waker().clone());
                }
            }
            _ => self.timer = Some(queue.arm(self.at.0, context.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some((slot, generation)) = self.timer {
            let mut queue = lock(&self.exec.0.queue);
            // After `clear` the slot is no more.
            let waker = if (slot as usize) < queue.timers.len() { queue.cancel(slot, generation) } else { None };
            drop(queue);
            drop(waker);
        }
    }
}

/// Core's clock on virtual time.
#[derive(Clone)]
pub struct SimClock(pub Exec);

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep_until(&self, until: Timestamp) {
        self.0.sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests;
