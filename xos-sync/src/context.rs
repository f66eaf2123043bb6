//! What a step is given besides its record.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use serde::Serialize;
use tokio::sync::Notify;
use xos_model_client::{Caller, ModelAccessor, ModelClient};

use crate::bus::{Bus, Message, Publisher};
use crate::config::Ansible;
use crate::step::{StepError, StepResult};

/// What a step is given besides its record: the way to other objects, and what the engine knows of this run.
///
/// It dereferences to [`ModelClient`]: `ctx.objects::<Slice>()`, `ctx.leaf(&o.owner)`, `ctx.save(o)`. Writes are made
/// on behalf of a step: they do not make the object dirty again.
///
/// # Examples
///
/// ```
/// use xos_sync::prelude::*;
///
/// async fn owner_name(ctx: &Context, o: &ServiceInstance) -> StepResult<String> {
///     let owner: Service = ctx.leaf(&o.owner).await?;
///     Ok(owner.name)
/// }
/// ```
#[derive(Clone)]
pub struct Context {
    // One pointer, made once for each run: a step may clone it into what it spawns.
    run: Arc<RunState>,
}

/// What all handlers of a synchronizer have around them.
pub(crate) struct Around {
    /// What the synchronizer is called.
    pub(crate) name: String,
    /// Where events are published.
    pub(crate) bus: Arc<dyn Bus>,
    /// How playbooks are run.
    #[cfg_attr(not(feature = "ansible"), allow(dead_code, reason = "only steps with playbooks read it"))]
    pub(crate) ansible: Ansible,
}

impl Around {
    /// What handlers in tests have around them that publish events on this bus.
    #[cfg(any(test, feature = "embedded"))]
    pub(crate) fn with_bus(name: impl Into<String>, bus: Arc<dyn Bus>) -> Arc<Self> {
        Around::new(name, bus, Ansible::default())
    }

    /// What handlers have around them that publish events on this bus, and run playbooks like this.
    pub(crate) fn new(name: impl Into<String>, bus: Arc<dyn Bus>, ansible: Ansible) -> Arc<Self> {
        Arc::new(Around { name: name.into(), bus, ansible })
    }
}

/// What the engine tells a run, and the run tells the engine.
struct RunState {
    client: ModelClient,
    around: Arc<Around>,
    publisher: Publisher,
    attempt: u16,
    /// Whether it only looks again at an object that was done.
    #[cfg_attr(not(feature = "ansible"), allow(dead_code, reason = "only steps with playbooks ask"))]
    is_recheck: bool,
    superseded: AtomicBool,
    changed: Notify,
    recheck: Mutex<Option<Duration>>,
    cancelled: AtomicBool,
    /// The task of the run, when it waits for something.
    task: AtomicWaker,
}

impl Context {
    /// What a handler is given that works on behalf of `by`.
    pub(crate) fn new(
        accessor: Arc<dyn ModelAccessor>,
        by: Caller,
        around: &Arc<Around>,
        attempt: u16,
    ) -> Self {
        Context::publishing(accessor, by, around, attempt, Publisher::Anybody)
    }

    /// What the handler of an event is given.
    pub(crate) fn of_event(accessor: Arc<dyn ModelAccessor>, around: &Arc<Around>, attempt: u16) -> Self {
        Context::publishing(accessor, Caller::Pull, around, attempt, Publisher::EventStep)
    }

    fn publishing(
        accessor: Arc<dyn ModelAccessor>,
        by: Caller,
        around: &Arc<Around>,
        attempt: u16,
        publisher: Publisher,
    ) -> Self {
        let run = RunState {
            client: ModelClient::new(accessor, by),
            around: around.clone(),
            publisher,
            attempt,
            is_recheck: false,
            superseded: AtomicBool::new(false),
            changed: Notify::new(),
            recheck: Mutex::new(None),
            cancelled: AtomicBool::new(false),
            task: AtomicWaker::new(),
        };
        Context { run: Arc::new(run) }
    }

