//! One partition of a topic: a piece of a list without end.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::bus::Event;

/// The events that somebody still needs, by offset.
#[derive(Default)]
pub(super) struct Log {
    /// The offset of the first event that is kept.
    first: i64,
    events: VecDeque<Arc<Event>>,
}

impl Log {
    /// The offset that the next event gets.
    pub(super) fn end(&self) -> i64 {
        self.first + self.events.len() as i64
    }

    pub(super) fn push(&mut self, mut event: Event) {
        event.offset = self.end();
        self.events.push_back(Arc::new(event));
    }

    /// The events from this offset to before that one.
    pub(super) fn range(&self, from: i64, to: i64) -> impl Iterator<Item = &Arc<Event>> {
        let at = |offset: i64| usize::try_from(offset - self.first).unwrap_or(0).min(self.events.len());
        let (from, to) = (at(from), at(to));
        self.events.range(from..to.max(from))
    }

    /// Nobody needs anything before this offset.
    pub(super) fn forget_before(&mut self, offset: i64) {
        while self.first < offset && self.events.pop_front().is_some() {
            self.first += 1;
        }
    }
}

/// What an event counts against the room.
pub(super) fn size(event: &Event) -> u64 {
    (event.value.len() + event.key.as_ref().map_or(0, Bytes::len)) as u64
}
