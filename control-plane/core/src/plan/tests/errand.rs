//! Back to on-demand, aside to another pool, and the ways out of a rescue.

use super::*;
use crate::placement::{Scored, Size};
use crate::policy::OnRebalance;

/// A member that a swap of ours brought.
fn ours(case: &mut Case, index: usize, launched_at: Timestamp) {
    let member = &mut case.view.members[index];
    let facts = Arc::make_mut(member.facts.as_mut().unwrap());
    (facts.swap, facts.launched_at) = (Some(SwapId::from_number(1, false)), launched_at);
    member.source = None;
}

const SPOT: u128 = 100;

fn id(number: u128) -> InstanceId {
    InstanceId::from_number(number)
}

fn stands_for(name: &str, price: i64) -> Origin {
    Origin { kind: kind(name), price: UsdPerHour(price), quoted: None }
}

fn returns(number: u128) -> String {
    // The own type first, then compatible ones by their price on demand, none much dearer.
    let mut case = Case::new(group(0, 1));
    ours(&mut case, 0, NOW);
    case.reverting = Some(BrakeScope::Org);
    let says = case.says();
    let pools = says.split_once(" for ").unwrap().1;
    assert!(pools.starts_with("m5.large ") && pools.split(' ').count() == 8, "{pools}");
    format!("return {} for {pools}", id(number))
}

#[test]
fn what_we_brought_goes_back_where_an_operator_or_the_floor_asks_for_it() {
    let back = returns(SPOT);
    let brought = |case: &mut Case| ours(case, 2, NOW - Span::hours(1));
    let reverting = |case: &mut Case| {
        brought(case);
        case.reverting = Some(BrakeScope::Org);
    };
    check(|case| reverting(case), &back);
    check(|case| case.reverting = Some(BrakeScope::Org), "reverted");
    check(
        |case| {
            reverting(case);
            case.rights.on_demand_fallback = false;
        },
        "on-demand-not-allowed",
    );
    // Windows of policy keep nobody from what was asked for; intervals and budgets do.
    check(
        |case| {
            reverting(case);
            case.record.last_swap_at = Some(NOW - Span::secs(10));
        },
        "swap-interval",
    );
    check(
        |case| {
            brought(case);
            case.effective.policy.floor_number = 3;
        },
        &back,
    );
    check(
        |case| {
            brought(case);
            case.effective.policy.floor_number = 2;
        },
        "on-demand-floor",
    );
    // What its owner runs on Spot is the owner's.
    check(|case| case.effective.policy.floor_number = 3, "on-demand-floor");
    // It stands for what it replaced first, whatever its own type.
    let mut case = Case::new(group(0, 1));
    ours(&mut case, 0, NOW);
    case.reverting = Some(BrakeScope::Org);
    case.origins.insert(id(SPOT), stands_for("c5.large", 85_000));
    let swap = case.plan().swap.unwrap();
    assert_eq!((swap.kind, swap.baseline, swap.on_demand), (kind("c5.large"), UsdPerHour(85_000), false));
    assert_eq!(swap.request.pools[0].kind, kind("c5.large"));
}

#[test]
fn what_we_launched_on_demand_goes_back_to_spot_after_a_while() {
    let launched = |age: Span| {
        move |case: &mut Case| {
            case.view = group(1, 1);
            ours(case, 0, NOW - age);
            case.origins.insert(id(0), stands_for("m5.large", 90_000));
        }
    };
    check(launched(RETURN_AFTER - Span::secs(1)), "backing-off");
    let mut case = Case::new(group(1, 1));
    launched(RETURN_AFTER)(&mut case);
    let swap = case.plan().swap.unwrap();
    assert_eq!((swap.old, swap.baseline, swap.on_demand), (id(0), UsdPerHour(90_000), true));
    case.record.refused.insert(az(1), NOW - Span::mins(9));
    assert_eq!(case.says(), "backing-off", "one refused launch in ten minutes");
    case.record.refused.insert(az(1), NOW - Span::mins(10));
    assert!(case.says().starts_with("swap"));
}

#[test]
fn a_recommendation_moves_a_member_only_where_policy_says_so() {
    let recommended = |rule| {
        move |case: &mut Case| {
            case.view = group(0, 1);
            case.effective.policy.on_rebalance = rule;
            case.recommended.insert(id(SPOT));
        }
    };
    // Not to the pool that it is in.
    let moves = format!("move {} for m5a.large m6i.large", id(SPOT));
    check(recommended(OnRebalance::Replace), &moves);
    check(recommended(OnRebalance::WhenWorse), &moves);
    check(recommended(OnRebalance::Avoid), "settled");
    check(recommended(OnRebalance::Ignore), "settled");
    check(
        |case| {
            recommended(OnRebalance::Replace)(case);
            case.view.capacity_rebalance = true;
        },
        "settled",
    );
    let everywhere = |rule| {
        move |case: &mut Case| {
            recommended(rule)(case);
            let signals = Arc::make_mut(&mut case.market.signals);
            for name in ["m5a.large", "m6i.large"] {
                signals.took(&Pool { az: az(1), kind: kind(name), product: Product::Linux }, NOW);
            }
        }
    };
    check(everywhere(OnRebalance::Replace), &moves);
    check(everywhere(OnRebalance::WhenWorse), "settled");
}

