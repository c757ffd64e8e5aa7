//! AWS as the engine asks it. Each method says which calls it makes and what repeats do.

use async_trait::async_trait;

use crate::catalog::Product;
use crate::cloud::{
    Account, Activity, ContainerSeen, Decrement, InstanceSeen, LaunchPool, Launched, Route, RunState, TargetState,
    TemplateFacts,
};
use crate::fault::Fault;
use crate::group::{Alarm, Extras, GroupView, Lifecycle, Source};
use crate::id::{
    AzId, BalancerName, ClusterName, ContainerArn, GroupKey, GroupName, InstanceId, ProfileName, Region, RoleArn, Site,
    SubnetId, SwapId, TargetGroupArn,
};
use crate::market::{Pool, Quotes};
use crate::money::UsdPerHour;
use crate::record::Step;
use crate::time::Timestamp;

/// For whom a call is made: measured, traced and limited by it, never part of the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cause<'a> {
    /// The swaps that the call serves; more than one for a batched read.
    pub swaps: &'a [SwapId],
    /// The group of the one swap that it is made for, and the stage that this is in.
    pub step: Option<(&'a GroupKey, Step)>,
    /// A repeated look while waiting.
    pub poll: bool,
    /// The call ends an orphan.
    pub orphan: bool,
    /// Made for a rescue: bound by API limits only, and ahead of others there.
    pub urgent: bool,
}

/// A launch of one instance. The same `token` with the same contents always yields the same instance.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// For which group.
    pub group: &'a GroupKey,
    /// Client token: at most 64 ASCII characters.
    pub token: &'a str,
    /// The template version or configuration to launch from.
    pub source: &'a Source,
    /// How to send it.
    pub route: Route,
    /// The pools: all for [`Route::Fleet`], exactly one for [`Route::Run`].
    pub pools: &'a [LaunchPool],
    /// Zone of the instance to be replaced.
    pub az: &'a AzId,
    /// Subnet of the instance to be replaced.
    pub subnet: &'a SubnetId,
    /// The operating system that the pools are priced for.
    pub product: Product,
    /// How it is bought.
    pub lifecycle: Lifecycle,
    /// The most to pay, sent as MaxPrice of a Spot instance.
    pub max_price: UsdPerHour,
    /// Tag `spothub:swap`.
    pub swap: &'a SwapId,
    /// Tag `spothub:replaces`.
    pub replaces: &'a InstanceId,
}

