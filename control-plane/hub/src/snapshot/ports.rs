//! A snapshot as the engine asks it: the same answers as were given then, at the time of then.

use std::sync::Arc;

use async_trait::async_trait;
use spothub_core::fault::Fault;
use spothub_core::group::{Alarm, Extras, GroupView, Source};
use spothub_core::id::{
    BalancerName, ClusterName, GroupKey, GroupName, InstanceId, ProfileName, Region, RoleArn, Site, TargetGroupArn,
};
use spothub_core::market::{Pool, Quotes};
use spothub_core::money::UsdPerHour;
use spothub_core::port::{
    Account, Activity, Cause, Clock, ContainerSeen, Directory, InstanceSeen, Look, Prices, RunState, TargetState,
    TemplateFacts,
};
use spothub_core::time::Timestamp;

use super::{Recorded, Snapshot};
use crate::engine::Ports;
use crate::survey::{Asked, Blank, reading};

/// Answered where a snapshot has nothing to say.
const NOT_HELD: Fault = Fault::Invalid("a snapshot does not hold this");
/// Answered for what could not be read when the snapshot was taken.
const NOT_SEEN: Fault = Fault::Unreachable("it could not be read when the snapshot was recorded");

/// A clock that stands still; waiting takes no time.
#[derive(Clone, Copy, Debug)]
pub struct Still(pub Timestamp);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }

    async fn sleep_until(&self, _until: Timestamp) {}
}

impl Snapshot {
    /// Ports that answer from this snapshot, at its time.
    #[must_use]
    pub fn ports(self: Arc<Self>) -> Ports {
        let kept = Blank::holding(self.groups.iter().filter_map(|g| Some((&g.view.key, g.record.as_ref()?))));
        let clock = Arc::new(Still(self.taken_at));
        reading(self.clone(), self.clone(), self, clock, kept)
    }

    fn group(&self, key: &GroupKey) -> Option<&Recorded> {
        let at = self.groups.binary_search_by(|group| group.view.key.cmp(key)).ok()?;
        self.groups.get(at)
    }

    /// The groups of a site, which stand together.
    fn site(&self, site: &Site) -> &[Recorded] {
        let first = self.groups.partition_point(|group| group.view.key.site < *site);
        let rest = &self.groups[first..];
        &rest[..rest.partition_point(|group| group.view.key.site == *site)]
    }

    fn members<'a>(&'a self, site: &Site) -> impl Iterator<Item = InstanceSeen> + use<'a> {
        self.site(site).iter().flat_map(|group| &group.view.members).filter_map(|member| {
            Some(InstanceSeen {
                id: member.id.clone(),
                kind: member.kind,
                az: member.az.clone(),
                state: RunState::Running,
                ended_at: None,
                facts: member.facts.clone()?,
                group: None,
            })
        })
    }
}

#[async_trait]
impl Look for Snapshot {
    async fn groups(
        &self,
        site: &Site,
        names: Option<&[GroupName]>,
        _cause: Cause<'_>,
    ) -> Result<Vec<GroupView>, Fault> {
        let unseen = |m: &&crate::survey::Missed| {
            m.what == Asked::Groups && m.account == Some(site.account) && m.region == site.region
        };
        if self.missed.iter().find(unseen).is_some() {
            return Err(NOT_SEEN);
        }
        let wanted = |view: &GroupView| names.is_none_or(|names| names.contains(&view.key.name));
        let mut views: Vec<GroupView> =
            self.site(site).iter().map(|group| &group.view).filter(|view| wanted(view)).cloned().collect();
        for view in &mut views {
            view.extras = None;
            for member in &mut view.members {
                member.facts = None;
            }
        }
        Ok(views)
    }

    async fn extras(&self, group: &GroupKey, _cause: Cause<'_>) -> Result<Extras, Fault> {
        self.group(group).and_then(|group| group.view.extras.clone()).ok_or(NOT_SEEN)
    }

    async fn alarms(&self, site: &Site, names: &[String], _cause: Cause<'_>) -> Result<Vec<Alarm>, Fault> {
        let seen = self.site(site).iter().filter_map(|group| group.view.extras.as_ref());
        let all = seen.flat_map(|extras| &extras.alarms).filter(|alarm| names.contains(&alarm.name));
        Ok(all.cloned().collect())
    }

    async fn template(&self, group: &GroupKey, _source: &Source, _cause: Cause<'_>) -> Result<TemplateFacts, Fault> {
        self.group(group).and_then(|group| group.template.clone()).ok_or(NOT_SEEN)
    }

    async fn profile(&self, _: &Site, _: &ProfileName, _cause: Cause<'_>) -> Result<Option<RoleArn>, Fault> {
        Err(NOT_HELD)
    }

    async fn instances(&self, site: &Site, ids: &[InstanceId], _cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        let mut wanted: Vec<&InstanceId> = ids.iter().collect();
        wanted.sort_unstable();
        Ok(self.members(site).filter(|row| wanted.binary_search(&&row.id).is_ok()).collect())
    }

    async fn managed(&self, site: &Site, _cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        Ok(self.members(site).filter(|row| row.facts.swap.is_some()).collect())
    }

    async fn status(
        &self,
        _site: &Site,
        _ids: &[InstanceId],
        _cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, RunState)>, Fault> {
        Err(NOT_HELD)
    }

    async fn marked(
        &self,
        _site: &Site,
        _ids: &[InstanceId],
        _cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, Timestamp)>, Fault> {
        Err(NOT_HELD)
    }

    async fn target(
        &self,
        _site: &Site,
        _group: &TargetGroupArn,
        _id: &InstanceId,
        _cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        Err(NOT_HELD)
    }

    async fn balancer(
        &self,
        _site: &Site,
        _name: &BalancerName,
        _id: &InstanceId,
        _cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        Err(NOT_HELD)
    }

    async fn containers(
        &self,
        _site: &Site,
        _cluster: &ClusterName,
        _ids: &[InstanceId],
        _cause: Cause<'_>,
    ) -> Result<Vec<ContainerSeen>, Fault> {
        Err(NOT_HELD)
    }

    async fn activities(
        &self,
        _group: &GroupKey,
        _since: Timestamp,
        _cause: Cause<'_>,
    ) -> Result<Vec<Activity>, Fault> {
        Err(NOT_HELD)
    }
}

#[async_trait]
impl Prices for Snapshot {
    async fn spot(&self, region: &Region) -> Result<Quotes, Fault> {
        self.quotes.get(region).map(|quotes| Quotes::clone(quotes)).ok_or(NOT_SEEN)
    }

    async fn history(
        &self,
        _pool: &Pool,
        _region: &Region,
        _from: Timestamp,
        _to: Timestamp,
    ) -> Result<Vec<(Timestamp, UsdPerHour)>, Fault> {
        Err(NOT_HELD)
    }
}

#[async_trait]
impl Directory for Snapshot {
    async fn accounts(&self) -> Result<Vec<Account>, Fault> {
        Ok(self.accounts.clone())
    }
}
