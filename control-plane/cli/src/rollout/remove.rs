//! `spothub rollout remove`: takes everything away, in the order in which nothing is left without what it needs.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use serde_json::json;
use spothub_aws::stacks::{Filter, Health, SetSeen, StackSeen, Targets, token};
use spothub_core::id::AccountId;
use spothub_core::port::Clock;
use spothub_core::time::Span;

use super::apply::told;
use super::ask::{Answer, whether};
use super::change::{Act, Change, Seen, Thing, Why};
use super::desired::{Desired, SetWish, StackWish};
use super::progress::Shown;
use super::template::Part;
use super::walk::{Halt, Walk};
use super::world::World;
use super::{begin, guard, settings};
use crate::args::{Format, RolloutRemove};
use crate::clock::WallClock;
use crate::output::rollout as table;
use crate::stop::Stop;
use crate::{Exit, Streams};

/// Workers read the brake before each launch, and see it within 5 s (INV-11); one more for the call that was under way.
const SEEN_WITHIN: Span = Span::secs(6);
/// Between two looks at how much is on Spot: a swap takes minutes.
const REVERT_LOOK: Span = Span::secs(5);
/// How long is waited for all of it: groups give one member after the other, so large ones need most of a day.
const REVERT_MAX: Span = Span::hours(24);
const UNKNOWN: &str = "whether swaps run or instances live is not known (--leave-spot removes without knowing)";

/// Takes it away.
pub(super) fn remove(args: &RolloutRemove, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let ended = begin(&args.asked.file, streams, async |world, streams| all(args, world, streams).await)?;
    Ok(ended.unwrap_or_else(|exit| exit))
}

async fn all(args: &RolloutRemove, mut world: World, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let (desired, seen) = world.look().await?;
    let due = steps(&desired, &seen);
    let path = settings::place(args.settings.as_deref(), &args.asked.file);
    if args.revert && !due.is_empty() {
        if whether(args.yes, "All that the hub brought onto Spot goes back to on-demand.", streams)? == Answer::No {
            return Ok(Exit::Usage);
        }
        if !reverted(&path, streams).await? {
            return Ok(Exit::Partly);
        }
    }
    if !args.leave_spot && !may_go(&path, (&seen, &desired), args.asked.output, streams).await? {
        return Ok(Exit::Usage);
    }
    if !due.is_empty() {
        write!(streams.err, "{}", table::plan(&due, streams.style))?;
        if whether(args.yes, "All of this will be taken away.", streams)? == Answer::No {
            return Ok(Exit::Usage);
        }
        if !stopped(args, &path, &reached(&seen, &desired), streams).await? {
            return Ok(Exit::Usage);
        }
    }
    let kept = seen.hub.as_ref().map(|hub| hub.outputs.clone()).unwrap_or_default();
    let stop = Stop::listen()?;
    let shown = Shown::new(&mut *streams.err, streams.progress);
    let mut walk = Walk::new(world, desired, seen, shown, stop);
    let halted = away(&mut walk).await.err();
    walk.shown.end();
    let Walk { desired, seen, failures, .. } = walk;
    let left = steps(&desired, &seen);
    let exit = match &halted {
        Some(Halt::Blind(_)) => Exit::Failed,
        None if left.is_empty() => Exit::Done,
        Some(_) | None => Exit::Partly,
    };
    match args.asked.output {
        Format::Json => {
            let told = json!({
                "good": exit == Exit::Done,
                "removed": table::json(&due),
                "failures": table::failures_json(&failures),
                "left": table::json(&left),
                "kept": table::kept_json(&kept, desired.hub.region.as_str()),
            });
            writeln!(streams.out, "{}", serde_json::to_string_pretty(&told)?)?;
        }
        Format::Table => {
            let region = desired.hub.region.as_str();
            write!(streams.out, "{}", table::removed(&due, &failures, &left, (&kept, region), streams.style))?;
        }
    }
    if exit != Exit::Done && !due.is_empty() && path.exists() {
        let remedy = "spothub resume --all --why TEXT, if it is to go on after all";
        writeln!(streams.err, "the hub stays paused, rescues too\n   = {remedy}")?;
    }
    if let Some(halt) = halted {
        told(halt, "spothub rollout remove", streams)?;
    }
    Ok(exit)
}

/// Sends everything back to on-demand and waits for it; `false` where it was told to stop, or waited for too long.
async fn reverted(path: &Path, streams: &mut Streams<'_>) -> anyhow::Result<bool> {
    guard::send_back(path).await?;
    let (stop, clock) = (Stop::listen()?, WallClock::default());
    let until = clock.now() + REVERT_MAX;
    let mut shown = Shown::new(&mut *streams.err, streams.progress);
    shown.begin("sending back to on-demand", 0);
    let done = loop {
        let left = guard::on_spot(path).await?;
        shown.status(&format!("{left} on Spot"));
        if left == 0 || clock.now() >= until {
            break left == 0;
        }
        let asked = tokio::select! {
            biased;
            () = stop.clone().asked() => true,
            () = clock.sleep_until(clock.now() + REVERT_LOOK) => false,
        };
        if asked {
            break false;
        }
    };
    shown.end();
    if !done {
        writeln!(
            streams.err,
            "not everything is back on demand, and the hub goes on with it; nothing was taken away\n   = run this \
             again, or end it with spothub resume --org --why TEXT; spothub status says what holds it up"
        )?;
    }
    Ok(done)
}

