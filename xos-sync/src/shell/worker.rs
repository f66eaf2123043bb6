//! One run of one object: its handlers, one after the other.

use std::any::Any;
use std::future::{Future as _, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use tracing::{Instrument as _, Span, debug};
use xos_model_client::{ModelId, ObjectId, Record};

use super::crew::Member;
use super::lines;
use super::policies;
use super::runs::{Home, what_runs};
use crate::context::Context;
use crate::engine::{FailureKind, Lane, Run, Verb};
use crate::step::{Condition, Did, StepError, StepErrorKind, StepResult};

/// What a run works with.
pub(super) struct Job {
    pub(super) run: Run,
    pub(super) verb: Verb,
    pub(super) leaf: ModelId,
    pub(super) id: ObjectId,
    pub(super) record: Record,
    pub(super) context: Context,
    pub(super) span: Span,
}

/// How a run ended, with the text of its failure.
pub(super) struct Ended {
    pub(super) run: Run,
    pub(super) member: Member,
    pub(super) how: How,
}

/// How a run ended.
pub(super) enum How {
    /// All handlers succeeded.
    Done { recheck: Option<Duration> },
    /// No handler takes it.
    Refused,
    /// A handler failed.
    Failed { kind: FailureKind, retry_after: Option<Duration>, text: String },
    /// A handler waits for another object.
    WaitFor { model: String, id: ObjectId, at_most: Duration, text: String, condition: Option<Condition> },
    /// The core is away or the synchronizer is stopping.
    Interrupted,
    /// A handler panicked.
    Panicked { text: String },
    /// Cancelled.
    Cancelled,
}

/// Runs all handlers of an object and tells how that ended. Never panics.
pub(super) async fn work(home: &Home, member: Member, job: Job) {
    let (run, span) = (job.run, job.span.clone());
    let how = caught(home, job).instrument(span).await;
    // The channel has room for all that may run at once; when the shell is gone, nobody asks.
    let _ = home.ended.send(Ended { run, member, how }).await;
}

async fn caught(home: &Home, job: Job) -> How {
    let (context, lane) = (job.context.clone(), job.verb.lane());
    let mut steps = pin!(AssertUnwindSafe(handle(home, job)).catch_unwind());
    // A step that never waits never leaves its waker: cancelling means something at an await only.
    let result = poll_fn(|cx| {
        if context.is_cancelled() {
            return Poll::Ready(None);
        }
        match steps.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if context.poll_cancelled(cx) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    match result.await {
        Some(Ok(Ok(Did::Work))) => How::Done { recheck: context.recheck() },
        Some(Ok(Ok(Did::Nothing))) => How::Refused,
        Some(Ok(Err(error))) => how_it_failed(&error),
        None => How::Cancelled,
        Some(Err(panic)) => {
            let text = format!("the {} panicked: {}", what_runs(lane), panic_text(panic.as_ref()));
            lines::panicked(lane, &text);
            How::Panicked { text }
        }
    }
}

async fn handle(home: &Home, job: Job) -> StepResult<Did> {
    let verb = job.verb;
    if verb.lane() == Lane::Policy {
        return policies::handle(home, job).await;
    }
    lines::started(verb);
    let result = handle_all(home, job).await;
    match &result {
        Ok(_) => lines::succeeded(verb),
        Err(error) => lines::failed(error),
    }
    result
}

/// Each handler gets the object as it is then: the one before may have changed it.
async fn handle_all(home: &Home, job: Job) -> StepResult<Did> {
    let Job { verb, leaf, id, record, context, .. } = job;
    let Some(leaf) = home.layout.leaf(leaf) else { return Ok(Did::Nothing) };
    let mut all = Did::Nothing;
    let mut record = Some(record);
    let last = leaf.handlers.len().saturating_sub(1);
    for (at, handler) in leaf.handlers.iter().enumerate() {
        let now = match record.take() {
            Some(record) => record,
            None => match home.accessor.get(&leaf.shape, &[id]).await?.into_iter().next().flatten() {
                Some(record) => record,
                None => return Ok(all),
            },
        };
        // For the next handler, should this one refuse the object.
        let unchanged = (at < last).then(|| now.clone());
        let own = handler.projection.of(now);
        debug!(step = handler.step.name(), "handler");
        let did = match verb {
            Verb::DeleteRecord | Verb::HandleDelete => handler.step.delete(&context, own).await?,
            Verb::SyncRecord | Verb::HandleChange => handler.step.sync(&context, own).await?,
        };
        match did {
            Did::Work => all = Did::Work,
            Did::Nothing => record = unchanged,
        }
    }
    Ok(all)
}

fn how_it_failed(error: &StepError) -> How {
    let failed = |kind| How::Failed { kind, retry_after: error.delay(), text: error.chain() };
    match error.kind() {
        StepErrorKind::Deferred => failed(FailureKind::Deferred),
        StepErrorKind::Innocuous => failed(FailureKind::Innocuous),
        StepErrorKind::WaitFor { model, id, at_most } => How::WaitFor {
            model: model.to_string(),
            id: *id,
            at_most: *at_most,
            text: error.chain(),
            condition: error.condition().cloned(),
        },
        StepErrorKind::Interrupted => How::Interrupted,
        _ => failed(FailureKind::Failed),
    }
}

pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
