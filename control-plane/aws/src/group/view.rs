//! An answer of DescribeAutoScalingGroups as the engine sees it.
//!
//! What an account says is checked: ids are parsed, words that this version does not know become "unknown", and what
//! cannot be read at all refuses the group rather than losing a part of it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{
    AutoScalingGroup, Instance, InstanceRefresh, LaunchTemplateSpecification, LifecycleHook, SuspendedProcess,
};
use spothub_core::catalog::Catalog;
use spothub_core::group::{GroupView, Member, MemberState, Process, Source};
use spothub_core::id::{AzId, BalancerName, GroupKey, Site, TargetGroupArn};
use spothub_core::time::{Span, Timestamp};

use super::{Memo, mixed};
use crate::zone::place;

/// The tag that CloudFormation gives to what a stack made; its value is the stack's ARN.
const STACK: &str = "aws:cloudformation:stack-id";
/// Members read of one group: far above what AWS lets a group have by default (10,000 instances are its largest).
const MEMBERS_MAX: usize = 20_000;

/// One group, or why it cannot be read.
pub(super) fn view(
    site: &Site,
    seen_at: Timestamp,
    group: &AutoScalingGroup,
    zones: &BTreeMap<String, AzId>,
    catalog: &Catalog,
) -> Result<GroupView, &'static str> {
    let name = group.auto_scaling_group_name().and_then(|name| name.parse().ok());
    let members = group.instances();
    if members.len() > MEMBERS_MAX {
        return Err("the group has more members than are read");
    }
    let (source, mixed_on_demand) = source(group)?;
    Ok(GroupView {
        key: GroupKey { site: site.clone(), name: name.ok_or("the group's name cannot be read")? },
        seen_at,
        min: size(group.min_size()),
        max: size(group.max_size()),
        desired: size(group.desired_capacity()),
        members: members.iter().map(|m| member(m, zones, catalog)).collect::<Result<_, _>>()?,
        suspended: group.suspended_processes().iter().filter_map(process).collect(),
        tags: group.tags().iter().filter_map(|tag| Some((tag.key()?.to_owned(), text(tag.value())))).collect(),
        source,
        mixed_on_demand,
        target_groups: target_groups(group)?,
        load_balancers: load_balancers(group)?,
        health_check_grace: seconds(group.health_check_grace_period()),
        default_warmup: seconds(group.default_instance_warmup()),
        warm_pool: group.warm_pool_configuration().is_some(),
        operator: group.operator().is_some_and(|operator| operator.principal().is_some()),
        // The answer names a placement group, not its strategy. A cluster is the usual one, and the one that must not
        // be broken up.
        cluster_placement: group.placement_group().is_some_and(|name| !name.is_empty()),
        capacity_rebalance: group.capacity_rebalance().unwrap_or(false),
        new_protected: group.new_instances_protected_from_scale_in().unwrap_or(false),
        extras: None,
    })
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

fn size(n: Option<i32>) -> u32 {
    u32::try_from(n.unwrap_or(0)).unwrap_or(0)
}

/// Seconds as AWS has them: absent and -1 are none.
fn seconds(n: Option<i32>) -> Span {
    Span::secs(i64::from(n.unwrap_or(0).max(0)))
}

/// The member that this row is.
fn member(row: &Instance, zones: &BTreeMap<String, AzId>, catalog: &Catalog) -> Result<Member, &'static str> {
    let id = row.instance_id().and_then(|id| id.parse().ok()).ok_or("a member's id cannot be read")?;
    let az = place(row.availability_zone_id(), row.availability_zone(), zones);
    Ok(Member {
        id,
        kind: row.instance_type().and_then(|name| catalog.by_name(name)),
        az: az.ok_or("a member's zone cannot be read")?,
        state: row.lifecycle_state().map_or(MemberState::Unknown, |state| state_of(state.as_str())),
        healthy: row.health_status().is_some_and(|status| status.eq_ignore_ascii_case("healthy")),
        protected: row.protected_from_scale_in().unwrap_or(false),
        source: member_source(row),
        facts: None,
    })
}

/// A lifecycle state with its waits folded into it.
fn state_of(state: &str) -> MemberState {
    match state.split(':').next().unwrap_or_default() {
        "Pending" => MemberState::Pending,
        "InService" => MemberState::InService,
        "Terminating" | "Terminated" => MemberState::Terminating,
        "Detaching" | "Detached" => MemberState::Detaching,
        "EnteringStandby" | "Standby" => MemberState::Standby,
        _ => MemberState::Unknown,
    }
}