/// Whether nothing runs or lives that needs what is taken away.
async fn may_go(
    path: &Path,
    (seen, desired): (&Seen, &Desired),
    output: Format,
    streams: &mut Streams<'_>,
) -> anyhow::Result<bool> {
    let accounts = reached(seen, desired);
    if accounts.is_empty() {
        return Ok(true);
    }
    if !path.exists() {
        let path = path.display();
        writeln!(streams.err, "error: without the hub's settings ({path}) nobody can look for swaps and instances")?;
        writeln!(streams.err, "   = name them with --settings, or say --leave-spot where nothing of it is needed")?;
        return Ok(false);
    }
    let found = guard::findings(path, &accounts).await.context(UNKNOWN)?;
    refuse(&found, output, streams)
}

fn refuse(found: &[String], output: Format, streams: &mut Streams<'_>) -> anyhow::Result<bool> {
    if output == Format::Json && !found.is_empty() {
        writeln!(streams.out, "{}", json!({"good": false, "refused": found}))?;
    }
    for one in found {
        writeln!(streams.err, "error: {one}")?;
    }
    if !found.is_empty() {
        let remedy = "say --revert to send what is on Spot back first, or have its groups replace it (aws autoscaling \
                      start-instance-refresh); then pause the hub and wait until its swaps have ended. Or say \
                      --leave-spot: then they stay in their groups as they are, and nobody looks after them";
        writeln!(streams.err, "   = {remedy}\nnothing was begun")?;
    }
    Ok(found.is_empty())
}

