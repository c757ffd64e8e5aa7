//! Time as the engine meets it.

use async_trait::async_trait;

use crate::time::Timestamp;

/// Reads the time and waits for it: wall time in production, virtual time in the simulator.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time now; never goes back within one process.
    fn now(&self) -> Timestamp;

    /// Returns once `now()` is at least `until`. Dropping it cancels the wait.
    async fn sleep_until(&self, until: Timestamp);
}
