//! `plan`: what to do with one group, from one look at it. Pure: the same inputs give the same answer.
//!
//! The answer is a swap, a hold with its reason for every member left on demand, or a question (something that must
//! be read first). A settled group gives neither.

mod errand;
mod kinds;
mod load;
mod paid;
mod pick;
mod share;

use std::collections::{BTreeMap, BTreeSet};

use crate::brake::BrakeScope;
use crate::breaker::{self, Guards, Shut};
use crate::catalog::{Catalog, TypeId};
use crate::cloud::TemplateFacts;
use crate::commitment::Known;
use crate::compat::Substitutes;
use crate::group::{Extras, GroupView, InstanceFacts, Lifecycle, Member, MemberState, Process, Source};
use crate::id::{AzId, GroupKey, InstanceId, ProfileName};
use crate::market::Market;
use crate::money::UsdPerHour;
use crate::policy::{Effective, Policy, TemplateRule};
use crate::reason::{HoldReason, OptOut};
use crate::record::{GroupRecord, Request, Why};
use crate::rights::{Given, Passable, Rights};
use crate::saga::CAPACITY_WAIT;
use crate::time::{Span, Timestamp};

pub use errand::ways_out;
pub use kinds::served;
pub use load::{Flight, Load};
pub use pick::{RUN_ATTEMPTS_MAX, on_demand, request};
pub use share::Shares;

/// Prices older than this are not acted on. They are read every quarter of an hour; three reads in a row must have
/// failed.
pub const QUOTE_AGE_MAX: Span = Span::mins(50);
/// A group that a red alarm holds is looked at again after so long.
pub const ALARM_AGAIN: Span = Span::mins(2);
/// The window in which a group's replaced share counts.
pub const SHARE_WINDOW: Span = Span::hours(1);

/// What an instance that we launched stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The on-demand type at the beginning of its chain.
    pub kind: TypeId,
    /// The price counted for that.
    pub price: UsdPerHour,
    /// The Spot price that its pool was quoted at when it was launched; `None` where that is not known.
    pub quoted: Option<UsdPerHour>,
}

/// What instances that we launched stand for.
pub type Origins = BTreeMap<InstanceId, Origin>;

/// Nothing that we launched.
pub const NO_ORIGINS: &Origins = &BTreeMap::new();

/// Nothing that AWS recommends to replace.
pub const NONE_RECOMMENDED: &BTreeSet<InstanceId> = &BTreeSet::new();

/// An instance that we launched on demand stays so at least so long: capacity that was not there is not back at once.
pub const RETURN_AFTER: Span = Span::mins(10);

/// Everything a decision looks at.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// What was seen of the group.
    pub view: &'a GroupView,
    /// What is stored of it.
    pub record: &'a GroupRecord,
    /// What its source asks for, where that was read.
    pub template: Option<&'a TemplateFacts>,
    /// Prices and signals of its region.
    pub market: &'a Market,
    /// Whose role the profile of its source gives, where that was asked.
    pub role: Option<&'a Given>,
    /// Policy in force for it.
    pub effective: &'a Effective,
    /// What the member role may do.
    pub rights: &'a Rights,
    /// What the members stand for that we launched.
    pub origins: &'a Origins,
    /// Members that AWS recommends to replace.
    pub recommended: &'a BTreeSet<InstanceId>,
    /// The brake that sends the group back to on-demand.
    pub reverting: Option<&'a BrakeScope>,
    /// Swaps in flight elsewhere.
    pub load: Load,
    /// Where the members of its unit are; counted only where policy caps their share of a pool.
    pub shares: Option<&'a Shares>,
    /// What of what runs on demand is paid for anyway.
    pub commitments: Known<'a>,
    /// Instance types.
    pub catalog: &'a Catalog,
    /// Who may stand in for whom.
    pub substitutes: &'a Substitutes,
    /// The time.
    pub now: Timestamp,
}

/// A swap to begin: onto Spot, from one pool to another, or back to on-demand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Swap {
    /// What it replaces.
    pub old: InstanceId,
    /// The on-demand type that it stands for.
    pub kind: TypeId,
    /// That one's zone.
    pub az: AzId,
    /// The on-demand price counted for that one.
    pub baseline: UsdPerHour,
    /// Whether that one is on-demand.
    pub on_demand: bool,
    /// What to launch.
    pub request: Request,
}

/// A hold of the group (no instance) or of one member.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hold {
    /// The member.
    pub instance: Option<InstanceId>,
    /// Why.
    pub reason: HoldReason,
}

/// Something to read before the decision can be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Question {
    /// EC2's facts of these members.
    Facts(Vec<InstanceId>),
    /// What the group's source asks for.
    Template,
    /// The role of the instance profile that it gives.
    Role(ProfileName),
    /// Hooks and refreshes.
    Extras,
}

