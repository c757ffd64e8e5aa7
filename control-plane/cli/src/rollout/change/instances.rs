//! Instances of a set: where they are missing, failed, or too many.

use std::collections::{BTreeMap, BTreeSet};

use spothub_aws::UnitId;
use spothub_aws::stacks::{Filter, Health, Instance, SetSeen, Spot, Targets, sides};
use spothub_core::id::{AccountId, Region};

use super::{Act, Change, Thing, Why};
use crate::rollout::desired::SetWish;

/// Units in one call: the API's most.
const UNITS_MAX: usize = 50;
/// Accounts that are named in one call; where it is about more, all of the units are meant.
const ACCOUNTS_MAX: usize = 500;
/// Reasons that a plan shows.
const REASONS_MAX: usize = 3;

/// Changes of a set's instances: those on the way in, and those on the way out. `act` is what is done with the set.
pub(super) fn changes(wish: &SetWish, seen: Option<&SetSeen>, act: Act) -> (Vec<Change>, Vec<Change>) {
    let none = Vec::new();
    let there = seen.map_or(&none, |seen| &seen.instances);
    if matches!(act, Act::Blocked | Act::Wait) {
        return (Vec::new(), Vec::new());
    }
    let known: BTreeSet<Spot> = there.iter().map(spot).collect();
    let mut found = deploys(wish, seen, &wish.spots.difference(&known).cloned().collect());
    // An update of the set comes to all of them anyway.
    if act == Act::Keep {
        let failed: Vec<&Instance> =
            there.iter().filter(|one| wish.keeps(one) && one.health == Health::Outdated).collect();
        found.extend(retries(wish, &failed));
    }
    let lost: Vec<String> =
        there.iter().filter(|one| wish.keeps(one) && one.health == Health::Inoperable).map(told).collect();
    if !lost.is_empty() {
        let (units, accounts, regions) = Default::default();
        let targets = Targets { units, accounts, filter: Filter::All, regions };
        found.push(of(wish, Act::Blocked, targets, BTreeSet::new(), vec![Why::Inoperable(lost)]));
    }
    (found, withdrawals(wish, seen, there))
}

fn spot(instance: &Instance) -> Spot {
    (instance.account, instance.region.clone())
}

fn told(instance: &Instance) -> String {
    format!("{} {}", instance.account, instance.region)
}

fn of(wish: &SetWish, act: Act, targets: Targets, spots: BTreeSet<Spot>, why: Vec<Why>) -> Change {
    Change { part: wish.part, thing: Thing::Instances { name: wish.name.clone(), targets, spots }, act, why }
}

/// Units that a set is deployed to: as it says, or as its instances do.
fn units(seen: Option<&SetSeen>) -> BTreeSet<UnitId> {
    let Some(seen) = seen else { return BTreeSet::new() };
    if !seen.deployed.units.is_empty() {
        return seen.deployed.units.clone();
    }
    seen.instances.iter().filter_map(|one| one.unit.clone()).collect()
}

/// The same change for all units, at most so many in a call; without units one for the accounts.
fn each(
    wish: &SetWish,
    all: &BTreeSet<UnitId>,
    act: Act,
    at: &Targets,
    spots: &BTreeSet<Spot>,
    why: &[Why],
) -> Vec<Change> {
    if all.is_empty() {
        return vec![of(wish, act, at.clone(), spots.clone(), why.to_vec())];
    }
    let all: Vec<&UnitId> = all.iter().collect();
    let one = |some: &[&UnitId]| {
        let targets = Targets { units: some.iter().copied().cloned().collect(), ..at.clone() };
        of(wish, act, targets, spots.clone(), why.to_vec())
    };
    all.chunks(UNITS_MAX).map(one).collect()
}

/// Accounts by name, where they are few enough; else all that the file says.
fn named(wish: &SetWish, accounts: BTreeSet<AccountId>, regions: BTreeSet<Region>) -> Targets {
    let units = BTreeSet::new();
    if wish.units.is_empty() {
        return Targets { units, accounts, filter: Filter::All, regions };
    }
    let whole = accounts.len() > ACCOUNTS_MAX || wish.spots.iter().all(|(account, _)| accounts.contains(account));
    let (accounts, filter) = if whole { (wish.filtered.clone(), wish.filter) } else { (accounts, Filter::Only) };
    Targets { units, accounts, filter, regions }
}

