//! What the answer to a launch says: of the newcomer, and of pools.

use std::sync::Arc;

use spothub_core::catalog::TypeId;
use spothub_core::fault::Fault;
use spothub_core::group::{InstanceFacts, Lifecycle};
use spothub_core::id::AzId;
use spothub_core::market::Pool;
use spothub_core::port::Launched;
use spothub_core::saga::Next;

use crate::engine::Engine;
use crate::held::Held;

impl Engine {
    /// Shares with all accounts what the answer to a launch says of the pools.
    pub(crate) async fn learn(&self, held: &Held, index: usize, call: &Next, result: &Result<Option<Launched>, Fault>) {
        let Next::Launch { .. } = call else { return };
        let record = &held.kept.record;
        let op = &record.ops[index];
        let (site, now) = (&record.group.site, self.now());
        let pool = |kind| Pool { az: op.az.clone(), kind, product: op.product };
        let gave = result.as_ref().ok().and_then(|launched| launched.as_ref()).map(|launched| pool(launched.kind));
        // Anything else is tried again.
        if gave.is_some() || matches!(result, Err(Fault::NoCapacity(_))) {
            self.shares_answered(site.account, &op.id, gave.as_ref());
        }
        match result {
            Ok(Some(launched)) => {
                let spot = op.request.lifecycle == Lifecycle::Spot;
                let refused = launched.refused.iter().map(|kind| pool(*kind)).collect();
                if spot {
                    self.told(&site.region, refused, Some(pool(launched.kind))).await;
                }
                // What we asked for is known without asking EC2; when it says that the launch was, the sweep hears.
                let facts = InstanceFacts {
                    lifecycle: op.request.lifecycle,
                    subnet: op.subnet.clone(),
                    launched_at: now,
                    swap: Some(op.id.clone()),
                    dedicated: false,
                    reserved: false,
                };
                let mut memory = self.memory();
                memory.joins(&launched.id, &record.group, now);
                let known = memory.instance(site, &launched.id, now);
                known.pool = spot.then(|| pool(launched.kind));
                known.facts = Some(Arc::new(facts));
            }
            // What there is on demand says nothing of Spot.
            Err(Fault::NoCapacity(pools)) if op.request.lifecycle == Lifecycle::Spot => {
                let pool = |(az, kind): &(AzId, TypeId)| Pool { az: az.clone(), kind: *kind, product: op.product };
                self.told(&site.region, pools.iter().map(pool).collect(), None).await;
            }
            _ => {}
        }
    }
}
