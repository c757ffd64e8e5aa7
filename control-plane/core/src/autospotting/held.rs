//! What spothub holds for reasons of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::{Difference, Seen};
use crate::reason::HoldReason;

/// Why members stay on demand for reasons that AutoSpotting does not share, or not in the same way.
pub(super) fn add(seen: &Seen<'_>, found: &mut BTreeSet<Difference>) {
    let mut sums = BTreeMap::<&'static str, (u32, &HoldReason)>::new();
    for hold in seen.rest.iter().filter(|hold| own(&hold.reason)) {
        let keeps = if hold.instance.is_some() { 1 } else { seen.stays };
        sums.entry(hold.reason.label()).or_insert((0, &hold.reason)).0 += keeps;
    }
    for (reason, (members, why)) in sums.into_iter().filter(|(_, (members, _))| *members > 0) {
        found.insert(Difference::Held { reason, members, remedy: why.remedy() });
    }
}

/// Whether a reason is one that lasts, and that nothing else in the comparison tells of.
const fn own(reason: &HoldReason) -> bool {
    match reason {
        HoldReason::IamGuard { .. }
        | HoldReason::WarmPool
        | HoldReason::LaunchHook
        | HoldReason::CodeDeploy
        | HoldReason::StandbyMember
        | HoldReason::Operator
        | HoldReason::ClusterPlacement
        | HoldReason::Dedicated
        | HoldReason::CapacityReservation
        | HoldReason::ProcessSuspended { .. }
        | HoldReason::LaunchConfigurationNotAllowed
        | HoldReason::ProfileNotPassable { .. }
        | HoldReason::NotOnSpot
        | HoldReason::EcsDrainingNotAllowed { .. }
        | HoldReason::TemplateChanged
        | HoldReason::AlarmRed { .. }
        | HoldReason::AlarmUnknown { .. }
        | HoldReason::UnknownType
        | HoldReason::NoOnDemandPrice
        | HoldReason::NoCompatibleType
        | HoldReason::NoPool { .. }
        | HoldReason::SavingTooSmall { .. }
        | HoldReason::Committed { .. }
        | HoldReason::CommitmentsUnknown
        | HoldReason::PoolShare { .. } => true,
        HoldReason::NotEnabled
        | HoldReason::NoPolicy
        | HoldReason::UnreadableTag { .. }
        | HoldReason::OptedOut { .. }
        | HoldReason::Stranded { .. }
        | HoldReason::Paused { .. }
        | HoldReason::Metering
        | HoldReason::OutsideSchedule
        | HoldReason::MixedInstances
        | HoldReason::InstanceRefresh
        | HoldReason::StackUpdating
        | HoldReason::ProtectedMember
        | HoldReason::InTransition { .. }
        | HoldReason::BelowDesired { .. }
        | HoldReason::OnDemandFloor { .. }
        | HoldReason::SwapInterval { .. }
        | HoldReason::GroupShare { .. }
        | HoldReason::Budget { .. }
        | HoldReason::RescueInFlight
        | HoldReason::BackingOff { .. }
        | HoldReason::BreakerOpen { .. }
        | HoldReason::QuotaUsed { .. }
        | HoldReason::Reverted { .. }
        | HoldReason::OnDemandNotAllowed
        | HoldReason::AccessDenied
        | HoldReason::NoQuote
        | HoldReason::StaleQuote { .. }
        | HoldReason::NoCapacity { .. } => false,
    }
}
