//! ECS clusters that groups serve: container instances, the tasks on them, and what draining does.

use spothub_core::fault::Fault;
use spothub_core::id::{ClusterName, ContainerArn, GroupKey, InstanceId, Site};
use spothub_core::port::{ContainerSeen, ContainerState};
use spothub_core::time::{Span, Timestamp};

use super::arena::{Inst, Instance, Phase};
use super::{Group, World};
use crate::record::{ContainerChange, ContainerLine, Ended, What};
use crate::shape::EcsShape;

/// Owners' tag that names a group's cluster.
pub(super) const TAG_CLUSTER: &str = "spothub:ecs-cluster";

/// What an instance is in its group's cluster.
#[derive(Clone, Debug)]
pub struct Container {
    /// Registered, with its agent connected, from then on.
    pub(crate) registered: Timestamp,
    /// When each of its tasks ends; empty while it does not drain.
    ends: Vec<Timestamp>,
    /// DRAINING.
    pub(crate) draining: bool,
}

impl World {
    /// What cluster a group of this shape serves: as the scenario says, or else as policy and tags do.
    pub(super) fn cluster_of(shape: &crate::shape::GroupShape) -> Option<(ClusterName, EcsShape)> {
        let named = shape.tags.get(TAG_CLUSTER).and_then(|name| name.trim().parse().ok());
        let told = named.or_else(|| shape.policy.ecs_cluster.clone());
        match &shape.ecs {
            Some(ecs) => Some((ecs.cluster.clone().or(told)?, ecs.clone())),
            None => told.map(|name| (name, EcsShape::default())),
        }
    }

    /// An instance of a group with a cluster runs: its agent registers it.
    pub(super) fn register(&mut self, inst: Inst, at_once: bool) {
        let Some(group) = self.instances.get(inst).map(|i| i.group) else { return };
        let Some((_, ecs)) = self.groups.get(group as usize).and_then(|g| g.cluster.clone()) else { return };
        let wait = if at_once { Span::ZERO } else { self.delay(ecs.register) };
        let registered = self.now() + wait;
        if let Some(instance) = self.instances.get_mut(inst) {
            instance.container = Some(Container { registered, ends: Vec::new(), draining: false });
        }
    }

    /// Tasks that run on an instance now.
    fn tasks(&self, instance: &Instance) -> u32 {
        let Some(container) = instance.container.as_ref().filter(|c| self.now() >= c.registered) else { return 0 };
        let ecs = self.groups.get(instance.group as usize).and_then(|g| g.cluster.as_ref());
        let all = ecs.map_or(0, |(_, ecs)| ecs.tasks);
        if !container.draining {
            return all;
        }
        u32::try_from(container.ends.iter().filter(|end| self.now() < **end).count()).unwrap_or(u32::MAX)
    }

    fn arn(group: &Group, cluster: &ClusterName, id: &InstanceId) -> Option<ContainerArn> {
        let Site { account, region } = &group.key.site;
        format!("arn:aws:ecs:{region}:{account}:container-instance/{cluster}/{id}").parse().ok()
    }

    /// ListContainerInstances and DescribeContainerInstances.
    pub(crate) fn containers(
        &self,
        site: &Site,
        cluster: &ClusterName,
        ids: &[InstanceId],
    ) -> Result<Vec<ContainerSeen>, Fault> {
        if !self.rights.ecs_draining {
            return Err(Fault::Denied("ecs:ListContainerInstances"));
        }
        let seen = |id: &InstanceId| {
            let instance = self.instances.get(self.seen(site, id)?)?;
            let group = self.groups.get(instance.group as usize)?;
            let container = instance.container.as_ref()?;
            let there = instance.phase == Phase::Running && self.now() >= container.registered;
            if !there || group.cluster.as_ref().is_none_or(|(name, _)| name != cluster) {
                return None;
            }
            let state = if container.draining { ContainerState::Draining } else { ContainerState::Active };
            let (arn, tasks) = (Self::arn(group, cluster, id)?, self.tasks(instance));
            Some(ContainerSeen { id: id.clone(), arn, state, connected: true, tasks })
        };
        Ok(ids.iter().filter_map(seen).collect())
    }

    /// UpdateContainerInstancesState.
    pub(crate) fn request_drain(&mut self, key: &GroupKey, arn: &ContainerArn, drains: bool) -> Result<(), Fault> {
        if !self.rights.ecs_draining {
            return Err(Fault::Denied("ecs:UpdateContainerInstancesState"));
        }
        let id: InstanceId = arn.as_str().rsplit('/').next().and_then(|id| id.parse().ok()).ok_or(Fault::Gone)?;
        let inst = self.seen(&key.site, &id).ok_or(Fault::Gone)?;
        let now = self.now();
        let instance = self.instances.get(inst).ok_or(Fault::Gone)?;
        let there =
            instance.phase == Phase::Running && instance.container.as_ref().is_some_and(|c| now >= c.registered);
        let Some((_, ecs)) = self.groups[instance.group as usize].cluster.clone().filter(|_| there) else {
            return Err(Fault::Gone);
        };
        if instance.container.as_ref().is_some_and(|c| c.draining == drains) {
            return Ok(());
        }
        let mut ends = Vec::new();
        if drains {
            let slow = self.chance.chance(ecs.slow_ppm);
            for _ in 0..ecs.tasks {
                let end = if slow { ecs.slow } else { self.delay(ecs.drain) };
                ends.push(now + end);
            }
        }
        if let Some(container) = self.instances.get_mut(inst).and_then(|i| i.container.as_mut()) {
            (container.draining, container.ends) = (drains, ends);
        }
        self.tell_container(inst, if drains { ContainerChange::Draining } else { ContainerChange::Active }, None);
        Ok(())
    }

    /// A container instance is about to go, with whatever still runs on it.
    pub(super) fn leaves_cluster(&mut self, inst: Inst, why: Ended) {
        if self.instances.get(inst).is_some_and(|i| i.container.is_some()) {
            self.tell_container(inst, ContainerChange::Left, Some(why));
        }
    }

    fn tell_container(&mut self, inst: Inst, change: ContainerChange, why: Option<Ended>) {
        let Some(instance) = self.instances.get(inst) else { return };
        let group = self.groups[instance.group as usize].at.clone();
        let (instance_id, tasks) = (instance.id.clone(), self.tasks(instance));
        self.emit(What::Container(Box::new(ContainerLine { group, instance_id, change, tasks, why })));
    }
}
