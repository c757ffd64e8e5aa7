//! What is kept of a group between wake-ups: one stored item holds all of its work in flight.
//!
//! One item a group keeps the laws simple: whoever writes it next must have read it, so two workers cannot both
//! begin a swap, and the intent to change MaxSize stands beside the swaps that need it.

mod closed;
mod drain;
mod left;
mod request;
mod usage;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::audit::Link;
use crate::catalog::{Product, TypeId};
use crate::id::{AzId, GroupKey, InstanceId, OuPath, SubnetId, SwapId};
use crate::money::UsdPerHour;
use crate::reason::HoldReason;
use crate::time::{Span, Timestamp};

pub use closed::Closed;
pub use drain::{Drain, Drained, FORMAT_DRAINS};
pub use left::{LEFT_MAX, Left};
pub use request::Request;
pub use usage::Usage;

/// The format of stored records that this program writes.
pub const FORMAT: u16 = 1;

/// A stored row as this program understands it; `None` where a newer one wrote it in a format of its own, or it is
/// none. What cannot be read must not be written either.
#[must_use]
pub fn read<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        format: u16,
    }
    let head: Head = serde_json::from_slice(value).ok()?;
    if head.format <= FORMAT_DRAINS { serde_json::from_slice(value).ok() } else { None }
}

/// Who may write the group's record and act on the group.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// The worker.
    pub owner: String,
    /// How long it lasts from each write of the record.
    pub length: Span,
}

/// MaxSize as we changed it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MaxIntent {
    /// What the owner had set.
    pub original: u32,
    /// What we wrote, or are about to write; restored only while the group still has it.
    pub written: u32,
    /// What we had written before that: it still stands where the later write did not happen.
    pub before: Option<u32>,
}

impl MaxIntent {
    /// Whether `max` is a value that we wrote.
    #[must_use]
    pub fn is_ours(&self, max: u32) -> bool {
        max != self.original && (max == self.written || Some(max) == self.before)
    }
}

/// A newcomer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Newcomer {
    /// The instance.
    pub id: InstanceId,
    /// Its type.
    pub kind: TypeId,
    /// When its launch was answered.
    pub launched_at: Timestamp,
}

/// Why a swap was undone or failed; stable labels.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Opted out or disabled since it began.
    OptedOut,
    /// The brake was pulled before anything was launched.
    Paused,
    /// What was to be replaced is gone, protected or in standby.
    OldGone,
    /// The owner protected it.
    OldProtected,
    /// The newcomer ended before it served.
    NewLost,
    /// The newcomer was not ready in time.
    TooSlow,
    /// The group's state does not allow attaching.
    AttachRefused,
    /// No capacity in any of the pools.
    NoCapacity,
    /// The account's quota is used up.
    Quota,
    /// Access was denied.
    Denied,
    /// The request was refused.
    Refused,
    /// The service kept failing.
    Failing,
    /// The floor or the capacity did not allow the last step in time.
    NoRoom,
    /// The owner's own changes took up the newcomer.
    Absorbed,
    /// An alarm that guards the group went red.
    Alarm,
    /// Left to the group's own replacement.
    LeftToGroup,
    /// On demand, since no pool had Spot to give.
    FellBack,
}

impl Why {
    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::OptedOut => "opted-out",
            Self::Paused => "paused",
            Self::OldGone => "old-gone",
            Self::OldProtected => "old-protected",
            Self::NewLost => "new-lost",
            Self::TooSlow => "too-slow",
            Self::AttachRefused => "attach-refused",
            Self::NoCapacity => "no-capacity",
            Self::Quota => "quota",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Failing => "failing",
            Self::NoRoom => "no-room",
            Self::Absorbed => "absorbed",
            Self::Alarm => "alarm",
            Self::LeftToGroup => "left-to-group",
            Self::FellBack => "fell-back",
        }
    }
}

/// How a swap or rescue ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "end")]
pub enum End {
    /// The newcomer serves in the old one's place.
    Done {
        /// Where it came about otherwise than planned.
        why: Option<Why>,
    },
    /// Everything is as it was.
    Undone {
        /// Why.
        why: Why,
    },
    /// Nothing was launched.
    Failed {
        /// Why.
        why: Why,
    },
    /// Access was lost half way: the owner must finish it.
    Stranded,
}

