//! Calls that fail, are throttled, or stay without an answer.

use spothub_core::cloud::Decrement;
use spothub_core::fault::{Conflict, Fault};

use super::{Obstacle, Scene, Twin, Wanted, cause};

async fn nothing_happens(scene: &Scene, obstacle: Obstacle, expected: fn(&Fault) -> bool) {
    let key = scene.group(Wanted::new("web").sized(0, 2, 4)).await;
    let twin = Twin::of(scene, &key, &["m5.large"]).await;
    let new = scene.running_twin(&key).await;
    let before = scene.view(&key).await;
    scene.stage.obstruct(&key.site, obstacle).await;
    let answers = [
        scene.act.attach(&key, &new, cause()).await,
        scene.act.retire(&key, &twin.replaces, Decrement::Yes, cause()).await,
        scene.act.set_max(&key, 9, cause()).await,
    ];
    for answer in answers {
        assert!(answer.as_ref().is_err_and(expected), "{answer:?}");
    }
    if obstacle != Obstacle::Busy {
        let launch = scene.launch(&twin.again(2)).await;
        assert!(launch.as_ref().is_err_and(expected), "{launch:?}");
        let read = scene.look.groups(&key.site, None, cause()).await;
        assert!(read.as_ref().is_err_and(expected), "{read:?}");
    }
    scene.stage.clear().await;
    let after = scene.view(&key).await;
    assert_eq!((after.max, after.desired, after.members.len()), (before.max, before.desired, before.members.len()));
    assert_eq!(scene.alive(&key.site).await.len(), 1);
    scene.act.attach(&key, &new, cause()).await.unwrap();
}

pub async fn a_throttled_call_did_nothing(scene: Scene) {
    nothing_happens(&scene, Obstacle::Throttled, |fault| matches!(fault, Fault::Throttled { .. })).await;
}

pub async fn a_failed_call_did_nothing(scene: Scene) {
    nothing_happens(&scene, Obstacle::Broken, |fault| matches!(fault, Fault::Broken | Fault::Unclear)).await;
}

pub async fn a_busy_group_is_a_conflict(scene: Scene) {
    nothing_happens(&scene, Obstacle::Busy, |fault| *fault == Fault::Conflict(Conflict::Busy)).await;
}

pub async fn a_launch_without_an_answer_is_found_by_its_token(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let twin = Twin::of(&scene, &key, &["m5.large"]).await;
    scene.stage.obstruct(&key.site, Obstacle::LostAnswers).await;
    assert_eq!(scene.launch(&twin).await, Err(Fault::Unclear));
    scene.stage.clear().await;
    let listed = || async { scene.alive(&key.site).await.pop() };
    let there = scene.until("EC2 lists it", listed).await;
    assert_eq!(there.facts.swap, Some(twin.swap.clone()));
    assert_eq!(scene.launch(&twin).await, Ok(there.id));
    assert_eq!(scene.alive(&key.site).await.len(), 1);
}

pub async fn a_launch_that_never_arrived_can_be_repeated(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let twin = Twin::of(&scene, &key, &["m5.large"]).await;
    scene.stage.obstruct(&key.site, Obstacle::LostCalls).await;
    assert_eq!(scene.launch(&twin).await, Err(Fault::Unclear));
    scene.stage.clear().await;
    assert_eq!(scene.alive(&key.site).await, []);
    let new = scene.launch(&twin).await.unwrap();
    scene.running(&key.site, &new).await;
    assert_eq!(scene.alive(&key.site).await.len(), 1);
}

pub async fn an_attach_without_an_answer_is_unclear_and_its_repeat_a_conflict(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 2, 9)).await;
    let new = scene.running_twin(&key).await;
    scene.stage.obstruct(&key.site, Obstacle::LostAnswers).await;
    assert_eq!(scene.act.attach(&key, &new, cause()).await, Err(Fault::Unclear));
    scene.stage.clear().await;
    let view = scene.view(&key).await;
    assert_eq!(view.desired, 3, "raised once");
    assert!(view.member(&new).is_some());
    let again = scene.act.attach(&key, &new, cause()).await;
    assert_eq!(again, Err(Fault::Conflict(Conflict::InstanceState(new))));
}

pub async fn a_retire_without_an_answer_is_unclear_and_counts_once(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(0, 3, 4)).await;
    let from = scene.view(&key).await.seen_at;
    let old = scene.first(&key).await;
    scene.stage.obstruct(&key.site, Obstacle::LostAnswers).await;
    assert_eq!(scene.act.retire(&key, &old, Decrement::Yes, cause()).await, Err(Fault::Unclear));
    scene.stage.clear().await;
    assert_eq!(scene.view(&key).await.desired, 2, "lowered once");
    let again = scene.act.retire(&key, &old, Decrement::Yes, cause()).await;
    assert!(matches!(again, Err(Fault::Gone | Fault::Conflict(_))), "{again:?}");
    let told = || async {
        let rows = scene.look.activities(&key, from, cause()).await.unwrap();
        rows.into_iter().find(|row| row.instance == old)
    };
    let activity = scene.until("the activity is told", told).await;
    assert!(activity.by_request_with_decrement);
}

pub async fn a_max_without_an_answer_is_unclear_and_may_be_repeated(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 2, 2)).await;
    scene.stage.obstruct(&key.site, Obstacle::LostAnswers).await;
    assert_eq!(scene.act.set_max(&key, 3, cause()).await, Err(Fault::Unclear));
    scene.stage.clear().await;
    assert_eq!(scene.view(&key).await.max, 3);
    scene.act.set_max(&key, 3, cause()).await.unwrap();
    assert_eq!(scene.view(&key).await.max, 3);
}