/// Pulls the brake, and looks once more when workers have seen it: what they began meanwhile is there by then.
async fn stopped(
    args: &RolloutRemove,
    path: &Path,
    accounts: &BTreeSet<AccountId>,
    streams: &mut Streams<'_>,
) -> anyhow::Result<bool> {
    if !path.exists() {
        return Ok(true);
    }
    match guard::brake(path).await {
        Ok(_) if args.leave_spot => Ok(true),
        Ok(braked) => {
            if braked {
                writeln!(streams.err, "paused everything, and waits until workers have seen that")?;
                let clock = WallClock::default();
                clock.sleep_until(clock.now() + SEEN_WITHIN).await;
            }
            let found = guard::findings(path, accounts).await.context(UNKNOWN)?;
            if !found.is_empty() && braked {
                guard::release(path).await?;
            }
            refuse(&found, args.asked.output, streams)
        }
        // Who leaves everything behind does not need the store for that.
        Err(error) if args.leave_spot => {
            writeln!(streams.err, "the hub could not be paused first: {error:#}")?;
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// Accounts that have the role by which the hub looks at them. In a suspended one nothing runs, and nobody can look.
fn reached(seen: &Seen, desired: &Desired) -> BTreeSet<AccountId> {
    let instances = seen.sets[0].iter().flat_map(|set| &set.instances);
    let roles = instances.filter(|one| one.health != Health::Suspended).map(|instance| instance.account);
    let own = desired.own.iter().zip(&seen.own).filter(|(wish, is)| wish.part == Part::Global && is.is_some());
    roles.chain(own.map(|(wish, _)| wish.account)).collect()
}

/// What is there, in the order in which it is taken away: rules before the roles that they send with, and the hub at
/// last.
pub(super) fn steps(desired: &Desired, seen: &Seen) -> Vec<Change> {
    let mut found = Vec::new();
    for (wish, set) in desired.sets.iter().zip(&seen.sets).rev() {
        let Some(set) = set else { continue };
        if !set.instances.is_empty() {
            let (targets, spots) = everywhere(wish, set);
            let why = vec![Why::Unwanted(set.instances.len())];
            let thing = Thing::Instances { name: wish.name.clone(), targets, spots };
            found.push(Change { part: wish.part, thing, act: Act::Withdraw, why });
        }
    }
    for (wish, _) in desired.sets.iter().zip(&seen.sets).rev().filter(|(_, set)| set.is_some()) {
        let thing = Thing::Set { name: wish.name.clone() };
        found.push(Change { part: wish.part, thing, act: Act::Delete, why: Vec::new() });
    }
    let own = desired.own.iter().zip(&seen.own).rev();
    let hub = std::iter::once((&desired.hub, &seen.hub));
    found.extend(own.chain(hub).filter_map(|(wish, is)| is.as_ref().map(|is| gone(wish, is))));
    found
}

fn gone(wish: &StackWish, is: &StackSeen) -> Change {
    let (account, region, name) = (wish.account, wish.region.clone(), wish.name.clone());
    let why = vec![Why::Status(is.status.clone())];
    Change { part: wish.part, thing: Thing::Stack { account, region, name }, act: Act::Delete, why }
}

/// All instances of a set.
fn everywhere(wish: &SetWish, set: &SetSeen) -> (Targets, BTreeSet<(AccountId, spothub_core::id::Region)>) {
    let spots: BTreeSet<_> = set.instances.iter().map(|one| (one.account, one.region.clone())).collect();
    let (accounts, regions) = spothub_aws::stacks::sides(&spots);
    let mut units = set.deployed.units.clone();
    units.extend(set.instances.iter().filter_map(|one| one.unit.clone()));
    let service = !wish.units.is_empty();
    if service && units.is_empty() {
        units.extend(wish.units.iter().cloned());
    }
    let accounts = if service { BTreeSet::new() } else { accounts };
    let units = if service { units } else { BTreeSet::new() };
    (Targets { units, accounts, filter: Filter::All, regions }, spots)
}

/// The instances of a set that are in suspended accounts, where there are any.
fn suspended(wish: &SetWish, set: &SetSeen) -> Option<Targets> {
    let mut some = set.clone();
    some.instances.retain(|one| one.health == Health::Suspended);
    some.deployed.units.clear();
    if some.instances.is_empty() {
        return None;
    }
    let (targets, spots) = everywhere(wish, &some);
    if targets.units.is_empty() {
        return Some(targets);
    }
    let accounts = spots.into_iter().map(|(account, _)| account).collect();
    Some(Targets { accounts, filter: Filter::Only, ..targets })
}

/// Takes everything away, as far as it goes.
async fn away(walk: &mut Walk<'_>) -> Result<(), Halt> {
    for index in [1, 0] {
        if !withdraw(walk, index).await? {
            return Ok(());
        }
    }
    for index in [1, 0] {
        if walk.seen.sets[index].is_some() {
            let name = walk.desired.sets[index].name.clone();
            walk.shown.begin(&format!("deleting the stack set {name}"), 0);
            walk.delete_set(&name).await?;
            walk.world.look_at_set(&walk.desired, index, &mut walk.seen).await?;
        }
    }
    for index in (0..walk.desired.own.len()).rev() {
        if let Some(is) = walk.seen.own[index].clone() {
            let wish = walk.desired.own[index].clone();
            walk.seen.own[index] = delete_stack(walk, &wish, &is).await?;
        }
    }
    if let Some(is) = walk.seen.hub.clone() {
        let wish = walk.desired.hub.clone();
        walk.seen.hub = delete_stack(walk, &wish, &is).await?;
    }
    Ok(())
}

/// Takes away all instances of a set; `false` where some stay.
async fn withdraw(walk: &mut Walk<'_>, index: usize) -> Result<bool, Halt> {
    let Some(set) = walk.seen.sets[index].clone() else { return Ok(true) };
    if set.instances.is_empty() {
        return Ok(true);
    }
    let wish = walk.desired.sets[index].clone();
    let (targets, spots) = everywhere(&wish, &set);
    walk.shown.begin(&format!("withdrawing instances of {}", wish.name), spots.len());
    walk.withdrawn(&wish, &targets, Act::Withdraw).await?;
    walk.world.look_at_set(&walk.desired, index, &mut walk.seen).await?;
    if let Some(targets) = walk.seen.sets[index].as_ref().and_then(|set| suspended(&wish, set)) {
        walk.shown.line("  suspended accounts are given up: what they hold stays, and nothing in them works");
        walk.withdrawn(&wish, &targets, Act::Release).await?;
        walk.world.look_at_set(&walk.desired, index, &mut walk.seen).await?;
    }
    let left: Vec<_> = walk.seen.sets[index].iter().flat_map(|set| &set.instances).cloned().collect();
    for one in &left {
        let said = one.reason.clone().unwrap_or_else(|| one.health.label().to_owned());
        walk.failures.push(super::walk::Failure {
            what: format!("withdrawing {}", wish.name),
            place: Some((one.account, one.region.clone())),
            said,
        });
    }
    Ok(left.is_empty())
}

/// Deletes a stack, and tells how it stands where it stays.
async fn delete_stack(walk: &mut Walk<'_>, wish: &StackWish, is: &StackSeen) -> Result<Option<StackSeen>, Halt> {
    let what = format!("deleting the stack {} in {} {}", wish.name, wish.account, wish.region);
    walk.shown.begin(&what, 0);
    let place = Some((wish.account, wish.region.clone()));
    let stacks = walk.world.stacks_of(wish);
    let token = token(&[&is.id, "delete", &is.changed, &is.status]);
    if let Err(error) = stacks.delete(&is.id, &token).await {
        walk.failed(&what, place, &error);
        return Ok(Some(is.clone()));
    }
    if let Some(status) = walk.stack_gone(&stacks, &is.id).await? {
        let reasons = stacks.reasons(&is.id).await.unwrap_or_default();
        let said = format!("{status}: {}", reasons.join("; "));
        walk.shown.line(&format!("  failed: {said}"));
        walk.failures.push(super::walk::Failure { what, place, said });
        return Ok(stacks.find(&is.id).await?);
    }
    Ok(None)
}