/// What to do with a group.
#[must_use = "an unread plan is a decision lost"]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// The swap to begin.
    pub swap: Option<Swap>,
    /// What is held, and why.
    pub holds: Vec<Hold>,
    /// What must be read first; then there is no swap.
    pub question: Option<Question>,
    /// Worth another look then, if nothing happens before.
    pub again_at: Option<Timestamp>,
}

impl Plan {
    fn hold(reason: HoldReason) -> Self {
        let again_at = reason.until();
        Self { holds: vec![Hold { instance: None, reason }], again_at, ..Self::default() }
    }

    fn ask(question: Question) -> Self {
        Self { question: Some(question), ..Self::default() }
    }
}

/// Decides what to do with one group.
pub fn plan(ask: &Ask<'_>) -> Plan {
    match decide(ask) {
        Ok(plan) => plan,
        Err(Stop::Hold(reason)) => Plan::hold(reason),
        Err(Stop::Ask(question)) => Plan::ask(question),
        Err(Stop::Settled) => Plan::default(),
    }
}

enum Stop {
    Hold(HoldReason),
    Ask(Question),
    Settled,
}

impl From<HoldReason> for Stop {
    fn from(reason: HoldReason) -> Self {
        Self::Hold(reason)
    }
}

fn decide(ask: &Ask<'_>) -> Result<Plan, Stop> {
    standing(ask)?;
    served(ask.view)?;
    permitted(ask.view, ask.rights)?;
    facts_known(ask.view)?;
    if ask.record.swap().is_some() {
        return Err(Stop::Settled);
    }
    pick::drainable(ask)?;
    if errand::goes_back(ask) {
        return errand::back(ask);
    }
    if let Some(brake) = ask.reverting {
        return Err(HoldReason::Reverted { brake: brake.clone() }.into());
    }
    match errand::aside(ask) {
        Ok(plan) if plan.swap.is_some() => return Ok(plan),
        Err(Stop::Ask(question)) => return Err(Stop::Ask(question)),
        Ok(_) | Err(Stop::Hold(_) | Stop::Settled) => {}
    }
    let usual = usual(ask);
    let acts = |plan: &Plan| plan.swap.is_some() || plan.question.is_some();
    match &usual {
        Ok(plan) if acts(plan) => return usual,
        Err(Stop::Ask(_)) => return usual,
        Ok(_) | Err(Stop::Hold(_) | Stop::Settled) => {}
    }
    // Only where nothing is left to bring onto Spot just now.
    match errand::cheaper(ask) {
        Ok(plan) if plan.swap.is_some() => {
            let holds = match usual {
                Ok(plan) => plan.holds,
                Err(Stop::Hold(reason)) => Plan::hold(reason).holds,
                Err(Stop::Ask(_) | Stop::Settled) => Vec::new(),
            };
            Ok(Plan { holds, ..plan })
        }
        Err(Stop::Ask(question)) => Err(Stop::Ask(question)),
        Ok(_) | Err(Stop::Hold(_) | Stop::Settled) => usual,
    }
}

/// The usual way: one on-demand member becomes Spot.
fn usual(ask: &Ask<'_>) -> Result<Plan, Stop> {
    if ask.view.on_demand_in_service() == 0 {
        return Err(Stop::Settled);
    }
    stranded(ask)?;
    at_rest(ask)?;
    room(ask)?;
    pace(ask)?;
    let template = template(ask)?;
    launchable(ask, template)?;
    market(ask)?;
    paid::known(ask)?;
    allowed(ask, pick::member(ask, template))
}

fn stranded(ask: &Ask<'_>) -> Result<(), HoldReason> {
    let stranded = ask.record.stranded().map(|swap| HoldReason::Stranded { swap: swap.clone() });
    stranded.map_or(Ok(()), Err)
}

/// The plan, unless hooks, a refresh or an alarm forbid its swap.
fn allowed(ask: &Ask<'_>, plan: Plan) -> Result<Plan, Stop> {
    match (&plan.swap, &ask.view.extras) {
        (Some(_), None) => Err(Stop::Ask(Question::Extras)),
        (Some(_), Some(extras)) => {
            kinds::undisturbed(extras, &ask.effective.policy)?;
            match guarded(&ask.view.key, &ask.effective.policy, extras) {
                Some(reason) => Ok(Plan { again_at: Some(ask.now + ALARM_AGAIN), ..Plan::hold(reason) }),
                None => Ok(plan),
            }
        }
        (None, _) => Ok(plan),
    }
}

