//! The wall clock: the one place where the program reads the time that the engine decides by, and sleeps.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use spothub_core::port::Clock;
use spothub_core::time::{Span, Timestamp};

/// The longest sleep in one piece: a machine that slept itself, or whose clock was set, is noticed by then.
const SLEEP_MAX: Span = Span::secs(30);

/// The machine's time, which never goes back here though it may there.
#[derive(Debug, Default)]
pub(crate) struct WallClock(AtomicI64);

#[async_trait]
impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that all others read")]
    fn now(&self) -> Timestamp {
        let now = jiff::Timestamp::now().as_millisecond();
        Timestamp(self.0.fetch_max(now, Ordering::Relaxed).max(now))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that all others sleep by")]
    async fn sleep_until(&self, until: Timestamp) {
        loop {
            let rest = until.since(self.now()).min(SLEEP_MAX);
            let Ok(millis) = u64::try_from(rest.0) else { return };
            if millis == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back_and_wakes_in_time() {
        let clock = WallClock::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let before = clock.now();
        let until = before + Span::millis(30);
        runtime.block_on(clock.sleep_until(until));
        assert!(clock.now() >= until);
        runtime.block_on(clock.sleep_until(before));
        clock.0.store(i64::MAX / 2, Ordering::Relaxed);
        assert_eq!(clock.now(), Timestamp(i64::MAX / 2), "the machine's clock was set back");
    }
}
