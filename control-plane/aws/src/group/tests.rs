//! Answers of Auto Scaling, ordinary and odd.

use aws_sdk_autoscaling::types::{
    Instance, InstanceRefresh, InstanceRefreshStatus, LaunchTemplateSpecification, LifecycleState,
    MixedInstancesPolicy, SuspendedProcess, TagDescription, TrafficSourceIdentifier,
};
use spothub_core::catalog::Catalog;
use spothub_core::group::{MemberState, Process, Source};
use spothub_core::id::Site;

use super::*;

fn site() -> Site {
    Site { account: "000000000001".parse().unwrap(), region: "eu-west-1".parse().unwrap() }
}

fn template(version: &str) -> LaunchTemplateSpecification {
    LaunchTemplateSpecification::builder().launch_template_id("lt-0123456789abcdef0").version(version).build()
}

fn group() -> aws_sdk_autoscaling::types::builders::AutoScalingGroupBuilder {
    AutoScalingGroup::builder()
        .auto_scaling_group_name("web / one")
        .min_size(1)
        .max_size(4)
        .desired_capacity(2)
        .launch_template(template("3"))
}

fn member(id: &str, state: &str) -> Instance {
    Instance::builder()
        .instance_id(id)
        .instance_type("m5.large")
        .availability_zone("eu-west-1a")
        .lifecycle_state(LifecycleState::from(state))
        .health_status("Healthy")
        .launch_template(template("3"))
        .build()
}

fn read(group: &AutoScalingGroup) -> Result<GroupView, &'static str> {
    let zones = BTreeMap::from([("eu-west-1a".to_owned(), "euw1-az2".parse().unwrap())]);
    view::view(&site(), Timestamp(5), group, &zones, Catalog::embedded())
}

#[test]
fn a_group_is_read() {
    let tag = |key, value, launch| TagDescription::builder().key(key).value(value).propagate_at_launch(launch).build();
    let arn = "arn:aws:elasticloadbalancing:eu-west-1:000000000001:targetgroup/web/1";
    let group = group()
        .instances(member("i-0123456789abcdef0", "InService"))
        .instances(member("i-0123456789abcdef1", "Pending:Wait"))
        .tags(tag("spothub:enabled", "true", false))
        .tags(tag("role", "web", true))
        .suspended_processes(SuspendedProcess::builder().process_name("AZRebalance").build())
        .suspended_processes(SuspendedProcess::builder().process_name("Newer").build())
        .target_group_arns(arn)
        .traffic_sources(TrafficSourceIdentifier::builder().identifier(arn).r#type("elbv2").build())
        .health_check_grace_period(300)
        .default_instance_warmup(-1)
        .build();
    let view = read(&group).unwrap();
    assert_eq!((view.min, view.max, view.desired, view.seen_at), (1, 4, 2, Timestamp(5)));
    assert_eq!(view.key.name.as_str(), "web / one");
    let states: Vec<_> = view.members.iter().map(|m| (m.state, m.az.as_str(), m.kind.is_some())).collect();
    assert_eq!(states, [(MemberState::InService, "euw1-az2", true), (MemberState::Pending, "euw1-az2", true)]);
    assert!(view.members.iter().all(|m| m.source.as_ref() == Some(&view.source)));
    assert_eq!(view.suspended.into_iter().collect::<Vec<_>>(), [Process::AZRebalance]);
    assert_eq!(view.target_groups.len(), 1);
    assert_eq!((view.health_check_grace, view.default_warmup), (Span::secs(300), Span::ZERO));
    assert_eq!(view.tags.len(), 2);
    let memo = view::memo(&group);
    assert_eq!(memo.tags.into_iter().collect::<Vec<_>>(), [("role".to_owned(), "web".to_owned())]);
    assert_eq!(memo.version.as_deref(), Some("3"));
}

#[test]
fn sources_are_told_apart() {
    let latest = read(&group().launch_template(template("$Latest")).build()).unwrap();
    assert!(matches!(latest.source, Source::Template { version: None, .. }));
    let plain = AutoScalingGroup::builder().auto_scaling_group_name("a");
    let configured = read(&plain.clone().launch_configuration_name("old one").build()).unwrap();
    assert_eq!(configured.source, Source::Configuration("old one".parse().unwrap()));
    let mixed = group().mixed_instances_policy(MixedInstancesPolicy::builder().build()).build();
    assert_eq!(read(&mixed).unwrap().source, Source::Mixed);
    assert_eq!(read(&group().desired_capacity_type("vcpu").build()).unwrap().source, Source::Mixed);
    assert!(read(&plain.build()).is_err());
}

#[test]
fn states_are_folded_and_odd_words_are_unknown() {
    let rows = [
        ("InService", MemberState::InService),
        ("Pending:Proceed", MemberState::Pending),
        ("Terminating:Retained", MemberState::Terminating),
        ("Terminated", MemberState::Terminating),
        ("Detached", MemberState::Detaching),
        ("EnteringStandby", MemberState::Standby),
        ("Warmed:Running", MemberState::Unknown),
        ("ReplacingRootVolume", MemberState::Unknown),
        ("Quarantined", MemberState::Unknown),
        ("Never Heard", MemberState::Unknown),
    ];
    for (word, state) in rows {
        let view = read(&group().instances(member("i-0123456789abcdef0", word)).build()).unwrap();
        assert_eq!(view.members[0].state, state, "{word}");
        assert_eq!(view.in_service(), u32::from(state == MemberState::InService), "{word}");
    }
}

#[test]
fn what_cannot_be_read_refuses_the_group() {
    let odd = [
        group().instances(member("i-<script>", "InService")).build(),
        group().target_group_arns("not one").build(),
        group().auto_scaling_group_name("line\nbreak").build(),
        group().launch_template(LaunchTemplateSpecification::builder().launch_template_id("lt-x").build()).build(),
        AutoScalingGroup::builder().build(),
    ];
    for group in odd {
        assert!(read(&group).is_err(), "{group:?}");
    }
    let negative = read(&group().min_size(-5).build()).unwrap();
    assert_eq!(negative.min, 0);
    let unknown = Instance::builder().instance_id("i-0123456789abcdef0").instance_type("z99.mega");
    let view = read(&group().instances(unknown.availability_zone("eu-west-1q").build()).build()).unwrap();
    assert_eq!((view.members[0].kind, view.members[0].az.as_str()), (None, "eu-west-1q"));
    assert!(!view.members[0].healthy);
}

#[test]
fn refreshes_are_active_until_an_end() {
    let active =
        |word: &str| view::is_active(&InstanceRefresh::builder().status(InstanceRefreshStatus::from(word)).build());
    for word in ["Pending", "InProgress", "Cancelling", "Baking", "RollbackInProgress", "Something"] {
        assert!(active(word), "{word}");
    }
    for word in ["Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"] {
        assert!(!active(word), "{word}");
    }
}
