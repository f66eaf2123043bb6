//! Reading the core: scans, single objects after a change, objects at the start of a run.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;
use std::time::Duration;

use xos_model_client::{
    Caller, Condition, Error, ModelAccessor, ModelId, ObjectId, ObjectKey as CoreKey, Operator, Page, Query,
    QueryKind, Record, Value,
};

use super::cache::Cache;
use super::facts::{self, Status};
use super::layout::ReverseDependency;
use super::{Io, Shell};
use crate::engine::{Complete, Event, Fact, ObjectKey, Outcome, ReadId, Run, Why};

/// How many objects one read asks for.
const PAGE: usize = 1000;

/// How long after a read that the core refused it is made again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is being read, and what will be.
#[derive(Default)]
pub(super) struct Reads {
    latest: u64,
    /// Models that are to be scanned, in order, after the one that is.
    scans: VecDeque<ModelId>,
    /// The scan that is under way.
    scanning: Option<Scan>,
    /// Models whose scan was refused by the core.
    refused: Vec<ModelId>,
    /// Objects that the feed told of, to be read, by leaf model.
    changed: HashMap<ModelId, HashSet<ObjectId>>,
    reading_changes: usize,
    /// Runs whose object is to be read before they start, by leaf model.
    to_fetch: HashMap<ModelId, Vec<(Run, ObjectId)>>,
    pub(super) cache: Cache,
}

/// The scan of one model.
#[derive(Clone, Copy)]
struct Scan {
    read: ReadId,
    /// Everything is to be scanned again: this one need not go on.
    outdated: bool,
}

impl Reads {
    pub(super) fn is_quiet(&self) -> bool {
        self.scanning.is_none()
            && self.scans.is_empty()
            && self.refused.is_empty()
            && self.changed.is_empty()
            && self.reading_changes == 0
    }

    /// The runs that wait for their record.
    pub(super) fn take_fetches(&mut self) -> Vec<Run> {
        self.to_fetch.drain().flat_map(|(_, runs)| runs).map(|(run, _)| run).collect()
    }
}

/// A read that has ended, or one page of it.
pub(super) struct ReadDone {
    read: ReadId,
    leaf: ModelId,
    what: What,
    result: Result<Answer, Error>,
}

/// What the core answered.
struct Answer {
    records: Vec<Option<Record>>,
    /// For each record, the objects that it waits for because they link to it; empty when the dependency graph has no
    /// such entry.
    waits_for: Vec<Vec<ObjectKey>>,
    next: Option<Page>,
}

/// What was read.
enum What {
    /// A page of a scan.
    Scan(QueryKind),
    /// These objects, because they changed.
    Changed(Vec<ObjectId>),
    /// These objects, because runs are about to start.
    Fetch(Vec<(Run, ObjectId)>),
}

/// What was read, with the objects that the dependency graph makes it wait for.
async fn answer(
    accessor: &dyn ModelAccessor,
    reverse: &[ReverseDependency],
    records: Vec<Option<Record>>,
    next: Option<Page>,
) -> Result<Answer, Error> {
    let mut waits_for = Vec::new();
    if !reverse.is_empty() {
        for record in &records {
            waits_for.push(match record {
                Some(record) => linked_from(accessor, reverse, record.id()).await?,
                None => Vec::new(),
            });
        }
    }
    Ok(Answer { records, waits_for, next })
}

/// The objects that link to this one.
async fn linked_from(
    accessor: &dyn ModelAccessor,
    reverse: &[ReverseDependency],
    id: ObjectId,
) -> Result<Vec<ObjectKey>, Error> {
    let mut keys = Vec::new();
    for dependency in reverse {
        for kind in [QueryKind::Live, QueryKind::DeletedObjects] {
            let query = Query::live(dependency.shape.clone()).of_kind(kind).with(Condition {
                field: dependency.field.clone().into(),
                operator: Operator::Equal,
                value: Value::Link(id),
                invert: false,
            });
            let mut page = Some(Page::first(PAGE));
            while let Some(this) = page {
                let found = accessor.find(&query, this).await?;
                keys.extend(found.records.iter().map(|record| facts::key_of(dependency.root, record.id())));
                page = found.next;
            }
        }
    }
    Ok(keys)
}

impl Shell {
    /// A read starts now.
    pub(super) fn new_read(&mut self, models: &[crate::engine::ModelId]) -> ReadId {
        self.reads.latest += 1;
        let read = ReadId(self.reads.latest);
        self.tell(Event::ReadStarted(read, models));
        read
    }

    /// Reads everything that is due or doomed of these models, one after the other.
    pub(super) fn scan(&mut self, models: impl IntoIterator<Item = ModelId>) {
        self.reads.scans = models.into_iter().collect();
        self.reads.refused.clear();
        if let Some(scan) = &mut self.reads.scanning {
            scan.outdated = true;
        }
        self.next_scan();
    }

    /// Reads everything again, behind the feed's back.
    pub(super) fn scan_all(&mut self) {
        if self.reads.scanning.is_none() && !self.core_down {
            let models: Vec<ModelId> = self.layout.leaves().map(|leaf| leaf.id).collect();
            self.scan(models);
        }
    }

