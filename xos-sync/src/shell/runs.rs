//! Runs, from their start until their result is stored.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::info_span;
use xos_model_client::{Caller, ModelAccessor, ModelId, ObjectId, Record, Value};

use super::causes::Writer;
use super::layout::{Layout, Leaf};
use super::mutual::{Beginning, Last, Verdict};
use super::noting::Noting;
use super::status;
use super::worker::{Ended, Job};
use super::{Shell, facts};
use crate::context::{Around, Context};
use crate::engine::{
    Action, Cancel, Event, FailureKind, Lane, ObjectKey, Outcome, ReadId, Run, TextHash, Verb, Version, Why,
};

/// What all runs share: one pointer for each, not one for each of its parts.
pub(super) struct Home {
    pub(super) accessor: Arc<dyn ModelAccessor>,
    pub(super) layout: Arc<Layout>,
    pub(super) around: Arc<Around>,
    pub(super) ended: mpsc::Sender<Ended>,
}

/// One run, from its start until its result is stored.
pub(super) struct Running {
    run: Run,
    pub(super) key: ObjectKey,
    pub(super) leaf: ModelId,
    pub(super) verb: Verb,
    pub(super) attempt: u16,
    why: Why,
    /// Set while a step is at work.
    pub(super) context: Option<Context>,
    /// The object as the run found it.
    pub(super) before: Option<Record>,
    /// The text of its failure, until it is stored.
    text: String,
    /// The status and code that its result leaves.
    pub(super) shown: (Cow<'static, str>, i64),
    /// The version that the step works on.
    pub(super) worked_on: Version,
    /// Set when it was told to stop.
    pub(super) cancelled: Option<Cancel>,
    /// The success is stored, but an after-save hook failed: storing that makes the object dirty again.
    pub(super) hook_failed: bool,
    /// Set when it and another object have changed each other too often.
    pub(super) last: Option<Last>,
}

impl Running {
    pub(super) fn id(&self) -> ObjectId {
        facts::id_of(self.key)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Takes the text of a failure as it will be stored. Its hash is what the engine knows of it.
    pub(super) fn set_text(&mut self, text: &str) -> TextHash {
        self.text = status::message(text);
        TextHash::of(&self.text)
    }
}

impl Shell {
    pub(super) fn running(&mut self, run: Run) -> Option<&mut Running> {
        self.running.get_mut(run.slot as usize)?.as_mut().filter(|running| running.run == run)
    }

    /// A run starts: with its claim, with the record that was read before, or by reading it.
    pub(super) fn start(&mut self, action: &Action) {
        let &Action::Start { run, key, leaf, verb, claim, attempt, why, fresh_from, .. } = action else {
            return;
        };
        let leaf = ModelId(leaf.0);
        self.waits.forget((key, verb.lane()));
        let running = Running {
            run,
            key,
            leaf,
            verb,
            attempt,
            why,
            context: None,
            before: None,
            text: String::new(),
            shown: (Cow::Borrowed(""), 0),
            worked_on: Version::default(),
            cancelled: None,
            hook_failed: false,
            last: None,
        };
        let slot = run.slot as usize;
        if self.running.len() <= slot {
            self.running.resize_with(slot + 1, || None);
        }
        if let Some(place) = self.running.get_mut(slot) {
            *place = Some(running);
        }
        let cached = self.reads.cache.take(key).filter(|(read, _)| *read >= fresh_from);
        if self.core_down {
            self.finish(run, Outcome::Interrupted);
        } else if claim && !self.broken.skips_claims() {
            self.claim(run);
        } else if let Some((read, record)) = cached
            && self.layout.leaf(leaf).is_some_and(|leaf| leaf.reverse.is_empty())
        {
            self.begin(run, read, record, Vec::new());
        } else {
            self.fetch_later(run, leaf, facts::id_of(key));
        }
    }

    /// The record of a run is there, and its claim is stored: the step starts, if there is still something to do.
    ///
    /// `waits_for` are the objects that the dependency graph makes it wait for.
    pub(super) fn begin(&mut self, run: Run, read: ReadId, record: Record, waits_for: Vec<ObjectKey>) {
        let layout = self.layout.clone();
        let stopping = self.stopping.is_some();
        let Some(running) = self.running(run) else { return };
        let (verb, why) = (running.verb, running.why);
        let Some(leaf) = layout.leaf(running.leaf) else { return };
        running.before = Some(record.clone());
        match running.cancelled {
            Some(Cancel::TimedOut) => return self.timed_out(run),
            Some(Cancel::LeaderLost) => return self.finish(run, Outcome::Interrupted),
            None if stopping => return self.finish(run, Outcome::Interrupted),
            None => {}
        }
        let status = facts::status_of(leaf, &record, &self.clock);
        // A re-check looks at an object that is not dirty.
        let may_look =
            || verb == Verb::SyncRecord && why == Why::Recheck && facts::may_be_looked_at(leaf, &record);
        let wanted = status.asks_for(verb) || may_look();
        let mut links = waits_for;
        facts::links_of(leaf, &record, &mut links);
        let fact = status.fact(leaf, read, Why::Scan, &links);
        if wanted {
            self.tell(Event::Fetched(run, &fact));
            if !self.is_parked(run, leaf, &record) {
                self.store_early(run, leaf, &record);
                self.work_on(run, leaf, record);
            }
        } else {
            self.tell(Event::Facts(&[fact]));
            self.finish(run, Outcome::Skipped);
        }
    }

