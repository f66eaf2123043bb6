//! Reading the core: scans, single objects after a change, objects at the start of a run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::ops::Range;
use std::time::Duration;

use xos_model_client::{
    Caller, Condition, Error, ModelId, ObjectId, ObjectKey as CoreKey, Operator, Page, Query, QueryKind,
    Value,
};

use super::answers::{Answer, Changed, PAGE, answer, read_all, read_objects};
use super::cache::Cache;
use super::facts::{self, Status};
use super::held::Held;
use super::{Io, Shell};
use crate::engine::{Complete, Event, Fact, ObjectKey, Outcome, ReadId, Run, Why};

/// How many facts the engine is told in one go.
const TOLD_AT_ONCE: usize = 256;

/// How long after a read that the core refused it is made again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is being read, and what will be.
#[derive(Default)]
pub(super) struct Reads {
    latest: u64,
    /// The models that are observed, targets of links first.
    pub(super) order: Vec<ModelId>,
    /// Models that are to be scanned, in order, after the one that is.
    pub(super) scans: VecDeque<ModelId>,
    /// The scan that is under way.
    scanning: Option<Scan>,
    /// Deleted objects that a poll has found, until those that may depend on them were looked for, too.
    pub(super) held: Held,
    /// Models whose scan was refused by the core.
    refused: Vec<ModelId>,
    /// Objects that the feed told of, to be read, by leaf model.
    changed: BTreeMap<ModelId, BTreeSet<ObjectId>>,
    reading_changes: bool,
    /// Runs whose object is to be read before they start, by leaf model.
    to_fetch: BTreeMap<ModelId, Vec<(Run, ObjectId)>>,
    pub(super) cache: Cache,
    /// Room for what is told to the engine, kept for the next time.
    told: (Vec<Found>, Vec<ObjectKey>),
}

/// What a record says, with its leaf model and where its links are.
pub(super) type Found = (ModelId, Status, Range<usize>);

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
            && !self.reading_changes
    }

    /// Whether a scan is under way.
    pub(super) fn is_scanning(&self) -> bool {
        self.scanning.is_some()
    }

    /// The runs that wait for their record.
    pub(super) fn take_fetches(&mut self) -> Vec<Run> {
        mem::take(&mut self.to_fetch).into_values().flatten().map(|(run, _)| run).collect()
    }
}

/// A read that has ended, or one page of it.
pub(super) struct ReadDone {
    read: ReadId,
    what: What,
}

/// What was read, and what the core answered.
enum What {
    /// A page of the scan of a model.
    Scan(ModelId, QueryKind, Result<Answer, Error>),
    /// These objects, because they changed.
    Changed(Changed, Result<Vec<(ModelId, Answer)>, Error>),
    /// These objects, because runs are about to start.
    Fetch(ModelId, Vec<(Run, ObjectId)>, Result<Answer, Error>),
}

impl Shell {
    /// A read starts now.
    pub(super) fn new_read(&mut self, models: &[crate::engine::ModelId]) -> ReadId {
        self.reads.latest += 1;
        let read = ReadId(self.reads.latest);
        self.tell(Event::ReadStarted(read, models));
        read
    }

    /// Reads everything that is due or doomed of these models, one after the other: all that are observed, targets of
    /// links first.
    pub(super) fn scan(&mut self, models: Vec<ModelId>) {
        self.reads.order = models;
        self.reads.scans = self.reads.order.iter().copied().collect();
        self.reads.refused.clear();
        if let Some(scan) = &mut self.reads.scanning {
            scan.outdated = true;
        }
        self.drop_held();
        self.scan_begins();
        self.next_scan();
    }

    /// Reads everything again, behind the feed's back.
    pub(super) fn scan_all(&mut self) {
        if self.reads.scanning.is_none() && !self.core_down {
            self.scan(self.reads.order.clone());
        }
    }

