//! What is asked of Organizations, page by page, and how fast.
//!
//! Knows the API's own limits; knows nothing of what the answers are good for.

use async_trait::async_trait;
use spothub_core::fault::Fault;
use spothub_core::id::AccountId;
use spothub_core::time::Span;

use super::unit::{Chain, UnitId};

/// One question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Ask {
    /// All accounts: ListAccounts.
    Accounts,
    /// The organization's root: ListRoots.
    Roots,
    /// Units right below one: ListOrganizationalUnitsForParent.
    UnitsOf(UnitId),
    /// Accounts right below one: ListAccountsForParent.
    AccountsOf(UnitId),
    /// Name of a unit: DescribeOrganizationalUnit.
    Unit(UnitId),
    /// Tags of an account: ListTagsForResource.
    Tags(AccountId),
}

/// One row of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Item {
    /// An account.
    Account(Row),
    /// A unit and its name.
    Unit(UnitId, String),
    /// A tag.
    Tag(String, String),
}

/// An account as it is listed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Row {
    pub(super) id: AccountId,
    pub(super) name: String,
    pub(super) active: bool,
    /// The units above it, where AWS says so.
    pub(super) chain: Option<Chain>,
}

/// One page of an answer: it may be empty although more follows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    pub(super) next: Option<String>,
}

/// Who answers: the SDK, or a test.
#[async_trait]
pub(super) trait Answer: Send + Sync {
    /// One page, or one answer that has no pages.
    async fn page(&self, ask: &Ask, token: Option<&str>) -> Result<Page, Fault>;
}

/// The API's buckets: each fills on its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) enum Bucket {
    Accounts,
    Roots,
    UnitsOf,
    AccountsOf,
    Unit,
    Tags,
}

impl Ask {
    pub(super) const fn bucket(&self) -> Bucket {
        match self {
            Self::Accounts => Bucket::Accounts,
            Self::Roots => Bucket::Roots,
            Self::UnitsOf(_) => Bucket::UnitsOf,
            Self::AccountsOf(_) => Bucket::AccountsOf,
            Self::Unit(_) => Bucket::Unit,
            Self::Tags(_) => Bucket::Tags,
        }
    }
}

impl Bucket {
    /// The least time between two calls of ours.
    ///
    /// Half of what one account may send, since the organization's bucket is shared with every other tool: 8 a second
    /// for ListAccounts, 1 for ListRoots, 5 for the lists by parent, 10 for tags (Organizations User Guide, throttling
    /// limits). No figure is published for DescribeOrganizationalUnit; it is taken as slow as the slowest list.
    pub(super) const fn interval(self) -> Span {
        match self {
            Self::Accounts => Span::millis(250),
            Self::Roots => Span::secs(2),
            Self::UnitsOf | Self::AccountsOf | Self::Unit => Span::millis(400),
            Self::Tags => Span::millis(200),
        }
    }
}
