//! The only place that writes `backend_*` and `enacted`.

use std::borrow::Cow;

use xos_model_client::{
    Caller, Error, ErrorKind, FieldPos, Guard, Op, Record, Target, Timestamp, Touch, Value, Write, Written,
};

use super::facts;
use super::layout::{Leaf, value};
use super::status::{self, Register};
use super::{Io, Shell, lines};
use crate::engine::{Event, Outcome, Part, ReadId, Run, Store, StoreFault, TextHash, Version};

/// A write that waits for its batch.
pub(super) struct Pending {
    run: Run,
    what: Purpose,
    write: Write,
}

/// What a write is for.
#[derive(Clone, Debug)]
enum Purpose {
    /// `backend_need_delete`, before the first effect outside.
    Claim,
    /// The result of a run, with the status and code that it leaves.
    Result { store: Store, status: Cow<'static, str>, code: i64 },
}

/// A batch that was written.
pub(super) struct WriteDone {
    read: ReadId,
    answers: Vec<(Run, Purpose, Result<Written, Error>)>,
}

impl Shell {
    /// Stores that the object may exist outside, before its first step.
    pub(super) fn claim(&mut self, run: Run) {
        let layout = self.layout.clone();
        let Some((leaf, id)) = self.running(run).map(|running| (running.leaf, facts::id_of(running.key))) else { return };
        let Some(leaf) = layout.leaf(leaf) else { return };
        let fields = set([(leaf.at.need_delete, Value::Bool(true))]);
        let write = engine_write(leaf, id, fields);
        self.pending.push_back(Pending { run, what: Purpose::Claim, write });
    }

    /// Stores the result of a run.
    pub(super) fn store(&mut self, run: Run, store: Store) {
        let layout = self.layout.clone();
        let now = self.clock.time();
        let (next_run, version) = match store {
            Store::Failure { next_run, version, .. } => (self.clock.seconds_of(next_run), facts::time_of(version)),
            _ => (0.0, Timestamp::UNSET),
        };
        let Some(running) = self.running(run) else { return };
        let id = facts::id_of(running.key);
        let Some(leaf) = layout.leaf(running.leaf) else { return };
        let at = &leaf.at;
        let before = |at| running.before.as_ref().map_or(&Value::Null, |before| value(before, at));
        let text_before = |at| before(at).as_text().unwrap_or_default();
        let (fields, status, code) = match store {
            Store::Success { as_fetched } => {
                let fields = set([
                    (at.enacted, Value::Time(facts::time_of(as_fetched))),
                    (at.status, Value::Text(status::OK.to_owned())),
                    (at.register, Value::Text(Register::success(now).write())),
                    (at.code, Value::Int(status::CODE_OK)),
                ]);
                (fields, Cow::Borrowed(status::OK), status::CODE_OK)
            }
            Store::Failure { kind, attempts, part, .. } => {
                let register = Register::read(text_before(at.register));
                let register = register.failure(now, next_run, attempts, version, kind);
                let register = Value::Text(register.write());
                let code = status::code_of(kind);
                let status = status::with_message(text_before(at.status), &running.text);
                let fields = match part {
                    Part::Register => set([(at.register, register)]),
                    Part::Whole => set([
                        (at.status, Value::Text(status.clone())),
                        (at.register, register),
                        (at.code, Value::Int(code)),
                    ]),
                };
                (fields, Cow::Owned(status), code)
            }
            Store::Reap => (set([(at.need_reap, Value::Bool(true))]), Cow::Borrowed(""), 0),
        };
        let write = engine_write(leaf, id, fields);
        self.pending.push_back(Pending { run, what: Purpose::Result { store, status, code }, write });
    }

    /// Writes what is ready together.
    pub(super) fn flush(&mut self) {
        let abilities = self.accessor.abilities();
        while !self.pending.is_empty() && self.writing < abilities.in_flight.max(1) && !self.core_down {
            let count = self.pending.len().min(abilities.max_batch.max(1));
            let batch: Vec<Pending> = self.pending.drain(..count).collect();
            self.writing += 1;
            let read = self.new_read(&[]);
            let accessor = self.accessor.clone();
            self.io.push(Box::pin(async move {
                let mut writes = Vec::with_capacity(batch.len());
                let mut purposes = Vec::with_capacity(batch.len());
                for pending in batch {
                    writes.push(pending.write);
                    purposes.push((pending.run, pending.what));
                }
                let mut answers = accessor.write(writes).await.into_iter();
                let missing = || Err(ErrorKind::OutcomeUnknown { reason: "no answer to a write".to_owned() }.into());
                let answers = purposes
                    .into_iter()
                    .map(|(run, what)| (run, what, answers.next().unwrap_or_else(missing)))
                    .collect();
                Io::Written(WriteDone { read, answers })
            }));
        }
    }

    /// A batch was written.
    pub(super) fn write_done(&mut self, done: WriteDone) {
        self.writing -= 1;
        for (run, purpose, answer) in done.answers {
            match purpose {
                Purpose::Claim => self.claimed(run, done.read, answer),
                Purpose::Result { store, status, code } => self.stored(run, store, &status, code, answer),
            }
        }
        self.tell(Event::ReadEnded(done.read, crate::engine::Complete::Partial));
    }

