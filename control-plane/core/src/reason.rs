//! Why nothing is done: the closed list of hold reasons, with the numbers behind each.
//!
//! CLI, reports, metrics and logs print the same label.

use serde::{Deserialize, Serialize};

use crate::brake::BrakeScope;
use crate::breaker::Guards;
use crate::group::Process;
use crate::id::{ClusterName, ProfileName, RoleArn, SwapId};
use crate::record::Why;
use crate::rights::GroupGuard;
use crate::time::Timestamp;

/// Whose opt-out it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptOut {
    /// The group's owner, by tag.
    Tag,
    /// The central policy.
    Policy,
}

/// Whose budget of swaps in flight is used up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The whole organization.
    Organization,
    /// One organizational unit.
    Ou,
    /// One account.
    Account,
}

/// Why a group, or one of its members, is left as it is.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum HoldReason {
    /// Policy enables by tag, and the group has none.
    NotEnabled,
    /// No policy is in force: none was ever approved here, or too many wait for approval.
    NoPolicy,
    /// A tag of the group that means something to us cannot be read.
    UnreadableTag {
        /// Its key.
        tag: String,
    },
    /// Somebody opted it out; this wins over everything.
    OptedOut {
        /// Who.
        by: OptOut,
    },
    /// Policy enables it, and IAM would refuse to change it.
    IamGuard {
        /// The condition in the member role's policy.
        guard: GroupGuard,
        /// What the group's tag `spothub:enabled` says; `None` where it has none.
        tag: Option<String>,
    },
    /// A swap ended stranded here, and what it added still stands.
    Stranded {
        /// Which.
        swap: SwapId,
    },
    /// Somebody pulled the brake.
    Paused {
        /// What it covers.
        brake: BrakeScope,
    },
    /// What is used cannot be metered: there is no subscription, or metering failed for long.
    Metering,
    /// Outside the policy's time windows.
    OutsideSchedule,
    /// The group has a mixed-instances policy: its own mechanism serves it.
    MixedInstances,
    /// The group has a warm pool.
    WarmPool,
    /// A launch hook would be skipped by attaching.
    LaunchHook,
    /// A launch hook of CodeDeploy's: an attached instance would get no deployment.
    CodeDeploy,
    /// An instance refresh is under way.
    InstanceRefresh,
    /// CloudFormation changes the group's stack.
    StackUpdating,
    /// A member is in standby: somebody is working on it.
    StandbyMember,
    /// Another AWS service manages the group.
    Operator,
    /// A cluster placement group keeps members together.
    ClusterPlacement,
    /// The instance has dedicated tenancy or a dedicated host.
    Dedicated,
    /// The instance runs in a capacity reservation that would be paid on.
    CapacityReservation,
    /// A process that a swap needs is suspended.
    ProcessSuspended {
        /// Which.
        process: Process,
    },
    /// Nothing may be launched without a launch template.
    LaunchConfigurationNotAllowed,
    /// A newcomer would get an instance profile whose role may not be passed, or of which nobody knows the role.
    ProfileNotPassable {
        /// The profile.
        profile: ProfileName,
        /// Its role; `None` where that cannot be read, or there is none.
        role: Option<RoleArn>,
    },
    /// The template asks for what Spot cannot honor.
    NotOnSpot,
    /// The member was launched from another version than the group launches now.
    TemplateChanged,
    /// The member is protected from scale-in.
    ProtectedMember,
    /// Members are being launched or terminated just now.
    InTransition {
        /// How many.
        members: u32,
    },
    /// The group is short of what it wants: a swap would have to wait for that anyway.
    BelowDesired {
        /// In service now.
        in_service: u32,
        /// Wanted by the owner.
        want: u32,
    },
    /// No on-demand member may go without breaking the floor.
    OnDemandFloor {
        /// The floor.
        floor: u32,
        /// On-demand members in service.
        running: u32,
    },
    /// The last swap of this group began too lately.
    SwapInterval {
        /// The next may begin then.
        until: Timestamp,
    },
    /// The share of the group that may be replaced in an hour is used up.
    GroupShare {
        /// Replaced in the last hour.
        used: u32,
        /// Allowed in an hour.
        limit: u32,
    },
    /// As many swaps are in flight as policy allows.
    Budget {
        /// Whose budget.
        scope: Scope,
        /// The limit.
        limit: u32,
    },
    /// A rescue of this group is in flight: swaps by choice wait.
    RescueInFlight,
    /// Launches for this group failed lately; waits grow.
    BackingOff {
        /// The next try.
        until: Timestamp,
    },
    /// Too much failed in a row: the breaker of the group, or of its account in the region, is open.
    BreakerOpen {
        /// Whose.
        breaker: Guards,
        /// What the last failure was.
        why: Option<Why>,
        /// The next try.
        until: Timestamp,
    },
    /// A CloudWatch alarm that guards the group is red.
    AlarmRed {
        /// Its name.
        alarm: String,
    },
    /// CloudWatch does not know an alarm that is to guard the group.
    AlarmUnknown {
        /// Its name.
        alarm: String,
    },
    /// The account's Spot quota is used up.
    QuotaUsed {
        /// The next try.
        until: Timestamp,
    },
    /// It is on demand, or goes back to it, because `spothub revert` says so.
    Reverted {
        /// Where it was said.
        brake: BrakeScope,
    },
    /// A member is to be on demand, and the member role may not launch that.
    OnDemandNotAllowed,
    /// Policy names an ECS cluster, and the member role may not drain its container instances.
    EcsDrainingNotAllowed {
        /// The cluster.
        cluster: ClusterName,
    },
    /// The account refuses us: the role, a boundary or a control policy.
    AccessDenied,
    /// The market of the region was not read yet.
    NoQuote,
    /// The market was read too long ago to act on.
    StaleQuote {
        /// When it was read.
        as_of: Timestamp,
    },
    /// The catalogue does not know the member's type.
    UnknownType,
    /// The on-demand price of the member is not known.
    NoOnDemandPrice,
    /// No type may stand in for the member's.
    NoCompatibleType,
    /// Compatible types exist, and none is quoted in the member's zone.
    NoPool {
        /// Compatible types.
        compatible: u32,
    },
    /// The cheapest pool saves less than policy asks.
    SavingTooSmall {
        /// The best saving in percent.
        found: u8,
        /// What policy asks, in percent.
        needed: u8,
    },
    /// Its on-demand hours are paid already, by a reserved instance or a Savings Plan that nothing else would use.
    Committed {
        /// How much of it, in percent.
        covered: u8,
    },
    /// Policy wants commitments counted, and they were not read yet, or not all of them.
    CommitmentsUnknown,
    /// Every affordable pool has as many members as policy wants there.
    PoolShare {
        /// How many pools are full.
        full: u32,
    },
    /// Every affordable pool lately answered "insufficient capacity".
    NoCapacity {
        /// How many pools are closed.
        closed: u32,
    },
}

