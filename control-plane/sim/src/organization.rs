//! A whole simulated organization put together: executor, world, cloud and queues from one shape and one seed.

use std::sync::Arc;

use spothub_core::time::{Span, Timestamp};

use crate::bus::{Bus, SimInbox};
use crate::cloud::SimCloud;
use crate::exec::{Exec, SimClock};
use crate::market::Market;
use crate::record::{Sink, What};
use crate::shape::Shape;
use crate::world::{SharedWorld, World};

/// Everything that an engine is given, and the means to drive it. Dropping it drops all tasks.
pub struct Organization {
    /// Virtual time.
    pub exec: Exec,
    /// What is true.
    pub world: Arc<SharedWorld>,
    /// Core's `Look`, `Act`, `Prices` and `Directory`.
    pub cloud: Arc<SimCloud>,
    /// Core's `Inbox`.
    pub inbox: SimInbox,
    /// The same, from the sender's side.
    pub bus: Arc<Bus>,
    /// Prices and capacities, for judges: reads them without a lock.
    pub market: Arc<Market>,
    start: Timestamp,
}

impl Organization {
    /// Builds it, and writes the first records to `sinks`.
    #[must_use]
    pub fn new(shape: &Shape, seed: u64, sinks: Vec<Box<dyn Sink>>) -> Self {
        let exec = Exec::new(shape.start);
        let world = World::new(shape, seed, &exec, sinks);
        let (bus, market) = (world.bus().clone(), world.market().clone());
        let world = SharedWorld::new(world);
        let cloud = Arc::new(SimCloud::new(world.clone(), shape, seed));
        Self { exec, world, cloud, inbox: SimInbox(bus.clone()), bus, market, start: shape.start }
    }

    /// Core's `Clock`.
    #[must_use]
    pub fn clock(&self) -> SimClock {
        SimClock(self.exec.clone())
    }

    /// Virtual time since the start.
    #[must_use]
    pub fn since_start(&self) -> Span {
        self.exec.now().since(self.start)
    }

    /// Does everything that is due in the next `span`.
    pub fn run_for(&self, span: Span) {
        self.exec.run_until(self.exec.now() + span);
    }

    /// Writes a record of now, as for the engine's notes. Not while the world is locked.
    pub fn emit(&self, what: What) {
        self.world.lock().emit(what);
    }
}

impl Drop for Organization {
    fn drop(&mut self) {
        self.exec.clear();
    }
}
