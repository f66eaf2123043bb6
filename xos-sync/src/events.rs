//! Event steps: what a service does when something is told on the event bus.

mod bury;
mod check;
mod handle;
mod lane;
pub(crate) mod lines;
mod runner;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::coop::consume_budget;
use tracing::{Instrument as _, info_span};

pub(crate) use check::check;
#[cfg(feature = "embedded")]
pub(crate) use check::topics_of;
pub(crate) use runner::{Drained, EventEngine};

use crate::beside::guarded;
use crate::bus::Event;
use crate::context::Context;
use crate::step::{StepError, StepErrorKind, StepResult, short_type_name};

/// Does something whenever an event is published on its topics.
///
/// # Guarantees
///
/// - Each step sees every event of its topics, whatever other steps do: it reads for a group of its own,
///   `<synchronizer>.<step>`. After a restart it goes on where it was, where the bus survives the process.
/// - **At least once**: an event counts as processed when `process_event` returned `Ok`. Before, it comes again.
/// - Events of one key are processed one after the other, in the order in which they were published. A failing one
///   holds up those behind it in its partition, and no others; [`on_failure`](EventStep::on_failure) says for how long.
/// - What it saves counts neither as a step's nor as a policy's change: it does **not** make an object dirty. To have
///   the sync step of an object run again, use
///   [`ctx.save_and_touch(&mut o)`](xos_model_client::ModelClient::save_and_touch). Objects that it creates are dirty,
///   unless they have `no_sync`.
///
/// With `--once`, what is published is processed before the program ends.
///
/// # Assumptions
///
/// **An event may come twice**: the process may die between the effect and the commit, which follows within 100 ms.
///
/// # Cancellation
///
/// A call that takes longer than `engine.step_deadline` is dropped at its next await and counts as failed, and so is
/// one that still runs when the grace period of a shutdown ends (which counts as nothing). Code that blocks cannot be
/// dropped: put it into [`tokio::task::spawn_blocking`].
///
/// # Examples
///
/// Everything is pushed again when the backend has restarted:
///
/// ```
/// use xos_sync::prelude::*;
///
/// struct Repush;
///
/// impl EventStep for Repush {
///     fn topics(&self) -> Vec<String> {
///         vec!["backend.restarted".to_owned()]
///     }
///
///     async fn process_event(&self, ctx: &Context, event: &Event) -> StepResult {
///         #[derive(serde::Deserialize)]
///         struct Restarted {
///             site: String,
///         }
///         let restarted: Restarted = event.json()?;
///         for mut site in ctx.objects::<Site>().filter(Site::NAME.eq(restarted.site)).all().await? {
///             ctx.save_and_touch(&mut site).await?;
///         }
///         Ok(())
///     }
/// }
///
/// let sites = Synchronizer::new("sites").event_step(Repush);
/// ```
///
/// Its test needs no bus:
///
/// ```
/// # use xos_sync::prelude::*;
/// # struct Greet;
/// # impl EventStep for Greet {
/// #     fn topics(&self) -> Vec<String> {
/// #         vec!["names".to_owned()]
/// #     }
/// #     async fn process_event(&self, ctx: &Context, event: &Event) -> StepResult {
/// #         let name: String = event.json()?;
/// #         ctx.publish("greetings", None, &format!("hello {name}")).await
/// #     }
/// # }
/// # xos_sync::__private::run_test(async {
/// let core = MockAccessor::new();
/// Greet.process_event(&core.pull_context(), &Event::new("names", None, &"Arya")?).await?;
/// assert_eq!(core.published()[0].json::<String>()?, "hello Arya");
/// # Ok::<(), xos_sync::StepError>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event step",
    note = "implement `EventStep` for it: `topics` or `pattern`, and `process_event`"
)]
pub trait EventStep: Send + Sync + 'static {
    /// The topics whose events it takes. Either this or [`pattern`](EventStep::pattern) is given.
    fn topics(&self) -> Vec<String> {
        Vec::new()
    }

    /// A regular expression: it takes the events of all topics whose names match it from their beginning, also of
    /// topics that come later. Topics of dead letters never match, nor do those that begin with `__`.
    fn pattern(&self) -> Option<String> {
        None
    }

    /// Does what has to be done about one event.
    ///
    /// # Errors
    ///
    /// [`StepError`] says how: *failed* is tried again with growing delays until [`on_failure`](EventStep::on_failure)
    /// ends that; *deferred* (and waiting for an object) is tried again and never given up; *innocuous* means that
    /// there was nothing to do, and the event is processed. `?` works on any error.
    fn process_event(&self, ctx: &Context, event: &Event) -> impl Future<Output = StepResult> + Send;

    /// What becomes of an event that fails again and again.
    fn on_failure(&self) -> GiveUp {
        GiveUp::Park
    }

    /// How many events this step works on at once, each of another partition.
    fn concurrency(&self) -> usize {
        16
    }

    /// What the step is called in the log and in its group: the name of its type.
    fn name(&self) -> &'static str {
        short_type_name::<Self>()
    }
}

