//! What one group is, and what policy says of it.

use std::collections::{BTreeMap, BTreeSet};

use spothub_core::catalog::{Arch, BootMode, Product, TypeId, Virtualization};
use spothub_core::group::Process;
use spothub_core::id::{AzId, ClusterName, GroupName, ProfileName, Site};
use spothub_core::time::Span;

use super::{Delay, OwnerShape, Window};

/// How a group names its template's version.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum VersionPin {
    /// A number.
    #[default]
    Fixed,
    /// `$Latest` (or `$Default`).
    Latest,
}

/// What a group launches from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceShape {
    /// A launch template.
    Template(VersionPin),
    /// A launch configuration.
    Configuration,
    /// A mixed-instances policy that buys Spot.
    Mixed,
    /// A mixed-instances policy that buys on demand alone.
    MixedOnDemand(VersionPin),
}

/// The group's machine image, and what the template asks for beside it.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no facts of an image and its template")]
#[derive(Clone, Debug)]
pub struct ImageShape {
    /// Architecture; `None` (the default) takes the first of the group's type.
    pub arch: Option<Arch>,
    /// Virtualization; `None` (the default) takes the first of the group's type.
    pub virtualization: Option<Virtualization>,
    /// Boot mode, where the image names one. Default none.
    pub boot_mode: Option<BootMode>,
    /// It has ENA drivers. Default true.
    pub ena: bool,
    /// Network interfaces that the template asks for. Default 1.
    pub network_interfaces: u8,
    /// Volumes that the template asks for. Default 1.
    pub volumes: u8,
    /// A block device names no volume type: only a translation of launch configurations can stumble over it, so the
    /// world has nothing to say to it. Default false.
    pub block_device_without_type: bool,
    /// The template asks for what Spot cannot honor, as hibernation. Default false.
    pub not_on_spot: bool,
    /// The instance profile that the template gives. Default none.
    pub profile: Option<ProfileName>,
    /// The profile's role, by its path and name; `None` where there is none in it. Default the profile's own name.
    pub profile_role: Option<String>,
    /// The template asks for what only the group's own type surely has. Default false.
    pub same_type_only: bool,
}

impl Default for ImageShape {
    fn default() -> Self {
        Self {
            arch: None,
            virtualization: None,
            boot_mode: None,
            ena: true,
            network_interfaces: 1,
            volumes: 1,
            block_device_without_type: false,
            not_on_spot: false,
            profile: None,
            profile_role: None,
            same_type_only: false,
        }
    }
}

/// The ECS cluster that a group serves.
#[derive(Clone, Debug)]
pub struct EcsShape {
    /// Its name; `None` (the default) for what policy says.
    pub cluster: Option<ClusterName>,
    /// Tasks on each container instance. Default 3.
    pub tasks: u32,
    /// From running to registered with the agent connected. Default 5 to 30 s.
    pub register: Delay,
    /// From DRAINING to the end of each task. Default 5 to 60 s.
    pub drain: Delay,
    /// Container instances in a million whose tasks all take `slow`. Default 0.
    pub slow_ppm: u32,
    /// What these take. Default 1 h.
    pub slow: Span,
}

impl Default for EcsShape {
    fn default() -> Self {
        Self {
            cluster: None,
            tasks: 3,
            register: Delay::secs(5, 30),
            drain: Delay::secs(5, 60),
            slow_ppm: 0,
            slow: Span::hours(1),
        }
    }
}

/// Instances with the hub's tag that no group has and no record explains.
#[derive(Clone, Debug)]
pub struct OrphanShape {
    /// How many. They run from the start, in the group's zones, with the group's type, as Spot.
    pub count: u32,
    /// They carry this hub's tag; otherwise a former hub's, and [`managed`](spothub_core::port::Look::managed) does
    /// not list them.
    pub this_hub: bool,
}

/// What a member was launched from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Launched {
    /// The template as it stands.
    Current,
    /// An earlier version of it.
    Earlier,
    /// The group does not say.
    Untold,
}

/// One member at the start, where members are described one by one.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no facts of a member, under AWS's names")]
#[derive(Clone, Debug)]
pub struct MemberShape {
    /// Its type; `None` where the catalogue does not know it.
    pub kind: Option<TypeId>,
    /// Where it runs; in the group's first zone, should the market not have this one.
    pub az: AzId,
    /// It is Spot, where its type is known.
    pub spot: bool,
    /// How long it has been running.
    pub age: Span,
    /// In standby; otherwise in service.
    pub standby: bool,
    /// Called healthy by the group.
    pub healthy: bool,
    /// Protected from scale-in.
    pub protected: bool,
    /// What it was launched from.
    pub launched: Launched,
}

/// What policy says of a group: the trace's `policy` line is made of this and of the group's tags.
#[derive(Clone, Debug)]
pub struct PolicyShape {
    /// Between the starts of two swaps. Default 5 minutes.
    pub interval: Span,
    /// On-demand members to keep. Default 0; the tag `spothub:min-on-demand` has precedence.
    pub floor_number: u32,
    /// On-demand members to keep, in percent of what is wanted. Default 0; the tag
    /// `spothub:min-on-demand-percent` has precedence.
    pub floor_percent: u8,
    /// How long a newcomer must have been in service before the old one goes. Default 60 s.
    pub settle: Span,
    /// Enabled unless a tag opts out. Default true; where false, the tag `spothub:enabled=true` enables.
    pub enabled: bool,
    /// Opted out by policy: wins over every tag. Default false.
    pub opted_out: bool,
    /// The least saving in percent. Default 20.
    pub min_saving_percent: u8,
    /// Most swaps in flight in the organization, the unit, the account. Default 200, 100, 20.
    pub in_flight_max: [u32; 3],
    /// Most members replaced in any hour, in percent of what is wanted. Default 100.
    pub share_percent: u8,
    /// The least age of a member that moves to another Spot pool for its price; `None` where none does.
    pub moves_after: Option<Span>,
    /// The ECS cluster that the members serve. Default none; the tag `spothub:ecs-cluster` has precedence.
    pub ecs_cluster: Option<ClusterName>,
    /// How long a member drains before it goes. Default 5 minutes.
    pub drain_wait: Span,
    /// From launch to passed checks, for the ramp; `None` (the default) takes the middle of the timing's range.
    pub boot: Option<Span>,
}

