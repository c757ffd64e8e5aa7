//! Spot placement scores: few questions a day for the whole organization, and all workers know the answers.
//!
//! AWS allows few different questions in 24 hours. So one row of the store says what was asked for and when, and
//! whoever writes it first asks; the answers are rows, too. What is not known, or not allowed, counts for nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spothub_core::catalog::TypeId;
use spothub_core::fault::Fault;
use spothub_core::group::GroupView;
use spothub_core::id::Region;
use spothub_core::placement::{Scored, Size};
use spothub_core::plan::Swap;
use spothub_core::port::{Expect, Placement, Put, StoreError};
use spothub_core::record::FORMAT;
use spothub_core::time::{Span, Timestamp};

use crate::engine::Engine;
use crate::rows::ROW_FENCE;

/// Between two looks at what is wanted.
const LOOK_EVERY: Span = Span::mins(5);
/// An answer is asked for anew after this long: twice before the old one stops to count.
const ASK_EVERY: Span = Span::hours(4);
/// How far back AWS counts different questions.
const DAY: Span = Span::hours(24);
/// Sizes remembered as wanted: more than may be asked for in a day, so that the most wanted can be told.
const WANTED_MAX: usize = 1_000;
/// How long a size counts as wanted after its last swap was decided.
const WANTED_FOR: Span = Span::hours(6);
/// What was asked for, and when.
const ASKED: &str = "score/asked";

/// What is asked about together.
type Subject = (Region, Size);

/// What a worker knows of it.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Swaps decided for each, and the last one's time.
    wanted: BTreeMap<Subject, (u64, Timestamp)>,
    /// Told once, not every few minutes.
    refused: Option<Fault>,
}

/// The row of what was asked for.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Asked {
    format: u16,
    /// The last time of each question of the last 24 hours.
    at: BTreeMap<String, Timestamp>,
}

fn row_of((region, size): &Subject) -> String {
    format!("score/{region}/{size}")
}

impl Engine {
    /// Keeps scores fresh of what swaps are decided for, where EC2 may be asked.
    pub(crate) async fn placement_loop(&self) {
        let Some(port) = self.ports.placement.clone() else { return };
        loop {
            // A store that does not answer leaves scores unknown, which changes no more than an order.
            let _ = self.read_scores(&*port).await;
            self.ports.clock.sleep_until(self.now() + LOOK_EVERY).await;
        }
    }

    /// A swap is decided: its size is worth a question.
    pub(crate) fn score_wanted(&self, view: &GroupView, swap: &Swap) {
        if self.ports.placement.is_none() {
            return;
        }
        let Some(size) = Size::of(self.catalog.get(swap.kind)) else { return };
        let (subject, now) = ((view.key.site.region.clone(), size), self.now());
        let mut memory = self.memory();
        let wanted = &mut memory.placement.wanted;
        if wanted.len() < WANTED_MAX || wanted.contains_key(&subject) {
            let (count, at) = wanted.entry(subject).or_insert((0, now));
            (*count, *at) = (*count + 1, now);
        }
    }

    async fn read_scores(&self, port: &dyn Placement) -> Result<(), StoreError> {
        let wanted = self.wanted_scores();
        if wanted.is_empty() {
            return Ok(());
        }
        let (now, row) = (self.now(), self.ports.store.get(ASKED).await?);
        let mut expect = row.as_ref().map_or(Expect::Absent, |row| Expect::Version(row.version));
        // What cannot be read is written over: at worst AWS refuses a question too many.
        let mut asked: Asked = row.and_then(|row| serde_json::from_slice(&row.value).ok()).unwrap_or_default();
        asked.at.retain(|_, at| now.since(*at) < DAY);
        let most = usize::try_from(self.settings.scores_a_day).unwrap_or(0);
        for subject in wanted {
            let name = row_of(&subject);
            let last = asked.at.get(&name).copied();
            if last.is_some_and(|last| now.since(last) < ASK_EVERY) {
                if let Some(scored) = self.stored_score(&subject).await? {
                    self.scored(&subject, scored);
                }
                continue;
            }
            let types = subject.1.types(self.catalog, &subject.0);
            // The day's questions may be used up; one that was asked within the day is none more.
            if types.is_empty() || (last.is_none() && asked.at.len() >= most) {
                continue;
            }
            asked.at.insert(name, now);
            asked.format = FORMAT;
            let Ok(value) = serde_json::to_vec(&asked) else { return Ok(()) };
            let put = Put { key: ASKED.to_owned(), value: Some(value), expect, fence: ROW_FENCE };
            expect = match self.ports.store.write(&[put]).await {
                Ok(versions) => versions.first().copied().map_or(Expect::Absent, Expect::Version),
                // Another worker was first: it asks, and the next look finds what it was told.
                Err(StoreError::Lost(_)) => return Ok(()),
                Err(error) => return Err(error),
            };
            self.ask_scores(port, &subject, &types, now).await?;
        }
        Ok(())
    }

    /// What is to be known and is not, the most wanted first.
    fn wanted_scores(&self) -> Vec<Subject> {
        let now = self.now();
        let mut memory = self.memory();
        memory.placement.wanted.retain(|_, (_, at)| now.since(*at) <= WANTED_FOR);
        let wanted: Vec<(u64, Subject)> =
            memory.placement.wanted.iter().map(|(subject, (count, _))| (*count, subject.clone())).collect();
        let stale = |(region, size): &Subject| {
            let at = memory.markets.get(region).and_then(|market| market.placements.asked_at(size));
            at.is_none_or(|at| now.since(at) >= ASK_EVERY)
        };
        let mut wanted: Vec<(u64, Subject)> = wanted.into_iter().filter(|(_, subject)| stale(subject)).collect();
        drop(memory);
        wanted.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.cmp(other)));
        wanted.into_iter().map(|(_, subject)| subject).collect()
    }

    async fn stored_score(&self, subject: &Subject) -> Result<Option<Scored>, StoreError> {
        let row = self.ports.store.get(&row_of(subject)).await?;
        Ok(row.and_then(|row| serde_json::from_slice(&row.value).ok()))
    }

    fn scored(&self, (region, size): &Subject, scored: Scored) {
        let mut memory = self.memory();
        Arc::make_mut(&mut memory.market(region).placements).put(size.clone(), scored);
    }

    async fn ask_scores(
        &self,
        port: &dyn Placement,
        subject: &Subject,
        types: &[TypeId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (region, size) = subject;
        match port.scores(region, types).await {
            Ok(zones) => {
                self.memory().placement.refused = None;
                let scored = Scored { at: now, zones: zones.into_iter().collect() };
                tracing::debug!(%region, %size, zones = scored.zones.len(), "Spot placement scores");
                self.scored(subject, scored.clone());
                let Ok(value) = serde_json::to_vec(&scored) else { return Ok(()) };
                let put = Put { key: row_of(subject), value: Some(value), expect: Expect::Anything, fence: ROW_FENCE };
                self.ports.store.write(&[put]).await.map(drop)
            }
            Err(fault) => {
                let told = self.memory().placement.refused.replace(fault.clone());
                if told.as_ref() != Some(&fault) {
                    tracing::warn!(%region, %size, why = %fault, "Spot placement scores are unknown");
                }
                Ok(())
            }
        }
    }
}
