//! Which member goes, and which pools may stand in for it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::share::Caps;
use super::{Ask, Hold, Origin, Plan, Swap, crowd, held, paid};
use crate::catalog::{Product, TypeId};
use crate::cloud::{LaunchPool, Route, TemplateFacts};
use crate::compat::Needs;
use crate::group::{Lifecycle, Member};
use crate::id::{AzId, InstanceId};
use crate::market::{Pool, Signal};
use crate::money::{Percent, UsdPerHour};
use crate::policy::OnRebalance;
use crate::reason::HoldReason;
use crate::record::{Request, Why};
use crate::score::{Placed, Score, score};
use crate::time::Span;

/// Pools tried for one swap where each needs its own RunInstances: one, since a group may cost one failed launch in ten
/// minutes; what other groups learn of the zone's pools narrows the choice meanwhile.
pub const RUN_ATTEMPTS_MAX: usize = 1;

type Choice = Result<Found, HoldReason>;

/// The greatest goes first: whose zone refused longest ago, or never; where EC2 does not call capacity unlikely; then
/// who saves most.
type Rank = (Reverse<i64>, Reverse<bool>, i64);

/// What a member stands for, where it is, and what it is.
type Stands<'a> = (TypeId, &'a AzId, TypeId);

struct Found {
    baseline: UsdPerHour,
    saving: i64,
    pools: Vec<LaunchPool>,
}

