//! Sends probes from every site at once, as far as calls go, and receives them at the hub meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use spothub_aws::doctor::{ProbeMessage, ProbeQueue};
use spothub_core::fault::Fault;
use spothub_core::id::Site;
use spothub_core::port::Clock;
use spothub_core::time::Span;

use super::Eyes;
use crate::compose;
use crate::doctor::batch::each;
use crate::doctor::facts::ProbeFacts;
use crate::doctor::probe::{Fate, Probing};
use crate::progress::Progress;

/// A queue that fails so often in a row is not asked again.
const FAILURES_MAX: u32 = 3;
/// Between two such tries.
const PAUSE: Span = Span::secs(1);

fn lock(probing: &Mutex<Probing>) -> MutexGuard<'_, Probing> {
    probing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Eyes {
    /// One probe from each of these, waited for at the hub's queue.
    pub(super) async fn probes(&self, sites: Vec<Site>, shown: &Progress) -> BTreeMap<Site, ProbeFacts> {
        let Some(url) = self.config.probe.clone() else { return BTreeMap::new() };
        shown.count("probes", sites.len());
        let queue = self.doctor.probe_queue(url);
        let run = format!("{:016x}{:016x}", compose::seed(&*self.clock), compose::seed(&*self.clock));
        let probing = Arc::new(Mutex::new(Probing::new(&run, &sites)));
        let numbered: Vec<(usize, Site)> = sites.into_iter().enumerate().collect();
        let job = |(index, site): (usize, Site)| {
            let (doctor, clock, probing) = (Arc::clone(&self.doctor), Arc::clone(&self.clock), Arc::clone(&probing));
            async move {
                let event = lock(&probing).begin(index, clock.now());
                if let Err(fault) = doctor.put(&site, &event).await {
                    lock(&probing).failed(index, fault);
                }
            }
        };
        let all_sent = AtomicBool::new(false);
        let sending = async {
            each(numbered, self.config.reach.engine.sites_max, job, |_| ()).await;
            all_sent.store(true, Ordering::Relaxed);
        };
        let wait = self.asked.wait;
        let over = || {
            // While some are still to be sent, there is always more to wait for.
            let until = || lock(&probing).until(wait);
            all_sent.load(Ordering::Relaxed) && until().is_none_or(|until| until <= self.clock.now())
        };
        // Ten messages at a time and some 70 ms for them: four at once take in 4,000 probes in seven seconds.
        let receiver = || receive(&queue, &*self.clock, &probing, over, shown);
        let ((), a, b, c, d) = tokio::join!(sending, receiver(), receiver(), receiver(), receiver());
        let unread = a.or(b).or(c).or(d);
        let probing = std::mem::replace(&mut *lock(&probing), Probing::new("", &[]));
        probing.finish(wait, unread.as_ref())
    }
}

/// Receives until it is over; why the queue cannot be read, where that is so.
async fn receive(
    queue: &ProbeQueue,
    clock: &dyn Clock,
    probing: &Mutex<Probing>,
    over: impl Fn() -> bool,
    shown: &Progress,
) -> Option<Fault> {
    let mut failures = 0;
    while !over() {
        let messages = match queue.receive(PAUSE).await {
            Ok(messages) => messages,
            Err(fault) => {
                failures += 1;
                if failures >= FAILURES_MAX {
                    return Some(fault);
                }
                clock.sleep_until(clock.now() + PAUSE).await;
                continue;
            }
        };
        failures = 0;
        let now = clock.now();
        let taken: Vec<&ProbeMessage> = {
            let mut probing = lock(probing);
            messages.iter().filter(|message| probing.heard(message, now) != Fate::Others).collect()
        };
        // What cannot be deleted comes again, and goes by itself in the end.
        let _ = queue.delete(&taken).await;
        shown.at(lock(probing).ended());
    }
    None
}
