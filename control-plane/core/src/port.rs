//! What the engine needs of the world, as traits in the engine's own words.
//!
//! Looking and acting are two traits: a dry run is a process that was never given an [`Act`].

mod clock;
mod cloud;
mod commitments;
mod inbox;
mod journal;
mod placement;
mod policies;
mod store;

pub use crate::cloud::{
    Account, Activity, ContainerSeen, ContainerState, Decrement, InstanceSeen, LaunchPool, Launched, Route, RunState,
    TargetState, TemplateFacts,
};
pub use clock::Clock;
pub use cloud::{Act, Cause, Directory, Launch, Look, Prices};
pub use commitments::Commitments;
pub use inbox::{DELAY_MAX, Inbox, Lane, Message, Receipt};
pub use journal::{EventEnd, Journal, Note};
pub use placement::Placement;
pub use policies::{Policies, Published, Unpublished};
pub use store::{
    Expect, FORGOTTEN_AFTER, ITEM_BYTES_MAX, KEY_BYTES_MAX, LEASELESS_FENCE_MAX, PAGE_ITEMS_MAX, Page, Past, Put,
    Store, StoreError, Stored, WRITE_BYTES_MAX, WRITE_ITEMS_MAX, within_limits,
};