/// The plan for a group at rest: the member whose replacement saves most goes first, in zones that did not refuse.
pub(super) fn member(ask: &Ask<'_>, template: &TemplateFacts) -> Plan {
    let crowd = crowd(ask.view);
    let needs = needs(ask, template);
    let mut choices: BTreeMap<Stands<'_>, Choice> = BTreeMap::new();
    let mut holds = Vec::new();
    let mut best: Option<(Rank, &Member, Stands<'_>)> = None;
    let on_demand = |m: &&Member| m.is_in_service() && m.lifecycle() == Some(Lifecycle::OnDemand);
    for member in ask.view.members.iter().filter(on_demand) {
        let mut hold = |reason| holds.push(Hold { instance: Some(member.id.clone()), reason });
        if let Some(reason) = held(ask, template, member) {
            hold(reason);
            continue;
        }
        let Some(kind) = ask.origins.get(&member.id).map(|origin| origin.kind).or(member.kind) else {
            hold(HoldReason::UnknownType);
            continue;
        };
        let stands = (kind, &member.az, member.kind.unwrap_or(kind));
        let choice = choices.entry(stands).or_insert_with(|| choose(ask, &needs, template.product, stands, &crowd));
        match choice {
            Err(reason) => hold(reason.clone()),
            Ok(found) => {
                // Zones that refused come last, the one that did so first before the others: none is asked for ever.
                let refused = ask.record.refused.get(&member.az).map_or(i64::MIN, |at| at.0);
                let unlikely = ask.market.placements.unlikely(ask.catalog, &member.az, kind, ask.now);
                let rank = (Reverse(refused), Reverse(unlikely), found.saving);
                let better = best.is_none_or(|(best, m, _)| (rank, &m.id) > (best, &member.id));
                if better {
                    best = Some((rank, member, stands));
                }
            }
        }
    }
    let swap = best.and_then(|(_, member, stands)| {
        let (found, kind) = (choices.remove(&stands)?.ok()?, stands.0);
        let request = request(ask, template, found.baseline, found.pools);
        let baseline = ask.origins.get(&member.id).map_or(found.baseline, |origin| origin.price);
        Some(Swap { old: member.id.clone(), kind, az: member.az.clone(), baseline, on_demand: true, request })
    });
    let full = holds.iter().any(|hold| matches!(hold.reason, HoldReason::PoolShare { .. }));
    let again_at = (swap.is_none() && full).then(|| ask.now + SHARE_AGAIN);
    Plan { swap, holds, again_at, ..Plan::default() }
}

/// When pools are full, some of what fills them may be launches that end elsewhere: they are answered by then.
const SHARE_AGAIN: Span = Span::mins(1);

/// What a Spot member stands for.
fn origin(ask: &Ask<'_>, template: &TemplateFacts, member: &Member) -> Result<Origin, HoldReason> {
    if let Some(origin) = ask.origins.get(&member.id) {
        return Ok(*origin);
    }
    let kind = member.kind.ok_or(HoldReason::UnknownType)?;
    let product = ask.effective.policy.product.unwrap_or(template.product);
    let price = ask.catalog.on_demand(&ask.view.key.site.region, product, kind);
    Ok(Origin { kind, price: price.ok_or(HoldReason::NoOnDemandPrice)?, quoted: None })
}

/// The first of these Spot members that can go where `request` says; holds of those before it.
fn first(
    ask: &Ask<'_>,
    template: &TemplateFacts,
    members: Vec<&Member>,
    request: impl Fn(&Member, Origin) -> Result<Request, HoldReason>,
) -> Plan {
    let mut holds = Vec::new();
    for member in members {
        let found = held(ask, template, member).map_or(Ok(()), Err).and_then(|()| origin(ask, template, member));
        let found = found.and_then(|origin| Ok((origin, request(member, origin)?)));
        match found {
            Ok((Origin { kind, price: baseline, .. }, request)) => {
                let (old, az) = (member.id.clone(), member.az.clone());
                let swap = Some(Swap { old, kind, az, baseline, on_demand: false, request });
                return Plan { swap, holds, ..Plan::default() };
            }
            Err(reason) => holds.push(Hold { instance: Some(member.id.clone()), reason }),
        }
    }
    Plan { holds, ..Plan::default() }
}

/// The member that goes back to on-demand first: one whose pool took lately.
pub(super) fn back(ask: &Ask<'_>, template: &TemplateFacts) -> Plan {
    let mut members: Vec<&Member> = super::errand::brought(ask.view).collect();
    members.sort_by_key(|m| (!taken_lately(ask, template, m), m.id.clone()));
    first(ask, template, members, |member, Origin { kind, price, .. }| {
        on_demand(ask, template, kind, &member.az, price).ok_or(HoldReason::NoOnDemandPrice)
    })
}

/// The member whose pool AWS recommends to leave, and pools to go to.
pub(super) fn aside(ask: &Ask<'_>, template: &TemplateFacts) -> Plan {
    let when_worse = ask.effective.policy.on_rebalance == OnRebalance::WhenWorse;
    let (needs, crowd) = (needs(ask, template), crowd(ask.view));
    let spot = |m: &&Member| m.is_in_service() && m.lifecycle() == Some(Lifecycle::Spot);
    let mut members: Vec<&Member> =
        ask.view.members.iter().filter(spot).filter(|m| ask.recommended.contains(&m.id)).collect();
    members.sort_by_key(|m| m.id.clone());
    first(ask, template, members, |member, Origin { kind, price, .. }| {
        let terms = Terms { baseline: price, least: ask.effective.policy.min_saving, caps: true };
        let mut pools = ranked(ask, &needs, kind, &member.az, terms, &crowd)?.pools;
        pools
            .retain(|pool| Some(pool.kind) != member.kind && (!when_worse || calm(ask, &needs, &member.az, pool.kind)));
        if pools.is_empty() {
            return Err(HoldReason::NoCapacity { closed: 0 });
        }
        Ok(super::request(ask, template, price, pools))
    })
}

/// Whether nothing is known against a pool.
fn calm(ask: &Ask<'_>, needs: &Needs, az: &AzId, kind: TypeId) -> bool {
    let signal = ask.market.signals.of(&Pool { az: az.clone(), kind, product: needs.product });
    signal.refusals == 0 && !signal.took_lately(ask.now)
}

/// The member that spothub brought whose pool became dearest since, and pools that save enough against it.
pub(super) fn cheaper(ask: &Ask<'_>, template: &TemplateFacts) -> Plan {
    let rule = ask.effective.policy.spot_to_spot;
    let (needs, crowd) = (needs(ask, template), crowd(ask.view));
    let Some(quotes) = ask.market.quotes.as_ref() else { return Plan::default() };
    let dearer = |member: &Member| {
        let old = member.facts.as_ref().is_some_and(|facts| ask.now >= facts.launched_at + rule.min_life);
        let pool = Pool { az: member.az.clone(), kind: member.kind.filter(|_| old)?, product: needs.product };
        let (now, then) = (quotes.get(&pool)?, ask.origins.get(&member.id)?.quoted?);
        // Only a pool that changed: else each move would be a step down the ladder of an unchanged market.
        let risen =
            i128::from(now.0) * 100 >= i128::from(then.0) * i128::from(100 + i64::from(rule.min_saving.value()));
        risen.then_some(now)
    };
    let found = super::errand::brought(ask.view).filter_map(|m| Some((dearer(m)?, m)));
    let mut found: Vec<(UsdPerHour, &Member)> = found.collect();
    found.sort_by_key(|(price, m)| (Reverse(*price), m.id.clone()));
    let prices: BTreeMap<&InstanceId, UsdPerHour> = found.iter().map(|(price, m)| (&m.id, *price)).collect();
    let members = found.iter().map(|(_, m)| *m).collect();
    let plan = first(ask, template, members, |member, Origin { kind, price, .. }| {
        let own = prices.get(&member.id).copied().unwrap_or(price);
        let ranked =
            ranked(ask, &needs, kind, &member.az, Terms { baseline: own, least: rule.min_saving, caps: true }, &crowd)?;
        // A move is worth no risk.
        let mut pools = ranked.pools;
        pools.retain(|pool| calm(ask, &needs, &member.az, pool.kind));
        if ranked.of < u32::from(rule.min_alternatives) || pools.is_empty() {
            return Err(HoldReason::NoPool { compatible: ranked.of });
        }
        Ok(super::request(ask, template, price, pools))
    });
    // It stays on Spot, which is no hold.
    Plan { holds: Vec::new(), ..plan }
}

fn taken_lately(ask: &Ask<'_>, template: &TemplateFacts, member: &Member) -> bool {
    let product = ask.effective.policy.product.unwrap_or(template.product);
    let Some(kind) = member.kind else { return false };
    ask.market.signals.of(&Pool { az: member.az.clone(), kind, product }).took_lately(ask.now)
}

/// How much dearer a type may be than what it stands in for on demand, in percent: it runs until Spot is back.
const DEARER_PERCENT: i64 = 125;

/// Types asked for on demand at most: the own one is there nearly always, and the next few are.
const ON_DEMAND_MAX: usize = 8;

/// RunInstances on demand for one instance at most: each asks for one type, and time is short.
const ON_DEMAND_RUNS_MAX: usize = 3;

/// The request for on-demand capacity in `az` for what stands for `kind` at `price`: its own type first, then
/// compatible ones, the cheapest first. `None` where no price is known.
#[must_use]
pub fn on_demand(
    ask: &Ask<'_>,
    template: &TemplateFacts,
    kind: TypeId,
    az: &AzId,
    price: UsdPerHour,
) -> Option<Request> {
    let needs = needs(ask, template);
    let region = &ask.view.key.site.region;
    let dearest = UsdPerHour(price.0.saturating_mul(DEARER_PERCENT) / 100);
    let offered = |kind: &TypeId| ask.catalog.offered(az, *kind);
    let substitutes = ask.substitutes.of(kind, &needs);
    let priced = substitutes.iter().copied().chain([kind]).filter(offered).filter_map(|kind| {
        let price = ask.catalog.on_demand(region, needs.product, kind)?;
        (price <= dearest).then_some((price, kind))
    });
    let mut found: Vec<(UsdPerHour, TypeId)> = priced.collect();
    found.sort_by_key(|(price, other)| (*other != kind, *price, *other));
    found.dedup();
    found.truncate(if template.route == Route::Run { ON_DEMAND_RUNS_MAX } else { ON_DEMAND_MAX });
    let pools: Vec<LaunchPool> = found.into_iter().map(|(quoted, kind)| LaunchPool { kind, quoted }).collect();
    let (source, route) = (template.source.clone(), template.route);
    let request =
        Request { source, route, pools, max_price: dearest, lifecycle: Lifecycle::OnDemand, first_attempt: 0 };
    (!request.pools.is_empty()).then_some(request)
}

fn choose(
    ask: &Ask<'_>,
    needs: &Needs,
    billed: Product,
    stands: Stands<'_>,
    crowd: &BTreeMap<(&AzId, TypeId), u32>,
) -> Choice {
    let ((kind, az, own), region) = (stands, &ask.view.key.site.region);
    let baseline = ask.catalog.on_demand(region, needs.product, kind).ok_or(HoldReason::NoOnDemandPrice)?;
    let paid = paid::share(ask, billed, own, az);
    // What is paid for anyway is no cost that Spot would save.
    let cost = paid.of(baseline);
    let terms = Terms { baseline: cost, least: ask.effective.policy.min_saving, caps: true };
    let pools = ranked(ask, needs, kind, az, terms, crowd).map_err(|reason| paid.told(reason))?.pools;
    let cheapest = pools.iter().map(|p| p.quoted.0).min().unwrap_or(cost.0);
    Ok(Found { baseline, saving: cost.0 - cheapest, pools })
}

/// What pools have to meet.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    /// The price to save against.
    pub(super) baseline: UsdPerHour,
    /// The least saving.
    pub(super) least: Percent,
    /// Whether pools may be full.
    pub(super) caps: bool,
}

