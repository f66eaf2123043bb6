//! What a step is given besides its record.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use xos_model_client::{Caller, ModelAccessor, ModelClient};

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
    client: ModelClient,
    run: Arc<RunState>,
}

/// What the engine tells a run, and the run tells the engine.
pub(crate) struct RunState {
    attempt: u16,
    superseded: watch::Sender<bool>,
    recheck: Mutex<Option<Duration>>,
}

impl Context {
    pub(crate) fn new(accessor: Arc<dyn ModelAccessor>, attempt: u16) -> Self {
        let run = RunState { attempt, superseded: watch::Sender::new(false), recheck: Mutex::new(None) };
        Context { client: ModelClient::new(accessor, Caller::Step), run: Arc::new(run) }
    }

    /// Whether the object was changed or deleted since this run started: what the step works on is out of date.
    ///
    /// Nothing has to be done about it: the object runs again with what is new. A long step may look here between
    /// its parts, and return early.
    pub fn superseded(&self) -> bool {
        *self.run.superseded.borrow()
    }

    /// Returns when the object was changed or deleted since this run started, for `tokio::select!`.
    ///
    /// # Cancellation
    ///
    /// Safe: it only waits.
    pub async fn until_superseded(&self) {
        let mut superseded = self.run.superseded.subscribe();
        // The sender lives in `self`, so that waiting ends only when the value is true.
        let _ = superseded.wait_for(|superseded| *superseded).await;
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

    pub(crate) fn supersede(&self) {
        self.run.superseded.send_replace(true);
    }

    pub(crate) fn recheck(&self) -> Option<Duration> {
        *self.run.recheck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Context {
    type Target = ModelClient;

    fn deref(&self) -> &ModelClient {
        &self.client
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context(attempt {}, superseded: {})", self.run.attempt, self.superseded())
    }
}
