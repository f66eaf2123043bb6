//! Watch steps: for backends that tell of changes.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use tokio::sync::watch as told;
use tokio::time::{Instant, sleep};
use xos_model_client::Model;

use super::lines::{self, Told};
use super::run::Station;
use crate::beside::{PROBE, at, core_is_back, guarded, stopped, until};
use crate::context::Context;
use crate::events::is_deferral;
use crate::step::{StepError, StepErrorKind, StepResult, short_type_name};

/// Brings the model up to date whenever the backend tells of a change: a [`PullStep`](crate::PullStep) for backends
/// that push.
///
/// # Guarantees
///
/// - `watch` is called at the start, and again, with growing delays, whenever its stream ends or fails. So it should
///   begin with what is there now; then nothing is missed for long.
/// - Items are applied one after the other, in the order of the stream. One that fails is logged and holds up no
///   other; after a while `watch` is called again, so that it comes again. While the core is away, an item waits.
/// - What it saves counts as with a pull step: it does not make an object dirty.
///
/// With `--once` it does not run: a stream has no end.
///
/// # Cancellation
///
/// The stream is dropped when the program is told to stop; an item that is being applied has the grace period, and
/// never more than `engine.step_deadline`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use xos_sync::prelude::*;
/// use xos_sync::stream::{self, Stream, StreamExt as _};
///
/// /// Keeps the login of each site as the backend says.
/// struct WatchSites;
///
/// impl WatchStep for WatchSites {
///     type Model = Site;
///     type Item = (String, String);
///
///     async fn watch(&self, _ctx: &Context) -> StepResult<impl Stream<Item = StepResult<Self::Item>> + Send> {
///         // A client of the backend gives a stream of its own; its errors are turned into a step's with `?` or `map`.
///         let now = stream::iter([Ok(("Winterfell".to_owned(), "winter".to_owned()))]);
///         Ok(now.chain(stream::pending()))
///     }
///
///     async fn apply(&self, ctx: &Context, (name, login): &Self::Item) -> StepResult {
///         if let Some(mut site) = ctx.objects::<Site>().filter(Site::NAME.eq(name.as_str())).first().await? {
///             site.login_base = login.clone();
///             ctx.save(&mut site).await?;
///         }
///         Ok(())
///     }
/// }
///
/// let sites = Synchronizer::new("sites").watch_step(WatchSites);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a watch step",
    note = "implement `WatchStep` for it: a `Model`, an `Item`, `watch` and `apply`"
)]
pub trait WatchStep: Send + Sync + 'static {
    /// The model that it brings up to date.
    type Model: Model;

    /// What the backend tells.
    type Item: Send + Sync;

    /// Begins to watch: what is there now, then what changes.
    ///
    /// # Errors
    ///
    /// A backend that cannot be reached; also as an item of the stream, which ends it.
    fn watch(
        &self,
        ctx: &Context,
    ) -> impl Future<Output = StepResult<impl Stream<Item = StepResult<Self::Item>> + Send>> + Send;

    /// Brings the model up to date with one item.
    ///
    /// # Errors
    ///
    /// Any error: it is logged, and `watch` is called again after a while.
    fn apply(&self, ctx: &Context, item: &Self::Item) -> impl Future<Output = StepResult> + Send;

    /// What the step is called in the log: the name of its type.
    fn name(&self) -> &'static str {
        short_type_name::<Self>()
    }
}

/// How a stream ended.
enum End {
    Stopped,
    /// The backend ended it.
    Ended,
    /// An item that failed is to come again, and has rested.
    Again,
    Failed(StepError),
}

