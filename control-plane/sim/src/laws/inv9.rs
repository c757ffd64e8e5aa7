//! INV-9: every event received ends once, with a reason.

use std::collections::BTreeMap;

use super::report::Report;
use super::settings::LawSettings;

/// The law.
pub(super) const LAW: (&str, &str) = (
    "INV-9",
    "Every event received ends as acted on, held, ignored, duplicate or quarantined, each with a reason; none \
     vanishes, and none is acted on twice.",
);

/// How many received events ended in which way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EventEnds {
    /// They woke a group or left a signal.
    pub acted: u64,
    /// Ours, and held.
    pub held: u64,
    /// Not ours.
    pub ignored: u64,
    /// Seen before.
    pub duplicate: u64,
    /// Unreadable, or from where nobody is enrolled.
    pub quarantined: u64,
}

impl EventEnds {
    /// All of them.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.acted + self.held + self.ignored + self.duplicate + self.quarantined
    }

    fn count(&mut self, end: &str) -> Option<&mut u64> {
        Some(match end {
            "acted" => &mut self.acted,
            "held" => &mut self.held,
            "ignored" => &mut self.ignored,
            "duplicate" => &mut self.duplicate,
            "quarantined" => &mut self.quarantined,
            _ => return None,
        })
    }
}

/// The events under way: sent, and not yet ended in every copy.
#[derive(Debug, Default)]
pub(super) struct Events {
    under_way: BTreeMap<String, Sent>,
    ends: EventEnds,
    /// Until then, what a dead worker had dealt with and not deleted comes again.
    again_until: Option<i64>,
}

#[derive(Debug)]
struct Sent {
    t: i64,
    copies: u32,
    ended: u32,
    dealt_with: bool,
    excused: bool,
}

/// SQS shows an undeleted message again after two minutes; received once more then, it is deleted within another.
const AGAIN: i64 = 180_000;

impl Events {
    /// The bus sent an event. A lost one is no longer anybody's; of an `excused` one nobody need know all copies.
    pub(super) fn sent(&mut self, t: i64, id: &str, copies: u32, excused: bool) {
        if copies > 0 {
            self.under_way.insert(id.to_owned(), Sent { t, copies, ended: 0, dealt_with: false, excused });
        }
    }

    /// The engine was killed: what it had seen, only it knew, and what it had not deleted comes again.
    pub(super) fn died(&mut self, t: i64) {
        self.again_until = Some(t + AGAIN);
        for sent in self.under_way.values_mut() {
            sent.excused = true;
        }
    }

    /// A copy ended.
    pub(super) fn ended(&mut self, t: i64, id: &str, end: &str, reason: &str, report: &mut Report) {
        match self.ends.count(end) {
            Some(count) => *count += 1,
            None => report.add(LAW.0, t, None, || format!("event {id} ended as {end:?}, which is no end")),
        }
        if reason.trim().is_empty() {
            report.add(LAW.0, t, None, || format!("event {id} ended as {end} without a reason"));
        }
        let Some(sent) = self.under_way.get_mut(id) else {
            // What cannot be read has no id to be known by.
            if end != "quarantined" && self.again_until.is_none_or(|until| until < t) {
                report.add(LAW.0, t, None, || format!("event {id} ended as {end} more often than it was sent"));
            }
            return;
        };
        let repeated = end == "duplicate";
        if sent.excused {
            // Seen by a worker that is gone, or not: nobody can tell.
        } else if sent.dealt_with && !repeated {
            report.add(LAW.0, t, None, || format!("event {id} ended as {end} after it was dealt with"));
        } else if !sent.dealt_with && repeated {
            report.add(LAW.0, t, None, || format!("event {id} ended as a duplicate of nothing: it vanished"));
        }
        sent.dealt_with = true;
        sent.ended += 1;
        if sent.ended == sent.copies && !sent.excused {
            self.under_way.remove(id);
        }
    }

    /// The queues are empty: whatever was sent long enough ago must have ended.
    pub(super) fn finish(&self, t: i64, settings: &LawSettings, report: &mut Report) {
        let due = |sent: &Sent| sent.ended < sent.copies && sent.t < t - settings.event_bound.0;
        for (id, sent) in self.under_way.iter().filter(|(_, sent)| due(sent)) {
            report.add(LAW.0, t, None, || {
                format!(
                    "event {id} was sent in {} copies and ended {} times: the rest vanished",
                    sent.copies, sent.ended
                )
            });
        }
    }

    pub(super) fn ends(&self) -> EventEnds {
        self.ends
    }
}
