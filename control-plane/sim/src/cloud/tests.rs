//! Calls of the simulated cloud: buckets, tokens, faults, and what the records say of them.

use std::sync::Arc;

use spothub_core::catalog::Product;
use spothub_core::group::GroupView;
use spothub_core::id::{AzId, SubnetId};
use spothub_core::money::UsdPerHour;
use spothub_core::port::{Act, Decrement, Directory, Launch, LaunchPool, Launched, Look, Prices, Route, RunState};

use super::*;
use crate::organization::Organization;
use crate::shape::{FaultShape, MarketShape, StormShape, Window};
use crate::world::tests::{Kept, build, key, kind, shape, site, swap};

fn start(edit: impl FnOnce(&mut Shape)) -> (Organization, Kept) {
    let mut shape = shape(|_| ());
    edit(&mut shape);
    build(&shape, 11)
}

fn view(org: &Organization) -> GroupView {
    let world = org.world.lock();
    world.view(world.group(&key()).unwrap())
}

fn place(org: &Organization) -> (AzId, SubnetId, InstanceId) {
    let view = view(org);
    let subnet = org.world.lock().instances_seen(&site(), &[view.members[0].id.clone()])[0].facts.subnet.clone();
    (view.members[0].az.clone(), subnet, view.members[0].id.clone())
}

async fn launch(
    cloud: &SimCloud,
    place: &(AzId, SubnetId, InstanceId),
    token: &str,
    types: &[&str],
    max: i64,
) -> Result<Launched, Fault> {
    let source = cloud.groups(&site(), Some(&[key().name]), Cause::default()).await?[0].source.clone();
    let pools: Vec<LaunchPool> =
        types.iter().map(|name| LaunchPool { kind: kind(name), quoted: UsdPerHour(1) }).collect();
    let (key, swap) = (key(), swap());
    let launch = Launch {
        group: &key,
        token,
        source: &source,
        route: Route::Fleet,
        pools: &pools,
        az: &place.0,
        subnet: &place.1,
        product: Product::Linux,
        lifecycle: spothub_core::group::Lifecycle::Spot,
        max_price: UsdPerHour(max),
        swap: &swap,
        replaces: &place.2,
    };
    let swaps = [swap.clone()];
    cloud.launch(&launch, Cause { swaps: &swaps, ..Cause::default() }).await
}

fn run<T: Send + 'static, F>(org: &Organization, job: impl FnOnce(Arc<SimCloud>) -> F) -> T
where
    F: Future<Output = T> + Send + 'static,
{
    org.exec.run(job(org.cloud.clone())).unwrap()
}

fn calls(kept: &Kept) -> Vec<Call> {
    kept.all().into_iter().filter_map(|r| if let What::Call(call) = r.what { Some(*call) } else { None }).collect()
}

#[test]
fn a_token_gives_the_same_instance_again() {
    let (org, kept) = start(|_| ());
    let at = place(&org);
    let (first, second, other, mismatch) = run(&org, |cloud| async move {
        let first = launch(&cloud, &at, "t1", &["m5.large"], 96_000).await;
        let second = launch(&cloud, &at, "t1", &["m5.large"], 96_000).await;
        let other = launch(&cloud, &at, "t2", &["m5.large"], 96_000).await;
        (first, second, other, launch(&cloud, &at, "t1", &["m5a.large"], 96_000).await)
    });
    assert_eq!(first, second);
    assert_ne!(first, other);
    assert_eq!(mismatch, Err(Fault::Invalid("IdempotentParameterMismatch")));
    assert_eq!(kept.starts().len(), 5);
    let call = calls(&kept).into_iter().find(|c| c.action == "ec2:CreateFleet").unwrap();
    assert_eq!((call.instance_id, call.swap), (Some(first.unwrap().id), Some(swap())));
}

#[test]
fn a_lost_answer_may_have_had_its_effect() {
    for (faults, instances) in [
        (FaultShape { lost_done_ppm: 1_000_000, ..FaultShape::default() }, 4),
        (FaultShape { lost_ppm: 1_000_000, ..FaultShape::default() }, 3),
        (FaultShape { broken_ppm: 1_000_000, ..FaultShape::default() }, 3),
    ] {
        let broken = faults.broken_ppm > 0;
        let (org, kept) = start(|_| ());
        let at = place(&org);
        let world = org.world.clone();
        let before = org.exec.now();
        let answer = run(&org, |cloud| async move {
            let source = cloud.groups(&site(), None, Cause::default()).await.unwrap()[0].source.clone();
            world.lock().faults = faults;
            let (key, swap) = (key(), swap());
            let pools = [LaunchPool { kind: kind("m5.large"), quoted: UsdPerHour(1) }];
            let launch = Launch {
                group: &key,
                token: "t",
                source: &source,
                route: Route::Fleet,
                pools: &pools,
                az: &at.0,
                subnet: &at.1,
                product: Product::Linux,
                lifecycle: spothub_core::group::Lifecycle::Spot,
                max_price: UsdPerHour(96_000),
                swap: &swap,
                replaces: &at.2,
            };
            cloud.launch(&launch, Cause::default()).await
        });
        assert_eq!(answer, Err(if broken { Fault::Broken } else { Fault::Unclear }));
        assert_eq!(kept.starts().len(), instances);
        let call = calls(&kept).pop().unwrap();
        assert_eq!(
            (call.outcome, call.took_effect),
            (if broken { Outcome::Error } else { Outcome::Lost }, instances == 4)
        );
        assert_eq!(org.exec.now().since(before) >= Span::secs(6), !broken);
    }
}

