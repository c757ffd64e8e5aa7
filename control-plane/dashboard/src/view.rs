//! A snapshot as pages get it, cut to what the reader may see. Texts are data: pages never take them for markup.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use spothub_core::brake::{Brake, BrakeScope};
use spothub_core::breaker::State;
use spothub_core::id::{AccountId, GroupKey};
use spothub_core::money::Usd;
use spothub_core::record::{GroupRecord, Why};
use spothub_core::time::Timestamp;
use spothub_usage::book::{Totals, day_spelled};

use crate::access::Sight;
use crate::snapshot::Snapshot;

/// Rows of each list: a person reads some, and the counts hold for all.
const LISTED_MAX: usize = 200;
/// Groups in one answer; a search finds the others.
const GROUPS_MAX: usize = 500;

/// What the groups' page asks for.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) account: Option<AccountId>,
    /// Part of a name, a region, an id or a reason, in small letters.
    pub(crate) text: String,
    /// One group in whole.
    pub(crate) group: Option<String>,
}

#[derive(Default)]
struct Sums {
    groups: u64,
    on_spot: u64,
    in_flight: u64,
    held: u64,
    waiting: u64,
    stranded: u64,
    totals: Option<Totals>,
}

/// The first screen.
pub(crate) fn overview(snapshot: &Snapshot, sight: &Sight) -> Value {
    let now = &snapshot.now;
    let seen: Vec<&GroupRecord> = now.groups.iter().filter(|one| sight.sees(one.group.site.account)).collect();
    let mut stages = BTreeMap::<&str, u64>::new();
    let mut holds = BTreeMap::<&str, u64>::new();
    for record in &seen {
        for op in &record.ops {
            *stages.entry(op.stage.label()).or_default() += 1;
        }
        for row in &record.holds {
            *holds.entry(row.reason.label()).or_default() += 1;
        }
    }
    let brakes: Vec<&Brake> = now.brakes.iter().filter(|brake| sees_brake(snapshot, sight, brake)).collect();
    let all = *sight == Sight::All;
    let workers: Vec<Value> = now.workers.iter().map(|beat| json!({"worker": beat.worker, "at": beat.at})).collect();
    let policy = now.policy.as_ref().map(|state| {
        // Who published what, and what is wrong with it, is the organization's business.
        if all { json!(state) } else { json!({"chain": state.chain, "crowded": state.crowded}) }
    });
    json!({
        "at": snapshot.at.0,
        "groups": seen.len(),
        "unreadable": now.unreadable,
        "in_flight_by_stage": stages,
        "in_flight": flights(&seen),
        "holds": holds,
        "stranded": stranded(&seen),
        "brakes": brakes,
        "brakes_hidden": now.brakes.len() - brakes.len(),
        "brakes_unreadable": now.brakes_unreadable,
        "policy": policy,
        "breakers": breakers(snapshot, sight),
        "pools": pools(snapshot),
        "zones": zones(snapshot, sight),
        "quarantine": quarantine(snapshot, sight),
        "workers": all.then_some(workers),
        "ends": ends(snapshot, sight),
        "accounts": accounts(snapshot, sight, &seen),
        "saved": saved(snapshot, sight),
        "cut": now.cut.iter().chain(&snapshot.slow.cut).collect::<Vec<_>>(),
    })
}

/// A brake on an account, a group or a unit shows only to who sees something below it.
fn sees_brake(snapshot: &Snapshot, sight: &Sight, brake: &Brake) -> bool {
    let Sight::Accounts(some) = sight else { return true };
    match &brake.scope {
        BrakeScope::All | BrakeScope::Org | BrakeScope::Region(_) => true,
        BrakeScope::Account(account) => sight.sees(*account),
        BrakeScope::Group(group) => sight.sees(group.site.account),
        BrakeScope::Ou(ou) => some.iter().any(|one| snapshot.units.get(one).is_some_and(|unit| ou.covers(unit))),
    }
}

fn flights(seen: &[&GroupRecord]) -> Vec<Value> {
    let mut all: Vec<_> = seen.iter().flat_map(|one| one.ops.iter().map(move |op| (one, op))).collect();
    all.sort_by_key(|(_, op)| (op.started_at, op.id.clone()));
    let shown = all.into_iter().take(LISTED_MAX);
    let told = shown.map(|(record, op)| {
        json!({
            "swap": op.id, "rescue": op.id.is_rescue(), "group": key(&record.group), "stage": op.stage.label(),
            "old": op.old, "new": op.new, "az": op.az, "started_at": op.started_at.0, "entered_at": op.entered_at.0,
            "tries": op.tries,
        })
    });
    told.collect()
}

fn stranded(seen: &[&GroupRecord]) -> Vec<Value> {
    let all = seen.iter().flat_map(|one| one.stranded.iter().map(move |left| (one, left)));
    let told = all.take(LISTED_MAX).map(|(record, left)| {
        json!({"group": key(&record.group), "swap": left.id, "at": left.at.0, "commands": left.commands(&record.group)})
    });
    told.collect()
}

