//! How long a session is used, and when it is refreshed.

use spothub_core::id::AccountId;
use spothub_core::time::{Span, Timestamp};

/// What is asked for: an hour. The hub's own credentials come from a role as a rule, and chained sessions last no
/// longer.
pub(super) const DURATION_S: i32 = 3600;
/// A session this close to its end is not used: a call with its retries takes a third of it.
const MARGIN: Span = Span::mins(1);
/// Refreshed between these hundredths of its life. At an hour that is from 46 to 51 minutes: one AssumeRole in 45
/// minutes, and the accounts of a sweep do not all come due together.
const EARLIEST: i64 = 77;
const SPREAD: u64 = 9;

/// The times of one session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Term {
    /// From here on it is refreshed while it is still good.
    pub(super) refresh_at: Timestamp,
    /// From here on it is not used.
    pub(super) ends_at: Timestamp,
}

/// What may be done with a session now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Use it.
    Good,
    /// Use it, and refresh it.
    Aging,
    /// It is over.
    Over,
}

impl Term {
    /// The times of a session that was issued at `now` and expires at `expires`, by AWS's clock.
    pub(super) fn new(now: Timestamp, expires: Timestamp, noise: u64) -> Self {
        Self::refreshed_after(EARLIEST + i64::try_from(noise % SPREAD).unwrap_or(0), now, expires)
    }

    /// The same, refreshed after so many hundredths of its life.
    pub(super) fn refreshed_after(part: i64, now: Timestamp, expires: Timestamp) -> Self {
        let asked = Span::secs(i64::from(DURATION_S));
        let life = expires.since(now).min(asked).max(Span::ZERO);
        Self { refresh_at: now + Span(life.0 * part / 100), ends_at: now + (life - MARGIN) }
    }

    pub(super) fn standing(&self, now: Timestamp) -> Standing {
        match () {
            () if now >= self.ends_at => Standing::Over,
            () if now >= self.refresh_at => Standing::Aging,
            () => Standing::Good,
        }
    }
}

/// A number that differs by worker, account and time, spread over all bits (the finalizer of splitmix64).
pub(super) fn noise(seed: u64, account: AccountId, now: Timestamp) -> u64 {
    let account: u64 = account.to_string().parse().unwrap_or(0);
    let mut n = seed ^ account.rotate_left(24) ^ now.0.unsigned_abs();
    n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_hour_is_refreshed_after_three_quarters() {
        let now = Timestamp(1_000_000);
        let mut minutes = BTreeSet::new();
        for n in 0..100 {
            let account = AccountId::from_number(n).unwrap();
            let term = Term::new(now, now + Span::hours(1), noise(7, account, now));
            let after = term.refresh_at.since(now);
            assert!(after >= Span::mins(46) && after <= Span::mins(51), "{after}");
            minutes.insert(after);
        }
        assert!(minutes.len() > 5, "{minutes:?}");
    }

    #[test]
    fn a_session_ages_and_ends() {
        let term = Term::new(Timestamp(0), Timestamp(0) + Span::hours(2), 0);
        assert_eq!(term.standing(Timestamp(0)), Standing::Good);
        assert_eq!(term.standing(Timestamp(0) + Span::mins(47)), Standing::Aging);
        assert_eq!(term.standing(Timestamp(0) + Span::mins(59)), Standing::Over, "no longer than asked for");
        let stale = Term::new(Timestamp(5), Timestamp(0), 0);
        assert_eq!(stale.standing(Timestamp(5)), Standing::Over, "a clock far off gives no session, and no panic");
    }
}
