//! The books at the end of a run: the engine's ledger for what it launched, the usage that others caused, rolled up
//! and held against the simulator's own bill (INV-7).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use spothub_core::id::{AccountId, GroupKey, InstanceId, OuPath, Region, Site};
use spothub_core::time::{Span, Timestamp};
use spothub_hub::Books;
use spothub_usage::book::{self, Line, Page};
use spothub_usage::{Baseline, Level, Rollups, Scope, Slice, Subject, Sums, Usage};

use super::collect::{Collector, Metered};
use crate::bill::BillTotals;
use crate::laws::Violation;
use crate::record::GroupRef;
use crate::world::SharedWorld;

/// What the books say.
pub(super) struct Closed {
    pub(super) total: Sums,
    pub(super) by_account: BTreeMap<AccountId, Sums>,
    pub(super) violations: Vec<Violation>,
}

/// Closes the books at `end`.
pub(super) fn close(
    collector: &Collector,
    world: &SharedWorld,
    stored: &Books,
    start: Timestamp,
    end: Timestamp,
) -> Closed {
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
    let lines = in_force(stored, &mut broken);
    handed_over(stored, &mut broken);
    // One organizational unit after the other: no sum crosses them but the last one, and there is less to hold.
    for unit in units.values().collect::<BTreeSet<_>>() {
        let (mut rollups, mut slices) = (Rollups::default(), Vec::new());
        let mut book = |slice: Slice| {
            rollups.add(&slice);
            *booked.entry(slice.subject.instance.clone()).or_default() += Sums::of(&slice);
            slices.push(slice);
        };
        let own = |account: AccountId| units.get(&account) == Some(unit);
        for (account, line) in lines.iter().filter(|(account, _)| own(*account)) {
            let group = line.key(*account);
            if enabled.contains(&place(&group)) {
                ours(group, unit, line).into_iter().for_each(&mut book);
            }
        }
        for (id, metered) in collected.tally.others.iter().filter(|(_, metered)| own(metered.group.account)) {
            if enabled.contains(&metered.group) {
                let usage = theirs(id, metered, unit, start);
                usage.iter().flat_map(|usage| usage.slices(start, end)).for_each(&mut book);
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
    // What nobody saw running was launched just before access went, and forgotten by EC2 before it came back.
    let told = stored.usages.iter().filter(|usage| !usage.unseen && usage.launched_at.is_some());
    let seen: BTreeSet<&InstanceId> = told.map(|usage| &usage.instance).collect();
    let unknowable =
        |id: &InstanceId| account_of.get(id).is_some_and(|account| cut_off.contains(account)) && !seen.contains(id);
    compare(&booked, &bill, &unknowable, &mut broken);
    Closed { total, by_account, violations }
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

/// The lines that count after all pages; each account's sums of a day must be those of its pages.
fn in_force(stored: &Books, broken: &mut dyn FnMut(Option<GroupRef>, String)) -> Vec<(AccountId, Line)> {
    let mut days = BTreeMap::<(Timestamp, AccountId, &Region), Vec<Page>>::new();
    for page in &stored.pages {
        days.entry((book::day_of(page.hour), page.account, &page.region)).or_default().push(page.clone());
    }
    let sums: BTreeMap<_, _> = stored.days.iter().map(|day| ((day.day, day.account, &day.region), day)).collect();
    for (key, pages) in &days {
        if book::day(pages).as_ref() != sums.get(key).copied() {
            broken(None, format!("the sums of {} on {} are not those of its pages", key.1, book::day_spelled(key.0)));
        }
    }
    let mut lines = Vec::new();
    let mut hours = BTreeMap::<(Timestamp, AccountId), Vec<&Page>>::new();
    for page in &stored.pages {
        hours.entry((page.hour, page.account)).or_default().push(page);
    }
    for ((_, account), pages) in hours {
        lines.extend(book::in_force(pages).into_values().map(|line| (account, line)));
    }
    lines
}

/// What was handed over to be billed is what the pages say, for every hour that is closed; and none was left out.
fn handed_over(stored: &Books, broken: &mut dyn FnMut(Option<GroupRef>, String)) {
    let closed: Vec<Timestamp> = stored.closed.iter().map(|hour| hour.hour).collect();
    for two in closed.windows(2).filter(|two| two[0] + book::HOUR_LONG != two[1]) {
        broken(None, format!("hours {} and {} are closed, and none between", two[0], two[1]));
    }
    let mut nets = BTreeMap::<(Timestamp, AccountId), (i128, i64)>::new();
    let mut hours = BTreeMap::<(Timestamp, AccountId), Vec<&Page>>::new();
    for page in stored.pages.iter().filter(|page| closed.contains(&page.hour)) {
        hours.entry((page.hour, page.account)).or_default().push(page);
    }
    for (key, pages) in hours {
        let lines = book::in_force(pages);
        let net = lines.values().filter_map(Line::sums).sum::<Sums>().saved().micros_floor();
        let time = lines.values().fold(Span::ZERO, |sum, line| sum + line.to.since(line.from));
        nets.insert(key, (net, time.as_secs()));
    }
    for row in &stored.hours {
        let told = row.entries.iter().fold((0, 0), |(net, seconds), entry| {
            (net + i128::from(entry.counts.net_micro_usd), seconds + entry.counts.instance_seconds)
        });
        let pages = nets.remove(&(row.hour, row.account)).unwrap_or_default();
        if closed.contains(&row.hour) && told != pages {
            broken(
                None,
                format!("{} in the hour of {}: {told:?} handed over, {pages:?} in pages", row.account, row.hour),
            );
        }
    }
    if let Some((hour, account)) = nets.keys().next() {
        broken(None, format!("{account} in the hour of {hour} is closed and was not handed over"));
    }
}

/// A line as a slice; what has no known price is in no sum.
fn ours(group: GroupKey, unit: &OuPath, line: &Line) -> Option<Slice> {
    let subject = Subject {
        group,
        unit: unit.clone(),
        instance: line.instance.clone(),
        kind: Arc::clone(&line.kind),
        az: line.az.clone(),
        lifecycle: line.lifecycle,
    };
    let (from, to, baseline) = (line.from, line.to, line.baseline);
    Some(Slice { subject: Arc::new(subject), from, to, actual: line.actual?, baseline })
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
