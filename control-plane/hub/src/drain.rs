//! Draining container instances: what their cluster says of them, their tasks while they drain, and the notes of it.

use std::collections::BTreeMap;

use spothub_core::fault::Fault;
use spothub_core::id::{ClusterName, GroupKey, InstanceId, Site};
use spothub_core::port::{Cause, ContainerState, Lane, Launched, Note};
use spothub_core::record::{Drained, Newcomer, Op, Stage, Why};
use spothub_core::saga::{Found, Next};
use spothub_core::time::{Span, Timestamp};

use crate::engine::Engine;
use crate::held::{Halt, Held};
use crate::memory::Watched;
use crate::observe::during;
use crate::saga::READ_AGAIN;

/// Container instances in one DescribeContainerInstances (ECS API reference: at most 100).
const CONTAINERS_MAX: usize = 100;

/// One that drains, and whose tasks are counted with the next poll.
#[derive(Clone, Debug)]
pub(crate) struct Drains {
    /// Its cluster.
    pub(crate) cluster: ClusterName,
    /// Its group.
    pub(crate) group: GroupKey,
    /// Counted not before then.
    pub(crate) due: Timestamp,
    /// Nobody waits for it from then on.
    pub(crate) until: Timestamp,
}

/// What is due in one cluster of those that drain.
pub(crate) fn batch(
    all: &mut BTreeMap<InstanceId, Drains>,
    now: Timestamp,
    due: impl Fn(&Timestamp) -> bool,
) -> Option<(ClusterName, Vec<InstanceId>)> {
    all.retain(|_, drains| now < drains.until);
    let cluster = all.values().filter(|drains| due(&drains.due)).min_by_key(|drains| drains.due)?.cluster.clone();
    let same = all.iter().filter(|(_, drains)| drains.cluster == cluster && due(&drains.due));
    let ids = same.map(|(id, _)| id.clone()).take(CONTAINERS_MAX).collect();
    Some((cluster, ids))
}

impl Watched {
    /// When the next is due of all that is watched.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        let draining = self.draining.values().map(|drains| drains.due);
        self.status.values().map(|(at, _)| *at).chain(self.members.values().copied()).chain(draining).min()
    }
}

impl Engine {
    /// Those of one cluster at a site whose tasks are to be counted now: one cluster a tick.
    pub(crate) fn draining_due(&self, site: &Site, now: Timestamp) -> Option<(ClusterName, Vec<InstanceId>)> {
        let tick = self.settings.timings.tick;
        let mut memory = self.memory();
        let watched = memory.watched.get_mut(site).filter(|watched| !watched.draining.is_empty())?;
        if let Some(again) = watched.counted_at.map(|at| at + tick).filter(|again| now < *again) {
            memory.polls.insert((again, site.clone()));
            return None;
        }
        // Within half a tick counts as due, as with other polls.
        let found = batch(&mut watched.draining, now, |at| *at <= now + Span(tick.0 / 2))?;
        watched.counted_at = Some(now);
        Some(found)
    }

    /// Counts the tasks of those that drain in one cluster.
    pub(crate) async fn poll_draining(&self, site: &Site, cluster: &ClusterName, ids: &[InstanceId], now: Timestamp) {
        let cause = Cause { poll: true, ..Cause::default() };
        let answer = self.ports.look.containers(site, cluster, ids, cause).await;
        let again = now + self.settings.timings.tick;
        let mut news = Vec::new();
        {
            let mut memory = self.memory();
            for id in ids {
                if let Ok(rows) = &answer {
                    // What left the cluster runs nothing there any more.
                    let tasks = rows.iter().find(|row| row.id == *id).map_or(0, |row| row.tasks);
                    memory.instance(site, id, now).tasks = Some((now, tasks));
                }
                let Some(watched) = memory.watched.get_mut(site) else { continue };
                let Some(drains) = watched.draining.get_mut(id) else { continue };
                drains.due = again;
                let group = drains.group.clone();
                if memory.tasks(id) == Some((now, 0)) {
                    memory.watched.get_mut(site).map(|watched| watched.draining.remove(id));
                    news.push(group);
                }
            }
        }
        for group in news {
            self.wake(&group, self.now(), Lane::Urgent);
        }
    }

