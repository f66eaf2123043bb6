//! The links of dirty and doomed objects, to be followed both ways.
//!
//! They exist only while the object that has them is dirty or doomed. The target is an entry too, if only a
//! placeholder, so that a doomed object finds the ones that link to it.

use super::entry::Entry;
use super::slab::{NONE, Slab, Slot};

/// One link.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    /// The next link of `from`, or the next free slot.
    next_out: u32,
    next_in: u32,
    prev_in: u32,
    /// Ignored, to break a circle.
    pub(super) void: bool,
}

impl Default for Edge {
    fn default() -> Self {
        Self { from: NONE, to: NONE, next_out: NONE, next_in: NONE, prev_in: NONE, void: false }
    }
}

impl Slot for Edge {
    fn chain(&mut self) -> &mut u32 {
        &mut self.next_out
    }
}

/// All links.
#[derive(Debug, Default)]
pub(super) struct Edges {
    slab: Slab<Edge>,
}

impl Edges {
    /// Adds a link as the first of `from`.
    pub(super) fn add(&mut self, entries: &mut Slab<Entry>, from: u32, to: u32) {
        let (next_out, next_in) = (entries[from].first_out, entries[to].first_in);
        let edge = self.slab.insert(Edge { from, to, next_out, next_in, prev_in: NONE, void: false });
        if next_in != NONE {
            self.slab[next_in].prev_in = edge;
        }
        entries[from].first_out = edge;
        entries[to].first_in = edge;
    }

    /// Takes the first link of `from` away; gives its target.
    pub(super) fn remove_first(&mut self, entries: &mut Slab<Entry>, from: u32) -> Option<u32> {
        let edge = entries[from].first_out;
        if edge == NONE {
            return None;
        }
        let Edge { to, next_out, next_in, prev_in, .. } = self.slab[edge];
        entries[from].first_out = next_out;
        if next_in != NONE {
            self.slab[next_in].prev_in = prev_in;
        }
        if prev_in == NONE {
            entries[to].first_in = next_in;
        } else {
            self.slab[prev_in].next_in = next_in;
        }
        self.slab.remove(edge);
        Some(to)
    }

    /// The links that start at this first one, latest first.
    pub(super) fn outgoing(&self, first_out: u32) -> impl Iterator<Item = &Edge> {
        self.walk(first_out, |edge| edge.next_out)
    }

    /// The links to the entry whose first one this is.
    pub(super) fn incoming(&self, first_in: u32) -> impl Iterator<Item = &Edge> {
        self.walk(first_in, |edge| edge.next_in)
    }

    /// Ignores the links of `from` to `to` from now on; says whether there was one that counted.
    pub(super) fn void(&mut self, entries: &Slab<Entry>, from: u32, to: u32) -> bool {
        let (mut edge, mut found) = (entries[from].first_out, false);
        while edge != NONE {
            let at = &mut self.slab[edge];
            if at.to == to {
                found |= !at.void;
                at.void = true;
            }
            edge = at.next_out;
        }
        found
    }

    fn walk(&self, first: u32, next: impl Fn(&Edge) -> u32) -> impl Iterator<Item = &Edge> {
        let mut at = first;
        std::iter::from_fn(move || {
            if at == NONE {
                return None;
            }
            let edge = &self.slab[at];
            at = next(edge);
            Some(edge)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::types::{ModelId, ObjectKey};

    #[test]
    fn links_can_be_followed_both_ways_and_taken_away() {
        let (mut edges, mut entries) = (Edges::default(), Slab::default());
        for i in 0..4 {
            entries.insert(Entry::new(ObjectKey::new(ModelId(0), i)));
        }
        for (from, to) in [(0, 1), (0, 2), (3, 2), (3, 1), (1, 2)] {
            edges.add(&mut entries, from, to);
        }
        let from = |edges: &Edges, entries: &Slab<Entry>, to: u32| -> Vec<u32> {
            edges.incoming(entries[to].first_in).map(|e| e.from).collect()
        };
        assert_eq!(edges.outgoing(entries[0].first_out).map(|e| e.to).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(from(&edges, &entries, 2), [1, 3, 0]);
        assert!(edges.void(&entries, 3, 2) && !edges.void(&entries, 3, 2));
        assert_eq!(edges.remove_first(&mut entries, 3), Some(1));
        assert_eq!(edges.remove_first(&mut entries, 3), Some(2));
        assert_eq!(edges.remove_first(&mut entries, 3), None);
        assert_eq!((from(&edges, &entries, 2), from(&edges, &entries, 1)), (vec![1, 0], vec![0]));
    }
}
