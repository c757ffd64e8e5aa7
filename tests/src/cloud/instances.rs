//! What is told of instances, targets and activities, and how an instance of ours is ended.

use spothub_core::cloud::{Decrement, RunState, TargetState};
use spothub_core::fault::Fault;
use spothub_core::id::InstanceId;

use super::{Scene, Twin, Wanted, cause, nobody};

pub async fn unknown_ids_are_left_out(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 2, 4)).await;
    let view = scene.view(&key).await;
    let mut asked: Vec<InstanceId> = view.members.iter().map(|member| member.id.clone()).collect();
    asked.insert(1, nobody());
    let seen = scene.look.instances(&key.site, &asked, cause()).await.unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|row| view.member(&row.id).is_some()));
    let states = scene.look.status(&key.site, &asked, cause()).await.unwrap();
    assert_eq!(states.len(), 2);
    assert_eq!(scene.look.instances(&key.site, &[nobody()], cause()).await, Ok(vec![]));
    assert_eq!(scene.look.status(&key.site, &[nobody()], cause()).await, Ok(vec![]));
    assert_eq!(scene.look.instances(&key.site, &[], cause()).await, Ok(vec![]));
}

pub async fn what_aws_takes_without_a_word_is_marked(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let site = key.site.clone();
    let (taken, stays) = (scene.running_twin(&key).await, scene.first(&key).await);
    let asked = [nobody(), stays.clone(), taken.clone()];
    assert_eq!(scene.look.marked(&site, &asked, cause()).await, Ok(vec![]));
    scene.stage.take(&site, &taken).await;
    let marked = || async { scene.look.marked(&site, &asked, cause()).await.unwrap().pop() };
    let (id, since) = scene.until("EC2 marks it", marked).await;
    assert_eq!(id, taken);
    assert_eq!(scene.look.marked(&site, &asked, cause()).await, Ok(vec![(taken, since)]), "the time stays the same");
    assert_eq!(scene.look.marked(&site, &[stays], cause()).await, Ok(vec![]));
    assert_eq!(scene.state(&site, &id).await, Some(RunState::Running));
}

pub async fn a_state_goes_from_pending_over_running_to_checked(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let twin = Twin::of(&scene, &key, &["m5.large"]).await;
    let new = scene.launch(&twin).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let at = scene.until("EC2 tells a state", || scene.state(&key.site, &new)).await;
        if seen.last() != Some(&at) {
            seen.push(at);
        }
        if at == RunState::Checked || seen.len() > 3 {
            break;
        }
        scene.stage.pause().await;
    }
    assert_eq!(seen, [RunState::Pending, RunState::Running, RunState::Checked]);
    assert_eq!(scene.instance(&key.site, &new).await.unwrap().state, RunState::Running, "it does not tell of checks");
}

pub async fn managed_finds_ours_and_no_others(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let twin = Twin::of(&scene, &key, &["m5.large"]).await;
    let new = scene.launch(&twin).await.unwrap();
    scene.stage.run_by_hand(&key).await;
    let found = || async { scene.alive(&key.site).await.pop() };
    let ours = scene.until("EC2 lists it", found).await;
    assert_eq!((&ours.id, &ours.facts.swap, &ours.group), (&new, &Some(twin.swap), &Some(key.name.clone())));
    assert_eq!(scene.look.managed(&key.site, cause()).await.unwrap().len(), 1);
    assert_eq!(scene.look.managed(&scene.stage.neighbor(), cause()).await, Ok(vec![]));
    assert_eq!(scene.look.managed(&scene.stage.elsewhere(), cause()).await, Ok(vec![]));
    scene.running(&key.site, &new).await;
    scene.act.attach(&key, &new, cause()).await.unwrap();
    assert_eq!(scene.alive(&key.site).await.len(), 1, "also as a member");
}

pub async fn terminating_ends_and_may_be_repeated(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let new = scene.running_twin(&key).await;
    let before = scene.view(&key).await;
    scene.act.terminate(&key.site, &new, cause()).await.unwrap();
    scene.act.terminate(&key.site, &new, cause()).await.unwrap();
    let ended = || async { (scene.state(&key.site, &new).await == Some(RunState::Ended)).then_some(()) };
    scene.until("it ended", ended).await;
    scene.act.terminate(&key.site, &new, cause()).await.unwrap();
    assert_eq!(scene.view(&key).await.members, before.members, "no member is concerned");
}

