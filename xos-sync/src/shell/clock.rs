//! The engine's moments and the world's times.

use std::time::Duration;

use tokio::time::Instant;
use xos_model_client::Timestamp;

use crate::engine::Moment;

/// Milliseconds since the start, beside seconds since 1970.
///
/// Runs count in tokio's clock, which tests may pause; what is stored counts in the world's, so that a restart can go
/// on. When the world's clock is set, delays that run already are not changed.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    start: Instant,
    start_time: Timestamp,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn new() -> Self {
        Clock { start: Instant::now(), start_time: Timestamp::now() }
    }

    /// Now, for the engine.
    pub(crate) fn now(&self) -> Moment {
        Moment(self.start.elapsed().as_millis() as u64)
    }

    /// Now, for the core.
    pub(crate) fn time(&self) -> Timestamp {
        Timestamp::from_micros(self.start_time.micros() + self.start.elapsed().as_micros() as i64)
    }

    /// When a moment comes, for a timer.
    pub(crate) fn instant_of(&self, moment: Moment) -> Instant {
        self.start + Duration::from_millis(moment.0)
    }

    /// The moment of a time in seconds since 1970; what is past is the start.
    pub(crate) fn moment_of(&self, seconds: f64) -> Moment {
        Moment(((seconds - self.start_time.seconds()) * 1000.0).clamp(0.0, 1e15) as u64)
    }

    /// The time of a moment, in seconds since 1970.
    pub(crate) fn seconds_of(&self, moment: Moment) -> f64 {
        self.start_time.seconds() + moment.0 as f64 / 1000.0
    }
}