fn refuse(case: &mut Case, minutes_ago: i64) {
    case.record.refused.insert(az(1), NOW - Span::mins(minutes_ago));
}

#[test]
fn a_rescue_asks_spot_unless_it_was_refused_lately_and_then_on_demand() {
    let ways = |bend: &dyn Fn(&mut Case)| {
        let mut case = Case::new(group(0, 1));
        bend(&mut case);
        let substitutes = Substitutes::new(Catalog::embedded());
        let ask = case.ask(&substitutes);
        let (spot, fallback) = ways_out(&ask, &template(Route::Fleet), kind("m5.large"), &az(1), UsdPerHour(96_000));
        let shape = |request: Option<Request>| request.map(|r| (r.lifecycle, r.pools.len()));
        (shape(spot), shape(fallback))
    };
    let (spot, on_demand) = (Some((Lifecycle::Spot, 3)), Some((Lifecycle::OnDemand, 8)));
    assert_eq!(ways(&|_| ()), (spot, on_demand));
    assert_eq!(ways(&|case| refuse(case, 9)), (None, on_demand));
    assert_eq!(ways(&|case| refuse(case, 10)), (spot, on_demand));
    assert_eq!(ways(&|case| case.reverting = Some(BrakeScope::Org)), (None, on_demand), "nothing new goes onto Spot");
    assert_eq!(ways(&|case| case.rights.on_demand_fallback = false), (spot, None));
    assert_eq!(ways(&|case| case.market.quotes = None), (None, on_demand));
}

/// In `scarce` with seed 58 a group asked the same zone for sixteen hours, since that is where most was to be saved.
#[test]
fn zones_take_turns_while_they_refuse() {
    let mut case = Case::new(group(3, 0));
    let prices = [(1, 30_000), (2, 35_000), (3, 40_000)];
    let row = |(zone, price): (u8, i64)| SpotPrice {
        pool: Pool { az: az(zone), kind: kind("m5.large"), product: Product::Linux },
        price: UsdPerHour(price),
        at: NOW,
    };
    case.market.quotes = Some(Arc::new(Quotes::new(NOW, prices.map(row))));
    for (member, zone) in case.view.members.iter_mut().zip(1..) {
        member.az = az(zone);
    }
    let next = |case: &Case| case.plan().swap.unwrap().az;
    for (hours, zone) in [(5, 1), (4, 2), (3, 3), (2, 1)] {
        assert_eq!(next(&case), az(zone));
        case.record.refused.insert(az(zone), NOW - Span::hours(hours));
    }
    assert_eq!(next(&case), az(2));
    case.record.refused.remove(&az(3));
    assert_eq!(next(&case), az(3));
}

#[test]
fn where_ec2_calls_capacity_unlikely_members_go_last_and_still_go() {
    let mut case = Case::new(group(2, 0));
    let row = |(zone, price): (u8, i64)| SpotPrice {
        pool: Pool { az: az(zone), kind: kind("m5.large"), product: Product::Linux },
        price: UsdPerHour(price),
        at: NOW,
    };
    case.market.quotes = Some(Arc::new(Quotes::new(NOW, [(1, 30_000), (2, 35_000)].map(row))));
    for (member, zone) in case.view.members.iter_mut().zip(1..) {
        member.az = az(zone);
    }
    let next = |case: &Case| case.plan().swap.unwrap().az;
    let score = |case: &mut Case, scores: &[(u8, u8)]| {
        let zones = scores.iter().map(|(zone, score)| (az(*zone), *score)).collect();
        let size = Size::of(Catalog::embedded().get(kind("m5.large"))).unwrap();
        Arc::make_mut(&mut case.market.placements).put(size, Scored { at: NOW, zones });
    };
    assert_eq!(next(&case), az(1), "it saves more");
    score(&mut case, &[(1, 2), (2, 6)]);
    assert_eq!(next(&case), az(2));
    score(&mut case, &[(1, 2), (2, 2)]);
    assert_eq!(next(&case), az(1), "nothing is closed by it");
    // What happened here counts for more than what is said.
    score(&mut case, &[(1, 2), (2, 6)]);
    case.record.refused.insert(az(2), NOW - Span::hours(1));
    assert_eq!(next(&case), az(1));
}

/// One member on Spot that we brought seven hours ago at 30,000, in a pool that costs 40,000 now.
fn dear(case: &mut Case) {
    case.view = group(0, 1);
    ours(case, 0, NOW - Span::hours(7));
    let (price, quoted) = (UsdPerHour(96_000), Some(UsdPerHour(30_000)));
    case.origins.insert(id(SPOT), Origin { kind: kind("m5.large"), price, quoted });
    case.market = market(&[("m5.large", 40_000), ("m5a.large", 30_000), ("m6i.large", 31_000), ("m5n.large", 35_000)]);
    let moves = &mut case.effective.policy.spot_to_spot;
    (moves.min_saving, moves.min_alternatives) = (Percent::new(20).unwrap(), 2);
}

