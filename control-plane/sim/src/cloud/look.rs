//! Reads of a member account.

use async_trait::async_trait;
use spothub_core::fault::Fault;
use spothub_core::group::{Alarm, Extras, GroupView, Source};
use spothub_core::id::{
    BalancerName, ClusterName, GroupKey, GroupName, InstanceId, ProfileName, RoleArn, Site, TargetGroupArn,
};
use spothub_core::port::{Activity, Cause, ContainerSeen, InstanceSeen, Look, RunState, TargetState, TemplateFacts};
use spothub_core::time::Timestamp;

use super::{Ask, Family, SimCloud, none};

/// Groups that one answer of DescribeAutoScalingGroups holds.
const PAGE: usize = 100;

#[async_trait]
impl Look for SimCloud {
    async fn groups(
        &self,
        site: &Site,
        names: Option<&[GroupName]>,
        cause: Cause<'_>,
    ) -> Result<Vec<GroupView>, Fault> {
        let all = match names {
            Some(names) => names.to_vec(),
            None => self.world.lock().group_names(site),
        };
        let mut views = Vec::with_capacity(all.len());
        let mut pages = all.chunks(PAGE).collect::<Vec<_>>();
        if pages.is_empty() {
            pages.push(&[]);
        }
        for page in pages {
            let ask = Ask::read(site, "autoscaling:DescribeAutoScalingGroups", Family::AsgRead, cause);
            let ask = Ask { names: if names.is_some() { page } else { &[] }, ..ask };
            views.extend(self.send(ask, |world| Ok(world.views(site, page)), none).await?);
        }
        Ok(views)
    }

    async fn extras(&self, group: &GroupKey, cause: Cause<'_>) -> Result<Extras, Fault> {
        let hooks =
            Ask::read(&group.site, "autoscaling:DescribeLifecycleHooks", Family::AsgRead, cause).of_group(group);
        let first = self.send(hooks, |world| world.extras(group), none).await?;
        let refreshes =
            Ask::read(&group.site, "autoscaling:DescribeInstanceRefreshes", Family::AsgRead, cause).of_group(group);
        let second = self.send(refreshes, |world| world.extras(group), none).await?;
        Ok(Extras { refresh_active: second.refresh_active, ..first })
    }

    async fn alarms(&self, site: &Site, names: &[String], cause: Cause<'_>) -> Result<Vec<Alarm>, Fault> {
        let ask = Ask::read(site, "cloudwatch:DescribeAlarms", Family::AsgRead, cause);
        self.send(ask, |world| Ok(world.alarms(site, names)), none).await
    }

    async fn template(&self, group: &GroupKey, source: &Source, cause: Cause<'_>) -> Result<TemplateFacts, Fault> {
        let (action, family) = match source {
            Source::Configuration(_) => ("autoscaling:DescribeLaunchConfigurations", Family::AsgRead),
            Source::Template { .. } | Source::Mixed => ("ec2:DescribeLaunchTemplateVersions", Family::Ec2Read),
        };
        let ask = Ask::read(&group.site, action, family, cause).of_group(group);
        let facts = self.send(ask, |world| world.template(group, source), none).await?;
        let version = match &facts.source {
            Source::Template { version, .. } => version.unwrap_or(0),
            Source::Configuration(name) => name.as_str().bytes().fold(0, |n, b| n * 31 % 1_000_003 + u64::from(b)),
            Source::Mixed => 0,
        };
        if self.is_new_image(group, version) {
            let ask = Ask::read(&group.site, "ec2:DescribeImages", Family::Ec2Read, cause).of_group(group);
            let read = self.send(ask, |_| Ok(()), none).await;
            if let Err(fault) = read {
                self.forget_image(group, version);
                return Err(fault);
            }
        }
        Ok(facts)
    }

    async fn profile(&self, site: &Site, profile: &ProfileName, cause: Cause<'_>) -> Result<Option<RoleArn>, Fault> {
        let ask = Ask::read(site, "iam:GetInstanceProfile", Family::Iam, cause);
        self.send(ask, |world| world.profile(site.account, profile), none).await
    }

    async fn instances(&self, site: &Site, ids: &[InstanceId], cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        let ask = Ask::read(site, "ec2:DescribeInstances", Family::Ec2Read, cause);
        self.send(ask, |world| Ok(world.instances_seen(site, ids)), none).await
    }

    async fn managed(&self, site: &Site, cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault> {
        let ask = Ask::read(site, "ec2:DescribeInstances", Family::Ec2Read, cause);
        self.send(ask, |world| Ok(world.managed(site)), none).await
    }

    async fn status(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, RunState)>, Fault> {
        let ask = Ask::read(site, "ec2:DescribeInstanceStatus", Family::Ec2Read, cause);
        self.send(ask, |world| Ok(world.statuses(site, ids)), none).await
    }

    async fn marked(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, Timestamp)>, Fault> {
        let ask = Ask::read(site, "ec2:DescribeSpotInstanceRequests", Family::Ec2Read, cause);
        self.send(ask, |world| Ok(world.marked(site, ids)), none).await
    }

    async fn target(
        &self,
        site: &Site,
        group: &TargetGroupArn,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        let ask = Ask::read(site, "elasticloadbalancing:DescribeTargetHealth", Family::Elb, cause);
        self.send(ask, |world| Ok(world.target(site, group, id)), none).await
    }

    async fn balancer(
        &self,
        site: &Site,
        name: &BalancerName,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault> {
        let ask = Ask::read(site, "elasticloadbalancing:DescribeInstanceHealth", Family::Elb, cause).with(id);
        self.send(ask, |world| Ok(world.balancer(site, name, id)), none).await
    }

    async fn containers(
        &self,
        site: &Site,
        cluster: &ClusterName,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<ContainerSeen>, Fault> {
        let ask = Ask::read(site, "ecs:ListContainerInstances", Family::Elb, cause);
        let found = self.send(ask, |world| world.containers(site, cluster, ids), none).await?;
        if found.is_empty() {
            return Ok(found);
        }
        let ask = Ask::read(site, "ecs:DescribeContainerInstances", Family::Elb, cause);
        self.send(ask, |world| world.containers(site, cluster, ids), none).await
    }

    async fn activities(&self, group: &GroupKey, since: Timestamp, cause: Cause<'_>) -> Result<Vec<Activity>, Fault> {
        let ask =
            Ask::read(&group.site, "autoscaling:DescribeScalingActivities", Family::AsgRead, cause).of_group(group);
        self.send(ask, |world| world.activities(group, since), none).await
    }
}
