//! What the market itself could have given, and whether everything is at rest; asks the world, never the engine's
//! decisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use spothub_core::catalog::{Catalog, Product, TypeId};
use spothub_core::id::{AzId, GroupKey, Site};
use spothub_core::lookup::Lookup;
use spothub_core::money::UsdPerHour;
use spothub_core::time::{Span, Timestamp};
use spothub_hub::Engine;

use super::collect::{Collector, Seen};
use crate::delivered::fits::{Asks, fitting};
use crate::delivered::{Affordable, Wanted};
use crate::market::{Market, PoolId};
use crate::record::GroupRef;
use crate::world::SharedWorld;

/// The tag with which an owner names the types that may be launched.
const ALLOWED_TYPES: &str = "spothub:allowed-types";
/// Holds that only an owner or operator ends: a group held by these is at rest. What prices and capacity explain is
/// not among them: there the market itself is asked.
const LASTING: [&str; 39] = [
    "not-enabled",
    "opted-out",
    "outside-schedule",
    "mixed-instances",
    "warm-pool",
    "launch-hook",
    "code-deploy",
    "instance-refresh",
    "stack-updating",
    "standby-member",
    "operator",
    "cluster-placement",
    "dedicated",
    "capacity-reservation",
    "process-suspended",
    "not-on-spot",
    "template-changed",
    "protected-member",
    "on-demand-floor",
    "quota-used",
    "access-denied",
    "unknown-type",
    "no-on-demand-price",
    "group-share",
    "no-compatible-type",
    "no-pool",
    "pool-share",
    "committed",
    "commitments-unknown",
    "metering",
    "alarm-unknown",
    "unreadable-tag",
    "iam-guard",
    "reverted",
    "on-demand-not-allowed",
    "ecs-draining-not-allowed",
    "launch-configuration-not-allowed",
    "profile-not-passable",
    "stranded",
];

type Asked = (TypeId, AzId, Product, UsdPerHour, u8);

/// Answers from the simulated market.
pub(super) struct Judge {
    market: Arc<Market>,
    world: Arc<SharedWorld>,
    start: Timestamp,
    /// What can stand in for a type in a zone, with the least that it can cost, the lowest first.
    fits: BTreeMap<(TypeId, u16, Product), Vec<(UsdPerHour, PoolId)>>,
    answers: BTreeMap<Asked, Option<UsdPerHour>>,
    answers_at: i64,
    /// The same by the number of a member's place and the saving that policy asks for, with the time asked.
    places: Lookup<(u32, u8), (i64, Option<UsdPerHour>)>,
}

impl Judge {
    pub(super) fn new(market: Arc<Market>, world: Arc<SharedWorld>, start: Timestamp) -> Self {
        Self {
            market,
            world,
            start,
            fits: BTreeMap::new(),
            answers: BTreeMap::new(),
            answers_at: -1,
            places: Lookup::default(),
        }
    }

    fn ask(&mut self, asked: &Asked, t: i64) -> Option<UsdPerHour> {
        if self.answers_at != t {
            self.answers.clear();
            self.answers_at = t;
        }
        if let Some(answer) = self.answers.get(asked) {
            return *answer;
        }
        let (kind, az, product, on_demand, saving) = asked;
        let zone = self.market.zone(az)?;
        let market = &self.market;
        let fits = self.fits.entry((*kind, zone, *product)).or_insert_with(|| {
            let fits = fitting(Catalog::in_use(), az, *kind, Asks::default());
            let pools = fits.map(|(id, _)| Market::pool_at(zone, id, *product));
            let mut fits: Vec<_> = pools.map(|pool| (market.least(pool), pool)).collect();
            fits.sort_unstable();
            fits
        });
        let at = self.start + Span(t);
        let most = UsdPerHour(on_demand.0 * i64::from(100 - *saving) / 100);
        let world = self.world.lock();
        let mut answer: Option<UsdPerHour> = None;
        for &(least, pool) in fits.iter() {
            if least > answer.unwrap_or(most) {
                break;
            }
            let Some(price) = market.price_at(pool, at) else { continue };
            if price <= most && answer.is_none_or(|best| price < best) && world.capacity_left(pool) > 0 {
                answer = Some(price);
            }
        }
        drop(world);
        self.answers.insert(asked.clone(), answer);
        answer
    }

    /// No swap in flight, and every enabled group that the market could serve is at its floor or held for good.
    pub(super) fn at_rest(&mut self, collector: &Collector, engines: &BTreeMap<u32, Arc<Engine>>) -> bool {
        engines.values().all(|engine| engine.busy() == 0) && self.restless(collector).is_empty()
    }

