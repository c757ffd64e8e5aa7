//! The one door of a worker to the world: its calls are counted there, and it can die at any of them.
//!
//! A worker that is dead does nothing more: no call of its has an effect or an answer, and no note of it is taken.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use async_trait::async_trait;
use spothub_core::cloud::{
    Account, Activity, ContainerSeen, Decrement, InstanceSeen, Launched, RunState, TargetState, TemplateFacts,
};
use spothub_core::fault::Fault;
use spothub_core::group::{Alarm, Extras, GroupView, Source};
use spothub_core::id::{
    BalancerName, ClusterName, ContainerArn, GroupKey, GroupName, InstanceId, ProfileName, Region, RoleArn, Site,
    TargetGroupArn,
};
use spothub_core::market::{Pool, Quotes};
use spothub_core::money::UsdPerHour;
use spothub_core::port::{
    Act, Cause, Clock, Directory, Inbox, Journal, Lane, Launch, Look, Message, Note, Page, Prices, Put, Receipt, Store,
    StoreError, Stored,
};
use spothub_core::record::{Closed, Why};
use spothub_core::time::{Span, Timestamp};
use spothub_hub::Ports;

/// On which side of a call's effect a worker dies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    /// The call never arrives.
    Before,
    /// The call is done, and its answer is never seen.
    After,
}

/// Where a worker dies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Cut {
    /// The number of the call, from 0.
    pub(crate) call: usize,
    pub(crate) side: Side,
}

/// How long after the end of the first swap a call still belongs to it: its note, its last rows, the next wake.
const SETTLED: Span = Span::secs(10);

/// The door of one worker.
pub(crate) struct Gate {
    clock: Arc<dyn Clock>,
    cut: Option<Cut>,
    /// The process takes until then to start; `None` where it never does.
    opens_at: Option<Timestamp>,
    calls: AtomicUsize,
    dead: AtomicBool,
    /// Names of the calls up to the end of the first swap.
    named: Mutex<Vec<&'static str>>,
    first_end: Mutex<Option<Timestamp>>,
}

impl Gate {
    pub(crate) fn new(clock: &Arc<dyn Clock>, cut: Option<Cut>, opens_at: Option<Timestamp>) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::clone(clock),
            cut,
            opens_at,
            calls: AtomicUsize::default(),
            dead: AtomicBool::default(),
            named: Mutex::default(),
            first_end: Mutex::default(),
        })
    }

    /// All ports of one worker, through this door.
    pub(crate) fn around(self: &Arc<Self>, ports: Ports) -> Ports {
        let through = Arc::new(Through { gate: Arc::clone(self), ports: ports.clone() });
        Ports {
            look: through.clone(),
            act: ports.act.map(|_| through.clone() as Arc<dyn Act>),
            prices: through.clone(),
            directory: through.clone(),
            store: through.clone(),
            inbox: through.clone(),
            clock: ports.clock,
            journal: through,
            policies: None,
            commitments: None,
            placement: None,
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    pub(crate) fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// The calls up to the end of the first swap and just after it.
    pub(crate) fn named(&self) -> Vec<&'static str> {
        self.named.lock().unwrap().clone()
    }

    fn count(&self, name: &'static str) -> Option<Side> {
        let over = self.first_end.lock().unwrap().is_some_and(|end| self.clock.now() > end + SETTLED);
        if !over {
            self.named.lock().unwrap().push(name);
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        self.cut.filter(|cut| cut.call == call).map(|cut| cut.side)
    }

    /// One call; whether the worker dies just after it, it does not learn.
    async fn pass<T>(&self, name: &'static str, call: impl Future<Output = T>) -> (T, Option<Side>) {
        match self.opens_at {
            Some(at) => self.clock.sleep_until(at).await,
            None => pending().await,
        }
        let side = if self.is_dead() { None } else { self.count(name) };
        if side == Some(Side::Before) {
            self.die();
        }
        let mut call = pin!(call);
        // What was sent by a worker that dies meanwhile is lost on its way.
        let answer = poll_fn(|context| if self.is_dead() { Poll::Pending } else { call.as_mut().poll(context) }).await;
        if side == Some(Side::After) {
            self.die();
        }
        (answer, side)
    }

    async fn call<T>(&self, name: &'static str, call: impl Future<Output = T>) -> T {
        match self.pass(name, call).await {
            (_, Some(Side::After)) => pending().await,
            (answer, _) => answer,
        }
    }
}

/// The ports of a worker through its door.
struct Through {
    gate: Arc<Gate>,
    ports: Ports,
}

impl Through {
    fn act(&self) -> &dyn Act {
        self.ports.act.as_deref().expect("a worker without hands has no Act to go through")
    }

    /// A worker that dies between writing that a swap ended and saying so leaves the row: who judges reads that.
    fn tell_of(&self, puts: &[Put]) {
        for put in puts.iter().filter(|put| put.key.starts_with("swap/")) {
            let Some(closed) = put.value.as_ref().and_then(|v| serde_json::from_slice::<Closed>(v).ok()) else {
                continue;
            };
            let note = Note::Swap {
                swap: &closed.id,
                group: &closed.group,
                state: closed.end.label(),
                old: &closed.old,
                new: closed.new.as_ref(),
                why: closed.end.why().map(Why::label),
                began: closed.at,
                left: None,
            };
            self.ports.journal.note(closed.at, &note);
        }
    }
}

impl Journal for Through {
    fn note(&self, now: Timestamp, note: &Note<'_>) {
        if self.gate.is_dead() {
            return;
        }
        if let Note::Swap { state: "done" | "undone" | "failed" | "stranded", .. } = note {
            self.gate.first_end.lock().unwrap().get_or_insert(now);
        }
        self.ports.journal.note(now, note);
    }
}

#[async_trait]
impl Store for Through {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.gate.call("store get", self.ports.store.get(key)).await
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.gate.call("store query", self.ports.store.query(prefix, after, limit)).await
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        let (answer, side) = self.gate.pass("store write", self.ports.store.write(puts)).await;
        if side == Some(Side::After) {
            if answer.is_ok() {
                self.tell_of(puts);
            }
            return pending().await;
        }
        answer
    }
}

