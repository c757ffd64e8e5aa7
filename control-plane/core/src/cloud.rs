//! What AWS says and is asked, in our words: the data of the ports, without the ports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalog::{Arch, BootMode, Product, TypeId, Virtualization};
use crate::group::{InstanceFacts, Source};
use crate::id::{AccountId, AzId, ContainerArn, GroupName, InstanceId, OuPath, ProfileName, Region};
use crate::money::UsdPerHour;
use crate::time::Timestamp;

/// Where an EC2 instance is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub enum RunState {
    /// Not running yet.
    Pending,
    /// Running; its status checks have not passed yet.
    Running,
    /// Running, and both status checks passed.
    Checked,
    /// Running, and a status check failed.
    Impaired,
    /// Shutting down, stopped or terminated.
    Ended,
}

/// One row of DescribeInstances.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InstanceSeen {
    /// The instance.
    pub id: InstanceId,
    /// Its type; `None` where the catalogue does not know it.
    pub kind: Option<TypeId>,
    /// Where.
    pub az: AzId,
    /// Its state; `Checked` is never said here (that is DescribeInstanceStatus).
    pub state: RunState,
    /// When its life ended, where it has and EC2 says so.
    pub ended_at: Option<Timestamp>,
    /// What cannot change while it runs.
    pub facts: Arc<InstanceFacts>,
    /// Its tag `spothub:group`, where it has one.
    pub group: Option<GroupName>,
}

/// Health of one target in one target group.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum TargetState {
    /// Takes traffic.
    Healthy,
    /// Registered, and not yet or no longer healthy.
    NotHealthy,
    /// Not registered there.
    Absent,
}

/// What an ECS cluster says of one of its container instances.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContainerSeen {
    /// The EC2 instance.
    pub id: InstanceId,
    /// The container instance.
    pub arn: ContainerArn,
    /// Whether tasks are placed there.
    pub state: ContainerState,
    /// Whether its agent is connected.
    pub connected: bool,
    /// Tasks in the state RUNNING: with none of them, draining is over (ECS developer guide, "container instance
    /// draining").
    pub tasks: u32,
}

/// The status of a container instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerState {
    /// Takes tasks.
    Active,
    /// Takes no more tasks, and those of services are moved.
    Draining,
    /// Any other: registering, deregistering, and what is yet to come.
    Other,
}

/// How a launch is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub enum Route {
    /// CreateFleet (instant, price-capacity-optimized): one call, EC2 picks among the pools.
    Fleet,
    /// RunInstances: one pool a call, in rank order.
    Run,
}

/// What a launch template version (with its image) or a launch configuration asks for. Immutable.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct TemplateFacts {
    /// The source with its version as a number.
    pub source: Source,
    /// Operating system of the image, by its usage operation.
    pub product: Product,
    /// Architecture of the image.
    pub arch: Arch,
    /// Virtualization of the image.
    pub virtualization: Virtualization,
    /// Boot mode of the image, where it names one.
    pub boot_mode: Option<BootMode>,
    /// The image has ENA drivers.
    pub ena: bool,
    /// Network interfaces it asks for (at least 1).
    pub network_interfaces: u8,
    /// EBS volumes it asks for (at least 1).
    pub volumes: u8,
    /// It asks for what Spot cannot honor (hibernation, hosts, license rules).
    pub not_on_spot: bool,
    /// The instance profile that it gives, where it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileName>,
    /// It asks for what only the old instance's own type surely has (CPU options, credits, enclaves, fabric adapters).
    #[serde(default)]
    pub same_type_only: bool,
    /// How it can be launched.
    pub route: Route,
}

/// One pool of a launch request.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct LaunchPool {
    /// The type.
    pub kind: TypeId,
    /// The Spot price counted on, for the record.
    pub quoted: UsdPerHour,
}

/// What a launch gave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Launched {
    /// The instance.
    pub id: InstanceId,
    /// Its type, one of the pools'.
    pub kind: TypeId,
    /// Pools that answered "insufficient capacity" on the way (`Errors[]` of CreateFleet).
    pub refused: Vec<TypeId>,
}

/// Whether the group shall want one less when a member is taken out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decrement {
    /// Lower desired by one.
    Yes,
    /// Keep desired: the group launches a replacement.
    No,
}

/// One finished or running activity that took a member out, from DescribeScalingActivities.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Activity {
    /// The member.
    pub instance: InstanceId,
    /// When it began.
    pub at: Timestamp,
    /// It was taken out by request with decrement ("in response to a user request, shrinking the capacity").
    pub by_request_with_decrement: bool,
}

/// One account of the organization, from the directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Its organizational unit.
    pub ou: OuPath,
    /// Its tags, where they were read.
    pub tags: Option<BTreeMap<String, String>>,
    /// Regions it uses and the hub is to serve.
    pub regions: BTreeSet<Region>,
    /// `State` is ACTIVE; anything else is not acted in.
    pub active: bool,
}
