//! The only reader of the clock in the sandbox.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// One moment, as a duration for quotas and as wall time for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the sandbox was started; never goes back.
    pub since_start: Duration,
    /// The time of day.
    pub wall: Timestamp,
}

/// Counts from the start of the sandbox.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    /// Starts counting.
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox stands apart from the host and has its own clock"
    )]
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Returns the present moment.
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox stands apart from the host and has its own clock"
    )]
    pub(super) fn now(&self) -> Now {
        Now {
            since_start: self.started.elapsed(),
            wall: Timestamp::now(),
        }
    }
}

/// Waits, for answers that are to be slow.
#[expect(
    clippy::disallowed_methods,
    reason = "a slow server is what was asked for"
)]
pub(super) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
