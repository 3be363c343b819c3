//! A moment on both clocks: the monotonic one for ages, the wall clock for records.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// One moment, read from both clocks at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// For ages within this process.
    pub monotonic: Instant,
    /// For people and for records.
    pub wall: Timestamp,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: Timestamp::now(),
        }
    }

    /// Time since `earlier`, by whichever clock says more. The monotonic clock stands still while a machine sleeps, the wall clock can be set back;
    /// the larger span never makes old proof look fresh.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Duration {
        let wall = self.wall.duration_since(earlier.wall);
        self.monotonic
            .saturating_duration_since(earlier.monotonic)
            .max(wall.try_into().unwrap_or_default())
    }
}