/// Watches again and again.
pub(super) async fn watch<S: WatchStep>(step: &S, station: Station, mut stopping: told::Receiver<bool>) {
    if station.once {
        tracing::info!("a watch step does not run with --once");
        return;
    }
    let (mut told, mut failures) = (Told::default(), 0);
    for round in 0.. {
        if until(&mut stopping, station.core_is_there()).await.is_none() {
            return;
        }
        let begun = Instant::now();
        lines::started();
        let mut state = Round { told: &mut told, failures, number: round };
        let end = once(step, &station, &mut state, &mut stopping).await;
        failures = state.failures;
        let was_short = || begun.elapsed() < station.setting.engine.first_retry;
        let rest = match end {
            End::Stopped => return,
            End::Again => {
                failures += 1;
                Duration::ZERO
            }
            End::Ended => {
                lines::ended();
                // One that ends at once, again and again, has a fault, too.
                failures = if was_short() { failures + 1 } else { 1 };
                station.rest(Duration::ZERO, failures, step.name(), round)
            }
            // The core is asked again before the next one.
            End::Failed(error) if *error.kind() == StepErrorKind::Interrupted => PROBE,
            End::Failed(error) => {
                failures = if was_short() { failures + 1 } else { 1 };
                let rest = error
                    .delay()
                    .unwrap_or_else(|| station.rest(Duration::ZERO, failures, step.name(), round));
                told.failed(&error, failures, rest);
                rest
            }
        };
        if until(&mut stopping, sleep(rest)).await.is_none() {
            return;
        }
    }
}

struct Round<'a> {
    told: &'a mut Told,
    failures: u32,
    number: u64,
}

/// Watches until the stream ends.
async fn once<S: WatchStep>(
    step: &S,
    station: &Station,
    round: &mut Round<'_>,
    stopping: &mut told::Receiver<bool>,
) -> End {
    let context = station.context(round.failures + 1);
    let deadline = station.setting.engine.step_deadline;
    let begin = guarded(deadline, "the watch step", step.watch(&context));
    let stream = match until(stopping, begin).await {
        None => return End::Stopped,
        Some(Err(error)) => return End::Failed(error),
        Some(Ok(stream)) => stream,
    };
    let mut stream = pin!(stream);
    let mut again_at: Option<Instant> = None;
    // When it has gone well for as long as the longest delay, what failed before is over.
    let mut fine_at = Some(Instant::now() + station.setting.engine.retry_cap);
    loop {
        // A stream that panics is a failure like any other; it says nothing for as long as it likes.
        let next = guarded(Duration::MAX, "the stream of the watch step", async { Ok(stream.next().await) });
        let item = tokio::select! {
            biased;
            () = stopped(stopping) => return End::Stopped,
            next = next => match next {
                Err(error) | Ok(Some(Err(error))) => return End::Failed(error),
                Ok(None) => return End::Ended,
                Ok(Some(Ok(item))) => item,
            },
            () = at(again_at) => return End::Again,
            () = at(fine_at) => {
                fine_at = None;
                round.failures = 0;
                round.told.works();
                continue;
            }
        };
        let Some(error) = apply(step, station, &context, &item, stopping).await else {
            return End::Stopped;
        };
        let Err(error) = error else { continue };
        if *error.kind() == StepErrorKind::Innocuous {
            round.told.not_now(&error);
            continue;
        }
        let after = || station.rest(Duration::ZERO, round.failures + 1, step.name(), round.number);
        let rest = error.delay().unwrap_or_else(after);
        if is_deferral(&error) {
            round.told.not_now(&error);
        } else {
            round.told.failed(&error, round.failures + 1, rest);
        }
        fine_at = None;
        again_at.get_or_insert(Instant::now() + rest);
    }
}

/// Applies one item, when the core is there; `None` when the program stops before.
async fn apply<S: WatchStep>(
    step: &S,
    station: &Station,
    context: &Context,
    item: &S::Item,
    stopping: &mut told::Receiver<bool>,
) -> Option<StepResult> {
    loop {
        let deadline = station.setting.engine.step_deadline;
        let result = guarded(deadline, "the watch step", step.apply(context, item)).await;
        match result {
            Err(error) if *error.kind() == StepErrorKind::Interrupted => {
                until(stopping, core_is_back(station.setting.accessor.as_ref())).await?;
            }
            result => return Some(result),
        }
    }
}
