//! How much of an instance's on-demand price is paid whether it runs or not.

use super::Ask;
use crate::catalog::{Product, TypeId};
use crate::commitment::{Known, PPM, Slot};
use crate::id::AzId;
use crate::money::UsdPerHour;
use crate::policy::CommitmentRule;
use crate::reason::HoldReason;

/// The part of one instance that only it would use of what was committed to, in millionths.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Paid(u32);

/// Whether enough is known of commitments to decide on a swap.
pub(super) fn known(ask: &Ask<'_>) -> Result<(), HoldReason> {
    let missing = match (ask.effective.policy.commitments, ask.commitments) {
        // What will be known in a minute is waited for; what nobody lets us read is not.
        (CommitmentRule::Count, Known::Unread) | (CommitmentRule::Require, Known::Unread | Known::Unasked) => true,
        (CommitmentRule::Ignore, _) | (CommitmentRule::Count, Known::Unasked | Known::Read { .. }) => false,
        (CommitmentRule::Require, Known::Read { whole, .. }) => !whole,
    };
    if missing { Err(HoldReason::CommitmentsUnknown) } else { Ok(()) }
}

/// How much of an instance of this type in this zone is paid for anyway.
pub(super) fn share(ask: &Ask<'_>, product: Product, kind: TypeId, az: &AzId) -> Paid {
    let Known::Read { coverage, .. } = ask.commitments else { return Paid(0) };
    if ask.effective.policy.commitments == CommitmentRule::Ignore || !coverage.any() {
        return Paid(0);
    }
    let site = &ask.view.key.site;
    let slot = Slot { account: site.account, region: site.region.clone(), az: az.clone(), kind, product };
    Paid(PPM - coverage.uncovered(&slot, ask.catalog))
}

impl Paid {
    /// What of a price is spent for this instance alone, rounded down.
    pub(super) fn of(self, price: UsdPerHour) -> UsdPerHour {
        let open = i128::from(price.0) * i128::from(PPM - self.0) / i128::from(PPM);
        UsdPerHour(i64::try_from(open).unwrap_or(price.0))
    }

    /// The reason to tell: what saves too little for a commitment is held for that.
    pub(super) fn told(self, reason: HoldReason) -> HoldReason {
        if self.0 > 0 && matches!(reason, HoldReason::SavingTooSmall { .. }) {
            // Rounded up: a little is not nothing.
            return HoldReason::Committed { covered: u8::try_from(self.0.div_ceil(PPM / 100)).unwrap_or(100) };
        }
        reason
    }
}
