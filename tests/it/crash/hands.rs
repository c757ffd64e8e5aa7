//! Changing calls as data, so that one can be made twice, or long after it was sent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use spothub_core::catalog::Product;
use spothub_core::cloud::{Decrement, LaunchPool, Launched, Route};
use spothub_core::fault::Fault;
use spothub_core::group::{Lifecycle, Source};
use spothub_core::id::{AzId, ClusterName, ContainerArn, GroupKey, InstanceId, Site, SubnetId, SwapId};
use spothub_core::money::UsdPerHour;
use spothub_core::port::{Act, Cause, Clock, Launch};
use spothub_core::time::{Span, Timestamp};
use spothub_sim::exec::Exec;

use super::gate::Gate;

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Launch(Box<Wanted>),
    Terminate(Site, InstanceId),
    SetMax(GroupKey, u32),
    Attach(GroupKey, InstanceId),
    Retire(GroupKey, InstanceId, Decrement),
    Drain(GroupKey, ClusterName, ContainerArn, bool),
}

/// Core's `Launch`, owned.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) group: GroupKey,
    token: String,
    source: Source,
    route: Route,
    pools: Vec<LaunchPool>,
    az: AzId,
    subnet: SubnetId,
    product: Product,
    lifecycle: Lifecycle,
    max_price: UsdPerHour,
    swap: SwapId,
    pub(crate) replaces: InstanceId,
}

/// A changing call that outlives whoever sends it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) deed: Deed,
    swaps: Vec<SwapId>,
    orphan: bool,
}

impl Call {
    fn new(deed: Deed, cause: Cause<'_>) -> Self {
        Self { deed, swaps: cause.swaps.to_vec(), orphan: cause.orphan }
    }

    /// Makes it.
    pub(crate) async fn make(&self, act: &dyn Act) -> Result<Option<Launched>, Fault> {
        let cause = Cause { swaps: &self.swaps, orphan: self.orphan, ..Cause::default() };
        let none = |()| None;
        match &self.deed {
            Deed::Launch(wanted) => {
                let launch = Launch {
                    group: &wanted.group,
                    token: &wanted.token,
                    source: &wanted.source,
                    route: wanted.route,
                    pools: &wanted.pools,
                    az: &wanted.az,
                    subnet: &wanted.subnet,
                    product: wanted.product,
                    lifecycle: wanted.lifecycle,
                    max_price: wanted.max_price,
                    swap: &wanted.swap,
                    replaces: &wanted.replaces,
                };
                act.launch(&launch, cause).await.map(Some)
            }
            Deed::Terminate(site, id) => act.terminate(site, id, cause).await.map(none),
            Deed::SetMax(group, max) => act.set_max(group, *max, cause).await.map(none),
            Deed::Attach(group, id) => act.attach(group, id, cause).await.map(none),
            Deed::Drain(group, cluster, container, drains) => {
                act.drain(group, cluster, container, *drains, cause).await.map(none)
            }
            Deed::Retire(group, id, decrement) => act.retire(group, id, *decrement, cause).await.map(none),
        }
    }
}

/// What becomes of a changing call.
#[async_trait]
pub(crate) trait Hand: Send + Sync {
    async fn make(&self, inner: &Arc<dyn Act>, call: Call) -> Result<Option<Launched>, Fault>;
}

/// An `Act` whose changing calls a hand makes.
pub(crate) struct By<H> {
    inner: Arc<dyn Act>,
    hand: H,
}

impl<H: Hand + 'static> By<H> {
    pub(crate) fn act(inner: Arc<dyn Act>, hand: H) -> Arc<dyn Act> {
        Arc::new(Self { inner, hand })
    }

    async fn done(&self, deed: Deed, cause: Cause<'_>) -> Result<(), Fault> {
        self.hand.make(&self.inner, Call::new(deed, cause)).await.map(drop)
    }
}

