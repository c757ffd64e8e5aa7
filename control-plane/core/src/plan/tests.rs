//! One `check` for every feature of `plan`: a group in short, a market in short, and what is decided.

mod errand;
mod kinds;
mod paid;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::catalog::{Arch, Product, Virtualization};
use crate::cloud::Route;
use crate::commitment::Coverage;
use crate::group::{Extras, InstanceFacts};
use crate::id::{GroupKey, RoleArn, Site, SwapId};
use crate::market::{Pool, Quotes, SpotPrice};
use crate::money::Percent;
use crate::policy::Policy;
use crate::policy::Standing;
use crate::rights::GroupGuard;

pub(crate) const NOW: Timestamp = Timestamp(1_767_225_600_000);

pub(crate) fn az(letter: u8) -> AzId {
    format!("use1-az{letter}").parse().unwrap()
}

pub(crate) fn kind(name: &str) -> TypeId {
    Catalog::embedded().by_name(name).unwrap()
}

pub(crate) fn member(number: u128, type_name: &str, lifecycle: Lifecycle) -> Member {
    Member {
        id: InstanceId::from_number(number),
        kind: Some(kind(type_name)),
        az: az(1),
        state: MemberState::InService,
        healthy: true,
        protected: false,
        source: Some(source(1)),
        facts: Some(Arc::new(InstanceFacts {
            lifecycle,
            subnet: "subnet-00000001".parse().unwrap(),
            launched_at: NOW - Span::hours(5),
            swap: None,
            dedicated: false,
            reserved: false,
        })),
    }
}

pub(crate) fn source(version: u64) -> Source {
    Source::Template { id: "lt-00000001".parse().unwrap(), version: Some(version) }
}

/// A group of so many on-demand and Spot members of m5.large in one zone, wanting exactly these.
pub(crate) fn group(on_demand: u128, spot: u128) -> GroupView {
    let site = Site { account: "000000000001".parse().unwrap(), region: "us-east-1".parse().unwrap() };
    let members = (0..on_demand).map(|n| member(n, "m5.large", Lifecycle::OnDemand));
    let spots = (0..spot).map(|n| member(100 + n, "m5.large", Lifecycle::Spot));
    let desired = u32::try_from(on_demand + spot).unwrap();
    GroupView {
        key: GroupKey { site, name: "web".parse().unwrap() },
        seen_at: NOW,
        min: 0,
        max: desired + 5,
        desired,
        members: members.chain(spots).collect(),
        suspended: BTreeSet::new(),
        tags: BTreeMap::new(),
        source: source(1),
        target_groups: Vec::new(),
        load_balancers: Vec::new(),
        health_check_grace: Span::ZERO,
        default_warmup: Span::ZERO,
        warm_pool: false,
        operator: false,
        cluster_placement: false,
        capacity_rebalance: false,
        mixed_on_demand: false,
        new_protected: false,
        extras: Some(Extras::default()),
    }
}

pub(crate) fn template(route: Route) -> TemplateFacts {
    TemplateFacts {
        source: source(1),
        product: Product::Linux,
        arch: Arch::X86_64,
        virtualization: Virtualization::Hvm,
        boot_mode: None,
        ena: true,
        network_interfaces: 1,
        volumes: 1,
        not_on_spot: false,
        profile: None,
        same_type_only: false,
        route,
    }
}

/// Prices in millionths of a USD an hour; an m5.large costs 96,000 on demand.
pub(crate) fn market(prices: &[(&str, i64)]) -> Market {
    let row = |(name, price): &(&str, i64)| SpotPrice {
        pool: Pool { az: az(1), kind: kind(name), product: Product::Linux },
        price: UsdPerHour(*price),
        at: NOW,
    };
    let mut market = Market::unknown("us-east-1".parse().unwrap());
    market.quotes = Some(Arc::new(Quotes::new(NOW, prices.iter().map(row))));
    market
}

/// Everything that a decision looks at, to be bent by a test.
pub(crate) struct Case {
    pub(crate) view: GroupView,
    pub(crate) record: GroupRecord,
    pub(crate) template: Option<TemplateFacts>,
    pub(crate) market: Market,
    pub(crate) role: Option<Given>,
    pub(crate) effective: Effective,
    pub(crate) rights: Rights,
    pub(crate) origins: Origins,
    pub(crate) recommended: BTreeSet<InstanceId>,
    pub(crate) reverting: Option<BrakeScope>,
    pub(crate) load: Load,
    pub(crate) shares: Option<Shares>,
    /// What covers on-demand usage, and whether all was read; nothing where it is not asked for.
    pub(crate) coverage: Option<(Coverage, bool)>,
    pub(crate) now: Timestamp,
}