/// Why alarms keep a group from being changed: a red one, or one that nobody knows.
#[must_use]
pub fn guarded(group: &GroupKey, policy: &Policy, extras: &Extras) -> Option<HoldReason> {
    let state = |name: &String| extras.alarms.iter().find(|alarm| alarm.name == *name).map(|alarm| alarm.red);
    let mut unknown = None;
    for alarm in policy.alarms(group.name.as_str()) {
        match state(&alarm) {
            Some(true) => return Some(HoldReason::AlarmRed { alarm }),
            Some(false) => {}
            None => unknown = unknown.or(Some(HoldReason::AlarmUnknown { alarm })),
        }
    }
    unknown
}

fn standing(ask: &Ask<'_>) -> Result<(), HoldReason> {
    ask.effective.standing.hold().map_or(Ok(()), Err)
}

/// Whether IAM lets us change the group at all.
pub fn permitted(view: &GroupView, rights: &Rights) -> Result<(), HoldReason> {
    rights.guard.permits(&view.tags).map_err(|tag| HoldReason::IamGuard { guard: rights.guard, tag })
}

/// Whether IAM lets us launch what the source asks for. Nobody knows of a role that was not read, so it may not pass.
fn launchable(ask: &Ask<'_>, template: &TemplateFacts) -> Result<(), Stop> {
    let rights = ask.rights;
    if !rights.launch_configurations && matches!(template.source, Source::Configuration(_)) {
        return Err(HoldReason::LaunchConfigurationNotAllowed.into());
    }
    let (Some(profile), Passable::Only(_)) = (&template.profile, &rights.passable) else { return Ok(()) };
    match ask.role {
        None => Err(Stop::Ask(Question::Role(profile.clone()))),
        Some(Given::Role(role)) if rights.passable.permits(role) => Ok(()),
        Some(Given::Role(role)) => {
            let (profile, role) = (profile.clone(), Some(role.clone()));
            Err(HoldReason::ProfileNotPassable { profile, role }.into())
        }
        Some(Given::Unknown) => Err(HoldReason::ProfileNotPassable { profile: profile.clone(), role: None }.into()),
    }
}

/// Whether IAM lets us launch from this template, as far as is known now: a rescue has no time to ask.
fn may_launch(ask: &Ask<'_>, template: &TemplateFacts) -> bool {
    launchable(ask, template).is_ok()
}

fn facts_known(view: &GroupView) -> Result<(), Stop> {
    let unknown: Vec<_> = view.members.iter().filter(|m| m.facts.is_none()).map(|m| m.id.clone()).collect();
    if unknown.is_empty() { Ok(()) } else { Err(Stop::Ask(Question::Facts(unknown))) }
}

/// The processes that a swap needs: attaching needs the first and the third, retiring the second.
const NEEDED: [Process; 3] = [Process::Launch, Process::Terminate, Process::AddToLoadBalancer];

/// The process, if any, whose suspension stops a swap.
#[must_use]
pub fn suspended(view: &GroupView) -> Option<Process> {
    NEEDED.into_iter().find(|process| view.suspended.contains(process))
}

fn at_rest(ask: &Ask<'_>) -> Result<(), HoldReason> {
    let view = ask.view;
    if let Some(process) = suspended(view) {
        return Err(HoldReason::ProcessSuspended { process });
    }
    if view.members.iter().any(|m| m.state == MemberState::Standby) {
        return Err(HoldReason::StandbyMember);
    }
    if ask.record.ops.iter().any(|op| op.id.is_rescue()) {
        return Err(HoldReason::RescueInFlight);
    }
    let (in_service, want) = (view.in_service(), ask.record.want(view));
    if in_service < want {
        return Err(HoldReason::BelowDesired { in_service, want });
    }
    // A member on its way out changes nothing any more; one on its way in does.
    let moving = view.members.iter().filter(|m| !m.is_in_service() && m.state != MemberState::Terminating).count();
    if moving > 0 {
        return Err(HoldReason::InTransition { members: u32::try_from(moving).unwrap_or(u32::MAX) });
    }
    Ok(())
}

fn room(ask: &Ask<'_>) -> Result<(), HoldReason> {
    let (floor, running) = (ask.effective.policy.floor(ask.record.want(ask.view)), ask.view.on_demand_in_service());
    if running <= floor { Err(HoldReason::OnDemandFloor { floor, running }) } else { Ok(()) }
}

fn pace(ask: &Ask<'_>) -> Result<(), HoldReason> {
    if !ask.effective.policy.schedule.iter().all(|schedule| schedule.open(ask.now)) {
        return Err(HoldReason::OutsideSchedule);
    }
    budgets(ask)
}

