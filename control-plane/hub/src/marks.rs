//! What AWS has marked to be taken, asked for: a warning that was lost leaves this as the only sign before the end.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};
use spothub_core::fault::Fault;
use spothub_core::id::{InstanceId, Region, Site};
use spothub_core::market::Market;
use spothub_core::port::Cause;
use spothub_core::time::{Span, Timestamp};

use crate::engine::Engine;
use crate::events::Heard;
use crate::observe::DENIED_FOR;

/// Ids in one DescribeSpotInstanceRequests: the values that one filter takes.
const IDS_MAX: usize = 200;
/// Between two looks whether a site is due.
const TICK: Span = Span::secs(10);
/// Between two questions at one site where AWS took something in its region lately: takings come in clusters, and half
/// a minute earlier is half of a replacement's boot.
const WATCHFUL: Span = Span::secs(20);
/// How long a region is watched so after a taking.
const WATCHFUL_FOR: Span = Span::mins(15);
/// From the mark to the end.
pub(crate) const NOTICE: Span = Span::mins(2);

/// When each site was last asked, and until when one that refused is left alone.
pub(crate) type Asked = BTreeMap<Site, Timestamp>;

impl Engine {
    /// Asks each site with Spot members, again and again, whether AWS takes one of them.
    pub(crate) async fn marks_loop(&self) {
        loop {
            let now = self.now();
            let due = self.marks_due(now);
            stream::iter(due).for_each_concurrent(self.settings.sites_max, |site| self.ask_marks(site)).await;
            self.ports.clock.sleep_until(self.now().max(now + TICK)).await;
        }
    }

    /// Sites of this worker that were not asked for a while; less than two minutes everywhere, so that most marks are
    /// seen before the end.
    fn marks_due(&self, now: Timestamp) -> Vec<Site> {
        let sites = self.sites();
        let mut memory = self.memory();
        let memory = &mut *memory;
        memory.marks_asked.retain(|_, at| now < *at + DENIED_FOR);
        // Once for each region, not for each of thousands of sites.
        let taken = |(_, market): &(&Region, &Market)| market.signals.taken_since(now - WATCHFUL_FOR);
        let watched: BTreeSet<&Region> = memory.markets.iter().filter(taken).map(|(region, _)| region).collect();
        let mut due = Vec::new();
        // Before its groups were read, nobody knows whom to ask for.
        for site in sites.into_iter().filter(|site| memory.listed.contains(site)) {
            let every =
                if watched.contains(&site.region) { WATCHFUL.min(self.settings.marks) } else { self.settings.marks };
            if memory.marks_asked.get(&site).is_none_or(|at| now >= *at + every) {
                memory.marks_asked.insert(site.clone(), now);
                due.push(site);
            }
        }
        due
    }

    async fn ask_marks(&self, site: Site) {
        if !self.owns(&site) {
            return;
        }
        let ids = self.memory().spot_members(&site);
        for some in ids.chunks(IDS_MAX) {
            let cause = Cause { poll: true, ..Cause::default() };
            match self.ports.look.marked(&site, some, cause).await {
                Ok(marked) => self.take_marks(&site, marked).await,
                Err(Fault::Denied(_) | Fault::Unreachable(_)) => {
                    // A role of an older version lacks the right; the rest goes on as before.
                    let until = self.now() + DENIED_FOR;
                    self.memory().marks_asked.insert(site, until);
                    return;
                }
                Err(_) => return,
            }
        }
    }

    /// What is marked and was not announced is as good as announced.
    async fn take_marks(&self, site: &Site, marked: Vec<(InstanceId, Timestamp)>) {
        for (instance, since) in marked {
            if self.memory().notices.contains(&instance) {
                continue;
            }
            tracing::info!(account = %site.account, region = %site.region, %instance, "AWS takes it without a word");
            // A store that does not answer: it is asked for again.
            let _ = self.interruption(site, &instance, since + NOTICE, Heard::Mark).await;
        }
    }
}
