//! One pass and no more: recover, read accounts and prices, sweep everything once, and see what that began to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use spothub_core::port::Lane;
use spothub_core::time::Span;

use crate::engine::Engine;
use crate::state::State;

/// What is due within so long belongs to the pass: a second try comes after 20 s, and the start of a group's next swap
/// is at least 15 s after the one before.
pub const REST_AFTER: Span = Span::secs(30);
/// With nothing in flight, second tries are waited for no longer: what fails for a minute goes on failing.
const QUIET_MAX: Span = Span::secs(60);
/// Between two looks whether all is at rest.
const LOOK_EVERY: Span = Span::millis(200);

/// How a pass ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pass {
    /// All that it began is over.
    Rest,
    /// Its time was up; what is in flight stays in the store and goes on with the next worker.
    Limit,
    /// It was asked to stop.
    Stopped,
}

/// What came of a pass.
#[must_use = "it says which accounts failed"]
#[derive(Clone, Debug)]
pub struct Once {
    /// How it ended.
    pub pass: Pass,
    /// Sites that it was to sweep.
    pub sites: usize,
    /// How things stood at its end: what failed, what is in flight, what is held.
    pub state: State,
}

impl Engine {
    /// One pass: one sweep over every site, and reconciles until nothing is in flight and nothing due soon, but not for
    /// longer than `once_max` of the settings. Messages are taken as far as they are there. Without hands it ends once
    /// every group was looked at.
    pub async fn once(self: &Arc<Self>, stop: impl Future<Output = ()>) -> Once {
        let (late, give_up) = (AtomicBool::new(false), self.now() + self.settings.once_max);
        let stop = async {
            tokio::select! {
                biased;
                () = stop => {}
                () = self.ports.clock.sleep_until(give_up) => late.store(true, Ordering::Relaxed),
            }
        };
        let rested = self.stop_on(stop, self.pass()).await.unwrap_or(false);
        let pass = match (rested, late.load(Ordering::Relaxed)) {
            (true, _) => Pass::Rest,
            (false, true) => Pass::Limit,
            (false, false) => Pass::Stopped,
        };
        let sites = {
            let memory = self.memory();
            memory.accounts.values().filter(|a| a.active).map(|a| a.regions.len()).sum()
        };
        Once { pass, sites, state: self.state() }
    }

    /// Whether it came to rest by itself.
    async fn pass(&self) -> bool {
        if self.unless_stopped(self.recover()).await.is_none() {
            return false;
        }
        let _ = self.unless_stopped(Box::pin(self.read_policy())).await;
        match self.unless_stopped(self.read_directory()).await {
            Some(Ok(())) => {}
            Some(Err(_)) => return true,
            None => return false,
        }
        let rested = AtomicBool::new(false);
        let work = async {
            let _ = self.unless_stopped(self.all_prices()).await;
            let _ = self.unless_stopped(Box::pin(self.read_commitments(1))).await;
            tokio::join!(self.sweep_all(self.sites()), self.drain(Lane::Urgent), self.drain(Lane::Normal));
            rested.store(self.rest().await, Ordering::Relaxed);
            if self.ports.act.is_some() {
                let _ = self.unless_stopped(Box::pin(self.keep_closed_books(self.closed_until()))).await;
            }
            self.stop.ask();
        };
        tokio::join!(
            self.unless_stopped(self.market_loop()),
            self.unless_stopped(self.poll_loop()),
            self.unless_stopped(Box::pin(self.policy_loop())),
            self.pump(),
            work
        );
        rested.load(Ordering::Relaxed)
    }

    /// Waits until all is at rest; `false` where it was asked to stop before.
    async fn rest(&self) -> bool {
        let mut quiet_since = self.now();
        while !self.stopping() {
            let now = self.now();
            let in_flight = self.driven();
            if in_flight > 0 {
                quiet_since = now;
            }
            let (working, due) = {
                let memory = self.memory();
                (memory.wakes.working(), memory.wakes.next_due(Lane::Normal))
            };
            let within = if self.ports.act.is_some() { REST_AFTER } else { Span::ZERO };
            let soon = due.is_some_and(|at| at <= now + within) && now.since(quiet_since) < QUIET_MAX;
            if in_flight == 0 && !working && !soon {
                return true;
            }
            self.pause_until(now + LOOK_EVERY).await;
        }
        false
    }

    /// What is in flight and can be driven from here: without hands nothing can, and where nobody is enrolled any more
    /// nothing will be.
    fn driven(&self) -> usize {
        if self.ports.act.is_none() {
            return 0;
        }
        let memory = self.memory();
        let served = |site: &spothub_core::id::Site| {
            memory.accounts.get(&site.account).is_some_and(|a| a.active && a.regions.contains(&site.region))
        };
        memory.records.iter().filter(|(group, _)| served(&group.site)).map(|(_, kept)| kept.record.ops.len()).sum()
    }
}
