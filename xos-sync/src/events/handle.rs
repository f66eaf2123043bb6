//! One event, until it is settled: processed, or given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use tracing::{Instrument as _, info, info_span};
use xos_model_client::ModelAccessor;

use super::lane::{Progress, Queue};
use super::{AnyEventStep, GiveUp, Guard, bury, is_deferral, lines};
use crate::backoff::Backoff;
use crate::beside::{core_is_back, until};
use crate::bus::Event;
use crate::context::{Around, Context};
use crate::step::{StepError, StepErrorKind};

/// So many events are processed before it is said how far they are, unless one has to be waited for.
const TOGETHER: usize = 64;

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

    /// Processes events in order, each as often as it takes.
    pub(super) async fn settle(
        &self,
        mut events: &[Event],
        queue: &Queue,
        stop: &mut watch::Receiver<bool>,
    ) -> Settled {
        while !events.is_empty() {
            if *stop.borrow() {
                return Settled::Stopped;
            }
            let some = events.get(..TOGETHER).unwrap_or(events);
            let told = AtomicUsize::new(0);
            let settled = |done: usize| {
                let before = told.swap(done, Ordering::Relaxed);
                queue.settled(some.get(before..done).unwrap_or_default(), &self.progress);
            };
            let Some((done, failed)) = self.attempt(&self.first, some, &settled, stop).await else {
                return Settled::Stopped;
            };
            settled(done);
            if let Some(error) = failed
                && let Some(event) = some.get(done)
            {
                if let Settled::Stopped = self.retry(event, error, queue, stop).await {
                    return Settled::Stopped;
                }
                queue.settled(std::slice::from_ref(event), &self.progress);
                events = events.get(1..).unwrap_or_default();
            }
            events = events.get(done..).unwrap_or_default();
        }
        Settled::Done
    }

    /// Processes an event that failed, as often as it takes.
    async fn retry(
        &self,
        event: &Event,
        mut failed: StepError,
        queue: &Queue,
        stop: &mut watch::Receiver<bool>,
    ) -> Settled {
        let (topic, partition, offset) = (&*event.topic, event.partition, event.offset);
        let span = info_span!("event", step = self.step.name(), topic, partition, offset);
        async {
            let (mut failures, mut deferrals) = (0, 0);
            loop {
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
                let attempt = u16::try_from(failures + 1).unwrap_or(u16::MAX);
                let context = Context::of_event(self.accessor.clone(), &self.around, attempt);
                failed = match self.attempt(&context, std::slice::from_ref(event), |_| (), stop).await {
                    None => return Settled::Stopped,
                    Some((_, Some(error))) => error,
                    Some((_, None)) => return Settled::Done,
                };
            }
        }
        .instrument(span)
        .await
    }

    /// Calls the step for events, until one fails or it was waited for one: how many succeeded, and how the next one
    /// failed. `None` when the program stops before.
    async fn attempt(
        &self,
        context: &Context,
        events: &[Event],
        waits: impl Fn(usize) + Send + Sync,
        stop: &mut watch::Receiver<bool>,
    ) -> Option<(usize, Option<StepError>)> {
        let _at_work = match self.at_work.try_acquire() {
            Ok(place) => place,
            // It is never closed.
            Err(_) => until(stop, self.at_work.acquire()).await?.ok()?,
        };
        let guard = Guard { deadline: self.engine.step_deadline, waits: &waits };
        Some(self.step.process(context, events, guard).await)
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
