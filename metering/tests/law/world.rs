//! Tasks at once on one thread, in virtual time: each port call gives way before and after it takes effect, so a task
//! that is dropped there died before a put, after it, after sending, or after the answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use spothub_core::port::{Clock, Page, Put, Store, StoreError, Stored};
use spothub_core::time::Timestamp;
use spothub_usage::meter::{Meter, MeterFault, Processed, Usage};
use spothub_usage::task::{Order, Outcome, Ports, Settings, Task, TaskError, report};

use crate::chance::Chance;
use crate::marketplace::{Api, Marketplace};
use crate::memory::Memory;

/// What everybody shares.
pub(crate) struct World {
    pub(crate) now: Mutex<Timestamp>,
    pub(crate) chance: Mutex<Chance>,
    pub(crate) store: Memory,
    pub(crate) marketplace: Mutex<Marketplace>,
    /// Thousandths of the store's calls that are not answered.
    pub(crate) store_faults: Mutex<u64>,
}

/// A store as one task sees it. Sabotage wraps it.
pub(crate) type Wrap = fn(Arc<dyn Store>, &str) -> Arc<dyn Store>;

/// One task's ports.
struct Seat {
    world: Arc<World>,
    arn: String,
    /// How far its clock is off.
    skew: Arc<Mutex<i64>>,
    wakes: Arc<Mutex<Option<Timestamp>>>,
}

/// Gives way once.
struct Way(bool);

impl Future for Way {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl World {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            now: Mutex::new(now),
            chance: Mutex::new(Chance(seed)),
            store: Memory::default(),
            marketplace: Mutex::new(Marketplace::new()),
            store_faults: Mutex::new(0),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn silent(&self) -> bool {
        let n = *self.store_faults.lock().unwrap();
        self.chance.lock().unwrap().permille(n)
    }
}

fn silence() -> StoreError {
    StoreError::Unavailable("no answer".to_owned())
}

#[async_trait]
impl Store for Seat {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        Way(false).await;
        if self.world.silent() { Err(silence()) } else { self.world.store.get(key).await }
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        Way(false).await;
        // Small pages, so that more than one is read.
        if self.world.silent() { Err(silence()) } else { self.world.store.query(prefix, after, limit.min(3)).await }
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        Way(false).await;
        if self.world.silent() {
            return Err(silence());
        }
        let done = self.world.store.write(puts).await;
        Way(false).await;
        if self.world.silent() { Err(silence()) } else { done }
    }
}

impl Seat {
    async fn metered(&self, usage: &Usage, api: Api) -> Result<String, MeterFault> {
        Way(false).await;
        let answer = {
            let mut chance = self.world.chance.lock().unwrap();
            let now = self.world.now();
            self.world.marketplace.lock().unwrap().meter(&self.arn, (usage, api), now, &mut chance)
        };
        Way(false).await;
        answer
    }
}

#[async_trait]
impl Meter for Seat {
    async fn meter(&self, usage: &Usage) -> Result<String, MeterFault> {
        self.metered(usage, Api::MeterUsage).await
    }

    async fn probe(&self, _: &Usage) -> Result<(), MeterFault> {
        Ok(())
    }

    async fn register(&self, _: &str) -> Result<(), MeterFault> {
        Ok(())
    }

    async fn batch(&self, _: &str, usages: &[Usage]) -> Result<Vec<Processed>, MeterFault> {
        let mut answers = Vec::new();
        for usage in usages {
            answers.push(self.metered(usage, Api::BatchMeterUsage).await);
        }
        Ok(answers)
    }
}

#[async_trait]
impl Clock for Seat {
    fn now(&self) -> Timestamp {
        Timestamp(self.world.now().0 + *self.skew.lock().unwrap())
    }

    async fn sleep_until(&self, until: Timestamp) {
        while self.now() < until {
            *self.wakes.lock().unwrap() = Some(until);
            Way(false).await;
        }
        *self.wakes.lock().unwrap() = None;
    }
}

/// A task that runs.
pub(crate) struct Running {
    pub(crate) arn: String,
    pub(crate) skew: Arc<Mutex<i64>>,
    wakes: Arc<Mutex<Option<Timestamp>>>,
    pub(crate) run: Pin<Box<dyn Future<Output = Result<Outcome, TaskError>>>>,
}

impl Running {
    pub(crate) fn start(world: &Arc<World>, arn: &str, settings: &Settings, skew: i64, wrap: Wrap) -> Self {
        Self::begin(world, arn, settings, skew, wrap, Order::default())
    }

    pub(crate) fn begin(
        world: &Arc<World>,
        arn: &str,
        settings: &Settings,
        skew: i64,
        wrap: Wrap,
        order: Order,
    ) -> Self {
        let skew = Arc::new(Mutex::new(skew));
        let wakes = Arc::new(Mutex::new(None));
        let seat = Arc::new(Seat {
            world: Arc::clone(world),
            arn: arn.to_owned(),
            skew: Arc::clone(&skew),
            wakes: Arc::clone(&wakes),
        });
        let (settings, named) = (settings.clone(), arn.to_owned());
        let run = async move {
            let store = wrap(Arc::clone(&seat) as Arc<dyn Store>, &named);
            let ports = Ports { store: &*store, meter: &*seat, clock: &*seat };
            report(&mut Task::new(&named), &settings, ports, order).await
        };
        Self { arn: arn.to_owned(), skew, wakes, run: Box::pin(run) }
    }

    /// When it can go on, in the world's time; now, where it does not wait.
    pub(crate) fn wakes(&self, now: Timestamp) -> Timestamp {
        self.wakes.lock().unwrap().map_or(now, |at| Timestamp((at.0 - *self.skew.lock().unwrap()).max(now.0)))
    }

    /// One step; its result once it ends.
    pub(crate) fn poll(&mut self) -> Option<Result<Outcome, TaskError>> {
        match self.run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => None,
        }
    }
}
