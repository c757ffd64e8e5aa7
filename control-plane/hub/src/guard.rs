//! Alarms that guard a group: red, they keep swaps from beginning, take back one that is under way, and open the
//! group's breaker where they go red soon after one.

use spothub_core::fault::Fault;
use spothub_core::group::GroupView;
use spothub_core::plan::{self, guarded};
use spothub_core::port::Lane;
use spothub_core::reason::HoldReason;
use spothub_core::record::{Stage, Why};
use spothub_core::saga;
use spothub_core::time::Span;

use crate::engine::Engine;
use crate::held::{Halt, Held};
use crate::observe::during;

/// Between two looks at the alarms of a group that was just changed: an alarm's own period is a minute as a rule.
const BAKE_EVERY: Span = Span::mins(1);

impl Engine {
    /// Watches the alarms of a group for a while after its last swap; `false` where one is red, or they cannot be read.
    pub(crate) async fn baked(&self, held: &mut Held, view: &mut GroupView) -> Result<bool, Halt> {
        let now = self.now();
        let Some(until) = held.kept.record.bake_until else { return Ok(true) };
        let Some(effective) = self.effective(&view.key, &view.tags) else { return Ok(true) };
        if now >= until || effective.policy.guard_alarms.is_empty() {
            held.record().bake_until = None;
            return Ok(true);
        }
        let next = (now + BAKE_EVERY).min(until);
        self.wake(&view.key, next, Lane::Normal);
        let Ok(alarms) = self.alarms(view, spothub_core::port::Cause::default()).await else { return Ok(false) };
        let extras = spothub_core::group::Extras { alarms, ..Default::default() };
        let Some(HoldReason::AlarmRed { .. }) = guarded(&view.key, &effective.policy, &extras) else {
            return Ok(true);
        };
        let group = &view.key;
        tracing::warn!(account = %group.site.account, region = %group.site.region, group = %group.name,
            "an alarm went red after a swap: the group's breaker opens");
        self.alarm_for_rollout(group);
        saga::alarmed(held.record(), now);
        let reason = plan::backing_off(&held.kept.record, now);
        self.hold(held, &reason.map(|reason| plan::Hold { instance: None, reason }).into_iter().collect::<Vec<_>>());
        Ok(false)
    }

    /// Asked just before the old one goes: a swap of choice whose newcomer serves while an alarm is red is taken back.
    /// `None` where the alarms cannot be read now.
    pub(crate) async fn red_before_pivot(&self, held: &Held, view: &GroupView, index: usize) -> Option<Option<Stage>> {
        let op = &held.kept.record.ops[index];
        let effective = self.effective(&view.key, &view.tags)?;
        let Stage::Retire { new, .. } = &op.stage else { return Some(None) };
        if op.id.is_rescue() || effective.policy.guard_alarms.is_empty() {
            return Some(None);
        }
        let alarms = self.alarms(view, during(&op.id, &view.key, op.step())).await;
        let late = self.now().since(op.ready_since()) > self.settings.timings.room_max;
        let red = match alarms {
            Ok(alarms) => {
                let extras = spothub_core::group::Extras { alarms, ..Default::default() };
                matches!(guarded(&view.key, &effective.policy, &extras), Some(HoldReason::AlarmRed { .. }))
            }
            // Who may not be asked, or does not answer for long, is not waited for with two instances running.
            Err(Fault::Denied(_) | Fault::Unreachable(_)) => true,
            Err(_) if late => true,
            Err(_) => return None,
        };
        Some(red.then(|| Stage::Undo { new: new.clone(), attached: true, sent: false, why: Why::Alarm }))
    }
}
