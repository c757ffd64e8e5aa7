//! Auto Scaling: reading groups and changing their members.
//!
//! Knows the calls; what an answer means for the engine stands in `view` and `activity`.

mod activity;
mod mixed;
mod stack;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::DescribeAutoScalingGroupsOutput;
use aws_sdk_autoscaling::types::AutoScalingGroup;
use spothub_core::fault::Fault;
use spothub_core::group::{Extras, GroupView};
use spothub_core::id::{GroupKey, GroupName, InstanceId};
use spothub_core::port::{Activity, Decrement};
use spothub_core::time::{Span, Timestamp};

use crate::action::Action;
use crate::bounded::Bounded;
use crate::cloud::{Line, lock};
use crate::zone::Names;

/// Names in one DescribeAutoScalingGroups, and groups in one answer.
const PAGE: usize = 100;
/// Pages of groups read at most: 10,000 groups, twenty times AWS's own quota for a region.
const GROUP_PAGES_MAX: usize = 100;
/// Pages of activities read at most, 100 rows each: a settling question is about the last half hour.
const ACTIVITY_PAGES_MAX: usize = 5;
/// Refreshes read, newest first: only one can be under way.
const REFRESHES: i32 = 5;
/// By how much the clocks of hub and service may differ when activities are compared with our own time.
const SKEW_MAX: Span = Span::mins(1);
/// Groups whose launch tags are remembered: ten short texts each.
const MEMOS_MAX: usize = 50_000;

/// What of a group is needed at a launch and stands in no view.
#[derive(Debug)]
pub(crate) struct Memo {
    /// Tags that the group gives to what it launches.
    pub(crate) tags: BTreeMap<String, String>,
    /// The template's version as the group names it: a number, `$Latest` or `$Default`.
    pub(crate) version: Option<String>,
    /// The ARN of the CloudFormation stack that made the group.
    pub(crate) stack: Option<String>,
}

/// What was read of the groups.
pub(crate) type Memos = Bounded<GroupKey, Arc<Memo>>;

impl Memos {
    /// Nothing read yet.
    pub(crate) const fn empty() -> Self {
        Self::new(MEMOS_MAX)
    }
}

