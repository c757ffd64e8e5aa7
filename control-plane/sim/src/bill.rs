//! The simulator's own bill: what every instance cost, and what it would have cost, from records alone.
//!
//! Knows the definition of cost in the design and nothing of the engine's ledger, which is compared with it
//! (INV-7). All amounts are exact integers.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use spothub_core::id::{AccountId, InstanceId};
use spothub_core::money::{Usd, UsdPerHour};
use spothub_core::time::Span;

use crate::record::{By, GroupRef, InstanceStart, PolicyLine, Record, Sink, What};

#[cfg(test)]
mod tests;

/// Collects costs as records come.
#[derive(Debug, Default)]
pub struct Bill {
    groups: BTreeMap<GroupRef, usize>,
    /// Whether each group was enabled at any time.
    enabled: Vec<bool>,
    instances: BTreeMap<InstanceId, Metered>,
}

/// One instance's meter.
#[derive(Debug)]
struct Metered {
    group: usize,
    started: i64,
    ended: Option<i64>,
    /// The price in force, and since when.
    price: UsdPerHour,
    since: i64,
    /// What was spent before that.
    spent: Usd,
    basis: Basis,
}

/// What an instance's cost is compared with.
#[derive(Debug)]
enum Basis {
    /// Its own cost: we did not launch it.
    Own,
    /// The on-demand price of what it replaces, from that one's end.
    Replaces { instance: InstanceId, price: UsdPerHour },
    /// Nothing: launched by us, and it is not said for what.
    Nothing,
}

/// Costs over some time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BillLine {
    /// What was paid.
    pub actual: Usd,
    /// What would have been paid without us.
    pub on_demand: Usd,
    /// How long instances ran, added up.
    pub run: Span,
}

impl BillLine {
    /// The difference; negative where we cost more than we saved.
    #[must_use]
    pub fn saved(&self) -> Usd {
        self.on_demand - self.actual
    }
}

impl AddAssign for BillLine {
    fn add_assign(&mut self, other: Self) {
        self.actual += other.actual;
        self.on_demand += other.on_demand;
        self.run = self.run + other.run;
    }
}

/// The bill up to some time, over groups that were enabled at any time.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BillTotals {
    /// Everything.
    pub total: BillLine,
    /// By account.
    pub by_account: BTreeMap<AccountId, BillLine>,
    /// By group.
    pub by_group: BTreeMap<GroupRef, BillLine>,
    /// By instance.
    pub by_instance: BTreeMap<InstanceId, BillLine>,
}

impl Bill {
    /// The bill at virtual millisecond `t`, no earlier than the last record; what still runs costs until then.
    #[must_use]
    pub fn close(&self, t: i64) -> BillTotals {
        let mut totals = BillTotals::default();
        let mut of_group = vec![BillLine::default(); self.enabled.len()];
        for (id, metered) in &self.instances {
            if self.enabled[metered.group] {
                let line = self.line(metered, t);
                of_group[metered.group] += line;
                totals.by_instance.insert(id.clone(), line);
            }
        }
        for (key, &group) in self.groups.iter().filter(|&(_, &group)| self.enabled[group]) {
            let line = of_group[group];
            totals.total += line;
            *totals.by_account.entry(key.account).or_default() += line;
            totals.by_group.insert(key.clone(), line);
        }
        totals
    }

    fn line(&self, metered: &Metered, t: i64) -> BillLine {
        let end = metered.ended.unwrap_or(t);
        let actual = metered.spent + metered.price.over(Span(end - metered.since));
        let on_demand = match &metered.basis {
            Basis::Own => actual,
            Basis::Nothing => Usd::ZERO,
            Basis::Replaces { instance, price } => {
                let replaced = self.instances.get(instance).and_then(|old| old.ended);
                // As long as both run, the newcomer is cost alone.
                replaced.map_or(Usd::ZERO, |gone| price.over(Span((end - gone.max(metered.started)).max(0))))
            }
        };
        BillLine { actual, on_demand, run: Span(end - metered.started) }
    }

    fn group(&mut self, key: &GroupRef) -> usize {
        if let Some(&group) = self.groups.get(key) {
            return group;
        }
        let group = self.enabled.len();
        self.groups.insert(key.clone(), group);
        self.enabled.push(false);
        group
    }

    fn start(&mut self, t: i64, start: &InstanceStart) {
        let group = self.group(&start.group);
        let basis = match (start.by, &start.replaces, start.replaces_usd_per_hour) {
            (By::Autoscaling | By::Owner, _, _) => Basis::Own,
            (By::Spothub, Some(old), Some(price)) => Basis::Replaces { instance: old.clone(), price },
            (By::Spothub, _, _) => Basis::Nothing,
        };
        let price = start.usd_per_hour;
        let metered = Metered { group, started: t, ended: None, price, since: t, spent: Usd::ZERO, basis };
        self.instances.insert(start.instance_id.clone(), metered);
    }

    fn policy(&mut self, line: &PolicyLine) {
        let group = self.group(&line.group);
        self.enabled[group] |= line.enabled && line.opted_out_by.is_none();
    }
}

impl Metered {
    /// From now on at this price.
    fn reprice(&mut self, t: i64, price: UsdPerHour) {
        if self.ended.is_none() {
            self.spent += self.price.over(Span(t - self.since));
            self.since = t;
            self.price = price;
        }
    }
}

impl Sink for Bill {
    fn take(&mut self, record: &Record) {
        let t = record.t;
        match &record.what {
            What::InstanceStart(start) => self.start(t, start),
            What::Policy(line) => self.policy(line),
            What::Price { instance_id, usd_per_hour } => {
                if let Some(metered) = self.instances.get_mut(instance_id) {
                    metered.reprice(t, *usd_per_hour);
                }
            }
            What::InstanceEnd { instance_id, .. } => {
                if let Some(metered) = self.instances.get_mut(instance_id) {
                    metered.ended.get_or_insert(t);
                }
            }
            What::Membership(_)
            | What::Notice { .. }
            | What::Recommendation { .. }
            | What::Container(_)
            | What::Call(_)
            | What::Hold { .. }
            | What::EventSent { .. }
            | What::Brake { .. }
            | What::Swap { .. }
            | What::Event { .. }
            | What::End => {}
        }
    }
}
