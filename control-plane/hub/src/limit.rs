//! Rate limits: a decorator in front of every call, by account, region and API family, and the start of swaps by group.
//!
//! The buckets of AWS are shared with the customer's own automation, so the shares here are a part of each
//! (aws-facts 7.4). Only `check` is asked; waiting is done on our own clock, and not for long.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use spothub_core::fault::Fault;
use spothub_core::group::{Extras, GroupView, Source};
use spothub_core::id::{GroupKey, GroupName, InstanceId, Site, TargetGroupArn};
use spothub_core::port::{
    Act, Activity, Cause, Clock, Decrement, InstanceSeen, Launch, Launched, Look, RunState, TargetState, TemplateFacts,
};
use spothub_core::time::{Span, Timestamp};

/// Our clock as governor asks for it.
#[derive(Clone)]
pub struct Ticks(Arc<dyn Clock>);

impl GovernorClock for Ticks {
    type Instant = Duration;
    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now().0).unwrap_or(0))
    }
}

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, Ticks, NoOpMiddleware<Duration>>;

/// API families that share a bucket in AWS.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Family {
    /// RunInstances and CreateFleet: 5, then 2 a second. Swaps take one every two seconds.
    Launch,
    /// The same calls for rescues, which may use the whole bucket.
    LaunchUrgent,
    /// Other changes.
    Change,
    /// EC2 reads: 100, then 20 a second.
    ReadEc2,
    /// Auto Scaling and load balancer reads; figures unpublished, taken as half of EC2's.
    ReadGroups,
}

impl Family {
    /// Burst, and milliseconds until one more.
    #[must_use]
    pub const fn quota(self) -> (u32, u64) {
        match self {
            Self::Launch => (2, 2000),
            Self::LaunchUrgent => (4, 600),
            Self::Change => (20, 250),
            Self::ReadEc2 => (40, 100),
            Self::ReadGroups => (30, 125),
        }
    }
}

const FAMILIES: [Family; 5] =
    [Family::Launch, Family::LaunchUrgent, Family::Change, Family::ReadEc2, Family::ReadGroups];

fn keyed<K: std::hash::Hash + Eq + Clone>(burst: u32, refill: Duration, clock: &Arc<dyn Clock>) -> Keyed<K> {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(refill).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
    RateLimiter::hashmap_with_clock(quota, Ticks(Arc::clone(clock)))
}

/// The governor in front of the interval between swaps of a group, which differs by policy and is kept in the store.
pub struct Starts(Keyed<GroupKey>);

/// The least time between the starts of two swaps of a group, whatever policy says; the settings may ask for more.
pub const START_INTERVAL_MIN: Span = Span::secs(15);

impl Starts {
    pub(crate) fn new(interval: Span, clock: &Arc<dyn Clock>) -> Self {
        Self(keyed(1, Duration::from_millis(u64::try_from(interval.0).unwrap_or(0)), clock))
    }

    /// Whether a swap of this group may begin; taking the place if so.
    pub(crate) fn begin(&self, group: &GroupKey) -> bool {
        // Past entries say nothing any more; without this the table would only grow.
        if self.0.len() > 4096 {
            self.0.retain_recent();
        }
        self.0.check_key(group).is_ok()
    }
}

/// A cloud with rate limits in front.
pub struct Throttled<C> {
    inner: Arc<C>,
    clock: Arc<dyn Clock>,
    buckets: [Keyed<Site>; FAMILIES.len()],
    wait_max: Span,
}

impl<C> Throttled<C> {
    /// Wraps `inner`; a call waits at most `wait_max` for its bucket and is then answered as throttled.
    #[must_use]
    pub fn new(inner: Arc<C>, clock: Arc<dyn Clock>, wait_max: Span) -> Self {
        let bucket = |family: Family| {
            let (burst, refill) = family.quota();
            keyed(burst, Duration::from_millis(refill), &clock)
        };
        let buckets = FAMILIES.map(bucket);
        Self { inner, clock, buckets, wait_max }
    }

    async fn pass(&self, site: &Site, family: Family) -> Result<(), Fault> {
        let bucket = &self.buckets[family as usize];
        let give_up = self.clock.now() + self.wait_max;
        loop {
            let Err(not_until) = bucket.check_key(site) else { return Ok(()) };
            let now = Ticks(Arc::clone(&self.clock)).now();
            let wait = not_until.earliest_possible().duration_since(now).as_u64().div_ceil(1_000_000).max(1);
            let at = self.clock.now() + Span::millis(i64::try_from(wait).unwrap_or(i64::MAX));
            if at > give_up {
                return Err(Fault::Throttled { after: Some(at.since(self.clock.now())) });
            }
            self.clock.sleep_until(at).await;
        }
    }
}

#[async_trait]
impl<C: Look> Look for Throttled<C> {
    async fn groups(
        &self,
        site: &Site,
        names: Option<&[GroupName]>,
        cause: Cause<'_>,
    ) -> Result<Vec<GroupView>, Fault> {
        self.pass(site, Family::ReadGroups).await?;
        self.inner.groups(site, names, cause).await
    }

    async fn extras(&self, group: &GroupKey, cause: Cause<'_>) -> Result<Extras, Fault> {
        self.pass(&group.site, Family::ReadGroups).await?;
        self.pass(&group.site, Family::ReadGroups).await?;
        self.inner.extras(group, cause).await
    }

    async fn template(&self, group: &GroupKey, source: &Source, cause: Cause<'_>) -> Result<TemplateFacts, Fault> {
        self.pass(&group.site, Family::ReadEc2).await?;
        self.pass(&group.site, Family::ReadEc2).await?;
        self.inner.template(group, source, cause).await
    }

    async fn instances(&self, site: &Site, ids: &[InstanceId], cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        self.pass(site, Family::ReadEc2).await?;
        self.inner.instances(site, ids, cause).await
    }

    async fn managed(&self, site: &Site, cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        self.pass(site, Family::ReadEc2).await?;
        self.inner.managed(site, cause).await
    }

    async fn status(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, RunState)>, Fault> {
        self.pass(site, Family::ReadEc2).await?;
        self.inner.status(site, ids, cause).await
    }

    async fn target(
        &self,
        site: &Site,
        group: &TargetGroupArn,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        self.pass(site, Family::ReadGroups).await?;
        self.inner.target(site, group, id, cause).await
    }

    async fn activities(&self, group: &GroupKey, since: Timestamp, cause: Cause<'_>) -> Result<Vec<Activity>, Fault> {
        self.pass(&group.site, Family::ReadGroups).await?;
        self.inner.activities(group, since, cause).await
    }
}

#[async_trait]
impl<C: Act> Act for Throttled<C> {
    async fn launch(&self, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
        let family = if cause.urgent { Family::LaunchUrgent } else { Family::Launch };
        self.pass(&launch.group.site, family).await?;
        self.inner.launch(launch, cause).await
    }

    async fn terminate(&self, site: &Site, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        self.pass(site, Family::Change).await?;
        self.inner.terminate(site, id, cause).await
    }

    async fn set_max(&self, group: &GroupKey, max: u32, cause: Cause<'_>) -> Result<(), Fault> {
        self.pass(&group.site, Family::Change).await?;
        self.inner.set_max(group, max, cause).await
    }

    async fn attach(&self, group: &GroupKey, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        self.pass(&group.site, Family::Change).await?;
        self.inner.attach(group, id, cause).await
    }

    async fn retire(
        &self,
        group: &GroupKey,
        id: &InstanceId,
        decrement: Decrement,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        self.pass(&group.site, Family::Change).await?;
        self.inner.retire(group, id, decrement, cause).await
    }
}
