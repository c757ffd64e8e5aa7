//! Who uses what was committed to, and what of an instance only it uses.

use std::collections::{BTreeMap, BTreeSet};

use super::size::{flexible, quarters};
use super::{Commitment, PPM, Running, Slot, Terms};
use crate::catalog::{Catalog, Product, TypeId};
use crate::id::{AccountId, AzId, Region};
use crate::money::UsdPerHour;
use crate::time::Timestamp;

/// One instance, in millionths.
const ONE: i128 = PPM as i128;

/// The most that an EC2 Instance Savings Plan and a Compute Savings Plan save against on demand, in percent, as AWS
/// publishes it. Of which rate a plan's commitment is counted at, its description says nothing: at the highest saving
/// it takes up the most usage at on-demand prices, so no commitment is left unused for a rate that was guessed too low.
const INSTANCE_PLAN_SAVES: i128 = 72;
const COMPUTE_PLAN_SAVES: i128 = 66;

/// Who uses a commitment: all accounts that share, or one that does not.
type Payer = Option<AccountId>;

/// What commitments are pooled in. Each takes what the ones before it left, and the usage that one of them can take is
/// among what the next can take: so what is left over at each tells what happens when one instance goes.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
enum Level {
    /// Zonal reserved instances, counted in instances.
    Zone(Payer, AzId, TypeId, Product),
    /// Regional ones of one size, counted in instances.
    Size(Payer, Region, TypeId, Product),
    /// Regional ones of any size of a family, counted in quarters of normalized units.
    Family(Payer, Region, String),
    /// EC2 Instance Savings Plans, counted in on-demand prices.
    InstancePlan(Payer, Region, String),
    /// Compute Savings Plans, counted in on-demand prices.
    ComputePlan(Payer),
}

/// A level's state, in millionths of its unit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Filled {
    committed: i128,
    used: i128,
    /// Usage that reached it and found nothing left.
    over: i128,
}

/// How commitments stand in sum, by sort.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// Reserved instances that are active.
    pub reserved: u32,
    /// Active Savings Plans, in what is paid an hour.
    pub plans: UsdPerHour,
    /// Running on-demand instances that were counted.
    pub running: u32,
}

/// What commitments take up of what runs on demand.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Coverage {
    unshared: BTreeSet<AccountId>,
    levels: BTreeMap<Level, Filled>,
    standing: Standing,
}

impl Coverage {
    /// Lets commitments take up what runs, as AWS does: zonal reserved instances first, then regional ones from the
    /// smallest instance to the largest, then the plans of a family, then those of all compute. Those of the accounts
    /// in `unshared` are used by these alone, as AWS does where sharing is switched off for them; what ended by `now`
    /// does not count.
    #[must_use]
    pub fn new(
        commitments: &[Commitment],
        running: &Running,
        unshared: BTreeSet<AccountId>,
        catalog: &Catalog,
        now: Timestamp,
    ) -> Self {
        let mut found = Self { unshared, ..Self::default() };
        for commitment in commitments.iter().filter(|c| c.ends_at.is_none_or(|end| now < end)) {
            found.commit(commitment, catalog);
        }
        found.standing.running = running.values().fold(0, |sum, n| sum.saturating_add(*n));
        if found.levels.is_empty() {
            return found;
        }
        let mut rows: Vec<(&Slot, i128)> = running.iter().map(|(slot, n)| (slot, i128::from(*n) * ONE)).collect();
        for stage in 0..STAGES {
            // From the smallest to the largest; those of one size in a fixed order.
            rows.sort_by_key(|(slot, _)| (quarters(catalog.get(slot.kind)), *slot));
            for (slot, left) in &mut rows {
                let Some((level, unit)) = found.at(stage, slot, catalog) else { continue };
                let Some(filled) = found.levels.get_mut(&level) else { continue };
                let wanted = *left * unit;
                let taken = wanted.min(filled.committed - filled.used);
                filled.used += taken;
                filled.over += wanted - taken;
                *left = (wanted - taken) / unit;
            }
        }
        found
    }

    /// How much of one such instance no commitment would miss, in millionths: all of it while as much runs besides
    /// that nothing covers.
    #[must_use]
    pub fn uncovered(&self, slot: &Slot, catalog: &Catalog) -> u32 {
        let mut least = ONE;
        for stage in 0..STAGES {
            let Some((level, unit)) = self.at(stage, slot, catalog) else {
                // Without a price nobody knows what of a plan it uses.
                least = if self.unpriced(stage, slot, catalog) { 0 } else { least };
                continue;
            };
            if let Some(filled) = self.levels.get(&level) {
                least = least.min(filled.over / unit);
            }
        }
        u32::try_from(least.clamp(0, ONE)).unwrap_or(0)
    }