/// The pools that may stand in for an instance of type `kind` in `az`, best first; or why there is none.
pub(super) fn candidates(
    ask: &Ask<'_>,
    template: &TemplateFacts,
    kind: TypeId,
    az: &AzId,
    terms: Terms,
) -> Result<Vec<LaunchPool>, HoldReason> {
    ranked(ask, &needs(ask, template), kind, az, terms, &crowd(ask.view)).map(|ranked| ranked.pools)
}

/// The request that launches one of `pools`.
#[must_use]
pub fn request(ask: &Ask<'_>, template: &TemplateFacts, baseline: UsdPerHour, mut pools: Vec<LaunchPool>) -> Request {
    if template.route == Route::Run {
        pools.truncate(RUN_ATTEMPTS_MAX);
    }
    let policy = &ask.effective.policy;
    let mut max_price = baseline.share(policy.max_price);
    if let (Some(over), Some(dearest)) = (policy.max_price_over_spot, pools.iter().map(|p| p.quoted.0).max()) {
        max_price = max_price.min(UsdPerHour(dearest.saturating_mul(100 + i64::from(over)) / 100));
    }
    let (source, route) = (template.source.clone(), template.route);
    Request { source, route, pools, max_price, lifecycle: Lifecycle::Spot, first_attempt: 0 }
}

