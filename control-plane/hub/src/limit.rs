//! Rate limits: a decorator in front of every call, by account, region and API family, and the start of swaps by group.
//!
//! The buckets of AWS are shared with the customer's own automation, so the shares here are a part of each
//! (aws-facts 7.4). Only `check` is asked; waiting is done on our own clock, and not for long.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use spothub_core::fault::Fault;
use spothub_core::group::{Alarm, Extras, GroupView, Source};
use spothub_core::id::{
    BalancerName, ClusterName, ContainerArn, GroupKey, GroupName, InstanceId, ProfileName, RoleArn, Site,
    TargetGroupArn,
};
use spothub_core::port::{
    Act, Activity, Cause, Clock, ContainerSeen, Decrement, InstanceSeen, Launch, Launched, Look, RunState, TargetState,
    TemplateFacts,
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
    /// The same bucket whole, as rescues may use it; a swap takes its place there, too, so that both keep within it.
    LaunchUrgent,
    /// Other changes.
    Change,
    /// EC2 reads: 100, then 20 a second.
    ReadEc2,
    /// Auto Scaling and load balancer reads; figures unpublished, taken as half of EC2's.
    ReadGroups,
    /// CloudWatch's DescribeAlarms: 9 a second (its service quotas).
    ReadAlarms,
    /// IAM reads, which the whole account shares in all regions; figures unpublished, so few.
    ReadIam,
}

impl Family {
    /// Burst, and milliseconds until one more.
    #[must_use]
    pub const fn quota(self) -> (u32, u64) {
        match self {
            Self::Launch => (2, 2000),
            Self::LaunchUrgent => (5, 500),
            Self::Change => (20, 250),
            Self::ReadEc2 => (40, 100),
            Self::ReadGroups => (30, 125),
            Self::ReadAlarms => (4, 250),
            Self::ReadIam => (2, 500),
        }
    }
}

const FAMILIES: [Family; 7] = [
    Family::Launch,
    Family::LaunchUrgent,
    Family::Change,
    Family::ReadEc2,
    Family::ReadGroups,
    Family::ReadAlarms,
    Family::ReadIam,
];

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

/// How many workers share the API limits. One value for a worker's engine, which hears of the others, and for the
/// limits in front of its calls.
#[derive(Clone, Debug)]
pub struct Shares(Arc<AtomicUsize>);

impl Default for Shares {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(1)))
    }
}

impl Shares {
    /// So many workers live.
    pub(crate) fn set(&self, workers: usize) {
        self.0.store(workers.max(1), Ordering::Relaxed);
    }

    /// How many workers share them.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn get(&self) -> u32 {
        u32::try_from(self.workers()).unwrap_or(u32::MAX)
    }
}

/// How often the share of an account's region and API family was halved after throttling answers, and until when.
#[derive(Clone, Copy, Debug)]
struct Penalty {
    level: u32,
    until: Timestamp,
}

/// The share is halved at most so often: an eighth is what a busy account leaves, and more would stop us for good.
const LEVELS: u32 = 4;
/// So long after the last throttling answer the share doubles again.
const PENALTY_FOR: Span = Span::mins(1);

/// The buckets of each level for one number of workers.
struct Buckets {
    workers: u32,
    levels: Vec<[Arc<Keyed<Site>>; FAMILIES.len()]>,
}

impl Buckets {
    fn new(workers: u32, clock: &Arc<dyn Clock>) -> Self {
        let of = |level: u32| {
            let parts = workers.saturating_mul(1 << level);
            FAMILIES.map(|family| {
                let (burst, refill) = family.quota();
                let refill = Duration::from_millis(refill.saturating_mul(u64::from(parts)));
                Arc::new(keyed((burst / parts).max(1), refill, clock))
            })
        };
        Self { workers, levels: (0..LEVELS).map(of).collect() }
    }
}