/// Reads a member account. Every method is free of effects and may be repeated.
#[async_trait]
pub trait Look: Send + Sync {
    /// Groups by name (at most 100), or all of them: DescribeAutoScalingGroups, one call for each 100.
    /// Members come without facts and the view without extras.
    async fn groups(&self, site: &Site, names: Option<&[GroupName]>, cause: Cause<'_>)
    -> Result<Vec<GroupView>, Fault>;

    /// Launch hooks and refreshes of a group, without alarms: DescribeLifecycleHooks and DescribeInstanceRefreshes.
    async fn extras(&self, group: &GroupKey, cause: Cause<'_>) -> Result<Extras, Fault>;

    /// Alarms by name (at most 100): DescribeAlarms. Those that CloudWatch does not know are left out.
    async fn alarms(&self, site: &Site, names: &[String], cause: Cause<'_>) -> Result<Vec<Alarm>, Fault>;

    /// What a source asks for: DescribeLaunchTemplateVersions or DescribeLaunchConfigurations, then DescribeImages
    /// where the image was not read before. Resolves `$Latest` and `$Default` (version `None`) for `group`.
    async fn template(&self, group: &GroupKey, source: &Source, cause: Cause<'_>) -> Result<TemplateFacts, Fault>;

    /// The role of an instance profile: GetInstanceProfile. `None` where there is no such profile, or no role in it.
    async fn profile(&self, site: &Site, profile: &ProfileName, cause: Cause<'_>) -> Result<Option<RoleArn>, Fault>;

    /// Instances by id (at most 1,000): DescribeInstances. Ids that EC2 does not know are left out.
    async fn instances(&self, site: &Site, ids: &[InstanceId], cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault>;

    /// All instances with our tag, also those that ended within about an hour: DescribeInstances by tag.
    async fn managed(&self, site: &Site, cause: Cause<'_>) -> Result<Vec<InstanceSeen>, Fault>;

    /// States and status checks of instances (at most 100): DescribeInstanceStatus with all instances.
    async fn status(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, RunState)>, Fault>;

    /// Those of these Spot instances (at most 200) that EC2 has marked to be taken, and since when:
    /// DescribeSpotInstanceRequests by instance and status code. They run on for about two minutes after it.
    async fn marked(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<(InstanceId, Timestamp)>, Fault>;

    /// Health of an instance in a target group: DescribeTargetHealth.
    async fn target(
        &self,
        site: &Site,
        group: &TargetGroupArn,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault>;

    /// Health of an instance in a classic load balancer: DescribeInstanceHealth.
    async fn balancer(
        &self,
        site: &Site,
        name: &BalancerName,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<TargetState, Fault>;

    /// What an ECS cluster says of these instances (at most 100): ListContainerInstances, then
    /// DescribeContainerInstances. Those that are not registered there are left out, as all are of a cluster that is
    /// not there.
    async fn containers(
        &self,
        site: &Site,
        cluster: &ClusterName,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<ContainerSeen>, Fault>;

    /// Activities of a group since a time that took members out: DescribeScalingActivities. Only for settling what
    /// became of a call without an answer.
    async fn activities(&self, group: &GroupKey, since: Timestamp, cause: Cause<'_>) -> Result<Vec<Activity>, Fault>;
}

/// Changes a member account. After [`Fault::Unclear`] the caller looks before it does anything else.
#[async_trait]
pub trait Act: Send + Sync {
    /// Waits for the place of one launch in the rate limits, so that nothing stands between the last look at the brake
    /// and the launch. Each launch needs one.
    async fn admit(&self, site: &Site, cause: Cause<'_>) -> Result<(), Fault>;

    /// Launches one instance, tagged on creation: CreateFleet or RunInstances. Idempotent by token.
    async fn launch(&self, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault>;

    /// Terminates an instance of ours that is no member of a group: TerminateInstances. Idempotent.
    async fn terminate(&self, site: &Site, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault>;

    /// Sets MaxSize: UpdateAutoScalingGroup with nothing else. Idempotent.
    async fn set_max(&self, group: &GroupKey, max: u32, cause: Cause<'_>) -> Result<(), Fault>;

    /// Attaches a running instance, raising desired by one: AttachInstances. A repeat is refused with `Conflict`.
    async fn attach(&self, group: &GroupKey, id: &InstanceId, cause: Cause<'_>) -> Result<(), Fault>;

    /// Takes a member out through its group: TerminateInstanceInAutoScalingGroup. A repeat answers `Gone` or
    /// `Conflict`.
    async fn retire(
        &self,
        group: &GroupKey,
        id: &InstanceId,
        decrement: Decrement,
        cause: Cause<'_>,
    ) -> Result<(), Fault>;

    /// Sets a container instance of a group's member to DRAINING, or to ACTIVE again: UpdateContainerInstancesState.
    /// Idempotent; `Gone` where the cluster has it no more.
    async fn drain(
        &self,
        group: &GroupKey,
        cluster: &ClusterName,
        container: &ContainerArn,
        drains: bool,
        cause: Cause<'_>,
    ) -> Result<(), Fault>;
}

/// Public prices of a region, the same for every account; asked with the hub's own session.
#[async_trait]
pub trait Prices: Send + Sync {
    /// The price in force of every pool of a region: DescribeSpotPriceHistory with start = end = now.
    /// `Quotes::as_of` is when the call was sent.
    async fn spot(&self, region: &Region) -> Result<Quotes, Fault>;

    /// The price in force at `from` and each change up to `to`, in order of time: DescribeSpotPriceHistory.
    async fn history(
        &self,
        pool: &Pool,
        region: &Region,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, UsdPerHour)>, Fault>;
}

/// The organization's accounts.
#[async_trait]
pub trait Directory: Send + Sync {
    /// All accounts that are enrolled.
    async fn accounts(&self) -> Result<Vec<Account>, Fault>;
}
