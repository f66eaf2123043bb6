//! One event, until it is settled: processed, or given up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use tracing::{Instrument as _, info, info_span};
use xos_model_client::ModelAccessor;

use super::lane::{Progress, Queue};
use super::{AnyEventStep, GiveUp, bury, is_deferral, lines};
use crate::backoff::Backoff;
use crate::beside::{core_is_back, guarded, until};
use crate::bus::Event;
use crate::context::{Around, Context};
use crate::step::{StepError, StepErrorKind, StepResult};

/// One event step and what its lanes share.
pub(super) struct Station {
    pub(super) step: Arc<dyn AnyEventStep>,
    /// `<synchronizer>.<step>`
    pub(super) group: String,
    pub(super) around: Arc<Around>,
    /// What the first attempts are given: nothing in it belongs to one event.
    pub(super) first: Context,
    pub(super) accessor: Arc<dyn ModelAccessor>,
    pub(super) engine: crate::config::Engine,
    pub(super) give_up: GiveUp,
    /// How many events are worked on at once.
    pub(super) at_work: Semaphore,
    pub(super) progress: Progress,
}

/// How an event was left.
pub(super) enum Settled {
    /// Nothing more has to be done about it.
    Done,
    /// The program stops; it comes again.
    Stopped,
}

impl Station {
    pub(super) fn backoff(&self) -> Backoff {
        Backoff { first: self.engine.first_retry, cap: self.engine.retry_cap }
    }

    /// Processes an event, as often as it takes.
    pub(super) async fn settle(
        &self,
        event: &Event,
        queue: &Queue,
        stop: &mut watch::Receiver<bool>,
    ) -> Settled {
        let (topic, partition, offset) = (event.topic.as_str(), event.partition, event.offset);
        let span = info_span!("event", step = self.step.name(), topic, partition, offset);
        async {
            let (mut failures, mut deferrals) = (0, 0);
            loop {
                let failed = match self.attempt(event, failures, stop).await {
                    None => return Settled::Stopped,
                    Some(Ok(())) => return Settled::Done,
                    Some(Err(error)) => error,
                };
                let rest = match failed.kind() {
                    StepErrorKind::Innocuous => {
                        info!(e = failed.chain(), "there was nothing to do about the event");
                        return Settled::Done;
                    }
                    StepErrorKind::Interrupted => None,
                    _ if is_deferral(&failed) => {
                        deferrals += 1;
                        Some(self.deferred(&failed, deferrals, event))
                    }
                    _ => {
                        failures += 1;
                        if self.give_up.is_reached(failures) {
                            return bury::give_up(self, event, &failed, failures, stop).await;
                        }
                        Some(self.failed(&failed, failures, event))
                    }
                };
                // A core that is away is waited for, as everywhere.
                queue.is_resting.store(rest.is_some(), Ordering::Release);
                let resting = async {
                    match rest {
                        Some(rest) => sleep(rest).await,
                        None => core_is_back(self.accessor.as_ref()).await,
                    }
                };
                let stopped = until(stop, resting).await.is_none();
                queue.is_resting.store(false, Ordering::Release);
                if stopped {
                    return Settled::Stopped;
                }
            }
        }
        .instrument(span)
        .await
    }

    /// Calls the step once; `None` when the program stops before.
    async fn attempt(
        &self,
        event: &Event,
        failures: u32,
        stop: &mut watch::Receiver<bool>,
    ) -> Option<StepResult> {
        let _at_work = match self.at_work.try_acquire() {
            Ok(place) => place,
            // It is never closed.
            Err(_) => until(stop, self.at_work.acquire()).await?.ok()?,
        };
        lines::processing();
        let context = match failures {
            0 => self.first.clone(),
            _ => {
                let attempt = u16::try_from(failures + 1).unwrap_or(u16::MAX);
                Context::of_event(self.accessor.clone(), &self.around, attempt)
            }
        };
        Some(guarded(self.engine.step_deadline, "the event step", self.step.process(&context, event)).await)
    }

    fn deferred(&self, error: &StepError, deferrals: u32, event: &Event) -> Duration {
        let backoff = Backoff { first: self.engine.first_retry, cap: self.engine.deferred_retry };
        let backoff = Backoff { first: backoff.first.min(backoff.cap), ..backoff };
        let rest = error.delay().unwrap_or_else(|| backoff.after(deferrals, &self.who(event)));
        lines::deferred(error, rest);
        rest
    }

    fn failed(&self, error: &StepError, failures: u32, event: &Event) -> Duration {
        let backoff = self.backoff();
        let rest = error.delay().unwrap_or_else(|| backoff.after(failures, &self.who(event)));
        let is_parked = self.give_up == GiveUp::Park && backoff.is_at_cap(failures);
        lines::failed(error, failures, rest, is_parked);
        rest
    }

    /// What decides on the jitter.
    pub(super) fn who<'a>(&'a self, event: &'a Event) -> (&'a str, &'a str, i32) {
        (&self.group, &event.topic, event.partition)
    }
}
