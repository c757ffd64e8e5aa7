//! Several workers on one store: who lives, whose a site is, and taking over what a dead one left.
//!
//! Every worker knows all groups, and acts on what an event tells it of any of them, since a message reaches whoever is
//! free. Looking for work by itself (the sweep), orphans and the ledger of a site are the business of one of them, by a
//! rule that all compute alike. What is in flight is driven by whoever wrote it last, as long as that one lives. None
//! of this is needed for the laws: versions and leases see to those. It saves calls.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use spothub_core::id::{GroupKey, Site};
use spothub_core::port::{DELAY_MAX, Expect, Lane, Put};
use spothub_core::record::{FORMAT, GroupRecord, Usage};
use spothub_core::time::{Span, Timestamp};

use crate::engine::Engine;
use crate::events::NoticeRow;
use crate::held::{Halt, Held};
use crate::memory::Kept;
use crate::rows::{self, ROW_FENCE};

/// A worker whose sign of life has not changed for so many halves of a beat, on the reader's own clock, counts as gone:
/// four beats and a half, so that one slow write is no funeral.
const GONE_AFTER_HALVES: i64 = 9;
/// The sign of life of a worker that is gone is kept for so long, for `status`.
const FORGOTTEN_AFTER: Span = Span::hours(1);
/// Word of what is in flight comes so long after this worker would have gone on with it: by then it is missed.
const WORD_AFTER: Span = Span::mins(1);
/// Workers at once: far above what the API limits of an organization can feed.
const WORKERS_MAX: usize = 200;
/// The prefix of all signs of life.
pub(crate) const KEYS: &str = "worker/";

/// The stored sign of life of a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Beat {
    /// Format of the item.
    pub format: u16,
    /// The worker.
    pub worker: String,
    /// When it started, on its own clock: for showing only.
    pub started_at: Timestamp,
    /// When it wrote this, on its own clock: for showing only.
    pub at: Timestamp,
}

/// What a worker knows of the others.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// The version of each sign of life, and since when it has not changed on our own clock.
    seen: BTreeMap<String, (u64, Timestamp)>,
    live: BTreeSet<String>,
}

impl Peers {
    /// Workers that live, this one among them.
    pub(crate) fn count(&self) -> usize {
        self.live.len().max(1)
    }

    /// Takes what the store has now; whether somebody came or went.
    fn hear(&mut self, rows: impl Iterator<Item = (String, u64)>, now: Timestamp, beat: Span) -> bool {
        let gone_after = Span(beat.0 * GONE_AFTER_HALVES / 2);
        let rows: BTreeMap<String, u64> = rows.collect();
        self.seen.retain(|worker, _| rows.contains_key(worker));
        for (worker, version) in rows {
            match self.seen.get_mut(&worker) {
                Some((known, _)) if *known == version => {}
                Some(known) => *known = (version, now),
                None => drop(self.seen.insert(worker, (version, now))),
            }
        }
        let live = self.seen.iter().filter(|(_, (_, since))| now.since(*since) < gone_after);
        let live: BTreeSet<String> = live.map(|(worker, _)| worker.clone()).collect();
        std::mem::replace(&mut self.live, live) != self.live
    }
}

/// The worker among these whose a site or task is: the one with the largest number for the pair, so that a worker's
/// coming or going moves its own and no others.
fn owner<'a>(workers: impl Iterator<Item = &'a str>, what: &str) -> Option<&'a str> {
    workers.max_by_key(|worker| (mixed(worker, what), *worker))
}

