//! What stands beside the amounts on the page: how swaps and rescues ended, how long rescues took, and what is held.

use std::collections::BTreeMap;

use anyhow::Context;
use spothub_core::port::{Clock as _, PAGE_ITEMS_MAX, Store};
use spothub_core::record::{self, Closed, End};
use spothub_core::time::{Span, Timestamp};
use spothub_hub::status::status;
use spothub_report::model::Section;

use crate::clock::WallClock;

/// Ends read at most: those of a month of ten thousand busy groups, and some 100 MB while they are read.
const ENDS_MAX: usize = 300_000;

/// Swaps, or rescues.
#[derive(Default)]
struct Tally {
    ends: BTreeMap<&'static str, u64>,
    reasons: BTreeMap<&'static str, u64>,
    took: Vec<Span>,
}

impl Tally {
    fn count(&mut self, closed: &Closed) {
        *self.ends.entry(closed.end.label()).or_default() += 1;
        if let (End::Undone { .. } | End::Failed { .. } | End::Stranded, Some(why)) = (closed.end, closed.end.why()) {
            *self.reasons.entry(why.label()).or_default() += 1;
        }
        if let (End::Done { .. }, Some(started_at)) = (closed.end, closed.started_at) {
            self.took.push(closed.at.since(started_at));
        }
    }

    fn lines(&mut self) -> Vec<(String, String)> {
        let mut lines: Vec<_> = self.ends.iter().map(|(end, count)| ((*end).to_owned(), count.to_string())).collect();
        lines.extend(self.reasons.iter().map(|(why, count)| (format!("undone or failed: {why}"), count.to_string())));
        self.took.sort_unstable();
        if let (Some(last), count) = (self.took.last(), self.took.len()) {
            let of = |percent: usize| self.took[(count * percent / 100).min(count - 1)];
            let times =
                [("half took at most", of(50)), ("95 of 100 took at most", of(95)), ("the longest took", *last)];
            lines.extend(times.map(|(name, span)| (name.to_owned(), format!("{} s", span.as_secs()))));
        }
        lines
    }
}

/// The sections of a period; what is held is told as it is now.
pub(super) async fn sections(store: &dyn Store, from: Timestamp, to: Timestamp) -> anyhow::Result<Vec<Section>> {
    let (mut swaps, mut rescues) = (Tally::default(), Tally::default());
    let (mut after, mut seen, mut unreadable) = (None::<String>, 0, 0_u64);
    let mut whole = false;
    while seen < ENDS_MAX && !whole {
        let page = store.query("swap/", after.as_deref(), PAGE_ITEMS_MAX).await.context("the store cannot be read")?;
        seen += page.items.len();
        after = page.items.last().map(|item| item.key.clone());
        whole = !page.more || after.is_none();
        for item in &page.items {
            match record::read::<Closed>(&item.value) {
                Some(closed) if closed.at < from || closed.at >= to => {}
                Some(closed) if closed.id.is_rescue() => rescues.count(&closed),
                Some(closed) => swaps.count(&closed),
                None => unreadable += 1,
            }
        }
    }
    let mut notes = Vec::new();
    if !whole {
        notes.push(format!("Of the first {seen} ends in the store alone: there are more."));
    }
    if unreadable > 0 {
        notes.push(format!("{unreadable} cannot be read by this program."));
    }
    let note = notes.join(" ");
    let now = WallClock::default().now();
    let held = status(store, now).await.context("the store cannot be read")?;
    let holds = held.holds.iter().map(|(reason, count)| ((*reason).to_owned(), count.to_string())).collect();
    let sections = [
        ("Swaps, by how they ended", note.clone(), swaps.lines()),
        ("Rescues, by how they ended and how long they took", note, rescues.lines()),
        ("Held now, by reason", format!("At {now}; spothub status says of each group what ends it."), holds),
    ];
    let told = sections.into_iter().filter(|(.., lines): &(_, _, Vec<_>)| !lines.is_empty());
    Ok(told.map(|(title, note, lines)| Section { title: title.to_owned(), note, lines }).collect())
}
