//! Pull steps: how what happens in the backend comes into the model.

pub(crate) mod lines;
mod reconcile;
mod run;
mod watch;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch as told;
use xos_model_client::Model;

pub use reconcile::{OrFails, Reconcile, Reconciled};
pub(crate) use run::{PullEngine, Station};
pub use watch::WatchStep;

use crate::context::Context;
use crate::step::{StepResult, short_type_name};

/// Looks at the backend again and again, and brings the model up to date.
///
/// The usual job, which is to make the objects of a model match a list, is [`ctx.reconcile`](Context::reconcile). For a
/// backend that tells of changes there is [`WatchStep`].
///
/// # Guarantees
///
/// - It runs at the start, and then again and again, each time [`interval`](PullStep::interval) after it has ended
///   (10 % more or less). Never two runs of one step at once; steps do not wait for each other.
/// - One that fails or panics is tried again with growing delays, up to `engine.retry_cap`. The log says so once for
///   each text.
/// - While the core is away, none is begun; one that finds it away is interrupted, which is no failure.
/// - What it saves counts neither as a step's nor as a policy's change: it does **not** make an object dirty. To have
///   the sync step of an object run, use
///   [`ctx.save_and_touch(&mut o)`](xos_model_client::ModelClient::save_and_touch). Objects that it creates are dirty,
///   unless they have `no_sync`.
///
/// With `--once` it runs once, before the sync steps.
///
/// # Cancellation
///
/// A run that takes longer than `engine.step_deadline` is dropped at its next await and counts as failed, and so is
/// one that goes on when the grace period of a shutdown ends (which counts as nothing). Code that blocks cannot be
/// dropped: put it into [`tokio::task::spawn_blocking`].
///
/// # Examples
///
/// ```
/// use xos_sync::prelude::*;
///
/// /// What the backend says of a site.
/// struct Found {
///     name: String,
/// }
///
/// async fn list_the_backend() -> Result<Vec<Found>, std::io::Error> {
///     Ok(vec![Found { name: "Winterfell".into() }])
/// }
///
/// struct PullSites;
///
/// impl PullStep for PullSites {
///     type Model = Site;
///
///     async fn pull_records(&self, ctx: &Context) -> StepResult {
///         let found = list_the_backend().await?;
///         ctx.reconcile::<Site, _>(found)
///             .key(|found| found.name.clone(), |site| site.name.clone())
///             .create(|found| Site {
///                 name: found.name.clone(),
///                 login_base: found.name.to_lowercase(),
///                 abbreviated_name: found.name.clone(),
///                 ..Default::default()
///             })
///             .update(|found, site| site.login_base = found.name.to_lowercase())
///             .run()
///             .await?;
///         Ok(())
///     }
/// }
///
/// let sites = Synchronizer::new("sites").pull_step(PullSites);
/// # xos_sync::__private::run_test(async {
/// # let core = MockAccessor::new();
/// # PullSites.pull_records(&core.pull_context()).await?;
/// # let site = core.objects::<Site>().one().await?;
/// # assert!(site.no_sync && !site.xos_managed && site.name == "Winterfell");
/// # Ok::<(), StepError>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a pull step",
    note = "implement `PullStep` for it: a `Model` and `pull_records`"
)]
pub trait PullStep: Send + Sync + 'static {
    /// The model that it brings up to date.
    type Model: Model;

    /// Brings the model up to date with the backend.
    ///
    /// # Errors
    ///
    /// Any error; it is logged, and the step runs again later. A *deferred* one is tried again at the next interval.
    fn pull_records(&self, ctx: &Context) -> impl Future<Output = StepResult> + Send;

    /// How long after the end of a run the next one begins.
    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// What the step is called in the log: the name of its type.
    fn name(&self) -> &'static str {
        short_type_name::<Self>()
    }
}

/// A [`PullStep`] or a [`WatchStep`] without its type.
#[async_trait]
pub(crate) trait AnyPull: Send + Sync + 'static {
    fn name(&self) -> &'static str;
    /// Runs it until the program is to stop; with `--once`, once.
    ///
    /// # Errors
    ///
    /// How the only run failed.
    async fn run(&self, station: Station, stopping: told::Receiver<bool>) -> StepResult;
}

struct Pull<S>(S);

pub(crate) fn erase<S: PullStep>(step: S) -> Arc<dyn AnyPull> {
    Arc::new(Pull(step))
}

#[async_trait]
impl<S: PullStep> AnyPull for Pull<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn run(&self, station: Station, stopping: told::Receiver<bool>) -> StepResult {
        run::pull(&self.0, station, stopping).await
    }
}

struct Watch<S>(S);

pub(crate) fn erase_watch<S: WatchStep>(step: S) -> Arc<dyn AnyPull> {
    Arc::new(Watch(step))
}

#[async_trait]
impl<S: WatchStep> AnyPull for Watch<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn run(&self, station: Station, stopping: told::Receiver<bool>) -> StepResult {
        watch::watch(&self.0, station, stopping).await;
        Ok(())
    }
}
