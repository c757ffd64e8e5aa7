//! The one code path: whatever woke a group, look at it afresh, decide, act, record, park.

use spothub_core::fault::Fault;
use spothub_core::group::GroupView;
use spothub_core::id::{GroupKey, SwapId};
use spothub_core::plan::{self, Ask, Plan, Question, Swap};
use spothub_core::policy::Effective;
use spothub_core::port::{Cause, Lane, Note, TemplateFacts};
use spothub_core::reason::HoldReason;
use spothub_core::record::{Drain, HoldRow, Op, Stage};
use spothub_core::time::{Span, Timestamp};
use std::sync::Arc;

use crate::engine::Engine;
use crate::held::{Halt, Held};

/// A view older than this is read again before a decision that may change something; opt-outs and the looks that
/// changes rest on must be fresh (INV-2, INV-6).
const VIEW_AGE_MAX: Span = Span::secs(10);
/// After a failed read or a lost race: not at once, and well before the next sweep.
const RETRY_AFTER: Span = Span::secs(20);
/// After a failed read before a rescue: often enough within the two minutes of a warning.
pub(crate) const RESCUE_AGAIN: Span = Span::secs(2);
/// While another worker has a group in which something is to be rescued here: most leases last for a few round trips,
/// and a warning is two minutes.
const CONTENDED: Span = Span::millis(250);
/// Questions answered for one plan: each is asked once at most.
const QUESTIONS_MAX: usize = 5;

impl Engine {
    pub(crate) async fn reconcile(&self, group: &GroupKey) {
        let now = self.now();
        if !self.enrolled(&group.site) {
            if self.memory().accounts.is_empty() {
                // Recovered before the directory was read: who is enrolled is not known yet.
                self.wake(group, now + Span::secs(1), Lane::Urgent);
            }
            return;
        }
        if let Err(halt) = self.work(group).await {
            let contended = matches!(halt, Halt::Lost) && self.noticed(group);
            tracing::debug!(account = %group.site.account, region = %group.site.region, group = %group.name, ?halt,
                "reconcile stopped early");
            let known = self.memory().records.remove(group).map(|kept| kept.version);
            let found = self.load(group).await;
            if let Ok(held) = &found {
                self.went_back(known, &held.kept);
            }
            if found.as_ref().is_ok_and(|held| held.kept.record.ops.is_empty()) {
                self.memory().flights.land(group);
            }
            if contended {
                self.wake(group, self.now() + CONTENDED, Lane::Urgent);
            } else if !matches!(found, Err(Halt::Unreadable)) {
                self.wake(group, now + RETRY_AFTER, Lane::Normal);
            }
        }
    }

    async fn work(&self, group: &GroupKey) -> Result<(), Halt> {
        let (mut held, ahead) = self.load_and_look(group).await?;
        self.acted_on(&held.kept.record);
        if self.driven_elsewhere(&held.kept.record) && !self.noticed(group) {
            return Ok(());
        }
        if let Some(until) = self.leased_elsewhere(group, &held) {
            if self.noticed(group) {
                self.wake(group, until.min(self.now() + CONTENDED), Lane::Urgent);
            } else {
                self.wake(group, until, Lane::Normal);
            }
            return Ok(());
        }
        let ids: Vec<SwapId> = held.kept.record.ops.iter().map(|op| op.id.clone()).collect();
        let remembered = self.memory().take_view(group, self.now() - VIEW_AGE_MAX);
        // A look from before another worker's last write says nothing of what that one changed; where nothing is in
        // flight, nobody knows who wrote last.
        let ours = if ids.is_empty() { !self.settings.peers } else { self.drives(&held.kept.record) };
        let mut view = remembered.filter(|_| ours).or_else(|| ahead.filter(|_| ids.is_empty()));
        if ids.is_empty() && view.is_none() {
            if let Some(until) = self.nothing_before(&held) {
                self.wake(group, until, Lane::Normal);
                return Ok(());
            }
            match self.look(group, Cause::default()).await {
                Ok(seen) => view = seen,
                Err(fault) => return self.blind(&mut held, &fault).await,
            }
        }
        for id in &ids {
            self.drive(&mut held, &mut view, id).await?;
        }
        let urgent = self.noticed(group);
        if view.is_none() && urgent && !ids.is_empty() {
            view = self.look(group, Cause::default()).await.ok().flatten();
        }
        if let Some(seen) = &view {
            self.settle_stranded(&mut held, seen).await;
        }
        let begins = |v: &GroupView| self.now().since(v.seen_at) < VIEW_AGE_MAX && !self.stopping();
        if let Some(mut view) = view.filter(begins) {
            self.rescues(&mut held, &mut view).await?;
            self.choose(&mut held, &mut view).await?;
        }
        self.park(&mut held).await
    }