/// The best of the pools that meet the terms, and how many do.
struct Ranked {
    pools: Vec<LaunchPool>,
    of: u32,
}

fn ranked(
    ask: &Ask<'_>,
    needs: &Needs,
    kind: TypeId,
    az: &AzId,
    Terms { baseline, least, caps }: Terms,
    crowd: &BTreeMap<(&AzId, TypeId), u32>,
) -> Result<Ranked, HoldReason> {
    let policy = &ask.effective.policy;
    let substitutes = ask.substitutes.of(kind, needs);
    if substitutes.is_empty() {
        return Err(HoldReason::NoCompatibleType);
    }
    let quotes = ask.market.quotes.as_ref().ok_or(HoldReason::NoQuote)?;
    let prices = quotes.zone(az, needs.product);
    let signals = ask.market.signals.zone(az, needs.product);
    let affordable =
        UsdPerHour(baseline.0 * i64::from(100 - least.value()) / 100).min(baseline.share(policy.max_price));
    let (mut found, mut cheapest, mut closed) = (Best::of(breadth(ask)), None::<UsdPerHour>, 0);
    let (mut of, mut full) = (0, 0);
    let caps = if caps { Caps::of(ask, az, needs.product) } else { Caps::none(az, needs.product) };
    let backoff = &ask.record.backoff;
    let refused = backoff.why == Some(Why::NoCapacity) && backoff.failures > 0;
    // The group's own Spot members in this zone are of a few types at most.
    let crowd: Vec<(TypeId, u32)> = crowd.iter().filter(|((at, _), _)| *at == az).map(|((_, k), n)| (*k, *n)).collect();
    for &other in substitutes.iter() {
        let Some(price) = prices.get(usize::from(other.0)).copied().flatten() else { continue };
        cheapest = Some(cheapest.map_or(price, |c| c.min(price)));
        if price > affordable {
            continue;
        }
        let signal: Option<&Signal> = signals.and_then(|zone| zone.get(&other));
        if signal.is_some_and(|signal| signal.closed(ask.now)) {
            closed += 1;
            continue;
        }
        if caps.full(other) {
            full += 1;
            continue;
        }
        of += 1;
        let crowd = crowd.iter().find(|(kind, _)| *kind == other).map_or(0, |(_, n)| *n);
        found.offer(score(other, price, Placed { crowd, refused }, signal, ask.now), price);
    }
    match (of, full, closed, cheapest) {
        (0, 0, 0, None) => Err(HoldReason::NoPool { compatible: count(substitutes.len()) }),
        (0, 0, 0, Some(price)) => {
            Err(HoldReason::SavingTooSmall { found: price.percent_under(baseline), needed: least.value() })
        }
        (0, 0, closed, _) => Err(HoldReason::NoCapacity { closed }),
        (0, full, ..) => Err(HoldReason::PoolShare { full }),
        (of, ..) => Ok(Ranked { pools: found.ranked(), of }),
    }
}