    /// One such instance runs on demand no more.
    pub fn convert(&mut self, slot: &Slot, catalog: &Catalog) {
        let mut goes = ONE;
        for stage in 0..STAGES {
            let Some((level, unit)) = self.at(stage, slot, catalog) else { continue };
            let Some(filled) = self.levels.get_mut(&level) else { continue };
            let (wanted, over) = (goes * unit, filled.over);
            let handed_over = wanted.min(over);
            filled.over -= handed_over;
            // What no other usage takes over stays unused.
            filled.used = (filled.used - (wanted - handed_over)).max(0);
            goes = (handed_over + unit - 1) / unit;
        }
    }

    /// The part of what runs uncovered that one of several workers may take for itself: each decides by itself, and
    /// hears of the others' swaps at the next reading.
    #[must_use]
    pub fn divided(mut self, workers: usize) -> Self {
        let workers = i128::try_from(workers.max(1)).unwrap_or(i128::MAX);
        for filled in self.levels.values_mut() {
            filled.over /= workers;
        }
        self
    }

    /// Whether there is any commitment at all.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.levels.is_empty()
    }

    /// How commitments stand in sum.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// How much of all commitments is used, in millionths of each one's unit: what must not go down.
    #[cfg(test)]
    pub(super) fn used(&self) -> Vec<i128> {
        self.levels.values().map(|filled| filled.used).collect()
    }

    #[cfg(test)]
    pub(super) fn over_committed(&self) -> bool {
        self.levels.values().any(|filled| filled.used > filled.committed || filled.over < 0)
    }

    fn commit(&mut self, commitment: &Commitment, catalog: &Catalog) {
        let payer = self.payer(commitment.account);
        let (level, amount) = match &commitment.terms {
            Terms::Reserved { region, az, kind, product, count } => {
                let (facts, n) = (catalog.get(*kind), i128::from(*count) * ONE);
                self.standing.reserved = self.standing.reserved.saturating_add(*count);
                match az {
                    Some(az) => (Level::Zone(payer, az.clone(), *kind, *product), n),
                    None if flexible(facts, *product) => {
                        let level = Level::Family(payer, region.clone(), facts.family.to_string());
                        (level, n * i128::from(quarters(facts)))
                    }
                    None => (Level::Size(payer, region.clone(), *kind, *product), n),
                }
            }
            Terms::InstancePlan { region, family, hourly } => {
                self.standing.plans.0 = self.standing.plans.0.saturating_add(hourly.0);
                let level = Level::InstancePlan(payer, region.clone(), family.clone());
                (level, takes_up(*hourly, INSTANCE_PLAN_SAVES))
            }
            Terms::ComputePlan { hourly } => {
                self.standing.plans.0 = self.standing.plans.0.saturating_add(hourly.0);
                (Level::ComputePlan(payer), takes_up(*hourly, COMPUTE_PLAN_SAVES))
            }
        };
        if amount > 0 {
            self.levels.entry(level).or_default().committed += amount;
        }
    }

    fn payer(&self, account: AccountId) -> Payer {
        self.unshared.contains(&account).then_some(account)
    }

    /// The level of a stage that a slot belongs to, and how much of it one instance uses; `None` where it has none, or
    /// no price.
    fn at(&self, stage: usize, slot: &Slot, catalog: &Catalog) -> Option<(Level, i128)> {
        let (payer, facts) = (self.payer(slot.account), catalog.get(slot.kind));
        let family = || facts.family.to_string();
        let price = || {
            let price = catalog.on_demand(&slot.region, slot.product, slot.kind)?;
            (price.0 > 0).then_some(i128::from(price.0))
        };
        match stage {
            0 => Some((Level::Zone(payer, slot.az.clone(), slot.kind, slot.product), 1)),
            1 if flexible(facts, slot.product) => {
                Some((Level::Family(payer, slot.region.clone(), family()), i128::from(quarters(facts))))
            }
            1 => Some((Level::Size(payer, slot.region.clone(), slot.kind, slot.product), 1)),
            2 => Some((Level::InstancePlan(payer, slot.region.clone(), family()), price()?)),
            _ => Some((Level::ComputePlan(payer), price()?)),
        }
    }

    /// Whether a plan may cover a slot whose price is not known.
    fn unpriced(&self, stage: usize, slot: &Slot, catalog: &Catalog) -> bool {
        let payer = self.payer(slot.account);
        let family = catalog.get(slot.kind).family.to_string();
        match stage {
            2 => self.levels.contains_key(&Level::InstancePlan(payer, slot.region.clone(), family)),
            3 => self.levels.contains_key(&Level::ComputePlan(payer)),
            _ => false,
        }
    }
}

/// Zonal reserved instances, regional ones, plans of a family, plans of all compute.
const STAGES: usize = 4;

/// How much usage at on-demand prices an hourly commitment takes up at most, in millionths of a price.
fn takes_up(hourly: UsdPerHour, saves: i128) -> i128 {
    i128::from(hourly.0.max(0)) * ONE * 100 / (100 - saves)
}
