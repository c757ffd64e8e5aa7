//! The order of candidate pools: the smallest score is tried first.

use crate::catalog::TypeId;
use crate::market::Signal;
use crate::money::UsdPerHour;
use crate::time::Timestamp;

/// How much dearer a pool may look, in percent, for each Spot member that the group already has in it: enough to
/// spread a group over pools of nearly the same price, too little to pay for it.
pub const CROWDING_PERCENT: i64 = 4;

/// A candidate's rank; the order of the fields is the order of priorities.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct Score {
    /// Took an instance back lately: such takebacks come in clusters.
    pub taken_lately: bool,
    /// Refused lately and not given since: the next answer is likely the same.
    pub refused: bool,
    /// The price, raised for crowding.
    pub cost: i64,
    /// Ties by number, never by chance.
    pub kind: TypeId,
}

/// The score of a pool at this price in which the group already has `crowd` Spot members.
#[must_use]
pub fn score(kind: TypeId, price: UsdPerHour, crowd: u32, signal: Option<&Signal>, now: Timestamp) -> Score {
    Score {
        taken_lately: signal.is_some_and(|s| s.took_lately(now)),
        refused: signal.is_some_and(|s| s.refusals > 0),
        cost: price.0.saturating_mul(100 + CROWDING_PERCENT * i64::from(crowd)),
        kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::TAKEN_COUNTS;
    use crate::time::Span;

    #[test]
    fn a_pool_that_took_lately_comes_last_and_crowds_spread() {
        let now = Timestamp(10_000_000);
        let taken = Signal { taken_at: Some(now - Span::mins(5)), ..Signal::default() };
        let cheap = score(TypeId(1), UsdPerHour(10), 0, Some(&taken), now);
        let dear = score(TypeId(2), UsdPerHour(30), 0, None, now);
        assert!(dear < cheap);
        let crowded = score(TypeId(1), UsdPerHour(100), 2, None, now);
        let next = score(TypeId(2), UsdPerHour(105), 0, None, now);
        assert!(next < crowded);
        let old = Signal { taken_at: Some(now - TAKEN_COUNTS), ..Signal::default() };
        assert!(!score(TypeId(1), UsdPerHour(10), 0, Some(&old), now).taken_lately);
    }
}