fn breakers(snapshot: &Snapshot, sight: &Sight) -> Vec<Value> {
    let mut rows = Vec::new();
    for (site, breaker) in snapshot.now.sites.iter().filter(|(site, _)| sight.sees(site.account)) {
        if let Some((since, until)) = breaker.open {
            rows.push(json!({
                "guards": "account", "of": site.to_string(), "why": breaker.why.map(Why::label),
                "failures": breaker.failures, "since": since.0, "until": until.0,
                "open": breaker.state(snapshot.at) == State::Open,
            }));
        }
    }
    let groups = snapshot.now.open_groups(snapshot.at).filter(|(one, ..)| sight.sees(one.group.site.account));
    for (record, state, until) in groups.take(LISTED_MAX) {
        rows.push(json!({
            "guards": "group", "of": record.group.to_string(), "group": key(&record.group),
            "why": record.backoff.why.map(Why::label), "failures": record.backoff.failures, "until": until.0,
            "open": state == State::Open,
        }));
    }
    rows.truncate(LISTED_MAX);
    rows
}

/// Pools belong to no account: who may see anything sees them.
fn pools(snapshot: &Snapshot) -> Vec<Value> {
    let shown = snapshot.now.pools.iter().take(LISTED_MAX);
    let told = shown.map(|pool| {
        json!({
            "region": pool.region, "az": pool.az, "type": pool.kind, "product": pool.product,
            "refusals": pool.refusals, "until": pool.until.0, "open": snapshot.at < pool.until,
        })
    });
    told.collect()
}

/// By zone id: what runs on Spot there, pools that are closed, groups that were refused within the last hour.
fn zones(snapshot: &Snapshot, sight: &Sight) -> Vec<Value> {
    let mut zones = BTreeMap::<(String, String), (u64, u64, u64)>::new();
    for (group, by_zone) in snapshot.slow.on_spot.iter().filter(|(group, _)| sight.sees(group.site.account)) {
        for (az, count) in by_zone {
            zones.entry((group.site.region.to_string(), az.to_string())).or_default().0 += count;
        }
    }
    for pool in snapshot.now.pools.iter().filter(|pool| snapshot.at < pool.until) {
        zones.entry((pool.region.clone(), pool.az.clone())).or_default().1 += 1;
    }
    for record in snapshot.now.groups.iter().filter(|one| sight.sees(one.group.site.account)) {
        for (az, at) in &record.refused {
            if snapshot.at.since(*at).as_secs() < 3600 {
                zones.entry((record.group.site.region.to_string(), az.to_string())).or_default().2 += 1;
            }
        }
    }
    let told = zones.into_iter().map(|((region, az), (on_spot, closed, refused))| {
        json!({"region": region, "az": az, "on_spot": on_spot, "closed": closed, "refused": refused})
    });
    told.collect()
}

fn quarantine(snapshot: &Snapshot, sight: &Sight) -> Value {
    let all = *sight == Sight::All;
    let rows = snapshot.now.quarantine.iter();
    let seen: Vec<_> = rows.filter(|row| all || row.account.is_some_and(|one| sight.sees(one))).collect();
    let told = seen.iter().take(LISTED_MAX).map(|row| {
        json!({
            "reason": row.reason, "digest": row.digest, "bytes": row.bytes, "account": row.account,
            "region": row.region, "at": row.at.0,
        })
    });
    json!({"count": seen.len(), "rows": told.collect::<Vec<_>>()})
}

fn ends(snapshot: &Snapshot, sight: &Sight) -> Vec<Value> {
    let seen = snapshot.slow.ends.iter().filter(|end| sight.sees(end.group.site.account));
    let told = seen.take(LISTED_MAX).map(|closed| {
        json!({
            "swap": closed.id, "rescue": closed.id.is_rescue(), "group": key(&closed.group),
            "end": closed.end.label(), "why": closed.end.why().map(Why::label), "at": closed.at.0,
            "old": closed.old, "new": closed.new,
        })
    });
    told.collect()
}

fn accounts(snapshot: &Snapshot, sight: &Sight, seen: &[&GroupRecord]) -> Vec<Value> {
    let mut accounts = BTreeMap::<AccountId, Sums>::new();
    for record in seen {
        let sums = accounts.entry(record.group.site.account).or_default();
        sums.groups += 1;
        sums.in_flight += record.ops.len() as u64;
        sums.held += u64::from(!record.holds.is_empty());
        sums.waiting += u64::from(record.backoff.until.is_some_and(|until| until > snapshot.at));
        sums.stranded += record.stranded.len() as u64;
    }
    // Also of groups whose record is gone.
    for (group, zones) in snapshot.slow.on_spot.iter().filter(|(group, _)| sight.sees(group.site.account)) {
        accounts.entry(group.site.account).or_default().on_spot += zones.values().sum::<u64>();
    }
    for (account, days) in snapshot.slow.saved.iter().filter(|(account, _)| sight.sees(**account)) {
        let mut totals = Totals::default();
        for day in days.values() {
            totals.add(day);
        }
        accounts.entry(*account).or_default().totals = Some(totals);
    }
    let told = accounts.into_iter().map(|(account, sums)| {
        json!({
            "account": account, "unit": snapshot.units.get(&account), "groups": sums.groups, "on_spot": sums.on_spot,
            "in_flight": sums.in_flight, "held": sums.held, "waiting": sums.waiting, "stranded": sums.stranded,
            // Unknown is not zero.
            "saved_usd": sums.totals.map(|totals| cents(totals.saved())),
        })
    });
    told.collect()
}

