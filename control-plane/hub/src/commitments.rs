//! What the organization pays for anyway, read once an hour: reserved instances, Savings Plans, and what runs on
//! demand and can use them.
//!
//! Each worker reads all of it, since commitments are shared by all accounts. What does not answer is unknown and is
//! told as that; what was known of it from before goes on to count.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use spothub_core::commitment::{Commitment, Coverage, Known, Running, Slot};
use spothub_core::fault::Fault;
use spothub_core::group::GroupView;
use spothub_core::id::{AccountId, GroupKey, InstanceId, Region, Site, SwapId};
use spothub_core::money::UsdPerHour;
use spothub_core::policy::Effective;
use spothub_core::port::{Commitments, Expect, Put, Store, StoreError};
use spothub_core::time::{Span, Timestamp};

use crate::engine::Engine;
use crate::held::Held;
use crate::rows::ROW_FENCE;

/// Between two readings: commitments are bought for a year or three, and what runs changes by the hour.
const EVERY: Span = Span::hours(1);
/// Before the directory was read there is nobody to ask.
const NOBODY_YET: Span = Span::secs(1);
/// Questions on their way at once, each to another account or region, or another API.
const ASKS_MAX: usize = 8;
/// Tries of a question in one reading, so that a throttled one does not cost an hour.
const TRIES_MAX: usize = 3;
/// The pause before the next try.
const TRY_AGAIN: Span = Span::secs(20);
/// How long the first sweep waits for the first reading: without it groups are held until they are looked at again.
const FIRST_WAIT: Span = Span::mins(2);
/// Questions without an answer that are named one by one; their number holds for all.
const NAMED_MAX: usize = 20;
/// Where the standing is stored.
const KEY: &str = "commitments/standing";

/// One question.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
enum Ask {
    Reserved(Site),
    Plans(Site),
    Running(Site),
}

impl Ask {
    const fn site(&self) -> &Site {
        match self {
            Self::Reserved(site) | Self::Plans(site) | Self::Running(site) => site,
        }
    }

    const fn what(&self) -> &'static str {
        match self {
            Self::Reserved(_) => "reserved instances",
            Self::Plans(_) => "Savings Plans",
            Self::Running(_) => "running instances",
        }
    }
}

/// What a worker remembers of commitments.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    rows: BTreeMap<Ask, Vec<Commitment>>,
    running: BTreeMap<Site, Running>,
    missed: BTreeMap<Ask, Fault>,
    read_at: Option<Timestamp>,
    coverage: Arc<Coverage>,
    payer: Option<AccountId>,
    /// Instances that this worker decided to replace, which the next reading may still find running.
    decided: BTreeMap<SwapId, (Timestamp, GroupKey, Slot)>,
}

/// How commitments stand, as the last reading found them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// When the reading was over.
    pub at: Timestamp,
    /// Active reserved instances.
    pub reserved: u32,
    /// What active Savings Plans cost an hour.
    pub plans: UsdPerHour,
    /// On-demand instances that run and were counted.
    pub running: u32,
    /// Questions that were not answered: what they would have said is unknown.
    pub unread: u32,
    /// Some of them.
    pub missed: Vec<Unread>,
    /// The account that pays; `None` where nobody said which, so that what it bought is unknown.
    pub payer: Option<AccountId>,
}

/// A question that was not answered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Unread {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// What was asked for.
    pub what: String,
    /// The fault's stable label.
    pub fault: String,
}

impl Standing {
    /// Whether all of it is known.
    #[must_use]
    pub const fn whole(&self) -> bool {
        self.unread == 0 && self.payer.is_some()
    }

    /// What is known and what is not, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { reserved, plans, running, .. } = self;
        let mut text = format!("{reserved} reserved instances and Savings Plans of {plans}/h for {running} running");
        if self.unread > 0 {
            let first = self.missed.first().map(|m| format!(", as {} of {} in {}", m.what, m.account, m.region));
            let first = first.unwrap_or_default();
            let _ = write!(text, "; unknown: {} that could not be read{first}", self.unread);
        }
        if self.payer.is_none() {
            text += "; unknown: what the payer bought (payer is not set)";
        }
        text
    }
}

/// The stored standing of the last reading; `None` before the first.
pub async fn stored(store: &dyn Store) -> Result<Option<Standing>, StoreError> {
    let row = store.get(KEY).await?;
    Ok(row.and_then(|row| serde_json::from_slice(&row.value).ok()))
}

/// What a plan is made with.
#[derive(Debug)]
pub(crate) enum Counted {
    Unasked,
    Unread,
    Read(Arc<Coverage>, bool),
}

