//! The engine's own pulse: every site is looked at in turn, whatever events came or did not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use spothub_core::fault::Fault;
use spothub_core::group::{GroupView, Lifecycle, Member};
use spothub_core::id::{AccountId, GroupKey, InstanceId, Site, SwapId};
use spothub_core::market::Pool;
use spothub_core::plan;
use spothub_core::policy::Standing;
use spothub_core::port::{Cause, InstanceSeen, Lane, Note, Put, RunState, Stored, WRITE_ITEMS_MAX};
use spothub_core::record::{self, Closed, GroupRecord, Usage};
use spothub_core::time::{Span, Timestamp};

use crate::engine::Engine;
use crate::events::notice_key;
use crate::held::{Halt, Held};
use crate::ledger::Asked;
use crate::memory::Kept;
use crate::observe::cause;
use crate::rows;
use crate::saga::swap_key;

/// Tries of a site in one sweep, so that one failed read does not cost a whole interval.
const TRIES_MAX: usize = 3;
/// The pause before the next try.
const TRY_AGAIN: Span = Span::secs(20);
/// How long the first sweep waits for prices: reads take seconds, and failed ones are repeated within this time.
const FIRST_PRICES_WAIT: Span = Span::secs(30);
/// The least time between the starts of two sweeps where workers come and go.
const OWNED_SWEEP_AFTER: Span = Span::mins(1);
/// How long an announcement is kept after its deadline: late copies of the warning must be known as such.
const NOTICE_KEPT: Span = Span::mins(30);

/// Whether a site answered everything that it was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Swept {
    Whole,
    InPart,
}

impl Engine {
    /// Rebuilds what must not be forgotten: ops in flight, announced losses, open ledger rows.
    pub(crate) async fn recover(&self) {
        let records = self.read_all::<GroupRecord>("group/").await;
        for (version, record) in records {
            let group = record.group.clone();
            self.inherit(&record);
            if !record.ops.is_empty() && !self.driven_elsewhere(&record) {
                self.wake(&group, self.now(), Lane::Urgent);
            }
            self.memory().records.insert(group, Kept { version, record });
        }
        self.hear_breakers().await;
        for (_, usage) in self.read_all::<Usage>("usage/").await {
            self.remember_usage(usage);
        }
        for (_, row) in self.read_all::<crate::events::NoticeRow>("notice/").await {
            self.wake(&row.group, self.now(), Lane::Urgent);
            self.memory().notices.announce(row.instance, row.group, row.deadline);
        }
    }

    /// Remembers a row of the ledger, and the newcomer that it is about while it lives.
    pub(crate) fn remember_usage(&self, usage: Usage) {
        let now = self.now();
        let mut memory = self.memory();
        if usage.ended_at.is_none() || !usage.settled {
            memory.joins(&usage.instance, &usage.group, now);
            let pool = Pool { az: usage.az.clone(), kind: usage.kind, product: usage.product };
            let spot = usage.lifecycle == Lifecycle::Spot;
            memory.instance(&usage.group.site, &usage.instance, now).pool = spot.then_some(pool);
        }
        let site = usage.group.site.clone();
        memory.usages.entry(site).or_default().insert(usage.instance.clone(), usage);
    }

    pub(crate) async fn read_all<T: serde::de::DeserializeOwned>(&self, prefix: &str) -> Vec<(u64, T)> {
        loop {
            if let Ok(rows) = rows::all(&*self.ports.store, prefix).await {
                let read = |row: Stored| Some((row.version, record::read(&row.value)?));
                return rows.into_iter().filter_map(read).collect();
            }
            // A store that does not answer now is asked again until it does: acting without it is not safe.
            self.ports.clock.sleep_until(self.now() + Span::secs(5)).await;
        }
    }