    /// Tasks on the old one, where they were counted since it drains.
    pub(crate) fn tasks_of(&self, op: &Op) -> Option<u32> {
        let Drained::On { since, .. } = op.drain.as_ref()?.state else { return None };
        self.memory().tasks(&op.old).filter(|(at, _)| *at >= since).map(|(_, tasks)| tasks)
    }

    /// What the cluster says of the old one of an op.
    pub(crate) async fn old_container(&self, held: &mut Held, index: usize) -> Result<AskedOf, Halt> {
        let group = held.kept.record.group.clone();
        let op = held.kept.record.ops[index].clone();
        let Some(drain) = &op.drain else { return Ok(AskedOf::Found(Found::Absent)) };
        let rescue = op.id.is_rescue();
        let ids = std::slice::from_ref(&op.old);
        let answer =
            self.ports.look.containers(&group.site, &drain.cluster, ids, during(&op.id, &group, op.step())).await;
        let again = AskedOf::Again(self.now() + READ_AGAIN);
        Ok(match answer {
            Ok(rows) => AskedOf::Found(rows.into_iter().next().map_or(Found::Absent, Found::Seen)),
            // A rescue goes on without: there is no time to ask why.
            Err(Fault::Denied(_) | Fault::Unreachable(_)) if rescue => {
                self.note_drain(held, index, "refused", None);
                AskedOf::Found(Found::Absent)
            }
            Err(_) if rescue => AskedOf::Found(Found::Unread),
            Err(Fault::Denied(_)) => {
                self.note_drain(held, index, "refused", None);
                if let Some(new) = op.stage.newcomer().cloned() {
                    self.enter(held, index, Stage::Undo { new, attached: true, sent: false, why: Why::Denied });
                }
                AskedOf::Entered
            }
            Err(Fault::Unreachable(_)) => {
                self.stranded(held, index).await?;
                AskedOf::Entered
            }
            Err(_) => again,
        })
    }

    /// Whether a newcomer takes tasks in the cluster of its group.
    pub(crate) async fn registered(
        &self,
        site: &Site,
        cluster: &ClusterName,
        new: &Newcomer,
        cause: Cause<'_>,
    ) -> Result<bool, Fault> {
        let rows = self.ports.look.containers(site, cluster, std::slice::from_ref(&new.id), cause).await?;
        Ok(rows.iter().any(|row| row.id == new.id && row.state == ContainerState::Active && row.connected))
    }

    /// Puts what is about to be asked for on the record.
    pub(crate) fn intend_drain(held: &mut Held, index: usize, call: &Next) {
        if let (Next::Drain { container, until: Some(_) }, Some(drain)) = (call, &mut held.record().ops[index].drain) {
            drain.state = Drained::Asked { container: container.clone() };
        }
    }

    /// Tells what became of draining before the old one goes.
    pub(crate) fn note_leaving(&self, held: &Held, index: usize, call: &Next) {
        let op = &held.kept.record.ops[index];
        let leaves = matches!(call, Next::Retire(id) | Next::LetGo(id) if *id == op.old);
        if let (true, Some(_)) = (leaves, op.drains_until()) {
            let tasks = self.tasks_of(op);
            self.note_drain(held, index, if tasks == Some(0) { "drained" } else { "late" }, tasks);
        }
    }

    /// Tells how a call that sets the state of a container instance ended.
    pub(crate) fn note_set(&self, held: &Held, index: usize, call: &Next, result: &Result<Option<Launched>, Fault>) {
        let Next::Drain { until, .. } = call else { return };
        let state = held.kept.record.ops[index].drain.as_ref().map(|drain| &drain.state);
        let told = match (result, until, state) {
            (Ok(_), Some(_), _) => "begun",
            (Ok(_), None, _) => "undone",
            (Err(_), Some(_), Some(Drained::Over)) => "refused",
            (Err(_), None, Some(Drained::Over)) => "kept",
            // It is tried again.
            (Err(_), _, _) => return,
        };
        self.note_drain(held, index, told, None);
    }

    fn note_drain(&self, held: &Held, index: usize, state: &'static str, tasks: Option<u32>) {
        let (op, group) = (&held.kept.record.ops[index], &held.kept.record.group);
        self.note(&Note::Drain { swap: &op.id, group, instance: &op.old, state, tasks });
    }
}

/// What came of asking for the old one.
pub(crate) enum AskedOf {
    /// This was found.
    Found(Found),
    /// It is asked again then.
    Again(Timestamp),
    /// The op went on without, or ended.
    Entered,
}
