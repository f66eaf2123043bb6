//! How far the partitions of a subscription are: delivered, processed, committed.

use std::collections::HashMap;

use crate::bus::{Event, Place, Position};

/// The partitions that a subscription has had events of since they were assigned to it.
#[derive(Default)]
pub(super) struct Progress {
    parts: HashMap<String, HashMap<i32, Part>>,
    /// Whether something is processed and neither committed nor on its way.
    due: bool,
}

struct Part {
    /// The first offset that was delivered since the partition was assigned: a position at it or before it is one of
    /// an earlier time.
    first: i64,
    /// Everything before it is processed.
    processed: i64,
    /// Everything before it was sent to be committed.
    sent: i64,
    /// It is to be given up: nothing of it is delivered any more.
    revoked: bool,
}

impl Progress {
    /// An event has come. Whether it is to be delivered.
    pub(super) fn came(&mut self, topic: &str, partition: i32, offset: i64) -> bool {
        if let Some(parts) = self.parts.get_mut(topic) {
            if let Some(part) = parts.get(&partition) {
                return !part.revoked;
            }
            parts.insert(partition, Part::from(offset));
        } else {
            self.parts.insert(topic.to_owned(), HashMap::from([(partition, Part::from(offset))]));
        }
        true
    }

    /// These partitions are to be given up.
    pub(super) fn revoke(&mut self, places: &[Place], ready: &mut Vec<Event>) {
        for place in places {
            match self.part(place) {
                Some(part) => part.revoked = true,
                None => {
                    // Of nothing that was delivered nothing can be committed.
                    let part = Part { revoked: true, ..Part::from(i64::MAX) };
                    self.parts.entry(place.topic.clone()).or_default().insert(place.partition, part);
                }
            }
        }
        ready.retain(|event| self.parts.get(&event.topic).is_none_or(|parts| parts.get(&event.partition).is_none_or(|part| !part.revoked)));
    }

    /// They belong to somebody else now.
    pub(super) fn forget(&mut self, places: &[Place]) {
        for place in places {
            if let Some(parts) = self.parts.get_mut(&place.topic) {
                parts.remove(&place.partition);
            }
        }
    }

    /// Everything before this position is processed.
    pub(super) fn processed(&mut self, position: &Position) {
        if let Some(part) = self.part(&position.place)
            && position.next > part.first
            && position.next > part.processed
        {
            part.processed = position.next;
            self.due = true;
        }
    }

    /// Whether there is something to commit.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// What is processed and was not sent.
    pub(super) fn take_due(&mut self) -> Vec<Position> {
        self.due = false;
        let mut due = Vec::new();
        for (topic, parts) in &mut self.parts {
            for (partition, part) in parts.iter_mut().filter(|(_, part)| part.sent < part.processed) {
                part.sent = part.processed;
                let place = Place { topic: topic.clone(), partition: *partition };
                due.push(Position { place, next: part.processed });
            }
        }
        due
    }

    /// These positions were sent and not committed: they are sent again.
    pub(super) fn not_committed(&mut self, positions: &[Position]) {
        for position in positions {
            if let Some(part) = self.part(&position.place) {
                part.sent = part.sent.min(part.first);
                self.due |= part.sent < part.processed;
            }
        }
    }

    fn part(&mut self, place: &Place) -> Option<&mut Part> {
        self.parts.get_mut(&place.topic)?.get_mut(&place.partition)
    }
}

impl Part {
    fn from(first: i64) -> Self {
        Part { first, processed: first, sent: first, revoked: false }
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

    fn nexts(mut positions: Vec<Position>) -> Vec<(i32, i64)> {
        positions.sort_by(|a, b| a.place.cmp(&b.place));
        positions.into_iter().map(|position| (position.place.partition, position.next)).collect()
    }

    #[test]
    fn a_position_is_sent_once_and_never_goes_back() {
        let mut progress = Progress::default();
        assert!(progress.came("a", 0, 10) && progress.came("a", 0, 11) && progress.came("a", 1, 5));
        progress.processed(&at(0, 12));
        progress.processed(&at(0, 11));
        progress.processed(&at(1, 6));
        assert!(progress.is_due());
        assert_eq!(nexts(progress.take_due()), [(0, 12), (1, 6)]);
        progress.processed(&at(0, 12));
        assert!(!progress.is_due() && progress.take_due().is_empty());
    }

    #[test]
    fn what_was_not_committed_is_sent_again() {
        let mut progress = Progress::default();
        progress.came("a", 0, 0);
        progress.processed(&at(0, 1));
        let sent = progress.take_due();
        progress.not_committed(&sent);
        assert!(progress.is_due());
        assert_eq!(nexts(progress.take_due()), [(0, 1)]);
    }

    #[test]
    fn a_partition_that_was_given_up_and_came_back_takes_no_position_of_before() {
        let mut progress = Progress::default();
        let mut ready = vec![Event::of_bytes("a", None, Vec::new())];
        progress.came("a", 0, 10);
        progress.revoke(&[place(0), place(1)], &mut ready);
        assert!(ready.is_empty() && !progress.came("a", 0, 11) && !progress.came("a", 1, 0));
        // Until it is given up, what was processed counts.
        progress.processed(&at(0, 11));
        progress.processed(&at(1, 3));
        assert_eq!(nexts(progress.take_due()), [(0, 11)]);
        progress.forget(&[place(0), place(1)]);
        progress.processed(&at(0, 12));
        assert!(progress.came("a", 0, 50));
        progress.processed(&at(0, 12));
        progress.processed(&at(0, 50));
        assert!(!progress.is_due());
        progress.processed(&at(0, 51));
        assert_eq!(nexts(progress.take_due()), [(0, 51)]);
    }

    #[test]
    fn partitions_that_nothing_is_known_of_are_ignored() {
        let mut progress = Progress::default();
        progress.processed(&at(7, 3));
        progress.not_committed(&[at(7, 3)]);
        progress.forget(&[place(7)]);
        assert!(!progress.is_due());
    }
}
