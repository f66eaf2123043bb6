//! After-save hooks: what authors want done each time a success was stored.

use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};
use xos_model_client::Record;

use super::causes::Writer;
use super::noting::Noting;
use super::runs::caller_of;
use super::{Io, Shell, lines};
use crate::context::Context;
use crate::engine::{Event, Lane, Run, StoreFault, Verb};

impl Shell {
    /// Calls the after-save hooks of a success. Whether there are any: the run is over when they are done.
    pub(super) fn hook(&mut self, run: Run, record: Record) -> bool {
        let layout = self.layout.clone();
        let Some(running) = self.running(run) else { return false };
        let (attempt, verb, key) = (running.attempt, running.verb, running.key);
        let Some(leaf) = layout.leaf(running.leaf) else { return false };
        let hooks = match verb {
            Verb::SyncRecord => leaf.hooks.clone(),
            Verb::HandleChange => leaf.policy_hooks.clone(),
            Verb::DeleteRecord | Verb::HandleDelete => return false,
        };
        if hooks.is_empty() {
            return false;
        }
        let by = caller_of(verb.lane());
        let writer = Writer { key, lane: verb.lane(), record: record.clone() };
        let accessor = Arc::new(Noting {
            inner: self.accessor.clone(),
            layout: layout.clone(),
            causes: self.mutual.causes.clone(),
            writer,
        });
        let context = Context::new(accessor, by, &self.home.around, attempt);
        let limit = self.options.engine.step_deadline;
        // A task of its own: it may panic, or block. It ends with this shell.
        let hooks = async move {
            for hook in &hooks {
                hook.hook
                    .call(&context, hook.projection.of(record.clone()))
                    .await
                    .map_err(|error| error.chain())?;
            }
            Ok(())
        };
        let mut task = JoinSet::new();
        task.spawn(tokio::time::timeout(limit, hooks));
        self.io.push(Box::pin(async move {
            let result = match task.join_next().await {
                None => Ok(()),
                Some(Ok(Ok(result))) => result,
                Some(Ok(Err(_))) => {
                    let limit = limit.as_secs_f64();
                    Err(format!("the after-save hook took longer than {limit} s and was cancelled"))
                }
                Some(Err(error)) => Err(format!("the after-save hook panicked: {}", panic_text(error))),
            };
            Io::Hooked(run, result)
        }));
        true
    }

    /// The after-save hooks of a run are done. An error is handled like one of the step: the success that was stored
    /// before is taken back with it, so that the object is tried again, also after a restart.
    pub(super) fn hooked(&mut self, run: Run, result: Result<(), String>) {
        let Err(text) = result else {
            let version = self.running(run).map(|running| running.worked_on).unwrap_or_default();
            return self.tell(Event::Stored(run, Ok(version)));
        };
        let (model_name, pk) = self.names_of(run);
        let lane = self.running(run).map_or(Lane::Sync, |running| running.verb.lane());
        self.span.in_scope(|| lines::failed_outside(lane, &model_name, pk, &text));
        let hash = self.set_text(run, &text);
        if let Some(running) = self.running(run) {
            running.hook_failed = true;
        }
        self.tell(Event::Stored(run, Err(StoreFault::Rejected { text: hash })));
    }
}

fn panic_text(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => super::worker::panic_text(panic.as_ref()).to_owned(),
        Err(error) => error.to_string(),
    }
}
