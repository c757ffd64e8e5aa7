//! The looks of a survey: what a site answers, as far as a plan asks for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use spothub_core::fault::Fault;
use spothub_core::group::{GroupView, InstanceFacts, Lifecycle, Source};
use spothub_core::id::{InstanceId, Region, Site};
use spothub_core::plan::{Hold, Plan, Question, Swap};
use spothub_core::policy::Effective;
use spothub_core::port::Cause;
use spothub_core::time::{Span, Timestamp};

use super::{Asked, Depth, Missed, Surveyed};
use crate::engine::Engine;
use crate::held::Held;

/// Tries of one read: a throttled or failed one answers soon in most cases, and nobody sweeps again after a survey.
const TRIES_MAX: usize = 5;
/// The pause before the next try.
const TRY_AGAIN: Span = Span::secs(5);
/// Questions answered for one group: each is asked once at most.
const QUESTIONS_MAX: usize = 5;

/// What one site answered.
pub(super) struct Gathered {
    pub(super) groups: Vec<(GroupView, Held)>,
    pub(super) missed: Vec<Missed>,
}

impl Engine {
    /// The answer to a read, asked again where it may come yet.
    pub(super) async fn again<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let mut tries = 1;
        loop {
            match ask().await {
                Err(fault) if tries < TRIES_MAX && fault.may_pass() => {
                    tries += 1;
                    self.ports.clock.sleep_until(self.now() + TRY_AGAIN).await;
                }
                answer => return answer,
            }
        }
    }

    /// Reads the prices of the regions of these sites.
    pub(super) async fn survey_prices(&self, sites: &[Site]) -> Vec<Missed> {
        let regions: BTreeSet<&Region> = sites.iter().map(|site| &site.region).collect();
        let mut missed = Vec::new();
        for region in regions {
            match self.again(|| self.ports.prices.spot(region)).await {
                Ok(quotes) => self.memory().market(region).quotes = Some(Arc::new(quotes)),
                Err(fault) => missed.push(Missed::prices(region, &fault)),
            }
        }
        missed
    }

    /// Looks at one site.
    pub(super) async fn gather(&self, site: Site, depth: Depth) -> Gathered {
        let mut gathered = Gathered { groups: Vec::new(), missed: Vec::new() };
        let views = match self.again(|| self.ports.look.groups(&site, None, Cause::default())).await {
            Ok(views) => views,
            Err(fault) => {
                gathered.missed.push(Missed::site(&site, Asked::Groups, &fault));
                return gathered;
            }
        };
        let mut views: Vec<GroupView> = views.into_iter().map(|view| self.fill(view)).collect();
        if let Err(fault) = self.gather_facts(&site, &mut views).await {
            gathered.missed.push(Missed::site(&site, Asked::Facts, &fault));
        }
        for mut view in views {
            let Ok(held) = self.load(&view.key).await else {
                gathered.missed.push(Missed::group(&view.key, Asked::Record, &Fault::Broken));
                continue;
            };
            if let Err((what, fault)) = self.inquire(&mut view, &held, depth).await {
                gathered.missed.push(Missed::group(&view.key, what, &fault));
            }
            gathered.groups.push((view, held));
        }
        gathered
    }

    /// Reads the facts of all members of a site at once: also of groups that policy leaves alone, whose members are to
    /// be counted.
    async fn gather_facts(&self, site: &Site, views: &mut [GroupView]) -> Result<(), Fault> {
        let members = || views.iter().flat_map(|view| &view.members);
        let ids: Vec<InstanceId> = members().filter(|m| m.facts.is_none()).map(|m| m.id.clone()).collect();
        let answer = self.again(|| self.read_instances(site, &ids, Cause::default())).await;
        let memory = self.memory();
        for member in views.iter_mut().flat_map(|view| &mut view.members) {
            member.facts = memory.facts(&member.id).cloned();
        }
        answer.map(|_| ())
    }

    /// Answers what the plan of this group asks, and with [`Depth::Whole`] what it could ask.
    async fn inquire(&self, view: &mut GroupView, held: &Held, depth: Depth) -> Result<(), (Asked, Fault)> {
        let Some(effective) = self.effective(&view.key, &view.tags) else { return Ok(()) };
        let mut asked = Vec::new();
        for _ in 0..QUESTIONS_MAX {
            let question = self.planned(held, view, &effective).question;
            let question = question.or_else(|| if depth == Depth::Whole { self.unasked(view) } else { None });
            let Some(question) = question.filter(|question| !asked.contains(question)) else { break };
            let mut tries = 1;
            while let Err(fault) = self.answer(&question, view).await {
                if tries == TRIES_MAX || !(fault.may_pass() || fault == Fault::Gone) {
                    return Err((Asked::from(&question), fault));
                }
                tries += 1;
                self.ports.clock.sleep_until(self.now() + TRY_AGAIN).await;
            }
            asked.push(question);
        }
        Ok(())
    }

    /// What a plan under another policy could ask of this group.
    fn unasked(&self, view: &GroupView) -> Option<Question> {
        match () {
            () if view.source != Source::Mixed && self.template_of(view).is_none() => Some(Question::Template),
            () if view.extras.is_none() => Some(Question::Extras),
            () => None,
        }
    }

    /// The engine's plan for what was seen, made at `at`; `None` where the account is not served (any more).
    pub(super) fn surveyed(&self, view: GroupView, held: &Held, at: Timestamp) -> Option<Surveyed> {
        let effective = self.effective(&view.key, &view.tags)?;
        let plan = self.planned_at(held, &view, &effective, at);
        let (course, rest) = self.course(&plan, view.clone(), held, &effective, at);
        let record = (held.kept.version > 0).then(|| held.kept.record.clone());
        let floor = effective.policy.floor(held.kept.record.want(&view));
        Some(Surveyed { template: self.template_of(&view), record, floor, effective, plan, course, rest, view })
    }

    /// What would be begun one after the other, and what is held when nothing more is: each plan is asked of the view
    /// that the swap before it leaves.
    fn course(
        &self,
        first: &Plan,
        mut view: GroupView,
        held: &Held,
        effective: &Effective,
        at: Timestamp,
    ) -> (Vec<Swap>, Vec<Hold>) {
        let (mut course, mut plan) = (Vec::new(), first.clone());
        // Each swap takes one on-demand member, so there are no more than members.
        for _ in 0..view.members.len() {
            let Some(swap) = plan.swap.take() else { break };
            self.surveyed_uncovered(&view, &swap.old);
            become_spot(&mut view, &swap);
            course.push(swap);
            plan = self.planned_at(held, &view, effective, at);
        }
        (course, plan.holds)
    }
}

/// The view after a swap that went as counted on: the newcomer is of the best pool's type, under the old one's id.
fn become_spot(view: &mut GroupView, swap: &Swap) {
    let Some(member) = view.members.iter_mut().find(|member| member.id == swap.old) else { return };
    member.kind = swap.request.pools.first().map(|pool| pool.kind);
    if let Some(facts) = &member.facts {
        member.facts = Some(Arc::new(InstanceFacts { lifecycle: Lifecycle::Spot, ..InstanceFacts::clone(facts) }));
    }
}
