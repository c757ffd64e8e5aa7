//! What a test does to the organization by hand, where a shape only says what it was like at the start.
//!
//! Each method is something that an owner or AWS could do at any time. A name that the world does not know is `false`,
//! or `None`.

use spothub_core::group::Process;
use spothub_core::id::{AccountId, GroupKey, InstanceId, Site};

use super::{Event, TAG_ENABLED, World};
use crate::market::PoolId;
use crate::record::{By, Ended};
use crate::shape::{AccountShape, AlarmShape, FaultShape, GroupShape, Shape, Window};

impl World {
    /// A new group with its members in service; one of that name must not be there yet.
    pub fn add_group(&mut self, shape: &GroupShape) {
        self.products.insert(shape.product);
        self.build_group(shape, &Shape::default());
    }

    /// Suspends a process of a group, or resumes it.
    pub fn suspend(&mut self, key: &GroupKey, process: Process, suspended: bool) -> bool {
        let Some(number) = self.group_number(key) else { return false };
        let group = &mut self.groups[number as usize];
        if suspended {
            group.suspended.insert(process);
        } else {
            group.suspended.remove(&process);
        }
        self.tell(number, By::Owner);
        self.scale_soon(number);
        true
    }

    /// From now on this fails.
    pub fn fail(&mut self, faults: FaultShape) {
        self.faults = faults;
    }

    /// Changes what an account is.
    pub fn change_account(&mut self, id: AccountId, change: impl FnOnce(&mut AccountShape)) -> bool {
        let Some(&account) = self.by_account.get(&id) else { return false };
        change(&mut self.accounts[account]);
        true
    }

    /// Makes a CloudWatch alarm, or changes its state.
    pub fn alarm(&mut self, site: &Site, name: &str, red: bool) {
        self.alarms.retain(|alarm| alarm.site != *site || alarm.name != name);
        let red = red.then_some(Window::ALWAYS).into_iter().collect();
        self.alarms.push(AlarmShape { name: name.to_owned(), site: site.clone(), red });
    }

    /// Leaves a pool nothing to give, or what it usually has.
    pub fn drain(&mut self, pool: PoolId, drained: bool) {
        if drained {
            self.drained.insert(pool);
        } else {
            self.drained.remove(&pool);
        }
    }

    /// An instance of the owner's, launched by hand with a group's type: no member, and without our tags.
    pub fn run_by_hand(&mut self, key: &GroupKey) -> Option<InstanceId> {
        let number = self.group_number(key)?;
        let inst = self.build_orphan(number, 0, false)?;
        self.instances.get(inst).map(|instance| instance.id.clone())
    }

    /// The owner ends an instance through EC2, past its group.
    pub fn end_by_hand(&mut self, id: &InstanceId) -> bool {
        let Some(inst) = self.find(id) else { return false };
        self.shut_down(inst, Ended::Owner);
        true
    }

    /// AWS decides to take a Spot instance, and the word of it is lost.
    pub fn take_silently(&mut self, id: &InstanceId) -> bool {
        let inst = self.find(id).filter(|&inst| self.instances.get(inst).is_some_and(|i| i.spot && i.lives()));
        let Some(inst) = inst else { return false };
        self.mark(inst);
        true
    }

    /// The owner protects a member from scale-in, or lifts that.
    pub fn protect_by_hand(&mut self, id: &InstanceId, protected: bool) -> bool {
        let Some(inst) = self.find(id) else { return false };
        self.protect(inst, protected);
        true
    }

    /// The owner opts a group out by its tag, or in again.
    pub fn opt_out(&mut self, key: &GroupKey, opted_out: bool) -> bool {
        let Some(number) = self.group_number(key) else { return false };
        let tags = &mut self.groups[number as usize].tags;
        if opted_out {
            tags.insert(TAG_ENABLED.to_owned(), "false".to_owned());
        } else {
            tags.remove(TAG_ENABLED);
        }
        self.tell_policy(number);
        self.tell(number, By::Owner);
        true
    }

    /// The owner sets a tag of a group, or removes it.
    pub fn tag(&mut self, key: &GroupKey, tag: &str, value: Option<&str>) -> bool {
        let Some(number) = self.group_number(key) else { return false };
        let tags = &mut self.groups[number as usize].tags;
        match value {
            Some(value) => drop(tags.insert(tag.to_owned(), value.to_owned())),
            None => drop(tags.remove(tag)),
        }
        self.tell_policy(number);
        self.tell(number, By::Owner);
        true
    }

    /// The owner takes a member out through its group, with decrement.
    pub fn take_out_by_hand(&mut self, id: &InstanceId) -> bool {
        let Some(inst) = self.find(id) else { return false };
        let Some(group) = self.instances.get(inst).and_then(|i| i.member).map(|member| member.group) else {
            return false;
        };
        let newcomer = self.is_newcomer(group, inst);
        self.groups[group as usize].owner_takes(newcomer);
        self.take_out(inst, Ended::Owner, By::Owner, Some(true));
        self.scale_soon(group);
        true
    }

    /// The owner sets DesiredCapacity.
    pub fn desired_by_hand(&mut self, key: &GroupKey, desired: u32) -> bool {
        let Some(number) = self.group_number(key) else { return false };
        let group = &mut self.groups[number as usize];
        (group.desired, group.owner_desired) = (desired, desired);
        self.tell(number, By::Owner);
        self.scale_soon(number);
        true
    }

    /// The owner sets MaxSize.
    pub fn max_by_hand(&mut self, key: &GroupKey, max: u32) -> bool {
        let Some(number) = self.group_number(key) else { return false };
        self.groups[number as usize].owner_resizes(None, Some(max));
        self.tell(number, By::Owner);
        self.scale_soon(number);
        true
    }

    /// AWS announces now that it takes an instance in two minutes.
    pub fn announce(&mut self, id: &InstanceId) -> bool {
        let Some(inst) = self.find(id) else { return false };
        self.exec.at(self.now(), Event::Announce(inst));
        true
    }
}
