//! The Auto Scaling service and the life of instances.

use std::sync::{Arc, Mutex};

use spothub_core::catalog::{Catalog, TypeId};
use spothub_core::fault::{Conflict, Fault};
use spothub_core::group::{MemberState, Process};
use spothub_core::id::{AccountId, GroupKey, InstanceId, Region, Site, SwapId};
use spothub_core::money::UsdPerHour;
use spothub_core::port::{Decrement, Launch, LaunchPool, Route};
use spothub_core::time::Span;

use super::*;
use crate::organization::Organization;
use crate::record::{Ended, InstanceStart, Membership};
use crate::shape::{GroupShape, OwnerShape, Shape, SourceShape};

/// Keeps all records for looking at.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<Record>>>);

impl Sink for Kept {
    fn take(&mut self, record: &Record) {
        lock(&self.0).push(record.clone());
    }
}

impl Kept {
    pub(crate) fn all(&self) -> Vec<Record> {
        lock(&self.0).clone()
    }

    pub(crate) fn starts(&self) -> Vec<InstanceStart> {
        let starts =
            self.all().into_iter().filter_map(|r| if let What::InstanceStart(s) = r.what { Some(*s) } else { None });
        starts.collect()
    }

    pub(crate) fn ends(&self) -> Vec<(InstanceId, Ended)> {
        let ends = self.all().into_iter().filter_map(|r| {
            if let What::InstanceEnd { instance_id, why } = r.what { Some((instance_id, why)) } else { None }
        });
        ends.collect()
    }

    pub(crate) fn last(&self) -> Membership {
        let mut all = self.all().into_iter().rev();
        all.find_map(|r| if let What::Membership(m) = r.what { Some(*m) } else { None }).unwrap()
    }
}

pub(crate) fn site() -> Site {
    Site { account: AccountId::from_number(1).unwrap(), region: "us-east-1".parse().unwrap() }
}

pub(crate) fn key() -> GroupKey {
    GroupKey { site: site(), name: "web".parse().unwrap() }
}

pub(crate) fn shape(edit: impl FnOnce(&mut GroupShape)) -> Shape {
    let region: Region = site().region;
    let account = AccountShape::new(site().account, "one", "/prod".parse().unwrap(), vec![region]);
    let mut group = GroupShape::new(site(), key().name, "m5.large", 3);
    edit(&mut group);
    let mut shape = Shape { accounts: vec![account], groups: vec![group], ..Shape::default() };
    shape.market.episodes_permille = 0;
    shape.market.dead_permille = 0;
    shape.market.hazard_ppm_per_hour = 0;
    shape
}

pub(crate) fn build(shape: &Shape, seed: u64) -> (Organization, Kept) {
    let kept = Kept::default();
    (Organization::new(shape, seed, vec![Box::new(kept.clone())]), kept)
}

pub(crate) fn kind(name: &str) -> TypeId {
    Catalog::embedded().by_name(name).unwrap()
}

pub(crate) fn swap() -> SwapId {
    SwapId::from_number(1, false)
}

/// Launches a Spot twin of the group's first member, and returns both.
pub(crate) fn launch(world: &mut World, token: &str) -> Result<(InstanceId, InstanceId), Fault> {
    let view = world.view(world.group(&key()).unwrap());
    let old = view.members[0].clone();
    let seen = world.instances_seen(&site(), std::slice::from_ref(&old.id));
    let source = world.template(&key(), &view.source)?.source;
    let pools =
        ["m5.large", "m5a.large", "m6i.large"].map(|name| LaunchPool { kind: kind(name), quoted: UsdPerHour(1) });
    let launch = Launch {
        group: &key(),
        token,
        source: &source,
        route: Route::Fleet,
        pools: &pools,
        az: &old.az,
        subnet: &seen[0].facts.subnet,
        product: Product::Linux,
        lifecycle: spothub_core::group::Lifecycle::Spot,
        max_price: UsdPerHour(96_000),
        swap: &swap(),
        replaces: &old.id,
    };
    Ok((old.id.clone(), world.request_launch(&launch)?.id))
}

