//! A step without its type, as the engine's shell runs it.

use std::any::TypeId;
use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use xos_model_client::{Masks, Model, ModelDef, Record, Shape, changed_fields};

use super::{StepResult, SyncStep};
use crate::context::Context;

/// A [`SyncStep`] without its type. Records come in the shape of its model.
#[async_trait]
pub(crate) trait AnyStep: Send + Sync + 'static {
    fn name(&self) -> &'static str;
    fn model(&self) -> &'static ModelDef;
    fn shape(&self) -> &'static Arc<Shape>;
    fn requested_interval(&self) -> Option<Duration>;
    fn concurrency(&self) -> Option<usize>;
    /// Whether it is known to take every object, so that none has to be made from its record only to be asked about.
    fn takes_all(&self) -> bool;
    /// Whether it takes the object. One that does not convert, or about which it panics, is taken: its run says why.
    fn selects(&self, record: Record) -> bool;
    async fn sync(&self, ctx: &Context, record: Record) -> StepResult<Did>;
    async fn delete(&self, ctx: &Context, record: Record) -> StepResult<Did>;
}

/// What a step did with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// It worked on it.
    Work,
    /// Nothing: it does not take it.
    Nothing,
}

struct Erased<S> {
    step: S,
    takes_all: AtomicBool,
}

pub(crate) fn erase<S: SyncStep>(step: S) -> Arc<dyn AnyStep> {
    Arc::new(Erased { step, takes_all: AtomicBool::new(false) })
}

thread_local! {
    static REFUSES_NOTHING: Cell<Option<TypeId>> = const { Cell::new(None) };
}

/// What the default of [`SyncStep::selects`] says besides `true`. No code of `S` itself can call the default, so an
/// `S` that says it refuses nothing, ever.
pub(crate) fn refuses_nothing<S: ?Sized + 'static>() {
    REFUSES_NOTHING.set(Some(TypeId::of::<S>()));
}

impl<S: SyncStep> Erased<S> {
    fn takes(&self, object: &S::Model) -> bool {
        if self.takes_all() {
            return true;
        }
        REFUSES_NOTHING.set(None);
        let takes = self.step.selects(object);
        if REFUSES_NOTHING.take() == Some(TypeId::of::<S>()) {
            self.takes_all.store(true, Ordering::Relaxed);
        }
        takes
    }
}

#[async_trait]
impl<S: SyncStep> AnyStep for Erased<S> {
    fn name(&self) -> &'static str {
        self.step.name()
    }

    fn model(&self) -> &'static ModelDef {
        S::Model::def()
    }

    fn shape(&self) -> &'static Arc<Shape> {
        S::Model::shape()
    }

    fn requested_interval(&self) -> Option<Duration> {
        self.step.requested_interval()
    }

    fn concurrency(&self) -> Option<usize> {
        self.step.concurrency()
    }

    fn takes_all(&self) -> bool {
        self.takes_all.load(Ordering::Relaxed)
    }

    fn selects(&self, record: Record) -> bool {
        let Ok(object) = S::Model::from_record(record) else { return true };
        catch_unwind(AssertUnwindSafe(|| self.takes(&object))).unwrap_or(true)
    }

    async fn sync(&self, ctx: &Context, record: Record) -> StepResult<Did> {
        let mut object = S::Model::from_record(record)?;
        if !self.takes(&object) {
            return Ok(Did::Nothing);
        }
        // The step may change a secret: both values are none that people should see.
        let mut masks = Masks::of_object(&object);
        let synced = watched(&masks, self.step.sync_record(ctx, &mut object)).await;
        if let Err(error) = synced {
            masks.join(&Masks::of_object(&object));
            return Err(error.without(&masks));
        }
        // It costs a little, so only where people try things out.
        if cfg!(debug_assertions) {
            warn_of_unsaved(&object);
        }
        Ok(Did::Work)
    }

    async fn delete(&self, ctx: &Context, record: Record) -> StepResult<Did> {
        let object = S::Model::from_record(record)?;
        if !self.takes(&object) {
            return Ok(Did::Nothing);
        }
        let masks = Masks::of_object(&object);
        let deleted = watched(&masks, self.step.delete_record(ctx, &object)).await;
        deleted.map_err(|error| error.without(&masks))?;
        Ok(Did::Work)
    }
}

