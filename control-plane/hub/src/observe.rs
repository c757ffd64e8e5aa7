//! Ports to views: a look at a group, filled with what is remembered of its members.

use std::sync::Arc;

use spothub_core::fault::Fault;
use spothub_core::group::{Alarm, GroupView};
use spothub_core::id::{ClusterName, GroupKey, InstanceId, Region, Site, SwapId};
use spothub_core::market::{Market, Pool, Quotes};
use spothub_core::plan::{QUOTE_AGE_MAX, Question};
use spothub_core::policy::{Effective, OnRebalance, Standing};
use spothub_core::port::{Cause, InstanceSeen, Lane, RunState, TargetState};
use spothub_core::record::{HoldRow, Newcomer, Step};
use spothub_core::time::Span;

use crate::engine::Engine;
use crate::memory::{EXTRAS_AGE_MAX, Known};

/// Ids in one DescribeInstances: AWS allows more, but errors name one id and cost the whole answer.
const IDS_MAX: usize = 200;
/// A red alarm holds a group that long before it is asked for again.
const RED_AGE_MAX: Span = Span::mins(1);
/// After a denied call an account's region is left alone for so long: rights do not come back by the second.
pub(crate) const DENIED_FOR: Span = Span::mins(15);

/// The cause of a call made for these swaps.
pub(crate) fn cause(swaps: &[SwapId]) -> Cause<'_> {
    Cause { swaps, urgent: swaps.iter().any(SwapId::is_rescue), ..Cause::default() }
}

/// For one swap, in the stage that it is in.
pub(crate) fn during<'a>(swap: &'a SwapId, group: &'a GroupKey, step: Step) -> Cause<'a> {
    Cause { step: Some((group, step)), ..cause(std::slice::from_ref(swap)) }
}

impl Engine {
    /// One fresh look at one group; `None` where it is gone.
    pub(crate) async fn look(&self, group: &GroupKey, cause: Cause<'_>) -> Result<Option<GroupView>, Fault> {
        let names = std::slice::from_ref(&group.name);
        let found = self.noting(&group.site, self.ports.look.groups(&group.site, Some(names), cause).await)?;
        Ok(found.into_iter().find(|view| view.key == *group).map(|view| self.fill(view)))
    }