fn member_source(row: &Instance) -> Option<Source> {
    if let Some(template) = row.launch_template() {
        let version = template.version().and_then(|version| version.parse().ok())?;
        return Some(Source::Template { id: template.launch_template_id()?.parse().ok()?, version: Some(version) });
    }
    row.launch_configuration_name().and_then(|name| name.parse().ok()).map(Source::Configuration)
}

fn process(row: &SuspendedProcess) -> Option<Process> {
    Some(match row.process_name()? {
        "Launch" => Process::Launch,
        "Terminate" => Process::Terminate,
        "AddToLoadBalancer" => Process::AddToLoadBalancer,
        "AlarmNotification" => Process::AlarmNotification,
        "AZRebalance" => Process::AZRebalance,
        "HealthCheck" => Process::HealthCheck,
        "InstanceRefresh" => Process::InstanceRefresh,
        "ReplaceUnhealthy" => Process::ReplaceUnhealthy,
        "ScheduledActions" => Process::ScheduledActions,
        _ => return None,
    })
}

/// What the group launches from, and whether a mixed-instances policy says so. Capacity in other units than instances
/// exists only with such a policy.
fn source(group: &AutoScalingGroup) -> Result<(Source, bool), &'static str> {
    let in_units = group.desired_capacity_type().is_some_and(|kind| !kind.is_empty() && kind != "units");
    if group.mixed_instances_policy().is_some() || in_units {
        let template = group.mixed_instances_policy().filter(|_| !in_units).and_then(mixed::on_demand);
        return Ok(match template {
            Some(template) => (named(template)?.ok_or("the template of a mixed-instances policy has no id")?, true),
            None => (Source::Mixed, false),
        });
    }
    if let Some(source) = group.launch_template().map(named).transpose()?.flatten() {
        return Ok((source, false));
    }
    let name = group.launch_configuration_name().and_then(|name| name.parse().ok());
    Ok((name.map(Source::Configuration).ok_or("what the group launches from cannot be read")?, false))
}

/// The template that a group names, by its id.
fn named(template: &LaunchTemplateSpecification) -> Result<Option<Source>, &'static str> {
    let Some(id) = template.launch_template_id() else { return Ok(None) };
    let id = id.parse().map_err(|_| "the id of the group's launch template cannot be read")?;
    Ok(Some(Source::Template { id, version: template.version().and_then(|version| version.parse().ok()) }))
}

/// Target groups, under the old field and the new.
fn target_groups(group: &AutoScalingGroup) -> Result<Vec<TargetGroupArn>, &'static str> {
    let sources = group.traffic_sources().iter().filter(|s| s.r#type().is_none_or(|kind| kind == "elbv2"));
    let arns = sources.filter_map(|s| s.identifier()).filter(|arn| arn.contains(":targetgroup/"));
    let all: BTreeSet<&str> = group.target_group_arns().iter().map(String::as_str).chain(arns).collect();
    all.into_iter().map(|arn| arn.parse().map_err(|_| "a target group's ARN cannot be read")).collect()
}

/// Classic load balancers, under the old field and the new.
fn load_balancers(group: &AutoScalingGroup) -> Result<Vec<BalancerName>, &'static str> {
    let sources = group.traffic_sources().iter().filter(|s| s.r#type() == Some("elb"));
    let names = sources.filter_map(|s| s.identifier());
    let all: BTreeSet<&str> = group.load_balancer_names().iter().map(String::as_str).chain(names).collect();
    all.into_iter().map(|name| name.parse().map_err(|_| "a classic load balancer's name cannot be read")).collect()
}

/// What a launch needs of the group beside the view.
pub(super) fn memo(group: &AutoScalingGroup) -> Memo {
    let given = group.tags().iter().filter(|tag| tag.propagate_at_launch().unwrap_or(false));
    let tags = given.filter_map(|tag| Some((tag.key()?.to_owned(), text(tag.value())))).collect();
    let mixed = || group.mixed_instances_policy().and_then(mixed::on_demand);
    let version = group.launch_template().or_else(mixed).and_then(|template| template.version());
    let stack = group.tags().iter().find(|tag| tag.key() == Some(STACK)).and_then(|tag| tag.value());
    Memo { tags, version: version.map(ToOwned::to_owned), stack: stack.map(ToOwned::to_owned) }
}

/// The name of a hook that runs at launch.
pub(super) fn launch_hook(hook: &LifecycleHook) -> Option<String> {
    let at_launch = hook.lifecycle_transition() == Some("autoscaling:EC2_INSTANCE_LAUNCHING");
    at_launch.then(|| text(hook.lifecycle_hook_name()))
}

/// Whether a refresh is under way: in any state that is not one of its ends.
pub(super) fn is_active(refresh: &InstanceRefresh) -> bool {
    const ENDS: [&str; 5] = ["Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"];
    refresh.status().is_none_or(|status| !ENDS.contains(&status.as_str()))
}