/// Waits after failures, the interval, and the budgets.
fn budgets(ask: &Ask<'_>) -> Result<(), HoldReason> {
    let (policy, record, now) = (&ask.effective.policy, ask.record, ask.now);
    if let Some(reason) = backing_off(record, now) {
        return Err(reason);
    }
    if let Some(until) = record.last_swap_at.map(|at| at + policy.interval).filter(|until| now < *until) {
        return Err(HoldReason::SwapInterval { until });
    }
    let used = record.recent.iter().filter(|at| now < **at + SHARE_WINDOW).count();
    let (used, limit) = (u32::try_from(used).unwrap_or(u32::MAX), policy.share(record.want(ask.view)));
    if used >= limit {
        return Err(HoldReason::GroupShare { used, limit });
    }
    if let Some(Shut { until, why }) = ask.load.shut {
        return Err(HoldReason::BreakerOpen { breaker: Guards::Site, why, until });
    }
    match ask.load.full(&policy.budgets) {
        Some((scope, limit)) => Err(HoldReason::Budget { scope, limit }),
        None => Ok(()),
    }
}

/// Why the group waits after failures, while it does.
#[must_use]
pub fn backing_off(record: &GroupRecord, now: Timestamp) -> Option<HoldReason> {
    let refused = record.refused_at().map(|at| at + CAPACITY_WAIT).filter(|until| now < *until);
    let Some(until) = record.backoff.until.filter(|until| now < *until) else {
        return refused.map(|until| HoldReason::BackingOff { until });
    };
    let why = record.backoff.why;
    Some(match why {
        _ if breaker::of_group(&record.backoff, now) == breaker::State::Open => {
            HoldReason::BreakerOpen { breaker: Guards::Group, why, until }
        }
        Some(Why::Quota) => HoldReason::QuotaUsed { until },
        Some(Why::Denied) => HoldReason::AccessDenied,
        _ => HoldReason::BackingOff { until: refused.map_or(until, |refused| until.max(refused)) },
    })
}

fn template<'a>(ask: &Ask<'a>) -> Result<&'a TemplateFacts, Stop> {
    let facts = ask.template.ok_or(Stop::Ask(Question::Template))?;
    if facts.not_on_spot { Err(HoldReason::NotOnSpot.into()) } else { Ok(facts) }
}

fn market(ask: &Ask<'_>) -> Result<(), HoldReason> {
    let quotes = ask.market.quotes.as_ref().ok_or(HoldReason::NoQuote)?;
    if ask.now.since(quotes.as_of) > QUOTE_AGE_MAX {
        return Err(HoldReason::StaleQuote { as_of: quotes.as_of });
    }
    Ok(())
}

/// Why this member stays as it is, apart from prices.
fn held(ask: &Ask<'_>, template: &TemplateFacts, member: &Member) -> Option<HoldReason> {
    let facts = member.facts.as_ref()?;
    let policy = &ask.effective.policy;
    match () {
        () if member.protected && !policy.protected_members => Some(HoldReason::ProtectedMember),
        () if facts.dedicated => Some(HoldReason::Dedicated),
        () if facts.reserved => Some(HoldReason::CapacityReservation),
        () if policy.template == TemplateRule::Match && changed(member, template) => Some(HoldReason::TemplateChanged),
        // We went on demand ourselves: not to and fro.
        () if returned(facts) && ask.now < facts.launched_at + RETURN_AFTER => {
            Some(HoldReason::BackingOff { until: facts.launched_at + RETURN_AFTER })
        }
        () => None,
    }
}

/// Whether we launched it on demand.
fn returned(facts: &InstanceFacts) -> bool {
    facts.swap.is_some() && facts.lifecycle == Lifecycle::OnDemand
}

fn changed(member: &Member, template: &TemplateFacts) -> bool {
    member.source.as_ref().is_some_and(|source| *source != template.source)
}

/// Spot members by pool, for diversification.
fn crowd(view: &GroupView) -> BTreeMap<(&AzId, TypeId), u32> {
    let mut crowd = BTreeMap::new();
    for member in view.members.iter().filter(|m| m.lifecycle() == Some(Lifecycle::Spot)) {
        if let Some(kind) = member.kind {
            *crowd.entry((&member.az, kind)).or_default() += 1;
        }
    }
    crowd
}

/// Whether a rescue may be begun for this group: a served kind that nobody opted out and policy wants replaced.
///
/// A newcomer that IAM does not let into the group would save nobody, and letting the old one go is a change, too.
pub fn rescuable(ask: &Ask<'_>) -> Result<(), HoldReason> {
    let (view, effective) = (ask.view, ask.effective);
    if let Some(reason) = effective.standing.hold() {
        return Err(reason);
    }
    if effective.policy.on_interruption == crate::policy::OnInterruption::Ignore {
        return Err(HoldReason::OptedOut { by: OptOut::Policy });
    }
    served(view)?;
    permitted(view, ask.rights)?;
    if let Some(swap) = ask.record.stranded() {
        return Err(HoldReason::Stranded { swap: swap.clone() });
    }
    match suspended(view) {
        Some(process) => Err(HoldReason::ProcessSuspended { process }),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