impl Case {
    pub(crate) fn new(view: GroupView) -> Self {
        Self {
            record: GroupRecord::new(view.key.clone()),
            view,
            template: Some(template(Route::Fleet)),
            market: market(&[("m5.large", 40_000), ("m5a.large", 35_000), ("m6i.large", 45_000), ("c5.large", 20_000)]),
            role: None,
            effective: Effective { policy: Policy::default(), standing: Standing::Enabled },
            rights: Rights::default(),
            origins: Origins::new(),
            recommended: BTreeSet::new(),
            reverting: None,
            load: Load::default(),
            shares: None,
            coverage: None,
            now: NOW,
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&self.ask(&Substitutes::new(Catalog::embedded())))
    }

    pub(crate) fn ask<'a>(&'a self, substitutes: &'a Substitutes) -> Ask<'a> {
        Ask {
            view: &self.view,
            record: &self.record,
            template: self.template.as_ref(),
            role: self.role.as_ref(),
            market: &self.market,
            effective: &self.effective,
            rights: &self.rights,
            origins: &self.origins,
            recommended: &self.recommended,
            reverting: self.reverting.as_ref(),
            load: self.load,
            shares: self.shares.as_ref(),
            commitments: match &self.coverage {
                Some((coverage, whole)) => Known::Read { coverage, whole: *whole },
                None => Known::Unasked,
            },
            catalog: Catalog::embedded(),
            substitutes,
            now: self.now,
        }
    }

    /// The decision in words.
    fn says(&self) -> String {
        let plan = self.plan();
        assert_eq!(plan, self.plan(), "INV-12: planning twice gives the same plan");
        if let Some(question) = plan.question {
            return format!("ask {}", format!("{question:?}").split(['(', ' ']).next().unwrap_or_default());
        }
        if let Some(swap) = plan.swap {
            let names: Vec<_> = swap.request.pools.iter().map(|p| &*Catalog::embedded().get(p.kind).name).collect();
            let way = match (swap.on_demand, swap.request.lifecycle) {
                (true, Lifecycle::Spot) => "swap",
                (false, Lifecycle::Spot) => "move",
                (_, Lifecycle::OnDemand) => "return",
            };
            return format!("{way} {} for {}", swap.old, names.join(" "));
        }
        let holds: BTreeSet<_> = plan.holds.iter().map(|h| h.reason.label()).collect();
        if holds.is_empty() { "settled".to_owned() } else { holds.into_iter().collect::<Vec<_>>().join(" ") }
    }
}

fn check(bend: impl FnOnce(&mut Case), says: &str) {
    let mut case = Case::new(group(2, 1));
    bend(&mut case);
    assert_eq!(case.says(), says);
}

#[test]
fn the_cheapest_fitting_pools_come_first_and_smaller_types_never() {
    check(|_| {}, "swap i-00000000000000000 for m5a.large m5.large m6i.large");
    check(|c| c.effective.policy.pools = 1, "swap i-00000000000000000 for m5a.large");
    check(|c| c.effective.policy.same_type_only = true, "swap i-00000000000000000 for m5.large");
    check(|c| c.template.as_mut().unwrap().same_type_only = true, "swap i-00000000000000000 for m5.large");
    check(
        |c| c.effective.policy.denied_types = vec!["m5a.*".parse().unwrap()],
        "swap i-00000000000000000 for m5.large m6i.large",
    );
}

#[test]
fn a_settled_group_stays_settled() {
    check(|c| c.view = group(0, 3), "settled");
    check(|c| c.view = group(0, 0), "settled");
}

#[test]
fn standing_comes_before_everything() {
    check(|c| c.effective.standing = Standing::NotEnabled, "not-enabled");
    check(|c| c.effective.standing = Standing::OptedOut(OptOut::Policy), "opted-out");
}

#[test]
fn groups_of_other_kinds_are_held() {
    check(|c| c.view.warm_pool = true, "warm-pool");
    check(|c| c.view.operator = true, "operator");
    check(|c| c.view.source = Source::Mixed, "mixed-instances");
    check(|c| c.view.cluster_placement = true, "cluster-placement");
    check(|c| c.view.extras.as_mut().unwrap().refresh_active = true, "instance-refresh");
    check(|c| c.view.extras.as_mut().unwrap().launch_hooks = BTreeSet::from(["boot".to_owned()]), "launch-hook");
    check(|c| c.template.as_mut().unwrap().not_on_spot = true, "not-on-spot");
}