    fn next_scan(&mut self) {
        if self.reads.scanning.is_some() {
            return;
        }
        while let Some(model) = self.reads.scans.pop_front() {
            if let Some(leaf) = self.layout.clone().leaf(model) {
                let read = self.new_read(&[crate::engine::ModelId(model.0)]);
                self.reads.scanning = Some(Scan { read, outdated: false });
                // Clean objects are of interest where a step wants to look at them now and then.
                let with_clean = self.has_rechecks(model) && self.polls.is_whole();
                self.read_page(read, model, leaf.first_list(with_clean), Page::first(PAGE));
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
            Io::Read(ReadDone { read, what: What::Scan(model, kind, result) })
        }));
    }

    /// The feed told that an object was saved.
    pub(super) fn object_changed(&mut self, key: CoreKey, leaf: ModelId, by: Caller) {
        let engine_key = facts::key_of(key.root, key.id);
        self.waits.changed(engine_key);
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
        self.waits.changed(engine_key);
        let read = self.new_read(&[]);
        self.tell(Event::Vanished(engine_key, read));
        self.tell(Event::ReadEnded(read, Complete::Partial));
        if let Some(leaf) = self.reaped.remove(&engine_key).map(|(leaf, _)| leaf) {
            let name = self.layout.name(leaf).to_owned();
            self.span.in_scope(|| super::lines::purged(&name, key.id.get()));
        } else if self.watched.contains(&engine_key) {
            self.tell(Event::Changed(engine_key));
        }
    }

    /// Reads the objects that changed; what changes meanwhile is read afterwards.
    ///
    /// One read for all of them: of an object and one that depends on it, deleted together, the engine has to hear
    /// together.
    pub(super) fn read_changes(&mut self) {
        if self.reads.changed.is_empty() || self.reads.reading_changes || self.core_down {
            return;
        }
        self.reads.reading_changes = true;
        let changed = mem::take(&mut self.reads.changed).into_iter();
        let changed: Changed = changed.map(|(model, ids)| (model, ids.into_iter().collect())).collect();
        let read = self.new_read(&[]);
        let (accessor, layout) = (self.accessor.clone(), self.layout.clone());
        self.io.push(Box::pin(async move {
            let result = read_all(accessor.as_ref(), &layout, &changed).await;
            Io::Read(ReadDone { read, what: What::Changed(changed, result) })
        }));
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
                self.fetch_some(model, chunk.to_vec());
            }
        }
    }

    fn fetch_some(&mut self, model: ModelId, runs: Vec<(Run, ObjectId)>) {
        let read = self.new_read(&[]);
        let (accessor, layout) = (self.accessor.clone(), self.layout.clone());
        self.io.push(Box::pin(async move {
            let ids: Vec<ObjectId> = runs.iter().map(|(_, id)| *id).collect();
            let result = read_objects(accessor.as_ref(), &layout, model, &ids).await;
            Io::Read(ReadDone { read, what: What::Fetch(model, runs, result) })
        }));
    }

    /// A read has ended, or one page of it.
    pub(super) fn read_done(&mut self, done: ReadDone) {
        let ReadDone { read, what } = done;
        match what {
            What::Scan(leaf, kind, Ok(answer)) => self.page_read(read, leaf, kind, answer),
            What::Scan(leaf, _, Err(error)) => self.scan_failed(read, leaf, &error),
            What::Changed(changed, Ok(answers)) => {
                self.tell_vanished(read, &changed, &answers);
                self.tell_records(read, &answers, Why::Change);
                self.reads.reading_changes = false;
                self.tell(Event::ReadEnded(read, Complete::Partial));
                self.read_changes();
            }
            What::Changed(changed, Err(error)) => {
                self.cannot_read(changed.first().map(|(leaf, _)| *leaf), &error);
                for (leaf, ids) in changed {
                    self.reads.changed.entry(leaf).or_default().extend(ids);
                }
                self.reads.reading_changes = false;
                self.tell(Event::ReadEnded(read, Complete::Partial));
            }
            What::Fetch(_, runs, Ok(answer)) => self.fetched(read, &runs, answer),
            What::Fetch(leaf, runs, Err(error)) => {
                self.cannot_read(Some(leaf), &error);
                self.tell(Event::ReadEnded(read, Complete::Partial));
                for (run, _) in runs {
                    self.finish(run, Outcome::Interrupted);
                }
            }
        }
    }

    fn page_read(&mut self, read: ReadId, leaf: ModelId, kind: QueryKind, answer: Answer) {
        let next = answer.next;
        if self.is_held_back(kind, &answer) {
            self.reads.held.keep(read, leaf, answer);
        } else {
            self.tell_records(read, &[(leaf, answer)], Why::Scan);
        }
        let next_list = self.layout.leaf(leaf).and_then(|leaf| leaf.next_list(kind));
        let outdated = self.reads.scanning.is_some_and(|scan| scan.read == read && scan.outdated);
        match (next, next_list) {
            _ if outdated => {
                self.scan_is_incomplete();
                self.scanned(read, Complete::Partial);
            }
            (Some(page), _) => self.read_page(read, leaf, kind, page),
            (None, Some(next)) => self.read_page(read, leaf, next, Page::first(PAGE)),
            // Clean objects that a step wants to look at were not asked for: their absence means nothing.
            (None, _) if self.has_rechecks(leaf) && !self.polls.is_whole() => {
                self.scanned(read, Complete::Partial);
            }
            (None, _) => self.scanned(read, Complete::Whole),
        }
    }

    /// The scan of one model has ended.
    fn scanned(&mut self, read: ReadId, complete: Complete) {
        if !self.reads.held.end(read, complete) {
            self.tell(Event::ReadEnded(read, complete));
        }
        self.reads.scanning = None;
        self.next_scan();
        if self.reads.scanning.is_none() {
            self.tell_held();
            self.scan_ended();
        }
    }

    fn scan_failed(&mut self, read: ReadId, leaf: ModelId, error: &Error) {
        self.cannot_read(Some(leaf), error);
        self.scan_is_incomplete();
        if error.is_interruption() {
            // The engine asks for all scans again when the core is back.
            self.reads.scans.clear();
            self.drop_held();
        } else {
            self.reads.refused.push(leaf);
        }
        self.scanned(read, Complete::Partial);
    }

    pub(super) fn cannot_read(&mut self, leaf: Option<ModelId>, error: &Error) {
        if error.is_interruption() {
            self.core_is_away(error);
        } else {
            let model_name = leaf.map_or("?", |leaf| self.layout.name(leaf));
            tracing::error!(parent: &self.span, e = %error, model_name, "objects cannot be read; trying again");
            self.alarms.reads = self.alarms.reads.min(self.now + AGAIN);
        }
    }

    /// Makes the reads again that the core refused.
    pub(super) fn read_again(&mut self) {
        let refused = mem::take(&mut self.reads.refused);
        self.reads.scans.extend(refused);
        self.next_scan();
        self.read_changes();
        self.look_at_waits();
    }

    fn tell_vanished(&mut self, read: ReadId, changed: &Changed, answers: &[(ModelId, Answer)]) {
        let layout = self.layout.clone();
        for ((leaf, ids), (_, answer)) in changed.iter().zip(answers) {
            let Some(leaf) = layout.leaf(*leaf) else { continue };
            for (id, _) in ids.iter().zip(&answer.records).filter(|(_, record)| record.is_none()) {
                self.tell(Event::Vanished(facts::key_of(leaf.root, *id), read));
            }
        }
    }

    /// Tells the engine what records say, and keeps those that will be worked on as they are.
    pub(super) fn tell_records(&mut self, read: ReadId, answers: &[(ModelId, Answer)], why: Why) {
        let layout = self.layout.clone();
        let (mut found, mut links) = mem::take(&mut self.reads.told);
        for (model, answer) in answers {
            let Some(leaf) = layout.leaf(*model) else { continue };
            for (at, record) in answer.records.iter().enumerate() {
                let Some(record) = record else { continue };
                let status = facts::status_of(leaf, record, &self.clock);
                if self.loses(facts::key_of(leaf.root, status.id), leaf, record, why) {
                    continue;
                }
                let start = links.len();
                if status.asks_for_work() {
                    facts::links_of(leaf, record, &mut links);
                    links.extend(answer.waits_for.get(at).into_iter().flatten());
                }
                let key = facts::key_of(leaf.root, status.id);
                if status.deleted {
                    self.found_deleted(key);
                }
                if status.asks_for_work() && !status.will_be_claimed() {
                    self.reads.cache.put(key, read, record.clone());
                } else {
                    self.reads.cache.drop_record(key);
                }
                found.push((leaf.id, status, start..links.len()));
            }
        }
        if why == Why::Change {
            self.in_order(&mut found);
        }
        for some in found.chunks(TOLD_AT_ONCE) {
            let facts: Vec<Fact<'_>> = some
                .iter()
                .filter_map(|(leaf, status, range)| {
                    let links = links.get(range.clone()).unwrap_or_default();
                    Some(status.fact(layout.leaf(*leaf)?, read, why, links))
                })
                .collect();
            self.tell(Event::Facts(&facts));
        }
        found.clear();
        links.clear();
        self.reads.told = (found, links);
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