    /// The record; and for a warning a look made meanwhile, which is worth something only where the record is as it was
    /// known before: a look must not be older than what the record says was done.
    async fn load_and_look(&self, group: &GroupKey) -> Result<(Held, Option<GroupView>), Halt> {
        if !self.settings.peers || !self.noticed(group) {
            return Ok((self.load(group).await?, None));
        }
        let before = self.memory().records.get(group).map_or(0, |kept| kept.version);
        let (held, seen) = futures::future::join(self.load(group), self.look(group, Cause::default())).await;
        let held = held?;
        let fits = held.kept.version == before;
        Ok((held, seen.ok().flatten().filter(|_| fits)))
    }

    /// Whether a member of this group is announced to be taken and nothing was done about it yet.
    pub(crate) fn noticed(&self, group: &GroupKey) -> bool {
        let now = self.now();
        self.memory().notices.any_open(group, now)
    }

    /// Nothing can be decided for this group before then, so there is no reason to look at it; a warning is one.
    fn nothing_before(&self, held: &Held) -> Option<Timestamp> {
        let group = &held.kept.record.group;
        let noticed = self.noticed(group);
        let record = &held.kept.record;
        let interval = record.last_swap_at.map(|at| at + self.policy().interval_min());
        let until = record.backoff.until.max(interval)?;
        (!noticed && record.bake_until.is_none() && self.now() < until).then_some(until)
    }

    /// A group that cannot be looked at is held, and looked at later.
    async fn blind(&self, held: &mut Held, fault: &Fault) -> Result<(), Halt> {
        let group = held.kept.record.group.clone();
        if matches!(fault, Fault::Denied(_) | Fault::Unreachable(_)) && held.kept.record.ops.is_empty() {
            self.hold(held, &[plan::Hold { instance: None, reason: HoldReason::AccessDenied }]);
            return self.park(held).await;
        }
        if self.noticed(&group) {
            self.wake(&group, self.now() + RESCUE_AGAIN, Lane::Urgent);
        } else {
            self.wake(&group, self.now() + RETRY_AFTER, Lane::Normal);
        }
        Ok(())
    }

    /// Decides on a swap by choice, and begins it.
    async fn choose(&self, held: &mut Held, view: &mut GroupView) -> Result<(), Halt> {
        let Some(effective) = self.effective(&view.key, &view.tags) else { return Ok(()) };
        if let Some(hold) = self.paused(&view.key).await {
            let plan = self.planned(held, view, &effective);
            let holds = if plan.swap.is_none() && plan.question.is_none() { plan.holds } else { vec![hold] };
            self.hold(held, &holds);
            return Ok(());
        }
        if !self.baked(held, view).await? {
            return Ok(());
        }
        // Read for this decision, whatever was remembered for showing.
        let remembered = view.extras.clone();
        let mut asked = Vec::new();
        for _ in 0..QUESTIONS_MAX {
            let plan = self.planned(held, view, &effective);
            let fresh = asked.contains(&Question::Extras);
            let question = match (&plan.question, &plan.swap) {
                (None, Some(_)) if !fresh && remembered.is_some() => {
                    view.extras = None;
                    continue;
                }
                (question, _) => question.clone(),
            };
            let Some(question) = question else { return self.decided(held, view, &effective, plan).await };
            if asked.contains(&question) {
                break;
            }
            match self.answer(&question, view).await {
                Ok(()) => asked.push(question),
                Err(Fault::Denied(_) | Fault::Unreachable(_)) => {
                    // Rights do not come back by the second: the next sweep asks again.
                    self.hold(held, &[plan::Hold { instance: None, reason: HoldReason::AccessDenied }]);
                    return Ok(());
                }
                Err(_) => break,
            }
        }
        self.wake(&view.key.clone(), self.now() + RETRY_AFTER, Lane::Normal);
        Ok(())
    }

