//! What the engine tells of itself as it goes: decisions, holds and ends, for the log, the trace and the audit.

use crate::id::{AccountId, GroupKey, InstanceId, Region, SwapId};
use crate::reason::HoldReason;
use crate::record::Step;
use crate::time::Timestamp;

/// How a received event ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum EventEnd {
    /// It woke a group, or left a signal.
    Acted,
    /// Ours, and held with a reason.
    Held,
    /// Not ours.
    Ignored,
    /// Seen before.
    Duplicate,
    /// Unreadable, or from where nobody is enrolled.
    Quarantined,
}

impl EventEnd {
    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Acted => "acted",
            Self::Held => "held",
            Self::Ignored => "ignored",
            Self::Duplicate => "duplicate",
            Self::Quarantined => "quarantined",
        }
    }
}

/// One thing that the engine did, decided or found.
#[derive(Clone, Debug)]
pub enum Note<'a> {
    /// A hold began, changed or ended (`reason` is `None`).
    Hold {
        /// The group.
        group: &'a GroupKey,
        /// The member, where it is about one.
        instance: Option<&'a InstanceId>,
        /// Why, or `None` when it is over.
        reason: Option<&'a HoldReason>,
    },
    /// A swap or rescue reached a state.
    Swap {
        /// Which.
        swap: &'a SwapId,
        /// Its group.
        group: &'a GroupKey,
        /// The state's stable label; the last is `done`, `undone`, `failed` or `stranded`.
        state: &'static str,
        /// What it replaces.
        old: &'a InstanceId,
        /// What replaces it, once launched.
        new: Option<&'a InstanceId>,
        /// Why, for an end that was not planned; a stable label.
        why: Option<&'static str>,
        /// When it began.
        began: Timestamp,
        /// The stage that it left for this state; `None` where it begins.
        left: Option<Step>,
    },
    /// The container instance of a member that is to go drains, or does not.
    Drain {
        /// For which swap or rescue.
        swap: &'a SwapId,
        /// Its group.
        group: &'a GroupKey,
        /// The member.
        instance: &'a InstanceId,
        /// A stable label: `begun`, `drained`, `late` (the time was up before its tasks had ended), `undone`,
        /// `refused` (it cannot be drained) or `kept` (it drains on, since setting it back was refused).
        state: &'static str,
        /// Running tasks when last counted, where they were.
        tasks: Option<u32>,
    },
    /// An event was dealt with.
    Event {
        /// The envelope's id, where it could be read.
        id: &'a str,
        /// Its detail-type, where it could be read.
        detail_type: &'a str,
        /// Its account, where it could be read.
        account: Option<AccountId>,
        /// Its region, where it could be read.
        region: Option<&'a Region>,
        /// How it ended.
        end: EventEnd,
        /// Why; a stable label.
        reason: &'static str,
    },
    /// Instances with our tag that the sweep reports and does not end (INV-3).
    Stray {
        /// The instance.
        instance: &'a InstanceId,
        /// Why it was left: a stable label.
        reason: &'static str,
    },
}

/// Takes notes. Called inline, so it must be quick; it must not call back.
pub trait Journal: Send + Sync {
    /// Takes one note made at `now`.
    fn note(&self, now: Timestamp, note: &Note<'_>);
}
