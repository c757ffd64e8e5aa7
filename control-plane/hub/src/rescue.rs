//! Rescues: a member that AWS has announced it will take is replaced ahead of time, or its group is told to at once.

use spothub_core::fault::Fault;
use spothub_core::group::GroupView;
use spothub_core::id::InstanceId;
use spothub_core::plan::{self, Ask, Question};
use spothub_core::policy::Standing;
use spothub_core::port::{Cause, Lane};
use spothub_core::record::{Drain, Op, Stage};
use spothub_core::time::{Span, Timestamp};

use crate::engine::Engine;
use crate::held::{Halt, Held};
use crate::reconcile::RESCUE_AGAIN;

/// How long before it takes a Spot instance AWS says so.
const WARNED: Span = Span::mins(2);

impl Engine {
    /// Begins a rescue for each member that AWS announced it will take.
    pub(crate) async fn rescues(&self, held: &mut Held, view: &mut GroupView) -> Result<(), Halt> {
        if self.noticed(&view.key) && self.rescues_paused(&view.key).await {
            return Ok(());
        }
        let due: Vec<InstanceId> = {
            let (memory, now) = (self.memory(), self.now());
            let open = |id: &InstanceId| memory.notices.is_open(id, now);
            view.members.iter().filter(|m| m.is_in_service() && open(&m.id)).map(|m| m.id.clone()).collect()
        };
        for old in due {
            let ours = |op: &Op| op.old == old || op.new.as_ref() == Some(&old);
            if held.kept.record.ops.iter().any(ours) || self.ports.act.is_none() || self.stopping() {
                continue;
            }
            if self.read_for_rescue(view, &old).await.is_err() {
                self.wake(&view.key, self.now() + RESCUE_AGAIN, Lane::Urgent);
                continue;
            }
            let Some(op) = self.rescue_op(held, view, &old) else { continue };
            self.memory().notices.handle(&old, true);
            if let Some(effective) = self.effective(&view.key, &view.tags) {
                self.shares_decided(view.key.site.account, &op, &effective);
            }
            if let Err(halt) = self.begin(held, view, op).await {
                // The record tells whether it was begun, once it is read again.
                self.memory().notices.handle(&old, false);
                return Err(halt);
            }
            // The group has changed under this view.
            match self.look(&view.key, Cause::default()).await {
                Ok(Some(fresh)) => *view = fresh,
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// What a rescue rests on and a worker that never swapped there did not need: all at once, since time is short.
    async fn read_for_rescue(&self, view: &mut GroupView, old: &InstanceId) -> Result<(), Fault> {
        let known = view.member(old).is_none_or(|member| member.facts.is_some());
        let facts = async {
            if known {
                return Ok(());
            }
            self.read_instances(&view.key.site, std::slice::from_ref(old), Cause::default()).await.map(drop)
        };
        let template = async {
            if self.template_of(view).is_none() {
                self.answer(&Question::Template, &mut view.clone()).await?;
            }
            self.read_role(view).await
        };
        let usage = async { self.learn_usage(&view.key.site, old).await.map_err(|_| Fault::Broken) };
        let (facts, template, usage) = futures::future::join3(facts, template, usage).await;
        facts.and(template).and(usage)?;
        let memory = self.memory();
        for member in view.members.iter_mut().filter(|member| member.facts.is_none()) {
            member.facts = memory.facts(&member.id).cloned();
        }
        Ok(())
    }

    /// The rescue of one member, or `None` where it is held. Without a pool the group's own replacement is hastened.
    fn rescue_op(&self, held: &Held, view: &GroupView, old: &InstanceId) -> Option<Op> {
        let effective = self.effective(&view.key, &view.tags)?;
        let template = self.template_of(view)?;
        let member = view.member(old)?.clone();
        let facts = member.facts.as_ref()?;
        let (original, baseline) = self.stands_for(view, &member, &template)?;
        let market = self.market_of(&view.key.site.region);
        // A profile changes its role once in years, and there is no time to ask again.
        let role = self.role_of(&view.key.site, &template, Timestamp(i64::MIN));
        let reverting = self.reverting(&view.key);
        let shares = self.shares(view.key.site.account, &effective, self.now());
        let ask = Ask {
            view,
            record: &held.kept.record,
            template: Some(&template),
            role: role.as_ref(),
            market: &market,
            effective: &effective,
            rights: &self.settings.rights,
            origins: plan::NO_ORIGINS,
            recommended: plan::NONE_RECOMMENDED,
            reverting: reverting.as_ref(),
            load: plan::Load::default(),
            shares: shares.as_deref(),
            // Capacity that is lost is replaced whatever is paid for.
            commitments: spothub_core::commitment::Known::Unasked,
            catalog: self.catalog,
            substitutes: &self.substitutes,
            now: self.now(),
        };
        if effective.standing != Standing::Enabled || plan::rescuable(&ask).is_err() {
            return None;
        }
        let (spot, fallback) = plan::ways_out(&ask, &template, original, &member.az, baseline);
        let (stage, request, fallback) = match (spot, fallback) {
            (Some(request), fallback) => (Stage::Launch { attempt: 0 }, request, fallback),
            (None, Some(request)) => (Stage::Launch { attempt: 0 }, request, None),
            (None, None) => (Stage::LetGo, plan::request(&ask, &template, baseline, Vec::new()), None),
        };
        let now = self.now();
        let deadline = self.memory().notices.deadline(old).unwrap_or(now + WARNED);
        Some(Op {
            id: self.new_id(true),
            old: old.clone(),
            old_on_demand: false,
            az: member.az.clone(),
            subnet: facts.subnet.clone(),
            product: effective.policy.product.unwrap_or(template.product),
            baseline,
            original,
            request,
            fallback,
            new: None,
            stage,
            started_at: now,
            entered_at: now,
            added: false,
            attached: false,
            desired_after: 0,
            counted: None,
            bake: Span::ZERO,
            policy: self.memory().policy_digest.clone(),
            drain: Drain::ahead(&effective.policy, &self.settings.rights, Some(deadline)),
            unclear: false,
            tries: 0,
        })
    }
}
