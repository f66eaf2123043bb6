//! Times of changes.

use xos_model_client::Timestamp;

/// The time of a change: now, but later than all that was written before.
///
/// A change is noticed because its time is later than the version that was synchronized. A clock that stands still or
/// was set back must not hide one.
pub(crate) fn later_than(now: Timestamp, before: impl IntoIterator<Item = Option<Timestamp>>) -> Timestamp {
    match before.into_iter().flatten().max() {
        Some(last) if last >= now => Timestamp::from_seconds(last.seconds().next_up()),
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_hides_no_change() {
        let at = |seconds| Timestamp::from_seconds(seconds);
        assert_eq!(later_than(at(5.0), [Some(at(3.0)), None]), at(5.0));
        assert!(later_than(at(5.0), [Some(at(5.0))]) > at(5.0));
        assert!(later_than(at(5.0), [Some(at(5.0)), Some(at(9.0))]) > at(9.0));
    }
}
