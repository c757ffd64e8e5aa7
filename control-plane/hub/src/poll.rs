//! Polls what emits no event: one batched call for each site and tick, for all that wait there.

use futures::stream::{FuturesUnordered, StreamExt};
use spothub_core::fault::Fault;
use spothub_core::id::{GroupKey, InstanceId, Site};
use spothub_core::port::{Cause, Lane, RunState};
use spothub_core::time::Timestamp;

use crate::engine::Engine;
use crate::observe::DENIED_FOR;

/// Instances in one DescribeInstanceStatus (aws-facts 7.3: 100 names a page).
const STATUS_MAX: usize = 100;
/// Groups in one DescribeAutoScalingGroups.
const GROUPS_MAX: usize = 100;

enum Batch {
    Status(Vec<InstanceId>),
    Members(Vec<GroupKey>),
    Nothing,
}

impl Engine {
    pub(crate) async fn poll_loop(&self) {
        let mut running = FuturesUnordered::new();
        loop {
            let now = self.now();
            let next = loop {
                let first = self.memory().polls.first().cloned();
                match first {
                    Some((at, site)) if at <= now => {
                        self.memory().polls.remove(&(at, site.clone()));
                        running.push(self.poll_site(site));
                    }
                    Some((at, _)) => break Some(at),
                    None => break None,
                }
            };
            tokio::select! {
                biased;
                Some(()) = running.next(), if !running.is_empty() => {}
                () = self.polls_changed.notified() => {}
                () = self.ports.clock.sleep_until(next.unwrap_or_default()), if next.is_some() => {}
            }
        }
    }

    async fn poll_site(&self, site: Site) {
        let now = self.now();
        let draining = self.draining_due(&site, now);
        let others = async {
            match self.batch(&site, now) {
                Batch::Nothing => return false,
                Batch::Status(ids) => self.poll_status(&site, &ids, now).await,
                Batch::Members(groups) => self.poll_members(&site, &groups).await,
            }
            true
        };
        // Their tasks are counted beside the rest: nobody boots or settles later because others drain.
        let counted = async {
            let Some((cluster, ids)) = &draining else { return false };
            self.poll_draining(&site, cluster, ids, now).await;
            true
        };
        let (polled, counted) = futures::future::join(others, counted).await;
        if !polled && !counted {
            return;
        }
        let tick = self.settings.timings.tick;
        let mut memory = self.memory();
        let Some(watched) = memory.watched.get(&site) else { return };
        if let Some(due) = watched.due() {
            memory.polls.insert((due.max(now + tick), site));
        } else {
            memory.watched.remove(&site);
        }
    }

    /// What is due at a site; the two kinds take turns, so that a site has one call a tick.
    fn batch(&self, site: &Site, now: Timestamp) -> Batch {
        let tick = self.settings.timings.tick;
        let mut memory = self.memory();
        let Some(watched) = memory.watched.get_mut(site) else { return Batch::Nothing };
        if watched.polled_at.is_some_and(|at| now < at + tick) {
            let again = watched.polled_at.unwrap_or(now) + tick;
            memory.polls.insert((again, site.clone()));
            return Batch::Nothing;
        }
        // Within half a tick counts as due: better one call for both than two.
        let due = |at: &Timestamp| *at <= now + spothub_core::time::Span(tick.0 / 2);
        let ids: Vec<_> =
            watched.status.iter().filter(|(_, (at, _))| due(at)).map(|(id, _)| id.clone()).take(STATUS_MAX).collect();
        let groups: Vec<_> =
            watched.members.iter().filter(|(_, at)| due(at)).map(|(g, _)| g.clone()).take(GROUPS_MAX).collect();
        let members_turn = !watched.members_last || ids.is_empty();
        let batch = match (ids.is_empty(), groups.is_empty()) {
            (true, true) => return Batch::Nothing,
            (_, false) if members_turn => Batch::Members(groups),
            _ => Batch::Status(ids),
        };
        watched.polled_at = Some(now);
        watched.members_last = matches!(batch, Batch::Members(_));
        batch
    }

    async fn poll_status(&self, site: &Site, ids: &[InstanceId], now: Timestamp) {
        let cause = Cause { poll: true, ..Cause::default() };
        let rows = match self.noting(site, self.ports.look.status(site, ids, cause).await) {
            Ok(rows) => rows,
            Err(Fault::Denied(_) | Fault::Unreachable(_)) => return self.refused_status(site, ids, now),
            Err(_) => return,
        };
        let again = now + self.settings.timings.tick;
        let mut news = Vec::new();
        {
            let mut memory = self.memory();
            for id in ids {
                // Not listed (any more) after it was launched: eventually consistent, so only a repeat counts.
                let state = rows.iter().find(|(row, _)| row == id).map(|(_, state)| *state);
                let before = state.and_then(|state| memory.instance(site, id, now).status.replace(state));
                let Some(watched) = memory.watched.get_mut(site) else { continue };
                let Some((at, group)) = watched.status.get_mut(id) else { continue };
                *at = again;
                let group = group.clone();
                if state.is_some_and(|s| before != Some(s) || s != RunState::Pending) {
                    if state.is_some_and(|s| !matches!(s, RunState::Pending | RunState::Running)) {
                        watched.status.remove(id);
                    }
                    news.push(group);
                }
            }
        }
        for group in news {
            self.wake(&group, self.now(), Lane::Normal);
        }
    }

    /// Whether they boot may not be asked: nobody waits for what cannot be seen.
    fn refused_status(&self, site: &Site, ids: &[InstanceId], now: Timestamp) {
        let groups: Vec<GroupKey> = {
            let mut memory = self.memory();
            memory.unseen.insert(site.clone(), now + DENIED_FOR);
            let watched = memory.watched.get_mut(site);
            let taken = watched.into_iter().flat_map(|watched| ids.iter().filter_map(|id| watched.status.remove(id)));
            taken.map(|(_, group)| group).collect()
        };
        for group in groups {
            self.wake(&group, now, Lane::Normal);
        }
    }

    /// Whether the state of newcomers at this site may not be asked for just now.
    pub(crate) fn is_unseen(&self, site: &Site) -> bool {
        let now = self.now();
        self.memory().unseen.get(site).is_some_and(|until| now < *until)
    }

    async fn poll_members(&self, site: &Site, groups: &[GroupKey]) {
        let names: Vec<_> = groups.iter().map(|g| g.name.clone()).collect();
        let cause = Cause { poll: true, ..Cause::default() };
        let answer = self.noting(site, self.ports.look.groups(site, Some(&names), cause).await);
        if let Some(watched) = self.memory().watched.get_mut(site) {
            for group in groups {
                watched.members.remove(group);
            }
        }
        for view in answer.unwrap_or_default() {
            let view = self.fill(view);
            let group = view.key.clone();
            self.memory().views.insert(group.clone(), view);
            self.wake(&group, self.now(), Lane::Normal);
        }
        // Groups that the answer left out are looked at one by one.
        for group in groups {
            if !self.memory().views.contains(group) {
                self.wake(group, self.now(), Lane::Normal);
            }
        }
    }
}
