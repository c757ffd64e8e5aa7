//! What attaching, retiring and MaxSize do to a group.

use std::collections::BTreeSet;

use spothub_core::cloud::Decrement;
use spothub_core::fault::{Conflict, Fault};
use spothub_core::group::{GroupView, Lifecycle, MemberState, Process};
use spothub_core::id::{GroupKey, InstanceId};

use super::{Scene, Twin, Wanted, cause, nobody};

fn sizes(view: &GroupView) -> (u32, u32, u32) {
    (view.min, view.desired, view.max)
}

fn ids(view: &GroupView) -> BTreeSet<InstanceId> {
    view.members.iter().map(|member| member.id.clone()).collect()
}

async fn unchanged(scene: &Scene, before: &GroupView) {
    let after = scene.view(&before.key).await;
    assert_eq!((sizes(&after), ids(&after)), (sizes(before), ids(before)), "nothing changed");
}

fn nowhere(scene: &Scene) -> GroupKey {
    GroupKey { site: scene.site(), name: "nowhere".parse().unwrap() }
}

fn state_of(id: &InstanceId) -> Fault {
    Fault::Conflict(Conflict::InstanceState(id.clone()))
}

pub async fn attaching_raises_desired_by_one(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 2, 4)).await;
    let new = scene.running_twin(&key).await;
    scene.act.attach(&key, &new, cause()).await.unwrap();
    let view = scene.view(&key).await;
    assert_eq!(sizes(&view), (1, 3, 4));
    assert!(view.member(&new).is_some());
}

pub async fn an_attached_instance_comes_into_service(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 2, 4)).await;
    let new = scene.running_twin(&key).await;
    scene.act.attach(&key, &new, cause()).await.unwrap();
    let view = scene.in_service(&key, 3).await;
    let member = view.member(&new).unwrap();
    assert_eq!((member.state, member.healthy), (MemberState::InService, true));
    assert_eq!(view.members.len(), 3, "and nobody else came");
}

pub async fn attaching_beyond_max_is_refused_and_changes_nothing(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 2, 2)).await;
    let new = scene.running_twin(&key).await;
    let before = scene.view(&key).await;
    assert_eq!(scene.act.attach(&key, &new, cause()).await, Err(Fault::Conflict(Conflict::AtMax)));
    unchanged(&scene, &before).await;
    scene.act.set_max(&key, 3, cause()).await.unwrap();
    scene.act.attach(&key, &new, cause()).await.unwrap();
}

pub async fn attaching_while_launch_is_suspended_is_refused(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 2, 4)).await;
    let new = scene.running_twin(&key).await;
    scene.stage.suspend(&key, Process::Launch, true).await;
    let before = scene.view(&key).await;
    assert_eq!(scene.act.attach(&key, &new, cause()).await, Err(Fault::Conflict(Conflict::LaunchSuspended)));
    unchanged(&scene, &before).await;
    scene.stage.suspend(&key, Process::Launch, false).await;
    scene.act.attach(&key, &new, cause()).await.unwrap();
}

pub async fn attaching_a_member_again_is_refused(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 2, 9)).await;
    let new = scene.running_twin(&key).await;
    scene.act.attach(&key, &new, cause()).await.unwrap();
    assert_eq!(scene.act.attach(&key, &new, cause()).await, Err(state_of(&new)));
    scene.in_service(&key, 3).await;
    let old = scene.first(&key).await;
    for id in [new, old] {
        let before = scene.view(&key).await;
        assert_eq!(scene.act.attach(&key, &id, cause()).await, Err(state_of(&id)));
        unchanged(&scene, &before).await;
    }
}

pub async fn attaching_a_member_of_another_group_is_refused(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let other = scene.group(Wanted::new("other")).await;
    let before = scene.view(&key).await;
    let theirs = scene.first(&other).await;
    assert_eq!(scene.act.attach(&key, &theirs, cause()).await, Err(state_of(&theirs)));
    unchanged(&scene, &before).await;
}

pub async fn attaching_an_unknown_instance_is_refused(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let before = scene.view(&key).await;
    assert_eq!(scene.act.attach(&key, &nobody(), cause()).await, Err(state_of(&nobody())));
    unchanged(&scene, &before).await;
}

pub async fn attaching_what_does_not_run_yet_is_refused(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let before = scene.view(&key).await;
    let new = scene.launch(&Twin::of(&scene, &key, &["m5.large"]).await).await.unwrap();
    assert_eq!(scene.act.attach(&key, &new, cause()).await, Err(state_of(&new)));
    unchanged(&scene, &before).await;
    scene.running(&key.site, &new).await;
    scene.act.attach(&key, &new, cause()).await.unwrap();
}

pub async fn attaching_to_an_unknown_group_is_gone(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let new = scene.running_twin(&key).await;
    assert_eq!(scene.act.attach(&nowhere(&scene), &new, cause()).await, Err(Fault::Gone));
}

pub async fn retiring_with_decrement_lowers_desired_and_nothing_comes_after(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 3, 4)).await;
    let before = scene.view(&key).await;
    let old = before.members[1].id.clone();
    scene.act.retire(&key, &old, Decrement::Yes, cause()).await.unwrap();
    assert_eq!(sizes(&scene.view(&key).await), (1, 2, 4));
    scene.out(&key, &old).await;
    let left = scene.in_service(&key, 2).await;
    let mut expected = ids(&before);
    expected.remove(&old);
    let mut found = ids(&left);
    found.remove(&old);
    assert_eq!(found, expected);
    let ends =
        || async { scene.instance(&key.site, &old).await.is_none_or(|seen| seen.state == super::RunState::Ended) };
    scene.until("it ends", || async { ends().await.then_some(()) }).await;
}

