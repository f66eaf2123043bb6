//! A bounded map.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// How many entries each half has at most.
const HALF: usize = 32 * 1024;

/// A map that forgets its older half when it is full; what is used is young.
pub(super) struct Halves<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Halves<K, V> {
    fn default() -> Self {
        Halves { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Hash + Eq + Copy, V> Halves<K, V> {
    pub(super) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= HALF {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(super) fn get(&mut self, key: &K) -> Option<&mut V> {
        if let Some(value) = self.old.remove(key)
            && !self.young.contains_key(key)
        {
            self.put(*key, value);
        }
        self.young.get_mut(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut halves = Halves::default();
        halves.put(0, 0);
        for number in 1..3 * HALF {
            halves.put(number, number);
            halves.get(&0);
        }
        assert!(halves.young.len() + halves.old.len() <= 2 * HALF + 1);
        assert_eq!(halves.get(&0), Some(&mut 0), "what is used stays");
        assert_eq!(halves.get(&1), None);
    }
}
