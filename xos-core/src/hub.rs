//! What was committed, for those who listen.
//!
//! Each revision belongs to exactly one change. So the newest changes are a ring in the order of their revisions; a
//! feed needs no queue of its own, cannot overflow, and falls back to the database when it is further behind than the
//! ring reaches. What another server wrote into the same database is read from its tables, where an object that was
//! changed twice shows its newest change only: of that part the ring has no more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;
use xos_model_client::{Caller, Change, ModelId, ObjectId, ObjectKey, Revision};

use crate::store::Catalog;

/// How many changes the ring holds, 40 bytes each.
pub(crate) const RING: usize = 16 * 1024;

/// One committed change.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) revision: u64,
    /// The first model of the leaf's chain that has objects.
    pub(crate) root: ModelId,
    pub(crate) id: i32,
    pub(crate) leaf: ModelId,
    pub(crate) what: What,
    /// The fields that changed, as far as known.
    pub(crate) fields: Fields,
}

/// Fields of a model by their places, of which a set has room for the first 128.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Fields([u64; 2]);

impl Fields {
    /// The places of the fields, ascending.
    pub(crate) fn places(self) -> impl Iterator<Item = usize> {
        (0..128).filter(move |place| self.0[place / 64] & (1 << (place % 64)) != 0)
    }
}

impl FromIterator<usize> for Fields {
    fn from_iter<I: IntoIterator<Item = usize>>(places: I) -> Self {
        let mut fields = Fields::default();
        for place in places {
            if let Some(word) = fields.0.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
        fields
    }
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
    /// Whether the database cannot be reached now, so that nobody knows what changes.
    pub(crate) away: bool,
    /// Whether nothing will change any more.
    pub(crate) closed: bool,
}

/// Tells listeners what was committed.
#[derive(Debug)]
pub(crate) struct Hub {
    /// Whether other servers write into the same database.
    shared: bool,
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
        let tick = Tick { revision, generation: catalog.generation, away: false, closed: false };
        let ring = Ring { before: revision, entries: VecDeque::new() };
        Hub {
            shared: false,
            ring: Mutex::new(ring),
            tick: watch::Sender::new(tick),
            catalog: RwLock::new(catalog),
        }
    }

    /// One of a database that other servers use too.
    #[cfg(feature = "postgres")]
    pub(crate) fn shared(revision: u64, catalog: Arc<Catalog>) -> Self {
        Hub { shared: true, ..Self::new(revision, catalog) }
    }

    /// Whether other servers write into the same database.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Whether nothing will change any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.tick.borrow().closed
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
            ring.extend(entries.drain(..));
        }
        self.tick.send_modify(|tick| tick.revision = last);
    }

    /// Tells of a new schema.
    pub(crate) fn publish_catalog(&self, catalog: Arc<Catalog>) {
        let generation = catalog.generation;
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = catalog;
        self.tick.send_modify(|tick| tick.generation = generation);
    }

    /// Tells of changes that another server committed: all after a revision that this hub has told of, up to `last`.
    /// What was told meanwhile is not told again.
    #[cfg(feature = "postgres")]
    pub(crate) fn publish_others(&self, entries: &[Entry], last: u64) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.revision();
        if last <= known {
            return;
        }
        ring.extend(entries.iter().filter(|entry| entry.revision > known).copied());
        // Within the lock: another thread must not see an older number.
        self.tick.send_modify(|tick| tick.revision = last);
    }

    /// Tells of own changes, which follow the revision `after`; unless those before them were not told yet: then all
    /// are to be read from the tables. Tells whether it did.
    #[cfg(feature = "postgres")]
    pub(crate) fn publish_after(&self, after: u64, entries: &mut Vec<Entry>) -> bool {
        let told = self.revision() >= after;
        if told && let Some(last) = entries.last().map(|entry| entry.revision) {
            self.publish_others(entries, last);
        }
        entries.clear();
        told
    }

    /// Takes up again at a revision: what was before is to be read from the tables.
    #[cfg(feature = "postgres")]
    pub(crate) fn skip_to(&self, revision: u64) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if revision > self.revision() {
            ring.entries.clear();
            ring.before = revision;
            self.tick.send_modify(|tick| tick.revision = revision);
        }
    }

    /// Tells of a schema that another server made, unless a newer one is known.
    #[cfg(feature = "postgres")]
    pub(crate) fn publish_newer_catalog(&self, catalog: &Arc<Catalog>) {
        let mut known = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
        if catalog.generation > known.generation {
            *known = catalog.clone();
            drop(known);
            self.tick.send_modify(|tick| tick.generation = tick.generation.max(catalog.generation));
        }
    }

    /// Tells whether the database can be reached.
    pub(crate) fn set_away(&self, away: bool) {
        self.tick.send_if_modified(|tick| std::mem::replace(&mut tick.away, away) != away);
    }

    /// Tells that nothing will change any more.
    pub(crate) fn close(&self) {
        self.tick.send_modify(|tick| tick.closed = true);
    }

    /// Up to `limit` changes after a revision; `None` when the ring does not reach back that far.
    pub(crate) fn after(&self, revision: u64, limit: usize) -> Option<Vec<Entry>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if revision < ring.before {
            return None;
        }
        let skip = ring.entries.partition_point(|entry| entry.revision <= revision);
        Some(ring.entries.range(skip..).take(limit).copied().collect())
    }
}

impl Ring {
    /// Takes newer changes in, and lets the oldest go.
    fn extend(&mut self, entries: impl Iterator<Item = Entry>) {
        self.entries.extend(entries);
        let surplus = self.entries.len().saturating_sub(RING);
        if let Some(last) = self.entries.drain(..surplus).next_back() {
            self.before = last.revision;
        }
    }
}