#[test]
fn an_empty_bucket_throttles_and_refills() {
    let (org, kept) = start(|s| s.api.asg_read = Bucket::new(3, 1));
    let outcomes = run(&org, |cloud| async move {
        let mut outcomes = Vec::new();
        for _ in 0..40 {
            outcomes.push(cloud.groups(&site(), Some(&[key().name]), Cause::default()).await.is_ok());
        }
        outcomes
    });
    let served = outcomes.iter().filter(|&&ok| ok).count();
    let seconds = usize::try_from(org.since_start().as_secs()).unwrap();
    assert!(served >= 3 && served <= 4 + seconds && served < 40, "{served} in {seconds} s");
    assert_eq!(calls(&kept).iter().filter(|c| c.outcome == Outcome::Throttled).count(), 40 - served);
}

#[test]
fn empty_pools_are_refused_and_reported() {
    let storm = StormShape {
        at: Span::ZERO,
        spread: Span::ZERO,
        length: Span::hours(1),
        pools_permille: 1000,
        left_permille: 0,
        regions: vec![],
    };
    let (org, _) = start(|s| s.market.storms.push(storm));
    org.run_for(Span::mins(6));
    let at = place(&org);
    let az = at.0.clone();
    let answer = run(&org, |cloud| async move { launch(&cloud, &at, "t", &["m5.large", "m6i.large"], 96_000).await });
    assert_eq!(answer, Err(Fault::NoCapacity(vec![(az.clone(), kind("m5.large")), (az, kind("m6i.large"))])));
    let (org, _) = start(|_| ());
    let at = place(&org);
    let cheap = run(&org, |cloud| async move { launch(&cloud, &at, "t", &["m5.large"], 1000).await });
    assert!(matches!(cheap, Err(Fault::NoCapacity(_))), "MaxPrice under the market");
    let (org, _) = start(|s| s.accounts[0].spot_vcpu_quota = Some(1));
    let at = place(&org);
    let quota = run(&org, |cloud| async move { launch(&cloud, &at, "t", &["m5.large"], 96_000).await });
    assert_eq!(quota, Err(Fault::Quota));
    let (org, _) = start(|_| ());
    let at = place(&org);
    let arm = run(&org, |cloud| async move { launch(&cloud, &at, "t", &["m6g.large"], 96_000).await });
    assert!(matches!(arm, Err(Fault::Invalid(_))), "another architecture");
}

#[test]
fn refused_accounts_refuse() {
    let (org, kept) = start(|s| s.accounts[0].denied = Some(Window::ALWAYS));
    let id = place(&org).2;
    let (read, change) = run(&org, |cloud| async move {
        let read = cloud.groups(&site(), None, Cause::default()).await.map(|v| v.len());
        (read, cloud.retire(&key(), &id, Decrement::Yes, Cause::default()).await)
    });
    assert_eq!(read, Ok(1));
    assert_eq!(change, Err(Fault::Denied("autoscaling:TerminateInstanceInAutoScalingGroup")));
    assert_eq!(calls(&kept).pop().unwrap().outcome, Outcome::Denied);
    let (org, _) = start(|s| s.accounts[0].unreachable = Some(Window { from: Span::ZERO, until: Span::mins(1) }));
    let ask = |org: &Organization| {
        run(org, |cloud| async move { cloud.groups(&site(), None, Cause::default()).await.map(|v| v.len()) })
    };
    assert!(matches!(ask(&org), Err(Fault::Unreachable(_))));
    org.run_for(Span::mins(1));
    assert_eq!(ask(&org), Ok(1));
}

#[test]
fn a_call_stands_before_what_it_did() {
    let (org, kept) = start(|_| ());
    let id = place(&org).2;
    run(&org, |cloud| async move { cloud.retire(&key(), &id, Decrement::Yes, Cause::default()).await.unwrap() });
    let kinds: Vec<(bool, bool)> = kept
        .all()
        .iter()
        .filter(|r| r.t > 0)
        .map(|r| (matches!(r.what, What::Call(_)), matches!(r.what, What::Membership(_))))
        .collect();
    assert_eq!(kinds[..2], [(true, false), (false, true)]);
}

