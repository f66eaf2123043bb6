//! Looking for work where the core does not tell of it.
//!
//! Every [`poll_interval`](crate::config::Engine::poll_interval) all that is due or doomed is read, counted from the end
//! of the poll before, as the Python framework does. A real core takes about 10 ms for each object of a list, so that
//! polls give way: they take a fifth of the time at most, and while objects that were found wait for a free place, there
//! is nothing to be gained from finding more.

use std::collections::{HashMap, HashSet};
use std::mem;

use xos_model_client::{Error, ModelAccessor, ModelId as CoreModelId, ObjectId, Record};

use super::layout::Layout;
use super::{Io, Shell, facts};
use crate::engine::{Event, Moment, ObjectKey};

/// After a poll, this many times as long as it took is left to others.
const REST: u32 = 4;

/// What is known of polls.
pub(super) struct Polls {
    /// Whether the core has to be asked.
    needed: bool,
    /// When the latest scan began, and whether it was of everything.
    began: Moment,
    /// When everything was read for the last time, clean objects too where a step wants to look at them.
    whole: Moment,
    /// Whether the scan under way is of everything.
    is_whole: bool,
    /// The deleted objects that the scan under way has found; `None` when it cannot find all.
    deleted: Option<HashSet<ObjectKey>>,
    /// The objects that others wait for, as they were at the last poll.
    watched: HashMap<ObjectKey, Option<Record>>,
    reading_watched: bool,
}

impl Polls {
    pub(super) fn new(needed: bool, now: Moment) -> Self {
        Polls {
            needed,
            began: now,
            whole: now,
            is_whole: true,
            deleted: None,
            watched: HashMap::new(),
            reading_watched: false,
        }
    }

    /// Whether the core has to be asked, because it does not tell.
    pub(super) fn is_needed(&self) -> bool {
        self.needed
    }

    /// Whether the scan under way is to find clean objects too.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }
}

/// What objects that others wait for are like now.
pub(super) type WatchedRead = Result<Vec<(ObjectKey, Option<Record>)>, Error>;

impl Shell {
    /// It is time to look for work behind the feed's back.
    pub(super) fn time_to_scan(&mut self) {
        let (interval, longest) = (self.options.engine.poll_interval, self.options.engine.full_scan_interval);
        if !self.polls.needed {
            self.alarms.scan = self.now + longest;
            return self.scan_all();
        }
        // Set again when the scan has ended; until then for the case that it cannot begin.
        self.alarms.scan = self.now + interval;
        let has_work = self.engine.counts().ready > 0;
        let not_yet = has_work && self.now.since(self.polls.began) < longest;
        if self.core_down || self.reads.is_scanning() || not_yet {
            return;
        }
        self.polls.is_whole = self.now.since(self.polls.whole) >= longest;
        self.scan_all();
        self.read_watched();
        self.waits.anything_may_have_changed();
        self.look_at_waits();
    }

    /// A scan of all models begins.
    pub(super) fn scan_begins(&mut self) {
        self.polls.began = self.now;
        self.polls.deleted = Some(HashSet::new());
        if self.polls.is_whole {
            self.polls.whole = self.now;
        }
    }

    /// Part of the scan under way failed, or is not worth its end.
    pub(super) fn scan_is_incomplete(&mut self) {
        self.polls.deleted = None;
    }

    /// All models were scanned.
    pub(super) fn scan_ended(&mut self) {
        // What the engine asks for is of everything.
        self.polls.is_whole = true;
        if !self.polls.needed {
            return;
        }
        let rest = self.now.since(self.polls.began) * REST;
        self.alarms.scan = self.now + rest.max(self.options.engine.poll_interval);
        let Some(deleted) = mem::take(&mut self.polls.deleted) else { return };
        let began = self.polls.began;
        let gone: Vec<(ObjectKey, CoreModelId)> = self
            .reaped
            .iter()
            .filter(|(key, (_, since))| *since < began && !deleted.contains(key))
            .map(|(key, (leaf, _))| (*key, *leaf))
            .collect();
        for (key, leaf) in gone {
            self.reaped.remove(&key);
            let name = self.layout.name(leaf).to_owned();
            self.span.in_scope(|| super::lines::purged(&name, facts::id_of(key).get()));
        }
    }

    /// Whether a step wants to look at clean objects of a model now and then.
    pub(super) fn has_rechecks(&self, model: CoreModelId) -> bool {
        self.layout.leaf(model).is_some_and(|leaf| leaf.recheck.is_some())
    }

    /// A scan found a deleted object.
    pub(super) fn found_deleted(&mut self, key: ObjectKey) {
        if self.reaped.contains_key(&key)
            && let Some(deleted) = &mut self.polls.deleted
        {
            deleted.insert(key);
        }
    }

    /// Objects that others wait for are looked at one by one: they need not be of models that are scanned.
    fn read_watched(&mut self) {
        if self.watched.is_empty() || self.polls.reading_watched {
            return;
        }
        self.polls.reading_watched = true;
        let keys: Vec<ObjectKey> = self.watched.iter().copied().collect();
        let (accessor, layout) = (self.accessor.clone(), self.layout.clone());
        self.io.push(Box::pin(async move { Io::Watched(read(accessor.as_ref(), &layout, keys).await) }));
    }

    /// Objects that others wait for were looked at.
    pub(super) fn watched_read(&mut self, read: WatchedRead) {
        self.polls.reading_watched = false;
        let records = match read {
            Ok(records) => records,
            Err(error) if error.is_interruption() => return self.core_is_away(&error),
            // Those who wait have a limit of their own.
            Err(error) => {
                return tracing::debug!(parent: &self.span, e = %error, "objects that others wait for cannot be read");
            }
        };
        self.polls.watched.retain(|key, _| self.watched.contains(key));
        for (key, record) in
            records.into_iter().filter(|(key, _)| self.watched.contains(key)).collect::<Vec<_>>()
        {
            let before = self.polls.watched.insert(key, record.clone());
            if before.is_some_and(|before| before != record) {
                self.tell(Event::Changed(key));
            }
        }
    }
}

async fn read(accessor: &dyn ModelAccessor, layout: &Layout, mut keys: Vec<ObjectKey>) -> WatchedRead {
    keys.sort_unstable();
    let mut records = Vec::with_capacity(keys.len());
    for some in keys.chunk_by(|a, b| a.root() == b.root()) {
        let Some(root) = some.first().and_then(|key| layout.schema.by_id(CoreModelId(key.root().0))) else {
            continue;
        };
        let ids: Vec<ObjectId> = some.iter().map(|key| facts::id_of(*key)).collect();
        records.extend(some.iter().copied().zip(accessor.get(&root.shape, &ids).await?));
    }
    Ok(records)
}
