//! Broken engines: what the simulator must find.

use std::cell::Cell;
use std::collections::HashMap;

use xos_model_client::{Record, Value};

use super::layout::Leaf;
use super::writes::{engine_write, set};
use super::{Shell, facts, status};
use crate::context::Context;
use crate::engine::{Lane, ObjectKey, Run, Verb, Version, Why};

/// How the engine is broken, in a simulation that has to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A change of an object that is told while a handler is at work on it is never worked on.
    LostWakeUp,
    /// `backend_need_delete` is not stored before the first step.
    SkippedClaim,
    /// That the object is synchronized is stored before its step has run.
    EarlyStatus,
    /// A step is called a second time while it is at work.
    TwoAtOnce,
}

thread_local! {
    static CHOSEN: Cell<Option<Sabotage>> = const { Cell::new(None) };
}

/// Engines that this thread starts from now on are broken like this.
#[cfg(feature = "embedded")]
pub(crate) fn sabotage(how: Option<Sabotage>) {
    CHOSEN.set(how);
}

/// How this engine is broken; in earnest it never is.
pub(super) struct Broken {
    how: Option<Sabotage>,
    /// Versions that it will never notice.
    lost: HashMap<ObjectKey, Version>,
}

impl Broken {
    pub(super) fn chosen() -> Self {
        Broken { how: CHOSEN.get(), lost: HashMap::new() }
    }

    pub(super) fn skips_claims(&self) -> bool {
        self.how == Some(Sabotage::SkippedClaim)
    }
}

impl Shell {
    /// Whether a change is not noticed: one that was told while a handler was at work, and ever since.
    pub(super) fn loses(&mut self, key: ObjectKey, leaf: &Leaf, record: &Record, why: Why) -> bool {
        if self.broken.how != Some(Sabotage::LostWakeUp) {
            return false;
        }
        let version = facts::worked_on(leaf, record, Lane::Sync);
        let at_work = self.running.iter().flatten().find(|run| run.key == key && run.context.is_some());
        if why == Why::Change && at_work.is_some_and(|run| run.worked_on != version) {
            self.broken.lost.insert(key, version);
        }
        self.broken.lost.get(&key) == Some(&version)
    }

    /// Stores that a step succeeded which has not begun.
    pub(super) fn store_early(&mut self, run: Run, leaf: &Leaf, record: &Record) {
        if self.broken.how != Some(Sabotage::EarlyStatus) {
            return;
        }
        let Some(running) = self.running(run).filter(|running| running.verb == Verb::SyncRecord) else {
            return;
        };
        let version = facts::worked_on(leaf, record, Lane::Sync);
        let fields = set([
            (leaf.at.enacted, Value::Time(facts::time_of(version))),
            (leaf.at.status, Value::Text(status::OK.to_owned())),
            (leaf.at.code, Value::Int(status::CODE_OK)),
        ]);
        let write = engine_write(leaf, running.id(), fields);
        let accessor = self.accessor.clone();
        tokio::spawn(async move { accessor.write(vec![write]).await });
    }

    /// Calls the first step of the object, beside the run.
    pub(super) fn call_twice(&self, verb: Verb, leaf: &Leaf, record: &Record, context: &Context) {
        if self.broken.how != Some(Sabotage::TwoAtOnce) || verb != Verb::SyncRecord {
            return;
        }
        let Some(handler) = leaf.handlers.first() else { return };
        let (step, record) = (handler.step.clone(), handler.projection.of(record.clone()));
        let context = context.clone();
        tokio::spawn(async move { step.sync(&context, record).await.map(drop) });
    }
}
