//! Conditions that runs wait for: looked at when the object they are about changes, and at nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tracing::warn;
use xos_model_client::{Error, ModelAccessor, ObjectId, Record, Shape};

use super::{Io, Shell, facts};
use crate::engine::{Event, Lane, ObjectKey, Outcome, Run};
use crate::step::Condition;

/// Who waits: one lane of an object.
pub(super) type Waiter = (ObjectKey, Lane);

/// What runs wait for.
#[derive(Default)]
pub(super) struct Waits {
    waiting: HashMap<Waiter, Waiting>,
    /// Who waits for an object.
    by_target: HashMap<ObjectKey, BTreeSet<Waiter>>,
    /// Objects that are to be looked at.
    to_look_at: BTreeSet<ObjectKey>,
    looking: bool,
    /// How many waits there were: a wait that has ended is not taken for the next one.
    count: u64,
}

struct Waiting {
    number: u64,
    target: ObjectKey,
    condition: Condition,
    text: String,
}

/// One condition that is looked at, and with which shape.
struct Look {
    waiter: Waiter,
    number: u64,
    id: ObjectId,
    condition: Condition,
}

/// The waits whose condition holds, or those objects that could not be read.
pub(super) type Looked = Result<Vec<(Waiter, u64)>, (Error, BTreeSet<ObjectKey>)>;

impl Waits {
    pub(super) fn is_quiet(&self) -> bool {
        self.to_look_at.is_empty() && !self.looking
    }

    fn add(&mut self, waiter: Waiter, target: ObjectKey, condition: Condition, text: String) {
        self.forget(waiter);
        self.count += 1;
        self.by_target.entry(target).or_default().insert(waiter);
        self.to_look_at.insert(target);
        self.waiting.insert(waiter, Waiting { number: self.count, target, condition, text });
    }

    /// This lane does not wait any more.
    pub(super) fn forget(&mut self, waiter: Waiter) {
        let Some(waiting) = self.waiting.remove(&waiter) else { return };
        if let Some(waiters) = self.by_target.get_mut(&waiting.target) {
            waiters.remove(&waiter);
            if waiters.is_empty() {
                self.by_target.remove(&waiting.target);
            }
        }
    }

    /// Nobody waits for this object any more.
    pub(super) fn forget_target(&mut self, target: ObjectKey) {
        for waiter in self.by_target.remove(&target).unwrap_or_default() {
            self.waiting.remove(&waiter);
        }
    }

    /// An object changed.
    pub(super) fn changed(&mut self, target: ObjectKey) {
        if !self.by_target.is_empty() && self.by_target.contains_key(&target) {
            self.to_look_at.insert(target);
        }
    }

    /// Changes may have been missed.
    pub(super) fn anything_may_have_changed(&mut self) {
        self.to_look_at.extend(self.by_target.keys());
    }

    /// What the lanes of an object wait for.
    pub(super) fn texts_of(&self, key: ObjectKey) -> impl Iterator<Item = &str> {
        [Lane::Policy, Lane::Sync]
            .into_iter()
            .filter_map(move |lane| self.waiting.get(&(key, lane)).map(|waiting| waiting.text.as_str()))
    }

    fn looks(&self, targets: &BTreeSet<ObjectKey>) -> Vec<Look> {
        let waiters = targets.iter().filter_map(|target| Some((*target, self.by_target.get(target)?)));
        let looks = waiters.flat_map(|(target, waiters)| waiters.iter().map(move |waiter| (target, *waiter)));
        looks
            .filter_map(|(target, waiter)| {
                let Waiting { number, condition, .. } = self.waiting.get(&waiter)?;
                let id = facts::id_of(target);
                Some(Look { waiter, number: *number, id, condition: condition.clone() })
            })
            .collect()
    }
}

impl Shell {
    /// A run ended because a condition does not hold yet: its object waits for that.
    pub(super) fn wait(
        &mut self,
        run: Run,
        target: ObjectKey,
        at_most: std::time::Duration,
        condition: Condition,
        text: &str,
    ) {
        self.set_text(run, text);
        let layout = self.layout.clone();
        let Some(running) = self.running(run) else { return };
        let waiter = (running.key, running.verb.lane());
        let text = running.text().to_owned();
        let before = running.before.as_ref().zip(layout.leaf(running.leaf));
        let show = before.is_some_and(|(before, leaf)| !leaf.shows(before, waiter.1, &text, 0));
        self.tell(Event::Finished(run, Outcome::WaitUntil { key: target, at_most, show }));
        if !self.engine.is_waiting(waiter.0, waiter.1) {
            return;
        }
        self.waits.add(waiter, target, condition, text);
        let circle = self.engine.circle(waiter.0);
        if !circle.is_empty() {
            let objects = circle.join(" -> ");
            warn!(parent: &self.span, objects, "these objects wait for each other; only the limit of a wait ends that");
        }
        self.look_at_waits();
    }

    /// Looks at the objects that changed and that runs wait for; what changes meanwhile is looked at afterwards.
    pub(super) fn look_at_waits(&mut self) {
        if self.waits.to_look_at.is_empty() || self.waits.looking || self.core_down {
            return;
        }
        let targets = mem::take(&mut self.waits.to_look_at);
        let looks = self.waits.looks(&targets);
        if looks.is_empty() {
            return;
        }
        self.waits.looking = true;
        let accessor = self.accessor.clone();
        self.io.push(Box::pin(async move {
            Io::Looked(look(accessor.as_ref(), looks).await.map_err(|error| (error, targets)))
        }));
    }

    /// Objects that runs wait for were looked at.
    pub(super) fn looked(&mut self, looked: Looked) {
        self.waits.looking = false;
        match looked {
            Ok(met) => {
                for (waiter, number) in met {
                    if self.waits.waiting.get(&waiter).is_some_and(|waiting| waiting.number == number) {
                        self.waits.forget(waiter);
                        self.tell(Event::Met(waiter.0, waiter.1));
                    }
                }
                self.look_at_waits();
            }
            Err((error, targets)) => {
                self.waits.to_look_at.extend(targets);
                self.cannot_read(None, &error);
            }
        }
    }
}

/// Records of one shape.
type Records = BTreeMap<ObjectId, Option<Record>>;

/// The waits whose condition holds, or whose object is gone: the run says what that means.
async fn look(accessor: &dyn ModelAccessor, looks: Vec<Look>) -> Result<Vec<(Waiter, u64)>, Error> {
    let mut shapes: Vec<(Arc<Shape>, Records)> = Vec::new();
    for look in &looks {
        let shape = &look.condition.shape;
        match shapes.iter_mut().find(|(known, _)| Arc::ptr_eq(known, shape)) {
            Some((_, records)) => drop(records.insert(look.id, None)),
            None => shapes.push((shape.clone(), Records::from([(look.id, None)]))),
        }
    }
    for (shape, records) in &mut shapes {
        let ids: Vec<ObjectId> = records.keys().copied().collect();
        for (id, record) in ids.iter().zip(accessor.get(shape, &ids).await?) {
            records.insert(*id, record);
        }
    }
    let holds = |look: &Look| {
        let record = shapes
            .iter()
            .find(|(shape, _)| Arc::ptr_eq(shape, &look.condition.shape))
            .and_then(|(_, records)| records.get(&look.id)?.as_ref());
        // A condition that panics does so in its run, too, which shows it.
        record.is_none_or(|record| {
            catch_unwind(AssertUnwindSafe(|| (look.condition.holds)(record))).unwrap_or(true)
        })
    };
    Ok(looks.iter().filter(|look| holds(look)).map(|look| (look.waiter, look.number)).collect())
}
