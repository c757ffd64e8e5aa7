//! Events to observations and wakes. Nothing here acts on an instance: a message is stored, wakes a group, and ends
//! with a reason.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spothub_core::event::{self, Event, Signal};
use spothub_core::fault::Fault;
use spothub_core::id::{GroupKey, InstanceId, Site};
use spothub_core::policy::Standing;
use spothub_core::port::{Cause, EventEnd, Expect, Lane, Message, Note, Put, StoreError};
use spothub_core::record;
use spothub_core::time::{Span, Timestamp};

use crate::engine::Engine;
use crate::memory::Known;
use crate::rows::ROW_FENCE;

/// Events of one group within this time make one look: a launch alone sends two.
const GATHER: Span = Span::secs(2);

/// The stored observation of an announced loss.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NoticeRow {
    pub(crate) instance: InstanceId,
    pub(crate) group: GroupKey,
    pub(crate) deadline: Timestamp,
    /// It was found marked; its warning may be on its way yet.
    #[serde(default)]
    pub(crate) marked: bool,
}

/// How a loss became known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Heard {
    /// By its warning.
    Warning,
    /// By its mark, asked for.
    Mark,
}

pub(crate) fn notice_key(site: &Site, instance: &InstanceId) -> String {
    format!("notice/{site}/{instance}")
}