impl Line<'_> {
    /// Groups by name, or all.
    pub(crate) async fn groups(&self, names: Option<&[GroupName]>) -> Result<Vec<GroupView>, Fault> {
        let mut views = Vec::new();
        match names {
            None => {
                let mut token = None;
                for _ in 0..GROUP_PAGES_MAX {
                    token = self.groups_page(&[], token, &mut views).await?;
                    if token.is_none() {
                        return Ok(views);
                    }
                }
                return Err(Fault::Invalid("the region has more groups than are read"));
            }
            // No name at all would ask for every group.
            Some(names) => {
                for some in names.chunks(PAGE) {
                    self.groups_page(some, None, &mut views).await?;
                }
            }
        }
        Ok(views)
    }

    /// One call; returns the token of the next page.
    async fn groups_page(
        &self,
        names: &[GroupName],
        token: Option<String>,
        views: &mut Vec<GroupView>,
    ) -> Result<Option<String>, Fault> {
        // A look is as old as its question: whatever changes on the way is not in it for sure.
        let asked_at = self.cloud.now();
        let answer = self.describe(names, token).await?;
        let groups = answer.auto_scaling_groups.unwrap_or_default();
        let zones = self.zones_of(&groups).await?;
        for group in &groups {
            match view::view(self.site, asked_at, group, &zones, self.cloud.catalog) {
                Ok(view) => {
                    lock(&self.cloud.memos).insert(view.key.clone(), Arc::new(view::memo(group)));
                    views.push(view);
                }
                // Left out of a list, a group is looked at by itself; there it must not seem to be gone.
                Err(why) if names.len() == 1 => return Err(Fault::Invalid(why)),
                Err(why) => {
                    let name: String = group.auto_scaling_group_name().unwrap_or_default().chars().take(255).collect();
                    let (account, region) = (self.site.account, &self.site.region);
                    tracing::warn!(account = %account, region = %region, group = name, why, "a group cannot be read");
                }
            }
        }
        Ok(answer.next_token.filter(|token| !token.is_empty()))
    }

    async fn describe(
        &self,
        names: &[GroupName],
        token: Option<String>,
    ) -> Result<DescribeAutoScalingGroupsOutput, Fault> {
        let request = self.client.groups().describe_auto_scaling_groups().max_records(100).set_next_token(token);
        let some = (!names.is_empty()).then(|| names.iter().map(ToString::to_string).collect());
        let request = request.set_auto_scaling_group_names(some);
        Ok(self.call(Action::DescribeAutoScalingGroups, None, request.send()).await?)
    }

    /// Zone names are read only where a member comes without its zone's id.
    async fn zones_of(&self, groups: &[AutoScalingGroup]) -> Result<Names, Fault> {
        let mut members = groups.iter().flat_map(AutoScalingGroup::instances);
        if members.any(|member| member.availability_zone_id().is_none()) {
            self.zones().await
        } else {
            Ok(Names::default())
        }
    }

    /// What is remembered of a group, or read.
    pub(crate) async fn memo(&self, group: &GroupKey) -> Result<Arc<Memo>, Fault> {
        if let Some(memo) = lock(&self.cloud.memos).get(group) {
            return Ok(memo);
        }
        self.groups(Some(std::slice::from_ref(&group.name))).await?;
        lock(&self.cloud.memos).get(group).ok_or(Fault::Gone)
    }

    /// Hooks and refreshes of a group, and what CloudFormation does to its stack: up to three calls, side by side.
    pub(crate) async fn extras(&self, key: &GroupKey) -> Result<Extras, Fault> {
        let (client, group) = (self.client.groups(), &key.name);
        let memo = self.memo(key).await?;
        let hooks = client.describe_lifecycle_hooks().auto_scaling_group_name(group.as_str()).send();
        let refreshes =
            client.describe_instance_refreshes().auto_scaling_group_name(group.as_str()).max_records(REFRESHES).send();
        let (hooks, refreshes, stack_updating) = futures::try_join!(
            async { self.call(Action::DescribeLifecycleHooks, None, hooks).await.map_err(Fault::from) },
            async { self.call(Action::DescribeInstanceRefreshes, None, refreshes).await.map_err(Fault::from) },
            self.updating(memo.stack.as_deref()),
        )?;
        let hooks = hooks.lifecycle_hooks.unwrap_or_default();
        let launch_hooks = hooks.iter().filter_map(view::launch_hook).collect();
        let refresh_active = refreshes.instance_refreshes().iter().any(view::is_active);
        Ok(Extras { launch_hooks, refresh_active, stack_updating, alarms: Vec::new() })
    }

    /// Activities since a time that took members out, newest first.
    pub(crate) async fn activities(&self, group: &GroupName, since: Timestamp) -> Result<Vec<Activity>, Fault> {
        let since = since - SKEW_MAX;
        let (mut rows, mut token) = (Vec::new(), None);
        for _ in 0..ACTIVITY_PAGES_MAX {
            let request = self.client.groups().describe_scaling_activities().auto_scaling_group_name(group.as_str());
            let request = request.max_records(100).set_next_token(token);
            let answer = self.call(Action::DescribeScalingActivities, None, request.send()).await?;
            let page = answer.activities.unwrap_or_default();
            rows.extend(page.iter().filter_map(activity::departure).filter(|row| row.at >= since));
            let older = page.iter().filter_map(activity::started_at).any(|at| at < since);
            token = answer.next_token.filter(|token| !token.is_empty());
            if older || token.is_none() {
                return Ok(rows);
            }
        }
        Ok(rows)
    }

    /// Sets MaxSize and nothing else.
    pub(crate) async fn set_max(&self, group: &GroupName, max: u32) -> Result<(), Fault> {
        let max = i32::try_from(max).map_err(|_| Fault::Invalid("MaxSize is out of range"))?;
        let request = self.client.groups().update_auto_scaling_group().auto_scaling_group_name(group.as_str());
        self.call(Action::UpdateAutoScalingGroup, None, request.max_size(max).send()).await?;
        Ok(())
    }

    /// Attaches one instance.
    pub(crate) async fn attach(&self, group: &GroupName, id: &InstanceId) -> Result<(), Fault> {
        let request = self.client.groups().attach_instances().auto_scaling_group_name(group.as_str());
        self.call(Action::AttachInstances, Some(id), request.instance_ids(id.to_string()).send()).await?;
        Ok(())
    }

    /// Takes a member out through its group. The call names no group: an instance is in one at most, and the engine has
    /// just seen in which.
    pub(crate) async fn retire(&self, id: &InstanceId, decrement: Decrement) -> Result<(), Fault> {
        let request = self.client.groups().terminate_instance_in_auto_scaling_group().instance_id(id.to_string());
        let request = request.should_decrement_desired_capacity(decrement == Decrement::Yes);
        self.call(Action::TerminateInstanceInAutoScalingGroup, Some(id), request.send()).await?;
        Ok(())
    }
}