#[test]
fn a_member_moves_to_a_cheaper_pool_only_once_its_own_became_dear() {
    let moves = format!("move {} for m5a.large m6i.large", id(SPOT));
    check(dear, &moves);
    let but = |bend: &dyn Fn(&mut Case), says: &str| {
        check(
            |case| {
                dear(case);
                bend(case);
            },
            says,
        );
    };
    but(&|case| case.effective.policy.spot_to_spot.min_saving = Percent::ALL, "settled");
    but(&|case| case.effective.policy.spot_to_spot.min_life = Span::hours(8), "settled");
    but(&|case| case.effective.policy.spot_to_spot.min_alternatives = 3, "settled");
    // Others are as much cheaper, and its own costs what it did: no step down the ladder.
    let quoted = |price: Option<i64>| {
        move |case: &mut Case| case.origins.get_mut(&id(SPOT)).unwrap().quoted = price.map(UsdPerHour)
    };
    but(&quoted(Some(40_000)), "settled");
    but(&quoted(Some(33_334)), "settled");
    but(&quoted(Some(33_333)), &moves);
    but(&quoted(None), "settled");
    but(&|case| case.market.quotes = None, "settled");
    but(&|case| case.record.last_swap_at = Some(NOW - Span::secs(30)), "settled");
    // What its owner bought on Spot is the owner's.
    but(&|case| Arc::make_mut(case.view.members[0].facts.as_mut().unwrap()).swap = None, "settled");
    // First come members that are on demand.
    but(
        &|case| {
            let mut one = group(1, 0).members;
            case.view.desired = 2;
            case.view.members.append(&mut one);
        },
        &format!("swap {} for m5a.large m6i.large m5n.large m5.large", id(0)),
    );
    // Those that policy keeps on demand are no reason to stay.
    let mut case = Case::new(group(0, 1));
    dear(&mut case);
    case.view.members.extend(group(1, 0).members);
    (case.view.desired, case.effective.policy.floor_number) = (2, 1);
    let plan = case.plan();
    assert_eq!(plan.swap.unwrap().old, id(SPOT));
    assert_eq!(plan.holds[0].reason.label(), "on-demand-floor");
}

#[test]
fn no_pool_gets_more_of_a_group_or_unit_than_its_share() {
    // Of four, two are in m5.large already; m5a.large is the cheapest, then m5.large.
    let share = |percent: u8| {
        move |case: &mut Case| {
            case.view = group(2, 2);
            case.effective.policy.pool_share.group = Percent::new(percent).unwrap();
        }
    };
    let swap = |pools: &str| format!("swap {} for {pools}", id(0));
    check(share(51), &swap("m5a.large m5.large m6i.large"));
    check(share(50), &swap("m5a.large m6i.large"));
    check(share(0), &swap("m5a.large m6i.large"));
    check(
        |case| {
            share(50)(case);
            case.effective.policy.allowed_types = vec![vec!["m5.large".parse().unwrap()]];
        },
        "pool-share",
    );
    // Another zone's pool is another pool.
    check(
        |case| {
            share(25)(case);
            case.view.members.retain(|m| m.id != id(SPOT + 1));
            case.view.desired = 3;
            case.view.members[2].az = az(2);
        },
        &swap("m5a.large m5.large m6i.large"),
    );
    let unit = |members: u32, there: u32| {
        move |case: &mut Case| {
            case.view = group(2, 0);
            case.effective.policy.pool_share.ou = Percent::new(10).unwrap();
            let pool = Pool { az: az(1), kind: kind("m5a.large"), product: Product::Linux };
            case.shares = Some(Shares { members, spot: BTreeMap::from([(pool, there)]) });
        }
    };
    check(unit(40, 3), &swap("m5a.large m5.large m6i.large"));
    check(unit(40, 4), &swap("m5.large m6i.large"));
    check(
        |case| {
            unit(40, 4)(case);
            case.shares = None;
        },
        &swap("m5a.large m5.large m6i.large"),
    );
}

#[test]
fn a_rescue_goes_over_the_share_only_where_nothing_else_is_left() {
    let ways = |fallback: bool| {
        let mut case = Case::new(group(0, 2));
        case.effective.policy.pool_share.group = Percent::new(50).unwrap();
        case.market = market(&[("m5.large", 40_000)]);
        case.rights.on_demand_fallback = fallback;
        let substitutes = Substitutes::new(Catalog::embedded());
        let ask = case.ask(&substitutes);
        let (spot, _) = ways_out(&ask, &template(Route::Fleet), kind("m5.large"), &az(1), UsdPerHour(96_000));
        spot.is_some()
    };
    assert_eq!((ways(true), ways(false)), (false, true));
}