#[test]
fn a_new_instance_is_invisible_for_a_moment() {
    let mut hidden = 0;
    for seed in 0..10 {
        let mut shape = shape(|_| ());
        shape.api.consistent_after = Span::secs(1);
        shape.api.leg = Delay::millis(0, 0);
        let (org, _) = build(&shape, seed);
        let at = place(&org);
        let (now, later) = run(&org, |cloud| async move {
            let id = launch(&cloud, &at, "t", &["m5.large"], 96_000).await.unwrap().id;
            let now = cloud.status(&site(), std::slice::from_ref(&id), Cause::default()).await.unwrap();
            cloud.exec.sleep_until(cloud.exec.now() + Span::secs(2)).await;
            (now, cloud.status(&site(), &[id], Cause::default()).await.unwrap())
        });
        hidden += usize::from(now.is_empty());
        assert_eq!(later[0].1, RunState::Pending);
    }
    assert!(hidden > 0);
}

#[test]
fn a_template_costs_one_call_and_its_image_one_more_once() {
    let (org, kept) = start(|_| ());
    let source = view(&org).source;
    let facts = run(&org, |cloud| async move {
        cloud.template(&key(), &source, Cause::default()).await.unwrap();
        cloud.extras(&key(), Cause::default()).await.unwrap();
        cloud.template(&key(), &source, Cause::default()).await.unwrap()
    });
    assert_eq!((facts.product, facts.route), (Product::Linux, Route::Fleet));
    let actions: Vec<String> = calls(&kept).into_iter().map(|c| c.action).collect();
    assert_eq!(
        actions,
        [
            "ec2:DescribeLaunchTemplateVersions",
            "ec2:DescribeImages",
            "autoscaling:DescribeLifecycleHooks",
            "autoscaling:DescribeInstanceRefreshes",
            "ec2:DescribeLaunchTemplateVersions"
        ]
    );
}

#[test]
fn prices_and_accounts_are_no_calls_of_a_member() {
    let (org, kept) = start(|_| ());
    let (rows, accounts) =
        run(&org, |cloud| async move { (cloud.spot(&site().region).await.unwrap(), cloud.accounts().await.unwrap()) });
    assert!(rows.iter().count() > 1000, "{}", rows.iter().count());
    assert!(rows.iter().all(|(pool, price)| pool.product == Product::Linux && price.0 > 0));
    assert_eq!(accounts.len(), 1);
    assert!(calls(&kept).is_empty());
}

#[test]
fn quotes_are_the_market_s_own_prices_also_when_only_changes_were_worked_out() {
    let (org, _) = start(|_| ());
    let region = site().region;
    for hours in [0, 3, 9, 40] {
        org.run_for(Span::hours(hours));
        let asked = region.clone();
        let quotes = run(&org, |cloud| async move { cloud.spot(&asked).await.unwrap() });
        let now = org.exec.now();
        let pools: Vec<_> = org.market.pools(&region, Product::Linux).collect();
        assert_eq!(quotes.iter().count(), pools.len());
        for pool in pools {
            assert_eq!(quotes.get(&org.market.describe(pool)), org.market.price_at(pool, now), "after {hours} h");
        }
    }
}

/// A storm over an organization with many Spot instances: most are announced together, some silently, none forgotten.
#[test]
fn interruptions_come_in_clusters_with_two_minutes_notice() {
    let storm = StormShape {
        at: Span::mins(30),
        spread: Span::mins(3),
        length: Span::hours(1),
        pools_permille: 1000,
        left_permille: 0,
        regions: vec![],
    };
    let mut shape = shape(|g| (g.desired, g.max, g.owner_spot) = (12, 20, 12));
    shape.market = MarketShape { storms: vec![storm], silent_permille: 200, ..shape.market };
    let (org, kept) = build(&shape, 4);
    org.run_for(Span::hours(2));
    let mut notices = BTreeMap::new();
    let mut ends = 0;
    for record in kept.all() {
        if let What::Notice { instance_id, deadline_s } = &record.what {
            assert_eq!(*deadline_s, record.t / 1000 + 120);
            notices.insert(instance_id.clone(), record.t);
        }
        if let What::InstanceEnd { instance_id, why: crate::record::Ended::Interrupted } = &record.what {
            assert_eq!(record.t - notices[instance_id], 120_000);
            ends += 1;
        }
    }
    assert_eq!((notices.len(), ends), (12, 12));
    let early = notices.values().filter(|&&t| t < Span::mins(42).0).count();
    assert!((6..=12).contains(&early), "{early}");
    assert_eq!((kept.last().in_service, kept.last().spot), (12, 0), "the group falls back to on-demand");
}
