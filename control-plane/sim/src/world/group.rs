//! One Auto Scaling group as the service has it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use spothub_core::catalog::{Arch, Product, TypeId, Virtualization};
use spothub_core::group::Process;
use spothub_core::id::{BalancerName, ClusterName, GroupKey, InstanceId, TargetGroupArn, TemplateId};
use spothub_core::time::{Span, Timestamp};

use super::arena::Inst;
use crate::record::GroupRef;
use crate::seed::Stream;
use crate::shape::{EcsShape, ImageShape, OwnerShape, PolicyShape, SourceShape, Window};

/// A state that an owner brought about for a while.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Passing {
    Suspended(Process),
    OptedOut(Option<String>),
    Standby(Inst),
    Protected(Inst),
}

/// A rebalancing that launched a member and has not yet ended another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Evening {
    No,
    Launching,
    Waiting(Inst),
}

/// Why a member left: for DescribeScalingActivities.
#[derive(Clone, Debug)]
pub(crate) struct Departure {
    pub(crate) instance: InstanceId,
    pub(crate) at: Timestamp,
    pub(crate) by_request_with_decrement: bool,
}

/// One group.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no facts of a group, under AWS's names")]
pub struct Group {
    /// Its name and place.
    pub key: GroupKey,
    /// MinSize.
    pub min: u32,
    /// MaxSize.
    pub max: u32,
    /// DesiredCapacity.
    pub desired: u32,
    /// What the owner's side set, without the engine's attaches.
    pub owner_desired: u32,
    /// The MaxSize that the owner's side set last.
    pub owner_max: u32,
    /// Zones, by number in the market.
    pub zones: Vec<u16>,
    /// Its template's type; `None` where the catalogue does not know it.
    pub kind: Option<TypeId>,
    /// Its template's operating system.
    pub product: Product,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Suspended processes.
    pub suspended: BTreeSet<Process>,
    /// What policy says of it.
    pub policy: PolicyShape,
    pub(crate) at: GroupRef,
    pub(crate) site: u32,
    pub(crate) members: Vec<Inst>,
    pub(crate) kind_name: String,
    pub(crate) source: SourceShape,
    pub(crate) template: TemplateId,
    pub(crate) version: u32,
    pub(crate) overrides: Vec<TypeId>,
    pub(crate) image: ImageShape,
    pub(crate) arch: Arch,
    pub(crate) virtualization: Virtualization,
    pub(crate) target_groups: Vec<TargetGroupArn>,
    pub(crate) load_balancers: Vec<BalancerName>,
    pub(crate) cluster: Option<(ClusterName, EcsShape)>,
    pub(crate) new_protected: bool,
    pub(crate) grace: Span,
    pub(crate) warmup: Span,
    pub(crate) warm_pool: bool,
    pub(crate) launch_hook: bool,
    pub(crate) terminate_hook: bool,
    pub(crate) hook_name: String,
    pub(crate) stack_updating: Option<Window>,
    pub(crate) operator: bool,
    pub(crate) cluster_placement: bool,
    pub(crate) dedicated: bool,
    pub(crate) reserved: bool,
    pub(crate) refresh_until: Option<Timestamp>,
    pub(crate) owner: OwnerShape,
    pub(crate) passing: Vec<(Timestamp, Passing)>,
    pub(crate) chance: Stream,
    pub(crate) owner_chance: Stream,
    pub(crate) scale_due: bool,
    pub(crate) uneven_since: Option<Timestamp>,
    pub(crate) evening: Evening,
    pub(crate) departures: VecDeque<Departure>,
}

/// Departures that a group remembers; the calls that ask look back some minutes only.
const DEPARTURES_MAX: usize = 100;

impl Group {
    /// Members, in the order in which they came.
    #[must_use]
    pub fn members(&self) -> &[Inst] {
        &self.members
    }

    /// The process is suspended.
    #[must_use]
    pub fn is_suspended(&self, process: Process) -> bool {
        self.suspended.contains(&process)
    }

    /// The owner's side changes desired by `by`, within min and max; whether anything changed. What it wants follows,
    /// and stays within min and max as well: there a scale-in takes back what the engine's attach had added.
    pub(crate) fn owner_moves(&mut self, by: i32) -> bool {
        // An owner's automation keeps to its own MaxSize: room that only the engine's raising made is not its to use.
        let own = i32::try_from(self.owner_max.saturating_sub(self.owner_desired)).unwrap_or(i32::MAX);
        let to = self.desired.saturating_add_signed(by.min(own)).clamp(self.min, self.max);
        let moved = i64::from(to) - i64::from(self.desired);
        self.desired = to;
        let wanted = u32::try_from((i64::from(self.owner_desired) + moved).max(0)).unwrap_or(u32::MAX);
        self.owner_desired = wanted.min(self.owner_max).max(self.min);
        moved != 0
    }

    /// The owner's side takes a member out with decrement: where it is the newcomer of a swap in flight, this takes
    /// back the engine's attach and nothing else.
    pub(crate) fn owner_takes(&mut self, newcomer: bool) -> bool {
        if newcomer && self.desired > self.owner_desired {
            self.desired -= 1;
            return true;
        }
        self.owner_moves(-1)
    }

    /// The owner's side sets min, or max, or both; desired follows, and may lose what the engine's attach had added.
    pub(crate) fn owner_resizes(&mut self, min: Option<u32>, max: Option<u32>) {
        // Setting what stands changes nothing, and nobody can see that it was asked for.
        if let Some(max) = max.filter(|max| *max != self.max) {
            (self.max, self.owner_max) = (max, max);
        }
        self.min = min.unwrap_or(self.min).min(self.max);
        self.owner_desired = self.owner_desired.min(self.owner_max).clamp(self.min, self.max);
        self.desired = self.desired.clamp(self.min, self.max);
    }

    pub(crate) fn departed(&mut self, departure: Departure) {
        if self.departures.len() == DEPARTURES_MAX {
            self.departures.pop_front();
        }
        self.departures.push_back(departure);
    }

    /// Most members while zones are being evened: a tenth over max, at least one.
    pub(crate) fn max_while_evening(&self) -> u32 {
        self.max + (self.max / 10).max(1)
    }

    pub(crate) fn refreshes(&self, now: Timestamp) -> bool {
        self.refresh_until.is_some_and(|until| now < until)
    }
}
