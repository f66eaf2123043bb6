//! What has to be written.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::StreamExt as _;
use xos_model_client::{FieldPos, Model, ObjectId, Op, Touch, Value, Write};

use super::{DELETED_BY_NOTHING, Reconcile, Reconciled};
use crate::step::{StepError, StepResult};

/// After so many items others have their turn.
const TURN: usize = 256;

/// The writes of a pass, each with the key that its failure is told by.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) writes: Vec<(String, Write)>,
}

impl Plan {
    /// Compares items and objects; each is looked at once.
    pub(super) async fn make<M: Model, I: Send + Sync>(
        job: &Reconcile<M, I>,
    ) -> StepResult<(Reconciled, Plan)> {
        let (mut done, mut plan) = (Reconciled::default(), Plan::default());
        let mut by_key: HashMap<String, M> = HashMap::new();
        let (mut surplus, mut foreign) = (Vec::new(), 0);
        // What cannot be read may be the object of any item, and what has no key the item of any object.
        let (mut is_unread, mut is_unknown) = (false, false);
        let mut objects = job.among.clone().stream();
        while let Some(object) = objects.next().await {
            let object = match object {
                Ok(object) => object,
                Err(error) if error.is_interruption() => return Err(error.into()),
                Err(error) => {
                    done.fail(M::MODEL_NAME, error.to_string());
                    is_unread = true;
                    continue;
                }
            };
            foreign += usize::from(is_foreign(&object));
            match by_key.entry((job.object_key)(&object)) {
                Entry::Vacant(place) => {
                    place.insert(object);
                }
                // The oldest one counts: they come by ascending id.
                Entry::Occupied(entry) => surplus.push((entry.key().clone(), object)),
            }
        }
        let mut missing = Vec::new();
        let mut seen = HashSet::new();
        for (at, item) in job.items.iter().enumerate() {
            if at % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
            let key = match not_panicking(|| Ok((job.item_key)(item))) {
                Ok(key) => key,
                Err(error) => {
                    done.fail(format!("item {at}"), format!("it has no key: {}", error.chain()));
                    is_unknown = true;
                    continue;
                }
            };
            if !seen.insert(key.clone()) {
                done.fail(key, "the backend has two items of this key; the first one counts");
                continue;
            }
            match by_key.remove(&key) {
                None => missing.push((key, item)),
                Some(object) => plan.update(job, key, item, object, &mut done),
            }
        }
        if is_unread {
            missing.clear();
        }
        plan.create(job, missing, &mut done).await?;
        let mut gone: Vec<(String, M)> = by_key.into_iter().chain(surplus).collect();
        gone.sort_by_key(|(_, object)| object.id());
        if is_unknown {
            gone.clear();
        }
        plan.delete(job, gone, foreign, &mut done).await?;
        Ok((done, plan))
    }

    fn update<M: Model, I: Send + Sync>(
        &mut self,
        job: &Reconcile<M, I>,
        key: String,
        item: &I,
        object: M,
        done: &mut Reconciled,
    ) {
        let mut object = object;
        let set = || job.update.as_ref().map_or(Ok(()), |update| update(item, &mut object));
        if let Err(error) = not_panicking(set) {
            return done.fail(key, error.chain());
        }
        let write = match job.ctx.write_for(&object, Touch::AsTheRulesSay) {
            Ok(Some(write)) => write,
            Ok(None) => {
                done.unchanged += 1;
                return;
            }
            Err(error) => return done.fail(key, error.to_string()),
        };
        let wakes = match not_panicking(|| Ok((job.wake)(item, &object))) {
            Ok(wakes) => wakes,
            Err(error) => return done.fail(key, error.chain()),
        };
        self.writes.push((key, if wakes { touched(write) } else { write }));
    }

