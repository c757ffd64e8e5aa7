//! AutoSpotting as it is known here: its settings and tags, the groups that it acts on, and what will be different.
//!
//! Knows nothing of where settings are found and how differences are shown. Its facts are those of AutoSpotting's
//! public source and of its Terraform module; a newer build may have settings and tags that are unknown here, which is
//! then what is said of them.

mod compare;
mod difference;
mod floor;
mod held;
mod installation;
mod setting;
mod suggest;

pub use compare::{Compared, Seen, Theirs, compare, settings};
pub use difference::{Difference, Unread};
pub use installation::{Installation, Mistake};
pub use setting::{Matter, Setting};
pub use suggest::suggest;

#[cfg(test)]
mod tests;
