//! Which groups to look at, and when. A wake names a group and nothing else: a reconcile must not know why it woke.

use std::collections::BTreeSet;

use spothub_core::id::GroupKey;
use spothub_core::lookup::Lookup;
use spothub_core::port::Lane;
use spothub_core::time::Timestamp;

/// Wakes by due time; a group is worked on by one reconcile at a time, and a wake meanwhile makes one more.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    due: BTreeSet<(Timestamp, GroupKey)>,
    urgent: BTreeSet<GroupKey>,
    at: Lookup<GroupKey, Timestamp>,
    active: Lookup<GroupKey, Option<Timestamp>>,
}

impl Wakes {
    /// Wakes `group` at `at`, or earlier if it was to be woken earlier.
    pub(crate) fn wake(&mut self, group: &GroupKey, at: Timestamp, lane: Lane) {
        if let Some(again) = self.active.get_mut(group) {
            *again = Some(again.map_or(at, |earlier| earlier.min(at)));
            return;
        }
        if lane == Lane::Urgent {
            self.urgent.insert(group.clone());
        }
        match self.at.get(group) {
            Some(earlier) if *earlier <= at => return,
            Some(later) => {
                self.due.remove(&(*later, group.clone()));
            }
            None => {}
        }
        self.at.insert(group.clone(), at);
        self.due.insert((at, group.clone()));
    }

    /// The next group that is due at `now`, urgent ones first; it is active until [`Wakes::done`].
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<GroupKey> {
        let urgent = self.urgent.iter().find(|g| self.at.get(*g).is_some_and(|at| *at <= now)).cloned();
        let group = match urgent {
            Some(group) => group,
            None => self.due.first().filter(|(at, _)| *at <= now)?.1.clone(),
        };
        self.urgent.remove(&group);
        if let Some(at) = self.at.remove(&group) {
            self.due.remove(&(at, group.clone()));
        }
        self.active.insert(group.clone(), None);
        Some(group)
    }

    /// A reconcile of `group` is over.
    pub(crate) fn done(&mut self, group: &GroupKey) {
        if let Some(Some(again)) = self.active.remove(group) {
            self.wake(group, again, Lane::Normal);
        }
    }

    /// Whether a reconcile is under way.
    pub(crate) fn working(&self) -> bool {
        !self.active.is_empty()
    }

    /// When the next group is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spothub_core::id::Site;

    fn group(name: &str) -> GroupKey {
        let site = Site { account: "000000000001".parse().unwrap(), region: "eu-west-1".parse().unwrap() };
        GroupKey { site, name: name.parse().unwrap() }
    }

    #[test]
    fn one_reconcile_at_a_time_and_none_lost() {
        let mut wakes = Wakes::default();
        let (a, b) = (group("a"), group("b"));
        wakes.wake(&a, Timestamp(5), Lane::Normal);
        wakes.wake(&a, Timestamp(9), Lane::Normal);
        wakes.wake(&b, Timestamp(5), Lane::Urgent);
        assert_eq!(wakes.pop(Timestamp(4)), None);
        assert_eq!(wakes.pop(Timestamp(5)), Some(b.clone()), "urgent first");
        assert_eq!(wakes.pop(Timestamp(5)), Some(a.clone()));
        wakes.wake(&a, Timestamp(6), Lane::Normal);
        assert_eq!(wakes.pop(Timestamp(9)), None, "still active");
        wakes.done(&a);
        assert_eq!(wakes.next_due(), Some(Timestamp(6)));
        assert_eq!(wakes.pop(Timestamp(9)), Some(a.clone()));
        wakes.done(&a);
        wakes.done(&b);
        assert_eq!(wakes.next_due(), None);
    }
}