impl End {
    /// The stable label of the state.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Undone { .. } => "undone",
            Self::Failed { .. } => "failed",
            Self::Stranded => "stranded",
        }
    }

    /// Why, where it was not the plan.
    #[must_use]
    pub const fn why(self) -> Option<Why> {
        match self {
            Self::Done { why } => why,
            Self::Undone { why } | Self::Failed { why } => Some(why),
            Self::Stranded => Some(Why::Denied),
        }
    }
}

/// Where a swap is. Data lives in the state that needs it; each is recorded before its call is made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "stage")]
pub enum Stage {
    /// The launch is about to be sent, or was sent and not answered. `attempt` counts requests with new contents.
    Launch {
        /// From 0.
        attempt: u32,
    },
    /// The newcomer boots.
    Boot {
        /// It.
        new: Newcomer,
    },
    /// It is about to be attached (after raising MaxSize where needed), or was and that was not answered.
    Attach {
        /// It.
        new: Newcomer,
    },
    /// It is attached and must serve for the settle time.
    Settle {
        /// It.
        new: Newcomer,
        /// First seen in service then.
        serving_since: Option<Timestamp>,
        /// It has served long enough then; zero while it does not serve.
        ready_at: Timestamp,
    },
    /// The old one is about to be taken out, or was and that was not answered (the pivot).
    Retire {
        /// The newcomer.
        new: Newcomer,
        /// The call was sent at least once.
        sent: bool,
    },
    /// The group still wants one more for our attach, and neither side of the swap can give it back as planned.
    Net {
        /// The newcomer, where it lives.
        new: Option<Newcomer>,
        /// Who is being taken out instead.
        victim: Option<InstanceId>,
        /// How the swap will end.
        end: End,
    },
    /// The newcomer is being ended.
    Undo {
        /// It.
        new: Newcomer,
        /// It was attached, or an attach was sent.
        attached: bool,
        /// Its termination was sent.
        sent: bool,
        /// Why.
        why: Why,
    },
    /// No Spot is to be had for a rescue: the old one is let go, so that the group replaces it at once.
    LetGo,
    /// Only MaxSize is left to restore.
    Restore {
        /// How the swap will end.
        end: End,
    },
}

impl Stage {
    /// The stable label of the state.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Launch { .. } => "launch",
            Self::Boot { .. } => "boot",
            Self::Attach { .. } => "attach",
            Self::Settle { .. } => "settle",
            Self::Retire { .. } => "retire",
            Self::Net { .. } => "net",
            Self::Undo { .. } => "undo",
            Self::LetGo => "let-go",
            Self::Restore { .. } => "restore",
        }
    }

    /// Who is being taken out in place of either side of the swap.
    #[must_use]
    pub const fn victim(&self) -> Option<&InstanceId> {
        if let Self::Net { victim, .. } = self { victim.as_ref() } else { None }
    }

    /// The newcomer, once there is one.
    #[must_use]
    pub const fn newcomer(&self) -> Option<&Newcomer> {
        match self {
            Self::Launch { .. } | Self::LetGo | Self::Restore { .. } => None,
            Self::Boot { new }
            | Self::Attach { new }
            | Self::Settle { new, .. }
            | Self::Retire { new, .. }
            | Self::Undo { new, .. } => Some(new),
            Self::Net { new, .. } => new.as_ref(),
        }
    }
}

/// One stage of one swap, from when it was entered: what the calls made in it belong to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step {
    /// The stage's stable label.
    pub stage: &'static str,
    /// When it was entered.
    pub entered_at: Timestamp,
}

/// One swap or rescue in flight.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no facts, each under its own name")]
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Op {
    /// Its id; says whether it is a rescue.
    pub id: SwapId,
    /// What it replaces.
    pub old: InstanceId,
    /// Whether that one is on-demand.
    pub old_on_demand: bool,
    /// Where.
    pub az: AzId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// The operating system paid for.
    pub product: Product,
    /// The on-demand price counted for what is replaced (carried over where a rescue replaces Spot).
    pub baseline: UsdPerHour,
    /// The on-demand type at the beginning of the chain: what a newcomer must be able to stand in for.
    pub original: TypeId,
    /// What to launch.
    pub request: Request,
    /// What to launch instead, where that cannot be had: a rescue goes on demand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Request>,
    /// What was launched, also after it ended.
    pub new: Option<InstanceId>,
    /// Where it is.
    pub stage: Stage,
    /// When it began.
    pub started_at: Timestamp,
    /// When the present stage began.
    pub entered_at: Timestamp,
    /// Our attach was seen and is not taken back yet.
    pub added: bool,
    /// It was attached once.
    pub attached: bool,
    /// Desired as our attach left it: a smaller value at MaxSize means that the owner's limit took it back.
    pub desired_after: u32,
    /// The unit under which it counts in the budgets that workers share.
    #[serde(default)]
    pub counted: Option<OuPath>,
    /// How long alarms are watched after it was done; nothing guards it where that is no time.
    #[serde(default)]
    pub bake: Span,
    /// The policy that it was begun under: the first twelve digits of its digest, or of several that bound together.
    #[serde(default)]
    pub policy: String,
    /// How its container instance drains before it goes, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    /// A call of the present stage went unanswered: it may have happened.
    pub unclear: bool,
    /// Failed tries of the present stage's call.
    pub tries: u32,
}

