//! Changes of a member account.

use async_trait::async_trait;
use spothub_core::fault::Fault;
use spothub_core::id::{ClusterName, ContainerArn, GroupKey, InstanceId, Site};
use spothub_core::port::{Act, Cause, Decrement, Launch, Launched, Route};

use super::{Ask, Family, SimCloud, none};

const CREATE_FLEET: &str = "ec2:CreateFleet";
const RUN_INSTANCES: &str = "ec2:RunInstances";
const TERMINATE: &str = "ec2:TerminateInstances";
const UPDATE: &str = "autoscaling:UpdateAutoScalingGroup";
const ATTACH: &str = "autoscaling:AttachInstances";
const DRAIN: &str = "ecs:UpdateContainerInstancesState";
const RETIRE: &str = "autoscaling:TerminateInstanceInAutoScalingGroup";

#[async_trait]
impl Act for SimCloud {
    async fn admit(&self, _: &Site, _: Cause<'_>) -> Result<(), Fault> {
        Ok(())
    }

    async fn launch(&self, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
        let site = &launch.group.site;
        let (action, family) = match launch.route {
            Route::Fleet => (CREATE_FLEET, Family::Ec2Change),
            Route::Run => (RUN_INSTANCES, Family::Run),
        };
        let ask = Ask::change(site, action, family, cause).of_group(launch.group);
        let ask = Ask { work: Some(self.api.launch), ..ask };
        let effect = |world: &mut crate::world::World| {
            if self.takes(site, Family::Launched, world.now()) {
                world.request_launch(launch)
            } else {
                Err(Fault::Throttled { after: None })
            }
        };
        self.send(ask, effect, |launched: &Launched| Some(&launched.id)).await
    }

    async fn terminate(&self, site: &Site, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        let ask = Ask::change(site, TERMINATE, Family::Terminate, cause).with(id);
        self.send(ask, |world| world.request_terminate(site, id, cause.orphan), none).await
    }

    async fn set_max(&self, group: &GroupKey, max: u32, cause: Cause<'_>) -> Result<(), Fault> {
        let ask = Ask::change(&group.site, UPDATE, Family::AsgChange, cause).of_group(group);
        self.send(ask, |world| world.request_max(group, max), none).await
    }

    async fn attach(&self, group: &GroupKey, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault> {
        let ask = Ask::change(&group.site, ATTACH, Family::AsgChange, cause).of_group(group).with(id);
        self.send(ask, |world| world.request_attach(group, id), none).await
    }

    async fn retire(
        &self,
        group: &GroupKey,
        id: &InstanceId,
        decrement: Decrement,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        let ask = Ask::change(&group.site, RETIRE, Family::AsgChange, cause).of_group(group).with(id);
        self.send(ask, |world| world.request_retire(group, id, decrement, cause.swaps), none).await
    }

    async fn drain(
        &self,
        group: &GroupKey,
        _: &ClusterName,
        container: &ContainerArn,
        drains: bool,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        let id = container.as_str().rsplit('/').next().and_then(|id| id.parse::<InstanceId>().ok());
        let ask = Ask::change(&group.site, DRAIN, Family::Elb, cause).of_group(group);
        let ask = Ask { instance: id.as_ref(), ..ask };
        self.send(ask, |world| world.request_drain(group, container, drains), none).await
    }
}