fn tag(case: &mut Case, value: &str) {
    case.view.tags = BTreeMap::from([("spothub:enabled".to_owned(), value.to_owned())]);
}

/// A swap of the first member, as nothing holds it.
const SWAP: &str = "swap i-00000000000000000 for m5a.large m5.large m6i.large";

#[test]
fn what_iam_would_refuse_is_held_before_anything_is_asked() {
    let guarded = |guard: GroupGuard, value: Option<&str>, says: &str| {
        check(
            |c| {
                c.rights.guard = guard;
                if let Some(value) = value {
                    tag(c, value);
                }
                if says == "iam-guard" {
                    (c.view.members[0].facts, c.template) = (None, None);
                }
            },
            says,
        );
    };
    guarded(GroupGuard::OptInTag, None, "iam-guard");
    guarded(GroupGuard::OptInTag, Some("true"), SWAP);
    guarded(GroupGuard::OptInTag, Some(" true"), "iam-guard");
    guarded(GroupGuard::OptOutTag, None, SWAP);
    guarded(GroupGuard::OptOutTag, Some("yes"), "iam-guard");
    guarded(GroupGuard::None, Some("yes"), SWAP);
    let mut case = Case::new(group(2, 1));
    case.rights.guard = GroupGuard::OptInTag;
    let reason = HoldReason::IamGuard { guard: GroupGuard::OptInTag, tag: None };
    assert_eq!(case.plan().holds, [Hold { instance: None, reason }]);
    // Policy's word comes first: what it leaves alone is nobody's to unlock.
    case.effective.standing = Standing::NotEnabled;
    assert_eq!(case.plan().holds[0].reason, HoldReason::NotEnabled);
}

#[test]
fn a_launch_that_iam_would_refuse_is_held() {
    let configuration = |c: &mut Case| {
        let source = Source::Configuration("lc".parse().unwrap());
        c.template.as_mut().unwrap().source = source;
        c.effective.policy.template = TemplateRule::Twin;
    };
    check(configuration, SWAP);
    check(
        |c| {
            configuration(c);
            c.rights.launch_configurations = false;
        },
        "launch-configuration-not-allowed",
    );
    let profile = |role: Option<Given>, passable: Passable, says: &str| {
        check(
            |c| {
                c.template.as_mut().unwrap().profile = Some("web".parse().unwrap());
                (c.role, c.rights.passable) = (role, passable);
            },
            says,
        );
    };
    let only = |pattern: &str| Passable::Only(vec![pattern.parse().unwrap()]);
    let arn: RoleArn = "arn:aws:iam::000000000001:role/app/web".parse().unwrap();
    let role = || Some(Given::Role(arn.clone()));
    profile(None, Passable::Any, SWAP);
    profile(None, only("/app/*"), "ask Role");
    profile(role(), only("/app/*"), SWAP);
    profile(role(), only("/other/*"), "profile-not-passable");
    profile(Some(Given::Unknown), only("/app/*"), "profile-not-passable");
    profile(role(), Passable::Only(Vec::new()), "profile-not-passable");
    check(|c| c.rights.passable = Passable::Only(Vec::new()), SWAP);
    let held = |role: Option<RoleArn>| HoldReason::ProfileNotPassable { profile: "web".parse().unwrap(), role };
    assert_ne!(held(None).remedy(), held(Some(arn)).remedy(), "what is not known is mended otherwise");
}

#[test]
fn a_group_with_a_stranded_newcomer_waits_for_its_owner() {
    let left = |new: Option<InstanceId>, desired: u32| crate::record::Left {
        id: SwapId::from_number(7, false),
        at: NOW,
        old: InstanceId::from_number(1),
        new,
        attached: true,
        desired,
        max: None,
        unclear: false,
        draining: None,
    };
    check(|c| c.record.stranded = vec![left(Some(InstanceId::from_number(9)), 0)], "stranded");
    check(|c| c.record.stranded = vec![left(None, 4)], "stranded");
    check(|c| c.record.stranded = vec![left(None, 0)], SWAP);
}

