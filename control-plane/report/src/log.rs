//! The log of what was done, as lines for others to keep.

use std::error::Error;

use serde::Serialize;
use spothub_core::audit::{BrakeRow, Deed};
use spothub_core::brake::BrakeScope;
use spothub_core::id::AccountId;
use spothub_core::record::{Closed, Why};
use spothub_core::time::Timestamp;

use crate::text::{lines, member};

/// Columns of csv.
pub const COLUMNS: [&str; 11] =
    ["at", "deed", "account", "region", "group", "scope", "by", "why", "old", "new", "policy"];

/// One thing that was done.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "row")]
pub enum Row {
    /// A swap or rescue ended.
    Ended(Closed),
    /// Somebody set or released a brake.
    Brake(BrakeRow),
}

impl Row {
    /// When.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Ended(closed) => closed.at,
            Self::Brake(row) => row.brake.at,
        }
    }

    /// In which account, where it is one.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Ended(closed) => Some(closed.group.site.account),
            Self::Brake(row) => match &row.brake.scope {
                BrakeScope::Account(account) => Some(*account),
                BrakeScope::Group(group) => Some(group.site.account),
                BrakeScope::All | BrakeScope::Org | BrakeScope::Ou(_) | BrakeScope::Region(_) => None,
            },
        }
    }

    fn cells(&self) -> [String; 11] {
        let none = String::new;
        let account = self.account().map(|account| account.to_string()).unwrap_or_default();
        match self {
            Self::Ended(closed) => {
                let kind = if closed.id.is_rescue() { "rescue" } else { "swap" };
                [
                    closed.at.to_string(),
                    format!("{kind} {}", closed.end.label()),
                    account,
                    member(closed.group.site.region.as_str()),
                    member(closed.group.name.as_str()),
                    none(),
                    "spothub".to_owned(),
                    closed.end.why().map(Why::label).unwrap_or_default().to_owned(),
                    closed.old.to_string(),
                    closed.new.as_ref().map(ToString::to_string).unwrap_or_default(),
                    member(&closed.policy),
                ]
            }
            Self::Brake(row) => {
                let deed = match (row.deed, row.brake.revert) {
                    (Deed::Pulled, false) => "paused",
                    (Deed::Pulled, true) => "reverted",
                    (Deed::Released, _) => "resumed",
                };
                let scope = member(&row.brake.scope.to_string());
                let (by, why) = (member(&row.brake.by), member(&row.brake.why));
                [
                    row.brake.at.to_string(),
                    deed.to_owned(),
                    account,
                    none(),
                    none(),
                    scope,
                    by,
                    why,
                    none(),
                    none(),
                    none(),
                ]
            }
        }
    }
}

/// One line for each row, with a heading.
///
/// # Errors
///
/// Where the text cannot be written, which memory alone could be the reason of.
pub fn csv(rows: &[Row]) -> Result<String, Box<dyn Error + Send + Sync>> {
    lines(COLUMNS, rows.iter().map(Row::cells))
}