/// Each day's sums, and those of all; nothing where nothing was booked.
fn saved(snapshot: &Snapshot, sight: &Sight) -> Value {
    let mut days = BTreeMap::<Timestamp, Totals>::new();
    for (_, one) in snapshot.slow.saved.iter().filter(|(account, _)| sight.sees(**account)) {
        for (day, totals) in one {
            days.entry(*day).or_default().add(totals);
        }
    }
    let mut sum = Totals::default();
    for day in days.values() {
        sum.add(day);
    }
    if days.is_empty() {
        return Value::Null;
    }
    let told: Vec<Value> = days.iter().map(|(day, totals)| money(totals, Some(&day_spelled(*day)))).collect();
    json!({"days": told, "sum": money(&sum, None)})
}

fn money(totals: &Totals, day: Option<&str>) -> Value {
    json!({
        "day": day, "saved_usd": cents(totals.saved()), "net_usd": cents(totals.net()),
        "actual_usd": cents(totals.actual), "on_demand_usd": cents(totals.on_demand), "unpriced_ms": totals.unpriced,
    })
}

/// To the micro-dollar, as everywhere; the page rounds to cents.
fn cents(amount: Usd) -> String {
    amount.to_string()
}

fn on_spot(snapshot: &Snapshot, group: &GroupKey) -> u64 {
    snapshot.slow.on_spot.get(group).map_or(0, |zones| zones.values().sum())
}

fn key(group: &GroupKey) -> Value {
    json!({"account": group.site.account, "region": group.site.region, "name": group.name})
}

/// Groups that a reader may see and asks for.
pub(crate) fn groups(snapshot: &Snapshot, sight: &Sight, query: &Query) -> Value {
    let mut found = 0_u64;
    let mut rows = Vec::new();
    for record in snapshot.now.groups.iter().filter(|one| sight.sees(one.group.site.account)) {
        if query.account.is_some_and(|account| account != record.group.site.account) || !hit(record, query) {
            continue;
        }
        found += 1;
        if rows.len() < GROUPS_MAX {
            rows.push(row(snapshot, record, query.group.is_some()));
        }
    }
    json!({"at": snapshot.at.0, "found": found, "rows": rows})
}

fn hit(record: &GroupRecord, query: &Query) -> bool {
    let name = record.group.to_string();
    if let Some(group) = &query.group {
        return *group == name;
    }
    let has = |text: &str| text.to_lowercase().contains(&query.text);
    query.text.is_empty()
        || has(&name)
        || record.holds.iter().any(|row| row.reason.label().contains(&query.text))
        || record.ops.iter().any(|op| has(op.stage.label()) || has(&op.old.to_string()))
}

fn row(snapshot: &Snapshot, record: &GroupRecord, whole: bool) -> Value {
    let holds = record.holds.iter().map(|row| {
        let detail = whole.then(|| json!(row.reason));
        json!({"reason": row.reason.label(), "instance": row.instance, "since": row.since.0, "detail": detail})
    });
    let ops = flights(&[record]);
    let waits = record.backoff.until.filter(|until| *until > snapshot.at);
    json!({
        "group": key(&record.group),
        "unit": snapshot.units.get(&record.group.site.account),
        "on_spot": on_spot(snapshot, &record.group),
        "zones": whole.then(|| snapshot.slow.on_spot.get(&record.group)),
        "ops": ops,
        "holds": holds.take(LISTED_MAX).collect::<Vec<_>>(),
        "waits_until": waits.map(|until| until.0),
        "failures": record.backoff.failures,
        "why": record.backoff.why.map(Why::label),
        "stranded": stranded(&[record]),
        "last_swap_at": record.last_swap_at.map(|at| at.0),
        "refused": whole.then(|| {
            let refused = record.refused.iter();
            refused.map(|(az, at)| (az.to_string(), at.0)).collect::<BTreeMap<_, _>>()
        }),
        "ends": whole.then(|| {
            let ours = snapshot.slow.ends.iter().filter(|end| end.group == record.group).take(20);
            let told = ours.map(|end| {
                json!({"at": end.at.0, "end": end.end.label(), "why": end.end.why().map(Why::label), "swap": end.id})
            });
            told.collect::<Vec<_>>()
        }),
    })
}
