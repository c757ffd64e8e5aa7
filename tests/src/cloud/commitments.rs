//! What is paid for anyway, and what can use it.

use spothub_core::catalog::Product;
use spothub_core::commitment::{Commitment, Terms};
use spothub_core::money::UsdPerHour;

use super::{Scene, Wanted, kind};

pub async fn nothing_bought_is_nothing(scene: Scene) {
    let site = scene.site();
    assert_eq!(scene.commitments.reserved(&site).await.unwrap(), []);
    assert_eq!(scene.commitments.plans(&site).await.unwrap(), []);
}

pub async fn a_reserved_instance_is_of_its_account_and_region(scene: Scene) {
    let site = scene.site();
    let (region, count) = (site.region.clone(), 3);
    let terms = Terms::Reserved { region, az: None, kind: kind("m5.large"), product: Product::Linux, count };
    scene.stage.buy(&Commitment { account: site.account, terms: terms.clone(), ends_at: None }).await;
    let found = scene.commitments.reserved(&site).await.unwrap();
    assert_eq!(found.iter().map(|one| (one.account, &one.terms)).collect::<Vec<_>>(), [(site.account, &terms)]);
    assert_eq!(scene.commitments.plans(&site).await.unwrap(), []);
    for other in [scene.stage.neighbor(), scene.stage.elsewhere()] {
        assert_eq!(scene.commitments.reserved(&other).await.unwrap(), [], "{other}");
    }
}

pub async fn a_plan_is_told_with_what_it_costs_an_hour(scene: Scene) {
    let site = scene.site();
    let terms = Terms::ComputePlan { hourly: UsdPerHour(1_250_000) };
    scene.stage.buy(&Commitment { account: site.account, terms: terms.clone(), ends_at: None }).await;
    let found = scene.commitments.plans(&site).await.unwrap();
    assert_eq!(found.iter().map(|one| &one.terms).collect::<Vec<_>>(), [&terms]);
    assert_eq!(scene.commitments.reserved(&site).await.unwrap(), []);
}

pub async fn what_runs_on_demand_is_counted_by_what_it_is(scene: Scene) {
    let site = scene.site();
    let key = scene.group(Wanted::new("counted").sized(1, 2, 4)).await;
    let group = scene.view(&key).await;
    let running = scene.commitments.running(&site).await.unwrap();
    for member in &group.members {
        let same = |slot: &&spothub_core::commitment::Slot| slot.az == member.az && Some(slot.kind) == member.kind;
        let slot = running.keys().find(same).expect("its slot");
        assert_eq!((slot.account, &slot.region, slot.product), (site.account, &site.region, Product::Linux));
    }
    assert!(running.values().sum::<u32>() >= 2);
}