#[async_trait]
impl<H: Hand + 'static> Act for By<H> {
    async fn admit(&self, site: &Site, cause: Cause<'_>) -> Result<(), Fault> {
        self.inner.admit(site, cause).await
    }

    async fn launch(&self, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
        let wanted = Wanted {
            group: launch.group.clone(),
            token: launch.token.to_owned(),
            source: launch.source.clone(),
            route: launch.route,
            pools: launch.pools.to_vec(),
            az: launch.az.clone(),
            subnet: launch.subnet.clone(),
            product: launch.product,
            lifecycle: launch.lifecycle,
            max_price: launch.max_price,
            swap: launch.swap.clone(),
            replaces: launch.replaces.clone(),
        };
        let launched = self.hand.make(&self.inner, Call::new(Deed::Launch(Box::new(wanted)), cause)).await?;
        launched.ok_or(Fault::Broken)
    }

    async fn terminate(&self, site: &Site, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        self.done(Deed::Terminate(site.clone(), id.clone()), cause).await
    }

    async fn set_max(&self, group: &GroupKey, max: u32, cause: Cause<'_>) -> Result<(), Fault> {
        self.done(Deed::SetMax(group.clone(), max), cause).await
    }

    async fn attach(&self, group: &GroupKey, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        self.done(Deed::Attach(group.clone(), id.clone()), cause).await
    }

    async fn drain(
        &self,
        group: &GroupKey,
        cluster: &ClusterName,
        container: &ContainerArn,
        drains: bool,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        let deed = Deed::Drain(group.clone(), cluster.clone(), container.clone(), drains);
        self.done(deed, cause).await
    }

    async fn retire(
        &self,
        group: &GroupKey,
        id: &InstanceId,
        decrement: Decrement,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        self.done(Deed::Retire(group.clone(), id.clone(), decrement), cause).await
    }
}

/// Sends each call twice, one after the other, and returns one of the answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Twice {
    AnswerFirst,
    AnswerSecond,
}

#[async_trait]
impl Hand for Twice {
    async fn make(&self, inner: &Arc<dyn Act>, call: Call) -> Result<Option<Launched>, Fault> {
        let first = call.make(&**inner).await;
        let second = call.make(&**inner).await;
        match self {
            Self::AnswerFirst => first,
            Self::AnswerSecond => second,
        }
    }
}

/// What the sender sees of a call that takes effect late.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Seen {
    /// No answer: it may have happened.
    Unclear,
    /// The worker dies as soon as it has sent the call.
    Dies,
}

/// Which call takes effect late, and how late.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lateness {
    /// The number of the changing call of all workers, from 0.
    pub(crate) call: usize,
    pub(crate) by: Span,
    pub(crate) seen: Seen,
}

/// Lets one call take effect late.
pub(crate) struct Late {
    pub(crate) lateness: Lateness,
    /// Changing calls so far, of all workers.
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) exec: Exec,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) gate: Arc<Gate>,
    /// When the late call was on its way.
    pub(crate) under_way: Arc<Mutex<Option<(Timestamp, Timestamp)>>>,
}

/// The tag of tasks that are no worker's.
pub(crate) const OUTSIDE: u32 = 1000;

#[async_trait]
impl Hand for Late {
    async fn make(&self, inner: &Arc<dyn Act>, call: Call) -> Result<Option<Launched>, Fault> {
        let Lateness { call: late, by, seen } = self.lateness;
        if self.calls.fetch_add(1, Ordering::Relaxed) != late {
            return call.make(&**inner).await;
        }
        let (act, clock, at) = (Arc::clone(inner), Arc::clone(&self.clock), self.clock.now() + by);
        let under_way = Arc::clone(&self.under_way);
        self.exec.spawn(OUTSIDE, async move {
            clock.sleep_until(at).await;
            // Nobody is left to hear the answer.
            let _ = call.make(&*act).await;
            *under_way.lock().unwrap() = Some((at, clock.now()));
        });
        if seen == Seen::Dies {
            self.gate.die();
            return std::future::pending().await;
        }
        Err(Fault::Unclear)
    }
}