fn group(world: &World) -> (u32, u32, u32) {
    let group = world.group(&key()).unwrap();
    (group.desired, group.owner_desired, group.max)
}

#[test]
fn a_swap_nets_out() {
    let (org, kept) = build(&shape(|_| ()), 1);
    let (old, new) = launch(&mut org.world.lock(), "t").unwrap();
    org.run_for(Span::mins(2));
    org.world.lock().request_attach(&key(), &new).unwrap();
    assert_eq!(group(&org.world.lock()), (4, 3, 6));
    assert_eq!(
        org.world.lock().request_attach(&key(), &new),
        Err(Fault::Conflict(Conflict::InstanceState(new.clone())))
    );
    org.run_for(Span::mins(1));
    assert_eq!((kept.last().in_service, kept.last().spot), (4, 1));
    org.world.lock().request_retire(&key(), &old, Decrement::Yes, &[swap()]).unwrap();
    let again = org.world.lock().request_retire(&key(), &old, Decrement::Yes, &[swap()]);
    assert_eq!(again, Err(Fault::Conflict(Conflict::InstanceState(old.clone()))));
    assert_eq!(group(&org.world.lock()), (3, 3, 6));
    org.run_for(Span::mins(3));
    assert_eq!((kept.last().in_service, kept.last().spot, kept.last().members.len()), (3, 1, 3));
    assert_eq!(kept.ends(), [(old.clone(), Ended::Retired)]);
    let gone = org.world.lock().request_retire(&key(), &old, Decrement::Yes, &[swap()]);
    assert_eq!(gone, Err(Fault::Gone));
    let start = kept.starts().pop().unwrap();
    assert_eq!((start.replaces, start.by, start.swap), (Some(old), By::Spothub, Some(swap())));
    assert_eq!(start.replaces_usd_per_hour, Some(UsdPerHour(96_000)));
    assert!(start.usd_per_hour < UsdPerHour(96_000));
}

#[test]
fn a_stand_in_for_ours_carries_the_first_price() {
    let (org, kept) = build(&shape(|g| g.kind = "m5.large".to_owned()), 1);
    let (_, first) = launch(&mut org.world.lock(), "t1").unwrap();
    let (old, subnet, az) = {
        let world = org.world.lock();
        let seen = world.instances.iter().find(|i| i.id == first).unwrap().clone();
        (seen.id.clone(), seen.facts.subnet.clone(), world.market.az(seen.zone).clone())
    };
    let mut world = org.world.lock();
    let source = world.template(&key(), &world.view(&world.groups[0]).source).unwrap().source;
    let pools = [LaunchPool { kind: kind("m6i.2xlarge"), quoted: UsdPerHour(1) }];
    let second = Launch {
        group: &key(),
        token: "t2",
        source: &source,
        route: Route::Fleet,
        pools: &pools,
        az: &az,
        subnet: &subnet,
        product: Product::Linux,
        lifecycle: spothub_core::group::Lifecycle::Spot,
        max_price: UsdPerHour(500_000),
        swap: &SwapId::from_number(2, true),
        replaces: &old,
    };
    world.request_launch(&second).unwrap();
    drop(world);
    let start = kept.starts().pop().unwrap();
    assert_eq!((start.kind.as_str(), start.replaces), ("m6i.2xlarge", Some(first)));
    assert_eq!(start.replaces_usd_per_hour, Some(UsdPerHour(96_000)));
}

#[test]
fn an_attached_instance_that_dies_while_pending_is_replaced() {
    let (org, kept) = build(&shape(|_| ()), 1);
    let (_, new) = launch(&mut org.world.lock(), "t").unwrap();
    org.run_for(Span::mins(2));
    let mut world = org.world.lock();
    world.request_attach(&key(), &new).unwrap();
    let inst = world.find(&new).unwrap();
    world.end(inst);
    drop(world);
    org.run_for(Span::mins(5));
    assert_eq!((kept.last().in_service, kept.last().spot, kept.last().desired), (4, 0, 4));
}

