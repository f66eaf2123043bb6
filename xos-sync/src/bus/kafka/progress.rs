//! Which positions of a subscription's partitions count.

use std::collections::HashMap;
use std::sync::Arc;

use crate::bus::{Event, Place, Position};

/// The partitions that a subscription has had events of since they were assigned to it.
#[derive(Default)]
pub(super) struct Progress {
    parts: HashMap<Arc<str>, HashMap<i32, Part>>,
    /// The partition of the latest event that was to be delivered: the next one is mostly of the same.
    latest: Option<Place>,
}

struct Part {
    /// The first offset that was delivered since the partition was assigned: a position at it or before it is one of
    /// an earlier time. Afterwards, the latest position.
    processed: i64,
    /// It is to be given up: nothing of it is delivered any more.
    revoked: bool,
}

impl Progress {
    /// An event has come. The name of its topic when it is to be delivered.
    pub(super) fn came(&mut self, topic: &str, partition: i32, offset: i64) -> Option<&Arc<str>> {
        let is_latest = |place: &Place| place.partition == partition && *place.topic == *topic;
        if !self.latest.as_ref().is_some_and(is_latest) {
            let name = self.parts.get_key_value(topic).map_or_else(|| topic.into(), |(name, _)| name.clone());
            let parts = self.parts.entry(name.clone()).or_default();
            let part = parts.entry(partition).or_insert(Part { processed: offset, revoked: false });
            self.latest = (!part.revoked).then_some(Place { topic: name, partition });
        }
        self.latest.as_ref().map(|place| &place.topic)
    }

    /// These partitions are to be given up.
    pub(super) fn revoke(&mut self, places: &[Place], ready: &mut Vec<Event>) {
        self.latest = None;
        for place in places {
            let parts = self.parts.entry(place.topic.clone()).or_default();
            // Of nothing that was delivered nothing can be committed.
            parts.entry(place.partition).or_insert(Part { processed: i64::MAX, revoked: false }).revoked =
                true;
        }
        ready.retain(|event| {
            let part = self.parts.get(&event.topic).and_then(|parts| parts.get(&event.partition));
            part.is_none_or(|part| !part.revoked)
        });
    }

    /// They belong to somebody else now.
    pub(super) fn forget(&mut self, places: &[Place]) {
        self.latest = None;
        for place in places {
            if let Some(parts) = self.parts.get_mut(&place.topic) {
                parts.remove(&place.partition);
            }
        }
    }

    /// Everything before this position is processed. Whether that is news.
    pub(super) fn processed(&mut self, Position { place, next }: &Position) -> bool {
        let part = self.parts.get_mut(&place.topic).and_then(|parts| parts.get_mut(&place.partition));
        match part.filter(|part| part.processed < *next) {
            Some(part) => {
                part.processed = *next;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: i32) -> Place {
        Place { topic: "a".into(), partition }
    }

    fn at(partition: i32, next: i64) -> Position {
        Position { place: place(partition), next }
    }

    #[test]
    fn a_position_is_news_once_and_never_goes_back() {
        let mut progress = Progress::default();
        assert!([(0, 10), (0, 11), (1, 5)].iter().all(|(part, at)| progress.came("a", *part, *at).is_some()));
        assert!(progress.processed(&at(0, 12)));
        assert!(!progress.processed(&at(0, 11)) && !progress.processed(&at(0, 12)));
        assert!(progress.processed(&at(1, 6)));
    }

    #[test]
    fn a_partition_that_was_given_up_and_came_back_takes_no_position_of_before() {
        let mut progress = Progress::default();
        let mut ready = vec![Event::of_bytes("a", None, "")];
        progress.came("a", 0, 10);
        progress.revoke(&[place(0), place(1)], &mut ready);
        assert!(
            ready.is_empty() && progress.came("a", 0, 11).is_none() && progress.came("a", 1, 0).is_none()
        );
        // Until it is given up, what was processed counts.
        assert!(progress.processed(&at(0, 11)) && !progress.processed(&at(1, 3)));
        progress.forget(&[place(0), place(1)]);
        assert!(!progress.processed(&at(0, 12)));
        assert!(progress.came("a", 0, 50).is_some());
        assert!(!progress.processed(&at(0, 12)) && !progress.processed(&at(0, 50)));
        assert!(progress.processed(&at(0, 51)));
    }

    #[test]
    fn partitions_that_nothing_is_known_of_are_ignored() {
        let mut progress = Progress::default();
        assert!(!progress.processed(&at(7, 3)));
        progress.forget(&[place(7)]);
    }
}
