//! The books at the end of a run: the engine's ledger for what it launched, the usage that others caused, rolled up
//! and held against the simulator's own bill (INV-7).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use spothub_core::catalog::Catalog;
use spothub_core::id::{AccountId, GroupKey, InstanceId, OuPath, Site};
use spothub_core::time::{Span, Timestamp};
use spothub_hub::Life;
use spothub_usage::{Baseline, Level, Rollups, Scope, Subject, Sums, Usage};

use super::collect::{Collector, Metered};
use crate::bill::BillTotals;
use crate::laws::Violation;
use crate::record::GroupRef;
use crate::world::SharedWorld;

/// What the books say.
pub(super) struct Books {
    pub(super) total: Sums,
    pub(super) by_account: BTreeMap<AccountId, Sums>,
    pub(super) violations: Vec<Violation>,
}

/// Closes the books at `end`.
pub(super) fn close(
    collector: &Collector,
    world: &SharedWorld,
    lives: &[Life],
    start: Timestamp,
    end: Timestamp,
) -> Books {
    let units: BTreeMap<AccountId, OuPath> =
        world.lock().accounts().iter().map(|account| (account.id, account.ou.clone())).collect();
    let t = end.since(start).0;
    let mut violations = Vec::new();
    let mut broken = |group: Option<GroupRef>, text: String| {
        violations.push(Violation { law: "INV-7", t, group, text });
    };
    let mut booked: BTreeMap<InstanceId, Sums> = BTreeMap::new();
    let mut by_account = BTreeMap::new();
    let mut total = Sums::ZERO;
    let collected = collector.lock();
    let enabled = &collected.tally.ever_enabled;
    // One organizational unit after the other: no sum crosses them but the last one, and there is less to hold.
    for unit in units.values().collect::<BTreeSet<_>>() {
        let (mut rollups, mut slices) = (Rollups::default(), Vec::new());
        let mut book = |usage: &Usage| {
            for slice in usage.slices(start, end) {
                rollups.add(&slice);
                *booked.entry(slice.subject.instance.clone()).or_default() += Sums::of(&slice);
                slices.push(slice);
            }
        };
        let own = |account: AccountId| units.get(&account) == Some(unit);
        for life in lives.iter().filter(|life| own(life.usage.group.site.account)) {
            if enabled.contains(&place(&life.usage.group)) {
                ours(life, unit).iter().for_each(&mut book);
            }
        }
        for (id, metered) in collected.tally.others.iter().filter(|(_, metered)| own(metered.group.account)) {
            if enabled.contains(&metered.group) {
                theirs(id, metered, unit, start).iter().for_each(&mut book);
            }
        }
        if let Err(difference) = rollups.equals(&slices) {
            broken(None, difference.to_string());
        }
        total += rollups.total();
        for (scope, sums) in rollups.totals(Level::Account) {
            if let Scope::Account(id) = scope {
                by_account.insert(id, sums);
            }
        }
    }
    let bill = collected.bill.close(t);
    let account_of = &collected.tally.launched;
    let cut_off = cut_off(world);
    let seen: BTreeSet<&InstanceId> = lives.iter().filter(|l| !l.usage.unseen).map(|l| &l.usage.instance).collect();
    let unknowable =
        |id: &InstanceId| account_of.get(id).is_some_and(|account| cut_off.contains(account)) && !seen.contains(id);
    compare(&booked, &bill, &unknowable, &mut broken);
    Books { total, by_account, violations }
}

/// Accounts that could not be reached for a part of the run.
fn cut_off(world: &SharedWorld) -> BTreeSet<AccountId> {
    let world = world.lock();
    let gone = world.accounts().iter().filter(|a| a.unreachable.is_some() || a.denied.is_some() || !a.active);
    gone.map(|a| a.id).collect()
}

/// Usage that others caused, as their bill tells it.
fn theirs(id: &InstanceId, metered: &Metered, unit: &OuPath, start: Timestamp) -> Option<Usage> {
    let subject = Subject {
        group: key(&metered.group),
        unit: unit.clone(),
        instance: id.clone(),
        kind: metered.kind.as_str().into(),
        az: metered.az.clone(),
        lifecycle: metered.lifecycle,
    };
    let at = |t: i64| start + Span(t);
    let (first, price) = *metered.prices.first()?;
    let mut usage = Usage::new(Arc::new(subject), at(first), price, Baseline::Own);
    for (t, price) in metered.prices.iter().skip(1) {
        usage.reprice(at(*t), *price);
    }
    usage.end = metered.end.map(at);
    Some(usage)
}

fn ours(life: &Life, unit: &OuPath) -> Option<Usage> {
    let usage = &life.usage;
    let subject = Subject {
        group: usage.group.clone(),
        unit: unit.clone(),
        instance: usage.instance.clone(),
        kind: Catalog::in_use().get(usage.kind).name.clone(),
        az: usage.az.clone(),
        lifecycle: usage.lifecycle,
    };
    let start = usage.launched_at?;
    let (_, price) = *life.prices.first()?;
    let baseline = Baseline::Replaced { price: usage.baseline, from: usage.replaced_at };
    let mut booked = Usage::new(Arc::new(subject), start, price, baseline);
    for (at, price) in life.prices.iter().skip(1) {
        booked.reprice(*at, *price);
    }
    booked.end = usage.ended_at;
    Some(booked)
}

/// Differences named at most: the first ones show the kind.
const NAMED_MAX: usize = 5;

/// Holds the ledger against the bill, instance by instance. `unknowable` says of which instances nobody could have
/// seen the end: their account could not be reached while EC2 still knew it.
fn compare(
    booked: &BTreeMap<InstanceId, Sums>,
    bill: &BillTotals,
    unknowable: &dyn Fn(&InstanceId) -> bool,
    broken: &mut dyn FnMut(Option<GroupRef>, String),
) {
    let known = bill.by_instance.iter().filter(|(id, _)| !unknowable(id));
    let differ = known.filter(|(id, line)| {
        let sums = booked.get(id).copied().unwrap_or_default();
        (sums.actual, sums.on_demand) != (line.actual, line.on_demand)
    });
    let strangers = booked.keys().filter(|id| !bill.by_instance.contains_key(*id));
    for id in strangers.take(NAMED_MAX) {
        broken(None, format!("{id} is in the ledger and not on the bill"));
    }
    for (id, line) in differ.take(NAMED_MAX) {
        let sums = booked.get(id).copied().unwrap_or_default();
        broken(
            None,
            format!(
                "{id}: ledger {} actual {} on demand over {}, bill {} and {} over {}",
                sums.actual, sums.on_demand, sums.time, line.actual, line.on_demand, line.run
            ),
        );
    }
}

fn place(group: &GroupKey) -> GroupRef {
    GroupRef { account: group.site.account, region: group.site.region.clone(), group: group.name.clone() }
}

fn key(group: &GroupRef) -> GroupKey {
    GroupKey { site: Site { account: group.account, region: group.region.clone() }, name: group.group.clone() }
}
