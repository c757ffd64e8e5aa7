//! What AWS's Describe calls answer.

use std::collections::BTreeSet;

use spothub_core::commitment::{Commitment, Running, Slot};
use spothub_core::fault::Fault;
use spothub_core::group::{Alarm, Extras, GroupView, Member, Source};
use spothub_core::id::{
    AccountId, BalancerName, ConfigurationName, GroupKey, GroupName, InstanceId, ProfileName, RoleArn, Site,
    TargetGroupArn,
};
use spothub_core::port::{Activity, InstanceSeen, Route, RunState, TargetState, TemplateFacts};
use spothub_core::time::{Span, Timestamp};

use super::World;
use super::arena::{Checks, Inst, Instance, Phase};
use super::group::Group;
use super::pools::NOTICE;
use crate::shape::{AlarmShape, SourceShape, VersionPin};

/// The role of the group's instance profile, where there is one in it.
fn role_of(group: &Group) -> Option<RoleArn> {
    let role = group.image.profile_role.as_deref()?;
    format!("arn:aws:iam::{}:role/{}", group.key.site.account, role.trim_start_matches('/')).parse().ok()
}

impl World {
    /// DescribeAutoScalingGroups for one group.
    #[must_use]
    pub fn view(&self, group: &Group) -> GroupView {
        let members = self.members(group).filter_map(|i| self.member_view(group, i)).collect();
        GroupView {
            key: group.key.clone(),
            seen_at: self.now(),
            min: group.min,
            max: group.max,
            desired: group.desired,
            members,
            suspended: group.suspended.clone(),
            tags: group.tags.clone(),
            source: source(group, None),
            mixed_on_demand: matches!(group.source, SourceShape::MixedOnDemand(_)),
            target_groups: group.target_groups.clone(),
            load_balancers: group.load_balancers.clone(),
            health_check_grace: group.grace,
            default_warmup: group.warmup,
            warm_pool: group.warm_pool,
            operator: group.operator,
            cluster_placement: group.cluster_placement,
            capacity_rebalance: false,
            new_protected: group.new_protected,
            extras: None,
        }
    }

    fn member_view(&self, group: &Group, instance: &Instance) -> Option<Member> {
        let member = instance.member?;
        Some(Member {
            id: instance.id.clone(),
            kind: instance.kind,
            az: self.market.az(instance.zone).clone(),
            state: member.state,
            healthy: member.healthy,
            protected: member.protected,
            source: instance.version.map(|version| source(group, Some(version))),
            facts: None,
        })
    }

    /// The names of a site's groups, in order.
    pub(crate) fn group_names(&self, site: &Site) -> Vec<GroupName> {
        let site = self.by_site.get(site).map(|&s| &self.sites[s as usize]);
        site.map_or_else(Vec::new, |s| s.groups.keys().cloned().collect())
    }

    /// The groups of these names that exist.
    pub(crate) fn views(&self, site: &Site, names: &[GroupName]) -> Vec<GroupView> {
        let Some(&site) = self.by_site.get(site) else { return Vec::new() };
        let numbers = names.iter().filter_map(|name| self.sites[site as usize].groups.get(name));
        numbers.map(|&g| self.view(&self.groups[g as usize])).collect()
    }

    /// DescribeLifecycleHooks, DescribeInstanceRefreshes and DescribeStacks.
    pub(crate) fn extras(&self, key: &GroupKey) -> Result<Extras, Fault> {
        let group = self.group(key).ok_or(Fault::Gone)?;
        let launch_hooks: BTreeSet<String> = group.launch_hook.then(|| group.hook_name.clone()).into_iter().collect();
        let stack_updating = group.stack_updating.is_some_and(|window| window.contains(self.since_start()));
        Ok(Extras { launch_hooks, refresh_active: group.refreshes(self.now()), stack_updating, alarms: Vec::new() })
    }

    /// DescribeAlarms.
    pub(crate) fn alarms(&self, site: &Site, names: &[String]) -> Vec<Alarm> {
        let since = self.since_start();
        let asked = self.alarms.iter().filter(|alarm| alarm.site == *site && names.contains(&alarm.name));
        let alarm = |shape: &AlarmShape| Alarm {
            name: shape.name.clone(),
            red: shape.red.iter().any(|window| window.contains(since)),
        };
        asked.map(alarm).collect()
    }

