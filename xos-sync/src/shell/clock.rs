//! The engine's moments and the world's times.

use std::cell::Cell;
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

thread_local! {
    static PRETENDED: Cell<Option<Timestamp>> = const { Cell::new(None) };
}

/// Lets clocks that this thread starts begin at this time: a simulation that a seed repeats has one of its own.
pub fn pretend_now(time: Option<Timestamp>) {
    PRETENDED.set(time);
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn new() -> Self {
        Clock { start: Instant::now(), start_time: PRETENDED.get().unwrap_or_else(Timestamp::now) }
    }

    /// Now, for the engine.
    pub(crate) fn now(&self) -> Moment {
        Moment(self.start.elapsed().as_millis() as u64)
    }

    /// When a moment comes, for a timer.
    pub(crate) fn instant_of(&self, moment: Moment) -> Instant {
        self.start + Duration::from_millis(moment.0)
    }

    /// The moment of a time in seconds since 1970; what is past is the start.
    pub(crate) fn moment_of(&self, seconds: f64) -> Moment {
        Moment(((seconds - self.start_time.seconds()) * 1000.0).clamp(0.0, 1e15) as u64)
    }

    /// The time of a moment, for the core.
    pub(crate) fn time_of(&self, moment: Moment) -> Timestamp {
        let since = i64::try_from(moment.0).unwrap_or(i64::MAX).saturating_mul(1000);
        Timestamp::from_micros(self.start_time.micros().saturating_add(since))
    }
}
