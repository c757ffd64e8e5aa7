//! How often a read or write is tried again, and when. Knows time; knows no call.

use spothub_core::port::{Clock, StoreError};
use spothub_core::time::{Span, Timestamp};

use crate::settings::TimeOuts;

/// Attempts in all. With the pauses below they ride out some three seconds of a partition that is asked too much;
/// whoever asked then parks and comes again.
const ATTEMPTS_MAX: u32 = 8;
/// The pause after the first attempt, doubled after each.
const PAUSE_FIRST: Span = Span::millis(25);
/// The longest pause.
const PAUSE_MAX: Span = Span::secs(1);

/// What is left of the time and the attempts of one read or write.
pub(super) struct Patience {
    give_up: Timestamp,
    attempt: Span,
    attempts: u32,
    spread: u64,
}

impl Patience {
    pub(super) fn new(now: Timestamp, time_outs: TimeOuts, spread: u64) -> Self {
        Self { give_up: now + time_outs.operation, attempt: time_outs.attempt, attempts: 1, spread }
    }

    /// Waits for the next attempt, or says that there is none: too many were made, or the next might not end in time.
    pub(super) async fn wait(&mut self, clock: &dyn Clock, why: String) -> Result<(), StoreError> {
        let until = clock.now() + self.pause();
        self.attempts += 1;
        if self.attempts > ATTEMPTS_MAX || until + self.attempt > self.give_up {
            return Err(StoreError::Unavailable(why));
        }
        clock.sleep_until(until).await;
        Ok(())
    }

    /// Half of it at least, and the rest by chance, so that those who met do not meet again.
    fn pause(&self) -> Span {
        let whole = PAUSE_FIRST.times(1 << (self.attempts - 1).min(16)).0.min(PAUSE_MAX.0);
        // SplitMix64's last steps: neighboring numbers come out far apart.
        let mut chance = self.spread.wrapping_add(u64::from(self.attempts).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        chance = (chance ^ (chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        chance = (chance ^ (chance >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let permille = i64::try_from((chance ^ (chance >> 31)) % 501).unwrap_or(0);
        Span(whole / 2 + whole * permille / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use futures::executor::block_on;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// Waiting takes no time here.
    #[derive(Default)]
    struct Quick(AtomicI64);

    #[async_trait]
    impl Clock for Quick {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }

        async fn sleep_until(&self, until: Timestamp) {
            self.0.fetch_max(until.0, Ordering::Relaxed);
        }
    }

    fn tries(clock: &Quick, time_outs: TimeOuts, each: Span) -> u32 {
        let mut patience = Patience::new(clock.now(), time_outs, 7);
        for attempt in 1..100 {
            clock.0.fetch_add(each.0, Ordering::Relaxed);
            if let Err(error) = block_on(patience.wait(clock, "throttled".to_owned())) {
                assert_eq!(error, StoreError::Unavailable("throttled".to_owned()));
                return attempt;
            }
        }
        panic!("it goes on for ever");
    }

    #[test]
    fn attempts_are_counted_and_end_in_time() {
        let clock = Quick::default();
        assert_eq!(tries(&clock, TimeOuts::default(), Span::millis(5)), ATTEMPTS_MAX);
        assert!(clock.now() < Timestamp(4_000), "{}", clock.now().0);
        let slow = Quick::default();
        assert_eq!(tries(&slow, TimeOuts::default(), Span::secs(6)), 3, "each takes its whole time");
        assert!(slow.now() <= Timestamp(20_000));
        let short = TimeOuts { operation: Span::secs(1), attempt: Span::secs(1) };
        assert_eq!(tries(&Quick::default(), short, Span::ZERO), 1);
    }

    #[test]
    fn pauses_grow_and_differ() {
        let at = |attempts, spread| {
            let mut patience = Patience::new(Timestamp(0), TimeOuts::default(), spread);
            patience.attempts = attempts;
            patience.pause()
        };
        for attempts in 1..=30 {
            let whole = (25_i64 << (attempts - 1).min(16)).min(1000);
            let found: std::collections::BTreeSet<i64> = (0..50).map(|spread| at(attempts, spread).0).collect();
            assert!(found.iter().all(|ms| (whole / 2..=whole).contains(ms)), "{attempts}: {found:?}");
            assert!(found.len() > 5, "{attempts}: {found:?}");
        }
    }
}
