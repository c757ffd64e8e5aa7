//! Which accounts of the organization the hub may serve at all.
//!
//! Knows the settings' choice; knows nothing of policies, which say what is done in a served account.

use std::collections::{BTreeMap, BTreeSet};

use spothub_core::id::AccountId;

use super::unit::UnitId;

/// Where to look for accounts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// The whole organization.
    All,
    /// These accounts, and all accounts at any depth below these units.
    Chosen {
        /// Accounts by id.
        accounts: BTreeSet<AccountId>,
        /// Units by id, as names can be changed; a root stands for everything.
        units: BTreeSet<UnitId>,
    },
}

/// Which accounts are enrolled: those of the scope, without the excluded, and with the tag where one is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Enrolment {
    /// Where to look.
    pub scope: Scope,
    /// Accounts that are never enrolled.
    pub without: BTreeSet<AccountId>,
    /// Key and value that the account itself must be tagged with. Tags cost one call an account, so they are read only
    /// where this is set.
    pub tag: Option<(String, String)>,
    /// Tags are read in any case, for policy that goes by them.
    pub tags: bool,
}

impl Enrolment {
    /// Every account of the organization.
    #[must_use]
    pub fn all() -> Self {
        Self { scope: Scope::All, without: BTreeSet::new(), tag: None, tags: false }
    }

    /// Whether an account below these units is in scope, its tags apart.
    pub(super) fn covers(&self, account: AccountId, chain: &[UnitId]) -> bool {
        let inside = match &self.scope {
            Scope::All => true,
            Scope::Chosen { accounts, units } => {
                accounts.contains(&account) || chain.iter().any(|unit| units.contains(unit))
            }
        };
        inside && !self.without.contains(&account)
    }

    /// Whether an account with these tags has the one asked for; `None` where its tags are not known.
    pub(super) fn tagged(&self, tags: Option<&BTreeMap<String, String>>) -> bool {
        match &self.tag {
            None => true,
            Some((key, value)) => tags.is_some_and(|tags| tags.get(key) == Some(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u64) -> AccountId {
        AccountId::from_number(number).unwrap()
    }

    #[test]
    fn scope_exclusion_and_tag_each_have_a_say() {
        let chain: Vec<UnitId> = ["r-ab12", "ou-ab12-11111111"].iter().map(|id| id.parse().unwrap()).collect();
        let chosen = |units: &[&str], accounts: &[u64]| Enrolment {
            scope: Scope::Chosen {
                accounts: accounts.iter().map(|n| account(*n)).collect(),
                units: units.iter().map(|id| id.parse().unwrap()).collect(),
            },
            ..Enrolment::all()
        };
        assert!(Enrolment::all().covers(account(1), &chain));
        assert!(chosen(&["ou-ab12-11111111"], &[]).covers(account(1), &chain));
        assert!(chosen(&["r-ab12"], &[]).covers(account(1), &chain));
        assert!(!chosen(&["ou-ab12-22222222"], &[2]).covers(account(1), &chain));
        assert!(chosen(&[], &[1]).covers(account(1), &chain));
        assert!(!chosen(&[], &[]).covers(account(1), &chain), "nothing chosen is nothing");
        let without = Enrolment { without: [account(1)].into(), ..Enrolment::all() };
        assert!(!without.covers(account(1), &chain) && without.covers(account(2), &chain));
        let tag = Enrolment { tag: Some(("spot".into(), "yes".into())), ..Enrolment::all() };
        let tags = |value: &str| BTreeMap::from([("spot".to_owned(), value.to_owned())]);
        assert!(tag.tagged(Some(&tags("yes"))) && !tag.tagged(Some(&tags("no"))) && !tag.tagged(None));
        assert!(Enrolment::all().tagged(None));
    }
}
