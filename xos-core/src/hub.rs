//! What was committed, for those who listen.
//!
//! Revisions are dense: each number belongs to exactly one change. So the newest changes are a ring that is indexed by
//! revision; a feed needs no queue of its own, cannot overflow, and falls back to the database when it is further
//! behind than the ring reaches.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;
use xos_model_client::{Caller, Change, ModelId, ObjectId, ObjectKey, Revision};

use crate::store::Catalog;

/// How many changes the ring holds, 32 bytes each.
const RING: usize = 16 * 1024;

/// One committed change.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) revision: u64,
    /// The first model of the leaf's chain that has objects.
    pub(crate) root: ModelId,
    pub(crate) id: i32,
    pub(crate) leaf: ModelId,
    pub(crate) what: What,
}

/// What kind of change it was.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Saved(Caller),
    Purged,
}

impl Entry {
    pub(crate) fn to_change(self) -> Change {
        let key = ObjectKey { root: self.root, id: ObjectId::new(self.id) };
        match self.what {
            What::Saved(by) => {
                Change::Saved { key, leaf: self.leaf, by, revision: Some(Revision(self.revision)) }
            }
            What::Purged => Change::Purged { key },
        }
    }
}

/// How far the core has come.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Tick {
    /// The last committed revision.
    pub(crate) revision: u64,
    /// The generation of the schema.
    pub(crate) generation: u64,
    /// Whether nothing will change any more.
    pub(crate) closed: bool,
}

/// Tells listeners what was committed.
#[derive(Debug)]
pub(crate) struct Hub {
    ring: Mutex<Ring>,
    tick: watch::Sender<Tick>,
    catalog: RwLock<Arc<Catalog>>,
}

#[derive(Debug)]
struct Ring {
    /// The revision before the first entry.
    before: u64,
    entries: VecDeque<Entry>,
}

impl Hub {
    pub(crate) fn new(revision: u64, catalog: Arc<Catalog>) -> Self {
        let tick = Tick { revision, generation: catalog.generation, closed: false };
        let ring = Ring { before: revision, entries: VecDeque::new() };
        Hub { ring: Mutex::new(ring), tick: watch::Sender::new(tick), catalog: RwLock::new(catalog) }
    }

    /// The catalog now.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far the core has come, and a way to wait until it comes further.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Tick> {
        self.tick.subscribe()
    }

    /// The last committed revision.
    pub(crate) fn revision(&self) -> u64 {
        self.tick.borrow().revision
    }

    /// Tells of committed changes.
    pub(crate) fn publish(&self, entries: &mut Vec<Entry>) {
        let Some(last) = entries.last().map(|entry| entry.revision) else { return };
        {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            ring.entries.extend(entries.drain(..));
            let surplus = ring.entries.len().saturating_sub(RING);
            ring.entries.drain(..surplus);
            ring.before += surplus as u64;
        }
        self.tick.send_modify(|tick| tick.revision = last);
    }

    /// Tells of a new schema.
    pub(crate) fn publish_catalog(&self, catalog: Arc<Catalog>) {
        let generation = catalog.generation;
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = catalog;
        self.tick.send_modify(|tick| tick.generation = generation);
    }

    /// Tells that nothing will change any more.
    pub(crate) fn close(&self) {
        self.tick.send_modify(|tick| tick.closed = true);
    }

    /// Up to `limit` changes after a revision; `None` when the ring does not reach back that far.
    pub(crate) fn after(&self, revision: u64, limit: usize) -> Option<Vec<Entry>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let skip = revision.checked_sub(ring.before)? as usize;
        Some(ring.entries.range(skip.min(ring.entries.len())..).take(limit).copied().collect())
    }
}
