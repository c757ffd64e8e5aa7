//! What of one account never concerns another.

use spothub_core::fault::Fault;
use spothub_core::id::GroupKey;

use super::{Obstacle, Scene, Twin, Wanted, cause};

pub async fn an_account_without_a_role_is_unreachable_and_the_next_is_not(scene: Scene) {
    let (site, neighbor) = (scene.site(), scene.stage.neighbor());
    let key = scene.group(Wanted::new("web")).await;
    scene.group(Wanted { site: Some(neighbor.clone()), ..Wanted::new("theirs") }).await;
    scene.stage.obstruct(&site, Obstacle::NoRole).await;
    for _ in 0..2 {
        let look = scene.look.groups(&site, None, cause()).await;
        assert!(matches!(look, Err(Fault::Unreachable(_))), "{look:?}");
        let act = scene.act.set_max(&key, 5, cause()).await;
        assert!(matches!(act, Err(Fault::Unreachable(_))), "{act:?}");
    }
    assert_eq!(scene.look.groups(&neighbor, None, cause()).await.unwrap().len(), 1);
    let theirs = GroupKey { site: neighbor, name: "theirs".parse().unwrap() };
    scene.act.set_max(&theirs, 5, cause()).await.unwrap();
    scene.launch(&Twin::of(&scene, &theirs, &["m5.large"]).await).await.unwrap();
}

pub async fn an_account_that_forbids_changes_can_be_read(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let twin = Twin::of(&scene, &key, &["m5.large"]).await;
    scene.stage.obstruct(&key.site, Obstacle::NoRights).await;
    let before = scene.view(&key).await;
    let denied = [
        scene.launch(&twin).await.map(|_| ()),
        scene.act.set_max(&key, 9, cause()).await,
        scene.act.attach(&key, &twin.replaces, cause()).await,
        scene.act.terminate(&key.site, &twin.replaces, cause()).await,
        scene.act.retire(&key, &twin.replaces, spothub_core::cloud::Decrement::Yes, cause()).await,
    ];
    for answer in denied {
        assert!(matches!(answer, Err(Fault::Denied(_))), "{answer:?}");
    }
    let after = scene.view(&key).await;
    assert_eq!((after.max, after.desired, after.members), (before.max, before.desired, before.members));
    scene.stage.clear().await;
    scene.act.set_max(&key, 9, cause()).await.unwrap();
}

pub async fn regions_of_one_account_are_apart(scene: Scene) {
    let (site, elsewhere) = (scene.site(), scene.stage.elsewhere());
    assert_eq!(site.account, elsewhere.account);
    let here = scene.group(Wanted::new("web").sized(1, 2, 4)).await;
    let there = scene.group(Wanted { site: Some(elsewhere.clone()), ..Wanted::new("web").sized(1, 1, 2) }).await;
    scene.act.set_max(&there, 3, cause()).await.unwrap();
    assert_eq!((scene.view(&here).await.max, scene.view(&there).await.max), (4, 3));
    let member = scene.first(&there).await;
    assert_eq!(scene.instance(&site, &member).await, None);
    let new = scene.running_twin(&there).await;
    assert_eq!(scene.alive(&site).await, []);
    assert_eq!(scene.alive(&elsewhere).await.into_iter().map(|seen| seen.id).collect::<Vec<_>>(), [new]);
}
