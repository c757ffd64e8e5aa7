//! One snapshot of the store for all pages: read only while somebody looks, and seldom enough that the hub's own reads
//! stay quick.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use spothub_core::id::{AccountId, OuPath};
use spothub_core::port::{Clock, Store};
use spothub_core::time::{Span, Timestamp};

use crate::access::Sight;
use crate::facts::{self, Now, Slow};

/// Between two reads at least, however many pages are open.
const EVERY: Span = Span::secs(5);
/// Between two reads of what changes slowly and has more rows.
const SLOWLY: Span = Span::mins(5);
/// Reading takes at most one part in so many of the time, so that a large store is read less often.
const SHARE: i64 = 20;
/// And yet so often: older pictures would be no picture of what happens now.
const RARELY: Span = Span::mins(2);
/// Answers kept of one snapshot: one for each set of accounts that somebody sees. What is beyond is made anew.
const ANSWERS_MAX: usize = 64;

/// The store at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// When it was read.
    pub(crate) at: Timestamp,
    pub(crate) now: Now,
    pub(crate) slow: Arc<Slow>,
    /// Unit of each account, as far as the store tells.
    pub(crate) units: BTreeMap<AccountId, OuPath>,
    answers: Mutex<BTreeMap<Sight, Arc<str>>>,
}

/// The snapshot that all pages share.
pub struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    snapshot: Option<Arc<Snapshot>>,
    slow: Option<(Timestamp, Arc<Slow>)>,
    next: Option<Timestamp>,
    trouble: Option<String>,
    reads: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking request left is a whole value: each change is one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Nothing is read before somebody asks.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, kept: Mutex::default(), reading: tokio::sync::Mutex::new(()) }
    }

    /// How often the store was read: for tests and the log.
    #[must_use]
    pub fn reads(&self) -> u64 {
        locked(&self.kept).reads
    }

    /// Has the next request read the store, since something was just written to it.
    pub(crate) fn outdate(&self) {
        locked(&self.kept).next = None;
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The latest snapshot, and why there is no newer one where that is so. One request reads at a time; the others
    /// take what there is, and wait only while there is nothing.
    pub(crate) async fn latest(&self) -> Result<(Arc<Snapshot>, Option<String>), String> {
        if let Some(found) = self.fresh() {
            return Ok(found);
        }
        let _reading = if let Ok(reading) = self.reading.try_lock() {
            reading
        } else {
            if let Some(found) = self.kept() {
                return Ok(found);
            }
            self.reading.lock().await
        };
        if let Some(found) = self.fresh() {
            return Ok(found);
        }
        self.read().await;
        self.kept().ok_or_else(|| locked(&self.kept).trouble.clone().unwrap_or_else(|| "not read yet".to_owned()))
    }

    fn kept(&self) -> Option<(Arc<Snapshot>, Option<String>)> {
        let kept = locked(&self.kept);
        kept.snapshot.as_ref().map(|snapshot| (Arc::clone(snapshot), kept.trouble.clone()))
    }

    fn fresh(&self) -> Option<(Arc<Snapshot>, Option<String>)> {
        let now = self.clock.now();
        let due = locked(&self.kept).next.is_none_or(|next| now >= next);
        if due { None } else { self.kept() }
    }

    async fn read(&self) {
        let begun = self.clock.now();
        let slow = locked(&self.kept).slow.clone().filter(|(at, _)| begun.since(*at) < SLOWLY);
        let read = async {
            let slow = if let Some((_, slow)) = slow {
                slow
            } else {
                let slow = Arc::new(facts::slow(&*self.store, begun).await?);
                locked(&self.kept).slow = Some((begun, Arc::clone(&slow)));
                slow
            };
            Ok::<_, spothub_core::port::StoreError>((facts::now(&*self.store).await?, slow))
        };
        let read = read.await;
        let ended = self.clock.now();
        let mut kept = locked(&self.kept);
        kept.reads += 1;
        let rest = Span(ended.since(begun).0.saturating_mul(SHARE - 1)).max(EVERY).min(RARELY);
        kept.next = Some(ended + rest);
        match read {
            Ok((now, slow)) => {
                let units = units(&now, &slow);
                let answers = Mutex::default();
                kept.snapshot = Some(Arc::new(Snapshot { at: begun, now, slow, units, answers }));
                kept.trouble = None;
            }
            Err(error) => {
                tracing::warn!(%error, "the store cannot be read; pages show what was read before");
                kept.trouble = Some(error.to_string());
            }
        }
    }
}

/// Swaps in flight tell the unit under which they count; booked days tell it of the rest.
fn units(now: &Now, slow: &Slow) -> BTreeMap<AccountId, OuPath> {
    let mut units = slow.units.clone();
    for record in &now.groups {
        for ou in record.ops.iter().filter_map(|op| op.counted.as_ref()) {
            units.insert(record.group.site.account, ou.clone());
        }
    }
    units
}

impl Snapshot {
    /// The answer to who sees this much, made once.
    pub(crate) fn answer(&self, sight: &Sight, make: impl FnOnce() -> String) -> Arc<str> {
        if let Some(found) = locked(&self.answers).get(sight) {
            return Arc::clone(found);
        }
        let answer: Arc<str> = make().into();
        let mut answers = locked(&self.answers);
        if answers.len() < ANSWERS_MAX {
            answers.insert(sight.clone(), Arc::clone(&answer));
        }
        answer
    }
}