/// What lets newcomers have a role that they may not have.
const NOT_PASSABLE: &str = "add the role to PassableRoleArns of the members' template and to passable-roles";

/// What helps where launch configurations may not be launched from.
const NO_CONFIGURATION: &str = "move to a launch template, or set AllowLaunchConfigurations and launch-configurations";

/// What helps where an alarm that guards a group cannot be found.
const ALARM_UNKNOWN: &str = "create the alarm in the group's account and region, or mend its name in policy";

/// What helps where policy waits for what could not be read.
const COMMITMENTS_UNKNOWN: &str =
    "spothub status says what could not be read; set commitments: count to go on without it";

/// What helps where what is used cannot be billed.
const UNMETERED: &str = "spothub metering status says why: renew the subscription, or mend the metering task";

impl HoldReason {
    /// The stable label, as in JSON, metrics and tables.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NotEnabled => "not-enabled",
            Self::NoPolicy => "no-policy",
            Self::UnreadableTag { .. } => "unreadable-tag",
            Self::OptedOut { .. } => "opted-out",
            Self::IamGuard { .. } => "iam-guard",
            Self::Stranded { .. } => "stranded",
            Self::Paused { .. } => "paused",
            Self::Metering => "metering",
            Self::OutsideSchedule => "outside-schedule",
            Self::MixedInstances => "mixed-instances",
            Self::WarmPool => "warm-pool",
            Self::LaunchHook => "launch-hook",
            Self::CodeDeploy => "code-deploy",
            Self::InstanceRefresh => "instance-refresh",
            Self::StackUpdating => "stack-updating",
            Self::StandbyMember => "standby-member",
            Self::Operator => "operator",
            Self::ClusterPlacement => "cluster-placement",
            Self::Dedicated => "dedicated",
            Self::CapacityReservation => "capacity-reservation",
            Self::ProcessSuspended { .. } => "process-suspended",
            Self::LaunchConfigurationNotAllowed => "launch-configuration-not-allowed",
            Self::ProfileNotPassable { .. } => "profile-not-passable",
            Self::NotOnSpot => "not-on-spot",
            Self::TemplateChanged => "template-changed",
            Self::ProtectedMember => "protected-member",
            Self::InTransition { .. } => "in-transition",
            Self::BelowDesired { .. } => "below-desired",
            Self::OnDemandFloor { .. } => "on-demand-floor",
            Self::SwapInterval { .. } => "swap-interval",
            Self::GroupShare { .. } => "group-share",
            Self::Budget { .. } => "budget",
            Self::RescueInFlight => "rescue-in-flight",
            Self::BackingOff { .. } => "backing-off",
            Self::BreakerOpen { .. } => "breaker-open",
            Self::AlarmRed { .. } => "alarm-red",
            Self::AlarmUnknown { .. } => "alarm-unknown",
            Self::QuotaUsed { .. } => "quota-used",
            Self::Reverted { .. } => "reverted",
            Self::OnDemandNotAllowed => "on-demand-not-allowed",
            Self::EcsDrainingNotAllowed { .. } => "ecs-draining-not-allowed",
            Self::AccessDenied => "access-denied",
            Self::NoQuote => "no-quote",
            Self::StaleQuote { .. } => "stale-quote",
            Self::UnknownType => "unknown-type",
            Self::NoOnDemandPrice => "no-on-demand-price",
            Self::NoCompatibleType => "no-compatible-type",
            Self::NoPool { .. } => "no-pool",
            Self::SavingTooSmall { .. } => "saving-too-small",
            Self::Committed { .. } => "committed",
            Self::CommitmentsUnknown => "commitments-unknown",
            Self::PoolShare { .. } => "pool-share",
            Self::NoCapacity { .. } => "no-capacity",
        }
    }

    /// When it ends by itself, where that is known.
    #[must_use]
    pub const fn until(&self) -> Option<Timestamp> {
        if let Self::SwapInterval { until }
        | Self::BackingOff { until }
        | Self::BreakerOpen { until, .. }
        | Self::QuotaUsed { until } = self
        {
            Some(*until)
        } else {
            None
        }
    }

    /// Every label there is, in the order of the list.
    pub const LABELS: [&'static str; 53] = [
        "not-enabled",
        "no-policy",
        "unreadable-tag",
        "opted-out",
        "iam-guard",
        "stranded",
        "paused",
        "metering",
        "outside-schedule",
        "mixed-instances",
        "warm-pool",
        "launch-hook",
        "code-deploy",
        "instance-refresh",
        "stack-updating",
        "standby-member",
        "operator",
        "cluster-placement",
        "dedicated",
        "capacity-reservation",
        "process-suspended",
        "launch-configuration-not-allowed",
        "profile-not-passable",
        "not-on-spot",
        "template-changed",
        "protected-member",
        "in-transition",
        "below-desired",
        "on-demand-floor",
        "swap-interval",
        "group-share",
        "budget",
        "rescue-in-flight",
        "backing-off",
        "breaker-open",
        "alarm-red",
        "alarm-unknown",
        "quota-used",
        "reverted",
        "on-demand-not-allowed",
        "ecs-draining-not-allowed",
        "access-denied",
        "no-quote",
        "stale-quote",
        "unknown-type",
        "no-on-demand-price",
        "no-compatible-type",
        "no-pool",
        "saving-too-small",
        "committed",
        "commitments-unknown",
        "pool-share",
        "no-capacity",
    ];

    /// What an owner or operator can do about it; `None` where waiting is the answer.
    #[must_use]
    pub const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NotEnabled => {
                Some("set the tag spothub:enabled=true on the group, or enable it by policy and by GroupGuard")
            }
            Self::NoPolicy => {
                Some("approve a policy: spothub status says which waits; rules by account-tag need accounts.tags")
            }
            Self::UnreadableTag { .. } => Some("mend or remove the tag: spothub policy explain says how it is read"),
            Self::OptedOut { .. } => Some("intended: remove the opt-out to change it"),
            Self::IamGuard { guard: GroupGuard::OptInTag, .. } => {
                Some("set the group's tag spothub:enabled to true, as GroupGuard opt-in-tag asks of it")
            }
            Self::IamGuard { .. } => Some("set the group's tag spothub:enabled to true, or remove it"),
            Self::Stranded { .. } => Some("spothub status says what it left, and the commands that put it right"),
            Self::LaunchConfigurationNotAllowed => Some(NO_CONFIGURATION),
            Self::ProfileNotPassable { role: Some(_), .. } => Some(NOT_PASSABLE),
            Self::ProfileNotPassable { role: None, .. } => {
                Some("its role cannot be read: give the profile a role, and the member role iam:GetInstanceProfile")
            }
            Self::Paused { .. } => {
                Some("intended: spothub resume lets it go on; spothub status says who paused it and why")
            }
            Self::Metering => Some(UNMETERED),
            Self::LaunchHook => Some("do the hook's work in user data, and name it under skippable-launch-hooks"),
            Self::CodeDeploy => Some("deploy by instance tags instead of the group's name, or keep it on demand"),
            Self::NotOnSpot => Some("remove hibernation, hosts or license settings from the template"),
            Self::TemplateChanged => Some("refresh the group, or set template: twin in policy"),
            Self::ProtectedMember => Some("remove scale-in protection, or allow protected members by policy"),
            Self::BreakerOpen { .. } => {
                Some("mend what failed; one swap is tried when it is half open (spothub status)")
            }
            Self::AlarmRed { .. } => Some("see to the alarm; swaps go on once it is OK"),
            Self::AlarmUnknown { .. } => Some(ALARM_UNKNOWN),
            Self::QuotaUsed { .. } => Some("raise the account's Spot vCPU quota"),
            Self::Reverted { .. } => Some("intended: spothub resume lets it go back to Spot"),
            Self::OnDemandNotAllowed => {
                Some("set AllowOnDemandFallback of the members' template and on-demand-fallback")
            }
            Self::EcsDrainingNotAllowed { .. } => Some("set AllowEcsDraining of the members and ecs-draining"),
            Self::AccessDenied => Some("check the member role, its boundary and the control policies"),
            Self::UnknownType | Self::NoOnDemandPrice => Some("refresh the catalogue"),
            Self::NoCompatibleType | Self::NoPool { .. } => Some("allow more types by policy"),
            Self::SavingTooSmall { .. } => Some("lower the minimum saving by policy"),
            Self::ProcessSuspended { .. } => Some("resume the process"),
            Self::GroupShare { .. } | Self::Budget { .. } => Some("raise the budget by policy"),
            Self::Committed { .. } => Some("let the commitment end, or set commitments: ignore in policy"),
            Self::CommitmentsUnknown => Some(COMMITMENTS_UNKNOWN),
            Self::PoolShare { .. } => Some("allow more types, or raise pool-share by policy"),
            Self::MixedInstances
            | Self::WarmPool
            | Self::InstanceRefresh
            | Self::StackUpdating
            | Self::StandbyMember
            | Self::Operator
            | Self::ClusterPlacement
            | Self::Dedicated
            | Self::CapacityReservation
            | Self::OutsideSchedule
            | Self::InTransition { .. }
            | Self::BelowDesired { .. }
            | Self::OnDemandFloor { .. }
            | Self::SwapInterval { .. }
            | Self::RescueInFlight
            | Self::BackingOff { .. }
            | Self::NoQuote
            | Self::StaleQuote { .. }
            | Self::NoCapacity { .. } => None,
        }
    }
}
