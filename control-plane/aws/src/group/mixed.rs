//! Mixed-instances policies that are no more than a template and a choice of types.

#[cfg(test)]
mod tests;

use aws_sdk_autoscaling::types::{
    InstancesDistribution, LaunchTemplateOverrides, LaunchTemplateSpecification, MixedInstancesPolicy,
};

/// The template of a policy that buys on demand alone and counts instances, all from this one template; `None` for any
/// other policy.
///
/// A policy that names no share is such a one: 100 is AWS's default for OnDemandPercentageAboveBaseCapacity. With it
/// the base capacity changes nothing.
pub(super) fn on_demand(policy: &MixedInstancesPolicy) -> Option<&LaunchTemplateSpecification> {
    let share =
        policy.instances_distribution().and_then(InstancesDistribution::on_demand_percentage_above_base_capacity);
    let template = policy.launch_template()?;
    let plain = template.overrides().iter().all(plain);
    template.launch_template_specification().filter(|_| share.is_none_or(|share| share == 100) && plain)
}

/// Whether an override names a type and nothing else: a weight counts in units of its own, requirements name no type,
/// a template of its own is another image, and an image of its own as well.
fn plain(choice: &LaunchTemplateOverrides) -> bool {
    choice.weighted_capacity().is_none()
        && choice.instance_requirements().is_none()
        && choice.launch_template_specification().is_none()
        && choice.image_id().is_none()
}
