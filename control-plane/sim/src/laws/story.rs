//! Hand-made records for tests: a small model of groups writes them, so that a story reads like what happened.

use std::collections::BTreeMap;

use spothub_core::group::{Lifecycle, Process};
use spothub_core::id::{InstanceId, SwapId};
use spothub_core::money::UsdPerHour;

use crate::record::{
    By, Call, Ended, GroupRef, InstanceStart, MemberLine, Membership, Outcome, PolicyLine, Record, What,
};

/// On-demand price of every story, in millionths of a USD an hour.
pub(crate) const ON_DEMAND: i64 = 96_000;
/// Spot price of every story.
pub(crate) const SPOT: i64 = 30_000;

/// Records in the making: one group at a time, time in seconds.
pub(crate) struct Story {
    pub(crate) records: Vec<Record>,
    pub(crate) t: i64,
    pub(crate) policy: PolicyLine,
    pub(crate) group: Membership,
    groups: BTreeMap<GroupRef, (PolicyLine, Membership)>,
}

pub(crate) fn instance(n: u32) -> InstanceId {
    InstanceId::from_number(n.into())
}

pub(crate) fn swap(n: u32) -> SwapId {
    SwapId::from_number(n.into(), false)
}

pub(crate) fn rescue(n: u32) -> SwapId {
    SwapId::from_number(n.into(), true)
}

fn key(name: &str) -> GroupRef {
    GroupRef {
        account: "000000000042".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        group: name.parse().unwrap(),
    }
}

impl Story {
    /// A group `web` with these on-demand members, max one above, and a policy with an interval of 300 s.
    pub(crate) fn new(members: impl IntoIterator<Item = u32>) -> Self {
        let group = key("web");
        let policy = PolicyLine {
            group: group.clone(),
            ou: "/prod".parse().unwrap(),
            interval_s: 300,
            floor_number: 0,
            floor_percent: 0,
            settle_s: 60,
            enabled: true,
            opted_out_by: None,
            min_saving_percent: 20,
            in_flight_max: [10, 10, 10],
            share_percent: 100,
            moves_after_s: None,
            boot_s: 60,
            drain_s: None,
        };
        let group = Membership {
            group,
            min: 0,
            max: 0,
            desired: 0,
            owner_desired: 0,
            owner_max: 0,
            in_service: 0,
            spot: 0,
            on_demand: 0,
            suspended: Vec::new(),
            tags: BTreeMap::new(),
            target_groups: 0,
            by: By::Owner,
            members: Vec::new(),
        };
        let mut story = Self { records: Vec::new(), t: 0, policy, group, groups: BTreeMap::new() };
        story.fill(members);
        story
    }

    fn fill(&mut self, members: impl IntoIterator<Item = u32>) {
        let members: Vec<u32> = members.into_iter().collect();
        let count = u32::try_from(members.len()).unwrap();
        self.said(|_| {});
        for &n in &members {
            self.began(n, Lifecycle::OnDemand, By::Autoscaling, None, None);
        }
        self.changed(By::Owner, |g| {
            g.members = members.iter().map(|&n| line(n, Lifecycle::OnDemand)).collect();
            (g.desired, g.owner_desired, g.max, g.owner_max) = (count, count, count + 1, count + 1);
        });
    }

    /// Goes over to another group, made on first mention with these members and the present policy.
    pub(crate) fn over_to(&mut self, name: &str, members: impl IntoIterator<Item = u32>) -> &mut Self {
        self.groups.insert(self.group.group.clone(), (self.policy.clone(), self.group.clone()));
        if let Some((policy, group)) = self.groups.get(&key(name)) {
            (self.policy, self.group) = (policy.clone(), group.clone());
        } else {
            (self.policy.group, self.group.group) = (key(name), key(name));
            self.fill(members);
        }
        self
    }

    /// Goes on to this second.
    pub(crate) fn at(&mut self, seconds: i64) -> &mut Self {
        assert!(seconds * 1000 >= self.t, "a story goes forward");
        self.t = seconds * 1000;
        self
    }

    pub(crate) fn push(&mut self, what: What) -> &mut Self {
        self.records.push(Record { t: self.t, what });
        self
    }

    /// Policy says something else from now on.
    pub(crate) fn said(&mut self, change: impl FnOnce(&mut PolicyLine)) -> &mut Self {
        change(&mut self.policy);
        self.push(What::Policy(Box::new(self.policy.clone())))
    }

    /// The group changes; the counts follow the members.
    pub(crate) fn changed(&mut self, by: By, change: impl FnOnce(&mut Membership)) -> &mut Self {
        change(&mut self.group);
        let group = &mut self.group;
        let count =
            |f: &dyn Fn(&MemberLine) -> bool| u32::try_from(group.members.iter().filter(|m| f(m)).count()).unwrap();
        let serves = |m: &MemberLine| m.state == "InService" && m.healthy;
        let in_service = count(&serves);
        let spot = count(&|m| serves(m) && m.lifecycle == Lifecycle::Spot);
        (group.in_service, group.spot, group.on_demand, group.by) = (in_service, spot, in_service - spot, by);
        let group = group.clone();
        self.push(What::Membership(Box::new(group)))
    }

    /// One member changes.
    pub(crate) fn member(&mut self, by: By, n: u32, change: impl FnOnce(&mut MemberLine)) -> &mut Self {
        self.changed(by, |g| change(g.members.iter_mut().find(|m| m.id == instance(n)).unwrap()))
    }