/// FNV-1a over both texts, mixed once more: alike in every process and version.
fn mixed(worker: &str, what: &str) -> u64 {
    let bytes = worker.bytes().chain([0]).chain(what.bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Engine {
    /// Whether swaps, orphans and the ledger of a site are this worker's business.
    pub(crate) fn owns(&self, site: &Site) -> bool {
        !self.settings.peers || self.leads(&site.to_string())
    }

    /// Whether something of which one worker is enough is this worker's to do.
    pub(crate) fn leads(&self, what: &str) -> bool {
        let me = self.settings.worker.as_str();
        let memory = self.memory();
        let others = memory.peers.live.iter().map(String::as_str).filter(|worker| *worker != me);
        owner(others.chain([me]), what) == Some(me)
    }

    /// Whether what is in flight in this record is this worker's to drive, as far as it remembers.
    pub(crate) fn drives(&self, record: &GroupRecord) -> bool {
        !self.settings.peers || record.driver.as_ref() == Some(&self.settings.worker)
    }

    /// Whether somebody else drives what is in flight in this group, and lives.
    pub(crate) fn driven_elsewhere(&self, record: &GroupRecord) -> bool {
        let Some(driver) = record.driver.as_ref().filter(|driver| **driver != self.settings.worker) else {
            return false;
        };
        self.settings.peers && !record.ops.is_empty() && self.memory().peers.live.contains(driver)
    }

    /// When another worker's lease may be over, while there is one. A lease is over when its version has not changed
    /// for its length on our own clock.
    pub(crate) fn leased_elsewhere(&self, group: &GroupKey, held: &Held) -> Option<Timestamp> {
        let lease = held.kept.record.lease.as_ref().filter(|lease| lease.owner != self.settings.worker)?;
        let now = self.now();
        let mut memory = self.memory();
        let seen = memory.leases_seen.get_or_insert_with(group, || (held.kept.version, now));
        if seen.0 != held.kept.version {
            *seen = (held.kept.version, now);
        }
        let until = seen.1 + lease.length;
        (now < until).then_some(until)
    }

    /// A process that stood still may have lost its lease: others count on no call of ours beyond it.
    pub(crate) fn within_lease(&self, held: &Held) -> Result<(), Halt> {
        let over = self.now() + self.settings.call_max + self.settings.limiter_wait_max;
        if over > held.leased_at + self.settings.lease { Err(Halt::Lost) } else { Ok(()) }
    }

    /// Leaves word in the queue that something is in flight in a group, to be read some time after this worker would
    /// have gone on with it: by whoever is there then. One message a group at a time.
    pub(crate) async fn leave_word(&self, group: &GroupKey, until: Timestamp) {
        if !self.settings.peers {
            return;
        }
        let now = self.now();
        let due = until.max(now) + WORD_AFTER;
        {
            let mut memory = self.memory();
            if memory.words.get(group).is_some_and(|due| now < *due) {
                return;
            }
            memory.words.insert(group.clone(), due);
            memory.words_left += 1;
        }
        let id = format!("{}-{}", self.settings.worker.chars().take(40).collect::<String>(), self.memory().words_left);
        let body = spothub_core::event::wake(group, &id, now);
        let delay = due.since(now).min(DELAY_MAX);
        if self.ports.inbox.later(Lane::Normal, body, delay).await.is_err() {
            // The others' own look at who lives, and the sweep, do not need it.
            self.memory().words.remove(group);
        }
    }

    /// An announced loss that somebody already acts on needs nobody else.
    pub(crate) fn acted_on(&self, record: &GroupRecord) {
        let mut memory = self.memory();
        for op in record.ops.iter().filter(|op| op.id.is_rescue()) {
            memory.notices.handle(&op.old, true);
        }
    }

    /// Gives signs of life and takes those of others; never returns.
    pub(crate) async fn beat_loop(&self) {
        if !self.settings.peers {
            return std::future::pending().await;
        }
        let started_at = self.now();
        loop {
            let began = self.now();
            let changed = self.beat(started_at).await;
            self.hear_notices().await;
            self.hear_counters().await;
            self.hear_breakers().await;
            if changed {
                tracing::info!(live = self.settings.shares.workers(), "workers have come or gone");
                self.ownership.notify_one();
            }
            self.ports.clock.sleep_until(began + self.settings.beat).await;
        }
    }

    /// One sign of life, and a look at the others, by whom the API limits are divided; whether somebody came or went.
    pub(crate) async fn beat(&self, started_at: Timestamp) -> bool {
        let (worker, at) = (self.settings.worker.clone(), self.now());
        let key = format!("{KEYS}{worker}");
        let beat = Beat { format: FORMAT, worker, started_at, at };
        if let Ok(value) = serde_json::to_vec(&beat) {
            let put = Put { key, value: Some(value), expect: Expect::Anything, fence: ROW_FENCE };
            // Whoever cannot write is taken for gone by the others, and cannot do anything either.
            let _ = self.ports.store.write(&[put]).await;
        }
        let Ok(page) = self.ports.store.query(KEYS, None, WORKERS_MAX).await else { return false };
        let now = self.now();
        let name = |key: &str| key.strip_prefix(KEYS).unwrap_or(key).to_owned();
        let rows = page.items.iter().map(|item| (name(&item.key), item.version));
        let (changed, forgotten) = {
            let mut memory = self.memory();
            let changed = memory.peers.hear(rows, now, self.settings.beat);
            self.settings.shares.set(memory.peers.live.len());
            let old = memory.peers.seen.iter().filter(|(_, (_, since))| now.since(*since) > FORGOTTEN_AFTER);
            (changed, old.map(|(worker, _)| worker.clone()).collect::<Vec<_>>())
        };
        for worker in forgotten {
            let _ = self.ports.store.write(&[rows::gone(format!("{KEYS}{worker}"))]).await;
        }
        changed
    }

    /// Takes the sign of life back, so that others take over at once what they would wait for.
    pub(crate) async fn leave(&self) {
        if self.settings.peers {
            // Who cannot say goodbye is missed after a while.
            let _ = self.ports.store.write(&[rows::gone(format!("{KEYS}{}", self.settings.worker))]).await;
        }
    }

    /// Losses that were announced to others: whoever took the message may be gone before it acted.
    async fn hear_notices(&self) {
        for (_, row) in self.read_all::<NoticeRow>("notice/").await {
            let new = self.memory().notices.announce(row.instance, row.group.clone(), row.deadline);
            if new {
                self.wake(&row.group, self.now(), Lane::Urgent);
            }
        }
    }

    /// Brings what is remembered of a site's records and ledger up to what the store has, and wakes what a worker that
    /// is gone left in flight.
    pub(crate) async fn adopt(&self, site: &Site) {
        let mut before = self.versions_at(site);
        for (version, record) in self.read_all::<GroupRecord>(&format!("group/{site}/")).await {
            let group = record.group.clone();
            let left = !record.ops.is_empty() && !self.driven_elsewhere(&record);
            let kept = Kept { version, record };
            let older = self.went_back(before.remove(&group), &kept);
            let newer = self.memory().records.get(&group).is_none_or(|kept| kept.version < version);
            if newer || older {
                self.memory().records.insert(group.clone(), kept);
            }
            if left {
                self.wake(&group, self.now(), Lane::Normal);
            }
        }
        // Records are never deleted: what is not there any more went with the store.
        for group in before.keys() {
            self.memory().records.remove(group);
        }
        for (_, usage) in self.read_all::<Usage>(&format!("usage/{site}/")).await {
            self.remember_usage(usage);
        }
    }

    /// Groups whose work in flight was left by a worker that is gone, at sites of this worker.
    pub(crate) async fn adopt_all(&self) {
        let sites: BTreeSet<Site> = self.sites().into_iter().filter(|site| self.owns(site)).collect();
        for site in sites {
            if self.stopping() {
                return;
            }
            self.adopt(&site).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(number: u64) -> Site {
        Site {
            account: spothub_core::id::AccountId::from_number(number).unwrap(),
            region: "eu-west-1".parse().unwrap(),
        }
    }

    #[test]
    fn a_worker_that_goes_moves_its_own_sites_and_no_others() {
        let all = ["hub-1", "hub-2", "hub-3"];
        let (mut moved, mut of) = (0, BTreeMap::<&str, u32>::new());
        for number in 1..=3000 {
            let before = owner(all.into_iter(), &site(number).to_string()).unwrap();
            let after = owner(["hub-1", "hub-3"].into_iter(), &site(number).to_string()).unwrap();
            *of.entry(before).or_default() += 1;
            assert!(before == "hub-2" || before == after);
            moved += u32::from(before != after);
        }
        assert_eq!(moved, of["hub-2"]);
        assert!(of.values().all(|sites| (800..1200).contains(sites)), "{of:?}");
    }

    #[test]
    fn who_gives_no_sign_of_life_is_gone_on_the_readers_own_clock() {
        let mut peers = Peers::default();
        let mut hear = |versions: &[(&str, u64)], at| {
            let rows = versions.iter().map(|(worker, version)| ((*worker).to_owned(), *version));
            let changed = peers.hear(rows, Timestamp(at), Span::secs(10));
            (changed, peers.live.iter().cloned().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(hear(&[("a", 1), ("b", 7)], 0), (true, "a b".to_owned()));
        assert_eq!(hear(&[("a", 2), ("b", 7)], 44_000), (false, "a b".to_owned()));
        assert_eq!(hear(&[("a", 3), ("b", 7)], 45_000), (true, "a".to_owned()));
        assert_eq!(hear(&[("a", 4), ("b", 8)], 60_000), (true, "a b".to_owned()));
        assert_eq!(hear(&[("a", 5)], 70_000), (true, "a".to_owned()));
    }
}
