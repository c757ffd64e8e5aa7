//! Wall time, and waits in it: the one place of the bench that reads a clock.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use spothub_core::port::Clock;
use spothub_core::time::Timestamp;

/// When the bench began: on the clock that only goes forward, and as the world counts.
static BEGAN: LazyLock<(Instant, Duration)> = LazyLock::new(began);

#[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
fn began() -> (Instant, Duration) {
    (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Since the bench began.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
pub(crate) fn elapsed() -> Duration {
    BEGAN.0.elapsed()
}

/// Waits so long.
#[expect(clippy::disallowed_methods, reason = "a benchmark waits in wall time")]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Wall time as the engine asks for it.
pub(crate) struct Wall;

#[async_trait]
impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp(i64::try_from((BEGAN.1 + elapsed()).as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep_until(&self, until: Timestamp) {
        while let Ok(rest) = u64::try_from(until.since(self.now()).0)
            && rest > 0
        {
            pause(Duration::from_millis(rest)).await;
        }
    }
}
