//! What a launch gives, and what refuses it.

use spothub_core::cloud::{Decrement, LaunchPool, Route};
use spothub_core::fault::Fault;
use spothub_core::group::{Lifecycle, Source};
use spothub_core::money::UsdPerHour;

use super::{Pin, Scene, Start, Twin, Wanted, cause, kind};

async fn prepared(scene: &Scene, types: &[&str]) -> Twin {
    let key = scene.group(Wanted::new("web")).await;
    Twin::of(scene, &key, types).await
}

pub async fn a_launch_is_spot_and_stands_beside_the_old_one(scene: Scene) {
    let twin = prepared(&scene, &["m5.large"]).await;
    let launched = scene.act.launch(&twin.launch(), cause()).await.unwrap();
    assert_eq!((launched.kind, launched.refused), (kind("m5.large"), vec![]));
    let site = scene.site();
    let seen = scene.until("EC2 lists it", || scene.instance(&site, &launched.id)).await;
    assert_eq!((seen.kind, seen.facts.lifecycle), (Some(kind("m5.large")), Lifecycle::Spot));
    assert_eq!((&seen.az, &seen.facts.subnet), (&twin.az, &twin.subnet));
    assert_eq!((&seen.facts.swap, &seen.group), (&Some(twin.swap.clone()), &Some(twin.group.name.clone())));
    assert!(!seen.facts.dedicated && !seen.facts.reserved && seen.ended_at.is_none());
    assert!(seen.facts.launched_at <= scene.clock.now());
}

pub async fn a_launch_can_be_on_demand(scene: Scene) {
    for (number, start) in [(2, Start::Template(Pin::Number)), (3, Start::Configuration)] {
        let key = scene.group(Wanted { start, ..Wanted::new(&format!("web-{number}")) }).await;
        let spot = Twin::of(&scene, &key, &["m5.large"]).await;
        // Whatever Spot has to give, and at whatever price.
        scene.stage.drain(&spot.pool("m5.large"), true).await;
        let twin = Twin { lifecycle: Lifecycle::OnDemand, max_price: UsdPerHour(1), ..spot.again(number) };
        let id = scene.launch(&twin).await.unwrap();
        assert_eq!(scene.launch(&twin).await, Ok(id.clone()), "once for its token");
        let site = scene.site();
        let seen = scene.until("EC2 lists it", || scene.instance(&site, &id)).await;
        assert_eq!((seen.facts.lifecycle, &seen.facts.swap), (Lifecycle::OnDemand, &Some(twin.swap.clone())));
        scene.stage.drain(&spot.pool("m5.large"), false).await;
    }
}

pub async fn a_launch_leaves_the_group_alone(scene: Scene) {
    let twin = prepared(&scene, &["m5.large"]).await;
    let before = scene.view(&twin.group).await;
    let new = scene.launch(&twin).await.unwrap();
    scene.running(&scene.site(), &new).await;
    let after = scene.view(&twin.group).await;
    assert_eq!((after.desired, after.max, after.members), (before.desired, before.max, before.members));
}

pub async fn a_token_launches_once(scene: Scene) {
    let twin = prepared(&scene, &["m5.large", "m5a.large"]).await;
    let first = scene.launch(&twin).await.unwrap();
    for _ in 0..3 {
        assert_eq!(scene.launch(&twin).await, Ok(first.clone()));
    }
    scene.running(&scene.site(), &first).await;
    assert_eq!(scene.launch(&twin).await, Ok(first.clone()), "also later");
    assert_eq!(scene.alive(&scene.site()).await.len(), 1);
}

pub async fn another_token_launches_another(scene: Scene) {
    let twin = prepared(&scene, &["m5.large"]).await;
    let first = scene.launch(&twin).await.unwrap();
    let second = scene.launch(&twin.again(2)).await.unwrap();
    assert_ne!(first, second);
    let both = || async { (scene.alive(&scene.site()).await.len() == 2).then_some(()) };
    scene.until("both are listed", both).await;
}

