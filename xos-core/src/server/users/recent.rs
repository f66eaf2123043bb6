//! What was needed lately: a map that never holds more than a given number of entries.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// A map that forgets what was not used for the longest time. It keeps at least half of its size of what was used
/// last.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    /// An empty one that holds no more than `most` entries.
    pub(super) fn new(most: usize) -> Self {
        Recent { young: HashMap::new(), old: HashMap::new(), half: (most / 2).max(1) }
    }

    /// The entry of a key, which counts as used now.
    pub(super) fn get<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    pub(super) fn remove<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.young.remove(key);
        self.old.remove(key);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_small_and_keeps_what_is_used() {
        let mut recent = Recent::new(8);
        recent.insert("used".to_owned(), 0);
        for at in 0..1000 {
            recent.insert(at.to_string(), at);
            assert_eq!(recent.get("used").copied(), Some(0), "{at}");
            assert!(recent.len() <= 8, "{}", recent.len());
        }
        assert_eq!(recent.get("999").copied(), Some(999));
        assert_eq!(recent.get("3"), None);
        recent.remove("999");
        assert_eq!(recent.get("999"), None);
    }
}
