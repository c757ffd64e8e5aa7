//! Swaps in flight by whose budget they count against, as running sums: asked for every group that is planned.

use std::collections::BTreeMap;

use spothub_core::id::{AccountId, GroupKey, OuPath, SwapId};
use spothub_core::plan::{Flight, Load};
use spothub_core::policy::Budgets;

/// A swap in flight.
#[derive(Clone, Debug)]
struct Flying {
    group: GroupKey,
    ou: OuPath,
    budgets: Budgets,
}

/// Those of one scope, by the limit that their policy has for it.
#[derive(Debug, Default)]
struct Scope {
    used: u32,
    limits: BTreeMap<u32, u32>,
}

impl Scope {
    fn add(&mut self, limit: u32) {
        self.used += 1;
        *self.limits.entry(limit).or_default() += 1;
    }

    fn remove(&mut self, limit: u32) {
        self.used = self.used.saturating_sub(1);
        if let Some(count) = self.limits.get_mut(&limit) {
            *count -= 1;
            if *count == 0 {
                self.limits.remove(&limit);
            }
        }
    }

    fn flight(&self) -> Flight {
        Flight { used: self.used, limit: self.limits.keys().next().copied().unwrap_or(u32::MAX) }
    }
}

/// All swaps in flight of one worker.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    swaps: BTreeMap<SwapId, Flying>,
    organization: Scope,
    ous: BTreeMap<OuPath, Scope>,
    accounts: BTreeMap<AccountId, Scope>,
}

impl Flights {
    /// What is in flight around an account in a unit.
    pub(crate) fn load(&self, account: AccountId, ou: &OuPath) -> Load {
        Load {
            organization: self.organization.flight(),
            ou: self.ous.get(ou).map(Scope::flight).unwrap_or_default(),
            account: self.accounts.get(&account).map(Scope::flight).unwrap_or_default(),
            shut: None,
        }
    }

    /// One more swap is in flight.
    pub(crate) fn add(&mut self, id: SwapId, group: GroupKey, ou: OuPath, budgets: Budgets) {
        self.remove(&id);
        self.organization.add(budgets.organization);
        self.ous.entry(ou.clone()).or_default().add(budgets.ou);
        self.accounts.entry(group.site.account).or_default().add(budgets.account);
        self.swaps.insert(id, Flying { group, ou, budgets });
    }

    /// Nothing of this group is in flight after all.
    pub(crate) fn land(&mut self, group: &GroupKey) {
        let ids: Vec<SwapId> = self.swaps.iter().filter(|(_, s)| s.group == *group).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.remove(&id);
        }
    }

    /// A swap is over; nothing happens where it was none.
    pub(crate) fn remove(&mut self, id: &SwapId) {
        let Some(swap) = self.swaps.remove(id) else { return };
        self.organization.remove(swap.budgets.organization);
        if let Some(scope) = self.ous.get_mut(&swap.ou) {
            scope.remove(swap.budgets.ou);
        }
        if let Some(scope) = self.accounts.get_mut(&swap.group.site.account) {
            scope.remove(swap.budgets.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spothub_core::id::Site;
    use spothub_core::policy::Policy;

    #[test]
    fn the_smallest_limit_in_flight_binds_until_it_lands() {
        let mut flights = Flights::default();
        let (account, ou): (AccountId, OuPath) = ("000000000001".parse().unwrap(), "/prod".parse().unwrap());
        let wide = Policy::default().budgets;
        let narrow = Budgets { account: 2, ..wide };
        let id = |n| SwapId::from_number(n, false);
        let site = Site { account, region: "eu-west-1".parse().unwrap() };
        let group = GroupKey { site, name: "web".parse().unwrap() };
        flights.add(id(1), group.clone(), ou.clone(), wide);
        flights.add(id(2), group, ou.clone(), narrow);
        assert!(flights.load(account, &ou).full(&wide).is_some());
        flights.remove(&id(2));
        flights.remove(&id(2));
        assert_eq!(flights.load(account, &ou).account, Flight { used: 1, limit: wide.account });
        assert!(flights.load(account, &ou).full(&wide).is_none());
    }
}
