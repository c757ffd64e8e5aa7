//! What is not the usual way onto Spot: back to on-demand, aside to another pool, and a rescue's ways out.

use super::pick::{Terms, candidates};
use super::{
    Ask, Plan, Question, Stop, allowed, at_rest, budgets, launchable, market, may_launch, on_demand, pace, pick,
    request, stranded, template,
};
use crate::catalog::TypeId;
use crate::cloud::TemplateFacts;
use crate::group::{GroupView, Lifecycle, Member};
use crate::id::AzId;
use crate::money::{Percent, UsdPerHour};
use crate::policy::OnRebalance;
use crate::reason::HoldReason;
use crate::record::Request;
use crate::saga::CAPACITY_WAIT;

/// Members that serve, are on Spot, and were brought by us.
pub(super) fn brought(view: &GroupView) -> impl Iterator<Item = &Member> {
    let ours = |m: &&Member| m.facts.as_ref().is_some_and(|f| f.swap.is_some() && f.lifecycle == Lifecycle::Spot);
    view.members.iter().filter(|m| m.is_in_service()).filter(ours)
}

/// Whether a member that we brought is to be on demand again: all of them, or as many as the floor lacks.
pub(super) fn goes_back(ask: &Ask<'_>) -> bool {
    let floor = ask.effective.policy.floor(ask.record.want(ask.view));
    (ask.reverting.is_some() || ask.view.on_demand_in_service() < floor) && brought(ask.view).next().is_some()
}

/// One member that we brought goes back to on-demand: the same swap, the other way round. No window of policy keeps it
/// from that, since somebody asked for it.
pub(super) fn back(ask: &Ask<'_>) -> Result<Plan, Stop> {
    stranded(ask)?;
    at_rest(ask)?;
    if !ask.rights.on_demand_fallback {
        return Err(HoldReason::OnDemandNotAllowed.into());
    }
    budgets(ask)?;
    let template = ask.template.ok_or(Stop::Ask(Question::Template))?;
    launchable(ask, template)?;
    allowed(ask, pick::back(ask, template))
}

/// One member whose pool AWS recommends to leave goes to another one, where policy asks for that and the group does not
/// see to it itself.
pub(super) fn aside(ask: &Ask<'_>) -> Result<Plan, Stop> {
    let policy = &ask.effective.policy;
    let moves = matches!(policy.on_rebalance, OnRebalance::Replace | OnRebalance::WhenWorse);
    if !moves || ask.view.capacity_rebalance || !ask.view.members.iter().any(|m| ask.recommended.contains(&m.id)) {
        return Err(Stop::Settled);
    }
    stranded(ask)?;
    at_rest(ask)?;
    pace(ask)?;
    let template = template(ask)?;
    launchable(ask, template)?;
    market(ask)?;
    allowed(ask, pick::aside(ask, template))
}

/// One member that we brought, whose pool became dear, goes to one that is cheaper, where policy asks for that.
pub(super) fn cheaper(ask: &Ask<'_>) -> Result<Plan, Stop> {
    if ask.effective.policy.spot_to_spot.min_saving == Percent::ALL || brought(ask.view).next().is_none() {
        return Err(Stop::Settled);
    }
    stranded(ask)?;
    at_rest(ask)?;
    pace(ask)?;
    let template = template(ask)?;
    launchable(ask, template)?;
    market(ask)?;
    allowed(ask, pick::cheaper(ask, template))
}

/// What a rescue launches, and what instead where that cannot be had: Spot, unless pools refused the group lately or
/// the zone is being emptied, and on-demand capacity of a compatible type, where IAM allows each. Neither leaves it
/// to the group itself.
#[must_use]
pub fn ways_out(
    ask: &Ask<'_>,
    template: &TemplateFacts,
    kind: TypeId,
    az: &AzId,
    baseline: UsdPerHour,
) -> (Option<Request>, Option<Request>) {
    if !may_launch(ask, template) {
        return (None, None);
    }
    let refused = ask.record.refused_at().is_some_and(|at| ask.now < at + CAPACITY_WAIT);
    // Any saving will do: the alternative is the on-demand price itself.
    let fallback = || on_demand(ask, template, kind, az, baseline);
    let fallback = ask.rights.on_demand_fallback.then(fallback).flatten();
    // Better a pool too full than nothing at all.
    let terms = Terms { baseline, least: Percent::ZERO, caps: fallback.is_some() };
    let pools = || candidates(ask, template, kind, az, terms).ok();
    // While a zone is being emptied, the next pool may fall before the newcomer has booted.
    let product = ask.effective.policy.product.unwrap_or(template.product);
    let unsafe_now = fallback.is_some() && ask.market.signals.emptied(az, product, ask.now);
    // What goes back to on-demand has no use for one more on Spot.
    let wanted = ask.reverting.is_none() && !template.not_on_spot;
    let spot = (wanted && !refused && !unsafe_now).then(pools).flatten();
    (spot.map(|pools| request(ask, template, baseline, pools)), fallback)
}