    /// Whether the object was changed or deleted since this run started: what the step works on is out of date.
    ///
    /// Nothing has to be done about it: the object runs again with what is new. A long step may look here between
    /// its parts, and return early.
    pub fn superseded(&self) -> bool {
        self.run.superseded.load(Ordering::Acquire)
    }

    /// Returns when the object was changed or deleted since this run started, for `tokio::select!`.
    ///
    /// # Cancellation
    ///
    /// Safe: it only waits.
    pub async fn until_superseded(&self) {
        // Who waits is registered before the flag is read: what changes in between is not missed.
        let changed = self.run.changed.notified();
        if !self.superseded() {
            changed.await;
        }
    }

    /// Looks at the object again after this time though it did not change, if the step succeeds. When it is called
    /// several times, the shortest counts.
    pub fn recheck_after(&self, delay: Duration) {
        let mut recheck = self.run.recheck.lock().unwrap_or_else(PoisonError::into_inner);
        *recheck = Some(recheck.map_or(delay, |earlier| earlier.min(delay)));
    }

    /// Which try of this version of the object this is: 1 for the first.
    pub fn attempt(&self) -> u16 {
        self.run.attempt
    }

    /// The name of the synchronizer.
    pub fn synchronizer(&self) -> &str {
        &self.run.around.name
    }

    /// Publishes an event as JSON, and returns when its delivery is confirmed.
    ///
    /// Events of one key come in the order in which they were published. Without a broker they reach the event steps
    /// of this process, and do not survive it.
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, the event may have been published or not.
    ///
    /// # Errors
    ///
    /// A value that JSON has no words for, a topic without a name, a broker that is away, and readers that are so far
    /// behind that there is no room within 30 s.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde::Serialize;
    /// use xos_sync::prelude::*;
    ///
    /// #[derive(Serialize)]
    /// struct Restarted {
    ///     pod: String,
    /// }
    ///
    /// async fn tell(ctx: &Context, pod: &str) -> StepResult {
    ///     ctx.publish("pods", pod, &Restarted { pod: pod.to_owned() }).await
    /// }
    /// ```
    pub async fn publish<'k>(
        &self,
        topic: &str,
        key: impl Into<Option<&'k str>>,
        json: &impl Serialize,
    ) -> StepResult {
        let key = key.into();
        let value = serde_json::to_vec(json).map_err(|error| {
            StepError::failed(format!("topic {topic}: the event cannot be written as JSON: {error}"))
        })?;
        let run = &self.run;
        let message = Message { topic, key: key.map(str::as_bytes), value, from: run.publisher };
        Ok(run.around.bus.publish(message).await?)
    }

    /// What all handlers have around them.
    #[cfg(feature = "ansible")]
    pub(crate) fn around(&self) -> &Around {
        &self.run.around
    }

    /// Whether this run only looks again at an object that was done.
    #[cfg(feature = "ansible")]
    pub(crate) fn is_recheck(&self) -> bool {
        self.run.is_recheck
    }

    /// Says whether this run only looks again at an object that was done. Before the context is shared.
    pub(crate) fn rechecking(mut self, is_recheck: bool) -> Self {
        if let Some(run) = Arc::get_mut(&mut self.run) {
            run.is_recheck = is_recheck;
        }
        self
    }

    pub(crate) fn supersede(&self) {
        self.run.superseded.store(true, Ordering::Release);
        self.run.changed.notify_waiters();
    }

    pub(crate) fn recheck(&self) -> Option<Duration> {
        *self.run.recheck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run is to end at its next await.
    pub(crate) fn cancel(&self) {
        self.run.cancelled.store(true, Ordering::Release);
        self.run.task.wake();
    }

    /// Whether the run was cancelled. A task that goes on waiting is woken when that changes.
    pub(crate) fn poll_cancelled(&self, cx: &task::Context<'_>) -> bool {
        self.run.task.register(cx.waker());
        self.is_cancelled()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.run.cancelled.load(Ordering::Acquire)
    }
}

impl Deref for Context {
    type Target = ModelClient;

    fn deref(&self) -> &ModelClient {
        &self.run.client
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context(attempt {}, superseded: {})", self.run.attempt, self.superseded())
    }
}