#[test]
fn what_is_unknown_is_asked_for_and_never_guessed() {
    check(|c| c.view.members[0].facts = None, "ask Facts");
    check(|c| c.template = None, "ask Template");
    check(|c| c.view.extras = None, "ask Extras");
    check(|c| c.market.quotes = None, "no-quote");
    check(|c| c.now = NOW + Span::mins(51), "stale-quote");
    check(|c| c.view.members.iter_mut().for_each(|m| m.kind = None), "unknown-type");
}

#[test]
fn a_group_in_motion_is_left_alone() {
    check(|c| c.view.members[0].state = MemberState::Standby, "standby-member");
    check(|c| c.view.members[0].state = MemberState::Pending, "below-desired");
    check(|c| c.view.members[0].healthy = false, "below-desired");
    check(|c| c.view.suspended = BTreeSet::from([Process::Launch]), "process-suspended");
    check(
        |c| c.view.suspended = BTreeSet::from([Process::HealthCheck]),
        "swap i-00000000000000000 for m5a.large m5.large m6i.large",
    );
    check(
        |c| {
            c.view.desired = 2;
            c.view.members[2].state = MemberState::Detaching;
        },
        "in-transition",
    );
}

#[test]
fn a_member_on_its_way_out_is_not_replaced_again() {
    check(
        |c| {
            c.view.desired = 2;
            c.view.members[0].state = MemberState::Terminating;
        },
        "swap i-00000000000000001 for m5a.large m5.large m6i.large",
    );
}

#[test]
fn the_floor_holds_in_number_and_percent() {
    check(|c| c.effective.policy.floor_number = 2, "on-demand-floor");
    check(|c| c.effective.policy.floor_percent = Percent::new(34).unwrap(), "on-demand-floor");
    check(
        |c| c.effective.policy.floor_percent = Percent::new(33).unwrap(),
        "swap i-00000000000000000 for m5a.large m5.large m6i.large",
    );
}

#[test]
fn pace_and_budgets() {
    check(|c| c.record.last_swap_at = Some(NOW - Span::secs(5)), "swap-interval");
    check(|c| c.record.backoff.until = Some(NOW + Span::secs(5)), "backing-off");
    check(
        |c| {
            c.record.backoff.until = Some(NOW + Span::secs(5));
            c.record.backoff.why = Some(Why::Quota);
        },
        "quota-used",
    );
    check(
        |c| {
            c.effective.policy.budgets.group_share = Percent::new(10).unwrap();
            c.record.recent = vec![NOW - Span::mins(59)];
        },
        "group-share",
    );
    check(|c| c.load.account.used = 50, "budget");
    check(|c| c.load.organization.used = 500, "budget");
    check(|c| c.load.ou.add(1), "budget");
}

#[test]
fn members_can_be_held_one_by_one() {
    check(|c| c.view.members.iter_mut().for_each(|m| m.protected = true), "protected-member");
    check(|c| c.view.members[0].protected = true, "swap i-00000000000000001 for m5a.large m5.large m6i.large");
    check(|c| c.view.members.iter_mut().for_each(|m| m.source = Some(source(0))), "template-changed");
    check(
        |c| {
            c.view.members[0].source = Some(source(0));
            c.effective.policy.template = TemplateRule::Twin;
        },
        "swap i-00000000000000000 for m5a.large m5.large m6i.large",
    );
}

#[test]
fn the_market_can_hold() {
    check(|c| c.market = market(&[("c5.large", 1_000)]), "no-pool");
    check(|c| c.market = market(&[("m5.large", 90_000)]), "saving-too-small");
    check(|c| c.effective.policy.allowed_types = vec![vec!["nothing".parse().unwrap()]], "no-compatible-type");
    check(
        |c| {
            let signals = Arc::make_mut(&mut c.market.signals);
            for name in ["m5.large", "m5a.large", "m6i.large"] {
                signals.refused(&Pool { az: az(1), kind: kind(name), product: Product::Linux }, NOW);
            }
        },
        "no-capacity",
    );
}

#[test]
fn a_launch_configuration_tries_a_few_pools_one_by_one() {
    let mut case = Case::new(group(1, 0));
    case.template = Some(template(Route::Run));
    let swap = case.plan().swap.unwrap();
    assert!(swap.request.pools.len() <= RUN_ATTEMPTS_MAX);
    assert_eq!(swap.request.max_price, UsdPerHour(96_000));
}

#[test]
fn every_label_is_listed_once() {
    let unique: BTreeSet<_> = HoldReason::LABELS.into_iter().collect();
    assert_eq!(unique.len(), HoldReason::LABELS.len());
}