impl Default for PolicyShape {
    fn default() -> Self {
        Self {
            interval: Span::mins(5),
            floor_number: 0,
            floor_percent: 0,
            settle: Span::secs(60),
            enabled: true,
            opted_out: false,
            min_saving_percent: 20,
            in_flight_max: [200, 100, 20],
            share_percent: 100,
            moves_after: None,
            ecs_cluster: None,
            drain_wait: Span::mins(5),
            boot: None,
        }
    }
}

/// One group.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no facts of a group, under AWS's names")]
#[derive(Clone, Debug)]
pub struct GroupShape {
    /// Where.
    pub site: Site,
    /// Its name, unique at the site.
    pub name: GroupName,
    /// MinSize.
    pub min: u32,
    /// MaxSize.
    pub max: u32,
    /// DesiredCapacity, and the members at the start.
    pub desired: u32,
    /// The type's name in the catalogue; an unknown one is a type that the catalogue does not know, and costs 0.1
    /// USD an hour.
    pub kind: String,
    /// Operating system.
    pub product: Product,
    /// Its zones; empty (the default) for the first three of the region that offer the type.
    pub zones: Vec<AzId>,
    /// Members at the start by zone, in the order of `zones`; empty (the default) for evenly.
    pub spread: Vec<u32>,
    /// Members at the start, one by one; `None` (the default) for `desired` and `standby` alike ones.
    pub members: Option<Vec<MemberShape>>,
    /// What it launches from. Default a template with a fixed version.
    pub source: SourceShape,
    /// The types that a mixed-instances policy names, which the group's launches take in turn; empty (the default) for
    /// the group's own.
    pub overrides: Vec<String>,
    /// Image and template.
    pub image: ImageShape,
    /// Number of target groups. Default 0.
    pub target_groups: u32,
    /// Number of classic load balancers. Default 0.
    pub classic_balancers: u32,
    /// The ECS cluster that it serves. Default none, unless policy names one.
    pub ecs: Option<EcsShape>,
    /// Members (the first of them) protected from scale-in at the start. Default 0.
    pub protected: u32,
    /// New members are protected. Default false.
    pub new_protected: bool,
    /// Processes suspended from the start. Default none.
    pub suspended: BTreeSet<Process>,
    /// HealthCheckGracePeriod. Default 0.
    pub health_check_grace: Span,
    /// DefaultInstanceWarmup. Default 0.
    pub default_warmup: Span,
    /// It has a warm pool. Default false.
    pub warm_pool: bool,
    /// It has a launch hook. Default false.
    pub launch_hook: bool,
    /// It has a terminate hook. Default false.
    pub terminate_hook: bool,
    /// The hook's name. Default `bootstrap`.
    pub hook_name: String,
    /// CloudFormation changes the group's stack then. Default never.
    pub stack_updating: Option<Window>,
    /// An instance refresh is active from the start until then. Default none.
    pub refresh_until: Option<Span>,
    /// Members (the last of them) in standby, in addition to desired. Default 0.
    pub standby: u32,
    /// Another AWS service manages it. Default false.
    pub operator: bool,
    /// Cluster placement group. Default false.
    pub cluster_placement: bool,
    /// Members run with dedicated tenancy. Default false.
    pub dedicated: bool,
    /// Members run in a capacity reservation. Default false.
    pub reserved: bool,
    /// Members (the first of them) that run an older version of the template. Default 0.
    pub older: u32,
    /// Members (the last of them) that are Spot by the owner's own template or policy. Default 0.
    pub owner_spot: u32,
    /// Instances that a former hub left behind. Default none.
    pub orphans: Option<OrphanShape>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// What policy says.
    pub policy: PolicyShape,
    /// What its owner does; `None` (the default) for what the shape says.
    pub owner: Option<OwnerShape>,
    /// Member ages at the start, at most. Default 30 days.
    pub age: Span,
}

impl GroupShape {
    /// An ordinary group of on-demand Linux members, min 0 and max twice its size.
    #[must_use]
    pub fn new(site: Site, name: GroupName, kind: &str, desired: u32) -> Self {
        Self {
            site,
            name,
            min: 0,
            max: desired.saturating_mul(2).max(1),
            desired,
            kind: kind.to_owned(),
            product: Product::Linux,
            zones: Vec::new(),
            spread: Vec::new(),
            members: None,
            source: SourceShape::Template(VersionPin::Fixed),
            overrides: Vec::new(),
            image: ImageShape::default(),
            target_groups: 0,
            classic_balancers: 0,
            ecs: None,
            protected: 0,
            new_protected: false,
            suspended: BTreeSet::new(),
            health_check_grace: Span::ZERO,
            default_warmup: Span::ZERO,
            warm_pool: false,
            launch_hook: false,
            terminate_hook: false,
            hook_name: "bootstrap".to_owned(),
            stack_updating: None,
            refresh_until: None,
            standby: 0,
            operator: false,
            cluster_placement: false,
            dedicated: false,
            reserved: false,
            older: 0,
            owner_spot: 0,
            orphans: None,
            tags: BTreeMap::new(),
            policy: PolicyShape::default(),
            owner: None,
            age: Span::hours(24 * 30),
        }
    }
}
