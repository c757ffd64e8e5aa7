//! What the records so far say of the world, under small numbers: groups, instances, swaps and looks.
//!
//! Knows records only and judges nothing; `facts/take.rs` reads the records in.

mod take;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Index;

use spothub_core::group::{Lifecycle, Process};
use spothub_core::id::{AccountId, GroupName, InstanceId, OuPath, Region, SwapId};
use spothub_core::lookup::Lookup;
use spothub_core::money::UsdPerHour;

use crate::record::{By, Ended, GroupRef};

/// Number of an account's region.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) struct SiteIx(u32);
/// Number of a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) struct GroupIx(pub(super) u32);
/// Number of an instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) struct InstanceIx(pub(super) u32);
/// Number of a swap or rescue.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) struct SwapIx(u32);

/// Everything known.
#[derive(Default)]
pub(super) struct Facts {
    /// The time of the record taken last.
    pub(super) now: i64,
    /// How many records were taken: tells apart what happened in the same millisecond.
    seq: u64,
    site_ix: BTreeMap<AccountId, BTreeMap<Region, SiteIx>>,
    instance_ix: Lookup<InstanceId, InstanceIx>,
    swap_ix: Lookup<SwapId, SwapIx>,
    sites: Vec<Site>,
    groups: Vec<Group>,
    instances: Vec<Instance>,
    swaps: Vec<Swap>,
    /// Swaps by choice from their first launch to their last record.
    pub(super) in_flight: BTreeSet<SwapIx>,
    /// How many of them each unit and each account has.
    in_flight_of: BTreeMap<Scope, u32>,
    /// Running instances of ours that are neither members, nor in a swap, nor released.
    pub(super) strays: BTreeSet<InstanceIx>,
}

/// One account in one region.
#[derive(Default)]
struct Site {
    groups: Lookup<GroupName, GroupIx>,
    looks: VecDeque<Look>,
    denied_at: Option<i64>,
}

/// One answered DescribeAutoScalingGroups.
struct Look {
    t: i64,
    seq: u64,
    /// The groups answered for; none for all of the site's.
    names: Vec<GroupName>,
}

/// One group.
pub(super) struct Group {
    pub(super) key: GroupRef,
    site: SiteIx,
    /// Its states, newest last: the present one, and as many before it as a look may still rest on.
    shots: VecDeque<Shot>,
    /// What policy said, newest last.
    policies: VecDeque<Policy>,
    /// Since when it is out of bounds for the engine, its reading time included.
    pub(super) closed_from: Option<i64>,
    /// Swaps and rescues without a last record.
    pub(super) open: Vec<SwapIx>,
    /// Swaps by choice that launched: of the last hour, and always the last one; oldest first.
    pub(super) launched: VecDeque<SwapIx>,
    /// Swaps that ended stranded because access was gone: what they left is not ours to mend.
    pub(super) stranded: i64,
    /// Our attaches that an owner's lower MaxSize took back in the moment between our last look and our own taking
    /// back: AWS knows no call on a condition, so both count, and nobody could have known.
    pub(super) crossed: u32,
    /// What we changed and did not change back.
    pub(super) touched: Touched,
}

/// Changes of ours to a group that still stand.
#[derive(Default)]
pub(super) struct Touched {
    /// Processes that we suspended.
    pub(super) suspended: BTreeSet<Process>,
    /// MinSize before we changed it.
    pub(super) min: Option<u32>,
    /// Members whose protection we changed, with what it was.
    pub(super) protection: BTreeMap<InstanceIx, bool>,
}

/// A group's state at one time.
pub(super) struct Shot {
    t: i64,
    seq: u64,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) owner_max: u32,
    pub(super) desired: u32,
    pub(super) owner_desired: u32,
    pub(super) in_service: u32,
    pub(super) on_demand: u32,
    suspended: Vec<Process>,
    /// In order of the instance's number.
    pub(super) seats: Box<[Seat]>,
}

