//! The only place that writes `backend_*` and `enacted`.

use std::borrow::Cow;
use std::mem;

use xos_model_client::{
    Caller, Error, ErrorKind, FieldPos, Guard, Op, Record, Target, Timestamp, Touch, Value, Write, Written,
};

use super::facts;
use super::layout::{Leaf, value};
use super::runs::Running;
use super::status::{self, Register};
use super::{Io, Shell, lines, policies};
use crate::engine::{
    Complete, Event, FailureKind, Lane, Moment, Outcome, Part, ReadId, Run, Store, StoreFault, Verb, Version,
};

/// How many writes make a batch that is worth sending while another one is under way, where a batch is one
/// transaction.
const FULL: usize = 64;

/// What is to be written.
#[derive(Default)]
pub(super) struct Writes {
    pending: Batch,
    /// How many batches are under way.
    under_way: usize,
    /// The register of a success at this moment: the same for all that succeed together.
    success: Option<(Moment, String)>,
}

/// Writes that are made together, and what each is for.
#[derive(Default)]
struct Batch {
    runs: Vec<(Run, Purpose)>,
    writes: Vec<Write>,
}

/// What a write is for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    /// `backend_need_delete`, before the first effect outside.
    Claim,
    /// The result of a run.
    Result(Store),
}

/// A batch that was written.
pub(super) struct WriteDone {
    read: ReadId,
    runs: Vec<(Run, Purpose)>,
    answers: Vec<Result<Written, Error>>,
}

impl Writes {
    pub(super) fn is_quiet(&self) -> bool {
        self.pending.writes.is_empty() && self.under_way == 0
    }

    /// The runs whose claim waits for its batch.
    pub(super) fn take_claims(&mut self) -> Vec<Run> {
        let Batch { runs, writes } = mem::take(&mut self.pending);
        let mut claims = Vec::new();
        for ((run, what), write) in runs.into_iter().zip(writes) {
            if matches!(what, Purpose::Claim) {
                claims.push(run);
            } else {
                self.add(run, what, write);
            }
        }
        claims
    }

    fn add(&mut self, run: Run, what: Purpose, write: Write) {
        self.pending.runs.push((run, what));
        self.pending.writes.push(write);
    }

    /// The first of those that wait.
    fn take(&mut self, count: usize) -> Batch {
        let pending = &mut self.pending;
        if count < pending.writes.len() {
            let runs = pending.runs.drain(..count).collect();
            return Batch { runs, writes: pending.writes.drain(..count).collect() };
        }
        // As much room for the next ones.
        let next = Batch { runs: Vec::with_capacity(count), writes: Vec::with_capacity(count) };
        mem::replace(pending, next)
    }
}

impl Shell {
    /// Stores that the object may exist outside, before its first step.
    pub(super) fn claim(&mut self, run: Run) {
        let layout = self.layout.clone();
        let is_due = self.running(run).map(|running| running.key).is_some_and(|key| self.engine.is_due(key));
        let Some(running) = self.running(run) else { return };
        let id = running.id();
        let Some(leaf) = layout.leaf(running.leaf) else { return };
        let at = &leaf.at;
        let fields = match running.verb.lane() {
            Lane::Sync => set([(at.need_delete, Value::Bool(true))]),
            // The step's claim comes along when a step is sure to work on it. One that may refuse the object says so
            // when the policies are through with it; what no step takes would never be reaped with that claim.
            Lane::Policy if is_due && leaf.takes_all() => {
                set([(at.need_delete, Value::Bool(true)), (at.need_delete_policy, Value::Bool(true))])
            }
            Lane::Policy => set([(at.need_delete_policy, Value::Bool(true))]),
        };
        let write = engine_write(leaf, id, fields);
        self.writes.add(run, Purpose::Claim, write);
    }

