//! Which positions of a subscription's partitions count.

use std::collections::HashMap;

use crate::bus::{Event, Place, Position};

/// The partitions that a subscription has had events of since they were assigned to it.
#[derive(Default)]
pub(super) struct Progress {
    parts: HashMap<String, HashMap<i32, Part>>,
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
    /// An event has come. Whether it is to be delivered.
    pub(super) fn came(&mut self, topic: &str, partition: i32, offset: i64) -> bool {
        if self.latest.as_ref().is_some_and(|place| place.partition == partition && place.topic == topic) {
            return true;
        }
        self.latest = None;
        if let Some(parts) = self.parts.get_mut(topic) {
            let part = parts.entry(partition).or_insert(Part { processed: offset, revoked: false });
            let is_wanted = !part.revoked;
            self.latest = is_wanted.then(|| Place { topic: topic.to_owned(), partition });
            return is_wanted;
        }
        self.parts.insert(
            topic.to_owned(),
            HashMap::from([(partition, Part { processed: offset, revoked: false })]),
        );
        true
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
        assert!(progress.came("a", 0, 10) && progress.came("a", 0, 11) && progress.came("a", 1, 5));
        assert!(progress.processed(&at(0, 12)));
        assert!(!progress.processed(&at(0, 11)) && !progress.processed(&at(0, 12)));
        assert!(progress.processed(&at(1, 6)));
    }

    #[test]
    fn a_partition_that_was_given_up_and_came_back_takes_no_position_of_before() {
        let mut progress = Progress::default();
        let mut ready = vec![Event::of_bytes("a", None, Vec::new())];
        progress.came("a", 0, 10);
        progress.revoke(&[place(0), place(1)], &mut ready);
        assert!(ready.is_empty() && !progress.came("a", 0, 11) && !progress.came("a", 1, 0));
        // Until it is given up, what was processed counts.
        assert!(progress.processed(&at(0, 11)) && !progress.processed(&at(1, 3)));
        progress.forget(&[place(0), place(1)]);
        assert!(!progress.processed(&at(0, 12)));
        assert!(progress.came("a", 0, 50));
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
