//! One run of one object: its handlers, one after the other.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{AbortRegistration, Abortable, Aborted};
use tracing::{Instrument as _, Span, debug, info};
use xos_model_client::{ModelAccessor, ObjectId, Record, Shape};

use super::layout::Handler;
use super::lines;
use crate::context::Context;
use crate::engine::{FailureKind, Run, Verb};
use crate::step::{StepError, StepErrorKind, StepResult};

/// What a run works with.
pub(crate) struct Job {
    pub(crate) run: Run,
    pub(crate) verb: Verb,
    pub(crate) id: ObjectId,
    pub(crate) shape: Arc<Shape>,
    pub(crate) record: Record,
    pub(crate) handlers: Arc<[Handler]>,
    pub(crate) ctx: Context,
    pub(crate) accessor: Arc<dyn ModelAccessor>,
    pub(crate) span: Span,
    pub(crate) cancel: AbortRegistration,
}

/// How a run ended, with the text of its failure.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) run: Run,
    pub(crate) how: How,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum How {
    /// All handlers succeeded.
    Done { recheck: Option<Duration> },
    /// A handler failed.
    Failed { kind: FailureKind, retry_after: Option<Duration>, text: String },
    /// A handler waits for another object.
    WaitFor { model: String, id: ObjectId, at_most: Duration, text: String },
    /// The core is away or the synchronizer is stopping.
    Interrupted,
    /// A handler panicked.
    Panicked { text: String },
    /// Cancelled.
    Cancelled,
}

/// Runs all handlers of an object. Never panics.
pub(crate) async fn work(job: Job) -> Ended {
    let Job { run, verb, id, shape, record, handlers, ctx, accessor, span, cancel } = job;
    let steps = async {
        lines::started(verb);
        let result = handle_all(verb, id, &shape, record, &handlers, &ctx, accessor.as_ref()).await;
        match &result {
            Ok(()) => lines::succeeded(verb),
            Err(error) => lines::failed(error),
        }
        result
    };
    let caught = AssertUnwindSafe(Abortable::new(steps, cancel)).catch_unwind().instrument(span.clone()).await;
    let how = match caught {
        Ok(Ok(Ok(()))) => How::Done { recheck: ctx.recheck() },
        Ok(Ok(Err(error))) => how_it_failed(&error),
        Ok(Err(Aborted)) => How::Cancelled,
        Err(panic) => {
            let text = format!("the step panicked: {}", panic_text(panic.as_ref()));
            span.in_scope(|| lines::panicked(&text));
            How::Panicked { text }
        }
    };
    Ended { run, how }
}

/// Each handler gets the object as it is then: the one before may have changed it.
async fn handle_all(
    verb: Verb,
    id: ObjectId,
    shape: &Arc<Shape>,
    record: Record,
    handlers: &[Handler],
    ctx: &Context,
    accessor: &dyn ModelAccessor,
) -> StepResult {
    let mut record = Some(record);
    for handler in handlers {
        let now = match record.take() {
            Some(record) => record,
            None => match accessor.get(shape, &[id]).await?.into_iter().next().flatten() {
                Some(record) => record,
                None => return Ok(()),
            },
        };
        let own = handler.projection.of(&now);
        if handlers.len() > 1 && !handler.step.selects(own.clone()) {
            record = Some(now);
            continue;
        }
        if handlers.len() > 1 {
            debug!(step = handler.step.name(), "handler");
        }
        match verb {
            Verb::SyncRecord => handler.step.sync(ctx, own).await?,
            Verb::DeleteRecord => handler.step.delete(ctx, own).await?,
            // Policies come with their own handlers.
            Verb::HandleChange | Verb::HandleDelete => info!("no policy handles this model"),
        }
    }
    Ok(())
}

fn how_it_failed(error: &StepError) -> How {
    let failed = |kind| How::Failed { kind, retry_after: error.delay(), text: error.chain() };
    match error.kind() {
        StepErrorKind::Deferred => failed(FailureKind::Deferred),
        StepErrorKind::Innocuous => failed(FailureKind::Innocuous),
        StepErrorKind::WaitFor { model, id, at_most } => {
            How::WaitFor { model: model.to_string(), id: *id, at_most: *at_most, text: error.chain() }
        }
        StepErrorKind::Interrupted => How::Interrupted,
        _ => failed(FailureKind::Failed),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