    /// DescribeLaunchTemplateVersions or DescribeLaunchConfigurations, and DescribeImages.
    pub(crate) fn template(&self, key: &GroupKey, asked: &Source) -> Result<TemplateFacts, Fault> {
        let group = self.group(key).ok_or(Fault::Gone)?;
        let version = match (asked, group.source) {
            (
                Source::Template { id, version },
                SourceShape::Template(_) | SourceShape::Mixed | SourceShape::MixedOnDemand(_),
            ) if *id == group.template => version
                .map_or(Some(group.version), |v| u32::try_from(v).ok())
                .filter(|v| (1..=group.version).contains(v)),
            (Source::Configuration(name), SourceShape::Configuration) => configuration_version(group, name),
            (Source::Mixed, SourceShape::Mixed) => {
                return Err(Fault::Invalid("a mixed-instances policy is no template"));
            }
            _ => None,
        };
        let version = version.ok_or(Fault::Gone)?;
        let image = &group.image;
        let route = if group.source == SourceShape::Configuration { Route::Run } else { Route::Fleet };
        Ok(TemplateFacts {
            source: source(group, Some(version)),
            product: group.product,
            arch: group.arch,
            virtualization: group.virtualization,
            boot_mode: image.boot_mode,
            ena: image.ena,
            network_interfaces: image.network_interfaces,
            volumes: image.volumes,
            not_on_spot: image.not_on_spot,
            profile: image.profile.clone(),
            same_type_only: image.same_type_only,
            route,
        })
    }

    /// GetInstanceProfile: the role of a profile that some group of the account gives.
    pub(crate) fn profile(&self, account: AccountId, profile: &ProfileName) -> Result<Option<RoleArn>, Fault> {
        let gives = |group: &&Group| group.key.site.account == account && group.image.profile.as_ref() == Some(profile);
        let group = self.groups.iter().find(gives).ok_or(Fault::Gone)?;
        Ok(role_of(group))
    }

    /// Whether the member role lacks what this change needs, by what it grants.
    pub(crate) fn refuses(&self, site: &Site, name: Option<&GroupName>, action: &str) -> bool {
        let Some(name) = name else { return false };
        let key = GroupKey { site: site.clone(), name: name.clone() };
        let Some(group) = self.group(&key) else { return false };
        let rights = &self.rights;
        if !action.starts_with("ec2:") {
            return rights.guard.permits(&group.tags).is_err();
        }
        let configured = group.source == SourceShape::Configuration && !rights.launch_configurations;
        // A launch with a profile that has no role passes none.
        configured || role_of(group).is_some_and(|role| !rights.passable.permits(&role))
    }

    /// DescribeInstances by id.
    pub(crate) fn instances_seen(&self, site: &Site, ids: &[InstanceId]) -> Vec<InstanceSeen> {
        ids.iter().filter_map(|id| self.seen(site, id)).filter_map(|inst| self.instance_seen(inst)).collect()
    }

    /// DescribeInstances by this hub's tag.
    pub(crate) fn managed(&self, site: &Site) -> Vec<InstanceSeen> {
        let Some(&number) = self.by_site.get(site) else { return Vec::new() };
        let ours = self.sites[number as usize].ours.iter();
        let now = self.now();
        let visible = ours.filter(|&&i| self.instances.get(i).is_some_and(|i| i.visible_from <= now));
        visible.filter_map(|&inst| self.instance_seen(inst)).collect()
    }

    /// DescribeReservedInstances and DescribeSavingsPlans: what an account has bought of that sort.
    pub(crate) fn committed(&self, account: AccountId, sort: impl Fn(&Commitment) -> bool) -> Vec<Commitment> {
        let bought = self.account(account).map(|account| account.commitments.iter());
        bought.into_iter().flatten().filter(|one| sort(one)).cloned().collect()
    }

    /// DescribeInstances: what runs on demand with default tenancy, counted by what it is.
    pub(crate) fn running(&self, site: &Site) -> Running {
        let mut running = Running::new();
        let Some(&number) = self.by_site.get(site) else { return running };
        let here = |i: &&Instance| i.site == number && i.phase == Phase::Running;
        for instance in self.instances.iter().filter(here).filter(|i| !i.spot && !i.facts.dedicated) {
            let Some(kind) = instance.kind else { continue };
            let az = self.market.az(instance.zone).clone();
            let Site { account, region } = site.clone();
            *running.entry(Slot { account, region, az, kind, product: instance.product }).or_default() += 1;
        }
        running
    }

    fn instance_seen(&self, inst: Inst) -> Option<InstanceSeen> {
        let instance = self.instances.get(inst)?;
        let state = match run_state(instance) {
            RunState::Checked | RunState::Impaired => RunState::Running,
            other @ (RunState::Pending | RunState::Running | RunState::Ended) => other,
        };
        Some(InstanceSeen {
            id: instance.id.clone(),
            kind: instance.kind,
            az: self.market.az(instance.zone).clone(),
            state,
            ended_at: instance.ended,
            facts: instance.facts.clone(),
            group: instance.swap.is_some().then(|| self.groups[instance.group as usize].key.name.clone()),
        })
    }