impl Counted {
    pub(crate) fn known(&self) -> Known<'_> {
        match self {
            Self::Unasked => Known::Unasked,
            Self::Unread => Known::Unread,
            Self::Read(coverage, whole) => Known::Read { coverage, whole: *whole },
        }
    }
}

impl Engine {
    /// Reads commitments again and again, where they are to be read.
    pub(crate) async fn commitments_loop(&self) {
        while self.ports.commitments.is_some() {
            let began = self.now();
            let nobody = self.memory().accounts.is_empty();
            if !nobody {
                self.read_commitments(TRIES_MAX).await;
            }
            self.ports.clock.sleep_until(began + if nobody { NOBODY_YET } else { EVERY }).await;
        }
    }

    /// The first sweep waits for the first reading, but not for long.
    pub(crate) async fn first_commitments(&self) {
        let give_up = self.now() + FIRST_WAIT;
        while matches!(self.commitments(), Counted::Unread) && self.now() < give_up {
            if self.memory().accounts.is_empty() {
                return;
            }
            self.ports.clock.sleep_until(self.now() + NOBODY_YET).await;
        }
    }

    /// Reads what all accounts have committed to and what can use it, and stores how it stands.
    ///
    /// It counts after each try: nobody waits for what did not answer at once.
    pub(crate) async fn read_commitments(&self, tries: usize) {
        let Some(port) = self.ports.commitments.clone() else { return };
        let (began, payer) = (self.now(), port.payer());
        let mut open = self.commitment_asks(payer);
        {
            let mut memory = self.memory();
            let kept = &mut memory.commitments;
            kept.payer = payer;
            // Of accounts that left, nothing counts any more.
            kept.rows.retain(|ask, _| open.contains(ask));
            kept.running.retain(|site, _| open.contains(&Ask::Running(site.clone())));
            kept.missed.clear();
        }
        for again in 0..tries {
            if again > 0 {
                self.pause_until(self.now() + TRY_AGAIN).await;
            }
            open = self.ask_all(&*port, open).await;
            self.cover(began);
            if open.is_empty() || self.stopping() {
                break;
            }
        }
        self.store_standing().await;
    }

    /// Everything to ask: of each account that is served, and of the payer, which may be none of them.
    fn commitment_asks(&self, payer: Option<AccountId>) -> Vec<Ask> {
        let memory = self.memory();
        let mut asks = Vec::new();
        let mut of = |account: AccountId, regions: Vec<Region>, runs: bool| {
            let sites: Vec<Site> = regions.into_iter().map(|region| Site { account, region }).collect();
            asks.extend(sites.first().cloned().map(Ask::Plans));
            for site in sites {
                asks.push(Ask::Reserved(site.clone()));
                if runs {
                    asks.push(Ask::Running(site));
                }
            }
        };
        for account in memory.accounts.values().filter(|account| account.active) {
            of(account.id, account.regions.iter().cloned().collect(), true);
        }
        if let Some(payer) = payer.filter(|payer| memory.accounts.get(payer).is_none_or(|a| !a.active)) {
            let regions = memory.accounts.values().flat_map(|account| account.regions.iter().cloned());
            let regions: std::collections::BTreeSet<Region> = regions.collect();
            of(payer, regions.into_iter().collect(), false);
        }
        drop(memory);
        asks
    }

    /// Asks all of it, so many at once; returns what may be answered soon.
    async fn ask_all(&self, port: &dyn Commitments, mut asks: Vec<Ask>) -> Vec<Ask> {
        asks.reverse();
        let (mut running, mut again) = (FuturesUnordered::new(), Vec::new());
        loop {
            while running.len() < ASKS_MAX {
                let Some(ask) = asks.pop() else { break };
                running.push(async move { (self.ask_one(port, &ask).await, ask) });
            }
            match running.next().await {
                None => return again,
                Some((Ok(()), ask)) => drop(self.memory().commitments.missed.remove(&ask)),
                Some((Err(fault), ask)) => {
                    if fault.may_pass() {
                        again.push(ask.clone());
                    }
                    self.memory().commitments.missed.insert(ask, fault);
                }
            }
        }
    }

    async fn ask_one(&self, port: &dyn Commitments, ask: &Ask) -> Result<(), Fault> {
        let rows = match ask {
            Ask::Reserved(site) => port.reserved(site).await?,
            Ask::Plans(site) => port.plans(site).await?,
            Ask::Running(site) => {
                let running = port.running(site).await?;
                self.memory().commitments.running.insert(site.clone(), running);
                return Ok(());
            }
        };
        self.memory().commitments.rows.insert(ask.clone(), rows);
        Ok(())
    }