#[test]
fn a_group_whose_launch_fails_says_so_and_tries_again() {
    let (org, kept) = build(&shape(|_| ()), 1);
    {
        let mut world = org.world.lock();
        world.faults.launch_fails_ppm = 700_000;
        world.groups[0].owner_moves(3);
        world.scale_soon(0);
    }
    org.run_for(Span::mins(30));
    assert_eq!(kept.last().in_service, 6);
}

#[test]
fn attach_is_refused_at_max_and_while_launch_is_suspended() {
    let (org, _) = build(&shape(|g| g.max = 3), 1);
    let (_, new) = launch(&mut org.world.lock(), "t").unwrap();
    let early = org.world.lock().request_attach(&key(), &new);
    assert_eq!(early, Err(Fault::Conflict(Conflict::InstanceState(new.clone()))));
    org.run_for(Span::mins(2));
    let mut world = org.world.lock();
    assert_eq!(world.request_attach(&key(), &new), Err(Fault::Conflict(Conflict::AtMax)));
    world.request_max(&key(), 4).unwrap();
    assert_eq!((world.groups[0].max, world.groups[0].owner_max), (4, 3));
    world.groups[0].suspended.insert(Process::Launch);
    assert_eq!(world.request_attach(&key(), &new), Err(Fault::Conflict(Conflict::LaunchSuspended)));
    world.groups[0].suspended.clear();
    world.request_attach(&key(), &new).unwrap();
    // Lowering max below desired takes back what the attach added, and the owner's wish stays.
    world.request_max(&key(), 3).unwrap();
    assert_eq!(group(&world), (3, 3, 3));
}

#[test]
fn a_decrement_below_min_is_refused() {
    let (org, _) = build(&shape(|g| g.min = 3), 1);
    let mut world = org.world.lock();
    let id = world.view(&world.groups[0]).members[0].id.clone();
    let refused = world.request_retire(&key(), &id, Decrement::Yes, &[]);
    assert_eq!(refused, Err(Fault::Conflict(Conflict::AtMin)));
    world.request_retire(&key(), &id, Decrement::No, &[]).unwrap();
    assert_eq!(group(&world), (3, 3, 6));
    drop(world);
    org.run_for(Span::mins(5));
    let world = org.world.lock();
    assert_eq!(world.alive(0).count(), 3);
}

#[test]
fn owners_move_desired_and_what_they_want_together() {
    let (org, _) = build(&shape(|g| g.max = 4), 1);
    let (_, new) = launch(&mut org.world.lock(), "t").unwrap();
    org.run_for(Span::mins(2));
    let mut world = org.world.lock();
    world.request_attach(&key(), &new).unwrap();
    assert!(!world.groups[0].owner_moves(1), "the attach took the last place below max");
    assert!(world.groups[0].owner_moves(-2));
    assert_eq!(group(&world), (2, 1, 4));
    assert!(world.groups[0].owner_moves(2));
    assert_eq!(group(&world), (4, 3, 4));
    assert!(world.groups[0].owner_takes(true));
    assert_eq!(group(&world), (3, 3, 4), "who takes the newcomer out takes our attach back");
    world.groups[0].desired += 1;
    world.groups[0].owner_resizes(None, Some(3));
    assert_eq!(group(&world), (3, 3, 3), "a lowered max absorbs what the attach added");
}

#[test]
fn the_group_keeps_desired_and_spares_protected_members() {
    let (org, kept) = build(&shape(|g| g.protected = 2), 1);
    let protected: Vec<InstanceId> = kept.last().members.iter().filter(|m| m.protected).map(|m| m.id.clone()).collect();
    {
        let mut world = org.world.lock();
        world.groups[0].owner_moves(3);
        world.scale_soon(0);
    }
    org.run_for(Span::mins(3));
    assert_eq!(kept.last().in_service, 6);
    {
        let mut world = org.world.lock();
        world.groups[0].owner_moves(-6);
        world.scale_soon(0);
    }
    org.run_for(Span::mins(5));
    let left: Vec<InstanceId> = kept.last().members.iter().map(|m| m.id.clone()).collect();
    assert_eq!(left, protected, "only the protected ones are left");
    assert!(kept.ends().iter().all(|e| e.1 == Ended::ScaleIn));
}