pub async fn terminating_what_is_unknown_is_gone(scene: Scene) {
    assert_eq!(scene.act.terminate(&scene.site(), &nobody(), cause()).await, Err(Fault::Gone));
}

pub async fn what_ended_is_still_told_as_such(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let new = scene.running_twin(&key).await;
    let from = scene.clock.now();
    scene.act.terminate(&key.site, &new, cause()).await.unwrap();
    let ended = || async { scene.instance(&key.site, &new).await.filter(|seen| seen.ended_at.is_some()) };
    let seen = scene.until("it ended", ended).await;
    assert_eq!((seen.state, &seen.group), (RunState::Ended, &Some(key.name.clone())));
    // EC2 tells whole seconds.
    let at = seen.ended_at.unwrap();
    assert!(at.0 + 1000 > from.0 && at.0 <= scene.clock.now().0 + 1000, "{at:?} after {from:?}");
    let managed = scene.look.managed(&key.site, cause()).await.unwrap();
    assert_eq!(managed.iter().map(|row| row.state).collect::<Vec<_>>(), [RunState::Ended]);
}

pub async fn targets_are_absent_then_healthy(scene: Scene) {
    let key = scene.group(Wanted { target_groups: 1, ..Wanted::new("web").sized(1, 1, 3) }).await;
    let view = scene.view(&key).await;
    let arn = view.target_groups[0].clone();
    let new = scene.running_twin(&key).await;
    let state = |id: InstanceId| {
        let (scene, arn) = (scene.clone(), arn.clone());
        async move { scene.look.target(&scene.site(), &arn, &id, cause()).await.unwrap() }
    };
    assert_eq!(state(new.clone()).await, TargetState::Absent);
    assert_eq!(state(nobody()).await, TargetState::Absent);
    scene.act.attach(&key, &new, cause()).await.unwrap();
    let healthy = || async { (state(new.clone()).await == TargetState::Healthy).then_some(()) };
    scene.until("it takes traffic", healthy).await;
    scene.act.retire(&key, &new, Decrement::Yes, cause()).await.unwrap();
    assert_ne!(state(new).await, TargetState::Healthy);
}

pub async fn activities_tell_who_was_taken_out_and_how(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(0, 3, 4)).await;
    let from = scene.view(&key).await.seen_at;
    let told = |id: InstanceId| {
        let (scene, key) = (scene.clone(), key.clone());
        async move {
            let rows = scene.look.activities(&key, from, cause()).await.unwrap();
            rows.into_iter().find(|row| row.instance == id)
        }
    };
    let members: Vec<InstanceId> = scene.view(&key).await.members.iter().map(|member| member.id.clone()).collect();
    assert_eq!(told(members[0].clone()).await, None);
    scene.act.retire(&key, &members[0], Decrement::Yes, cause()).await.unwrap();
    scene.act.retire(&key, &members[1], Decrement::No, cause()).await.unwrap();
    let first = scene.until("the first is told", || told(members[0].clone())).await;
    let second = scene.until("the second is told", || told(members[1].clone())).await;
    assert_eq!((first.by_request_with_decrement, second.by_request_with_decrement), (true, false));
    assert!(first.at.0 + 1000 > from.0 && first.at <= scene.clock.now());
    scene.stage.end_by_hand(&key.site, &members[2]).await;
    let third = scene.until("the third is told", || told(members[2].clone())).await;
    assert!(!third.by_request_with_decrement, "nobody asked the group");
}

pub async fn activities_begin_at_the_time_asked_for(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(0, 2, 4)).await;
    let old = scene.first(&key).await;
    scene.act.retire(&key, &old, Decrement::Yes, cause()).await.unwrap();
    let later = scene.clock.now() + spothub_core::time::Span::hours(2);
    assert_eq!(scene.look.activities(&key, later, cause()).await, Ok(vec![]));
}
