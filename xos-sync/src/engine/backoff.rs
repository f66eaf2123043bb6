//! How long a failure rests.

use std::time::Duration;

use super::config::Config;
use super::index::mix;
use super::types::{FailureKind, ObjectKey};

/// The longest delay a step or a register may ask for: a nonsense clock must not silence an object for ever.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The delay after this many failures, without jitter: doubles from `first_retry` to the cap of its kind.
pub(super) fn base_delay(config: &Config, kind: FailureKind, attempts: u16) -> Duration {
    let doublings = u32::from(attempts.saturating_sub(1)).min(30);
    config.first_retry.saturating_mul(1 << doublings).min(cap(config, kind))
}

/// The delay with jitter: up to a quarter longer, at the cap up to a quarter shorter, so that it stays between
/// `first_retry` and the cap. A hash, so that a run can be replayed.
pub(super) fn delay(config: &Config, kind: FailureKind, attempts: u16, key: ObjectKey) -> Duration {
    let (base, cap) = (base_delay(config, kind, attempts), cap(config, kind));
    let hash = mix(key.bits() ^ mix(config.seed ^ u64::from(attempts)));
    let quarter = u64::try_from(base.as_millis()).unwrap_or(u64::MAX) / 4;
    let jitter = Duration::from_millis(hash % (quarter + 1));
    if base >= cap {
        base.saturating_sub(jitter).max(config.first_retry.min(cap))
    } else {
        (base + jitter).min(cap)
    }
}

const fn cap(config: &Config, kind: FailureKind) -> Duration {
    match kind {
        FailureKind::Deferred => config.deferred_cap,
        FailureKind::Failed | FailureKind::Innocuous => config.retry_cap,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::types::ModelId;

    #[test]
    fn it_doubles_up_to_the_cap_of_its_kind() {
        let config = Config::default();
        let delays = |kind| -> Vec<u64> { (1..=9).map(|n| base_delay(&config, kind, n).as_secs()).collect() };
        assert_eq!(delays(FailureKind::Failed), [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(delays(FailureKind::Deferred), [5, 10, 20, 40, 60, 60, 60, 60, 60]);
        assert_eq!(base_delay(&config, FailureKind::Innocuous, u16::MAX).as_secs(), 300);
    }

    #[test]
    fn the_jitter_is_a_hash_within_the_bounds() {
        let config = Config::default();
        let mut distinct = std::collections::HashSet::new();
        for id in 0..1000 {
            let key = ObjectKey::new(ModelId(1), id);
            for attempts in [1, 2, 6, 7, 100] {
                let (base, with) = (
                    base_delay(&config, FailureKind::Failed, attempts),
                    delay(&config, FailureKind::Failed, attempts, key),
                );
                assert!(with >= base.mul_f32(0.75) && with <= base.mul_f32(1.25));
                assert!(with >= config.first_retry && with <= config.retry_cap);
                assert_eq!(with, delay(&config, FailureKind::Failed, attempts, key));
            }
            distinct.insert(delay(&config, FailureKind::Failed, 1, key));
        }
        assert!(distinct.len() > 400);
    }
}
