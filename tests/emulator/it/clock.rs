//! The machine's time.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use spothub_core::port::Clock;
use spothub_core::time::Timestamp;

#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock;

#[async_trait]
impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "AWS and the emulator go by the machine's time")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    }

    async fn sleep_until(&self, until: Timestamp) {
        let left = u64::try_from(until.0 - self.now().0).unwrap_or(0);
        wait(Duration::from_millis(left)).await;
    }
}

/// Lets the machine's time pass: how the emulator's world goes on.
#[expect(clippy::disallowed_methods, reason = "the one place in these tests that waits")]
pub(crate) async fn wait(span: Duration) {
    tokio::time::sleep(span).await;
}