    /// Notes a denial of the site, so that its groups are held and not asked again and again.
    pub(crate) fn noting<T>(&self, site: &Site, answer: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault @ (Fault::Denied(_) | Fault::Unreachable(_))) = &answer {
            let until = self.now() + DENIED_FOR;
            let mut memory = self.memory();
            memory.denied.insert(site.clone(), until);
            memory.failing.insert(site.clone(), fault.clone());
        }
        answer
    }

    /// As [`Engine::noting`], for a read that a sweep cannot do without.
    pub(crate) fn needing<T>(&self, site: &Site, answer: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &answer {
            self.memory().failing.insert(site.clone(), fault.clone());
        }
        self.noting(site, answer)
    }

    /// Adds what is remembered to a view, and remembers what it says.
    pub(crate) fn fill(&self, mut view: GroupView) -> GroupView {
        let effective = self.effective(&view.key, &view.tags);
        let mut memory = self.memory();
        for member in &mut view.members {
            member.facts = memory.joins(&member.id, &view.key, view.seen_at);
        }
        if let Some((at, extras)) = memory.extras.get(&view.key)
            && view.seen_at.since(*at)
                < if extras.alarms.iter().any(|alarm| alarm.red) { RED_AGE_MAX } else { EXTRAS_AGE_MAX }
        {
            // Good enough to hold by; `begin` reads them afresh.
            view.extras = Some(extras.clone());
        }
        let moves = |e: &Effective| matches!(e.policy.on_rebalance, OnRebalance::Replace | OnRebalance::WhenWorse);
        let moves_aside = effective.as_ref().is_some_and(moves) && !view.capacity_rebalance;
        let standing = effective.map_or(Standing::NotEnabled, |e| e.standing);
        let served = spothub_core::plan::served(&view).is_ok();
        // While something is in flight, desired has our own attach in it.
        let at_rest = memory.records.get(&view.key).is_none_or(|kept| kept.record.ops.is_empty());
        let before = memory.groups.get(&view.key).filter(|_| !at_rest).map(|known| known.want);
        let want = before.unwrap_or(view.desired);
        let known = Known { standing, served, want, moves_aside };
        match memory.groups.get_mut(&view.key) {
            Some(before) => *before = known,
            None => {
                memory.groups.insert(view.key.clone(), known);
            }
        }
        view
    }

    /// Reads what a plan asked for. The view's own look stays as old as it is.
    pub(crate) async fn answer(&self, question: &Question, view: &mut GroupView) -> Result<(), Fault> {
        let group = view.key.clone();
        let look = &self.ports.look;
        match question {
            Question::Facts(ids) => {
                self.read_instances(&group.site, ids, Cause::default()).await?;
                let memory = self.memory();
                for member in &mut view.members {
                    if member.facts.is_none() {
                        member.facts = memory.facts(&member.id).cloned();
                    }
                }
                // What EC2 does not know (yet) is asked for again at the next look.
                view.members.iter().all(|m| m.facts.is_some()).then_some(()).ok_or(Fault::Gone)
            }
            Question::Template => {
                let facts = self.noting(&group.site, look.template(&group, &view.source, Cause::default()).await)?;
                let mut memory = self.memory();
                memory.templates.insert((group.site.clone(), view.source.clone()), Arc::new(facts));
                Ok(())
            }
            Question::Role(profile) => self.ask_role(&group.site, profile).await,
            Question::Extras => {
                let mut extras = self.noting(&group.site, look.extras(&group, Cause::default()).await)?;
                extras.alarms = self.alarms(view, Cause::default()).await?;
                self.memory().extras.insert(group, (view.seen_at, extras.clone()));
                view.extras = Some(extras);
                Ok(())
            }
        }
    }

    /// What CloudWatch says of the alarms that guard a group; asked only where there are any.
    pub(crate) async fn alarms(&self, view: &GroupView, cause: Cause<'_>) -> Result<Vec<Alarm>, Fault> {
        let effective = self.effective(&view.key, &view.tags);
        let names: Vec<String> =
            effective.into_iter().flat_map(|e| e.policy.alarms(view.key.name.as_str()).collect::<Vec<_>>()).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.noting(&view.key.site, self.ports.look.alarms(&view.key.site, &names, cause).await)
    }

    /// Reads EC2's facts of instances and remembers them; returns what was said.
    pub(crate) async fn read_instances(
        &self,
        site: &Site,
        ids: &[InstanceId],
        cause: Cause<'_>,
    ) -> Result<Vec<InstanceSeen>, Fault> {
        let mut seen = Vec::with_capacity(ids.len());
        for some in ids.chunks(IDS_MAX) {
            seen.extend(self.noting(site, self.ports.look.instances(site, some, cause).await)?);
        }
        let now = self.now();
        let mut memory = self.memory();
        for row in &seen {
            memory.instance(site, &row.id, now).facts = Some(Arc::clone(&row.facts));
        }
        Ok(seen)
    }

    /// Whether a newcomer is healthy in all target groups and classic load balancers of its group, and takes tasks in
    /// its cluster. One question each; the first that says no ends it.
    pub(crate) async fn targets(
        &self,
        view: &GroupView,
        cluster: Option<&ClusterName>,
        new: &Newcomer,
        cause: Cause<'_>,
    ) -> Result<bool, Fault> {
        for target in &view.target_groups {
            let state = self.ports.look.target(&view.key.site, target, &new.id, cause).await;
            if self.noting(&view.key.site, state)? != TargetState::Healthy {
                return Ok(false);
            }
        }
        for name in &view.load_balancers {
            let state = self.ports.look.balancer(&view.key.site, name, &new.id, cause).await;
            if self.noting(&view.key.site, state)? != TargetState::Healthy {
                return Ok(false);
            }
        }
        match cluster {
            Some(cluster) => self.registered(&view.key.site, cluster, new, cause).await,
            None => Ok(true),
        }
    }

    /// What was last heard of an instance's state.
    pub(crate) fn state_of(&self, id: &InstanceId) -> Option<RunState> {
        self.memory().status(id)
    }

    /// Reads prices of the regions in use, again and again.
    pub(crate) async fn market_loop(&self) {
        loop {
            let regions: std::collections::BTreeSet<_> =
                self.memory().accounts.values().flat_map(|a| a.regions.iter().cloned()).collect();
            let began = self.now();
            let mut failed = false;
            for region in &regions {
                match self.ports.prices.spot(region).await {
                    Ok(quotes) => {
                        self.memory().unpriced.remove(region);
                        self.quoted(region, quotes);
                    }
                    Err(fault) => {
                        let mut memory = self.memory();
                        memory.unpriced.insert(region.clone(), fault);
                        failed |= memory.market(region).quotes.is_none();
                    }
                }
            }
            // Before the directory was read there are no regions; look again soon.
            let pause = match () {
                () if regions.is_empty() => Span::secs(1),
                () if failed => Span::secs(5),
                () => self.settings.prices,
            };
            self.ports.clock.sleep_until(began + pause).await;
        }
    }

    /// New prices of a region: groups that were held for want of them are looked at again.
    fn quoted(&self, region: &Region, quotes: Quotes) {
        let now = self.now();
        let waiting: Vec<GroupKey> = {
            let mut memory = self.memory();
            memory.signal(region, |signals| signals.forget(now));
            let before = memory.market(region).quotes.replace(Arc::new(quotes));
            if before.is_some_and(|b| now.since(b.as_of) <= QUOTE_AGE_MAX) {
                return;
            }
            let unpriced = |row: &HoldRow| matches!(row.reason.label(), "no-quote" | "stale-quote");
            let held = memory
                .records
                .iter()
                .filter(|(g, kept)| g.site.region == *region && kept.record.holds.iter().any(unpriced));
            held.map(|(group, _)| group.clone()).collect()
        };
        for group in waiting {
            self.wake(&group, now, Lane::Normal);
        }
    }

    /// Prices and signals of a region, to decide by.
    pub(crate) fn market_of(&self, region: &Region) -> Market {
        let market = self.memory().market(region).clone();
        if self.settings.learning { market } else { Market { signals: Arc::default(), ..market } }
    }

    /// Tells the organization's capacity knowledge what a pool did.
    pub(crate) fn pool_signal(
        &self,
        site: &Site,
        pool: &Pool,
        tell: impl FnOnce(&mut spothub_core::market::Signals, &Pool),
    ) {
        self.memory().signal(&site.region, |signals| tell(signals, pool));
    }
}
