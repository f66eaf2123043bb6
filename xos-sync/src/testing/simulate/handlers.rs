//! The handlers of a synchronizer, watched, and dying at their awaits.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use xos_model_client::{ModelDef, ModelId, ObjectKey, Record, Shape, Value};

use super::witness::{Call, Hand};
use super::world::{Life, Owner};
use crate::context::Context;
use crate::engine::Lane;
use crate::step::{AnyHook, AnyPolicy, AnyStep, Did, Handler, StepResult};
use crate::synchronizer::Synchronizer;

tokio::task_local! {
    static AT_WORK: ObjectKey;
}

/// The object whose handler this is called from.
pub(super) fn at_work() -> Owner {
    AT_WORK.try_with(|key| *key).ok()
}

/// The same synchronizer, with handlers that are watched.
pub(super) fn watched(life: &Arc<Life>, mut service: Synchronizer) -> Synchronizer {
    let watch = |lane, at, model: &ModelDef| Watch {
        life: life.clone(),
        hand: Hand { lane, at },
        root: root(life, model),
    };
    for (at, step) in service.steps.iter_mut().enumerate() {
        *step = Arc::new(Step { watch: watch(Lane::Sync, at, step.model()), inner: step.clone() });
    }
    for (at, policy) in service.policies.iter_mut().enumerate() {
        *policy = Arc::new(Policy { watch: watch(Lane::Policy, at, policy.model()), inner: policy.clone() });
    }
    for (hooks, lane) in [(&mut service.hooks, Lane::Sync), (&mut service.policy_hooks, Lane::Policy)] {
        for hook in hooks {
            *hook = Arc::new(Hook { watch: watch(lane, 0, hook.model()), inner: hook.clone() });
        }
    }
    service
}

fn root(life: &Life, model: &ModelDef) -> ModelId {
    life.world.schema().model(&model.name).map_or(ModelId(u16::MAX), |model| model.root)
}

/// Who watches one handler.
struct Watch {
    life: Arc<Life>,
    hand: Hand,
    root: ModelId,
}

/// While it lives, a handler is at work.
struct AtWork<'w> {
    watch: &'w Watch,
    key: ObjectKey,
    call: Call,
    succeeded: bool,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        // The dead were taken away when they died.
        if !self.watch.life.is_dead() {
            self.watch.life.world.witness.ended(self.key, self.watch.hand, self.call, self.succeeded);
        }
    }
}

impl Watch {
    fn key(&self, record: &Record) -> ObjectKey {
        ObjectKey { root: self.root, id: record.id() }
    }

    /// A handler at work, until it ends.
    async fn call<T>(
        &self,
        record: &Record,
        call: Call,
        handler: impl Future<Output = StepResult<T>>,
    ) -> StepResult<T> {
        let key = self.key(record);
        self.life.point().await;
        let claim = match self.hand.lane {
            Lane::Sync => "backend_need_delete",
            Lane::Policy => "backend_need_delete_policy",
        };
        let claimed = record.get(claim).and_then(Value::as_bool).unwrap_or(false);
        let world = &self.life.world;
        world.note((key, self.hand.lane as u8, self.hand.at, call == Call::Delete));
        world.witness.begins(&world.judge, key, self.hand, call, claimed);
        let mut at_work = AtWork { watch: self, key, call, succeeded: false };
        let result = AT_WORK.scope(key, self.mortal(handler)).await;
        at_work.succeeded = result.is_ok();
        drop(at_work);
        self.life.point().await;
        result
    }

    /// A future that may die at each of its awaits.
    async fn mortal<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut begun = false;
        poll_fn(|cx| {
            // Before the first one it has died already if it had to.
            if std::mem::replace(&mut begun, true) && !self.life.passes() {
                return Poll::Pending;
            }
            future.as_mut().poll(cx)
        })
        .await
    }
}

struct Step {
    watch: Watch,
    inner: Arc<dyn AnyStep>,
}

#[async_trait]
impl AnyStep for Step {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn model(&self) -> &'static ModelDef {
        self.inner.model()
    }

    fn shape(&self) -> &'static Arc<Shape> {
        self.inner.shape()
    }

    fn requested_interval(&self) -> Option<Duration> {
        self.inner.requested_interval()
    }

    fn concurrency(&self) -> Option<usize> {
        self.inner.concurrency()
    }

    fn takes_all(&self) -> bool {
        self.inner.takes_all()
    }

    fn selects(&self, record: Record) -> bool {
        self.inner.selects(record)
    }

    async fn sync(&self, ctx: &Context, record: Record) -> StepResult<Did> {
        if !self.selects(record.clone()) {
            return Ok(Did::Nothing);
        }
        let known = record.clone();
        self.watch.call(&known, Call::Change, self.inner.sync(ctx, record)).await
    }

    async fn delete(&self, ctx: &Context, record: Record) -> StepResult<Did> {
        let known = record.clone();
        if !self.selects(record.clone()) {
            self.watch.life.world.witness.refused(self.watch.key(&known), self.watch.hand);
            return Ok(Did::Nothing);
        }
        self.watch.call(&known, Call::Delete, self.inner.delete(ctx, record)).await
    }
}

struct Policy {
    watch: Watch,
    inner: Arc<dyn AnyPolicy>,
}

#[async_trait]
impl AnyPolicy for Policy {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn model(&self) -> &'static ModelDef {
        self.inner.model()
    }

    fn shape(&self) -> &'static Arc<Shape> {
        self.inner.shape()
    }

    fn concurrency(&self) -> Option<usize> {
        self.inner.concurrency()
    }

    async fn handle(&self, handler: Handler, ctx: &Context, record: Record) -> StepResult {
        let call = if handler == Handler::Delete { Call::Delete } else { Call::Change };
        let known = record.clone();
        self.watch.call(&known, call, self.inner.handle(handler, ctx, record)).await
    }
}

struct Hook {
    watch: Watch,
    inner: Arc<dyn AnyHook>,
}

#[async_trait]
impl AnyHook for Hook {
    fn model(&self) -> &'static ModelDef {
        self.inner.model()
    }

    fn shape(&self) -> &'static Arc<Shape> {
        self.inner.shape()
    }

    async fn call(&self, ctx: &Context, record: Record) -> StepResult {
        self.watch.life.point().await;
        let key = self.watch.key(&record);
        AT_WORK.scope(key, self.watch.mortal(self.inner.call(ctx, record))).await
    }
}
