//! Which kinds of groups are served, and what of a group's own doings stands in the way just now.

use crate::group::{Extras, GroupView, Source};
use crate::policy::Policy;
use crate::reason::HoldReason;

/// How the names of the launch hooks begin that CodeDeploy puts into the groups of its deployment groups. Source: "How
/// CodeDeploy works with Amazon EC2 Auto Scaling" in the CodeDeploy User Guide.
const CODE_DEPLOY: &str = "CodeDeploy-managed-automatic-launch-deployment-hook-";

/// Whether the group is of a kind that this engine serves.
pub fn served(view: &GroupView) -> Result<(), HoldReason> {
    match () {
        () if view.operator => Err(HoldReason::Operator),
        () if view.source == Source::Mixed => Err(HoldReason::MixedInstances),
        () if view.warm_pool => Err(HoldReason::WarmPool),
        () if view.cluster_placement => Err(HoldReason::ClusterPlacement),
        () => Ok(()),
    }
}

/// Whether nothing forbids a swap that takes calls of its own to know. What passes by itself comes last: a hook stays
/// when a refresh is over.
pub(super) fn undisturbed(extras: &Extras, policy: &Policy) -> Result<(), HoldReason> {
    let hooks = || extras.launch_hooks.iter();
    match () {
        // Nobody can do without it: an instance without its deployment serves no revision, or an old one.
        () if hooks().any(|name| name.starts_with(CODE_DEPLOY)) => Err(HoldReason::CodeDeploy),
        () if hooks().any(|name| !policy.skips(name)) => Err(HoldReason::LaunchHook),
        () if extras.refresh_active => Err(HoldReason::InstanceRefresh),
        () if extras.stack_updating => Err(HoldReason::StackUpdating),
        () => Ok(()),
    }
}