fn deploys(wish: &SetWish, seen: Option<&SetSeen>, missing: &BTreeSet<Spot>) -> Vec<Change> {
    let fresh: BTreeSet<UnitId> = wish.units.difference(&units(seen)).cloned().collect();
    if !fresh.is_empty() {
        // Which accounts are below which unit is CloudFormation's business: what is missing elsewhere is seen after.
        let (accounts, regions) = (wish.filtered.clone(), wish.regions.clone());
        let at = Targets { units: BTreeSet::new(), accounts, filter: wish.filter, regions };
        let why = [Why::NewUnits(fresh.len()), Why::Missing(missing.len())];
        return each(wish, &fresh, Act::Deploy, &at, missing, &why);
    }
    if missing.is_empty() {
        return Vec::new();
    }
    let (accounts, regions) = sides(missing);
    let at = named(wish, accounts, regions);
    each(wish, &wish.units, Act::Deploy, &at, missing, &[Why::Missing(missing.len())])
}

fn retries(wish: &SetWish, failed: &[&Instance]) -> Vec<Change> {
    if failed.is_empty() {
        return Vec::new();
    }
    let said = |one: &&Instance| format!("{}: {}", told(one), one.reason.as_deref().unwrap_or("it is not said why"));
    let said: Vec<String> = failed.iter().take(REASONS_MAX).map(said).collect();
    let spots: BTreeSet<Spot> = failed.iter().map(|one| spot(one)).collect();
    let (accounts, regions) = sides(&spots);
    let at = named(wish, accounts, regions);
    each(wish, &wish.units, Act::Retry, &at, &spots, &[Why::Failed(spots.len(), said)])
}

fn withdrawals(wish: &SetWish, seen: Option<&SetSeen>, there: &[Instance]) -> Vec<Change> {
    let leaving: Vec<&Instance> = there.iter().filter(|one| !wish.keeps(one)).collect();
    if wish.units.is_empty() {
        return by_account(wish, &leaving);
    }
    let dropped: BTreeSet<UnitId> = units(seen).difference(&wish.units).cloned().collect();
    let of_dropped = |one: &Instance| one.unit.as_ref().is_some_and(|unit| dropped.contains(unit));
    let spots = |wanted: &dyn Fn(&Instance) -> bool| -> BTreeSet<Spot> {
        leaving.iter().filter(|one| wanted(one)).map(|one| spot(one)).collect()
    };
    let away = |units: &BTreeSet<UnitId>, spots: &BTreeSet<Spot>, accounts, filter, regions| {
        let at = Targets { units: BTreeSet::new(), accounts, filter, regions };
        each(wish, units, Act::Withdraw, &at, spots, &[Why::Unwanted(spots.len())])
    };
    let mut found = Vec::new();
    if !dropped.is_empty() {
        let some = spots(&of_dropped);
        let regions = if some.is_empty() { wish.regions.clone() } else { sides(&some).1 };
        found.extend(away(&dropped, &some, BTreeSet::new(), Filter::All, regions));
    }
    let some = spots(&|one| !of_dropped(one) && !wish.regions.contains(&one.region));
    if !some.is_empty() {
        found.extend(away(&wish.units, &some, BTreeSet::new(), Filter::All, sides(&some).1));
    }
    let some = spots(&|one| !of_dropped(one) && wish.regions.contains(&one.region));
    if !some.is_empty() {
        let (accounts, regions) = sides(&some);
        found.extend(away(&wish.units, &some, accounts, Filter::Only, regions));
    }
    found
}

/// Accounts that leave the same regions go together, so that nothing else is named.
fn by_account(wish: &SetWish, leaving: &[&Instance]) -> Vec<Change> {
    let mut regions = BTreeMap::<AccountId, BTreeSet<Region>>::new();
    for one in leaving {
        regions.entry(one.account).or_default().insert(one.region.clone());
    }
    let mut groups = BTreeMap::<BTreeSet<Region>, BTreeSet<AccountId>>::new();
    for (account, regions) in regions {
        groups.entry(regions).or_default().insert(account);
    }
    let one = |(regions, accounts): (BTreeSet<Region>, BTreeSet<AccountId>)| {
        let spots: BTreeSet<Spot> =
            accounts.iter().flat_map(|account| regions.iter().map(|region| (*account, region.clone()))).collect();
        let why = vec![Why::Unwanted(spots.len())];
        let targets = Targets { units: BTreeSet::new(), accounts, filter: Filter::All, regions };
        of(wish, Act::Withdraw, targets, spots, why)
    };
    groups.into_iter().map(one).collect()
}