    /// DescribeInstanceStatus.
    pub(crate) fn statuses(&self, site: &Site, ids: &[InstanceId]) -> Vec<(InstanceId, RunState)> {
        let seen = ids.iter().filter_map(|id| self.seen(site, id)).filter_map(|inst| self.instances.get(inst));
        seen.map(|i| (i.id.clone(), run_state(i))).collect()
    }

    /// DescribeSpotInstanceRequests: what is marked for termination, and since when.
    pub(crate) fn marked(&self, site: &Site, ids: &[InstanceId]) -> Vec<(InstanceId, Timestamp)> {
        let seen = ids.iter().filter_map(|id| self.seen(site, id)).filter_map(|inst| self.instances.get(inst));
        seen.filter_map(|i| Some((i.id.clone(), i.noticed? - NOTICE))).collect()
    }

    /// DescribeTargetHealth of one target.
    pub(crate) fn target(&self, site: &Site, arn: &TargetGroupArn, id: &InstanceId) -> TargetState {
        self.balanced(site, id, |group| group.target_groups.contains(arn))
    }

    /// DescribeInstanceHealth of one instance in a classic load balancer.
    pub(crate) fn balancer(&self, site: &Site, name: &BalancerName, id: &InstanceId) -> TargetState {
        self.balanced(site, id, |group| group.load_balancers.contains(name))
    }

    fn balanced(&self, site: &Site, id: &InstanceId, by: impl Fn(&Group) -> bool) -> TargetState {
        let instance = self.find(id).and_then(|inst| self.instances.get(inst));
        let Some(instance) = instance.filter(|i| self.by_site.get(site) == Some(&i.site)) else {
            return TargetState::Absent;
        };
        let member = instance.member.filter(|m| by(&self.groups[m.group as usize]));
        let Some(registered) = member.and_then(|m| m.registered) else { return TargetState::Absent };
        if self.serves(instance, registered) { TargetState::Healthy } else { TargetState::NotHealthy }
    }

    fn serves(&self, instance: &Instance, registered: Timestamp) -> bool {
        match instance.checks {
            Checks::Passed(at) => {
                instance.phase == Phase::Running && self.now() >= at.max(registered) + instance.register
            }
            Checks::Open | Checks::Failed => false,
        }
    }

    /// DescribeScalingActivities that took members out since then.
    pub(crate) fn activities(&self, key: &GroupKey, since: Timestamp) -> Result<Vec<Activity>, Fault> {
        let group = self.group(key).ok_or(Fault::Gone)?;
        let recent = group.departures.iter().filter(|d| d.at + Span::millis(1) > since);
        Ok(recent
            .map(|d| Activity {
                instance: d.instance.clone(),
                at: d.at,
                by_request_with_decrement: d.by_request_with_decrement,
            })
            .collect())
    }

    pub(super) fn is_configuration_of(&self, number: u32, name: &ConfigurationName) -> bool {
        configuration_version(&self.groups[number as usize], name).is_some()
    }
}

/// What the group launches from: as it names it, or at a version.
fn source(group: &Group, version: Option<u32>) -> Source {
    match group.source {
        SourceShape::Template(pin) | SourceShape::MixedOnDemand(pin) => {
            let named = (pin == VersionPin::Fixed).then_some(group.version);
            Source::Template { id: group.template.clone(), version: version.or(named).map(u64::from) }
        }
        SourceShape::Configuration => Source::Configuration(configuration(group, version.unwrap_or(group.version))),
        SourceShape::Mixed => match version {
            Some(version) => Source::Template { id: group.template.clone(), version: Some(u64::from(version)) },
            None => Source::Mixed,
        },
    }
}

fn configuration(group: &Group, version: u32) -> ConfigurationName {
    let name: String = group.key.name.as_str().chars().take(240).collect();
    format!("{name}-{version}").parse().expect("a group's name, shortened, and a number")
}

fn configuration_version(group: &Group, name: &ConfigurationName) -> Option<u32> {
    let version = name.as_str().rsplit_once('-')?.1.parse().ok()?;
    (configuration(group, version) == *name && (1..=group.version).contains(&version)).then_some(version)
}

fn run_state(instance: &Instance) -> RunState {
    match (instance.phase, instance.checks) {
        (Phase::Pending, _) => RunState::Pending,
        (Phase::Running, Checks::Open) => RunState::Running,
        (Phase::Running, Checks::Passed(_)) => RunState::Checked,
        (Phase::Running, Checks::Failed) => RunState::Impaired,
        (Phase::Ending | Phase::Ended, _) => RunState::Ended,
    }
}