    pub(crate) async fn sweep_loop(&self) {
        while !self.stopping() {
            let began = self.now();
            // It makes no call that changes an account, so it may end where it stands.
            let _ = self.unless_stopped(self.read_directory()).await;
            let pause = if self.sweep().await { self.settings.sweep } else { Span::secs(20) };
            let mut until = began + pause;
            loop {
                let changed = tokio::select! {
                    biased;
                    () = self.pause_until(until) => false,
                    () = self.ownership.notified() => true,
                };
                if !changed {
                    break;
                }
                // What is in flight is taken over now, and sites that are this worker's from now on are swept soon.
                self.adopt_all().await;
                until = until.min(self.now().max(began + OWNED_SWEEP_AFTER));
            }
        }
    }

    /// Reads who is enrolled; where the directory does not answer, those known from before stay.
    pub(crate) async fn read_directory(&self) -> Result<(), Fault> {
        let answer = self.ports.directory.accounts().await;
        self.memory().directory = answer.as_ref().err().cloned();
        let accounts = answer?;
        let accounts: BTreeMap<AccountId, _> = accounts.into_iter().map(|a| (a.id, Arc::new(a))).collect();
        let first = std::mem::replace(&mut self.memory().accounts, accounts).is_empty();
        self.count_in_flight(first);
        Ok(())
    }

    /// One sweep over all sites; `false` where no account is known.
    async fn sweep(&self) -> bool {
        self.forget_notices().await;
        self.forget_quarantined().await;
        self.forget_pools().await;
        let _ = self.unless_stopped(self.first_prices()).await;
        let _ = self.unless_stopped(self.first_commitments()).await;
        let sites: Vec<Site> = self.sites();
        if sites.is_empty() {
            return false;
        }
        self.sweep_all(sites).await;
        self.recount().await;
        true
    }

    /// Sweeps these sites, those that fail again after a while; returns how many answered in the end.
    pub(crate) async fn sweep_all(&self, mut sites: Vec<Site>) -> usize {
        let (all, began) = (sites.len(), self.now());
        self.memory().sweep_began = Some(began);
        for _ in 0..TRIES_MAX {
            sites = self.sweep_sites(sites).await;
            if sites.is_empty() || self.stopping() {
                break;
            }
            // What failed now may answer soon; by the next sweep EC2 has forgotten more.
            self.pause_until(self.now() + TRY_AGAIN).await;
        }
        if !self.stopping() {
            let now = self.now();
            let (swept, missed) = (all - sites.len(), sites.len());
            tracing::info!(sites = swept, missed, seconds = now.since(began).0 / 1000, "a sweep is over");
            self.memory().sweep_ended = Some((began, now));
        }
        all - sites.len()
    }

    /// Sweeps these sites, so many at a time; returns those that did not answer in full.
    async fn sweep_sites(&self, mut sites: Vec<Site>) -> Vec<Site> {
        sites.reverse();
        let (mut running, mut failed) = (FuturesUnordered::new(), Vec::new());
        loop {
            while running.len() < self.settings.sites_max && !self.stopping() {
                let Some(site) = sites.pop() else { break };
                running.push(async move { (self.sweep_site(&site).await, site) });
            }
            match running.next().await {
                None => return failed,
                Some((Swept::InPart, site)) => failed.push(site),
                Some((Swept::Whole, _)) => {}
            }
        }
    }

    /// The first sweep waits for prices, but not for long: without them every group would be held until the next.
    pub(crate) async fn first_prices(&self) {
        self.priced(self.now() + FIRST_PRICES_WAIT, |_| true).await;
    }

    /// A pass waits until every region has answered or failed, since there is no next one.
    pub(crate) async fn all_prices(&self) {
        self.first_prices().await;
        self.priced(self.now() + self.settings.once_max, |unpriced| !unpriced).await;
    }

    /// Waits until then for the prices of each region that `counts`, by whether it failed when it was last asked.
    async fn priced(&self, give_up: Timestamp, counts: impl Fn(bool) -> bool) {
        while self.now() < give_up {
            let missing = {
                let mut memory = self.memory();
                let regions: BTreeSet<_> = memory.accounts.values().flat_map(|a| a.regions.iter().cloned()).collect();
                regions.iter().any(|region| {
                    let unpriced = memory.unpriced.contains_key(region);
                    memory.market(region).quotes.is_none() && counts(unpriced)
                })
            };
            if !missing {
                return;
            }
            self.ports.clock.sleep_until(self.now() + Span::secs(1)).await;
        }
    }