    /// Works out who uses what, from what was read since `began`.
    fn cover(&self, began: Timestamp) {
        let workers = if self.settings.peers { self.memory().peers.count() } else { 1 };
        let (now, mut memory) = (self.now(), self.memory());
        let in_flight = |memory: &crate::memory::Memory, id: &SwapId, group: &GroupKey| {
            memory.records.get(group).is_some_and(|kept| kept.record.ops.iter().any(|op| op.id == *id))
        };
        let mut decided = std::mem::take(&mut memory.commitments.decided);
        decided.retain(|id, (at, group, _)| *at >= began || in_flight(&memory, id, group));
        let kept = &mut memory.commitments;
        let commitments: Vec<Commitment> = kept.rows.values().flatten().cloned().collect();
        let running: Running = kept.running.values().flatten().map(|(slot, n)| (slot.clone(), *n)).collect();
        // Whether an account shares cannot be read, and they do unless somebody switched it off.
        let coverage = Coverage::new(&commitments, &running, std::collections::BTreeSet::new(), self.catalog, now);
        let mut coverage = coverage.divided(workers);
        for (_, _, slot) in decided.values() {
            // It may be counted as running still: then what it leaves must not be promised twice.
            coverage.convert(slot, self.catalog);
        }
        (kept.coverage, kept.decided, kept.read_at) = (Arc::new(coverage), decided, Some(now));
    }

    async fn store_standing(&self) {
        let Some(standing) = self.commitment_standing() else { return };
        tracing::info!(reserved = standing.reserved, unread = standing.unread, "commitments were read");
        if self.ports.act.is_none() {
            return;
        }
        // A row that cannot be written is for showing only, and comes again.
        let Ok(value) = serde_json::to_vec(&standing) else { return };
        let put = Put { key: KEY.to_owned(), value: Some(value), expect: Expect::Anything, fence: ROW_FENCE };
        let _ = self.ports.store.write(&[put]).await;
    }

    /// How commitments stand; `None` where they were not read.
    pub(crate) fn commitment_standing(&self) -> Option<Standing> {
        let memory = self.memory();
        let kept = &memory.commitments;
        let named = kept.missed.iter().take(NAMED_MAX).map(|(ask, fault)| Unread {
            account: ask.site().account,
            region: ask.site().region.clone(),
            what: ask.what().to_owned(),
            fault: fault.label().to_owned(),
        });
        let sum = kept.coverage.standing();
        Some(Standing {
            at: kept.read_at?,
            reserved: sum.reserved,
            plans: sum.plans,
            running: sum.running,
            unread: u32::try_from(kept.missed.len()).unwrap_or(u32::MAX),
            missed: named.collect(),
            payer: kept.payer,
        })
    }

    /// What is known of commitments now.
    pub(crate) fn commitments(&self) -> Counted {
        if self.ports.commitments.is_none() {
            return Counted::Unasked;
        }
        let memory = self.memory();
        let kept = &memory.commitments;
        match kept.read_at {
            None => Counted::Unread,
            Some(_) => Counted::Read(Arc::clone(&kept.coverage), kept.missed.is_empty() && kept.payer.is_some()),
        }
    }

    /// Whether the plan still takes this member, now that other groups may have taken what nothing covers.
    pub(crate) fn still_uncovered(
        &self,
        held: &Held,
        view: &GroupView,
        effective: &Effective,
        old: &InstanceId,
    ) -> bool {
        if !self.memory().commitments.coverage.any() {
            return true;
        }
        self.planned(held, view, effective).swap.is_some_and(|swap| swap.old == *old)
    }

    /// A member is to become Spot: what it used is for others from now on.
    pub(crate) fn leaves_commitment(&self, view: &GroupView, old: &InstanceId, swap: &SwapId) {
        if let Some(slot) = self.converted(view, old) {
            let (now, group) = (self.now(), view.key.clone());
            self.memory().commitments.decided.insert(swap.clone(), (now, group, slot));
        }
    }

    /// The same in a survey, which changes nothing.
    pub(crate) fn surveyed_uncovered(&self, view: &GroupView, old: &InstanceId) {
        let _ = self.converted(view, old);
    }

    fn converted(&self, view: &GroupView, old: &InstanceId) -> Option<Slot> {
        self.ports.commitments.as_ref()?;
        let member = view.member(old)?;
        if member.lifecycle() != Some(spothub_core::group::Lifecycle::OnDemand) {
            return None;
        }
        let Site { account, region } = view.key.site.clone();
        let product = self.template_of(view)?.product;
        let slot = Slot { account, region, az: member.az.clone(), kind: member.kind?, product };
        let mut memory = self.memory();
        Arc::make_mut(&mut memory.commitments.coverage).convert(&slot, self.catalog);
        drop(memory);
        Some(slot)
    }
}