    /// An instance begins.
    pub(crate) fn began(
        &mut self,
        n: u32,
        lifecycle: Lifecycle,
        by: By,
        swap: Option<&SwapId>,
        replaces: Option<u32>,
    ) -> &mut Self {
        self.push(What::InstanceStart(Box::new(InstanceStart {
            group: self.group.group.clone(),
            az_id: "use1-az1".parse().unwrap(),
            instance_id: instance(n),
            kind: "m5.large".to_owned(),
            os: "Linux".to_owned(),
            lifecycle,
            usd_per_hour: UsdPerHour(if lifecycle == Lifecycle::Spot { SPOT } else { ON_DEMAND }),
            by,
            swap: swap.cloned(),
            replaces: replaces.map(instance),
            replaces_usd_per_hour: replaces.map(|_| UsdPerHour(ON_DEMAND)),
        })))
    }

    pub(crate) fn ended(&mut self, n: u32, why: Ended) -> &mut Self {
        self.push(What::InstanceEnd { instance_id: instance(n), why })
    }

    pub(crate) fn noticed(&mut self, n: u32) -> &mut Self {
        let deadline_s = self.t / 1000 + 120;
        self.push(What::Notice { instance_id: instance(n), deadline_s })
    }

    /// A call about this group that took effect, with a last word on it.
    pub(crate) fn call(&mut self, action: &str, change: impl FnOnce(&mut Call)) -> &mut Self {
        let group = &self.group.group;
        let mut call = Call {
            account: group.account,
            region: group.region.clone(),
            action: action.to_owned(),
            changing: !action.contains("Describe"),
            poll: false,
            outcome: Outcome::Ok,
            took_effect: true,
            group: Some(group.group.clone()),
            swap: None,
            swaps: Vec::new(),
            instance_id: None,
            why: None,
            looked_at: Vec::new(),
        };
        change(&mut call);
        self.push(What::Call(Box::new(call)))
    }

    pub(crate) fn look(&mut self) -> &mut Self {
        self.call("autoscaling:DescribeAutoScalingGroups", |_| {})
    }

    /// The engine launches a Spot instance.
    pub(crate) fn launch(&mut self, swap: &SwapId, new: u32, old: u32) -> &mut Self {
        self.state(swap, "launching", old, None);
        self.call("ec2:CreateFleet", |c| (c.swap, c.instance_id) = (Some(swap.clone()), Some(instance(new))));
        self.began(new, Lifecycle::Spot, By::Spothub, Some(swap), Some(old))
    }

    /// The engine attaches it; it is in service at once.
    pub(crate) fn attach(&mut self, swap: &SwapId, new: u32) -> &mut Self {
        self.call("autoscaling:AttachInstances", |c| {
            (c.swap, c.instance_id) = (Some(swap.clone()), Some(instance(new)));
        });
        self.changed(By::Spothub, |g| {
            g.desired += 1;
            g.members.push(line(new, Lifecycle::Spot));
        })
    }

    /// The engine takes a member out with decrement; it ends at once.
    pub(crate) fn retire(&mut self, swap: &SwapId, old: u32) -> &mut Self {
        self.call("autoscaling:TerminateInstanceInAutoScalingGroup", |c| {
            (c.swap, c.instance_id) = (Some(swap.clone()), Some(instance(old)));
        });
        self.changed(By::Spothub, |g| {
            g.desired -= 1;
            g.members.retain(|m| m.id != instance(old));
        });
        self.ended(old, Ended::Retired)
    }

    /// The engine ends an instance past the group.
    pub(crate) fn terminate(&mut self, n: u32, orphan: bool) -> &mut Self {
        self.call("ec2:TerminateInstances", |c| {
            c.instance_id = Some(instance(n));
            c.why = orphan.then(|| "orphan".to_owned());
        });
        self.ended(n, if orphan { Ended::Orphan } else { Ended::Undone })
    }

    pub(crate) fn set_max(&mut self, swap: &SwapId, max: u32) -> &mut Self {
        self.call("autoscaling:UpdateAutoScalingGroup", |c| c.swap = Some(swap.clone()));
        self.changed(By::Spothub, |g| g.max = max)
    }

    pub(crate) fn suspended(&mut self, by: By, processes: &[Process]) -> &mut Self {
        self.changed(by, |g| g.suspended = processes.to_vec())
    }

    /// The engine says how far a swap is.
    pub(crate) fn state(&mut self, swap: &SwapId, state: &str, old: u32, new: Option<u32>) -> &mut Self {
        self.push(What::Swap {
            swap: swap.clone(),
            group: self.group.group.clone(),
            rescue: swap.is_rescue(),
            state: state.to_owned(),
            old: instance(old),
            new: new.map(instance),
            why: None,
        })
    }

    /// A whole swap as it should be, from this second on; it takes 200 s.
    pub(crate) fn swapped(&mut self, n: u32, new: u32, old: u32, from: i64) -> &mut Self {
        let id = swap(n);
        self.at(from).launch(&id, new, old);
        self.at(from + 90).attach(&id, new);
        self.at(from + 190).look();
        self.at(from + 191).retire(&id, old);
        self.at(from + 200).state(&id, "done", old, Some(new))
    }
}

/// A member in service.
pub(crate) fn line(n: u32, lifecycle: Lifecycle) -> MemberLine {
    MemberLine { id: instance(n), state: "InService".to_owned(), lifecycle, protected: false, healthy: true }
}