/// A cloud with rate limits in front.
pub struct Throttled<C> {
    inner: Arc<C>,
    clock: Arc<dyn Clock>,
    buckets: Mutex<Buckets>,
    penalties: Mutex<BTreeMap<(Site, usize), Penalty>>,
    shares: Shares,
    wait_max: Span,
}

impl<C> Throttled<C> {
    /// Wraps `inner`; a call waits at most `wait_max` for its bucket and is then answered as throttled. The buckets are
    /// divided by the number of workers that `shares` tells.
    #[must_use]
    pub fn new(inner: Arc<C>, clock: Arc<dyn Clock>, wait_max: Span, shares: Shares) -> Self {
        let buckets = Mutex::new(Buckets::new(shares.get(), &clock));
        Self { inner, clock, buckets, penalties: Mutex::default(), shares, wait_max }
    }

    fn bucket(&self, site: &Site, family: Family) -> Arc<Keyed<Site>> {
        let level = self.level(site, family);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let workers = self.shares.get();
        if buckets.workers != workers {
            // Full once more: a burst in an hour in which somebody came or went is within what AWS gives.
            *buckets = Buckets::new(workers, &self.clock);
        }
        Arc::clone(&buckets.levels[level][family as usize])
    }

    /// How often the share is halved now.
    fn level(&self, site: &Site, family: Family) -> usize {
        let now = self.clock.now();
        let mut penalties = self.penalties.lock().unwrap_or_else(PoisonError::into_inner);
        if penalties.is_empty() {
            return 0;
        }
        let key = (site.clone(), family as usize);
        let Some(penalty) = penalties.get_mut(&key) else { return 0 };
        while penalty.level > 0 && penalty.until <= now {
            penalty.level -= 1;
            penalty.until = penalty.until + PENALTY_FOR;
        }
        let level = penalty.level;
        if level == 0 {
            penalties.remove(&key);
        }
        level as usize
    }