    async fn create<M: Model, I: Send + Sync>(
        &mut self,
        job: &Reconcile<M, I>,
        missing: Vec<(String, &I)>,
        done: &mut Reconciled,
    ) -> StepResult {
        let Some(create) = job.create.as_ref().filter(|_| !missing.is_empty()) else { return Ok(()) };
        // What is being deleted is still there for the backend; created again, it would never go.
        let leaving: HashSet<String> =
            job.among.clone().deleted().all().await?.iter().map(|object| (job.object_key)(object)).collect();
        for (key, item) in missing {
            if leaving.contains(&key) {
                done.unchanged += 1;
                continue;
            }
            let made = not_panicking(|| {
                let object = create(item)?;
                let wakes = (job.wake)(item, &object);
                Ok((object, wakes))
            });
            let write = made.and_then(|(object, wakes)| {
                // Something that was loaded, and not changed, makes no new object.
                let is_new = object.origin().record().is_none();
                let write = job.ctx.write_for(&object, Touch::AsTheRulesSay)?.filter(|_| is_new);
                let write = write.ok_or("`create` must return a new object, not one that was loaded")?;
                Ok(foreign(write, wakes))
            });
            match write {
                Ok(write) => self.writes.push((key, write)),
                Err(error) => done.fail(key, error.chain()),
            }
        }
        Ok(())
    }

    async fn delete<M: Model, I: Send + Sync>(
        &mut self,
        job: &Reconcile<M, I>,
        gone: Vec<(String, M)>,
        foreign: usize,
        done: &mut Reconciled,
    ) -> StepResult {
        if gone.is_empty() {
            return Ok(());
        }
        let (gone, in_scope) = match &job.scope {
            Some(scope) => {
                let ids: HashSet<ObjectId> = scope.clone().ids().await?.into_iter().collect();
                let gone: Vec<_> =
                    gone.into_iter().filter(|(_, object)| ids.contains(&object.id())).collect();
                (gone, ids.len())
            }
            None => (gone.into_iter().filter(|(_, object)| is_foreign(object)).collect(), foreign),
        };
        if let Some(problem) = is_incredible(job, gone.len(), in_scope) {
            done.fail("deletion", problem);
            return Ok(());
        }
        for (key, object) in gone {
            self.writes.push((key, job.ctx.write_to_delete(&object)));
        }
        Ok(())
    }
}

/// Why so many deletions are not believed.
fn is_incredible<M, I>(job: &Reconcile<M, I>, gone: usize, in_scope: usize) -> Option<String> {
    let what = format!("{gone} of {in_scope} objects are not in what the backend answered");
    match job.delete_at_most {
        Some(share) if gone as f64 > share * in_scope as f64 => {
            Some(format!("{what}, and at most {share} of them may go at once; none was deleted"))
        }
        None if job.items.is_empty() && gone > DELETED_BY_NOTHING => Some(format!(
            "{what}, which was empty; none was deleted. When that is possible, allow it with delete_at_most(1.0)"
        )),
        _ => None,
    }
}

/// Whether XOS did not make the object.
fn is_foreign<M: Model>(object: &M) -> bool {
    object.origin().record().and_then(|record| record.get("xos_managed")) == Some(&Value::Bool(false))
}

/// The creation of an object that the backend had first.
fn foreign(mut write: Write, wakes: bool) -> Write {
    let fields = [("xos_managed", Some(false)), ("no_sync", (!wakes).then_some(true))];
    for (name, value) in fields {
        let (Some(value), Some(at)) = (value, write.shape.position(name)) else { continue };
        let at = at as FieldPos;
        if let Op::Create(fields) = &mut write.op {
            fields.retain(|(field, _)| *field != at);
            fields.push((at, Value::Bool(value)));
        }
    }
    write
}

/// The same change, and the sync step runs.
fn touched(mut write: Write) -> Write {
    if let Op::Set { touch, .. } = &mut write.op {
        *touch = Touch::Updated;
    }
    write
}

/// What a closure of the author gives; a panic is that item's failure.
fn not_panicking<T>(closure: impl FnOnce() -> StepResult<T>) -> StepResult<T> {
    catch_unwind(AssertUnwindSafe(closure)).unwrap_or_else(|panic| {
        Err(StepError::failed(format!("panicked: {}", crate::beside::panic_text(panic.as_ref()))))
    })
}
