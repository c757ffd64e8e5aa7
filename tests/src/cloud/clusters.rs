//! Container instances of ECS clusters, and classic load balancers.

use std::collections::BTreeMap;

use spothub_core::cloud::{ContainerSeen, ContainerState, Decrement, TargetState};
use spothub_core::fault::Fault;
use spothub_core::id::{ClusterName, ContainerArn, GroupKey, InstanceId};

use super::{Scene, Wanted, cause, nobody};

fn cluster() -> ClusterName {
    "web-1".parse().unwrap()
}

/// A group of two whose members are registered in the cluster.
async fn served(scene: &Scene) -> (GroupKey, Vec<InstanceId>) {
    let key = scene.group(Wanted { cluster: Some(cluster()), ..Wanted::new("web") }).await;
    let ids: Vec<_> = scene.view(&key).await.members.into_iter().map(|member| member.id).collect();
    for id in &ids {
        scene.stage.register(&key, &cluster(), id).await;
    }
    (key, ids)
}

async fn told(scene: &Scene, ids: &[InstanceId]) -> BTreeMap<InstanceId, ContainerSeen> {
    let rows = scene.look.containers(&scene.site(), &cluster(), ids, cause()).await.unwrap();
    rows.into_iter().map(|row| (row.id.clone(), row)).collect()
}

pub async fn container_instances_are_told_by_their_instances(scene: Scene) {
    let (key, ids) = served(&scene).await;
    let rows = told(&scene, &[&ids[..], &[nobody()]].concat()).await;
    assert_eq!(
        rows.keys().collect::<Vec<_>>(),
        ids.iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    );
    for row in rows.values() {
        assert_eq!((row.state, row.connected, row.tasks), (ContainerState::Active, true, 0));
    }
    assert_ne!(rows[&ids[0]].arn, rows[&ids[1]].arn);
    assert_eq!(told(&scene, &ids[..1]).await.len(), 1, "and nobody else");
    // One that joins is there once it is registered.
    let new = scene.running_twin(&key).await;
    scene.stage.register(&key, &cluster(), &new).await;
    let there = || async { told(&scene, std::slice::from_ref(&new)).await.remove(&new) };
    scene.until("it is registered", there).await;
}

pub async fn a_cluster_that_is_not_there_has_none(scene: Scene) {
    let (_, ids) = served(&scene).await;
    let none: ClusterName = "none".parse().unwrap();
    assert_eq!(scene.look.containers(&scene.site(), &none, &ids, cause()).await, Ok(Vec::new()));
}

pub async fn draining_is_set_and_taken_back(scene: Scene) {
    let (key, ids) = served(&scene).await;
    let arn = told(&scene, &ids).await[&ids[0]].arn.clone();
    for (drains, state) in [(true, ContainerState::Draining), (false, ContainerState::Active)] {
        // A repeat changes nothing.
        for _ in 0..2 {
            scene.act.drain(&key, &cluster(), &arn, drains, cause()).await.unwrap();
            let rows = told(&scene, &ids).await;
            assert_eq!((rows[&ids[0]].state, rows[&ids[1]].state), (state, ContainerState::Active));
        }
    }
}

pub async fn what_is_not_registered_cannot_drain(scene: Scene) {
    let (key, ids) = served(&scene).await;
    let arn = told(&scene, &ids).await[&ids[0]].arn.clone();
    let (before, _) = arn.as_str().rsplit_once('/').unwrap();
    let other: ContainerArn = format!("{before}/0123456789abcdef").parse().unwrap();
    assert_eq!(scene.act.drain(&key, &cluster(), &other, true, cause()).await, Err(Fault::Gone));
    assert_eq!(told(&scene, &ids).await[&ids[0]].state, ContainerState::Active);
}

pub async fn classic_load_balancers_are_told_and_serve(scene: Scene) {
    let key = scene.group(Wanted { classic_balancers: 1, ..Wanted::new("web").sized(1, 1, 3) }).await;
    let view = scene.view(&key).await;
    assert_eq!((view.load_balancers.len(), view.target_groups.len()), (1, 0));
    let name = view.load_balancers[0].clone();
    let new = scene.running_twin(&key).await;
    let state = |id: InstanceId| {
        let (scene, name) = (scene.clone(), name.clone());
        async move { scene.look.balancer(&scene.site(), &name, &id, cause()).await.unwrap() }
    };
    assert_ne!(state(new.clone()).await, TargetState::Healthy);
    assert_ne!(state(nobody()).await, TargetState::Healthy);
    scene.act.attach(&key, &new, cause()).await.unwrap();
    let serves = || async { (state(new.clone()).await == TargetState::Healthy).then_some(()) };
    scene.until("it serves", serves).await;
    scene.act.retire(&key, &new, Decrement::Yes, cause()).await.unwrap();
    assert_ne!(state(new).await, TargetState::Healthy);
}

pub async fn a_classic_load_balancer_that_is_not_there_serves_nobody(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let (name, first) = ("none".parse().unwrap(), scene.first(&key).await);
    assert_eq!(scene.look.balancer(&scene.site(), &name, &first, cause()).await, Ok(TargetState::Absent));
}