/// What becomes of an event that fails again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum GiveUp {
    /// Never: it is tried again, at last each `engine.retry_cap`, and what is behind it in its partition waits. From
    /// then on each failure is an error in the log that says so.
    #[default]
    Park,
    /// After this many attempts it is published on a topic for dead letters, and the step goes on.
    DeadLetter {
        /// How many attempts; at least one.
        after: u32,
        /// The topic; `<topic>.<synchronizer>.<step>.dead` when there is none.
        topic: Option<String>,
    },
    /// After this many attempts it is left out, with an error in the log.
    Skip {
        /// How many attempts; at least one.
        after: u32,
    },
}

impl GiveUp {
    /// A dead letter after this many attempts, on the usual topic.
    pub fn dead_letter(after: u32) -> Self {
        GiveUp::DeadLetter { after, topic: None }
    }

    /// Whether this many failures are enough.
    fn is_reached(&self, failures: u32) -> bool {
        match self {
            GiveUp::Park => false,
            GiveUp::DeadLetter { after, .. } | GiveUp::Skip { after } => failures >= (*after).max(1),
        }
    }
}

/// An [`EventStep`] without its type.
#[async_trait]
pub(crate) trait AnyEventStep: Send + Sync + 'static {
    fn name(&self) -> &'static str;
    fn topics(&self) -> Vec<String>;
    fn pattern(&self) -> Option<String>;
    fn on_failure(&self) -> GiveUp;
    fn concurrency(&self) -> usize;
    /// Processes the events once, in order, until one fails or it was waited for one: how many succeeded, and how the
    /// next one failed.
    async fn process(&self, ctx: &Context, events: &[Event], guard: Guard<'_>) -> (usize, Option<StepError>);
}

/// What a step's handlers run under.
pub(crate) struct Guard<'a> {
    /// How long one may take.
    deadline: Duration,
    /// Told, before one is waited for, how many succeeded.
    waits: &'a (dyn Fn(usize) + Send + Sync),
}

struct Erased<S>(S);

pub(crate) fn erase<S: EventStep>(step: S) -> Arc<dyn AnyEventStep> {
    Arc::new(Erased(step))
}

#[async_trait]
impl<S: EventStep> AnyEventStep for Erased<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn topics(&self) -> Vec<String> {
        self.0.topics()
    }

    fn pattern(&self) -> Option<String> {
        self.0.pattern()
    }

    fn on_failure(&self) -> GiveUp {
        self.0.on_failure()
    }

    fn concurrency(&self) -> usize {
        self.0.concurrency()
    }

    async fn process(&self, ctx: &Context, events: &[Event], guard: Guard<'_>) -> (usize, Option<StepError>) {
        for (done, event) in events.iter().enumerate() {
            // Handlers that never wait leave room for others.
            consume_budget().await;
            let (topic, partition, offset) = (&*event.topic, event.partition, event.offset);
            let span = info_span!("event", step = self.0.name(), topic, partition, offset);
            let mut handler = pin!(async { self.0.process_event(ctx, event).await });
            let mut waits = false;
            let handler = poll_fn(|cx| {
                let polled = handler.as_mut().poll(cx);
                if polled.is_pending() && !waits {
                    waits = true;
                    (guard.waits)(done);
                }
                polled
            });
            let ended = async {
                lines::processing();
                guarded(guard.deadline, "the event step", handler).await
            };
            if let Err(error) = ended.instrument(span).await {
                return (done, Some(error));
            }
            if waits {
                return (done + 1, None);
            }
        }
        (events.len(), None)
    }
}

/// Whether a step waits for something that is not its fault.
pub(crate) fn is_deferral(error: &StepError) -> bool {
    matches!(error.kind(), StepErrorKind::Deferred | StepErrorKind::WaitFor { .. })
}

#[cfg(test)]
mod tests;
