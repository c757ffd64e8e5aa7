//! What a group's plan is worth, at list prices and current Spot prices. Unknown is counted apart, never as zero.

use std::ops::AddAssign;

use spothub_core::money::{Usd, UsdPerHour};
use spothub_core::plan::Swap;
use spothub_core::reason::HoldReason;
use spothub_core::time::Span;

use super::Surveyed;

/// Hours of an average month, as AWS's own calculators count.
pub const HOURS_PER_MONTH: Span = Span::hours(730);

/// The worth of swaps: list prices of what goes, and what is saved against them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Saving {
    /// Members that would be swapped, all above the floor.
    pub members: u32,
    /// On-demand list price of these members, in sum.
    pub on_demand: UsdPerHour,
    /// What of it is saved if each newcomer is of the best-ranked pool.
    pub saved: UsdPerHour,
    /// What of it is saved at least: if each newcomer is of the dearest pool that is handed over.
    pub at_least: UsdPerHour,
    /// On-demand members whose saving is not known: unpriced, unread, or held for a reason that passes.
    pub unknown: u32,
}

impl Saving {
    /// The worth of one swap.
    #[must_use]
    pub fn of(swap: &Swap) -> Self {
        let quoted = || swap.request.pools.iter().map(|pool| pool.quoted.0);
        let under = |price: Option<i64>| UsdPerHour(price.map_or(0, |price| swap.baseline.0 - price));
        let (saved, at_least) = (under(quoted().next()), under(quoted().max()));
        Self { members: 1, on_demand: swap.baseline, saved, at_least, unknown: 0 }
    }

    /// The saving of an average month.
    #[must_use]
    pub fn per_month(&self) -> Usd {
        self.saved.over(HOURS_PER_MONTH)
    }
}

impl AddAssign for Saving {
    fn add_assign(&mut self, other: Self) {
        self.members += other.members;
        self.on_demand.0 = self.on_demand.0.saturating_add(other.on_demand.0);
        self.saved.0 = self.saved.0.saturating_add(other.saved.0);
        self.at_least.0 = self.at_least.0.saturating_add(other.at_least.0);
        self.unknown += other.unknown;
    }
}

impl Surveyed {
    /// What is saved when all members that may go have gone.
    #[must_use]
    pub fn saving(&self) -> Saving {
        let mut saving = Saving::default();
        for swap in &self.course {
            saving += Saving::of(swap);
        }
        let above_floor = self.members().on_demand.saturating_sub(self.floor);
        // A plan that says nothing of them: a question without an answer, or a swap that is under way.
        let silent = self.plan.swap.is_none() && self.plan.holds.is_empty();
        let whole = silent || self.plan.holds.iter().any(|hold| hold.instance.is_none() && leaves_open(&hold.reason));
        let single = || self.plan.holds.iter().filter(|h| h.instance.is_some() && leaves_open(&h.reason)).count();
        let open = if whole { above_floor } else { u32::try_from(single()).unwrap_or(u32::MAX) };
        // What the floor keeps has no saving, known or not.
        saving.unknown = open.min(above_floor.saturating_sub(saving.members));
        saving
    }

    /// Whether nothing can be said of what this group would save.
    #[must_use]
    pub fn saving_unknown(&self) -> bool {
        let unread = self.plan.question.is_some();
        self.course.is_empty() && (self.saving().unknown > 0 || unread)
    }
}

/// Whether a hold says nothing of what a swap would save: a price is missing, or the hold passes by itself or by the
/// owner's hand. The others say that this policy saves nothing there.
const fn leaves_open(reason: &HoldReason) -> bool {
    match reason {
        HoldReason::Paused { .. }
        | HoldReason::Metering
        | HoldReason::Stranded { .. }
        | HoldReason::BreakerOpen { .. }
        | HoldReason::AlarmRed { .. }
        | HoldReason::AlarmUnknown { .. }
        | HoldReason::OutsideSchedule
        | HoldReason::InstanceRefresh
        | HoldReason::StackUpdating
        | HoldReason::StandbyMember
        | HoldReason::ProcessSuspended { .. }
        | HoldReason::InTransition { .. }
        | HoldReason::BelowDesired { .. }
        | HoldReason::SwapInterval { .. }
        | HoldReason::GroupShare { .. }
        | HoldReason::Budget { .. }
        | HoldReason::RescueInFlight
        | HoldReason::BackingOff { .. }
        | HoldReason::QuotaUsed { .. }
        | HoldReason::AccessDenied
        | HoldReason::NoQuote
        | HoldReason::StaleQuote { .. }
        | HoldReason::UnknownType
        | HoldReason::NoOnDemandPrice
        | HoldReason::NoCapacity { .. }
        | HoldReason::NoPolicy
        | HoldReason::CommitmentsUnknown
        | HoldReason::UnreadableTag { .. } => true,
        HoldReason::NotEnabled
        | HoldReason::OptedOut { .. }
        | HoldReason::IamGuard { .. }
        | HoldReason::Reverted { .. }
        | HoldReason::OnDemandNotAllowed
        | HoldReason::EcsDrainingNotAllowed { .. }
        | HoldReason::LaunchConfigurationNotAllowed
        | HoldReason::ProfileNotPassable { .. }
        | HoldReason::MixedInstances
        | HoldReason::WarmPool
        | HoldReason::LaunchHook
        | HoldReason::CodeDeploy
        | HoldReason::Operator
        | HoldReason::ClusterPlacement
        | HoldReason::Dedicated
        | HoldReason::CapacityReservation
        | HoldReason::NotOnSpot
        | HoldReason::TemplateChanged
        | HoldReason::ProtectedMember
        | HoldReason::OnDemandFloor { .. }
        | HoldReason::NoCompatibleType
        | HoldReason::NoPool { .. }
        | HoldReason::Committed { .. }
        | HoldReason::PoolShare { .. }
        | HoldReason::SavingTooSmall { .. } => false,
    }
}
