//! What was found broken: kept up to a limit, and a standing fault once.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use crate::record::GroupRef;

/// As many as a person will read.
pub(super) const KEPT: usize = 100;

/// One breach of one law.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Violation {
    /// The law's id, as `INV-1`.
    pub law: &'static str,
    /// Virtual milliseconds since the start; written in seconds, as a trace has it.
    #[serde(serialize_with = "seconds")]
    pub t: i64,
    /// The group, where it is about one.
    pub group: Option<GroupRef>,
    /// What happened, with ids and numbers.
    pub text: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn seconds<S: Serializer>(millis: &i64, s: S) -> Result<S::Ok, S::Error> {
    // Exact: a double holds millions of hours to the millisecond.
    #[expect(clippy::cast_precision_loss, reason = "virtual times stay far below 2^53 milliseconds")]
    s.serialize_f64(*millis as f64 / 1000.0)
}

/// What a standing fault is told by: the law, and the group's or instance's number.
pub(super) type Standing = (&'static str, u32);

/// The violations found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    kept: Vec<Violation>,
    not_kept: u64,
    standing: BTreeSet<Standing>,
}

impl Report {
    /// Notes a breach.
    pub(super) fn add(&mut self, law: &'static str, t: i64, group: Option<&GroupRef>, text: impl FnOnce() -> String) {
        if self.kept.len() < KEPT {
            self.kept.push(Violation { law, t, group: group.cloned(), text: text() });
        } else {
            self.not_kept += 1;
        }
    }

    /// Whether a standing fault is news; it stays old news until [`Report::mended`].
    pub(super) fn begins(&mut self, fault: Standing) -> bool {
        self.standing.insert(fault)
    }

    /// A standing fault is over.
    pub(super) fn mended(&mut self, fault: Standing) {
        self.standing.remove(&fault);
    }

    pub(super) fn kept(&self) -> &[Violation] {
        &self.kept
    }

    pub(super) fn not_kept(&self) -> u64 {
        self.not_kept
    }
}