    pub(crate) fn template_of(&self, view: &GroupView) -> Option<Arc<TemplateFacts>> {
        self.memory().templates.get(&(view.key.site.clone(), view.source.clone())).cloned()
    }

    /// `plan` on what is known now.
    pub(crate) fn planned(&self, held: &Held, view: &GroupView, effective: &Effective) -> Plan {
        self.planned_at(held, view, effective, self.now())
    }

    /// `plan` on what is known, as of `now`.
    pub(crate) fn planned_at(&self, held: &Held, view: &GroupView, effective: &Effective, now: Timestamp) -> Plan {
        let template = self.template_of(view);
        let role = template.as_ref().and_then(|facts| self.role_of(&view.key.site, facts, now));
        let origins = self.origins(view);
        let reverting = self.reverting(&view.key);
        let shares = self.shares(view.key.site.account, effective, now);
        let commitments = self.commitments();
        let (market, load, recommended) = {
            let memory = self.memory();
            let account = view.key.site.account;
            let ou = memory.accounts.get(&account).map(|a| a.ou.clone());
            let load = ou.map(|ou| {
                let mut load = memory.flights.load(account, &ou);
                memory.counters.raise(&mut load, account, &ou);
                load
            });
            let shut = memory.breakers.get(&view.key.site).and_then(|breaker| breaker.shut(now));
            let load = plan::Load { shut, ..load.unwrap_or_default() };
            let recommended = memory.recommended_in(view, now);
            drop(memory);
            (self.market_of(&view.key.site.region), load, recommended)
        };
        plan::plan(&Ask {
            view,
            record: &held.kept.record,
            template: template.as_deref(),
            role: role.as_ref(),
            market: &market,
            effective,
            rights: &self.settings.rights,
            origins: &origins,
            recommended: &recommended,
            reverting: reverting.as_ref(),
            load,
            shares: shares.as_deref(),
            commitments: commitments.known(),
            catalog: self.catalog,
            substitutes: &self.substitutes,
            now,
        })
    }

    async fn decided(
        &self,
        held: &mut Held,
        view: &mut GroupView,
        effective: &Effective,
        plan: Plan,
    ) -> Result<(), Halt> {
        self.hold(held, &plan.holds);
        if let Some(at) = plan.again_at {
            self.wake(&view.key, at, Lane::Normal);
        }
        let Some(swap) = plan.swap else { return Ok(()) };
        self.score_wanted(view, &swap);
        if self.ports.act.is_none() {
            // The sweep comes back to it; nothing else will have changed.
            let group = &view.key;
            tracing::info!(account = %group.site.account, region = %group.site.region, group = %group.name,
                old = %swap.old, "a swap would begin");
            return Ok(());
        }
        let stale = self.now().since(view.seen_at) > VIEW_AGE_MAX + VIEW_AGE_MAX;
        if stale || self.stopping() {
            self.wake(&view.key, self.now() + RETRY_AFTER, Lane::Normal);
            return Ok(());
        }
        let Some(op) = self.swap_op(view, swap) else { return Ok(()) };
        if !self.still_uncovered(held, view, effective, &op.old) {
            self.wake(&view.key, self.now() + RETRY_AFTER, Lane::Normal);
            return Ok(());
        }
        self.shares_decided(view.key.site.account, &op, effective);
        if !self.starts.begin(&view.key) || !self.reserve(&op.id, view, effective) {
            self.wake(&view.key, self.now() + RETRY_AFTER, Lane::Normal);
            return Ok(());
        }
        self.leaves_commitment(view, &op.old, &op.id);
        let ou = self.memory().accounts.get(&view.key.site.account).map(|account| account.ou.clone());
        let Some(ou) = ou else { return Ok(()) };
        if let Some(reason) = self.count_in(held, &ou, &effective.policy.budgets).await? {
            self.memory().flights.remove(&op.id);
            self.hold(held, &[plan::Hold { instance: None, reason }]);
            self.wake(&view.key, self.now() + RETRY_AFTER, Lane::Normal);
            return Ok(());
        }
        if !self.passes(&view.key.site, &op.id).await {
            held.moves.clear();
            self.memory().flights.remove(&op.id);
            self.wake(&view.key, self.now() + RETRY_AFTER, Lane::Normal);
            return Ok(());
        }
        let counted = self.settings.peers.then_some(ou);
        self.begin(held, view, Op { counted, ..op }).await
    }

