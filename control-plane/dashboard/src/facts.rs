//! What the store tells, read whole: rows become facts, and nothing is asked of any account.
//!
//! Two halves: what the hub does now, and what changes slowly and has more rows (instances, ends, savings).

use std::collections::BTreeMap;

use serde::Deserialize;
use spothub_core::brake::Brake;
use spothub_core::breaker::{self, Breaker, POOLS, SITES};
use spothub_core::group::Lifecycle;
use spothub_core::id::{AccountId, AzId, GroupKey, OuPath, Site};
use spothub_core::port::{Store, StoreError, Stored};
use spothub_core::record::{self, Closed, GroupRecord, Usage};
use spothub_core::time::{Span, Timestamp};
use spothub_hub::published::{self, PolicyState};
use spothub_hub::{Beat, Quarantined};
use spothub_usage::book::{self, DAYS, Day, Totals};

/// Rows in one page, as the hub reads them.
const PAGE: usize = 500;
/// Rows of one family that are read: a hundred times the largest organization that was ever simulated, so that a page
/// shows much and the memory has an end. What is beyond is told as such.
const ROWS_MAX: usize = 200_000;
/// Days of savings that are shown.
pub(crate) const SAVED_DAYS: i64 = 30;
/// Ends that are kept of those read, the latest.
const ENDS_MAX: usize = 2000;

/// What the hub does now.
#[derive(Debug, Default)]
pub(crate) struct Now {
    pub(crate) groups: Vec<GroupRecord>,
    pub(crate) unreadable: u64,
    pub(crate) brakes: Vec<Brake>,
    pub(crate) brakes_unreadable: Option<String>,
    pub(crate) policy: Option<PolicyState>,
    pub(crate) sites: Vec<(Site, Breaker)>,
    pub(crate) pools: Vec<ClosedPool>,
    pub(crate) quarantine: Vec<Quarantined>,
    pub(crate) workers: Vec<Beat>,
    /// Families of which there is more than is read.
    pub(crate) cut: Vec<&'static str>,
}

/// What changes slowly.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    /// Instances on Spot that we brought, by group and zone.
    pub(crate) on_spot: BTreeMap<GroupKey, BTreeMap<AzId, u64>>,
    /// The latest first.
    pub(crate) ends: Vec<Closed>,
    /// By account and the day's first moment.
    pub(crate) saved: BTreeMap<AccountId, BTreeMap<Timestamp, Totals>>,
    /// The unit of an account, as its last booked day says.
    pub(crate) units: BTreeMap<AccountId, OuPath>,
    /// Families of which there is more than is read.
    pub(crate) cut: Vec<&'static str>,
}

/// A pool that refused.
#[derive(Debug)]
pub(crate) struct ClosedPool {
    pub(crate) region: String,
    pub(crate) az: String,
    pub(crate) kind: String,
    pub(crate) product: String,
    pub(crate) refusals: u32,
    pub(crate) until: Timestamp,
}

/// Every row after a key, as far as [`ROWS_MAX`].
async fn rows(
    store: &dyn Store,
    prefix: &'static str,
    after: Option<String>,
    cut: &mut Vec<&'static str>,
) -> Result<Vec<Stored>, StoreError> {
    let (mut rows, mut after) = (Vec::new(), after);
    loop {
        let page = store.query(prefix, after.as_deref(), PAGE).await?;
        after = page.items.last().map(|item| item.key.clone());
        rows.extend(page.items);
        if !page.more {
            return Ok(rows);
        }
        if rows.len() >= ROWS_MAX {
            cut.push(prefix);
            return Ok(rows);
        }
    }
}

/// A site's breaker as the hub stores it.
#[derive(Deserialize)]
struct SiteRow {
    site: Site,
    #[serde(flatten)]
    breaker: Breaker,
}

