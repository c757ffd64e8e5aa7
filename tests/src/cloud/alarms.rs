//! The alarms that guard groups.

use std::collections::BTreeMap;

use spothub_core::fault::Fault;
use spothub_core::id::Site;

use super::{Obstacle, Scene, cause};

/// Each alarm that is known, and whether it is red.
async fn told(scene: &Scene, site: &Site, names: &[&str]) -> BTreeMap<String, bool> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let alarms = scene.look.alarms(site, &names, cause()).await.unwrap();
    alarms.into_iter().map(|alarm| (alarm.name, alarm.red)).collect()
}

fn row(name: &str, red: bool) -> (String, bool) {
    (name.to_owned(), red)
}

pub async fn an_alarm_is_red_or_not(scene: Scene) {
    let site = scene.site();
    // A name may hold what a query could stumble over.
    let odd = "5xx & 50% <web> ä/b";
    scene.stage.alarm(&site, "errors", true).await;
    scene.stage.alarm(&site, odd, false).await;
    let both = ["errors", odd];
    assert_eq!(told(&scene, &site, &both).await, BTreeMap::from([row("errors", true), row(odd, false)]));
    scene.stage.alarm(&site, "errors", false).await;
    scene.stage.alarm(&site, odd, true).await;
    assert_eq!(told(&scene, &site, &both).await, BTreeMap::from([row("errors", false), row(odd, true)]));
    assert_eq!(told(&scene, &site, &both[..1]).await, BTreeMap::from([row("errors", false)]));
}

pub async fn unknown_alarms_are_left_out(scene: Scene) {
    let site = scene.site();
    assert_eq!(told(&scene, &site, &["none"]).await, BTreeMap::new());
    scene.stage.alarm(&site, "errors", true).await;
    // Names are whole names: neither a prefix nor another case finds one.
    assert_eq!(told(&scene, &site, &["error", "Errors", "errors "]).await, BTreeMap::new());
    assert_eq!(told(&scene, &site, &["none", "errors"]).await, BTreeMap::from([row("errors", true)]));
}

pub async fn alarms_of_other_sites_are_unknown_here(scene: Scene) {
    let (site, elsewhere, neighbor) = (scene.site(), scene.stage.elsewhere(), scene.stage.neighbor());
    scene.stage.alarm(&elsewhere, "errors", true).await;
    scene.stage.alarm(&neighbor, "errors", true).await;
    assert_eq!(told(&scene, &site, &["errors"]).await, BTreeMap::new());
    scene.stage.alarm(&site, "errors", false).await;
    assert_eq!(told(&scene, &site, &["errors"]).await, BTreeMap::from([row("errors", false)]));
    assert_eq!(told(&scene, &elsewhere, &["errors"]).await, BTreeMap::from([row("errors", true)]));
}

pub async fn more_than_a_hundred_alarms_are_all_told(scene: Scene) {
    let site = scene.site();
    let names: Vec<String> = (0..103).map(|number| format!("alarm-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        scene.stage.alarm(&site, name, number % 2 == 1).await;
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = told(&scene, &site, &names).await;
    assert_eq!((found.len(), found.values().filter(|red| **red).count()), (103, 51));
}

pub async fn alarms_cannot_be_read_without_a_role(scene: Scene) {
    let site = scene.site();
    scene.stage.alarm(&site, "errors", false).await;
    scene.stage.obstruct(&site, Obstacle::NoRole).await;
    let answer = scene.look.alarms(&site, &["errors".to_owned()], cause()).await;
    assert!(matches!(answer, Err(Fault::Unreachable(_))), "{answer:?}");
}
