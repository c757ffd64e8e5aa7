//! One worker: its ports, its memory and its loops.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::join3;
use futures::stream::{FuturesUnordered, StreamExt};
use spothub_core::catalog::Catalog;
use spothub_core::compat::Substitutes;
use spothub_core::id::{GroupKey, Site};
use spothub_core::policy::{Context, Effective, InForce};
use spothub_core::port::{
    Act, Clock, Commitments, Directory, Inbox, Journal, Lane, Look, Note, Placement, Policies, Prices, Store,
};
use spothub_core::time::Timestamp;
use tokio::sync::Notify;

use crate::limit::Starts;
use crate::memory::Memory;
use crate::settings::Settings;
use crate::stop::Stop;

/// What the engine is given of the world.
#[derive(Clone)]
pub struct Ports {
    /// Reads member accounts.
    pub look: Arc<dyn Look>,
    /// Changes them; `None` makes a dry run.
    pub act: Option<Arc<dyn Act>>,
    /// Spot prices.
    pub prices: Arc<dyn Prices>,
    /// Accounts.
    pub directory: Arc<dyn Directory>,
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// Events.
    pub inbox: Arc<dyn Inbox>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Notes of what is done.
    pub journal: Arc<dyn Journal>,
    /// Where policy is published; `None` where the one of the settings is in force as it stands.
    pub policies: Option<Arc<dyn Policies>>,
    /// What is paid for anyway; `None` where it is not to be read.
    pub commitments: Option<Arc<dyn Commitments>>,
    /// What EC2 says of the chance of Spot capacity; `None` where it is not asked.
    pub placement: Option<Arc<dyn Placement>>,
}

/// One worker.
pub struct Engine {
    pub(crate) ports: Ports,
    pub(crate) settings: Settings,
    pub(crate) catalog: &'static Catalog,
    pub(crate) substitutes: Substitutes,
    pub(crate) starts: Starts,
    pub(crate) changed: Notify,
    pub(crate) polls_changed: Notify,
    /// Sites became this worker's, or another's.
    pub(crate) ownership: Notify,
    pub(crate) stop: Stop,
    memory: Mutex<Memory>,
}

impl Engine {
    /// A worker that has not begun. It decides by the catalogue in use, which is installed before.
    #[must_use]
    pub fn new(ports: Ports, settings: Settings) -> Arc<Self> {
        let catalog = Catalog::in_use();
        // Published policy is read first thing; nothing is touched before.
        let policy = if ports.policies.is_some() { InForce::nothing() } else { InForce::just(settings.policy.clone()) };
        let mut memory = Memory::default();
        memory.policy = Arc::new(policy);
        Arc::new(Self {
            starts: Starts::new(settings.start_interval, &ports.clock),
            ports,
            settings,
            catalog,
            substitutes: Substitutes::new(catalog),
            changed: Notify::new(),
            polls_changed: Notify::new(),
            ownership: Notify::new(),
            stop: Stop::default(),
            memory: Mutex::new(memory),
        })
    }

    /// Runs all loops; never returns. Dropping it stops the worker at its next await: what is in flight is in the
    /// store and goes on elsewhere.
    pub async fn run(self: Arc<Self>) {
        self.run_until(std::future::pending()).await;
    }

    /// Runs all loops until `stop` is over. Then it takes no more messages and wakes, finishes the steps that are being
    /// made, parks what runs and returns; at the latest after [`STOP_MAX`](crate::STOP_MAX).
    pub async fn run_until(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let work = async {
            if self.settings.peers {
                // Before anything is taken over, the others are heard once.
                let _ = self.unless_stopped(self.beat(self.now())).await;
            }
            let _ = self.unless_stopped(self.recover()).await;
            let _ = self.unless_stopped(Box::pin(self.read_policy())).await;
            tokio::join!(
                // What these three do is reading: they end where they stand.
                self.unless_stopped(join3(
                    self.market_loop(),
                    Box::pin(self.commitments_loop()),
                    Box::pin(self.placement_loop())
                )),
                self.unless_stopped(self.poll_loop()),
                self.unless_stopped(self.marks_loop()),
                self.unless_stopped(self.brake_loop()),
                self.unless_stopped(Box::pin(self.policy_loop())),
                self.unless_stopped(self.beat_loop()),
                self.unless_stopped(Box::pin(self.books_loop())),
                self.sweep_loop(),
                self.lane(Lane::Urgent),
                self.lane(Lane::Normal),
                self.pump(),
            );
        };
        let _ = self.stop_on(stop, work).await;
        self.leave().await;
    }

