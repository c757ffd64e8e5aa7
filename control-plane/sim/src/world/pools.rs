//! Spot pools in use: how full they are, what AWS takes back, and when their prices change.

use spothub_core::id::InstanceId;
use spothub_core::time::Span;

use super::arena::{Inst, Phase};
use super::{Event, World};
use crate::market::{Market, PoolId, capacity};
use crate::record::{Ended, What};
use crate::shape::Delay;

/// Spot instances of one pool that have not ended.
#[derive(Debug, Default)]
pub(crate) struct PoolUse {
    pub(crate) live: Vec<Inst>,
    price_due: bool,
}

/// From the announcement to the taking.
pub(super) const NOTICE: Span = Span::mins(2);
/// From a rebalance recommendation to the announcement.
const AHEAD: Delay = Delay::mins(5, 20);
/// One that is taken with nothing announced before still gets its last minutes.
const HAZARD_HORIZON: Span = Span::hours(24 * 365);

impl World {
    pub(crate) fn pool_of(&self, inst: Inst) -> Option<PoolId> {
        let instance = self.instances.get(inst)?;
        Some(Market::pool_at(instance.zone, instance.kind?, instance.product))
    }

    fn pool_use(&mut self, pool: PoolId) -> &mut PoolUse {
        let beat = usize::try_from(self.market.beat(pool)).unwrap_or(0);
        self.pools[beat].entry(pool).or_default()
    }

    /// Spot instances in a pool now, whoever launched them.
    #[must_use]
    pub fn in_use(&self, pool: PoolId) -> u32 {
        let beat = usize::try_from(self.market.beat(pool)).unwrap_or(0);
        self.pools[beat].get(&pool).map_or(0, |p| u32::try_from(p.live.len()).unwrap_or(u32::MAX))
    }

    /// Spot instances that the pool would still hold now.
    #[must_use]
    pub fn capacity_left(&self, pool: PoolId) -> u32 {
        if self.drained.contains(&pool) {
            return 0;
        }
        self.market.capacity_at(pool, self.now()).saturating_sub(self.in_use(pool))
    }

    /// Pools with Spot instances in them.
    pub fn pools_in_use(&self) -> impl Iterator<Item = PoolId> {
        self.pools.iter().flat_map(|beat| beat.keys().copied())
    }

    pub(super) fn enter_pool(&mut self, inst: Inst) {
        let Some(pool) = self.pool_of(inst) else { return };
        let now = self.now();
        let due = self.market.next_change(pool, now);
        let emit = self.emit_prices;
        let used = self.pool_use(pool);
        used.live.push(inst);
        if emit && !used.price_due {
            used.price_due = true;
            self.exec.at(due, Event::Price(pool));
        }
        self.count_vcpu(inst, 1);
        let hazard = i64::from(self.takings.hazard_ppm_per_hour);
        if hazard > 0 {
            let mean = Span(Span::hours(1).0.saturating_mul(1_000_000) / hazard);
            let wait = self.chance.wait(mean);
            if wait < HAZARD_HORIZON {
                self.exec.at(now + wait, Event::Hazard(inst));
            }
        }
    }

    pub(super) fn leave_pool(&mut self, inst: Inst) {
        let Some(pool) = self.pool_of(inst) else { return };
        self.count_vcpu(inst, -1);
        let used = self.pool_use(pool);
        used.live.retain(|&i| i != inst);
        if used.live.is_empty() && !used.price_due {
            let beat = usize::try_from(self.market.beat(pool)).unwrap_or(0);
            self.pools[beat].remove(&pool);
        }
    }

    fn count_vcpu(&mut self, inst: Inst, sign: i64) {
        let Some(instance) = self.instances.get(inst) else { return };
        let vcpu = instance.kind.map_or(0, |kind| self.catalog.get(kind).vcpu);
        let site = &mut self.sites[instance.site as usize];
        site.spot_vcpu = u32::try_from((i64::from(site.spot_vcpu) + sign * i64::from(vcpu)).max(0)).unwrap_or(0);
    }

