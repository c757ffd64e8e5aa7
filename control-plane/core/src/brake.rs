//! The brake: who may begin no swaps, since when, why, and by whom; and who goes back to on-demand. Stored, so that all
//! workers see it and restarts change nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, GroupKey, OuPath, Region};
use crate::time::Timestamp;

/// The format of stored brakes that this program writes.
pub const FORMAT: u16 = 1;

/// What a brake covers.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "scope", content = "of")]
pub enum BrakeScope {
    /// Everything: swaps and rescues of the whole organization.
    All,
    /// Swaps of the whole organization.
    Org,
    /// Swaps in an organizational unit and all below it.
    Ou(OuPath),
    /// Swaps in an account.
    Account(AccountId),
    /// Swaps in a region of every account.
    Region(Region),
    /// Swaps of one group.
    Group(GroupKey),
}

impl BrakeScope {
    /// Whether it covers swaps of a group in this unit.
    #[must_use]
    pub fn covers(&self, group: &GroupKey, ou: &OuPath) -> bool {
        match self {
            Self::All | Self::Org => true,
            Self::Ou(above) => above.covers(ou),
            Self::Account(account) => *account == group.site.account,
            Self::Region(region) => *region == group.site.region,
            Self::Group(one) => one == group,
        }
    }

    /// The key of its stored item.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::All => "pause/all".to_owned(),
            Self::Org => "pause/org".to_owned(),
            Self::Ou(path) => format!("pause/ou{path}"),
            Self::Account(account) => format!("pause/account/{account}"),
            Self::Region(region) => format!("pause/region/{region}"),
            Self::Group(group) => format!("pause/group/{group}"),
        }
    }
}

/// The prefix of all stored brakes.
pub const KEYS: &str = "pause/";

impl fmt::Display for BrakeScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("everything, rescues too"),
            Self::Org => f.write_str("the organization"),
            Self::Ou(path) => write!(f, "unit {path}"),
            Self::Account(account) => write!(f, "account {account}"),
            Self::Region(region) => write!(f, "region {region}"),
            Self::Group(group) => write!(f, "group {group}"),
        }
    }
}

/// One brake that is set.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Brake {
    /// Format of the item.
    pub format: u16,
    /// What it covers.
    #[serde(flatten)]
    pub scope: BrakeScope,
    /// Why, in its author's words.
    pub why: String,
    /// Its author.
    pub by: String,
    /// When it was set.
    pub at: Timestamp,
    /// What we brought there goes back to on-demand, too. A program that does not know this takes it for a brake.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revert: bool,
}

/// The brakes that are set.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Brakes(pub Vec<Brake>);

impl Brakes {
    /// The brake that stops swaps of a group in this unit.
    #[must_use]
    pub fn on_swaps(&self, group: &GroupKey, ou: &OuPath) -> Option<&Brake> {
        self.0.iter().find(|brake| brake.scope.covers(group, ou))
    }

    /// The brake that stops a return to on-demand of a group in this unit: any that asks for no return itself.
    #[must_use]
    pub fn on_returns(&self, group: &GroupKey, ou: &OuPath) -> Option<&Brake> {
        self.0.iter().find(|brake| !brake.revert && brake.scope.covers(group, ou))
    }

    /// The brake that stops rescues, too.
    #[must_use]
    pub fn on_rescues(&self) -> Option<&Brake> {
        self.0.iter().find(|brake| brake.scope == BrakeScope::All && !brake.revert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Site;

    fn brakes(scope: BrakeScope) -> Brakes {
        let (why, by) = ("a change freeze".to_owned(), "ops".to_owned());
        Brakes(vec![Brake { format: FORMAT, scope, why, by, at: Timestamp(0), revert: false }])
    }

    #[test]
    fn a_brake_covers_its_scope_and_no_more() {
        let (account, other): (AccountId, AccountId) =
            ("000000000001".parse().unwrap(), "000000000002".parse().unwrap());
        let region: Region = "eu-west-1".parse().unwrap();
        let site = Site { account, region: region.clone() };
        let group = GroupKey { site, name: "web".parse().unwrap() };
        let ou: OuPath = "/prod/web".parse().unwrap();
        let stops = |scope| brakes(scope).on_swaps(&group, &ou).is_some();
        for scope in [
            BrakeScope::All,
            BrakeScope::Org,
            BrakeScope::Ou("/prod".parse().unwrap()),
            BrakeScope::Ou("/".parse().unwrap()),
            BrakeScope::Account(account),
            BrakeScope::Region(region),
            BrakeScope::Group(group.clone()),
        ] {
            assert!(stops(scope.clone()), "{scope}");
            assert_eq!(brakes(scope.clone()).on_rescues().is_some(), scope == BrakeScope::All);
            let text = serde_json::to_string(&brakes(scope.clone()).0[0]).unwrap();
            assert_eq!(serde_json::from_str::<Brake>(&text).unwrap().scope, scope, "{text}");
            assert!(scope.key().starts_with(KEYS));
        }
        for scope in [
            BrakeScope::Ou("/prod/we".parse().unwrap()),
            BrakeScope::Ou("/prod/web/blue".parse().unwrap()),
            BrakeScope::Account(other),
            BrakeScope::Region("us-east-1".parse().unwrap()),
            BrakeScope::Group(GroupKey { name: "webb".parse().unwrap(), ..group.clone() }),
        ] {
            assert!(!stops(scope.clone()), "{scope}");
        }
    }
}
