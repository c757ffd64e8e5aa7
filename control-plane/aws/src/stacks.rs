//! CloudFormation for who installs: ordinary stacks, stack sets, and the sessions of the accounts where they are.
//!
//! Knows how stacks are read and changed, one call at a time; what they hold, in which order they are changed and how
//! long anybody waits is the command's business. Whoever calls reads the answer to a refusal, so it is kept in words.

mod account;
mod call;
mod instance;
mod operation;
mod refusal;
mod set;
mod stack;

use std::collections::{BTreeMap, BTreeSet};

use spothub_core::id::{AccountId, Region};

pub use account::{Organized, organization, role_of, root, through};
pub use call::token;
pub use instance::{Health, Instance};
pub use operation::{Begun, Operation, Progress, Row};
pub use refusal::StackError;
pub use set::{Filter, Leaving, Model, Preferences, SeenModel, SetAsk, SetSeen, StackSets, Targets};
pub use stack::{Phase, StackAsk, StackSeen, Stacks};

/// Values by name: parameters, tags, outputs.
pub type Named = BTreeMap<String, String>;

/// Pages of any list that are read: a stack set has at most 100,000 instances, and a page 100.
const PAGES_MAX: usize = 1_001;
/// Rows of a page: the API's most.
const PAGE_ROWS: i32 = 100;

/// For whom stack sets are asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallAs {
    /// The account of the session: the organization's management account, or one that administers its own sets.
    Own,
    /// A delegated administrator, for sets that stand in the management account.
    Delegated,
}

/// An account and a region of it: where one instance of a stack set is.
pub type Spot = (AccountId, Region);

/// The accounts and the regions of some places.
#[must_use]
pub fn sides(places: &BTreeSet<Spot>) -> (BTreeSet<AccountId>, BTreeSet<Region>) {
    places.iter().cloned().unzip()
}