    fn claimed(&mut self, run: Run, read: ReadId, answer: Result<Written, Error>) {
        match answer {
            Ok(Written { record: Some(record), .. }) => self.begin(run, read, record),
            Ok(Written { record: None, .. }) => self.finish(run, Outcome::Gone),
            Err(error) if error.is_interruption() => {
                self.core_is_away(&error);
                self.finish(run, Outcome::Interrupted);
            }
            Err(error) if error.is_not_found() => self.finish(run, Outcome::Gone),
            Err(error) => {
                let text = format!("cannot be claimed: {error}");
                self.finish(run, Outcome::failed(&text));
                if let Some(running) = self.running(run) {
                    running.text = text;
                }
            }
        }
    }

    fn stored(&mut self, run: Run, store: Store, status: &str, code: i64, answer: Result<Written, Error>) {
        let answer = match answer {
            Ok(written) => {
                self.result_is_stored(run, store, status, code, written.record);
                return;
            }
            Err(error) if error.is_interruption() => {
                self.core_is_away(&error);
                StoreFault::Away
            }
            Err(error) if error.is_not_found() => StoreFault::Gone,
            Err(error) if matches!(error.kind(), ErrorKind::Superseded { .. }) => StoreFault::Conflict,
            Err(error) => {
                let (model_name, pk) = self.names_of(run);
                tracing::error!(parent: &self.span, e = %error, model_name, pk, "the result of a step cannot be stored; trying again");
                StoreFault::Rejected { text: TextHash::of(&error.to_string()) }
            }
        };
        self.tell(Event::Stored(run, Err(answer)));
    }

    fn result_is_stored(&mut self, run: Run, store: Store, status: &str, code: i64, record: Option<Record>) {
        let layout = self.layout.clone();
        let span = self.span.clone();
        let version = match store {
            Store::Success { as_fetched } => as_fetched,
            Store::Failure { version, .. } => version,
            Store::Reap => Version::default(),
        };
        let Some(running) = self.running(run) else { return };
        let (key, leaf_id) = (running.key, running.leaf);
        let Some(leaf) = layout.leaf(leaf_id) else { return };
        let before = running.before.as_ref();
        let changed = before.is_none_or(|before| {
            value(before, leaf.at.status).as_text() != Some(status)
                || value(before, leaf.at.code).as_int() != Some(code)
        });
        if matches!(store, Store::Reap) {
            self.reaped.insert(key, leaf_id);
        } else if changed || matches!(store, Store::Success { .. }) {
            let name = before.map_or("", name_of);
            span.in_scope(|| lines::stored(&leaf.name, key.id(), name, code, status));
        }
        if matches!(store, Store::Success { .. })
            && let Some(record) = record
            && self.hook(run, record)
        {
            return;
        }
        self.tell(Event::Stored(run, Ok(version)));
    }

    /// Calls the after-save hooks of a success. Whether there are any: the run is over when they are done.
    fn hook(&mut self, run: Run, record: Record) -> bool {
        let layout = self.layout.clone();
        let Some(running) = self.running(run) else { return false };
        let attempt = running.attempt;
        let Some(leaf) = layout.leaf(running.leaf) else { return false };
        if leaf.hooks.is_empty() {
            return false;
        }
        let hooks = leaf.hooks.clone();
        let ctx = crate::context::Context::new(self.accessor.clone(), attempt);
        self.io.push(Box::pin(async move {
            let task = tokio::spawn(async move {
                for hook in &hooks {
                    hook.hook.call(&ctx, hook.projection.of(&record)).await.map_err(|error| error.chain())?;
                }
                Ok(())
            });
            let result = task.await.unwrap_or_else(|error| Err(format!("the after-save hook did not end: {error}")));
            Io::Hooked(run, result)
        }));
        true
    }

    /// The after-save hooks of a run are done. An error is handled like one of the step, though the success stays.
    pub(super) fn hooked(&mut self, run: Run, result: Result<(), String>) {
        let (model_name, pk) = self.names_of(run);
        match result {
            Ok(()) => {
                let version = self.running(run).map(|running| running.worked_on).unwrap_or_default();
                self.tell(Event::Stored(run, Ok(version)));
            }
            Err(text) => {
                tracing::error!(parent: &self.span, e = text, model_name, pk, "sync step failed!");
                if let Some(running) = self.running(run) {
                    running.text.clone_from(&text);
                }
                self.tell(Event::Stored(run, Err(StoreFault::Rejected { text: TextHash::of(&text) })));
            }
        }
    }

    fn names_of(&mut self, run: Run) -> (String, i32) {
        let found = self.running(run).map(|running| (running.leaf, running.key.id() as i32));
        found.map_or_else(|| ("?".to_owned(), 0), |(leaf, pk)| (self.layout.name(leaf).to_owned(), pk))
    }
}

/// The name of an object, for people.
fn name_of(record: &Record) -> &str {
    record.get("name").and_then(Value::as_text).unwrap_or_default()
}

fn set<const N: usize>(fields: [(Option<usize>, Value); N]) -> Vec<(FieldPos, Value)> {
    fields.into_iter().filter_map(|(at, value)| Some((at? as FieldPos, value))).collect()
}

fn engine_write(leaf: &Leaf, id: xos_model_client::ObjectId, fields: Vec<(FieldPos, Value)>) -> Write {
    Write {
        shape: leaf.shape.clone(),
        target: Target::Object(id),
        op: Op::Set { fields, touch: Touch::AsTheRulesSay },
        by: Caller::Engine,
        guard: Guard::None,
    }
}
