//! What a look at groups tells.

use std::collections::{BTreeMap, BTreeSet};

use spothub_core::group::{MemberState, Process, Source};
use spothub_core::id::{GroupKey, GroupName};

use super::{Pin, Scene, Start, Wanted, cause, kind};

fn names(views: &[spothub_core::group::GroupView]) -> BTreeSet<String> {
    views.iter().map(|view| view.key.name.to_string()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Empty groups by number.
async fn many(scene: &Scene, count: usize) -> Vec<GroupName> {
    let names: Vec<GroupName> = (0..count).map(|n| format!("g-{n:03}").parse().unwrap()).collect();
    scene.stage.make_empty(&names).await;
    names
}

pub async fn groups_are_found_by_name(scene: Scene) {
    for name in ["one", "two", "three"] {
        scene.group(Wanted::new(name).sized(0, 0, 1)).await;
    }
    let asked: Vec<GroupName> = ["three", "one"].map(|name| name.parse().unwrap()).into();
    let views = scene.look.groups(&scene.site(), Some(&asked), cause()).await.unwrap();
    assert_eq!((views.len(), names(&views)), (2, set(&["one", "three"])));
    assert!(views.iter().all(|view| view.key.site == scene.site()));
}

pub async fn unknown_names_are_left_out(scene: Scene) {
    let key = scene.group(Wanted::new("here").sized(0, 0, 1)).await;
    let asked = [key.name, "nowhere".parse().unwrap()];
    let views = scene.look.groups(&scene.site(), Some(&asked), cause()).await.unwrap();
    assert_eq!(names(&views), set(&["here"]));
    let views = scene.look.groups(&scene.site(), Some(&asked[1..]), cause()).await.unwrap();
    assert_eq!(views, []);
    let views = scene.look.groups(&scene.site(), Some(&[]), cause()).await.unwrap();
    assert_eq!(views, [], "no name is no group");
}

pub async fn a_site_lists_its_own_groups_and_no_others(scene: Scene) {
    let (site, neighbor, elsewhere) = (scene.site(), scene.stage.neighbor(), scene.stage.elsewhere());
    for name in ["one", "two"] {
        scene.group(Wanted::new(name).sized(0, 0, 1)).await;
    }
    scene.group(Wanted { site: Some(neighbor.clone()), ..Wanted::new("theirs").sized(0, 0, 1) }).await;
    scene.group(Wanted { site: Some(elsewhere.clone()), ..Wanted::new("far").sized(0, 0, 1) }).await;
    for (site, expected) in [(site, &["one", "two"][..]), (neighbor, &["theirs"]), (elsewhere, &["far"])] {
        let views = scene.look.groups(&site, None, cause()).await.unwrap();
        assert_eq!(names(&views), set(expected), "{site}");
    }
}

pub async fn an_empty_site_is_an_empty_list(scene: Scene) {
    assert_eq!(scene.look.groups(&scene.site(), None, cause()).await, Ok(vec![]));
    assert_eq!(scene.look.managed(&scene.site(), cause()).await, Ok(vec![]));
}

pub async fn names_may_hold_blanks_slashes_and_255_characters(scene: Scene) {
    let long = "x".repeat(255);
    for name in ["my group", "prod/web (blue)", "a&b=c+d%20", "grün", &long] {
        let key = scene.group(Wanted::new(name).sized(0, 1, 2)).await;
        let view = scene.view(&key).await;
        assert_eq!((view.key.name.as_str(), view.members.len()), (name, 1));
        scene.act.set_max(&key, 3, cause()).await.unwrap();
        assert_eq!(scene.view(&key).await.max, 3, "{name}");
        scene.look.template(&key, &view.source, cause()).await.unwrap();
        scene.look.activities(&key, view.seen_at, cause()).await.unwrap();
    }
}

pub async fn more_than_a_hundred_groups_are_all_listed(scene: Scene) {
    let made = many(&scene, 103).await;
    let views = scene.look.groups(&scene.site(), None, cause()).await.unwrap();
    assert_eq!(views.len(), 103);
    assert_eq!(names(&views), made.iter().map(ToString::to_string).collect());
}

pub async fn more_than_a_hundred_names_are_all_found(scene: Scene) {
    let made = many(&scene, 101).await;
    let views = scene.look.groups(&scene.site(), Some(&made), cause()).await.unwrap();
    assert_eq!((views.len(), names(&views).len()), (101, 101));
}

pub async fn a_view_tells_sizes_tags_and_target_groups(scene: Scene) {
    let tags = BTreeMap::from([
        ("spothub:enabled".to_owned(), "true".to_owned()),
        ("team".to_owned(), "web & more".to_owned()),
    ]);
    let wanted = Wanted { tags: tags.clone(), target_groups: 2, ..Wanted::new("web").sized(1, 2, 7) };
    let key = scene.group(wanted).await;
    let view = scene.view(&key).await;
    assert_eq!((view.min, view.desired, view.max), (1, 2, 7));
    assert_eq!(view.tags, tags);
    assert_eq!(view.target_groups.iter().collect::<BTreeSet<_>>().len(), 2);
    assert!(!view.operator && !view.warm_pool && !view.new_protected && !view.cluster_placement);
    assert!(view.suspended.is_empty());
    assert!(view.seen_at <= scene.clock.now());
}

pub async fn a_view_tells_what_is_suspended(scene: Scene) {
    let suspended = BTreeSet::from([Process::AZRebalance, Process::ReplaceUnhealthy]);
    let key = scene.group(Wanted { suspended: suspended.clone(), ..Wanted::new("web") }).await;
    assert_eq!(scene.view(&key).await.suspended, suspended);
    scene.stage.suspend(&key, Process::AZRebalance, false).await;
    scene.stage.suspend(&key, Process::Launch, true).await;
    assert_eq!(scene.view(&key).await.suspended, BTreeSet::from([Process::Launch, Process::ReplaceUnhealthy]));
}

pub async fn a_view_tells_what_is_launched_from(scene: Scene) {
    let numbered = |source: &Source| matches!(source, Source::Template { version: Some(1), .. });
    let open = |source: &Source| matches!(source, Source::Template { version: None, .. });
    let source = |start, name: &'static str| {
        let scene = scene.clone();
        async move {
            let key = scene.group(Wanted { start, ..Wanted::new(name).sized(0, 1, 2) }).await;
            scene.view(&key).await.source
        }
    };
    assert!(numbered(&source(Start::Template(Pin::Number), "number").await));
    assert!(open(&source(Start::Template(Pin::Latest), "latest").await));
    assert!(open(&source(Start::Template(Pin::Default), "default").await));
    assert!(matches!(source(Start::Configuration, "configuration").await, Source::Configuration(_)));
    assert_eq!(source(Start::Mixed, "mixed").await, Source::Mixed);
    assert!(numbered(&source(Start::MixedOnDemand(Pin::Number), "on demand alone").await));
    assert!(open(&source(Start::MixedOnDemand(Pin::Latest), "on demand alone, latest").await));
    let mixed = scene.look.groups(&scene.site(), None, cause()).await.unwrap();
    let told = mixed.iter().filter(|view| view.mixed_on_demand).map(|view| view.key.name.as_str());
    assert_eq!(told.collect::<BTreeSet<_>>(), BTreeSet::from(["on demand alone", "on demand alone, latest"]));
}

pub async fn members_are_told_with_type_and_zone(scene: Scene) {
    let key = scene.group(Wanted::new("web").sized(1, 4, 6)).await;
    let view = scene.view(&key).await;
    let zones = spothub_core::catalog::Catalog::embedded().zones(&key.site.region);
    assert_eq!((view.members.len(), view.in_service()), (4, 4));
    for member in &view.members {
        assert_eq!((member.kind, member.state), (Some(kind("m5.large")), MemberState::InService));
        assert!(zones.contains(&member.az), "{} is no zone id of {}", member.az, key.site.region);
        assert!(member.healthy && !member.protected);
        assert_eq!(member.facts, None, "they come by a call of their own");
        let seen = scene.instance(&key.site, &member.id).await.unwrap();
        assert_eq!((&seen.az, seen.kind), (&member.az, member.kind));
    }
    assert_eq!(view.members.iter().map(|member| &member.id).collect::<BTreeSet<_>>().len(), 4);
}

pub async fn hooks_and_refreshes_are_told_where_there_are_any(scene: Scene) {
    let plain = scene.group(Wanted::new("plain")).await;
    let hooked = scene.group(Wanted { launch_hook: true, ..Wanted::new("hooked") }).await;
    let extras = |key: GroupKey| {
        let look = scene.look.clone();
        async move { look.extras(&key, cause()).await.unwrap() }
    };
    let none = extras(plain).await;
    assert!(none.launch_hooks.is_empty() && !none.refresh_active);
    let some = extras(hooked).await;
    assert_eq!((some.launch_hooks.len(), some.refresh_active), (1, false));
}

pub async fn a_stack_that_changes_is_told(scene: Scene) {
    for (name, stack, told) in [("alone", None, false), ("at rest", Some(false), false), ("changing", Some(true), true)]
    {
        let key = scene.group(Wanted { stack, ..Wanted::new(name).sized(0, 0, 1) }).await;
        let extras = scene.look.extras(&key, cause()).await.unwrap();
        assert_eq!(extras.stack_updating, told, "{name}");
    }
}
