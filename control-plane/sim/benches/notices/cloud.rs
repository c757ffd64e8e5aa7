//! The organization as prepared answers, each a round trip away; the store likewise; and when each instance that is to
//! be taken was first acted on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use spothub_core::fault::Fault;
use spothub_core::group::{Alarm, Extras, GroupView, Source};
use spothub_core::id::{
    AccountId, BalancerName, ClusterName, ContainerArn, GroupKey, GroupName, InstanceId, ProfileName, Region, RoleArn,
    Site, TargetGroupArn,
};
use spothub_core::market::{Pool, Quotes};
use spothub_core::money::UsdPerHour;
use spothub_core::port::{
    Account, Act, Activity, Cause, Clock, ContainerSeen, Decrement, Directory, InstanceSeen, Launch, Launched, Look,
    Page, Prices, Put, RunState, Store, StoreError, Stored, TargetState, TemplateFacts,
};
use spothub_core::time::Timestamp;
use spothub_store::Sqlite;
use tokio::sync::Notify;

use crate::ROUND_TRIP;
use crate::wall::{Wall, elapsed, pause};

/// What AWS gives an account in a region of RunInstances: so many at once, and the time until one more.
const LAUNCHES: (f64, f64) = (5.0, 0.5);

/// Where the numbers of our newcomers begin: far from those of the prepared instances.
const NEWCOMERS: u128 = 1 << 60;

/// Locks, also after a panic elsewhere.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything that can be asked for, read beforehand.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) accounts: Vec<Account>,
    pub(crate) groups: BTreeMap<Site, BTreeMap<GroupName, GroupView>>,
    pub(crate) templates: BTreeMap<GroupKey, TemplateFacts>,
    pub(crate) instances: BTreeMap<Site, BTreeMap<InstanceId, InstanceSeen>>,
    pub(crate) quotes: BTreeMap<Region, Quotes>,
}

/// What was done, by all workers.
#[derive(Default)]
pub(crate) struct Done {
    /// The first changing call for each instance.
    first: Mutex<BTreeMap<InstanceId, Duration>>,
    /// Tokens of each site's bucket of launches, and when they were counted.
    launches: Mutex<BTreeMap<Site, (f64, Duration)>>,
    numbers: Mutex<(u128, usize)>,
    acted: Notify,
}

impl Done {
    /// The first changing call for each instance.
    pub(crate) fn first(&self) -> BTreeMap<InstanceId, Duration> {
        lock(&self.first).clone()
    }

    /// Launches that AWS would have throttled.
    pub(crate) fn throttled(&self) -> usize {
        lock(&self.numbers).1
    }

    /// Waits until so many instances were acted on, for so long at most.
    pub(crate) async fn wait_for(&self, count: usize, at_most: Duration) {
        let give_up = elapsed() + at_most;
        while lock(&self.first).len() < count && elapsed() < give_up {
            let acted = self.acted.notified();
            tokio::select! {
                biased;
                () = acted => {}
                () = pause(ROUND_TRIP) => {}
            }
        }
    }

    fn acts_on(&self, id: &InstanceId) {
        lock(&self.first).entry(id.clone()).or_insert_with(elapsed);
        self.acted.notify_waiters();
    }

    fn launches(&self, site: &Site) -> Option<InstanceId> {
        let (now, (burst, refill)) = (elapsed(), LAUNCHES);
        let mut buckets = lock(&self.launches);
        let (tokens, at) = buckets.entry(site.clone()).or_insert((burst, now));
        *tokens = (*tokens + now.saturating_sub(*at).as_secs_f64() / refill).min(burst);
        *at = now;
        let mut numbers = lock(&self.numbers);
        if *tokens < 1.0 {
            numbers.1 += 1;
            return None;
        }
        *tokens -= 1.0;
        numbers.0 += 1;
        Some(InstanceId::from_number(NEWCOMERS + numbers.0))
    }
}

/// One worker's way to the organization: its first call into an account costs a session besides.
pub(crate) struct Cloud {
    pub(crate) answers: Arc<Answers>,
    pub(crate) done: Arc<Done>,
    pub(crate) sessions: Mutex<BTreeSet<AccountId>>,
}

impl Cloud {
    async fn trip(&self, site: &Site) {
        if lock(&self.sessions).insert(site.account) {
            pause(ROUND_TRIP).await;
        }
        pause(ROUND_TRIP).await;
    }
}

#[async_trait]
impl Look for Cloud {
    async fn groups(&self, site: &Site, names: Option<&[GroupName]>, _: Cause<'_>) -> Result<Vec<GroupView>, Fault> {
        self.trip(site).await;
        let seen_at = Wall.now();
        let Some(all) = self.answers.groups.get(site) else { return Ok(Vec::new()) };
        let now = |view: &GroupView| GroupView { seen_at, ..view.clone() };
        Ok(match names {
            Some(names) => names.iter().filter_map(|name| all.get(name)).map(now).collect(),
            None => all.values().map(now).collect(),
        })
    }

    async fn extras(&self, group: &GroupKey, _: Cause<'_>) -> Result<Extras, Fault> {
        self.trip(&group.site).await;
        Ok(Extras::default())
    }

    async fn alarms(&self, site: &Site, _: &[String], _: Cause<'_>) -> Result<Vec<Alarm>, Fault> {
        self.trip(site).await;
        Ok(Vec::new())
    }