    /// Stores the result of a run.
    pub(super) fn store(&mut self, run: Run, store: Store) {
        let layout = self.layout.clone();
        let now = self.clock.time_of(self.now);
        let (next_run, version) = match store {
            Store::Failure { next_run, version, .. } => {
                (self.clock.time_of(next_run).seconds(), facts::time_of(version))
            }
            _ => (0.0, Timestamp::UNSET),
        };
        let register_of_success = self.register_of_success(&store);
        let Some(running) = self.running(run) else { return };
        let Some(leaf) = layout.leaf(running.leaf) else { return };
        let at = &leaf.at;
        let before = |at| running.before.as_ref().map_or(&Value::Null, |before| value(before, at));
        let text_before = |at| before(at).as_text().unwrap_or_default();
        let (fields, status, code) = match store {
            _ if running.verb.lane() == Lane::Policy => policies::result(leaf, running, store),
            Store::Success { as_fetched } => {
                // A re-check may have worked on what was enacted at a later version.
                let enacted = before(at.enacted).as_time().max(Some(facts::time_of(as_fetched)));
                let fields = set([
                    (at.enacted, enacted.map_or(Value::Null, Value::Time)),
                    (at.status, Value::Text(status::OK.to_owned())),
                    (at.register, Value::Text(register_of_success)),
                    (at.code, Value::Int(status::CODE_OK)),
                ]);
                (fields, Cow::Borrowed(status::OK), status::CODE_OK)
            }
            Store::Failure { kind, attempts, part, .. } => {
                let register = Register::read(text_before(at.register));
                let register = register.failure(now, next_run, attempts, version, kind);
                let register = Value::Text(register.write());
                let code = status::code_of(kind);
                let status = status::with_message(shown_failures(leaf, running), running.text());
                let mut fields = match part {
                    Part::Register => set([(at.register, register)]),
                    Part::Whole => set([
                        (at.status, Value::Text(status.clone())),
                        (at.register, register),
                        (at.code, Value::Int(code)),
                    ]),
                };
                fields.extend(dirty_again(leaf, running));
                (fields, Cow::Owned(status), code)
            }
            Store::Waiting => {
                let text = running.text().to_owned();
                let mut fields = set([(at.status, Value::Text(text.clone())), (at.code, Value::Int(0))]);
                fields.extend(dirty_again(leaf, running));
                (fields, Cow::Owned(text), 0)
            }
            Store::Reap => (set([(at.need_reap, Value::Bool(true))]), Cow::Borrowed(""), 0),
        };
        let write = engine_write(leaf, running.id(), fields);
        running.shown = (status, code);
        let key = running.key;
        if matches!(store, Store::Reap) {
            // The feed may tell of the purge before the write is answered.
            self.reaped.insert(key, (leaf.id, self.now));
        }
        self.writes.add(run, Purpose::Result(store), write);
    }

    fn register_of_success(&mut self, store: &Store) -> String {
        if !matches!(store, Store::Success { .. }) {
            return String::new();
        }
        match &self.writes.success {
            Some((moment, register)) if *moment == self.now => register.clone(),
            _ => {
                let register = Register::success(self.clock.time_of(self.now)).write();
                self.writes.success = Some((self.now, register.clone()));
                register
            }
        }
    }

    /// Writes what is ready together.
    ///
    /// Where a batch is one transaction, what is ready while one is under way waits to become a larger one. Elsewhere
    /// the writes of a batch are made one after the other, so that all free places are used.
    pub(super) fn flush(&mut self) {
        if self.writes.pending.writes.is_empty() || self.core_down {
            return;
        }
        let abilities = self.accessor.abilities();
        let (places, largest) = (abilities.in_flight.max(1), abilities.max_batch.max(1));
        while self.writes.under_way < places && !self.writes.pending.writes.is_empty() {
            let pending = self.writes.pending.writes.len();
            let count = if !abilities.atomic_batch {
                pending.div_ceil(places - self.writes.under_way)
            } else if self.writes.under_way == 0 || pending >= FULL {
                pending
            } else {
                return;
            };
            let batch = self.writes.take(count.min(largest));
            self.write(batch);
        }
    }

    fn write(&mut self, batch: Batch) {
        self.writes.under_way += 1;
        let read = self.new_read(&[]);
        let accessor = self.accessor.clone();
        self.io.push(Box::pin(async move {
            let answers = accessor.write(batch.writes).await;
            Io::Written(WriteDone { read, runs: batch.runs, answers })
        }));
    }

    /// A batch was written.
    pub(super) fn write_done(&mut self, done: WriteDone) {
        self.writes.under_way -= 1;
        let WriteDone { read, runs, answers } = done;
        if answers.iter().any(Result::is_ok) {
            self.core_stores_again();
        }
        let mut answers = answers.into_iter();
        let missing = || Err(ErrorKind::OutcomeUnknown { reason: "no answer to a write".to_owned() }.into());
        for (run, what) in runs {
            let answer = answers.next().unwrap_or_else(missing);
            match what {
                Purpose::Claim => self.claimed(run, read, answer),
                Purpose::Result(store) => self.stored(run, read, store, answer),
            }
        }
        self.tell(Event::ReadEnded(read, Complete::Partial));
    }

    fn claimed(&mut self, run: Run, read: ReadId, answer: Result<Written, Error>) {
        match answer {
            Ok(Written { record: Some(record), .. }) => self.claim_is_stored(run, read, record),
            Ok(Written { record: None, .. }) => self.finish(run, Outcome::Gone),
            Err(error) if error.is_interruption() || error.is_passing_trouble() => {
                self.core_is_away(&error);
                self.finish(run, Outcome::Interrupted);
            }
            Err(error) if error.is_not_found() => self.finish(run, Outcome::Gone),
            Err(error) => {
                let (model_name, pk) = self.names_of(run);
                tracing::error!(parent: &self.span, e = %error, model_name, pk, "an object cannot be claimed; trying again");
                let text = self.set_text(run, &format!("cannot be claimed: {error}"));
                let kind = FailureKind::Failed;
                self.finish(run, Outcome::Failed { kind, retry_after: None, text });
            }
        }
    }

