//! Which policies are no more than a template.

use aws_sdk_autoscaling::types::{
    InstanceRequirements, LaunchTemplate, LaunchTemplateOverrides, MemoryMiBRequest, VCpuCountRequest,
};

use super::*;

fn template() -> LaunchTemplateSpecification {
    LaunchTemplateSpecification::builder().launch_template_id("lt-0123456789abcdef0").version("$Latest").build()
}

fn policy(share: Option<i32>, overrides: Vec<LaunchTemplateOverrides>) -> MixedInstancesPolicy {
    let launch = LaunchTemplate::builder().launch_template_specification(template());
    let bought = InstancesDistribution::builder().set_on_demand_percentage_above_base_capacity(share);
    MixedInstancesPolicy::builder()
        .launch_template(launch.set_overrides(Some(overrides)).build())
        .instances_distribution(bought.on_demand_base_capacity(2).build())
        .build()
}

fn typed(name: &str) -> aws_sdk_autoscaling::types::builders::LaunchTemplateOverridesBuilder {
    LaunchTemplateOverrides::builder().instance_type(name)
}

#[test]
fn buying_on_demand_alone_is_the_template() {
    let named = |policy: &MixedInstancesPolicy| on_demand(policy).and_then(|t| t.version().map(ToOwned::to_owned));
    let types = || vec![typed("m5.large").build(), typed("m6i.large").build()];
    assert_eq!(named(&policy(Some(100), types())).as_deref(), Some("$Latest"));
    assert_eq!(named(&policy(None, types())).as_deref(), Some("$Latest"), "100 is the default");
    assert_eq!(named(&policy(Some(100), Vec::new())).as_deref(), Some("$Latest"));
    let bare = LaunchTemplate::builder().launch_template_specification(template()).build();
    assert!(on_demand(&MixedInstancesPolicy::builder().launch_template(bare).build()).is_some(), "no distribution");
}

#[test]
fn anything_more_is_a_mixed_policy() {
    for share in [0, 50, 99] {
        assert!(on_demand(&policy(Some(share), Vec::new())).is_none(), "{share}% on demand");
    }
    let required = InstanceRequirements::builder()
        .v_cpu_count(VCpuCountRequest::builder().min(2).build())
        .memory_mib(MemoryMiBRequest::builder().min(4096).build())
        .build();
    let odd = [
        typed("m5.large").weighted_capacity("2").build(),
        typed("m6g.large").launch_template_specification(template()).build(),
        typed("m5.large").image_id("ami-0123456789abcdef0").build(),
        LaunchTemplateOverrides::builder().instance_requirements(required).build(),
    ];
    for one in odd {
        assert!(on_demand(&policy(Some(100), vec![typed("m5.large").build(), one.clone()])).is_none(), "{one:?}");
    }
    assert!(on_demand(&MixedInstancesPolicy::builder().build()).is_none());
}