    async fn template(&self, group: &GroupKey, _: &Source, _: Cause<'_>) -> Result<TemplateFacts, Fault> {
        self.trip(&group.site).await;
        self.answers.templates.get(group).cloned().ok_or(Fault::Gone)
    }

    async fn profile(&self, site: &Site, _: &ProfileName, _: Cause<'_>) -> Result<Option<RoleArn>, Fault> {
        self.trip(site).await;
        Ok(None)
    }

    async fn instances(&self, site: &Site, ids: &[InstanceId], _: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        self.trip(site).await;
        let Some(all) = self.answers.instances.get(site) else { return Ok(Vec::new()) };
        Ok(ids.iter().filter_map(|id| all.get(id)).cloned().collect())
    }

    async fn managed(&self, site: &Site, _: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        self.trip(site).await;
        Ok(Vec::new())
    }

    /// Nobody boots within the time that is measured.
    async fn status(
        &self,
        site: &Site,
        ids: &[InstanceId],
        _: Cause<'_>,
    ) -> Result<Vec<(InstanceId, RunState)>, Fault> {
        self.trip(site).await;
        Ok(ids.iter().map(|id| (id.clone(), RunState::Pending)).collect())
    }

    async fn marked(&self, site: &Site, _: &[InstanceId], _: Cause<'_>) -> Result<Vec<(InstanceId, Timestamp)>, Fault> {
        self.trip(site).await;
        Ok(Vec::new())
    }

    async fn target(
        &self,
        site: &Site,
        _: &TargetGroupArn,
        _: &InstanceId,
        _: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        self.trip(site).await;
        Ok(TargetState::NotHealthy)
    }

    async fn balancer(
        &self,
        site: &Site,
        _: &BalancerName,
        _: &InstanceId,
        _: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        self.trip(site).await;
        Ok(TargetState::NotHealthy)
    }

    async fn containers(
        &self,
        site: &Site,
        _: &ClusterName,
        _: &[InstanceId],
        _: Cause<'_>,
    ) -> Result<Vec<ContainerSeen>, Fault> {
        self.trip(site).await;
        Ok(Vec::new())
    }

    async fn activities(&self, group: &GroupKey, _: Timestamp, _: Cause<'_>) -> Result<Vec<Activity>, Fault> {
        self.trip(&group.site).await;
        Ok(Vec::new())
    }
}

#[async_trait]
impl Act for Cloud {
    async fn admit(&self, _: &Site, _: Cause<'_>) -> Result<(), Fault> {
        Ok(())
    }

    async fn launch(&self, launch: &Launch<'_>, _: Cause<'_>) -> Result<Launched, Fault> {
        self.done.acts_on(launch.replaces);
        let id = self.done.launches(&launch.group.site);
        self.trip(&launch.group.site).await;
        let id = id.ok_or(Fault::Throttled { after: None })?;
        let pool = launch.pools.first().ok_or(Fault::Invalid("no pool"))?;
        Ok(Launched { id, kind: pool.kind, refused: Vec::new() })
    }

    async fn terminate(&self, site: &Site, id: &InstanceId, _: Cause<'_>) -> Result<(), Fault> {
        self.done.acts_on(id);
        self.trip(site).await;
        Ok(())
    }

    async fn set_max(&self, group: &GroupKey, _: u32, _: Cause<'_>) -> Result<(), Fault> {
        self.trip(&group.site).await;
        Ok(())
    }

    async fn attach(&self, group: &GroupKey, _: &InstanceId, _: Cause<'_>) -> Result<(), Fault> {
        self.trip(&group.site).await;
        Ok(())
    }

    async fn drain(
        &self,
        group: &GroupKey,
        _: &ClusterName,
        _: &ContainerArn,
        _: bool,
        _: Cause<'_>,
    ) -> Result<(), Fault> {
        self.trip(&group.site).await;
        Err(Fault::Gone)
    }

    async fn retire(&self, group: &GroupKey, id: &InstanceId, _: Decrement, _: Cause<'_>) -> Result<(), Fault> {
        self.done.acts_on(id);
        self.trip(&group.site).await;
        Ok(())
    }
}

#[async_trait]
impl Prices for Cloud {
    async fn spot(&self, region: &Region) -> Result<Quotes, Fault> {
        pause(ROUND_TRIP).await;
        let mut quotes = self.answers.quotes.get(region).cloned().ok_or(Fault::Broken)?;
        quotes.as_of = Wall.now();
        Ok(quotes)
    }

    async fn history(
        &self,
        _: &Pool,
        _: &Region,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<(Timestamp, UsdPerHour)>, Fault> {
        pause(ROUND_TRIP).await;
        Ok(Vec::new())
    }
}

#[async_trait]
impl Directory for Cloud {
    async fn accounts(&self) -> Result<Vec<Account>, Fault> {
        pause(ROUND_TRIP).await;
        Ok(self.answers.accounts.clone())
    }
}

/// The embedded store in memory, a round trip away.
pub(crate) struct Distant(pub(crate) Sqlite);

#[async_trait]
impl Store for Distant {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        pause(ROUND_TRIP).await;
        self.0.get(key).await
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        pause(ROUND_TRIP).await;
        self.0.query(prefix, after, limit).await
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        pause(ROUND_TRIP).await;
        self.0.write(puts).await
    }
}