    /// Announcements are over some minutes after the instance was to be taken.
    async fn forget_notices(&self) {
        let now = self.now();
        let over = self.memory().notices.before(now - NOTICE_KEPT);
        for some in over.chunks(WRITE_ITEMS_MAX) {
            let gone = |(id, group): &(InstanceId, GroupKey)| rows::gone(notice_key(&group.site, id));
            let puts: Vec<Put> = some.iter().map(gone).collect();
            if self.ports.store.write(&puts).await.is_ok() {
                let mut memory = self.memory();
                for (id, _) in some {
                    memory.notices.forget(id);
                }
            }
        }
    }

    /// Ops found in the store count against budgets as soon as their accounts' units are known.
    fn count_in_flight(&self, first: bool) {
        // Several workers share counters; what another drives would never land here.
        if !first || self.settings.peers {
            return;
        }
        let mut memory = self.memory();
        let ops: Vec<(SwapId, GroupKey)> = memory
            .records
            .values()
            .flat_map(|kept| kept.record.ops.iter().map(|op| (op.id.clone(), kept.record.group.clone())))
            .filter(|(id, _)| !id.is_rescue())
            .collect();
        for (id, group) in ops {
            if let Some(ou) = memory.accounts.get(&group.site.account).map(|a| a.ou.clone()) {
                // Their tags are not known yet; the default budgets bind until they end.
                let budgets = memory.policy.budgets();
                memory.flights.add(id, group, ou, budgets);
            }
        }
    }

    /// Sites to look at now: those of active accounts that did not refuse us lately.
    pub(crate) fn sites(&self) -> Vec<Site> {
        let now = self.now();
        let memory = self.memory();
        let active = memory.accounts.values().filter(|a| a.active);
        let sites = active.flat_map(|a| a.regions.iter().map(|r| Site { account: a.id, region: r.clone() }));
        sites.filter(|site| memory.denied.get(site).is_none_or(|until| now >= *until)).collect()
    }

    async fn sweep_site(&self, site: &Site) -> Swept {
        let look = &self.ports.look;
        let since = self.now();
        self.memory().failing.remove(site);
        let answer = self.needing(site, look.groups(site, None, Cause::default()).await);
        let Ok(views) = answer else {
            let denied = self.memory().denied.contains_key(site);
            self.denied_site(site).await;
            return if denied { Swept::Whole } else { Swept::InPart };
        };
        let views: Vec<GroupView> = views.into_iter().map(|view| self.fill(view)).collect();
        self.memory().listed.insert(site.clone());
        if !self.owns(site) {
            // Known, so that a warning can be acted on by whoever takes it; the rest is its owner's business.
            self.forget(site, &views, since);
            return Swept::Whole;
        }
        let managed = self.needing(site, look.managed(site, Cause::default()).await);
        self.forget(site, &views, since);
        if self.settings.peers {
            self.adopt(site).await;
        }
        let mut swept = self.read_unknown(site, &views, managed.as_deref().unwrap_or_default()).await;
        // Without an answer nothing is known of what is not listed.
        if let Ok(managed) = managed {
            self.account(site, &managed, Asked::Ours, self.now()).await;
            self.orphans(site, &views, &managed).await;
        } else {
            swept = Swept::InPart;
        }
        for view in views {
            self.consider(view).await;
        }
        swept
    }

    /// Groups of a site that refuses us are held with that reason.
    async fn denied_site(&self, site: &Site) {
        if !self.memory().denied.contains_key(site) {
            return;
        }
        let groups: Vec<GroupKey> = {
            let memory = self.memory();
            let known = memory.groups.range(first_of(site)..).map(|(group, _)| group);
            known.take_while(|g| g.site == *site).cloned().collect()
        };
        for group in groups {
            if let Ok(mut held) = self.load(&group).await
                && held.kept.record.ops.is_empty()
            {
                let reason = spothub_core::reason::HoldReason::AccessDenied;
                self.hold(&mut held, &[spothub_core::plan::Hold { instance: None, reason }]);
                let _ = self.park(&mut held).await;
            }
        }
    }

