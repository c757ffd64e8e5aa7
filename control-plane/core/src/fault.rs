//! What a cloud call can answer instead of success.
//!
//! The adapters classify once; the engine matches these exhaustively and never looks at a text.

use crate::catalog::TypeId;
use crate::id::{AzId, InstanceId};
use crate::time::Span;

/// The closed list of answers that are no success.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The API's bucket is empty; nothing happened.
    #[error("throttled")]
    Throttled {
        /// How long AWS, or our own limiter, asks us to wait.
        after: Option<Span>,
    },
    /// No pool of the request had capacity; nothing was launched. The pools are those that answered so.
    #[error("no Spot capacity in {} pools", .0.len())]
    NoCapacity(Vec<(AzId, TypeId)>),
    /// The account's Spot or instance quota is used up; nothing was launched.
    #[error("a quota of the account is used up")]
    Quota,
    /// The role lacks the right, or a control policy forbids it; nothing happened.
    #[error("access denied for {0}")]
    Denied(&'static str),
    /// The account is suspended, closed, or its role cannot be assumed.
    #[error("the account cannot be reached: {0}")]
    Unreachable(&'static str),
    /// The hub could not ask: nothing happened, and it says nothing of the account.
    #[error("the hub cannot call: {0}")]
    Unable(Unable),
    /// What was named does not exist any more.
    #[error("gone")]
    Gone,
    /// The group's state forbids this just now (at MaxSize, Launch suspended, an activity in progress).
    #[error("refused by the group's state: {0}")]
    Conflict(Conflict),
    /// The request itself was refused: our translation is wrong, or the template is not valid on Spot.
    #[error("the request was refused: {0}")]
    Invalid(&'static str),
    /// Sent, and no answer: it may have happened.
    #[error("no answer: it may have happened")]
    Unclear,
    /// The service failed; nothing happened as far as it says.
    #[error("the service failed")]
    Broken,
}

/// Why a group's state refused a call.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Conflict {
    /// Attaching would lift desired beyond MaxSize.
    #[error("at MaxSize")]
    AtMax,
    /// Decrementing would lower desired below MinSize.
    #[error("at MinSize")]
    AtMin,
    /// The process Launch is suspended.
    #[error("Launch is suspended")]
    LaunchSuspended,
    /// The instance is not in a state that allows the call.
    #[error("{0} is in another state")]
    InstanceState(InstanceId),
    /// Another scaling activity runs, or the service is contended: look again and retry.
    #[error("another activity is in progress")]
    Busy,
}

/// What keeps the hub from asking.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, thiserror::Error)]
pub enum Unable {
    /// Nothing is there to sign with.
    #[error("it found no credentials")]
    NoCredentials,
    /// Its own credentials are unknown, over, or of no use in this region.
    #[error("its own credentials are not accepted there")]
    NotAccepted,
    /// The endpoint's name does not resolve.
    #[error("the endpoint's name is not known")]
    NoHost,
    /// The endpoint cannot be connected to.
    #[error("nobody is reached at the endpoint")]
    NoConnection,
}

impl Unable {
    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NoCredentials => "no-credentials",
            Self::NotAccepted => "not-accepted",
            Self::NoHost => "no-host",
            Self::NoConnection => "no-connection",
        }
    }
}

impl Fault {
    /// Whether the same question may be answered a little later, by itself.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Throttled { .. }
            | Self::Unable(Unable::NoConnection)
            | Self::Unclear
            | Self::Broken
            | Self::Conflict(_) => true,
            Self::NoCapacity(_)
            | Self::Quota
            | Self::Denied(_)
            | Self::Unreachable(_)
            | Self::Unable(Unable::NoCredentials | Unable::NotAccepted | Unable::NoHost)
            | Self::Gone
            | Self::Invalid(_) => false,
        }
    }

    /// A stable label for metrics and traces.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Throttled { .. } => "throttled",
            Self::NoCapacity(_) => "no-capacity",
            Self::Quota => "quota",
            Self::Denied(_) => "denied",
            Self::Unreachable(_) => "unreachable",
            Self::Unable(why) => why.label(),
            Self::Gone => "gone",
            Self::Conflict(_) => "conflict",
            Self::Invalid(_) => "invalid",
            Self::Unclear => "unclear",
            Self::Broken => "broken",
        }
    }
}