impl Op {
    /// The stage that it is in.
    #[must_use]
    pub const fn step(&self) -> Step {
        Step { stage: self.stage.label(), entered_at: self.entered_at }
    }
}

/// Growing waits after failures.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// Failures in a row.
    pub failures: u32,
    /// No new try before this.
    pub until: Option<Timestamp>,
    /// What the last failure was.
    pub why: Option<Why>,
}

/// One hold in force: the same one again is no new row.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct HoldRow {
    /// The member, where it is about one.
    pub instance: Option<InstanceId>,
    /// Why.
    pub reason: HoldReason,
    /// Since when.
    pub since: Timestamp,
    /// How often it was found before the row was last written.
    pub count: u64,
}

/// The stored item of one group.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// Format of the item.
    pub format: u16,
    /// Which group.
    pub group: GroupKey,
    /// Who works on it, while somebody does.
    pub lease: Option<Lease>,
    /// Who drives what is in flight: the worker that wrote it last.
    #[serde(default)]
    pub driver: Option<String>,
    /// Grows with each lease; the fencing token of every write under it.
    pub fence: u64,
    /// Swaps and rescues in flight.
    pub ops: Vec<Op>,
    /// MaxSize as we changed it, while it is not restored.
    pub max: Option<MaxIntent>,
    /// When the launch of the last swap was answered.
    pub last_swap_at: Option<Timestamp>,
    /// Starts of swaps within the last hour.
    pub recent: Vec<Timestamp>,
    /// Waits after failures.
    pub backoff: Backoff,
    /// When Spot was last refused to us, by zone; a zone that gave since is not there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<AzId, Timestamp>,
    /// Until when an alarm that goes red counts against the last swap.
    #[serde(default)]
    pub bake_until: Option<Timestamp>,
    /// What stranded swaps left, until it is put right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stranded: Vec<Left>,
    /// Holds in force.
    pub holds: Vec<HoldRow>,
    /// The last end of its swaps and rescues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Link>,
}

impl GroupRecord {
    /// The record of a group of which nothing was stored yet.
    #[must_use]
    pub fn new(group: GroupKey) -> Self {
        Self {
            format: FORMAT,
            group,
            lease: None,
            driver: None,
            fence: 0,
            ops: Vec::new(),
            max: None,
            last_swap_at: None,
            recent: Vec::new(),
            backoff: Backoff::default(),
            refused: BTreeMap::new(),
            bake_until: None,
            stranded: Vec::new(),
            holds: Vec::new(),
            ended: None,
        }
    }

    /// Attaches of ours that the group still wants one more for.
    #[must_use]
    pub fn added(&self) -> u32 {
        u32::try_from(self.ops.iter().filter(|op| op.added).count()).unwrap_or(u32::MAX)
    }

    /// The swap in flight; at most one (INV-1).
    #[must_use]
    pub fn swap(&self) -> Option<&Op> {
        self.ops.iter().find(|op| !op.id.is_rescue())
    }

    /// The stranded swap whose newcomer, or whose +1, stands: until that is put right, another would only add to it.
    #[must_use]
    pub fn stranded(&self) -> Option<&SwapId> {
        self.stranded.iter().find(|left| left.new.is_some() || left.desired > 0).map(|left| &left.id)
    }

    /// What the owner wants: desired less what our unfinished attaches added, never under MinSize.
    #[must_use]
    pub fn want(&self, view: &crate::group::GroupView) -> u32 {
        view.desired.saturating_sub(self.added()).max(view.min)
    }
}