#[async_trait]
impl Inbox for Through {
    async fn receive(&self, lane: Lane, max: usize) -> Result<Vec<Message>, Fault> {
        self.gate.call("receive", self.ports.inbox.receive(lane, max)).await
    }

    async fn later(&self, lane: Lane, body: String, delay: Span) -> Result<(), Fault> {
        self.gate.call("later", self.ports.inbox.later(lane, body, delay)).await
    }

    async fn delete(&self, lane: Lane, receipts: &[Receipt]) -> Result<(), Fault> {
        self.gate.call("delete", self.ports.inbox.delete(lane, receipts)).await
    }
}

#[async_trait]
impl Directory for Through {
    async fn accounts(&self) -> Result<Vec<Account>, Fault> {
        self.gate.call("accounts", self.ports.directory.accounts()).await
    }
}

#[async_trait]
impl Prices for Through {
    async fn spot(&self, region: &Region) -> Result<Quotes, Fault> {
        self.gate.call("prices", self.ports.prices.spot(region)).await
    }

    async fn history(
        &self,
        pool: &Pool,
        region: &Region,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, UsdPerHour)>, Fault> {
        self.gate.call("history", self.ports.prices.history(pool, region, from, to)).await
    }
}

#[async_trait]
impl Look for Through {
    async fn groups(
        &self,
        site: &Site,
        names: Option<&[GroupName]>,
        cause: Cause<'_>,
    ) -> Result<Vec<GroupView>, Fault> {
        self.gate.call("groups", self.ports.look.groups(site, names, cause)).await
    }

    async fn extras(&self, group: &GroupKey, cause: Cause<'_>) -> Result<Extras, Fault> {
        self.gate.call("extras", self.ports.look.extras(group, cause)).await
    }

    async fn alarms(&self, site: &Site, names: &[String], cause: Cause<'_>) -> Result<Vec<Alarm>, Fault> {
        self.gate.call("alarms", self.ports.look.alarms(site, names, cause)).await
    }

    async fn template(&self, group: &GroupKey, source: &Source, cause: Cause<'_>) -> Result<TemplateFacts, Fault> {
        self.gate.call("template", self.ports.look.template(group, source, cause)).await
    }

    async fn profile(&self, site: &Site, profile: &ProfileName, cause: Cause<'_>) -> Result<Option<RoleArn>, Fault> {
        self.gate.call("profile", self.ports.look.profile(site, profile, cause)).await
    }

    async fn instances(&self, site: &Site, ids: &[InstanceId], cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        self.gate.call("instances", self.ports.look.instances(site, ids, cause)).await
    }

    async fn managed(&self, site: &Site, cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        self.gate.call("managed", self.ports.look.managed(site, cause)).await
    }

    async fn status(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, RunState)>, Fault> {
        self.gate.call("status", self.ports.look.status(site, ids, cause)).await
    }

    async fn marked(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, Timestamp)>, Fault> {
        self.gate.call("marked", self.ports.look.marked(site, ids, cause)).await
    }

    async fn target(
        &self,
        site: &Site,
        group: &TargetGroupArn,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        self.gate.call("target", self.ports.look.target(site, group, id, cause)).await
    }

    async fn balancer(
        &self,
        site: &Site,
        name: &BalancerName,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        self.gate.call("balancer", self.ports.look.balancer(site, name, id, cause)).await
    }

    async fn containers(
        &self,
        site: &Site,
        cluster: &ClusterName,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<ContainerSeen>, Fault> {
        self.gate.call("containers", self.ports.look.containers(site, cluster, ids, cause)).await
    }

    async fn activities(&self, group: &GroupKey, since: Timestamp, cause: Cause<'_>) -> Result<Vec<Activity>, Fault> {
        self.gate.call("activities", self.ports.look.activities(group, since, cause)).await
    }
}

#[async_trait]
impl Act for Through {
    async fn admit(&self, site: &Site, cause: Cause<'_>) -> Result<(), Fault> {
        self.gate.call("admit", self.act().admit(site, cause)).await
    }

    async fn launch(&self, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
        self.gate.call("launch", self.act().launch(launch, cause)).await
    }

    async fn terminate(&self, site: &Site, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        self.gate.call("terminate", self.act().terminate(site, id, cause)).await
    }

    async fn set_max(&self, group: &GroupKey, max: u32, cause: Cause<'_>) -> Result<(), Fault> {
        self.gate.call("set max", self.act().set_max(group, max, cause)).await
    }

    async fn attach(&self, group: &GroupKey, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        self.gate.call("attach", self.act().attach(group, id, cause)).await
    }

    async fn drain(
        &self,
        group: &GroupKey,
        cluster: &ClusterName,
        container: &ContainerArn,
        drains: bool,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        self.gate.call("drain", self.act().drain(group, cluster, container, drains, cause)).await
    }

    async fn retire(
        &self,
        group: &GroupKey,
        id: &InstanceId,
        decrement: Decrement,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        self.gate.call("retire", self.act().retire(group, id, decrement, cause)).await
    }
}