    pub(super) fn on_price(&mut self, pool: PoolId) {
        let now = self.now();
        let due = self.market.next_change(pool, now);
        let used = self.pool_use(pool);
        if used.live.is_empty() {
            let beat = usize::try_from(self.market.beat(pool)).unwrap_or(0);
            self.pools[beat].remove(&pool);
            return;
        }
        let live = used.live.clone();
        self.exec.at(due, Event::Price(pool));
        let (price, before) = (self.market.price_at(pool, now), self.market.price_at(pool, now - Span::millis(1)));
        let Some(usd_per_hour) = price.filter(|_| price != before) else { return };
        for inst in live {
            let Some(instance_id) = self.instances.get(inst).map(|i| i.id.clone()) else { continue };
            self.emit(What::Price { instance_id, usd_per_hour });
        }
    }

    /// A tenth of the pools steps: where more run than the pool still holds, AWS takes the excess back.
    pub(super) fn on_capacity(&mut self, beat: u8) {
        let now = self.now();
        self.exec.at(now + Span(capacity::STEP), Event::Capacity(beat));
        if self.quiet {
            return;
        }
        let mut short = Vec::new();
        for (&pool, used) in &self.pools[usize::from(beat)] {
            let holds = self.market.capacity_at(pool, now) as usize;
            if used.live.len() > holds {
                let staying: Vec<Inst> = used.live.iter().copied().filter(|&i| self.stays(i)).collect();
                let excess = staying.len().saturating_sub(holds);
                short.push((staying, excess));
            }
        }
        for (mut staying, excess) in short {
            for _ in 0..excess {
                let victim = staying.swap_remove(self.chance.index(staying.len()));
                self.doom(victim);
            }
        }
    }

    fn stays(&self, inst: Inst) -> bool {
        self.instances.get(inst).is_some_and(|i| i.lives() && !i.doomed)
    }

    /// AWS decides to take an instance: announced soon, or recommended for replacement first.
    fn doom(&mut self, inst: Inst) {
        let Some(instance) = self.instances.get_mut(inst) else { return };
        instance.doomed = true;
        if self.chance.permille(self.takings.rebalance_permille) {
            self.exec.at(self.now(), Event::Recommend(inst));
            self.after(AHEAD, Event::Announce(inst));
        } else {
            self.after(self.takings.cluster, Event::Announce(inst));
        }
    }

    pub(super) fn on_hazard(&mut self, inst: Inst) {
        if !self.quiet && self.stays(inst) {
            self.doom(inst);
        }
    }

    pub(super) fn on_recommend(&mut self, inst: Inst) {
        let Some(instance) = self.instances.get(inst) else { return };
        let (site, id) = (instance.site, instance.id.clone());
        if instance.lives() {
            self.emit(What::Recommendation { instance_id: id.clone() });
            self.publish_rebalance(site, &id);
        }
    }

    pub(super) fn on_announce(&mut self, inst: Inst) {
        if self.quiet {
            // The market is calm again: what was not announced yet is not taken.
            if let Some(instance) = self.instances.get_mut(inst) {
                instance.doomed = false;
            }
            return;
        }
        let Some((site, id)) = self.mark(inst) else { return };
        if !self.chance.permille(self.takings.silent_permille) {
            self.publish_interruption(site, &id);
        }
    }

    /// EC2 marks an instance for termination, which comes two minutes later.
    pub(super) fn mark(&mut self, inst: Inst) -> Option<(u32, InstanceId)> {
        let deadline = self.now() + NOTICE;
        let instance = self.instances.get_mut(inst).filter(|i| i.lives())?;
        instance.noticed = Some(deadline);
        let (site, instance_id) = (instance.site, instance.id.clone());
        let deadline_s = deadline.since(self.start).as_secs();
        self.emit(What::Notice { instance_id: instance_id.clone(), deadline_s });
        self.exec.at(deadline, Event::Take(inst));
        Some((site, instance_id))
    }

    pub(super) fn on_take(&mut self, inst: Inst) {
        let Some(instance) = self.instances.get_mut(inst) else { return };
        if instance.phase == Phase::Ended {
            return;
        }
        if instance.lives() && instance.why.is_none() {
            instance.why = Some(Ended::Interrupted);
        }
        self.end(inst);
    }
}