    fn next_scan(&mut self) {
        if self.reads.scanning.is_some() {
            return;
        }
        while let Some(model) = self.reads.scans.pop_front() {
            if self.layout.leaf(model).is_some() {
                let read = self.new_read(&[crate::engine::ModelId(model.0)]);
                self.reads.scanning = Some(Scan { read, outdated: false });
                // Clean objects are of interest where a step wants to look at them now and then.
                let rechecks = self.layout.leaf(model).is_some_and(|leaf| leaf.recheck.is_some());
                let kind = if rechecks { QueryKind::Live } else { QueryKind::DirtyObjects };
                self.read_page(read, model, kind, Page::first(PAGE));
                return;
            }
        }
    }

    fn read_page(&mut self, read: ReadId, model: ModelId, kind: QueryKind, page: Page) {
        let Some(leaf) = self.layout.leaf(model) else { return };
        let condition = Condition {
            field: "leaf_model_name".into(),
            operator: Operator::Equal,
            value: Value::Text(leaf.name.to_string()),
            invert: false,
        };
        let query = Query::live(leaf.shape.clone()).of_kind(kind).with(condition);
        let (accessor, reverse) = (self.accessor.clone(), leaf.reverse.clone());
        self.io.push(Box::pin(async move {
            let result = match accessor.find(&query, page).await {
                Ok(found) => {
                    let records = found.records.into_iter().map(Some).collect();
                    answer(accessor.as_ref(), &reverse, records, found.next).await
                }
                Err(error) => Err(error),
            };
            Io::Read(ReadDone { read, leaf: model, what: What::Scan(kind), result })
        }));
    }

    /// The feed told that an object was saved.
    pub(super) fn object_changed(&mut self, key: CoreKey, leaf: ModelId, by: Caller) {
        let engine_key = facts::key_of(key.root, key.id);
        let watched = !self.watched.is_empty() && self.watched.contains(&engine_key);
        if self.layout.leaf(leaf).is_none() {
            if watched {
                self.tell(Event::Changed(engine_key));
            }
        } else if by != Caller::Engine || watched {
            // The bookkeeping of an engine, ours or another one's, gives nobody more to do.
            self.reads.changed.entry(leaf).or_default().insert(key.id);
        }
    }

    /// The feed told that an object is gone for good.
    pub(super) fn object_purged(&mut self, key: CoreKey) {
        let engine_key = facts::key_of(key.root, key.id);
        self.reads.cache.drop_record(engine_key);
        let read = self.new_read(&[]);
        self.tell(Event::Vanished(engine_key, read));
        self.tell(Event::ReadEnded(read, Complete::Partial));
        if let Some(leaf) = self.reaped.remove(&engine_key) {
            let name = self.layout.name(leaf).to_owned();
            self.span.in_scope(|| super::lines::purged(&name, key.id.get()));
        } else if self.watched.contains(&engine_key) {
            self.tell(Event::Changed(engine_key));
        }
    }

    /// Reads the objects that changed; what changes meanwhile is read afterwards.
    pub(super) fn read_changes(&mut self) {
        if self.reads.changed.is_empty() || self.reads.reading_changes > 0 || self.core_down {
            return;
        }
        for (model, ids) in mem::take(&mut self.reads.changed) {
            let mut ids: Vec<ObjectId> = ids.into_iter().collect();
            ids.sort_unstable();
            for chunk in ids.chunks(PAGE) {
                self.reads.reading_changes += 1;
                self.read_objects(model, chunk.to_vec(), What::Changed(chunk.to_vec()));
            }
        }
    }

    /// A run needs its object to be read before it starts.
    pub(super) fn fetch_later(&mut self, run: Run, leaf: ModelId, id: ObjectId) {
        self.reads.to_fetch.entry(leaf).or_default().push((run, id));
    }

    /// Reads the objects of runs that are about to start.
    pub(super) fn fetch(&mut self) {
        if self.reads.to_fetch.is_empty() {
            return;
        }
        for (model, runs) in mem::take(&mut self.reads.to_fetch) {
            for chunk in runs.chunks(PAGE) {
                let ids = chunk.iter().map(|(_, id)| *id).collect();
                self.read_objects(model, ids, What::Fetch(chunk.to_vec()));
            }
        }
    }

    fn read_objects(&mut self, model: ModelId, ids: Vec<ObjectId>, what: What) {
        let Some(leaf) = self.layout.leaf(model) else { return };
        let (accessor, shape, reverse) = (self.accessor.clone(), leaf.shape.clone(), leaf.reverse.clone());
        let read = self.new_read(&[]);
        self.io.push(Box::pin(async move {
            let result = match accessor.get(&shape, &ids).await {
                Ok(records) => answer(accessor.as_ref(), &reverse, records, None).await,
                Err(error) => Err(error),
            };
            Io::Read(ReadDone { read, leaf: model, what, result })
        }));
    }