/// The first launch may be the answer: it is of the same swap.
pub async fn a_token_with_other_contents_launches_nothing_more(scene: Scene) {
    let twin = prepared(&scene, &["m5.large"]).await;
    let first = scene.launch(&twin).await.unwrap();
    scene.running(&scene.site(), &first).await;
    let other = Twin { max_price: UsdPerHour(80_000), ..twin };
    let answer = scene.launch(&other).await;
    assert!(matches!(&answer, Err(Fault::Invalid(_))) || answer == Ok(first), "{answer:?}");
    assert_eq!(scene.alive(&scene.site()).await.len(), 1);
}

pub async fn an_empty_pool_is_named(scene: Scene) {
    let twin = prepared(&scene, &["m5.large"]).await;
    scene.stage.drain(&twin.pool("m5.large"), true).await;
    let empty = vec![(twin.az.clone(), kind("m5.large"))];
    assert_eq!(scene.launch(&twin).await, Err(Fault::NoCapacity(empty)));
    assert_eq!(scene.alive(&scene.site()).await, []);
}

pub async fn all_empty_pools_are_named(scene: Scene) {
    let names = ["m5.large", "m5a.large", "m6i.large"];
    let twin = prepared(&scene, &names).await;
    for name in names {
        scene.stage.drain(&twin.pool(name), true).await;
    }
    let Err(Fault::NoCapacity(mut found)) = scene.launch(&twin).await else { panic!("no pool has any") };
    found.sort();
    let mut expected = names.map(|name| (twin.az.clone(), kind(name))).to_vec();
    expected.sort();
    assert_eq!(found, expected);
}

pub async fn a_fleet_takes_another_pool_and_says_what_was_refused(scene: Scene) {
    let twin = prepared(&scene, &["m5.large", "m5a.large", "m6i.large"]).await;
    assert_eq!(twin.route, Route::Fleet);
    for name in ["m5.large", "m6i.large"] {
        scene.stage.drain(&twin.pool(name), true).await;
    }
    let launched = scene.act.launch(&twin.launch(), cause()).await.unwrap();
    assert_eq!(launched.kind, kind("m5a.large"));
    let empty = [kind("m5.large"), kind("m6i.large")];
    assert!(launched.refused.iter().all(|refused| empty.contains(refused)), "{:?}", launched.refused);
    let site = scene.site();
    let seen = scene.until("EC2 lists it", || scene.instance(&site, &launched.id)).await;
    assert_eq!(seen.kind, Some(kind("m5a.large")));
}

pub async fn a_pool_that_has_room_again_gives(scene: Scene) {
    let twin = prepared(&scene, &["m5.large"]).await;
    scene.stage.drain(&twin.pool("m5.large"), true).await;
    assert!(matches!(scene.launch(&twin).await, Err(Fault::NoCapacity(_))));
    scene.stage.drain(&twin.pool("m5.large"), false).await;
    scene.launch(&twin.again(2)).await.unwrap();
}

pub async fn a_price_above_the_most_to_pay_is_no_capacity(scene: Scene) {
    let twin = prepared(&scene, &["m5.large"]).await;
    let answer = scene.launch(&Twin { max_price: UsdPerHour(2000), ..twin }).await;
    assert!(matches!(answer, Err(Fault::NoCapacity(_))), "{answer:?}");
    assert_eq!(scene.alive(&scene.site()).await, []);
}

pub async fn a_configuration_is_launched_from(scene: Scene) {
    let key = scene.group(Wanted { start: Start::Configuration, ..Wanted::new("old style") }).await;
    let twin = Twin::of(&scene, &key, &["m5.large"]).await;
    assert_eq!(twin.route, Route::Run);
    let first = scene.launch(&twin).await.unwrap();
    assert_eq!(scene.launch(&twin).await, Ok(first.clone()), "the token holds here, too");
    scene.running(&key.site, &first).await;
    let seen = scene.instance(&key.site, &first).await.unwrap();
    assert_eq!((seen.facts.lifecycle, seen.kind), (Lifecycle::Spot, Some(kind("m5.large"))));
    assert_eq!((&seen.az, &seen.facts.subnet), (&twin.az, &twin.subnet));
    assert_eq!((&seen.facts.swap, &seen.group), (&Some(twin.swap.clone()), &Some(key.name.clone())));
    scene.stage.drain(&twin.pool("m5.large"), true).await;
    let empty = vec![(twin.az.clone(), kind("m5.large"))];
    assert_eq!(scene.launch(&twin.again(2)).await, Err(Fault::NoCapacity(empty)));
}

