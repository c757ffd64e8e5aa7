//! What owners, AWS and the network do in a case: done to the simulator's world, or to the emulator over its API.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use spothub_core::commitment::Commitment;
use spothub_core::group::Process;
use spothub_core::id::{AccountId, ClusterName, GroupKey, GroupName, InstanceId, Site};
use spothub_core::market::Pool;
use spothub_core::port::Lane;

/// Questions before a case gives up waiting: minutes of virtual time, or some ten seconds of the machine's.
pub const PAUSES_MAX: usize = 200;

/// How a group names its template's version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pin {
    /// A number.
    Number,
    /// `$Latest`.
    Latest,
    /// `$Default`.
    Default,
}

/// What a group launches from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// A launch template.
    Template(Pin),
    /// A launch configuration.
    Configuration,
    /// A mixed-instances policy that buys Spot.
    Mixed,
    /// A mixed-instances policy that buys on demand alone.
    MixedOnDemand(Pin),
}

/// A machine image by what runs on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Image {
    /// Linux on x86_64.
    Linux,
    /// Linux on arm64.
    LinuxArm,
    /// Windows.
    Windows,
    /// Red Hat Enterprise Linux.
    Rhel,
    /// SUSE Linux Enterprise Server.
    Suse,
}

/// A group to be made; its members are in service when it is there.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name; not empty.
    pub named: String,
    /// Where; the case's own site by itself.
    pub site: Option<Site>,
    /// MinSize.
    pub min: u32,
    /// MaxSize.
    pub max: u32,
    /// DesiredCapacity.
    pub desired: u32,
    /// Its type's name.
    pub kind: &'static str,
    /// Its image.
    pub image: Image,
    /// What it launches from.
    pub start: Start,
    /// EBS volumes.
    pub volumes: u8,
    /// It wants to hibernate, which Spot cannot honor.
    pub hibernates: bool,
    /// Target groups.
    pub target_groups: u32,
    /// Classic load balancers.
    pub classic_balancers: u32,
    /// The ECS cluster that its members are to register in.
    pub cluster: Option<ClusterName>,
    /// It names zones and no subnets, so that its members are in the default VPC.
    pub default_vpc: bool,
    /// It has a launch hook.
    pub launch_hook: bool,
    /// A CloudFormation stack made it, and is being changed or not.
    pub stack: Option<bool>,
    /// Suspended processes.
    pub suspended: BTreeSet<Process>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Wanted {
    /// A group of two to four m5.large, two now, on Linux from a template with a fixed version.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            named: name.to_owned(),
            site: None,
            min: 1,
            max: 4,
            desired: 2,
            kind: "m5.large",
            image: Image::Linux,
            start: Start::Template(Pin::Number),
            volumes: 1,
            hibernates: false,
            target_groups: 0,
            classic_balancers: 0,
            cluster: None,
            default_vpc: false,
            launch_hook: false,
            stack: None,
            suspended: BTreeSet::new(),
            tags: BTreeMap::new(),
        }
    }

    /// The same with other sizes.
    #[must_use]
    pub fn sized(self, min: u32, desired: u32, max: u32) -> Self {
        Self { min, max, desired, ..self }
    }

    /// The name.
    ///
    /// # Panics
    /// Where it is none: a mistake in a case.
    #[must_use]
    pub fn name(&self) -> GroupName {
        self.named.parse().unwrap()
    }
}

/// What stands between a caller and AWS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Obstacle {
    /// The member role cannot be assumed.
    NoRole,
    /// The role has no right to change anything.
    NoRights,
    /// The APIs' buckets are empty.
    Throttled,
    /// The service fails and does nothing.
    Broken,
    /// Auto Scaling has another activity in progress.
    Busy,
    /// Calls never arrive, and no answer comes.
    LostCalls,
    /// Calls are done, and no answer comes.
    LostAnswers,
}

/// The hands of a case.
#[async_trait]
pub trait Stage: Send + Sync {
    /// The case's own account and region.
    fn site(&self) -> Site;

    /// Another account in the same region.
    fn neighbor(&self) -> Site;

    /// The same account in another region.
    fn elsewhere(&self) -> Site;

    /// Makes a group, and everything that it launches from.
    async fn make(&self, key: &GroupKey, wanted: &Wanted);

    /// Makes empty groups of these names at the case's own site, from one template.
    async fn make_empty(&self, names: &[GroupName]);

    /// Suspends a process of a group, or resumes it.
    async fn suspend(&self, key: &GroupKey, process: Process, suspended: bool);

    /// Makes a CloudWatch alarm at a site, or changes its state.
    async fn alarm(&self, site: &Site, name: &str, red: bool);

    /// The agent on an instance registers it in a cluster, as that of a group made for the cluster does by itself.
    async fn register(&self, key: &GroupKey, cluster: &ClusterName, id: &InstanceId);

    /// Empties a pool of the case's own account, or fills it again.
    async fn drain(&self, pool: &Pool, drained: bool);

    /// An account buys a commitment; it has no other of its sort.
    async fn buy(&self, commitment: &Commitment);

    /// Has the price of a pool change at least once from now on, and waits until it has.
    async fn move_price(&self, pool: &Pool);

    /// An owner's instance that no group has, running.
    async fn run_by_hand(&self, key: &GroupKey) -> InstanceId;

    /// An owner ends an instance through EC2.
    async fn end_by_hand(&self, site: &Site, id: &InstanceId);

    /// AWS decides to take a Spot instance and loses the word of it; the instance runs on for two minutes.
    async fn take(&self, site: &Site, id: &InstanceId);

    /// Puts something in the way of every call to a site until [`Stage::clear`].
    async fn obstruct(&self, site: &Site, obstacle: Obstacle);

    /// Takes away what [`Stage::obstruct`] put there, but for a missing role.
    async fn clear(&self);

    /// Puts bytes of text into a queue.
    async fn send(&self, lane: Lane, body: &str);

    /// An account that was closed.
    fn closed(&self) -> AccountId;

    /// An account that is not enrolled.
    fn unenrolled(&self) -> AccountId;

    /// Lets some of the world's time pass: the pause between two questions.
    async fn pause(&self);

    /// Lets the time pass after which a received message comes again.
    async fn outlast_visibility(&self);
}