    /// A swept group either is as it was (then nothing is written), or is woken with this view.
    async fn consider(&self, mut view: GroupView) {
        let Some(effective) = self.effective(&view.key, &view.tags) else { return };
        let group = view.key.clone();
        // Being worked on since this look: that work knows better.
        if self.memory().changed.get(&group).is_some_and(|at| *at >= view.seen_at) {
            return;
        }
        let Ok(mut held) = self.load(&group).await else { return };
        {
            let memory = self.memory();
            for member in &mut view.members {
                member.facts = memory.facts(&member.id).cloned();
            }
        }
        let spot = |member: &Member| member.lifecycle() == Some(Lifecycle::Spot);
        if self.template_of(&view).is_none() && effective.standing == Standing::Enabled && view.members.iter().any(spot)
        {
            // A rescue has no time to ask for it.
            let _ = self.answer(&plan::Question::Template, &mut view).await;
            let _ = self.read_role(&view).await;
        }
        self.settle_stranded(&mut held, &view).await;
        // Who sends the group back to on-demand is known from here on.
        let paused = self.paused(&group).await;
        let mut plan = self.planned(&held, &view, &effective);
        let busy = !held.kept.record.ops.is_empty() || self.noticed(&group);
        if !busy
            && (plan.swap.is_some() || plan.question.is_some())
            && let Some(hold) = paused
        {
            plan = plan::Plan { holds: vec![hold], ..plan::Plan::default() };
        }
        if busy || plan.question.is_some() || plan.swap.is_some() || plan.again_at.is_some() {
            self.memory().views.insert(group.clone(), view);
            self.wake(&group, self.now(), Lane::Normal);
            return;
        }
        self.hold(&mut held, &plan.holds);
        self.save_holds(&mut held).await;
    }

    async fn save_holds(&self, held: &mut Held) {
        let group = held.kept.record.group.clone();
        if let Err(Halt::Lost | Halt::Store | Halt::Unreadable) = self.park(held).await {
            self.memory().records.remove(&group);
        }
    }

    /// Facts of members not known yet, and the ends of what our newcomers replaced: one batch.
    async fn read_unknown(&self, site: &Site, views: &[GroupView], managed: &[InstanceSeen]) -> Swept {
        let now = self.now();
        {
            let mut memory = self.memory();
            for row in managed {
                let kept = memory.instance(site, &row.id, now);
                kept.facts = Some(std::sync::Arc::clone(&row.facts));
                if row.state == RunState::Ended {
                    kept.status = Some(RunState::Ended);
                }
            }
        }
        let mut ids: BTreeSet<InstanceId> = BTreeSet::new();
        let (mut swaps, mut olds) = (BTreeSet::new(), BTreeSet::new());
        {
            let memory = self.memory();
            for view in views {
                let enabled = memory.groups.get(&view.key).is_some_and(|k| k.standing == Standing::Enabled && k.served);
                if enabled {
                    ids.extend(view.members.iter().map(|m| &m.id).filter(|id| memory.facts(id).is_none()).cloned());
                }
            }
            // Few rows get this far: most know since when what they replaced is gone.
            let alive = |id: &InstanceId| views.iter().any(|v| v.members.iter().any(|m| m.id == *id));
            let known = |id: &InstanceId| managed.iter().any(|row| row.id == *id);
            for usage in memory.usages.get(site).into_iter().flat_map(BTreeMap::values) {
                if usage.replaced_at.is_none() && !usage.settled && !alive(&usage.replaces) && !known(&usage.replaces) {
                    olds.insert(usage.replaces.clone());
                    swaps.insert(usage.swap.clone());
                }
            }
        }
        ids.extend(olds.iter().cloned());
        let ids: Vec<InstanceId> = ids.into_iter().collect();
        let swaps: Vec<SwapId> = swaps.into_iter().collect();
        if !ids.is_empty() {
            let read = self.needing(site, self.read_instances(site, &ids, cause(&swaps)).await);
            let Ok(seen) = read else { return Swept::InPart };
            self.account(site, &seen, Asked::These(&olds), now).await;
        }
        Swept::Whole
    }