pub async fn a_twin_of_a_mixed_group_that_buys_on_demand_joins_it(scene: Scene) {
    let start = Start::MixedOnDemand(Pin::Latest);
    let key = scene.group(Wanted { start, ..Wanted::new("mixed").sized(1, 2, 4) }).await;
    let twin = Twin::of(&scene, &key, &["m5.large", "m5a.large"]).await;
    assert!(matches!(twin.source, Source::Template { version: Some(1), .. }), "{:?}", twin.source);
    let new = scene.launch(&twin).await.unwrap();
    scene.running(&key.site, &new).await;
    assert_eq!(scene.instance(&key.site, &new).await.unwrap().facts.lifecycle, Lifecycle::Spot);
    scene.act.attach(&key, &new, cause()).await.unwrap();
    let view = scene.in_service(&key, 3).await;
    assert!(view.member(&new).is_some() && view.mixed_on_demand);
    scene.act.retire(&key, &twin.replaces, Decrement::Yes, cause()).await.unwrap();
    scene.in_service(&key, 2).await;
}

pub async fn a_group_that_names_no_subnet_is_launched_into_its_members(scene: Scene) {
    let key = scene.group(Wanted { default_vpc: true, ..Wanted::new("default") }).await;
    let old = scene.instance(&key.site, &scene.first(&key).await).await.unwrap();
    let new = scene.running_twin(&key).await;
    let seen = scene.instance(&key.site, &new).await.unwrap();
    assert_eq!((seen.facts.subnet.clone(), &seen.az), (old.facts.subnet.clone(), &old.az));
    scene.act.attach(&key, &new, cause()).await.unwrap();
    scene.in_service(&key, 3).await;
}

pub async fn one_request_takes_one_pool_where_ec2_does_not_choose(scene: Scene) {
    let twin = prepared(&scene, &["m5.large", "m5a.large"]).await;
    for (route, pools) in [(Route::Run, twin.pools.clone()), (Route::Run, vec![]), (Route::Fleet, vec![])] {
        let answer = scene.launch(&Twin { route, pools, ..twin.clone() }).await;
        assert!(matches!(answer, Err(Fault::Invalid(_))), "{route:?} {answer:?}");
    }
    let one = vec![LaunchPool { kind: kind("m5a.large"), quoted: UsdPerHour(1) }];
    let new = scene.launch(&Twin { route: Route::Run, pools: one, ..twin }).await.unwrap();
    let site = scene.site();
    let seen = scene.until("EC2 lists it", || scene.instance(&site, &new)).await;
    assert_eq!(seen.kind, Some(kind("m5a.large")));
}

pub async fn a_token_has_at_most_64_characters(scene: Scene) {
    let twin = prepared(&scene, &["m5.large"]).await;
    for token in [String::new(), "x".repeat(65), "é".to_owned()] {
        let answer = scene.launch(&Twin { token, ..twin.clone() }).await;
        assert!(matches!(answer, Err(Fault::Invalid(_))), "{answer:?}");
    }
    scene.launch(&Twin { token: "x".repeat(64), ..twin }).await.unwrap();
}

pub async fn a_type_of_another_architecture_is_refused(scene: Scene) {
    let twin = prepared(&scene, &["m6g.large"]).await;
    let answer = scene.launch(&twin).await;
    assert!(matches!(answer, Err(Fault::Invalid(_))), "{answer:?}");
    assert_eq!(scene.alive(&scene.site()).await, []);
}

pub async fn an_unknown_version_is_refused(scene: Scene) {
    let twin = prepared(&scene, &["m5.large"]).await;
    let Source::Template { id, .. } = &twin.source else { panic!("{:?}", twin.source) };
    let source = Source::Template { id: id.clone(), version: Some(77) };
    let answer = scene.launch(&Twin { source, ..twin.clone() }).await;
    assert!(matches!(answer, Err(Fault::Invalid(_) | Fault::Gone)), "{answer:?}");
    assert_eq!(scene.alive(&scene.site()).await, []);
}
