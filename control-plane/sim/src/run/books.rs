//! The books at the end of a run: the engine's ledger for what it launched, the usage that others caused, rolled up
//! and held against the simulator's own bill (INV-7).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use spothub_core::catalog::Catalog;
use spothub_core::group::Lifecycle;
use spothub_core::id::{AccountId, GroupKey, InstanceId, OuPath, Site};
use spothub_core::time::{Span, Timestamp};
use spothub_hub::Life;
use spothub_usage::{Baseline, Level, Rollups, Scope, Slice, Subject, Sums, Usage};

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
    let mut slices: Vec<Slice> = Vec::new();
    let mut rollups = Rollups::default();
    let units: BTreeMap<AccountId, OuPath> =
        world.lock().accounts().iter().map(|account| (account.id, account.ou.clone())).collect();
    let mut book = |usage: &Usage| {
        for slice in usage.slices(start, end) {
            rollups.add(&slice);
            slices.push(slice);
        }
    };
    let collected = collector.lock();
    let enabled = &collected.tally.ever_enabled;
    for usage in lives.iter().filter_map(|life| ours(life, &units)) {
        if enabled.contains(&place(&usage.subject.group)) {
            book(&usage);
        }
    }
    let others = collected.tally.others.iter().filter(|(_, metered)| enabled.contains(&metered.group));
    for usage in others.filter_map(|(id, metered)| theirs(id, metered, &units, start)) {
        book(&usage);
    }
    let bill = collected.bill.close(end.since(start).0);
    let account_of = collected.tally.launched.clone();
    drop(collected);
    let mut violations = Vec::new();
    let t = end.since(start).0;
    let mut broken = |group: Option<GroupRef>, text: String| {
        violations.push(Violation { law: "INV-7", t, group, text });
    };
    if let Err(difference) = rollups.equals(&slices) {
        broken(None, difference.to_string());
    }
    let cut_off = cut_off(world);
    let seen: BTreeSet<&InstanceId> = lives.iter().filter(|l| !l.usage.unseen).map(|l| &l.usage.instance).collect();
    let unknowable =
        |id: &InstanceId| account_of.get(id).is_some_and(|account| cut_off.contains(account)) && !seen.contains(id);
    compare(&slices, &bill, &unknowable, &mut broken);
    let by_account = rollups
        .totals(Level::Account)
        .into_iter()
        .filter_map(|(scope, sums)| if let Scope::Account(id) = scope { Some((id, sums)) } else { None })
        .collect();
    Books { total: rollups.total(), by_account, violations }
}

/// Accounts that could not be reached for a part of the run.
fn cut_off(world: &SharedWorld) -> BTreeSet<AccountId> {
    let world = world.lock();
    let gone = world.accounts().iter().filter(|a| a.unreachable.is_some() || a.denied.is_some() || !a.active);
    gone.map(|a| a.id).collect()
}

/// Usage that others caused, as their bill tells it.
fn theirs(id: &InstanceId, metered: &Metered, units: &BTreeMap<AccountId, OuPath>, start: Timestamp) -> Option<Usage> {
    let subject = Subject {
        group: key(&metered.group),
        unit: units.get(&metered.group.account)?.clone(),
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

fn ours(life: &Life, units: &BTreeMap<AccountId, OuPath>) -> Option<Usage> {
    let usage = &life.usage;
    let subject = Subject {
        group: usage.group.clone(),
        unit: units.get(&usage.group.site.account)?.clone(),
        instance: usage.instance.clone(),
        kind: Catalog::embedded().get(usage.kind).name.clone(),
        az: usage.az.clone(),
        lifecycle: Lifecycle::Spot,
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
    slices: &[Slice],
    bill: &BillTotals,
    unknowable: &dyn Fn(&InstanceId) -> bool,
    broken: &mut dyn FnMut(Option<GroupRef>, String),
) {
    let mut booked: BTreeMap<&InstanceId, Sums> = BTreeMap::new();
    for slice in slices {
        *booked.entry(&slice.subject.instance).or_default() += Sums::of(slice);
    }
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