/// One member of a group at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) instance: InstanceIx,
    state: State,
    healthy: bool,
    pub(super) protected: bool,
}

/// A member's state, as far as the laws tell them apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    InService,
    Away,
    Other,
}

/// What policy says of a group from some time on.
#[derive(Clone)]
pub(super) struct Policy {
    from: i64,
    pub(super) interval_ms: i64,
    pub(super) floor_number: u32,
    pub(super) floor_percent: u8,
    pub(super) in_flight_max: [u32; 3],
    pub(super) share_percent: u8,
    /// Age from which a member that we brought may move for its price.
    pub(super) moves_after_ms: Option<i64>,
    pub(super) ou: OuPath,
}

/// One instance.
pub(super) struct Instance {
    pub(super) id: InstanceId,
    pub(super) group: Option<GroupIx>,
    pub(super) by: By,
    pub(super) lifecycle: Lifecycle,
    pub(super) started: i64,
    /// The most that it ever cost an hour.
    pub(super) dearest: UsdPerHour,
    pub(super) ended: Option<(i64, Ended)>,
    pub(super) noticed: bool,
    /// AWS recommended to replace it.
    pub(super) recommended: bool,
    pub(super) swap: Option<SwapIx>,
    /// The group that lists it now.
    pub(super) member_of: Option<GroupIx>,
    /// It was listed by a group at some time.
    pub(super) was_member: bool,
    /// When it last left a group.
    pub(super) left: Option<(i64, GroupIx)>,
    /// Since when the owner keeps it away from its group, though it was attached once.
    pub(super) released: Option<i64>,
    /// Since when it was last a stray.
    pub(super) stray_since: Option<i64>,
}

/// One swap or rescue.
pub(super) struct Swap {
    pub(super) id: SwapId,
    pub(super) group: Option<GroupIx>,
    /// Its first sign in the records.
    pub(super) first: i64,
    /// When its first newcomer began.
    pub(super) launched: Option<i64>,
    /// It counts as a swap: no rescue, or one of an instance that AWS neither announced to take nor took.
    pub(super) by_choice: bool,
    /// Its last record, and whether that was `done`.
    pub(super) closed: Option<(i64, Close)>,
    newcomers: Vec<InstanceIx>,
    /// Where it was counted as in flight.
    scopes: Vec<Scope>,
}

/// What has a budget of its own, beside the organization.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) enum Scope {
    /// An organizational unit.
    Unit(OuPath),
    /// An account.
    Account(AccountId),
}

/// How a swap ended, as far as the laws tell it apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Close {
    Done,
    Stranded,
    Otherwise,
}

impl Seat {
    /// In service and healthy.
    pub(super) fn serves(self) -> bool {
        self.in_service() && self.healthy
    }

    /// In service, healthy or not.
    fn in_service(self) -> bool {
        self.state == State::InService
    }
}

impl Shot {
    pub(super) fn seat(&self, instance: InstanceIx) -> Option<&Seat> {
        self.seats.binary_search_by_key(&instance, |s| s.instance).ok().and_then(|i| self.seats.get(i))
    }
}

impl Group {
    /// Its state now, once one is known.
    pub(super) fn shot(&self) -> Option<&Shot> {
        self.shots.back()
    }

    /// Whether the instance was in service just before `now`, or is.
    pub(super) fn served_lately(&self, instance: InstanceIx, now: i64) -> bool {
        let before = self.shots.partition_point(|s| s.t < now).saturating_sub(1);
        self.shots.iter().skip(before).any(|s| s.seat(instance).is_some_and(|seat| seat.in_service()))
    }

    /// The most that the owner wanted lately.
    pub(super) fn wanted_lately(&self) -> u32 {
        self.shots.iter().map(|s| s.owner_desired).max().unwrap_or(0)
    }

    /// What policy said at any time from `from` to `to`.
    pub(super) fn policies(&self, from: i64, to: i64) -> impl Iterator<Item = &Policy> {
        let first = self.policies.partition_point(|p| p.from <= from).saturating_sub(1);
        self.policies.iter().skip(first).take_while(move |p| p.from <= to)
    }