/// Pools handed over at most, however often launches failed: more would only lengthen the answer.
const POOLS_MAX: u32 = 40;

/// How many pools to hand over: the policy's number, and as many again for each launch that found no capacity.
fn breadth(ask: &Ask<'_>) -> usize {
    let own = u32::from(ask.effective.policy.pools.max(1));
    let backoff = &ask.record.backoff;
    let failed = if backoff.why == Some(Why::NoCapacity) { backoff.failures.min(POOLS_MAX) } else { 0 };
    usize::try_from((own * (1 + failed)).min(POOLS_MAX.max(own))).unwrap_or(1)
}

/// The smallest scores so far, in order, and no more than are wanted: hundreds of pools are looked through for a dozen.
struct Best {
    wanted: usize,
    pools: Vec<(Score, UsdPerHour)>,
}

impl Best {
    fn of(wanted: usize) -> Self {
        Self { wanted, pools: Vec::with_capacity(wanted) }
    }

    fn offer(&mut self, score: Score, quoted: UsdPerHour) {
        if self.pools.len() == self.wanted {
            if self.pools.last().is_some_and(|(worst, _)| *worst < score) {
                return;
            }
            self.pools.pop();
        }
        let place = self.pools.partition_point(|(better, _)| *better < score);
        self.pools.insert(place, (score, quoted));
    }

    fn ranked(self) -> Vec<LaunchPool> {
        self.pools.into_iter().map(|(score, quoted)| LaunchPool { kind: score.kind, quoted }).collect()
    }
}

fn needs(ask: &Ask<'_>, template: &TemplateFacts) -> Needs {
    let policy = &ask.effective.policy;
    Needs {
        product: policy.product.unwrap_or(template.product),
        arch: template.arch,
        virtualization: template.virtualization,
        boot_mode: template.boot_mode,
        image_ena: template.ena,
        network_interfaces: template.network_interfaces,
        volumes: template.volumes,
        ebs_tolerance_percent: policy.ebs_tolerance.value(),
        disks_unused: policy.disks_unused,
        allow_burstable: policy.burstable,
        same_type_only: policy.same_type_only || template.same_type_only,
        allowed: policy.allowed_types.clone(),
        denied: policy.denied_types.clone(),
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Nobody's tasks are cut off by choice: where members of a cluster may not be drained, they stay.
pub(super) fn drainable(ask: &Ask<'_>) -> Result<(), HoldReason> {
    match &ask.effective.policy.ecs_cluster {
        Some(cluster) if !ask.rights.ecs_draining => {
            Err(HoldReason::EcsDrainingNotAllowed { cluster: cluster.clone() })
        }
        Some(_) | None => Ok(()),
    }
}