    /// What is not at rest, for the report of a run that did not converge.
    pub(super) fn unrest(&mut self, collector: &Collector, engines: &BTreeMap<u32, Arc<Engine>>) -> String {
        let busy: usize = engines.values().map(|engine| engine.busy()).sum();
        let groups: Vec<String> = self.restless(collector).into_iter().take(5).collect();
        format!("{busy} swaps or rescues in flight; groups above their floor: {}", groups.join(", "))
    }

    fn restless(&mut self, collector: &Collector) -> Vec<String> {
        let (groups, holds) = {
            let collected = collector.lock();
            let groups: Vec<(GroupRef, Seen)> = collected
                .tally
                .groups
                .iter()
                .filter(|(_, seen)| seen.enabled && seen.on_demand > floor(seen))
                .map(|(group, seen)| (group.clone(), seen.clone()))
                .collect();
            let mut holds: BTreeMap<GroupRef, Vec<String>> = BTreeMap::new();
            for ((group, _), reason) in &collected.tally.holds {
                holds.entry(group.clone()).or_default().push(reason.clone());
            }
            (groups, holds)
        };
        let mut restless = Vec::new();
        for (group, seen) in groups {
            let reasons = holds.get(&group).map_or(&[][..], Vec::as_slice);
            let lasting = reasons.iter().any(|r| LASTING.contains(&r.as_str()));
            if lasting || !self.affordable(&group) {
                continue;
            }
            let (on_demand, floor) = (seen.on_demand, floor(&seen));
            restless.push(format!(
                "{}/{}/{} ({on_demand} of {floor}: {reasons:?})",
                group.account, group.region, group.group
            ));
        }
        restless
    }

    /// Whether the market has a pool for any on-demand member of the group, by its policy's minimum saving.
    fn affordable(&mut self, group: &GroupRef) -> bool {
        let key =
            GroupKey { site: Site { account: group.account, region: group.region.clone() }, name: group.group.clone() };
        let (asked, t, same_type) = {
            let world = self.world.lock();
            let Some(found) = world.group(&key) else { return false };
            let saving = found.policy.min_saving_percent;
            // What is held for good by itself may be hidden by a wait of its group.
            let held = |i: &crate::world::Instance| {
                i.version.is_some_and(|version| version != found.version) || i.member.is_some_and(|m| m.protected)
            };
            let on_demand = world
                .members(found)
                .filter(|i| i.facts.lifecycle == spothub_core::group::Lifecycle::OnDemand && !held(i));
            let asked: Vec<Asked> = on_demand
                .filter_map(|i| {
                    let price = world.on_demand_price(i.zone, i.kind, i.product);
                    Some((i.kind?, self.market.az(i.zone).clone(), i.product, price, saving))
                })
                .collect();
            // Owners of whom one type alone is wanted say so in a tag, as the scenarios have it.
            let allowed = found.tags.get(ALLOWED_TYPES).and_then(|name| Catalog::in_use().by_name(name));
            let same = allowed.is_some_and(|allowed| asked.iter().all(|(kind, ..)| *kind == allowed));
            (asked, world.since_start().0, found.image.same_type_only || same)
        };
        asked.iter().any(|asked| if same_type { self.own_pool(asked, t) } else { self.ask(asked, t).is_some() })
    }

    /// Whether the type's own pool could be had at the saving asked for.
    fn own_pool(&self, (kind, az, product, on_demand, saving): &Asked, t: i64) -> bool {
        let Some(pool) = self.market.pool(az, *kind, *product) else { return false };
        let most = UsdPerHour(on_demand.0 * i64::from(100 - *saving) / 100);
        let price = self.market.price_at(pool, self.start + Span(t));
        price.is_some_and(|price| price <= most) && self.world.lock().capacity_left(pool) > 0
    }
}

fn floor(seen: &Seen) -> u32 {
    let percent = (u64::from(seen.owner_desired) * u64::from(seen.floor_percent)).div_ceil(100);
    seen.floor_number.max(u32::try_from(percent).unwrap_or(u32::MAX))
}

impl Affordable for Judge {
    fn cheapest(&mut self, wanted: &Wanted<'_>, t: i64) -> Option<UsdPerHour> {
        let place = (wanted.place, wanted.min_saving_percent);
        if let Some((_, answer)) = self.places.get(&place).filter(|(at, _)| *at == t) {
            return *answer;
        }
        let answer = self.fresh(wanted, t);
        self.places.insert(place, (t, answer));
        answer
    }
}

impl Judge {
    fn fresh(&mut self, wanted: &Wanted<'_>, t: i64) -> Option<UsdPerHour> {
        let catalog = Catalog::in_use();
        let product = if wanted.os == "Windows" { Product::Windows } else { Product::Linux };
        let kind = catalog.by_name(wanted.kind)?;
        self.ask(&(kind, wanted.az_id.clone(), product, wanted.on_demand, wanted.min_saving_percent), t)
    }
}
