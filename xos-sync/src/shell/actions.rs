//! What the engine demands, carried out.

use std::mem;

use futures_util::future::AbortHandle;
use tracing::{info_span, warn};

use super::facts;
use super::worker::{self, Job};
use super::{Running, Shell, lines};
use crate::context::Context;
use crate::engine::{Action, Cancel, Event, Note, Outcome, ReadId, Run, Verb, Version, Why};
use xos_model_client::{ModelId, Record};

impl Shell {
    /// Carries out what the engine demands, until it demands nothing.
    pub(super) fn act(&mut self) {
        loop {
            let actions = mem::take(&mut self.actions);
            if actions.is_empty() {
                break;
            }
            for action in actions {
                self.carry_out(action);
            }
            self.fetch();
        }
        self.flush();
        if !self.actions.is_empty() {
            self.act();
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Start { run, key, leaf, verb, claim, attempt, why, .. } => {
                let leaf = ModelId(leaf.0);
                let running = Running {
                    run,
                    key,
                    leaf,
                    verb,
                    attempt,
                    why,
                    context: None,
                    cancel: None,
                    before: None,
                    text: String::new(),
                    worked_on: Version::default(),
                    cancelled: None,
                };
                let slot = run.slot as usize;
                if self.running.len() <= slot {
                    self.running.resize_with(slot + 1, || None);
                }
                if let Some(place) = self.running.get_mut(slot) {
                    *place = Some(running);
                }
                self.start(run, claim);
            }
            Action::Store { run, what, .. } => self.store(run, what),
            Action::Superseded(run) => {
                if let Some(context) = self.running(run).and_then(|running| running.context.as_ref()) {
                    context.supersede();
                }
            }
            Action::Cancel { run, why } => self.cancel(run, why),
            Action::Wake(moment) => self.wake = moment,
            Action::Scan(models) => self.scan(models.iter().map(|model| ModelId(model.0)).collect::<Vec<_>>()),
            Action::Watch(key) => {
                self.watched.insert(key);
            }
            Action::Unwatch(key) => {
                self.watched.remove(&key);
            }
            Action::Note(note) => self.note(note),
            Action::Answer(_) => {}
            Action::Drained => self.drained = true,
        }
    }

    fn start(&mut self, run: Run, claim: bool) {
        let Some((key, leaf)) = self.running(run).map(|running| (running.key, running.leaf)) else { return };
        if claim {
            self.cache.take(key);
            self.claim(run);
        } else if let Some(record) = self.cache.take(key) {
            self.work_on(run, record);
        } else {
            self.to_fetch.entry(leaf).or_default().push((run, facts::id_of(key)));
        }
    }

    /// The object of a run was read, or its claim was stored: the step starts, if there is still something to do.
    pub(super) fn begin(&mut self, run: Run, read: ReadId, record: Record) {
        let layout = self.layout.clone();
        let Some((leaf, verb, key)) = self.running(run).map(|running| (running.leaf, running.verb, running.key)) else {
            return;
        };
        self.cache.take(key);
        let Some(leaf) = layout.leaf(leaf) else { return };
        let status = facts::status_of(leaf, &record, &self.clock);
        let why = self.running(run).map_or(Why::Scan, |running| running.why);
        let wanted = match verb {
            Verb::DeleteRecord | Verb::HandleDelete => status.doomed,
            // A re-check looks at an object that is not dirty.
            _ if matches!(why, Why::Recheck | Why::Awaited) => !status.doomed && !is_deleted(leaf, &record),
            _ => !status.doomed && status.asks_for_work(),
        };
        let mut links = Vec::new();
        facts::links_of(leaf, &record, &mut links);
        let fact = status.fact(leaf, read, Why::Scan, &links);
        if !wanted {
            self.tell(Event::Facts(&[fact]));
            self.finish(run, Outcome::Skipped);
            return;
        }
        self.tell(Event::Fetched(run, &fact));
        self.work_on(run, record);
    }

    fn work_on(&mut self, run: Run, record: Record) {
        let layout = self.layout.clone();
        let (accessor, ended) = (self.accessor.clone(), self.ended.clone());
        let parent = self.span.clone();
        let Some(running) = self.running(run) else { return };
        let Some(leaf) = layout.leaf(running.leaf) else { return };
        running.before = Some(record.clone());
        running.worked_on = facts::worked_on(leaf, &record);
        let context = Context::new(accessor.clone(), running.attempt);
        let (cancel, registration) = AbortHandle::new_pair();
        running.context = Some(context.clone());
        running.cancel = Some(cancel);
        let span = info_span!(
            parent: &parent,
            "step",
            model_name = %leaf.name,
            pk = running.key.id(),
            attempt = running.attempt,
            reason = ?running.why,
        );
        let job = Job {
            run,
            verb: running.verb,
            id: facts::id_of(running.key),
            shape: leaf.shape.clone(),
            record,
            handlers: leaf.handlers.clone(),
            ctx: context,
            accessor,
            span,
            cancel: registration,
        };
        tokio::spawn(async move {
            let result = worker::work(job).await;
            // The channel has room for twice as many as may run at once; when the shell is gone, nobody asks.
            let _ = ended.send(result).await;
        });
    }

    /// Tells the engine that a run is over without its step having been started.
    pub(super) fn finish(&mut self, run: Run, outcome: Outcome) {
        self.tell(Event::Finished(run, outcome));
    }

    fn cancel(&mut self, run: Run, why: Cancel) {
        if let Some(running) = self.running(run) {
            running.cancelled = Some(why);
            if let Some(cancel) = &running.cancel {
                cancel.abort();
            }
        }
    }

    fn note(&mut self, note: Note) {
        let layout = self.layout.clone();
        let name = |key: crate::engine::ObjectKey| format!("{} {}", layout.name(ModelId(key.root().0)), key.id());
        match note {
            Note::Cycle { keys, broken_at } => {
                let circle: Vec<String> = keys.iter().map(|key| name(*key)).collect();
                warn!(
                    parent: &self.span,
                    objects = circle.join(" -> "),
                    "objects depend on each other in a circle; {} does not wait", name(broken_at)
                );
            }
            Note::Blocking { key, waiters } => {
                warn!(parent: &self.span, object = name(key), waiters, "objects wait for one that failed");
            }
            Note::WillNotStop { run, key, since } => {
                let seconds = self.clock.now().since(since).as_secs_f64();
                let model_name = self.running(run).map(|running| running.leaf);
                let model_name = model_name.map_or("?", |leaf| layout.name(leaf));
                self.span.in_scope(|| lines::will_not_stop(model_name, key.id() as i32, seconds));
            }
        }
    }
}

fn is_deleted(leaf: &super::layout::Leaf, record: &Record) -> bool {
    super::layout::value(record, leaf.at.deleted).as_bool().unwrap_or(false)
}
