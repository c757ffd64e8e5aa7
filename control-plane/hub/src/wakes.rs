//! Which groups to look at, and when. A wake names a group and nothing else: a reconcile must not know why it woke.

use std::collections::BTreeSet;

use spothub_core::id::GroupKey;
use spothub_core::lookup::Lookup;
use spothub_core::port::Lane;
use spothub_core::time::Timestamp;

/// When a group is due, and in which lane.
type Due = (Timestamp, Lane);

/// Wakes by due time; a group is worked on by one reconcile at a time, and a wake meanwhile makes one more.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    urgent: BTreeSet<(Timestamp, GroupKey)>,
    normal: BTreeSet<(Timestamp, GroupKey)>,
    at: Lookup<GroupKey, Due>,
    active: Lookup<GroupKey, Option<Due>>,
}

impl Wakes {
    /// Wakes `group` at `at`, or earlier if it was to be woken earlier; urgently, if any of its wakes is urgent.
    pub(crate) fn wake(&mut self, group: &GroupKey, at: Timestamp, lane: Lane) {
        let sooner = |(earlier, urgent): Due| (earlier.min(at), urgent.min(lane));
        if let Some(again) = self.active.get_mut(group) {
            *again = Some(again.map_or((at, lane), sooner));
            return;
        }
        let before = self.at.get(group).copied();
        let due = before.map_or((at, lane), sooner);
        if before == Some(due) {
            return;
        }
        self.take(group);
        self.at.insert(group.clone(), due);
        self.of(due.1).insert((due.0, group.clone()));
    }

    fn of(&mut self, lane: Lane) -> &mut BTreeSet<(Timestamp, GroupKey)> {
        match lane {
            Lane::Urgent => &mut self.urgent,
            Lane::Normal => &mut self.normal,
        }
    }

    fn take(&mut self, group: &GroupKey) {
        if let Some((at, lane)) = self.at.remove(group) {
            self.of(lane).remove(&(at, group.clone()));
        }
    }

    /// The next group that is due at `now`, urgent ones first and normal ones only where `lane` is; it is active until
    /// [`Wakes::done`].
    pub(crate) fn pop(&mut self, now: Timestamp, lane: Lane) -> Option<GroupKey> {
        let due = |some: &BTreeSet<(Timestamp, GroupKey)>| Some(some.first().filter(|(at, _)| *at <= now)?.1.clone());
        let group = due(&self.urgent).or_else(|| if lane == Lane::Normal { due(&self.normal) } else { None })?;
        self.take(&group);
        self.active.insert(group.clone(), None);
        Some(group)
    }

    /// A reconcile of `group` is over.
    pub(crate) fn done(&mut self, group: &GroupKey) {
        if let Some(Some((at, lane))) = self.active.remove(group) {
            self.wake(group, at, lane);
        }
    }

    /// Whether a reconcile is under way.
    pub(crate) fn working(&self) -> bool {
        !self.active.is_empty()
    }

    /// When the next group is due that [`Wakes::pop`] gives for this lane.
    pub(crate) fn next_due(&self, lane: Lane) -> Option<Timestamp> {
        let normal = self.normal.first().filter(|_| lane == Lane::Normal);
        self.urgent.first().into_iter().chain(normal).map(|(at, _)| *at).min()
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
        assert_eq!(wakes.pop(Timestamp(4), Lane::Normal), None);
        assert_eq!(wakes.pop(Timestamp(5), Lane::Normal), Some(b.clone()), "urgent first");
        assert_eq!(wakes.pop(Timestamp(5), Lane::Urgent), None, "no room for normal ones");
        assert_eq!(wakes.pop(Timestamp(5), Lane::Normal), Some(a.clone()));
        wakes.wake(&a, Timestamp(6), Lane::Normal);
        assert_eq!(wakes.pop(Timestamp(9), Lane::Normal), None, "still active");
        wakes.done(&a);
        assert_eq!(wakes.next_due(Lane::Normal), Some(Timestamp(6)));
        assert_eq!(wakes.next_due(Lane::Urgent), None);
        assert_eq!(wakes.pop(Timestamp(9), Lane::Normal), Some(a.clone()));
        wakes.done(&a);
        wakes.done(&b);
        assert_eq!(wakes.next_due(Lane::Normal), None);
    }

    #[test]
    fn urgent_stays_urgent_while_a_group_is_worked_on_and_when_it_is_woken_normally() {
        let mut wakes = Wakes::default();
        let (a, b) = (group("a"), group("b"));
        wakes.wake(&b, Timestamp(1), Lane::Normal);
        assert_eq!(wakes.pop(Timestamp(1), Lane::Normal), Some(b.clone()));
        wakes.wake(&b, Timestamp(4), Lane::Urgent);
        wakes.wake(&b, Timestamp(3), Lane::Normal);
        wakes.wake(&a, Timestamp(2), Lane::Normal);
        wakes.done(&b);
        assert_eq!(wakes.pop(Timestamp(3), Lane::Urgent), Some(b));
        assert_eq!(wakes.pop(Timestamp(3), Lane::Normal), Some(a));
    }
}