    /// Takes a place in the budgets; `false` where another group took the last one since the plan was made.
    fn reserve(&self, id: &SwapId, view: &GroupView, effective: &Effective) -> bool {
        let account = view.key.site.account;
        let mut memory = self.memory();
        let Some(ou) = memory.accounts.get(&account).map(|a| a.ou.clone()) else { return false };
        let budgets = effective.policy.budgets;
        if memory.flights.load(account, &ou).full(&budgets).is_some() {
            return false;
        }
        memory.flights.add(id.clone(), view.key.clone(), ou, budgets);
        true
    }

    /// Puts an op on the record and drives it as far as it goes.
    pub(crate) async fn begin(&self, held: &mut Held, view: &mut GroupView, op: Op) -> Result<(), Halt> {
        let id = op.id.clone();
        let group = view.key.clone();
        self.note(&Note::Swap {
            swap: &id,
            group: &group,
            state: op.stage.label(),
            old: &op.old,
            new: None,
            why: None,
            began: op.started_at,
            left: None,
        });
        held.record().ops.push(op);
        let mut view = Some(view.clone());
        // Where this stops early, the record tells whether the swap began; until it is read again, it counts.
        self.drive(held, &mut view, &id).await
    }

    pub(crate) fn new_id(&self, rescue: bool) -> SwapId {
        let mut memory = self.memory();
        memory.swaps_made += 1;
        // Spread by a fixed odd factor, so that ids of one worker do not follow one another in sorted tables.
        let number = (self.settings.id_seed.wrapping_mul(0x0100_0000_01b3) ^ memory.swaps_made)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        SwapId::from_number(number, rescue)
    }

    fn swap_op(&self, view: &GroupView, swap: Swap) -> Option<Op> {
        let template = self.template_of(view)?;
        let subnet = view.member(&swap.old)?.facts.as_ref()?.subnet.clone();
        let policy = self.effective(&view.key, &view.tags)?.policy;
        let product = policy.product.unwrap_or(template.product);
        let now = self.now();
        Some(Op {
            id: self.new_id(false),
            old: swap.old,
            old_on_demand: swap.on_demand,
            az: swap.az,
            subnet,
            product,
            baseline: swap.baseline,
            original: swap.kind,
            request: swap.request,
            fallback: None,
            new: None,
            stage: Stage::Launch { attempt: 0 },
            started_at: now,
            entered_at: now,
            added: false,
            attached: false,
            desired_after: 0,
            counted: None,
            bake: policy.bake(),
            policy: self.memory().policy_digest.clone(),
            drain: Drain::ahead(&policy, &self.settings.rights, None),
            unclear: false,
            tries: 0,
        })
    }

    /// Notes holds that began or ended. The same reasons again change nothing and write nothing.
    pub(crate) fn hold(&self, held: &mut Held, holds: &[plan::Hold]) {
        let now = self.now();
        let group = held.kept.record.group.clone();
        let same = |row: &HoldRow, hold: &plan::Hold| {
            row.instance == hold.instance && row.reason.label() == hold.reason.label()
        };
        let rows = &mut held.kept.record.holds;
        let mut changed = false;
        rows.retain_mut(|row| {
            let stays = holds.iter().any(|hold| same(row, hold));
            row.count += 1;
            if !stays {
                changed = true;
                self.note(&Note::Hold { group: &group, instance: row.instance.as_ref(), reason: None });
            }
            stays
        });
        for hold in holds {
            if !rows.iter().any(|row| same(row, hold)) {
                changed = true;
                self.note(&Note::Hold { group: &group, instance: hold.instance.as_ref(), reason: Some(&hold.reason) });
                rows.push(HoldRow {
                    instance: hold.instance.clone(),
                    reason: hold.reason.clone(),
                    since: now,
                    count: 1,
                });
            }
        }
        held.dirty |= changed;
    }
}