/// A handler whose panic says no secret of its object: the text of a panic becomes a status too.
pub(super) async fn watched<T>(masks: &Masks, handler: impl Future<Output = T>) -> T {
    if masks.is_empty() {
        return handler.await;
    }
    let panic = match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(done) => return done,
        Err(panic) => panic,
    };
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    let cleaned = text.map(|text| masks.clean(text).into_owned());
    resume_unwind(match cleaned {
        Some(cleaned) => Box::new(cleaned),
        None => panic,
    })
}

/// A step that sets fields and forgets to save them succeeds, and nothing shows it.
pub(super) fn warn_of_unsaved<M: Model>(object: &M) {
    let changed: Vec<&str> = changed_fields(object).iter().map(|changed| changed.field).collect();
    if !changed.is_empty() {
        let fields = changed.join(", ");
        tracing::warn!(fields, "fields were changed and not saved; ctx.save(o) stores them");
    }
}

/// A hook that runs when a success was stored.
#[async_trait]
pub(crate) trait AnyHook: Send + Sync + 'static {
    fn model(&self) -> &'static ModelDef;
    fn shape(&self) -> &'static Arc<Shape>;
    async fn call(&self, ctx: &Context, record: Record) -> StepResult;
}

struct Hook<M, F>(F, PhantomData<fn() -> M>);

pub(crate) fn erase_hook<M, F, R>(hook: F) -> Arc<dyn AnyHook>
where
    M: Model,
    F: Fn(Context, M) -> R + Send + Sync + 'static,
    R: Future<Output = StepResult> + Send + 'static,
{
    Arc::new(Hook(hook, PhantomData))
}

#[async_trait]
impl<M, F, R> AnyHook for Hook<M, F>
where
    M: Model,
    F: Fn(Context, M) -> R + Send + Sync + 'static,
    R: Future<Output = StepResult> + Send + 'static,
{
    fn model(&self) -> &'static ModelDef {
        M::def()
    }

    fn shape(&self) -> &'static Arc<Shape> {
        M::shape()
    }

    async fn call(&self, ctx: &Context, record: Record) -> StepResult {
        let object = M::from_record(record)?;
        let masks = Masks::of_object(&object);
        watched(&masks, (self.0)(ctx.clone(), object)).await.map_err(|error| error.without(&masks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xos_model_client::models::Site;

    struct TakesAll;

    impl SyncStep for TakesAll {
        type Model = Site;

        async fn sync_record(&self, _ctx: &Context, _o: &mut Site) -> StepResult {
            Ok(())
        }

        async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
            Ok(())
        }
    }

    /// Takes what another step takes, but not everything.
    struct Some(TakesAll);

    impl SyncStep for Some {
        type Model = Site;

        async fn sync_record(&self, ctx: &Context, o: &mut Site) -> StepResult {
            self.0.sync_record(ctx, o).await
        }

        async fn delete_record(&self, ctx: &Context, o: &Site) -> StepResult {
            self.0.delete_record(ctx, o).await
        }

        fn selects(&self, o: &Site) -> bool {
            self.0.selects(o) && o.name != "Arya"
        }
    }

    fn record(name: &str) -> Record {
        let site = Site { name: name.into(), ..Default::default() };
        Record::new(Site::shape().clone(), site.values())
    }

    #[test]
    fn a_step_without_selects_is_known_to_take_all_once_it_was_asked() {
        let step = erase(TakesAll);
        assert!(!step.takes_all());
        assert!(step.selects(record("Sansa")) && step.takes_all() && step.selects(record("Arya")));
    }

    #[test]
    fn a_step_that_asks_another_one_is_not_taken_for_it() {
        let step = erase(Some(TakesAll));
        assert!(step.selects(record("Sansa")) && !step.takes_all() && !step.selects(record("Arya")));
    }
}