    /// Drops what is remembered of members and groups that are gone.
    fn forget(&self, site: &Site, views: &[GroupView], since: Timestamp) {
        let present: BTreeSet<&GroupKey> = views.iter().map(|v| &v.key).collect();
        let mut memory = self.memory();
        let known = memory.groups.range(first_of(site)..).map(|(group, _)| group).take_while(|g| g.site == *site);
        let gone: Vec<GroupKey> = known.filter(|g| !present.contains(g)).cloned().collect();
        for group in gone {
            memory.groups.remove(&group);
            memory.extras.remove(&group);
            memory.changed.remove(&group);
            memory.views.remove(&group);
        }
        let in_flight: BTreeSet<InstanceId> = memory
            .records
            .range(first_of(site)..)
            .take_while(|(g, _)| g.site == *site)
            .flat_map(|(_, kept)| kept.record.ops.iter().filter_map(|op| op.new.clone()))
            .collect();
        memory.forget_unseen(site, since, &in_flight);
    }

    /// INV-3: what we launched and nobody needs is ended, if its swap is over, it was never attached and is old enough.
    async fn orphans(&self, site: &Site, views: &[GroupView], managed: &[InstanceSeen]) {
        let mut members: Vec<&InstanceId> = views.iter().flat_map(|v| v.members.iter().map(|m| &m.id)).collect();
        members.sort_unstable();
        let now = self.now();
        let mut orphans = Vec::new();
        for row in managed {
            let old = now.since(row.facts.launched_at) >= self.settings.orphan_age;
            if row.state == RunState::Ended || !old || members.binary_search(&&row.id).is_ok() {
                continue;
            }
            let Some(swap) = row.facts.swap.as_ref() else { continue };
            match self.closed(site, swap).await {
                Some(closed) if closed.attached && closed.new.as_ref() == Some(&row.id) => {
                    self.note(&Note::Stray { instance: &row.id, reason: "released" });
                }
                Some(_) => orphans.push((row.id.clone(), swap.clone())),
                None if self.in_flight(site, swap) => {}
                None => self.note(&Note::Stray { instance: &row.id, reason: "no-record" }),
            }
        }
        if orphans.len() > self.settings.orphans_max {
            for (id, _) in &orphans {
                self.note(&Note::Stray { instance: id, reason: "too-many-orphans" });
            }
            return;
        }
        for (id, swap) in orphans {
            if let Some(act) = self.ports.act.as_ref().filter(|_| !self.stopping()) {
                let ids = [swap];
                let cause = Cause { orphan: true, ..cause(&ids) };
                let _ = self.noting(site, act.terminate(site, &id, cause).await);
            }
        }
    }

    async fn closed(&self, site: &Site, swap: &SwapId) -> Option<Closed> {
        let stored = self.ports.store.get(&swap_key(site, swap)).await.ok()??;
        record::read(&stored.value)
    }

    fn in_flight(&self, site: &Site, swap: &SwapId) -> bool {
        let memory = self.memory();
        let mut records = memory.records.range(first_of(site)..).take_while(|(g, _)| g.site == *site);
        records.any(|(_, kept)| kept.record.ops.iter().any(|op| op.id == *swap))
    }

    /// How much is in flight that this worker drives.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.memory().records.values().filter(|kept| self.drives(&kept.record)).map(|kept| kept.record.ops.len()).sum()
    }
}

/// The smallest key of a site: names are never empty, so nothing of the site sorts before one character.
pub(crate) fn first_of(site: &Site) -> GroupKey {
    let name = "\u{20}".parse().unwrap_or_else(|_| unreachable!("one space is a name"));
    GroupKey { site: site.clone(), name }
}