    async fn pass(&self, site: &Site, family: Family) -> Result<(), Fault> {
        let bucket = self.bucket(site, family);
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

    /// Takes note of an answer: who is throttled takes half of what it took.
    fn heard<T>(&self, site: &Site, family: Family, answer: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(Fault::Throttled { .. }) = &answer {
            let until = self.clock.now() + PENALTY_FOR;
            let mut penalties = self.penalties.lock().unwrap_or_else(PoisonError::into_inner);
            let penalty = penalties.entry((site.clone(), family as usize)).or_insert(Penalty { level: 0, until });
            *penalty = Penalty { level: (penalty.level + 1).min(LEVELS - 1), until };
        }
        answer
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
        self.heard(site, Family::ReadGroups, self.inner.groups(site, names, cause).await)
    }

    async fn extras(&self, group: &GroupKey, cause: Cause<'_>) -> Result<Extras, Fault> {
        self.pass(&group.site, Family::ReadGroups).await?;
        self.pass(&group.site, Family::ReadGroups).await?;
        self.heard(&group.site, Family::ReadGroups, self.inner.extras(group, cause).await)
    }

    async fn alarms(&self, site: &Site, names: &[String], cause: Cause<'_>) -> Result<Vec<Alarm>, Fault> {
        self.pass(site, Family::ReadAlarms).await?;
        self.heard(site, Family::ReadAlarms, self.inner.alarms(site, names, cause).await)
    }

    async fn template(&self, group: &GroupKey, source: &Source, cause: Cause<'_>) -> Result<TemplateFacts, Fault> {
        self.pass(&group.site, Family::ReadEc2).await?;
        self.pass(&group.site, Family::ReadEc2).await?;
        self.heard(&group.site, Family::ReadEc2, self.inner.template(group, source, cause).await)
    }

    async fn profile(&self, site: &Site, profile: &ProfileName, cause: Cause<'_>) -> Result<Option<RoleArn>, Fault> {
        self.pass(site, Family::ReadIam).await?;
        self.heard(site, Family::ReadIam, self.inner.profile(site, profile, cause).await)
    }

    async fn instances(&self, site: &Site, ids: &[InstanceId], cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        self.pass(site, Family::ReadEc2).await?;
        self.heard(site, Family::ReadEc2, self.inner.instances(site, ids, cause).await)
    }

    async fn managed(&self, site: &Site, cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        self.pass(site, Family::ReadEc2).await?;
        self.heard(site, Family::ReadEc2, self.inner.managed(site, cause).await)
    }

    async fn status(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, RunState)>, Fault> {
        self.pass(site, Family::ReadEc2).await?;
        self.heard(site, Family::ReadEc2, self.inner.status(site, ids, cause).await)
    }

    async fn marked(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, Timestamp)>, Fault> {
        self.pass(site, Family::ReadEc2).await?;
        self.heard(site, Family::ReadEc2, self.inner.marked(site, ids, cause).await)
    }

    async fn target(
        &self,
        site: &Site,
        group: &TargetGroupArn,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        self.pass(site, Family::ReadGroups).await?;
        self.heard(site, Family::ReadGroups, self.inner.target(site, group, id, cause).await)
    }

    async fn balancer(
        &self,
        site: &Site,
        name: &BalancerName,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        self.pass(site, Family::ReadGroups).await?;
        self.heard(site, Family::ReadGroups, self.inner.balancer(site, name, id, cause).await)
    }

    async fn containers(
        &self,
        site: &Site,
        cluster: &ClusterName,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<ContainerSeen>, Fault> {
        self.pass(site, Family::ReadGroups).await?;
        self.heard(site, Family::ReadGroups, self.inner.containers(site, cluster, ids, cause).await)
    }

    async fn activities(&self, group: &GroupKey, since: Timestamp, cause: Cause<'_>) -> Result<Vec<Activity>, Fault> {
        self.pass(&group.site, Family::ReadGroups).await?;
        self.heard(&group.site, Family::ReadGroups, self.inner.activities(group, since, cause).await)
    }
}

/// The family of a launch made for this.
fn launches(cause: Cause<'_>) -> Family {
    if cause.urgent { Family::LaunchUrgent } else { Family::Launch }
}

#[async_trait]
impl<C: Act> Act for Throttled<C> {
    async fn admit(&self, site: &Site, cause: Cause<'_>) -> Result<(), Fault> {
        if !cause.urgent {
            self.pass(site, Family::Launch).await?;
        }
        self.pass(site, Family::LaunchUrgent).await?;
        self.inner.admit(site, cause).await
    }

    /// Its place was taken by [`Act::admit`].
    async fn launch(&self, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
        self.heard(&launch.group.site, launches(cause), self.inner.launch(launch, cause).await)
    }

    async fn terminate(&self, site: &Site, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        self.pass(site, Family::Change).await?;
        self.heard(site, Family::Change, self.inner.terminate(site, id, cause).await)
    }

    async fn set_max(&self, group: &GroupKey, max: u32, cause: Cause<'_>) -> Result<(), Fault> {
        self.pass(&group.site, Family::Change).await?;
        self.heard(&group.site, Family::Change, self.inner.set_max(group, max, cause).await)
    }

    async fn attach(&self, group: &GroupKey, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        self.pass(&group.site, Family::Change).await?;
        self.heard(&group.site, Family::Change, self.inner.attach(group, id, cause).await)
    }

    async fn retire(
        &self,
        group: &GroupKey,
        id: &InstanceId,
        decrement: Decrement,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        self.pass(&group.site, Family::Change).await?;
        self.heard(&group.site, Family::Change, self.inner.retire(group, id, decrement, cause).await)
    }

    async fn drain(
        &self,
        group: &GroupKey,
        cluster: &ClusterName,
        container: &ContainerArn,
        drains: bool,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        self.pass(&group.site, Family::Change).await?;
        self.heard(&group.site, Family::Change, self.inner.drain(group, cluster, container, drains, cause).await)
    }
}