    /// Whether the run does not begin, because its object and another one change each other again and again.
    fn is_parked(&mut self, run: Run, leaf: &Leaf, record: &Record) -> bool {
        let (now, cap) = (self.now, self.options.engine.retry_cap);
        let Some(running) = self.running(run) else { return false };
        let (key, lane) = (running.key, running.verb.lane());
        if matches!(running.verb, Verb::DeleteRecord | Verb::HandleDelete) {
            return false;
        }
        let first = running.attempt == 1 && matches!(running.why, Why::Change | Why::Scan);
        let version = facts::worked_on(leaf, record, lane);
        let run_now = Beginning { key, lane, version, first, record, now, cap };
        let mut freed = Vec::new();
        let verdict = self.mutual.begins(&run_now, &mut freed);
        for key in freed {
            self.tell(Event::Retry(key));
        }
        match verdict {
            Verdict::Go => return false,
            Verdict::Last(last) => {
                if let Some(running) = self.running(run) {
                    running.last = Some(last);
                }
                return false;
            }
            Verdict::Park { after, text } => self.park(run, after, &text),
        }
        true
    }

    /// The object of this run rests for a while.
    pub(super) fn park(&mut self, run: Run, after: Duration, text: &str) {
        let lane = self.running(run).map_or(Lane::Sync, |running| running.verb.lane());
        let (model_name, pk) = self.names_of(run);
        self.span.in_scope(|| super::lines::failed_outside(lane, &model_name, pk, text));
        let text = self.set_text(run, text);
        self.finish(run, Outcome::Failed { kind: FailureKind::Failed, retry_after: Some(after), text });
    }

    fn work_on(&mut self, run: Run, leaf: &Leaf, record: Record) {
        let parent = self.span.clone();
        let accessor = self.accessor.clone();
        let home = self.home.clone();
        let causes = self.mutual.causes.clone();
        let Some(running) = self.running(run) else { return };
        let lane = running.verb.lane();
        let writer = Writer { key: running.key, lane, record: record.clone() };
        let accessor = Arc::new(Noting { inner: accessor, layout: home.layout.clone(), causes, writer });
        let context = Context::new(accessor, caller_of(lane), &home.around, running.attempt)
            .rechecking(running.why == Why::Recheck);
        let span = match lane {
            Lane::Sync => info_span!(
                parent: &parent,
                "step",
                model_name = %leaf.name,
                pk = running.key.id(),
                object = name_of(&record),
                attempt = running.attempt,
                reason = ?running.why,
            ),
            Lane::Policy => info_span!(
                parent: &parent,
                "policy",
                model_name = %leaf.name,
                pk = running.key.id(),
                object = name_of(&record),
                attempt = running.attempt,
                reason = ?running.why,
            ),
        };
        running.worked_on = facts::worked_on(leaf, &record, lane);
        running.context = Some(context.clone());
        let (verb, id) = (running.verb, running.id());
        self.call_twice(verb, leaf, &record, &context);
        let job = Job { run, verb, leaf: leaf.id, id, record, context, span };
        self.at_work += 1;
        self.begun += 1;
        self.crew.add(&home, job);
    }

    /// Tells the engine that a run is over without a result of its step.
    pub(super) fn finish(&mut self, run: Run, outcome: Outcome) {
        self.tell(Event::Finished(run, outcome));
    }

    /// A run is told to stop at its next await.
    pub(super) fn cancel(&mut self, run: Run, why: Cancel) {
        if let Some(running) = self.running(run) {
            running.cancelled = Some(why);
            if let Some(context) = &running.context {
                context.cancel();
            }
        }
    }

    /// A run took longer than it may.
    pub(super) fn timed_out(&mut self, run: Run) {
        let limit = self.options.engine.step_deadline;
        let lane = self.running(run).map_or(Lane::Sync, |running| running.verb.lane());
        let what = what_runs(lane);
        let text = format!("the {what} took longer than {} s and was cancelled", limit.as_secs_f64());
        let (model_name, pk) = self.names_of(run);
        self.span.in_scope(|| super::lines::failed_outside(lane, &model_name, pk, &text));
        if let Some(running) = self.running(run) {
            running.set_text(&text);
        }
        self.finish(run, Outcome::TimedOut);
    }

    /// What people call the object of a run.
    pub(super) fn names_of(&mut self, run: Run) -> (String, i32) {
        let found = self.running(run).map(|running| (running.leaf, running.id().get()));
        found.map_or_else(|| ("?".to_owned(), 0), |(leaf, pk)| (self.layout.name(leaf).to_owned(), pk))
    }
}

/// On whose behalf the handlers of a lane write.
pub(super) fn caller_of(lane: Lane) -> Caller {
    match lane {
        Lane::Sync => Caller::Step,
        Lane::Policy => Caller::Policy,
    }
}

/// What the handlers of a lane are called, in messages.
pub(super) fn what_runs(lane: Lane) -> &'static str {
    match lane {
        Lane::Sync => "step",
        Lane::Policy => "policy",
    }
}

/// What people call the object, if it has a name.
fn name_of(record: &Record) -> Option<&str> {
    record.get("name").and_then(Value::as_text)
}
