//! What was seen of one Auto Scaling group, and when.
//!
//! Holds observations only, in AWS's words; judges nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalog::TypeId;
use crate::id::{AzId, BalancerName, ConfigurationName, GroupKey, InstanceId, SubnetId, TargetGroupArn, TemplateId};
use crate::time::{Span, Timestamp};

/// How an instance is bought.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    /// Billed at the on-demand price.
    OnDemand,
    /// Billed at the Spot price, and taken back when AWS needs it.
    Spot,
}

/// The lifecycle state of a group's member, as DescribeAutoScalingGroups names it; waits and the like folded
/// into the state that they belong to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub enum MemberState {
    /// Launching, waiting in a launch hook, or being attached.
    Pending,
    /// Counted in service by the group.
    InService,
    /// Being terminated, also waiting in a terminate hook.
    Terminating,
    /// Being detached.
    Detaching,
    /// Entering or in standby.
    Standby,
    /// A state that this version does not know.
    Unknown,
}

/// A process of a group that can be suspended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub enum Process {
    /// Adds instances; attaching is refused while it is suspended.
    Launch,
    /// Removes instances.
    Terminate,
    /// Registers with load balancers.
    AddToLoadBalancer,
    /// Takes alarms.
    AlarmNotification,
    /// Keeps zones even.
    AZRebalance,
    /// Marks members unhealthy.
    HealthCheck,
    /// Runs instance refreshes.
    InstanceRefresh,
    /// Replaces unhealthy members.
    ReplaceUnhealthy,
    /// Runs scheduled actions.
    ScheduledActions,
}

/// What a group launches from.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub enum Source {
    /// A launch template at the version that the group would launch now; `None` where the group names `$Latest` or
    /// `$Default` and that was not resolved yet.
    Template {
        /// The template.
        id: TemplateId,
        /// Its version, as a number.
        version: Option<u64>,
    },
    /// A launch configuration, immutable under its name.
    Configuration(ConfigurationName),
    /// A mixed-instances policy that buys Spot itself, counts in other units than instances, or chooses types by their
    /// attributes or their own templates. One that does none of these is the template that it names.
    Mixed,
}

/// One member of a group.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The instance.
    pub id: InstanceId,
    /// Its type by the catalogue; `None` where the catalogue does not know it.
    pub kind: Option<TypeId>,
    /// Where it runs.
    pub az: AzId,
    /// Where in its life it is.
    pub state: MemberState,
    /// Whether the group calls it healthy.
    pub healthy: bool,
    /// Protected from scale-in.
    pub protected: bool,
    /// What it was launched from; `None` where that is not said (attached instances, older members).
    pub source: Option<Source>,
    /// EC2's facts of it, where they were read; they cannot change while it runs.
    pub facts: Option<Arc<InstanceFacts>>,
}

/// What EC2 says of an instance and cannot change while it runs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct InstanceFacts {
    /// How it is bought.
    pub lifecycle: Lifecycle,
    /// Its subnet.
    pub subnet: SubnetId,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// The value of its tag `spothub:swap`, where we launched it.
    pub swap: Option<crate::id::SwapId>,
    /// Runs on a dedicated host or with dedicated tenancy.
    pub dedicated: bool,
    /// Runs in a capacity reservation.
    pub reserved: bool,
}

/// What of a group needs calls of its own; read just before a swap begins, and remembered for a while.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Extras {
    /// Hooks that run at launch (attaching would skip them).
    pub launch_hooks: BTreeSet<String>,
    /// An instance refresh is under way.
    pub refresh_active: bool,
    /// The CloudFormation stack that made the group is being changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stack_updating: bool,
    /// What CloudWatch says of the alarms that guard the group; those that it does not know are left out.
    #[serde(default)]
    pub alarms: Vec<Alarm>,
}

/// A CloudWatch alarm.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Whether it is in the state `ALARM`. `INSUFFICIENT_DATA` is not red: quiet services have it all night.
    pub red: bool,
}

/// One look at one group.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no facts, each under its own name")]
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct GroupView {
    /// Which group.
    pub key: GroupKey,
    /// When the answer was made (virtual or wall time).
    pub seen_at: Timestamp,
    /// MinSize.
    pub min: u32,
    /// MaxSize.
    pub max: u32,
    /// DesiredCapacity.
    pub desired: u32,
    /// All members that the group lists.
    pub members: Vec<Member>,
    /// Processes that are suspended.
    pub suspended: BTreeSet<Process>,
    /// The group's tags.
    pub tags: BTreeMap<String, String>,
    /// What it launches from now.
    pub source: Source,
    /// `source` comes from a mixed-instances policy that buys on demand alone; its overrides give the members' types.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mixed_on_demand: bool,
    /// Target groups it registers members with.
    pub target_groups: Vec<TargetGroupArn>,
    /// Classic load balancers it registers members with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load_balancers: Vec<BalancerName>,
    /// HealthCheckGracePeriod.
    pub health_check_grace: Span,
    /// DefaultInstanceWarmup, zero where unset.
    pub default_warmup: Span,
    /// It has a warm pool.
    pub warm_pool: bool,
    /// It is managed by another AWS service (the `Operator` field).
    pub operator: bool,
    /// It launches into a cluster placement group.
    pub cluster_placement: bool,
    /// It replaces its Spot members itself on a rebalance recommendation (`CapacityRebalance`).
    #[serde(default)]
    pub capacity_rebalance: bool,
    /// Members launched from now on are protected from scale-in.
    pub new_protected: bool,
    /// Hooks and refreshes, where they were read.
    pub extras: Option<Extras>,
}

impl GroupView {
    /// Members in service and healthy.
    #[must_use]
    pub fn in_service(&self) -> u32 {
        count(self.members.iter().filter(|m| m.is_in_service()))
    }

    /// Members in service that are known to be on-demand: an unknown one never counts toward the floor.
    #[must_use]
    pub fn on_demand_in_service(&self) -> u32 {
        count(self.members.iter().filter(|m| m.is_in_service() && m.lifecycle() == Some(Lifecycle::OnDemand)))
    }

    /// The member with this id.
    #[must_use]
    pub fn member(&self, id: &InstanceId) -> Option<&Member> {
        self.members.iter().find(|m| m.id == *id)
    }
}

impl Member {
    /// In service and healthy.
    #[must_use]
    pub fn is_in_service(&self) -> bool {
        self.state == MemberState::InService && self.healthy
    }

    /// How it is bought, where that is known.
    #[must_use]
    pub fn lifecycle(&self) -> Option<Lifecycle> {
        self.facts.as_ref().map(|f| f.lifecycle)
    }
}

fn count<'a>(members: impl Iterator<Item = &'a Member>) -> u32 {
    u32::try_from(members.count()).unwrap_or(u32::MAX)
}
