//! How long what failed rests before it is tried again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Delays that grow: from `first`, doubled each time, up to `cap`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) cap: Duration,
}

impl Backoff {
    /// The delay after this many failures: up to a quarter longer than the doubled one, at the cap up to a quarter
    /// shorter, so that it stays between `first` and `cap`. `who` decides on the jitter, so that a run can be
    /// repeated and not everything comes back at once.
    pub(crate) fn after(self, failures: u32, who: &impl Hash) -> Duration {
        let base = self.base(failures);
        let mut hasher = DefaultHasher::new();
        (who, failures).hash(&mut hasher);
        let share = (hasher.finish() % 1000) as f64 / 4000.0;
        if base >= self.cap {
            base.mul_f64(1.0 - share).max(self.first.min(self.cap))
        } else {
            base.mul_f64(1.0 + share).min(self.cap)
        }
    }

    /// Whether the delay after this many failures is as long as it gets.
    pub(crate) fn is_at_cap(self, failures: u32) -> bool {
        self.base(failures) >= self.cap
    }

    fn base(self, failures: u32) -> Duration {
        self.first.saturating_mul(1 << failures.saturating_sub(1).min(30)).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_cap_and_stays_in_bounds() {
        let backoff = Backoff { first: Duration::from_secs(5), cap: Duration::from_secs(300) };
        let bases: Vec<u64> = (1..=9).map(|failures| backoff.base(failures).as_secs()).collect();
        assert_eq!(bases, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        for failures in [1, 2, 6, 7, u32::MAX] {
            for who in 0..1000 {
                let delay = backoff.after(failures, &who);
                assert!(delay >= backoff.first && delay <= backoff.cap, "{failures} {who} {delay:?}");
                assert!(delay >= backoff.base(failures).mul_f64(0.75));
            }
        }
        assert!(!backoff.is_at_cap(6) && backoff.is_at_cap(7));
    }
}
