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
    static PRETENDED: Cell<Option<(Instant, Timestamp)>> = const { Cell::new(None) };
}

/// For clocks that this thread starts from now on it is this time now: a simulation that a seed repeats has one of its own.
#[cfg(any(test, feature = "embedded"))]
pub(crate) fn pretend_now(time: Option<Timestamp>) {
    PRETENDED.set(time.map(|time| (Instant::now(), time)));
}

/// The time now, as far as this thread is told.
fn time_now(now: Instant) -> Timestamp {
    let Some((then, time)) = PRETENDED.get() else { return Timestamp::now() };
    let since = now.saturating_duration_since(then).as_micros();
    Timestamp::from_micros(time.micros().saturating_add(i64::try_from(since).unwrap_or(i64::MAX)))
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn new() -> Self {
        let start = Instant::now();
        Clock { start, start_time: time_now(start) }
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

    /// The moment of a time that was chosen at another one, both in seconds since 1970.
    ///
    /// What was chosen in the future shows that the world's clock was set back between two programs. Then the delay counts
    /// from the start of this one: else an object would wait for as long as the clock was set back.
    pub(crate) fn moment_after(&self, chosen: Option<f64>, seconds: f64) -> Moment {
        let moment = self.moment_of(seconds);
        let now = self.time_of(self.now()).seconds();
        match chosen.filter(|chosen| *chosen > now) {
            Some(chosen) => moment.min(Moment(((seconds - chosen) * 1000.0).clamp(0.0, 1e15) as u64)),
            None => moment,
        }
    }

    /// The time of a moment, for the core.
    pub(crate) fn time_of(&self, moment: Moment) -> Timestamp {
        let since = i64::try_from(moment.0).unwrap_or(i64::MAX).saturating_mul(1000);
        Timestamp::from_micros(self.start_time.micros().saturating_add(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_makes_nobody_wait_longer() {
        pretend_now(Some(Timestamp::from_seconds(1_700_000_000.0)));
        let clock = Clock::new();
        pretend_now(None);
        let check = |chosen: f64, seconds: f64, expected: u64| {
            let at = |offset: f64| 1_700_000_000.0 + offset;
            // Times are doubles, moments whole milliseconds.
            let moment = clock.moment_after(Some(at(chosen)), at(seconds)).0;
            assert!(moment.abs_diff(expected) <= 1, "{chosen} {seconds}: {moment}, expected {expected}");
        };
        // It failed 10 s ago, and is due in 20 s; it was due before.
        check(-10.0, 20.0, 20_000);
        check(-30.0, -20.0, 0);
        // It failed tomorrow, to be tried again 30 s later.
        check(86_400.0, 86_430.0, 30_000);
    }
}