/// Reads the first half.
pub(crate) async fn now(store: &dyn Store) -> Result<Now, StoreError> {
    let mut now = Now::default();
    let mut cut = Vec::new();
    match spothub_hub::brake::brakes(store).await {
        Ok(brakes) => now.brakes = brakes.0,
        Err(error) => now.brakes_unreadable = Some(error.to_string()),
    }
    now.brakes.sort_by(|a, b| a.scope.cmp(&b.scope));
    now.policy = published::state(store).await.ok();
    for item in rows(store, "group/", None, &mut cut).await? {
        match record::read::<GroupRecord>(&item.value) {
            Some(record) => now.groups.push(record),
            None => now.unreadable += 1,
        }
    }
    for row in rows(store, SITES, None, &mut cut).await? {
        match record::read::<SiteRow>(&row.value) {
            Some(SiteRow { site, breaker }) => now.sites.push((site, breaker)),
            None => now.unreadable += 1,
        }
    }
    for row in rows(store, POOLS, None, &mut cut).await? {
        match closed_pool(&row) {
            Some(pool) => now.pools.push(pool),
            None => now.unreadable += 1,
        }
    }
    let read = |row: Stored| record::read::<Quarantined>(&row.value);
    now.quarantine = rows(store, "quarantine/", None, &mut cut).await?.into_iter().filter_map(read).collect();
    now.quarantine.sort_by(|a, b| (b.at, &a.digest).cmp(&(a.at, &b.digest)));
    let read = |row: Stored| record::read::<Beat>(&row.value);
    now.workers = rows(store, "worker/", None, &mut cut).await?.into_iter().filter_map(read).collect();
    now.cut = cut;
    Ok(now)
}

/// A pool from its key, `breaker/pool/REGION/AZ/TYPE/PRODUCT`, and its row.
fn closed_pool(row: &Stored) -> Option<ClosedPool> {
    #[derive(Deserialize)]
    struct Row {
        refusals: u32,
        until: Timestamp,
    }
    let Row { refusals, until } = record::read(&row.value)?;
    let mut parts = row.key.strip_prefix(POOLS)?.splitn(4, '/').map(str::to_owned);
    let (region, az, kind, product) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(ClosedPool { region, az, kind, product, refusals, until })
}

/// Reads the second half.
pub(crate) async fn slow(store: &dyn Store, at: Timestamp) -> Result<Slow, StoreError> {
    let mut slow = Slow::default();
    let mut cut = Vec::new();
    let usages = rows(store, "usage/", None, &mut cut).await?;
    let usages = usages.iter().filter_map(|row| record::read::<Usage>(&row.value));
    let lives: Vec<Usage> = usages.filter(|usage| usage.ended_at.is_none()).collect();
    // That an instance ended is told by the next sweep; who stands in for it is known at once.
    let replaced: std::collections::BTreeSet<_> = lives.iter().map(|usage| usage.replaces.clone()).collect();
    for usage in lives {
        if usage.lifecycle == Lifecycle::Spot && !replaced.contains(&usage.instance) {
            *slow.on_spot.entry(usage.group).or_default().entry(usage.az).or_default() += 1;
        }
    }
    let ends = rows(store, "swap/", None, &mut cut).await?;
    slow.ends = ends.iter().filter_map(|row| record::read::<Closed>(&row.value)).collect();
    slow.ends.sort_by(|a, b| (b.at, &a.id).cmp(&(a.at, &b.id)));
    slow.ends.truncate(ENDS_MAX);
    let first = at - Span::hours(SAVED_DAYS * 24);
    let after = format!("{DAYS}{}", book::day_spelled(first));
    for row in rows(store, DAYS, Some(after), &mut cut).await? {
        let Some(day) = record::read::<Day>(&row.value) else { continue };
        // An account has a row of a day for each of its regions.
        let sums = slow.saved.entry(day.account).or_default().entry(day.day).or_default();
        for group in &day.groups {
            sums.add(&group.totals);
        }
        slow.units.insert(day.account, day.unit);
    }
    slow.cut = cut;
    Ok(slow)
}

impl Now {
    /// Breakers of groups that are not closed.
    pub(crate) fn open_groups(&self, at: Timestamp) -> impl Iterator<Item = (&GroupRecord, breaker::State, Timestamp)> {
        self.groups.iter().filter_map(move |record| {
            let state = breaker::of_group(&record.backoff, at);
            let open = matches!(state, breaker::State::Open | breaker::State::HalfOpen);
            record.backoff.until.filter(|_| open).map(|until| (record, state, until))
        })
    }
}
