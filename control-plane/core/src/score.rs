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
    /// Refused lately and not given since, by when it was closed for that; the least where it did not. The next
    /// answer is likely the same, so they are asked in turn: else the few cheapest would be asked for ever.
    pub refused: i64,
    /// Gave nobody an instance lately, and the group looks for any pool that does.
    pub unproven: bool,
    /// The price, raised for crowding.
    pub cost: i64,
    /// Ties by number, never by chance.
    pub kind: TypeId,
}

/// How a group is placed to a pool: how many of its Spot members are there already, and whether its last launches found
/// no capacity, so that it looks for any pool that gives.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Placed {
    /// Its Spot members in the pool.
    pub crowd: u32,
    /// Its last launches were refused.
    pub refused: bool,
}

/// The score of a pool at this price for a group.
#[must_use]
pub fn score(kind: TypeId, price: UsdPerHour, placed: Placed, signal: Option<&Signal>, now: Timestamp) -> Score {
    Score {
        unproven: placed.refused && !signal.is_some_and(|s| s.gave_lately(now)),
        taken_lately: signal.is_some_and(|s| s.took_lately(now)),
        refused: signal.filter(|s| s.refusals > 0).and_then(|s| s.closed_until).map_or(i64::MIN, |until| until.0),
        cost: price.0.saturating_mul(100 + CROWDING_PERCENT * i64::from(placed.crowd)),
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
        let (now, none) = (Timestamp(10_000_000), Placed::default());
        let taken = Signal { taken_at: Some(now - Span::mins(5)), ..Signal::default() };
        let cheap = score(TypeId(1), UsdPerHour(10), none, Some(&taken), now);
        let dear = score(TypeId(2), UsdPerHour(30), none, None, now);
        assert!(dear < cheap);
        let crowded = score(TypeId(1), UsdPerHour(100), Placed { crowd: 2, ..none }, None, now);
        let next = score(TypeId(2), UsdPerHour(105), none, None, now);
        assert!(next < crowded);
        let old = Signal { taken_at: Some(now - TAKEN_COUNTS), ..Signal::default() };
        assert!(!score(TypeId(1), UsdPerHour(10), none, Some(&old), now).taken_lately);
    }

    #[test]
    fn a_group_that_was_refused_goes_where_others_were_given() {
        let now = Timestamp(10_000_000);
        let gave = Signal { gave_at: Some(now - Span::mins(5)), ..Signal::default() };
        let cost = |refused, signal| {
            let placed = Placed { refused, ..Placed::default() };
            let proven = score(TypeId(1), UsdPerHour(30), placed, Some(signal), now);
            proven < score(TypeId(2), UsdPerHour(10), placed, None, now)
        };
        assert!(cost(true, &gave) && !cost(false, &gave), "otherwise the price decides");
        let old = Signal { gave_at: Some(now - crate::market::GAVE_COUNTS), ..Signal::default() };
        assert!(!cost(true, &old));
    }
}
