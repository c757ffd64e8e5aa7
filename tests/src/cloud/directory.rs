//! The organization's accounts.

use super::Scene;

pub async fn accounts_come_with_name_unit_and_regions(scene: Scene) {
    let (site, elsewhere) = (scene.site(), scene.stage.elsewhere());
    let accounts = scene.directory.accounts().await.unwrap();
    let own = accounts.iter().find(|account| account.id == site.account).unwrap();
    assert!(own.active && !own.name.is_empty());
    assert_eq!(own.ou.as_str(), "/prod/web");
    assert!(own.regions.contains(&site.region) && own.regions.contains(&elsewhere.region));
    let neighbor = scene.stage.neighbor().account;
    assert_eq!(accounts.iter().filter(|account| account.id == neighbor).count(), 1, "each stands once");
}

pub async fn a_closed_account_is_not_active(scene: Scene) {
    let accounts = scene.directory.accounts().await.unwrap();
    let closed = accounts.iter().find(|account| account.id == scene.stage.closed()).unwrap();
    assert!(!closed.active);
}

pub async fn who_is_not_enrolled_is_not_listed(scene: Scene) {
    let accounts = scene.directory.accounts().await.unwrap();
    assert!(accounts.iter().all(|account| account.id != scene.stage.unenrolled()));
    assert!(accounts.iter().any(|account| account.id == scene.site().account));
}
