//! Swaps in flight elsewhere, by whose budget they count against.

use crate::breaker::Shut;
use crate::policy::Budgets;
use crate::reason::Scope;

/// Swaps in flight in one scope, and the least that the policies of their groups allow there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flight {
    /// In flight now.
    pub used: u32,
    /// The smallest limit among them: a budget binds whoever comes next, too.
    pub limit: u32,
}

impl Default for Flight {
    fn default() -> Self {
        Self { used: 0, limit: u32::MAX }
    }
}

impl Flight {
    /// One more is in flight, of a group whose policy allows `limit`.
    pub fn add(&mut self, limit: u32) {
        self.used += 1;
        self.limit = self.limit.min(limit);
    }
}

/// What goes on elsewhere: swaps in flight now, by whose budget they count against, and what failed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Load {
    /// In the organization.
    pub organization: Flight,
    /// In the group's unit.
    pub ou: Flight,
    /// In the group's account.
    pub account: Flight,
    /// The breaker of the group's account and region, while it lets nothing begin.
    pub shut: Option<Shut>,
}

impl Load {
    /// The scope, with its limit, that has no room for one more swap of a group with these budgets.
    #[must_use]
    pub fn full(&self, budgets: &Budgets) -> Option<(Scope, u32)> {
        let scopes = [
            (Scope::Account, self.account, budgets.account),
            (Scope::Ou, self.ou, budgets.ou),
            (Scope::Organization, self.organization, budgets.organization),
        ];
        let found = scopes.into_iter().find(|(_, flight, own)| flight.used >= flight.limit.min(*own));
        found.map(|(scope, flight, own)| (scope, flight.limit.min(own)))
    }
}
