//! What runs beside the engine: event steps and pull steps.

use std::any::Any;
use std::future::Future as _;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{Span, error};
use xos_model_client::ModelAccessor;

use crate::context::Around;
use crate::error::Result;
use crate::events::{Drained, EventEngine};
use crate::pull::PullEngine;
use crate::step::{StepError, StepResult};
use crate::synchronizer::Synchronizer;

/// How often a core that is away is asked whether it is back.
pub(crate) const PROBE: Duration = Duration::from_secs(1);

/// What steps beside the engine need.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) accessor: Arc<dyn ModelAccessor>,
    pub(crate) around: Arc<Around>,
    pub(crate) engine: crate::config::Engine,
    pub(crate) span: Span,
}

/// Event steps and pull steps at work. Dropping it ends them at their next await.
pub(crate) struct Beside {
    stop: watch::Sender<bool>,
    events: EventEngine,
    pulls: PullEngine,
}

impl Beside {
    /// Starts them; returns when nothing that is published from now on is missed. Each pull step runs only `once`.
    pub(crate) async fn start(service: &Synchronizer, setting: &Setting, once: bool) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        // Pull steps may publish at once.
        let events = EventEngine::start(&service.event_steps, setting, &stopped).await?;
        let pulls = PullEngine::start(&service.pull_steps, setting, &stopped, once);
        Ok(Beside { stop, events, pulls })
    }

    /// For `--once`: returns when each pull step has run, with the names of those that failed.
    pub(crate) async fn pulled(&mut self) -> Vec<&'static str> {
        self.pulls.ran().await
    }

    /// Says that nothing new is to be begun: send `true`.
    pub(crate) fn stopper(&self) -> watch::Sender<bool> {
        self.stop.clone()
    }

    /// Whether nothing new is to be begun.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Returns when every event that was published is processed, or rests after a failure.
    pub(crate) async fn drain(&self) -> Drained {
        self.events.drain().await
    }

    /// Returns when all have ended, or the grace period is over.
    pub(crate) async fn end(self) {
        self.stop.send_replace(true);
        tokio::join!(self.events.end(), self.pulls.end());
    }
}

/// What a handler gives, with a deadline; a panic is a failure.
pub(crate) async fn guarded<T>(
    deadline: Duration,
    what: &str,
    handler: impl Future<Output = StepResult<T>>,
) -> StepResult<T> {
    let mut handler = pin!(AssertUnwindSafe(handler).catch_unwind());
    // One that ends at once needs no timer.
    let at_once = std::future::poll_fn(|cx| Poll::Ready(handler.as_mut().poll(cx))).await;
    let ended = match at_once {
        Poll::Ready(ended) => Ok(ended),
        Poll::Pending => timeout(deadline, handler).await,
    };
    match ended {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => {
            let text = format!("{what} panicked: {}", panic_text(panic.as_ref()));
            Err(StepError::failed(text))
        }
        Err(_) => {
            let seconds = deadline.as_secs_f64();
            Err(StepError::failed(format!("{what} took longer than {seconds} s and was cancelled")))
        }
    }
}

pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// Returns when the program is to stop.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever would say so is gone: then it is to stop, too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What the future gives, unless the program is to stop before.
pub(crate) async fn until<T>(stop: &mut watch::Receiver<bool>, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = stopped(stop) => None,
        value = future => Some(value),
    }
}

/// Returns when the core answers, at the earliest after a while.
pub(crate) async fn core_is_back(accessor: &dyn ModelAccessor) {
    loop {
        sleep(PROBE).await;
        match accessor.cursor().await {
            Err(error) if error.is_interruption() => {}
            Err(error) => {
                error!(e = %error, "the core refused to be read");
                return;
            }
            Ok(_) => return,
        }
    }
}

/// Waits until this moment, or for ever.
pub(crate) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
