//! The ready objects: one ring for each class of work and each lane of a leaf model.
//!
//! Classes take turns by weight, models within a class one by one, objects within a model first come, first
//! served. So a thousand retries do not delay a user's change, a model with 100,000 dirty objects does not
//! starve another, and nothing waits for ever.

use std::collections::VecDeque;

use super::entry::{Class, Entry};
use super::slab::{NONE, Slab, push, unlink};
use super::types::{Lane, ModelId};

/// Whose turn it is. Within each sixteen starts: 6 changes, 5 found by a scan, 2 retries, 2 re-checks, and one
/// deletion: deletions yield to syncs, but are not starved by them. A turn nobody takes goes to the first class
/// that has something.
const TURNS: [Class; 16] = {
    use Class::{Changed as C, Delete as D, Found as F, Recheck as Q, Retry as R};
    [C, F, C, R, F, C, F, Q, C, F, C, R, F, C, Q, D]
};

/// The rings.
#[derive(Debug, Default)]
pub(super) struct Rings {
    /// Two for each model: one for each lane.
    models: Vec<PerModel>,
    /// Places in `models` that may have something, in the order of their turns.
    queues: [VecDeque<u32>; Class::COUNT],
    turn: usize,
}

#[derive(Clone, Copy, Debug)]
struct PerModel {
    heads: [u32; Class::COUNT],
    queued: [bool; Class::COUNT],
}

impl Rings {
    pub(super) fn new(models: usize) -> Self {
        let empty = PerModel { heads: [NONE; Class::COUNT], queued: [false; Class::COUNT] };
        Self { models: vec![empty; 2 * models], ..Self::default() }
    }

    /// Appends an entry to the ring of its class and leaf.
    pub(super) fn push(&mut self, entries: &mut Slab<Entry>, slot: u32) {
        let (place, class) = (place_of(&entries[slot]), entries[slot].class as usize);
        let Some(model) = self.models.get_mut(place as usize) else { return };
        model.heads[class] = push(entries, model.heads[class], slot);
        if !model.queued[class] {
            model.queued[class] = true;
            self.queues[class].push_back(place);
        }
    }

    /// Takes an entry out of its ring.
    pub(super) fn remove(&mut self, entries: &mut Slab<Entry>, slot: u32) {
        let (place, class) = (place_of(&entries[slot]), entries[slot].class as usize);
        let Some(model) = self.models.get_mut(place as usize) else { return };
        model.heads[class] = unlink(entries, model.heads[class], slot);
    }

    /// Takes out the entry whose turn it is, of the models that may start.
    pub(super) fn pop(
        &mut self,
        entries: &mut Slab<Entry>,
        may_start: impl Fn(ModelId, Lane, Class) -> bool,
    ) -> Option<u32> {
        let first = TURNS[self.turn % TURNS.len()];
        let popped = std::iter::once(first)
            .chain(Class::ALL.into_iter().filter(|&class| class != first))
            .find_map(|class| self.pop_class(entries, class, &may_start));
        if popped.is_some() {
            self.turn = (self.turn + 1) % TURNS.len();
        }
        popped
    }

    fn pop_class(
        &mut self,
        entries: &mut Slab<Entry>,
        class: Class,
        may_start: impl Fn(ModelId, Lane, Class) -> bool,
    ) -> Option<u32> {
        let at = class as usize;
        for _ in 0..self.queues[at].len() {
            let place = self.queues[at].pop_front()?;
            let model = &mut self.models[place as usize];
            let slot = model.heads[at];
            if slot == NONE {
                model.queued[at] = false;
                continue;
            }
            self.queues[at].push_back(place);
            let lane = if place % 2 == 0 { Lane::Sync } else { Lane::Policy };
            if may_start(ModelId((place / 2) as u16), lane, class) {
                model.heads[at] = unlink(entries, slot, slot);
                return Some(slot);
            }
        }
        None
    }
}

/// Where the rings of an entry's leaf and lane are.
fn place_of(entry: &Entry) -> u32 {
    2 * u32::from(entry.leaf.0) + u32::from(entry.ready_lane() == Lane::Policy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::types::ObjectKey;

    fn fill(rings: &mut Rings, entries: &mut Slab<Entry>, leaf: u16, class: Class, count: u32) {
        for id in 0..count {
            let slot =
                entries.insert(Entry::new(ObjectKey::new(ModelId(leaf), class as u32 * 1_000_000 + id)));
            entries[slot].class = class;
            rings.push(entries, slot);
        }
    }

    #[test]
    fn models_take_turns() {
        let (mut rings, mut entries) = (Rings::new(3), Slab::default());
        fill(&mut rings, &mut entries, 0, Class::Found, 1000);
        fill(&mut rings, &mut entries, 2, Class::Found, 3);
        let slots: Vec<u32> = (0..8).filter_map(|_| rings.pop(&mut entries, |_, _, _| true)).collect();
        let leaves: Vec<u16> = slots.into_iter().map(|slot| entries[slot].leaf.0).collect();
        assert_eq!(leaves, [0, 2, 0, 2, 0, 2, 0, 0]);
    }

    #[test]
    fn classes_take_turns_by_weight() {
        let (mut rings, mut entries) = (Rings::new(1), Slab::default());
        for class in Class::ALL {
            fill(&mut rings, &mut entries, 0, class, 100);
        }
        let mut counts = [0; Class::COUNT];
        for _ in 0..64 {
            let slot = rings.pop(&mut entries, |_, _, _| true).unwrap();
            counts[entries[slot].class as usize] += 1;
        }
        assert_eq!(counts, [24, 20, 8, 8, 4]);
    }

    #[test]
    fn first_come_first_served_and_none_is_lost() {
        let (mut rings, mut entries) = (Rings::new(2), Slab::default());
        fill(&mut rings, &mut entries, 0, Class::Retry, 5);
        fill(&mut rings, &mut entries, 1, Class::Delete, 5);
        rings.remove(&mut entries, 2);
        assert_eq!(rings.pop(&mut entries, |_, _, _| false), None);
        let mut next = |model: u16| rings.pop(&mut entries, |m, _, _| m.0 == model);
        let order: Vec<_> = [0, 1, 0, 0, 1, 0, 0].into_iter().map(&mut next).collect();
        assert_eq!(order, [Some(0), Some(5), Some(1), Some(3), Some(6), Some(4), None]);
    }
}