#[test]
fn a_dead_or_failing_member_is_replaced_unless_that_is_suspended() {
    for suspended in [None, Some(Process::ReplaceUnhealthy), Some(Process::HealthCheck), Some(Process::Launch)] {
        let (org, kept) = build(&shape(|g| g.suspended.extend(suspended)), 1);
        {
            let mut world = org.world.lock();
            let (dead, failing) = (world.groups[0].members[0], world.groups[0].members[1]);
            world.shut_down(dead, Ended::Owner);
            world.on_fail_now(failing);
        }
        org.run_for(Span::mins(6));
        let serving = if suspended.is_none() { 3 } else { 1 };
        let counted = if suspended == Some(Process::HealthCheck) { 3 } else { serving };
        assert_eq!(kept.last().in_service, counted, "{suspended:?}");
        let replaced = kept.ends().iter().any(|e| e.1 == Ended::Unhealthy);
        assert_eq!(replaced, matches!(suspended, None | Some(Process::Launch)), "{suspended:?}");
    }
}

#[test]
fn uneven_zones_are_evened_launch_first() {
    let (org, kept) = build(&shape(|g| g.spread = vec![3, 0, 0]), 1);
    org.run_for(Span::mins(40));
    let mut most = 0;
    for record in kept.all() {
        if let What::Membership(m) = record.what {
            most = most.max(m.members.len());
            assert!(m.in_service >= 3, "it launches first");
        }
    }
    assert_eq!(most, 4);
    let world = org.world.lock();
    let zones: std::collections::BTreeSet<u16> = world.members(&world.groups[0]).map(|i| i.zone).collect();
    assert!(zones.len() >= 2);
    assert_eq!(group(&world), (3, 3, 6));
    let (org, kept) = build(
        &shape(|g| {
            g.spread = vec![3, 0, 0];
            g.suspended.insert(Process::AZRebalance);
        }),
        1,
    );
    org.run_for(Span::mins(40));
    assert_eq!(kept.ends(), []);
}

#[test]
fn a_refresh_replaces_members_of_another_version() {
    let (org, kept) = build(&shape(|g| g.older = 2), 1);
    org.world.lock().begin_refresh(0, Span::mins(30));
    assert!(org.world.lock().extras(&key()).unwrap().refresh_active);
    org.run_for(Span::mins(29));
    assert_eq!(kept.ends().len(), 2);
    let world = org.world.lock();
    assert!(world.members(&world.groups[0]).all(|i| i.version == Some(2)));
    drop(world);
    org.run_for(Span::mins(3));
    assert!(!org.world.lock().extras(&key()).unwrap().refresh_active);
}

#[test]
fn windows_takes_ten_minutes_to_pass_its_checks() {
    let shape = shape(|g| g.product = Product::Windows);
    let (org, kept) = build(&shape, 1);
    org.world.lock().groups[0].owner_moves(1);
    org.world.lock().scale_soon(0);
    org.run_for(Span::mins(9));
    let id = kept.starts().pop().unwrap().instance_id;
    let state = |org: &Organization| org.world.lock().statuses(&site(), std::slice::from_ref(&id))[0].1;
    assert_eq!(state(&org), spothub_core::port::RunState::Running);
    org.run_for(Span::mins(6));
    assert_eq!(state(&org), spothub_core::port::RunState::Checked);
}

#[test]
fn a_type_without_the_disks_of_the_old_one_never_works() {
    let (org, _) = build(&shape(|g| g.kind = "m5d.large".to_owned()), 1);
    let (_, new) = launch(&mut org.world.lock(), "t").unwrap();
    org.run_for(Span::mins(3));
    let world = org.world.lock();
    assert_eq!(world.statuses(&site(), &[new])[0].1, spothub_core::port::RunState::Impaired);
}

