//! A step without its type, as the engine's shell runs it.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use xos_model_client::{Model, ModelDef, Record, Shape};

use super::{StepError, StepResult, SyncStep};
use crate::context::Context;

/// A [`SyncStep`] without its type. Records come in the shape of its model.
#[async_trait]
pub(crate) trait AnyStep: Send + Sync + 'static {
    fn name(&self) -> &'static str;
    fn model(&self) -> &'static ModelDef;
    fn shape(&self) -> &'static Arc<Shape>;
    fn requested_interval(&self) -> Option<Duration>;
    fn concurrency(&self) -> Option<usize>;
    /// Whether it takes the object. One that does not convert is taken, so that its run says why.
    fn selects(&self, record: Record) -> bool;
    async fn sync(&self, ctx: &Context, record: Record) -> StepResult;
    async fn delete(&self, ctx: &Context, record: Record) -> StepResult;
}

struct Erased<S>(S);

pub(crate) fn erase<S: SyncStep>(step: S) -> Arc<dyn AnyStep> {
    Arc::new(Erased(step))
}

#[async_trait]
impl<S: SyncStep> AnyStep for Erased<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn model(&self) -> &'static ModelDef {
        S::Model::def()
    }

    fn shape(&self) -> &'static Arc<Shape> {
        S::Model::shape()
    }

    fn requested_interval(&self) -> Option<Duration> {
        self.0.requested_interval()
    }

    fn concurrency(&self) -> Option<usize> {
        self.0.concurrency()
    }

    fn selects(&self, record: Record) -> bool {
        S::Model::from_record(record).map_or(true, |object| self.0.selects(&object))
    }

    async fn sync(&self, ctx: &Context, record: Record) -> StepResult {
        let mut object = S::Model::from_record(record).map_err(StepError::from)?;
        self.0.sync_record(ctx, &mut object).await
    }

    async fn delete(&self, ctx: &Context, record: Record) -> StepResult {
        let object = S::Model::from_record(record).map_err(StepError::from)?;
        self.0.delete_record(ctx, &object).await
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
        let object = M::from_record(record).map_err(StepError::from)?;
        (self.0)(ctx.clone(), object).await
    }
}