    /// What policy says now.
    pub(super) fn policy(&self) -> Option<&Policy> {
        self.policies.back()
    }
}

impl Facts {
    /// Time has come this far without a record.
    pub(super) fn reach(&mut self, t: i64) {
        self.now = self.now.max(t);
    }

    pub(super) fn group(&self, key: &GroupRef) -> Option<GroupIx> {
        self.named(key.account, &key.region, &key.group)
    }

    pub(super) fn named(&self, account: AccountId, region: &Region, name: &GroupName) -> Option<GroupIx> {
        let site = *self.site_ix.get(&account)?.get(region)?;
        self.site(site)?.groups.get(name).copied()
    }

    pub(super) fn instance(&self, id: &InstanceId) -> Option<InstanceIx> {
        self.instance_ix.get(id).copied()
    }

    pub(super) fn swap(&self, id: &SwapId) -> Option<SwapIx> {
        self.swap_ix.get(id).copied()
    }

    /// All groups, with their numbers.
    pub(super) fn groups(&self) -> impl Iterator<Item = (GroupIx, &Group)> {
        (0..).map(GroupIx).zip(&self.groups)
    }

    /// The states that looks since `from` showed of a group, newest first, each with the time of the look.
    pub(super) fn looks(&self, group: GroupIx, from: i64) -> impl Iterator<Item = (i64, &Shot)> {
        let group = &self[group];
        let looks = self.site(group.site).map(|site| &site.looks);
        looks
            .into_iter()
            .flatten()
            .rev()
            .take_while(move |look| look.t >= from)
            .filter(|look| look.names.is_empty() || look.names.contains(&group.key.group))
            .filter_map(|look| {
                let after = group.shots.partition_point(|s| s.seq <= look.seq);
                group.shots.get(after.checked_sub(1)?).map(|shot| (look.t, shot))
            })
    }

    /// Whether fewer members were on demand than the floor asks for, at any time that looks may still show.
    pub(super) fn lacked_floor_lately(&self, group: &Group) -> bool {
        let floor = |shot: &Shot| {
            let of = |p: &Policy| p.floor_number.max((u32::from(p.floor_percent) * shot.owner_desired).div_ceil(100));
            group.policies(shot.t, self.now).map(of).max().unwrap_or(0)
        };
        group.shots.iter().any(|shot| shot.on_demand < floor(shot))
    }

    /// Rescues of the group that are under way.
    pub(super) fn rescues(&self, group: &Group) -> i64 {
        group.open.iter().map(|&s| i64::from(!self[s].by_choice)).sum()
    }

    /// Swaps in flight in the organization, and in the unit and the account of one of them.
    pub(super) fn in_flight_beside(&self, swap: SwapIx) -> [u32; 3] {
        let mut counts = [u32::try_from(self.in_flight.len()).unwrap_or(u32::MAX), 0, 0];
        for scope in &self[swap].scopes {
            let place = match scope {
                Scope::Unit(_) => 1,
                Scope::Account(_) => 2,
            };
            counts[place] = self.in_flight_of.get(scope).copied().unwrap_or(0);
        }
        counts
    }

    fn site(&self, ix: SiteIx) -> Option<&Site> {
        self.sites.get(ix.0 as usize)
    }
}

impl Index<GroupIx> for Facts {
    type Output = Group;
    fn index(&self, ix: GroupIx) -> &Group {
        &self.groups[ix.0 as usize]
    }
}

impl Index<InstanceIx> for Facts {
    type Output = Instance;
    fn index(&self, ix: InstanceIx) -> &Instance {
        &self.instances[ix.0 as usize]
    }
}

impl Index<SwapIx> for Facts {
    type Output = Swap;
    fn index(&self, ix: SwapIx) -> &Swap {
        &self.swaps[ix.0 as usize]
    }
}