    /// A read has ended, or one page of it.
    pub(super) fn read_done(&mut self, done: ReadDone) {
        let ReadDone { read, leaf, what, result } = done;
        match result {
            Ok(answer) => match what {
                What::Scan(kind) => self.page_read(read, leaf, kind, &answer),
                What::Changed(ids) => {
                    self.tell_records(read, leaf, &answer, Why::Change);
                    self.tell_vanished(read, leaf, &ids, &answer.records);
                    self.changes_read(read);
                }
                What::Fetch(runs) => self.fetched(read, &runs, answer),
            },
            Err(error) => self.read_failed(read, leaf, what, &error),
        }
    }

    fn page_read(&mut self, read: ReadId, leaf: ModelId, kind: QueryKind, answer: &Answer) {
        self.tell_records(read, leaf, answer, Why::Scan);
        let outdated = self.reads.scanning.is_some_and(|scan| scan.read == read && scan.outdated);
        match (answer.next, kind) {
            _ if outdated => self.scanned(read, Complete::Partial),
            (Some(page), kind) => self.read_page(read, leaf, kind, page),
            (None, QueryKind::DirtyObjects | QueryKind::Live) => {
                self.read_page(read, leaf, QueryKind::DeletedObjects, Page::first(PAGE));
            }
            (None, _) => self.scanned(read, Complete::Whole),
        }
    }

    /// The scan of one model has ended.
    fn scanned(&mut self, read: ReadId, complete: Complete) {
        self.tell(Event::ReadEnded(read, complete));
        self.reads.scanning = None;
        self.next_scan();
    }

    fn changes_read(&mut self, read: ReadId) {
        self.tell(Event::ReadEnded(read, Complete::Partial));
        self.reads.reading_changes -= 1;
        self.read_changes();
    }

    fn read_failed(&mut self, read: ReadId, leaf: ModelId, what: What, error: &Error) {
        if error.is_interruption() {
            self.core_is_away(error);
        } else {
            let model_name = self.layout.name(leaf);
            tracing::error!(parent: &self.span, e = %error, model_name, "objects cannot be read; trying again");
            self.alarms.reads = self.alarms.reads.min(self.now + AGAIN);
        }
        match what {
            What::Scan(_) => {
                if error.is_interruption() {
                    // The engine asks for all scans again when the core is back.
                    self.reads.scans.clear();
                } else {
                    self.reads.refused.push(leaf);
                }
                self.scanned(read, Complete::Partial);
            }
            What::Changed(ids) => {
                self.reads.changed.entry(leaf).or_default().extend(ids);
                self.tell(Event::ReadEnded(read, Complete::Partial));
                self.reads.reading_changes -= 1;
            }
            What::Fetch(runs) => {
                self.tell(Event::ReadEnded(read, Complete::Partial));
                for (run, _) in runs {
                    self.finish(run, Outcome::Interrupted);
                }
            }
        }
    }

    /// Makes the reads again that the core refused.
    pub(super) fn read_again(&mut self) {
        let refused = mem::take(&mut self.reads.refused);
        self.reads.scans.extend(refused);
        self.next_scan();
        self.read_changes();
    }

    fn tell_vanished(&mut self, read: ReadId, leaf: ModelId, ids: &[ObjectId], records: &[Option<Record>]) {
        let Some(root) = self.layout.leaf(leaf).map(|leaf| leaf.root) else { return };
        for (id, record) in ids.iter().zip(records) {
            if record.is_none() {
                self.tell(Event::Vanished(facts::key_of(root, *id), read));
            }
        }
    }

    /// Tells the engine what records say, and keeps those that will be worked on as they are.
    fn tell_records(&mut self, read: ReadId, model: ModelId, answer: &Answer, why: Why) {
        let layout = self.layout.clone();
        let Some(leaf) = layout.leaf(model) else { return };
        let mut links = Vec::new();
        let mut found: Vec<(Status, std::ops::Range<usize>)> = Vec::with_capacity(answer.records.len());
        for (at, record) in answer.records.iter().enumerate() {
            let Some(record) = record else { continue };
            let status = facts::status_of(leaf, record, &self.clock);
            let start = links.len();
            if status.asks_for_work() {
                facts::links_of(leaf, record, &mut links);
                links.extend(answer.waits_for.get(at).into_iter().flatten());
            }
            let key = facts::key_of(leaf.root, status.id);
            if status.asks_for_work() && !status.will_be_claimed() {
                self.reads.cache.put(key, read, record.clone());
            } else {
                self.reads.cache.drop_record(key);
            }
            found.push((status, start..links.len()));
        }
        let facts: Vec<Fact<'_>> = found
            .iter()
            .map(|(status, range)| status.fact(leaf, read, why, links.get(range.clone()).unwrap_or_default()))
            .collect();
        self.tell(Event::Facts(&facts));
    }

    /// The objects of runs that are about to start were read.
    fn fetched(&mut self, read: ReadId, runs: &[(Run, ObjectId)], answer: Answer) {
        let mut waits_for = answer.waits_for.into_iter();
        for ((run, _), record) in runs.iter().zip(answer.records) {
            let waits_for = waits_for.next().unwrap_or_default();
            match record {
                Some(record) => self.begin(*run, read, record, waits_for),
                None => self.finish(*run, Outcome::Gone),
            }
        }
        self.tell(Event::ReadEnded(read, Complete::Partial));
    }
}