    /// Reconciles groups as they become due, until it is asked to stop; then those that are under way end first.
    pub(crate) async fn pump(&self) {
        let mut running = FuturesUnordered::new();
        loop {
            if self.stopping() && running.is_empty() {
                return;
            }
            while let Some(lane) = self.room(running.len()).filter(|_| !self.stopping()) {
                let Some(group) = self.memory().wakes.pop(self.now(), lane) else { break };
                running.push(async move {
                    self.reconcile(&group).await;
                    group
                });
            }
            // Once it is to stop, what is due is left: waiting for it would be over at once, again and again.
            let lane = self.room(running.len()).filter(|_| !self.stopping());
            let due = lane.and_then(|lane| self.memory().wakes.next_due(lane));
            tokio::select! {
                biased;
                Some(group) = running.next(), if !running.is_empty() => self.memory().wakes.done(&group),
                () = self.stopped(), if !self.stopping() => {}
                () = self.changed.notified() => {}
                () = self.ports.clock.sleep_until(due.unwrap_or_default()), if due.is_some() => {}
            }
        }
    }

    /// Which groups may be begun with so many under way: half the places are kept for urgent ones, which must not wait
    /// for looks that wait for a limiter.
    const fn room(&self, running: usize) -> Option<Lane> {
        let max = self.settings.reconciles_max;
        match running {
            _ if running < max / 2 => Some(Lane::Normal),
            _ if running < max => Some(Lane::Urgent),
            _ => None,
        }
    }

    /// Wakes a group.
    pub(crate) fn wake(&self, group: &GroupKey, at: Timestamp, lane: Lane) {
        let sooner = {
            let mut memory = self.memory();
            let before = memory.wakes.next_due(lane);
            memory.wakes.wake(group, at, lane);
            before.is_none_or(|before| at < before)
        };
        if sooner {
            self.changed.notify_one();
        }
    }

    /// What the worker remembers. Held for short, never across an await.
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    pub(crate) fn note(&self, note: &Note<'_>) {
        self.ports.journal.note(self.now(), note);
    }

    /// Policy for a group with these tags; `None` where its account is not enrolled, active and served there.
    pub(crate) fn effective(
        &self,
        group: &GroupKey,
        tags: &std::collections::BTreeMap<String, String>,
    ) -> Option<Effective> {
        self.in_context(group, tags, InForce::effective)
    }

    /// What policy says of a group with these tags; `None` where its account is not enrolled, active and served there.
    pub(crate) fn in_context<T>(
        &self,
        group: &GroupKey,
        tags: &std::collections::BTreeMap<String, String>,
        ask: impl FnOnce(&InForce, &Context<'_>) -> T,
    ) -> Option<T> {
        let (policy, account) = {
            let memory = self.memory();
            let account = memory.accounts.get(&group.site.account)?;
            if !account.active || !account.regions.contains(&group.site.region) {
                return None;
            }
            (Arc::clone(&memory.policy), Arc::clone(account))
        };
        let (id, region) = (group.site.account, &group.site.region);
        let account_tags = account.tags.as_ref();
        let group = group.name.as_str();
        Some(ask(&policy, &Context { ou: &account.ou, account: id, account_tags, region, group, tags }))
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Arc<InForce> {
        Arc::clone(&self.memory().policy)
    }

    /// Whether an account is enrolled, active and served in that region.
    pub(crate) fn enrolled(&self, site: &Site) -> bool {
        let memory = self.memory();
        memory.accounts.get(&site.account).is_some_and(|a| a.active && a.regions.contains(&site.region))
    }
}
