//! From key to slot: linear hashing, with the chains inside the entries.
//!
//! A hash map that doubles stops the world for the time of a rehash, even in shards (their thresholds come at
//! nearly the same time). Linear hashing splits one bucket for each insertion instead, so no insertion is
//! dearer than another, and it needs 8 bytes an entry where a map needs 20 to 40.

use super::entry::Entry;
use super::slab::{NONE, Slab};
use super::types::ObjectKey;

const CHUNK_BITS: u32 = 12;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Buckets of an empty index, a power of two.
const FIRST: usize = 64;

/// The buckets.
#[derive(Debug)]
pub(super) struct Index {
    chunks: Vec<Vec<u32>>,
    /// Buckets in use: `round + split`.
    buckets: usize,
    /// Buckets at the start of this round, a power of two.
    round: usize,
    len: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self { chunks: vec![vec![NONE; FIRST]], buckets: FIRST, round: FIRST, len: 0 }
    }
}

impl Index {
    /// The slot of this key.
    pub(super) fn find(&self, entries: &Slab<Entry>, key: ObjectKey) -> Option<u32> {
        let mut slot = *self.head(self.bucket(key));
        while slot != NONE {
            let entry = &entries[slot];
            if entry.key == key {
                return Some(slot);
            }
            slot = entry.chain;
        }
        None
    }

    /// Adds a slot whose key is not here yet.
    pub(super) fn insert(&mut self, entries: &mut Slab<Entry>, slot: u32) {
        self.len += 1;
        if self.len > self.buckets {
            self.split(entries);
        }
        let bucket = self.bucket(entries[slot].key);
        self.push(entries, bucket, slot);
    }

    /// Takes a slot out.
    pub(super) fn remove(&mut self, entries: &mut Slab<Entry>, slot: u32) {
        let bucket = self.bucket(entries[slot].key);
        let after = entries[slot].chain;
        let mut at = *self.head(bucket);
        if at == slot {
            *self.head_mut(bucket) = after;
            self.len -= 1;
            return;
        }
        while at != NONE {
            let next = entries[at].chain;
            if next == slot {
                entries[at].chain = after;
                self.len -= 1;
                return;
            }
            at = next;
        }
    }

    /// How many keys there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    fn split(&mut self, entries: &mut Slab<Entry>) {
        let old = self.buckets - self.round;
        if self.buckets & (CHUNK - 1) == 0 {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(NONE);
        }
        self.buckets += 1;
        if self.buckets == self.round * 2 {
            self.round = self.buckets;
        }
        let mut slot = std::mem::replace(self.head_mut(old), NONE);
        while slot != NONE {
            let next = entries[slot].chain;
            let bucket = self.bucket(entries[slot].key);
            self.push(entries, bucket, slot);
            slot = next;
        }
    }

    fn push(&mut self, entries: &mut Slab<Entry>, bucket: usize, slot: u32) {
        let head = self.head_mut(bucket);
        entries[slot].chain = std::mem::replace(head, slot);
    }

    fn bucket(&self, key: ObjectKey) -> usize {
        // Neighbouring ids stay together, as scans and entries have them: a block of ids falls on a block of
        // buckets, so that a million insertions in the order of ids do not miss the cache a million times.
        let block = mix(key.bits() >> CHUNK_BITS) as usize;
        let hash = block ^ (key.bits() as usize & (CHUNK - 1));
        let bucket = hash & (self.round * 2 - 1);
        if bucket < self.buckets { bucket } else { hash & (self.round - 1) }
    }

    fn head(&self, bucket: usize) -> &u32 {
        &self.chunks[bucket >> CHUNK_BITS][bucket & (CHUNK - 1)]
    }

    fn head_mut(&mut self, bucket: usize) -> &mut u32 {
        &mut self.chunks[bucket >> CHUNK_BITS][bucket & (CHUNK - 1)]
    }
}

/// A good mixture of all bits (splitmix64's last step).
pub(super) const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::types::ModelId;

    #[test]
    fn chains_stay_short_whatever_the_ids_are_like() {
        for stride in [1, 2, 10, 64, 4096, 65_536] {
            let (mut index, mut entries) = (Index::default(), Slab::default());
            for i in 0..20_000u32 {
                let slot = entries.insert(Entry::new(ObjectKey::new(ModelId(3), i * stride)));
                index.insert(&mut entries, slot);
            }
            let mut looks = 0;
            for chunk in &index.chunks {
                for head in chunk {
                    let (mut slot, mut depth) = (*head, 0);
                    while slot != NONE {
                        depth += 1;
                        looks += depth;
                        slot = entries[slot].chain;
                    }
                }
            }
            assert!(looks < 20_000 * 4, "stride {stride}: {looks}");
        }
    }

    #[test]
    fn what_was_put_in_is_found_while_it_grows() {
        let (mut index, mut entries) = (Index::default(), Slab::default());
        let key = |i: u32| ObjectKey::new(ModelId((i % 3) as u16), i / 3);
        for i in 0..40_000 {
            let slot = entries.insert(Entry::new(key(i)));
            index.insert(&mut entries, slot);
        }
        assert_eq!(index.len(), 40_000);
        for i in 0..40_000 {
            assert_eq!(index.find(&entries, key(i)), Some(i));
        }
        for i in (0..40_000).step_by(2) {
            index.remove(&mut entries, i);
        }
        assert_eq!(index.len(), 20_000);
        for i in 0..40_000 {
            assert_eq!(index.find(&entries, key(i)), (i % 2 == 1).then_some(i));
        }
        assert_eq!(index.find(&entries, ObjectKey::new(ModelId(7), 1)), None);
    }
}
