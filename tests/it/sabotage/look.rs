//! Looks that lie: a decorator of core's `Look` for each way to be wrong about the world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use spothub_core::cloud::{Activity, ContainerSeen, InstanceSeen, RunState, TargetState, TemplateFacts};
use spothub_core::fault::Fault;
use spothub_core::group::{Alarm, Extras, GroupView, Lifecycle, Source};
use spothub_core::id::{
    BalancerName, ClusterName, GroupKey, GroupName, InstanceId, ProfileName, RoleArn, Site, TargetGroupArn,
};
use spothub_core::port::{Cause, Clock, Look};
use spothub_core::time::{Span, Timestamp};

/// How to be wrong; the rest is answered as it is.
#[async_trait]
pub(crate) trait Lie: Send + Sync {
    /// DescribeAutoScalingGroups.
    async fn groups(
        &self,
        inner: &dyn Look,
        site: &Site,
        names: Option<&[GroupName]>,
        cause: Cause<'_>,
    ) -> Result<Vec<GroupView>, Fault> {
        inner.groups(site, names, cause).await
    }

    /// What is said of instances, by id or by tag.
    fn instances(&self, _seen: &mut Vec<InstanceSeen>) {}
}

/// A look through a lie.
pub(crate) struct Looks<L> {
    inner: Arc<dyn Look>,
    lie: L,
}

impl<L: Lie + 'static> Looks<L> {
    pub(crate) fn through(lie: L, inner: &Arc<dyn Look>) -> Arc<dyn Look> {
        Arc::new(Self { inner: Arc::clone(inner), lie })
    }
}

#[async_trait]
impl<L: Lie> Look for Looks<L> {
    async fn groups(
        &self,
        site: &Site,
        names: Option<&[GroupName]>,
        cause: Cause<'_>,
    ) -> Result<Vec<GroupView>, Fault> {
        self.lie.groups(&*self.inner, site, names, cause).await
    }

    async fn extras(&self, group: &GroupKey, cause: Cause<'_>) -> Result<Extras, Fault> {
        self.inner.extras(group, cause).await
    }

    async fn alarms(&self, site: &Site, names: &[String], cause: Cause<'_>) -> Result<Vec<Alarm>, Fault> {
        self.inner.alarms(site, names, cause).await
    }

    async fn template(&self, group: &GroupKey, source: &Source, cause: Cause<'_>) -> Result<TemplateFacts, Fault> {
        self.inner.template(group, source, cause).await
    }

    async fn profile(&self, site: &Site, profile: &ProfileName, cause: Cause<'_>) -> Result<Option<RoleArn>, Fault> {
        self.inner.profile(site, profile, cause).await
    }

    async fn instances(&self, site: &Site, ids: &[InstanceId], cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        let mut seen = self.inner.instances(site, ids, cause).await?;
        self.lie.instances(&mut seen);
        Ok(seen)
    }

    async fn managed(&self, site: &Site, cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        let mut seen = self.inner.managed(site, cause).await?;
        self.lie.instances(&mut seen);
        Ok(seen)
    }

    async fn status(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, RunState)>, Fault> {
        self.inner.status(site, ids, cause).await
    }

    async fn marked(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, Timestamp)>, Fault> {
        self.inner.marked(site, ids, cause).await
    }

    async fn target(
        &self,
        site: &Site,
        group: &TargetGroupArn,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        self.inner.target(site, group, id, cause).await
    }

    async fn balancer(
        &self,
        site: &Site,
        name: &BalancerName,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        self.inner.balancer(site, name, id, cause).await
    }

    async fn containers(
        &self,
        site: &Site,
        cluster: &ClusterName,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<ContainerSeen>, Fault> {
        self.inner.containers(site, cluster, ids, cause).await
    }

    async fn activities(&self, group: &GroupKey, since: Timestamp, cause: Cause<'_>) -> Result<Vec<Activity>, Fault> {
        self.inner.activities(group, since, cause).await
    }
}

/// Does not see a tag of groups.
pub(crate) struct WithoutTag(pub(crate) &'static str);

#[async_trait]
impl Lie for WithoutTag {
    async fn groups(
        &self,
        inner: &dyn Look,
        site: &Site,
        names: Option<&[GroupName]>,
        cause: Cause<'_>,
    ) -> Result<Vec<GroupView>, Fault> {
        let mut views = inner.groups(site, names, cause).await?;
        for view in &mut views {
            view.tags.remove(self.0);
        }
        Ok(views)
    }
}

/// Answers from memory for a while, as if it had looked just now.
pub(crate) struct Stale {
    remembered: Mutex<BTreeMap<GroupKey, GroupView>>,
    clock: Arc<dyn Clock>,
    age_max: Span,
}

impl Stale {
    pub(crate) fn new(clock: &Arc<dyn Clock>, age_max: Span) -> Self {
        Self { remembered: Mutex::default(), clock: Arc::clone(clock), age_max }
    }

    fn recall(&self, site: &Site, names: &[GroupName]) -> Option<Vec<GroupView>> {
        let now = self.clock.now();
        let remembered = self.remembered.lock().unwrap();
        let recalled = names.iter().map(|name| {
            let view = remembered.get(&GroupKey { site: site.clone(), name: name.clone() })?;
            (now.since(view.seen_at) < self.age_max).then(|| GroupView { seen_at: now, ..view.clone() })
        });
        recalled.collect()
    }
}

#[async_trait]
impl Lie for Stale {
    async fn groups(
        &self,
        inner: &dyn Look,
        site: &Site,
        names: Option<&[GroupName]>,
        cause: Cause<'_>,
    ) -> Result<Vec<GroupView>, Fault> {
        if let Some(views) = names.and_then(|names| self.recall(site, names)) {
            return Ok(views);
        }
        let views = inner.groups(site, names, cause).await?;
        let mut remembered = self.remembered.lock().unwrap();
        for view in &views {
            remembered.insert(view.key.clone(), view.clone());
        }
        Ok(views)
    }
}

/// Takes every instance for on-demand and none for ours.
pub(crate) struct AllOnDemand;

impl Lie for AllOnDemand {
    fn instances(&self, seen: &mut Vec<InstanceSeen>) {
        for row in seen {
            let facts = Arc::make_mut(&mut row.facts);
            facts.lifecycle = Lifecycle::OnDemand;
        }
    }
}

/// Hears nothing of what carries our tag.
pub(crate) struct NoneOfOurs;

impl Lie for NoneOfOurs {
    fn instances(&self, seen: &mut Vec<InstanceSeen>) {
        seen.retain(|row| row.facts.swap.is_none());
    }
}