#[test]
fn terminated_instances_are_forgotten_after_an_hour() {
    let (org, _) = build(&shape(|_| ()), 1);
    let (_, new) = launch(&mut org.world.lock(), "t").unwrap();
    org.run_for(Span::mins(1));
    org.world.lock().request_terminate(&site(), &new, false).unwrap();
    org.run_for(Span::mins(30));
    let managed = org.world.lock().managed(&site());
    assert_eq!(managed.len(), 1);
    assert_eq!(managed[0].state, spothub_core::port::RunState::Ended);
    assert!(managed[0].ended_at.is_some());
    org.run_for(Span::mins(40));
    assert!(org.world.lock().managed(&site()).is_empty());
    assert_eq!(org.world.lock().instances().len(), 3);
    assert_eq!(org.world.lock().request_terminate(&site(), &new, false), Err(Fault::Gone));
}

#[test]
fn orphans_of_this_hub_are_listed_and_those_of_another_are_not() {
    for this_hub in [true, false] {
        let orphans = crate::shape::OrphanShape { count: 2, this_hub };
        let (org, kept) = build(&shape(|g| g.orphans = Some(orphans)), 1);
        assert_eq!(org.world.lock().managed(&site()).len(), if this_hub { 2 } else { 0 });
        assert_eq!(kept.starts().iter().filter(|s| s.by == By::Owner).count(), 2);
    }
}

#[test]
fn mixed_groups_keep_half_on_spot_and_peculiarities_are_seen() {
    let edit = |g: &mut GroupShape| {
        (g.desired, g.source, g.owner_spot) = (4, SourceShape::Mixed, 2);
        (g.standby, g.launch_hook, g.warm_pool, g.operator) = (1, true, true, true);
    };
    let (org, kept) = build(&shape(edit), 1);
    assert_eq!((kept.last().spot, kept.last().on_demand), (2, 2));
    let world = org.world.lock();
    let view = world.view(&world.groups[0]);
    assert_eq!(view.source, spothub_core::group::Source::Mixed);
    assert_eq!(view.members.iter().filter(|m| m.state == MemberState::Standby).count(), 1);
    assert!(view.warm_pool && view.operator);
    assert_eq!(world.extras(&key()).unwrap().launch_hooks.len(), 1);
}

fn busy(seed: u64) -> (Organization, Kept) {
    let mut shape = shape(|g| {
        g.desired = 6;
        g.max = 9;
        g.target_groups = 1;
        g.owner_spot = 2;
        g.owner = Some(OwnerShape::racing());
    });
    shape.market = MarketShape { episodes_permille: 4000, ..MarketShape::default() };
    build(&shape, seed)
}

#[test]
fn the_same_seed_gives_the_same_records_and_another_does_not() {
    let records = |seed| {
        let (org, kept) = busy(seed);
        org.run_for(Span::hours(12));
        kept.all()
    };
    let one = records(5);
    assert!(one.len() > 100);
    assert_eq!(one, records(5));
    assert_ne!(one, records(6));
}

#[test]
fn what_owners_do_keeps_the_books_and_ends_when_it_is_quiet() {
    for seed in 0..20 {
        let (org, kept) = busy(seed);
        let end = org.exec.now() + Span::hours(8);
        org.world.lock().quiet_at(end);
        org.run_for(Span::hours(9));
        for record in kept.all() {
            if let What::Membership(m) = record.what {
                assert_eq!(m.desired, m.owner_desired, "nobody attached anything");
                assert!(m.min <= m.desired && m.desired <= m.max);
            }
        }
        let last = kept.last();
        assert_eq!((last.in_service, last.suspended.len()), (last.desired, 0), "seed {seed}: {last:?}");
        assert!(last.members.iter().all(|m| m.state == "InService" && !m.protected));
        assert!(!last.tags.contains_key(TAG_ENABLED));
        let t = kept.all().last().map(|r| r.t).unwrap();
        assert!(t < Span::hours(9).0);
    }
}
