//! When entries that wait for a moment are due: a heap in chunks.
//!
//! Four children a node; each entry knows its place in the heap, so that changing or clearing an alarm leaves
//! nothing behind. No operation costs more than a dozen swaps, however many fall due at one moment, which a
//! timer wheel cannot say of its cascades.

use super::entry::Entry;
use super::slab::{NONE, Slab};
use super::types::Moment;

const CHUNK_BITS: u32 = 12;
const CHUNK: usize = 1 << CHUNK_BITS;

/// The heap.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    chunks: Vec<Vec<(Moment, u32)>>,
    len: usize,
}

impl Alarms {
    /// The earliest alarm.
    pub(super) fn next(&self) -> Option<(Moment, u32)> {
        (self.len > 0).then(|| *self.at(0))
    }

    /// Sets or moves the alarm of an entry; [`Moment::NEVER`] clears it.
    pub(super) fn set(&mut self, entries: &mut Slab<Entry>, slot: u32, when: Moment) {
        if when == Moment::NEVER {
            return self.clear(entries, slot);
        }
        let place = entries[slot].alarm;
        if place == NONE {
            let place = self.len;
            self.len += 1;
            if place >> CHUNK_BITS == self.chunks.len() {
                self.chunks.push(Vec::with_capacity(if place == 0 { 0 } else { CHUNK }));
            }
            // A chunk keeps its length when alarms are cleared.
            let chunk = &mut self.chunks[place >> CHUNK_BITS];
            if place & (CHUNK - 1) == chunk.len() {
                chunk.push((when, slot));
            }
            self.put(entries, place, (when, slot));
            self.up(entries, place);
        } else {
            let place = place as usize;
            if self.at(place).0 == when {
                return;
            }
            self.put(entries, place, (when, slot));
            self.up(entries, place);
            let place = entries[slot].alarm as usize;
            self.down(entries, place);
        }
    }

    /// Clears the alarm of an entry, if it has one.
    pub(super) fn clear(&mut self, entries: &mut Slab<Entry>, slot: u32) {
        let place = entries[slot].alarm;
        if place == NONE {
            return;
        }
        entries[slot].alarm = NONE;
        self.len -= 1;
        let (place, last) = (place as usize, self.len);
        if place < last {
            let moved = *self.at(last);
            self.put(entries, place, moved);
            self.up(entries, place);
            let place = entries[moved.1].alarm as usize;
            self.down(entries, place);
        }
    }

    fn up(&mut self, entries: &mut Slab<Entry>, mut place: usize) {
        let item = *self.at(place);
        while place > 0 {
            let parent = (place - 1) / 4;
            let above = *self.at(parent);
            if above <= item {
                break;
            }
            self.put(entries, place, above);
            place = parent;
        }
        self.put(entries, place, item);
    }

    fn down(&mut self, entries: &mut Slab<Entry>, mut place: usize) {
        let item = *self.at(place);
        loop {
            let first = place * 4 + 1;
            let Some(least) = (first..(first + 4).min(self.len)).min_by_key(|&child| *self.at(child)) else {
                break;
            };
            let below = *self.at(least);
            if item <= below {
                break;
            }
            self.put(entries, place, below);
            place = least;
        }
        self.put(entries, place, item);
    }

    fn put(&mut self, entries: &mut Slab<Entry>, place: usize, item: (Moment, u32)) {
        entries[item.1].alarm = place as u32;
        self.chunks[place >> CHUNK_BITS][place & (CHUNK - 1)] = item;
    }

    fn at(&self, place: usize) -> &(Moment, u32) {
        &self.chunks[place >> CHUNK_BITS][place & (CHUNK - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::index::mix;
    use crate::engine::types::{ModelId, ObjectKey};

    #[test]
    fn alarms_come_in_order_and_can_be_moved_and_cleared() {
        let (mut alarms, mut entries) = (Alarms::default(), Slab::default());
        let count = 10_000u32;
        for i in 0..count {
            let slot = entries.insert(Entry::new(ObjectKey::new(ModelId(0), i)));
            alarms.set(&mut entries, slot, Moment(mix(u64::from(i)) % 1000));
        }
        for i in (0..count).step_by(3) {
            alarms.set(&mut entries, i, Moment(mix(u64::from(i) + 77) % 1000));
        }
        for i in (0..count).step_by(7) {
            alarms.clear(&mut entries, i);
        }
        let (mut last, mut seen) = (Moment(0), 0);
        while let Some((when, slot)) = alarms.next() {
            assert!(when >= last && slot % 7 != 0);
            alarms.clear(&mut entries, slot);
            assert_eq!(entries[slot].alarm, NONE);
            (last, seen) = (when, seen + 1);
        }
        assert_eq!(seen, count - count.div_ceil(7));
    }
}