pub async fn retiring_without_decrement_is_replaced_on_demand(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 2, 4)).await;
    let before = scene.view(&key).await;
    let old = before.members[0].id.clone();
    scene.act.retire(&key, &old, Decrement::No, cause()).await.unwrap();
    assert_eq!(sizes(&scene.view(&key).await), (1, 2, 4));
    let newcomer = || async {
        let view = scene.view(&key).await;
        let new = view.members.iter().find(|m| !ids(&before).contains(&m.id) && m.is_in_service());
        new.map(|member| member.id.clone())
    };
    let new = scene.until("the group replaces it", newcomer).await;
    let seen = scene.instance(&key.site, &new).await.unwrap();
    assert_eq!((seen.facts.lifecycle, &seen.facts.swap, &seen.group), (Lifecycle::OnDemand, &None, &None));
    scene.out(&key, &old).await;
}

pub async fn retiring_below_min_is_refused_and_changes_nothing(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(2, 2, 4)).await;
    let before = scene.view(&key).await;
    let old = before.members[0].id.clone();
    let answer = scene.act.retire(&key, &old, Decrement::Yes, cause()).await;
    assert_eq!(answer, Err(Fault::Conflict(Conflict::AtMin)));
    unchanged(&scene, &before).await;
}

pub async fn retiring_again_is_refused(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(0, 3, 4)).await;
    let old = scene.first(&key).await;
    scene.act.retire(&key, &old, Decrement::Yes, cause()).await.unwrap();
    for _ in 0..2 {
        let again = scene.act.retire(&key, &old, Decrement::Yes, cause()).await;
        assert!(matches!(again, Err(Fault::Gone | Fault::Conflict(Conflict::InstanceState(_)))), "{again:?}");
    }
    assert_eq!(scene.view(&key).await.desired, 2, "lowered once");
    scene.out(&key, &old).await;
    let left_list = || async { scene.view(&key).await.member(&old).is_none().then_some(()) };
    scene.until("it is off the list", left_list).await;
    let late = scene.act.retire(&key, &old, Decrement::Yes, cause()).await;
    assert_eq!(late, Err(Fault::Gone));
    assert_eq!(scene.view(&key).await.desired, 2);
}

pub async fn retiring_who_is_no_member_is_gone(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(0, 2, 4)).await;
    let stranger = scene.running_twin(&key).await;
    let before = scene.view(&key).await;
    for id in [stranger.clone(), nobody()] {
        let answer = scene.act.retire(&key, &id, Decrement::Yes, cause()).await;
        assert_eq!(answer, Err(Fault::Gone), "{id}");
    }
    unchanged(&scene, &before).await;
    assert!(scene.state(&key.site, &stranger).await.is_some());
}

pub async fn a_swap_nets_out(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(2, 2, 3)).await;
    let old = scene.first(&key).await;
    let new = scene.running_twin(&key).await;
    scene.act.attach(&key, &new, cause()).await.unwrap();
    scene.in_service(&key, 3).await;
    scene.act.retire(&key, &old, Decrement::Yes, cause()).await.unwrap();
    let gone = || async {
        let view = scene.view(&key).await;
        view.member(&old).is_none().then_some(view)
    };
    let view = scene.until("the old one is off the list", gone).await;
    assert_eq!((sizes(&view), view.in_service()), ((2, 2, 3), 2));
    assert!(view.member(&new).is_some());
    assert_eq!(scene.alive(&key.site).await.len(), 1);
}

pub async fn max_is_set_alone_and_again(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 2, 2)).await;
    let before = scene.view(&key).await;
    for max in [3, 3, 2, 2] {
        scene.act.set_max(&key, max, cause()).await.unwrap();
        let view = scene.view(&key).await;
        assert_eq!(sizes(&view), (1, 2, max));
        assert_eq!((ids(&view), &view.source, &view.tags), (ids(&before), &before.source, &before.tags));
    }
}

pub async fn max_of_an_unknown_group_is_gone(scene: Scene) {
    assert_eq!(scene.act.set_max(&nowhere(&scene), 3, cause()).await, Err(Fault::Gone));
}

pub async fn what_its_owner_ends_is_replaced_on_demand(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 2, 4)).await;
    let new = scene.running_twin(&key).await;
    scene.act.attach(&key, &new, cause()).await.unwrap();
    let before = scene.in_service(&key, 3).await;
    scene.stage.end_by_hand(&key.site, &new).await;
    let replaced = || async {
        let view = scene.view(&key).await;
        let came = view.members.iter().find(|m| m.is_in_service() && !ids(&before).contains(&m.id));
        came.map(|member| member.id.clone())
    };
    let came = scene.until("the group replaces it", replaced).await;
    assert_eq!(scene.view(&key).await.desired, 3);
    let seen = scene.instance(&key.site, &came).await.unwrap();
    assert_eq!(seen.facts.lifecycle, Lifecycle::OnDemand);
}
