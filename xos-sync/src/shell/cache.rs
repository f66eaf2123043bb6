//! Records that were read and whose run has not started yet.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;

use xos_model_client::Record;

use crate::engine::{ObjectKey, ReadId};

/// How many bytes of records wait for their run. What finds no room is read again: runs start in the order in which
/// their objects were found, so it is the later ones that do not fit.
const BYTES: usize = 64 << 20;

/// Records by object, bounded in bytes.
#[derive(Default)]
pub(super) struct Cache {
    records: HashMap<ObjectKey, Cached, BuildHasherDefault<KeyHasher>>,
    bytes: usize,
}

struct Cached {
    record: Record,
    read: ReadId,
    bytes: usize,
}

impl Cache {
    /// Keeps a record with the read it comes from, unless a later read's is there.
    pub(super) fn put(&mut self, key: ObjectKey, read: ReadId, record: Record) {
        if self.records.get(&key).is_some_and(|cached| cached.read > read) {
            return;
        }
        self.drop_record(key);
        let bytes = size_of(&record);
        if self.bytes + bytes <= BYTES {
            self.bytes += bytes;
            self.records.insert(key, Cached { record, read, bytes });
        }
    }

    /// Takes a record, and the read it comes from.
    pub(super) fn take(&mut self, key: ObjectKey) -> Option<(ReadId, Record)> {
        if self.records.is_empty() {
            return None;
        }
        let cached = self.records.remove(&key)?;
        self.bytes -= cached.bytes;
        Some((cached.read, cached.record))
    }

    pub(super) fn drop_record(&mut self, key: ObjectKey) {
        self.take(key);
    }
}

fn size_of(record: &Record) -> usize {
    let heap: usize = record.values().iter().map(|value| value.as_text().map_or(0, str::len)).sum();
    mem::size_of_val(record.values()) + heap + 64
}

/// Keys are small numbers from the core, not from an attacker: one multiplication spreads them.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use xos_model_client::Shape;

    use super::*;
    use crate::engine::ModelId;

    #[test]
    fn a_record_of_an_earlier_read_does_not_replace_a_later_one() {
        let mut cache = Cache::default();
        let record = Record::new(Arc::new(Shape::new("Test", Vec::new())), Vec::new());
        let key = ObjectKey::new(ModelId(1), 1);
        cache.put(key, ReadId(5), record.clone());
        cache.put(key, ReadId(3), record);
        assert_eq!(cache.take(key).map(|(read, _)| read), Some(ReadId(5)));
        assert_eq!((cache.take(key).is_none(), cache.bytes), (true, 0));
    }
}
