//! What is kept of a swap or rescue that is over.

use serde::{Deserialize, Serialize};

use super::End;
use crate::audit::Link;
use crate::id::{GroupKey, InstanceId, SwapId};
use crate::time::Timestamp;

/// A swap or rescue that is over, kept for orphan checks and the ledger.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    /// Format of the item.
    pub format: u16,
    /// Which.
    pub id: SwapId,
    /// Its group.
    pub group: GroupKey,
    /// How it ended.
    pub end: End,
    /// When.
    pub at: Timestamp,
    /// What it was to replace.
    pub old: InstanceId,
    /// What it launched, if anything.
    pub new: Option<InstanceId>,
    /// Whether that was ever attached.
    pub attached: bool,
    /// The policy that it was begun under, as in [`Op::policy`](super::Op::policy).
    #[serde(default)]
    pub policy: String,
    /// When it was begun; `None` in rows of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// The end before it in the group's chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Link>,
}
