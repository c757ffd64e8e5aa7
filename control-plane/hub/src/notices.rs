//! Announced losses: what AWS will take, until when, and whether something was done about it.

use std::collections::{BTreeMap, BTreeSet};

use spothub_core::id::{GroupKey, InstanceId};
use spothub_core::time::Timestamp;

/// An announced loss.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) group: GroupKey,
    pub(crate) deadline: Timestamp,
    handled: bool,
}

/// Announced losses by instance. Those that nothing was done about are found by group too: in a burst every reconcile
/// asks for its own among thousands.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    all: BTreeMap<InstanceId, Notice>,
    open: BTreeMap<GroupKey, BTreeSet<InstanceId>>,
}

impl Notices {
    /// Remembers a loss that nothing was done about yet; `false` if it was known.
    pub(crate) fn announce(&mut self, instance: InstanceId, group: GroupKey, deadline: Timestamp) -> bool {
        if self.all.contains_key(&instance) {
            return false;
        }
        self.open.entry(group.clone()).or_default().insert(instance.clone());
        self.all.insert(instance, Notice { group, deadline, handled: false });
        true
    }

    /// Whether AWS announced that it will take this instance.
    pub(crate) fn contains(&self, instance: &InstanceId) -> bool {
        self.all.contains_key(instance)
    }

    /// Whether something can still be done about the loss of this instance, and was not yet.
    pub(crate) fn is_open(&self, instance: &InstanceId, now: Timestamp) -> bool {
        self.all.get(instance).is_some_and(|notice| !notice.handled && now < notice.deadline)
    }

    /// When AWS takes this instance, where that was announced.
    pub(crate) fn deadline(&self, instance: &InstanceId) -> Option<Timestamp> {
        self.all.get(instance).map(|notice| notice.deadline)
    }

    /// Whether something is still to be done in this group.
    pub(crate) fn any_open(&self, group: &GroupKey, now: Timestamp) -> bool {
        self.open.get(group).is_some_and(|ids| ids.iter().any(|id| self.is_open(id, now)))
    }

    /// Something is done about it from now on; or it turned out that nothing was.
    pub(crate) fn handle(&mut self, instance: &InstanceId, handled: bool) {
        let Some(notice) = self.all.get_mut(instance) else { return };
        notice.handled = handled;
        let open = self.open.entry(notice.group.clone()).or_default();
        if handled {
            open.remove(instance);
        } else {
            open.insert(instance.clone());
        }
        if open.is_empty() {
            self.open.remove(&notice.group);
        }
    }

    /// Those whose deadline was before then, with their groups.
    pub(crate) fn before(&self, then: Timestamp) -> Vec<(InstanceId, GroupKey)> {
        let over = self.all.iter().filter(|(_, notice)| notice.deadline < then);
        over.map(|(id, notice)| (id.clone(), notice.group.clone())).collect()
    }

    /// Forgets a loss.
    pub(crate) fn forget(&mut self, instance: &InstanceId) {
        self.handle(instance, true);
        self.all.remove(instance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spothub_core::id::Site;

    #[test]
    fn a_group_has_something_to_do_until_all_is_handled_or_too_late() {
        let site = Site { account: "000000000001".parse().unwrap(), region: "eu-west-1".parse().unwrap() };
        let group = GroupKey { site, name: "a".parse().unwrap() };
        let [one, two] = [1, 2].map(InstanceId::from_number);
        let mut notices = Notices::default();
        assert!(notices.announce(one.clone(), group.clone(), Timestamp(10)));
        assert!(notices.announce(two.clone(), group.clone(), Timestamp(20)));
        assert!(!notices.announce(one.clone(), group.clone(), Timestamp(30)), "known");
        notices.handle(&two, true);
        assert!(notices.any_open(&group, Timestamp(9)));
        assert!(!notices.any_open(&group, Timestamp(10)), "the open one is gone by then");
        notices.handle(&two, false);
        assert!(notices.any_open(&group, Timestamp(10)));
        assert_eq!(notices.before(Timestamp(15)), [(one.clone(), group.clone())]);
        notices.forget(&two);
        assert!(!notices.any_open(&group, Timestamp(15)) && !notices.contains(&two) && notices.contains(&one));
    }
}