    fn claim_is_stored(&mut self, run: Run, read: ReadId, record: Record) {
        let Some((leaf, id)) = self.running(run).map(|running| (running.leaf, running.id())) else { return };
        if self.layout.leaf(leaf).is_some_and(|leaf| leaf.reverse.is_empty()) {
            self.begin(run, read, record, Vec::new());
        } else {
            // What it waits for because that links to it takes a read.
            self.fetch_later(run, leaf, id);
        }
    }

    fn stored(&mut self, run: Run, read: ReadId, store: Store, answer: Result<Written, Error>) {
        let fault = match answer {
            Ok(written) => return self.result_is_stored(run, read, store, written.record),
            Err(error) if error.is_interruption() || error.is_passing_trouble() => {
                self.core_is_away(&error);
                StoreFault::Away
            }
            Err(error) if error.is_not_found() => StoreFault::Gone,
            Err(error) if matches!(error.kind(), ErrorKind::Superseded { .. }) => StoreFault::Conflict,
            Err(error) => {
                let (model_name, pk) = self.names_of(run);
                let verb = self.running(run).map_or(Verb::SyncRecord, |running| running.verb);
                let is_success = matches!(store, Store::Success { .. } | Store::Reap);
                let e = error.to_string();
                self.span.in_scope(|| lines::cannot_store(verb, is_success, &model_name, pk, &e));
                StoreFault::Rejected {
                    text: self.set_text(run, &format!("the result cannot be stored: {error}")),
                }
            }
        };
        self.tell(Event::Stored(run, Err(fault)));
    }

    fn result_is_stored(&mut self, run: Run, read: ReadId, store: Store, record: Option<Record>) {
        let layout = self.layout.clone();
        let span = self.span.clone();
        let version = match store {
            Store::Success { as_fetched } => as_fetched,
            Store::Failure { version, .. } => version,
            Store::Waiting | Store::Reap => Version::default(),
        };
        let Some(running) = self.running(run) else { return };
        let pk = running.key.id();
        let Some(leaf) = layout.leaf(running.leaf) else { return };
        let (status, code) = (running.shown.0.as_ref(), running.shown.1);
        let before = running.before.as_ref();
        let was = |at| before.map(|before| value(before, at));
        let (key, verb) = (running.key, running.verb);
        let changed = before.is_none_or(|before| !leaf.shows(before, verb.lane(), status, code));
        let is_success = matches!(store, Store::Success { .. });
        if !matches!(store, Store::Reap) && (changed || is_success) {
            let name = was(leaf.at.name).and_then(Value::as_text).unwrap_or_default();
            span.in_scope(|| lines::stored(verb.lane(), &leaf.name, pk, name, code, status));
        }
        if let Some(record) = record.filter(|_| is_success) {
            if verb == Verb::HandleChange && self.engine.is_due(key) {
                // The step, whose turn it is now, need not read it again.
                self.reads.cache.put(key, read, record.clone());
            }
            if self.hook(run, record) {
                return;
            }
        }
        self.tell(Event::Stored(run, Ok(version)));
    }
}

/// The failures that the status showed before the run; what was waited for is over.
fn shown_failures<'a>(leaf: &Leaf, running: &'a Running) -> &'a str {
    let Some(before) = &running.before else { return "" };
    let status = value(before, leaf.at.status).as_text().unwrap_or_default();
    let waited = value(before, leaf.at.code).as_int() == Some(0) && status.starts_with("waits ");
    if waited { "" } else { status }
}

/// What was in order before and is not any more (a re-check found out, or a hook failed after the success) is dirty: also
/// another process has to try it again.
fn dirty_again(leaf: &Leaf, running: &Running) -> Vec<(FieldPos, Value)> {
    let was_clean = running.before.as_ref().is_some_and(|before| !facts::is_stale(leaf, before));
    if was_clean || running.hook_failed {
        return set([(leaf.at.enacted, Value::Time(Timestamp::UNSET))]);
    }
    Vec::new()
}

pub(super) fn set<const N: usize>(fields: [(Option<usize>, Value); N]) -> Vec<(FieldPos, Value)> {
    fields.into_iter().filter_map(|(at, value)| Some((at? as FieldPos, value))).collect()
}

pub(super) fn engine_write(
    leaf: &Leaf,
    id: xos_model_client::ObjectId,
    fields: Vec<(FieldPos, Value)>,
) -> Write {
    Write {
        shape: leaf.shape.clone(),
        target: Target::Object(id),
        op: Op::Set { fields, touch: Touch::AsTheRulesSay },
        by: Caller::Engine,
        guard: Guard::None,
    }
}
