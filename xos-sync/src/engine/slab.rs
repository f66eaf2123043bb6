//! Slots that never move, in chunks, and rings of them.
//!
//! One growing `Vec` copies everything when it is full: 41 ms at a million entries. Chunks cost one allocation
//! for 4096 slots, and no step ever pays for more than that.

use std::ops::{Index, IndexMut};

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

const CHUNK_BITS: u32 = 12;
const CHUNK: usize = 1 << CHUNK_BITS;

/// What a slab holds: something with room for the chain of free slots.
pub(super) trait Slot: Default {
    /// The next free slot; its owner may use it otherwise while the slot is taken.
    fn chain(&mut self) -> &mut u32;
}

/// What can be in a [ring](push).
pub(super) trait Linked {
    /// The next and the previous one.
    fn links(&mut self) -> (&mut u32, &mut u32);
}

/// The slots.
#[derive(Debug)]
pub(super) struct Slab<T> {
    chunks: Vec<Vec<T>>,
    used: u32,
    free: u32,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), used: 0, free: NONE }
    }
}

impl<T: Slot> Slab<T> {
    /// Puts a value into a slot.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        let slot = self.free;
        if slot != NONE {
            self.free = *self[slot].chain();
            self[slot] = value;
            return slot;
        }
        let slot = self.used;
        self.used += 1;
        if slot as usize & (CHUNK - 1) == 0 {
            // The first chunk grows, so that a thousand objects do not pay for four thousand.
            self.chunks.push(if slot == 0 { Vec::new() } else { Vec::with_capacity(CHUNK) });
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(value);
        }
        slot
    }

    /// Frees a slot; it reads as the default until it is used again.
    pub(super) fn remove(&mut self, slot: u32) {
        let free = self.free;
        self[slot] = T::default();
        *self[slot].chain() = free;
        self.free = slot;
    }
}

impl<T> Slab<T> {
    /// How many slots were ever used: all slots are below.
    pub(super) const fn used(&self) -> u32 {
        self.used
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, slot: u32) -> &T {
        &self.chunks[(slot >> CHUNK_BITS) as usize][slot as usize & (CHUNK - 1)]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, slot: u32) -> &mut T {
        &mut self.chunks[(slot >> CHUNK_BITS) as usize][slot as usize & (CHUNK - 1)]
    }
}

/// Appends to the ring that starts at `head`; gives the new head.
///
/// A ring is doubly linked and closed, so one number for its head is all its owner keeps.
pub(super) fn push<T: Linked>(slab: &mut Slab<T>, head: u32, slot: u32) -> u32 {
    if head == NONE {
        let (next, prev) = slab[slot].links();
        (*next, *prev) = (slot, slot);
        return slot;
    }
    let tail = *slab[head].links().1;
    *slab[tail].links().0 = slot;
    *slab[head].links().1 = slot;
    let (next, prev) = slab[slot].links();
    (*next, *prev) = (head, tail);
    head
}

/// Takes a slot out of the ring that starts at `head`; gives the new head.
pub(super) fn unlink<T: Linked>(slab: &mut Slab<T>, head: u32, slot: u32) -> u32 {
    let (next, prev) = slab[slot].links();
    let (after, before) = (*next, *prev);
    (*next, *prev) = (NONE, NONE);
    if after == slot || after == NONE {
        return NONE;
    }
    *slab[before].links().0 = after;
    *slab[after].links().1 = before;
    if head == slot { after } else { head }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Item {
        value: u32,
        chain: u32,
        next: u32,
        prev: u32,
    }

    impl Slot for Item {
        fn chain(&mut self) -> &mut u32 {
            &mut self.chain
        }
    }

    impl Linked for Item {
        fn links(&mut self) -> (&mut u32, &mut u32) {
            (&mut self.next, &mut self.prev)
        }
    }

    fn item(value: u32) -> Item {
        Item { value, ..Item::default() }
    }

    fn drain(slab: &mut Slab<Item>, mut head: u32) -> Vec<u32> {
        let mut out = Vec::new();
        while head != NONE {
            let slot = head;
            head = unlink(slab, head, slot);
            out.push(slab[slot].value);
        }
        out
    }

    #[test]
    fn slots_are_used_again_and_never_move() {
        let mut slab = Slab::default();
        let slots: Vec<u32> = (0..10_000).map(|i| slab.insert(item(i))).collect();
        assert_eq!(slots[9_999], 9_999);
        slab.remove(17);
        slab.remove(5_000);
        assert_eq!(slab[17].value, 0);
        assert_eq!([slab.insert(item(1)), slab.insert(item(2)), slab.insert(item(3))], [5_000, 17, 10_000]);
        assert_eq!((slab[4_999].value, slab[5_000].value, slab.used()), (4_999, 1, 10_001));
    }

    #[test]
    fn a_ring_keeps_its_order() {
        let mut slab = Slab::default();
        let mut head = NONE;
        for i in 0..5 {
            let slot = slab.insert(item(i));
            head = push(&mut slab, head, slot);
        }
        head = unlink(&mut slab, head, 2);
        head = unlink(&mut slab, head, 0);
        head = unlink(&mut slab, head, 4);
        head = push(&mut slab, head, 0);
        assert_eq!(drain(&mut slab, head), [1, 3, 0]);
    }
}