type Ended = (EventEnd, &'static str);

impl Engine {
    /// Deals with one message; `false` where it must come again because it could not be stored.
    pub async fn handle(&self, message: &Message) -> bool {
        let event = match event::parse(&message.body, message.sent_at) {
            Ok(event) => event,
            Err(rejected) => {
                let known = !rejected.id.is_empty() && !self.memory().first_seen(&rejected.id);
                let (end, reason) = match rejected.reason {
                    _ if known => (EventEnd::Duplicate, "seen-before"),
                    "state-not-needed" => (EventEnd::Ignored, rejected.reason),
                    reason => (EventEnd::Quarantined, reason),
                };
                if end == EventEnd::Quarantined && self.quarantine(message, &rejected).await.is_err() {
                    self.memory().unsee(&rejected.id);
                    return false;
                }
                self.note(&Note::Event {
                    id: &rejected.id,
                    detail_type: &rejected.detail_type,
                    account: rejected.account,
                    region: rejected.region.as_ref(),
                    end,
                    reason,
                });
                return true;
            }
        };
        if let Signal::Wake { name } = &event.signal {
            // Our own word and no event: the group is looked at, or its driver lives and sees to it.
            let site = Site { account: event.account, region: event.region };
            self.wake(&GroupKey { site, name: name.clone() }, self.now(), Lane::Normal);
            return true;
        }
        let Ok((end, reason)) = self.take(&event).await else { return false };
        self.note(&Note::Event {
            id: &event.id,
            detail_type: &event.detail_type,
            account: Some(event.account),
            region: Some(&event.region),
            end,
            reason,
        });
        true
    }

    async fn take(&self, event: &Event) -> Result<Ended, StoreError> {
        let site = Site { account: event.account, region: event.region.clone() };
        if !self.memory().first_seen(&event.id) {
            return Ok((EventEnd::Duplicate, "seen-before"));
        }
        if !self.enrolled(&site) {
            return Ok((EventEnd::Quarantined, "not-enrolled"));
        }
        let ended = match &event.signal {
            Signal::Interruption { instance, deadline } => {
                self.interruption(&site, instance, *deadline, Heard::Warning).await
            }
            Signal::Rebalance { instance } => Ok(self.rebalance(&site, instance)),
            Signal::StateChange { instance } => Ok(self.state_change(&site, instance)),
            Signal::Group { name } | Signal::Wake { name } => {
                Ok(self.group_event(&GroupKey { site, name: name.clone() }))
            }
        };
        if ended.is_err() {
            // It will come again, and must then count as new.
            self.memory().unsee(&event.id);
        }
        ended
    }

    /// The group of an instance, where it is one of ours to touch; otherwise how the event ends.
    fn concerned(&self, site: &Site, instance: &InstanceId) -> Result<GroupKey, Ended> {
        let memory = self.memory();
        let group = memory.group_of(instance).filter(|g| g.site == *site).ok_or((EventEnd::Ignored, "not-ours"))?;
        match memory.groups.get(group) {
            Some(known) => standing(known).map(|()| group.clone()),
            None => Ok(group.clone()),
        }
    }

    pub(crate) async fn interruption(
        &self,
        site: &Site,
        instance: &InstanceId,
        deadline: Timestamp,
        heard: Heard,
    ) -> Result<Ended, StoreError> {
        self.listed(site, instance).await?;
        let pool = self.memory().pool(instance).cloned();
        if let Some(pool) = pool {
            let now = self.now();
            self.pool_signal(site, &pool, |s, p| s.took(p, now));
        }
        let group = match self.concerned(site, instance) {
            Ok(group) => group,
            Err(ended) => return Ok(ended),
        };
        let marked = heard == Heard::Mark;
        let row = NoticeRow { instance: instance.clone(), group: group.clone(), deadline, marked };
        match self.put_notice(site, &row, Expect::Absent).await {
            Ok(()) => {}
            Err(StoreError::Lost(_)) if marked => return Ok((EventEnd::Duplicate, "notice-known")),
            Err(StoreError::Lost(_)) => return self.warned_late(site, &row).await,
            Err(error) => return Err(error),
        }
        self.memory().notices.announce(instance.clone(), group.clone(), deadline);
        self.wake(&group, self.now(), Lane::Urgent);
        Ok((EventEnd::Acted, "rescue-woken"))
    }

    async fn put_notice(&self, site: &Site, row: &NoticeRow, expect: Expect) -> Result<(), StoreError> {
        let key = notice_key(site, &row.instance);
        let value = serde_json::to_vec(row).map_err(|e| StoreError::Unavailable(e.to_string()))?;
        self.ports.store.write(&[Put { key, value: Some(value), expect, fence: ROW_FENCE }]).await.map(drop)
    }

    /// The warning of a loss that is known: its copy, or the first word of what was found marked before.
    async fn warned_late(&self, site: &Site, row: &NoticeRow) -> Result<Ended, StoreError> {
        let stored = self.ports.store.get(&notice_key(site, &row.instance)).await?;
        let marked = stored.filter(|found| record::read::<NoticeRow>(&found.value).is_some_and(|known| known.marked));
        let Some(found) = marked else { return Ok((EventEnd::Duplicate, "notice-known")) };
        match self.put_notice(site, row, Expect::Version(found.version)).await {
            Ok(()) => Ok((EventEnd::Acted, "known-by-its-mark")),
            Err(StoreError::Lost(_)) => Ok((EventEnd::Duplicate, "notice-known")),
            Err(error) => Err(error),
        }
    }

    /// Before a site was first looked at, whose an instance is nobody knows: then its groups are read now, once for all
    /// warnings that wait for it, since the first sweep may come too late.
    async fn listed(&self, site: &Site, instance: &InstanceId) -> Result<(), StoreError> {
        let known = || self.memory().listed.contains(site) || self.memory().group_of(instance).is_some();
        if known() {
            return Ok(());
        }
        let turn = Arc::clone(self.memory().listings.entry(site.clone()).or_default());
        let _turn = turn.lock().await;
        if known() {
            return Ok(());
        }
        match self.noting(site, self.ports.look.groups(site, None, Cause::default()).await) {
            Ok(views) => {
                for view in views {
                    self.fill(view);
                }
                let mut memory = self.memory();
                memory.listed.insert(site.clone());
                memory.listings.remove(site);
                Ok(())
            }
            // Nothing can be done there: the event ends as that of a stranger.
            Err(Fault::Denied(_) | Fault::Unreachable(_)) => Ok(()),
            Err(fault) => Err(StoreError::Unavailable(fault.to_string())),
        }
    }

    fn rebalance(&self, site: &Site, instance: &InstanceId) -> Ended {
        let pool = self.memory().pool(instance).cloned();
        if let Some(pool) = &pool {
            let now = self.now();
            self.pool_signal(site, pool, |s, p| s.took(p, now));
        }
        match self.concerned(site, instance) {
            Ok(group) if self.memory().groups.get(&group).is_some_and(|known| known.moves_aside) => {
                let now = self.now();
                self.memory().recommend(instance, now);
                self.wake(&group, now, Lane::Normal);
                (EventEnd::Acted, "group-woken")
            }
            Ok(_) if pool.is_some() => (EventEnd::Acted, "pool-avoided"),
            // Leaving before a replacement serves would cost capacity; the warning itself is acted on.
            Ok(_) => (EventEnd::Held, "waits-for-warning"),
            Err(ended) => ended,
        }
    }

    fn state_change(&self, site: &Site, instance: &InstanceId) -> Ended {
        match self.concerned(site, instance) {
            Ok(group) => {
                self.wake(&group, self.now() + GATHER, Lane::Normal);
                (EventEnd::Acted, "group-woken")
            }
            Err(ended) => ended,
        }
    }

    fn group_event(&self, group: &GroupKey) -> Ended {
        let known = self.memory().groups.get(group).cloned();
        match known.as_ref().map(standing) {
            Some(Ok(())) => {
                self.wake(group, self.now() + GATHER, Lane::Normal);
                (EventEnd::Acted, "group-woken")
            }
            Some(Err(ended)) => ended,
            // The sweep finds new groups; an event alone is no reason to call into an account.
            None => (EventEnd::Ignored, "unknown-group"),
        }
    }
}

fn standing(known: &Known) -> Result<(), Ended> {
    match &known.standing {
        Standing::NotEnabled => Err((EventEnd::Ignored, "not-enabled")),
        Standing::NoPolicy => Err((EventEnd::Held, "no-policy")),
        Standing::Unreadable(_) => Err((EventEnd::Held, "unreadable-tag")),
        Standing::OptedOut(_) => Err((EventEnd::Held, "opted-out")),
        Standing::Enabled if !known.served => Err((EventEnd::Held, "not-served")),
        Standing::Enabled => Ok(()),
    }
}
