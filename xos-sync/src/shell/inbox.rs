//! What comes in: one place to wait at.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::Sleep;
use xos_model_client::{Change, Feed};

use super::Io;
use super::clock::Clock;
use super::questions::{Question, Questions};
use super::worker::Ended;
use crate::engine::Moment;

/// How much is taken at once: what is told to the engine in one go must not take long.
const AT_ONCE: usize = 512;

/// How many changes are taken at once. A deletion and all that it takes along are best heard of together.
const CHANGES_AT_ONCE: usize = 16 * 1024;

/// Everything the shell waits for, except answers of the core, which it adds to itself.
pub(super) struct Inbox<'a, S> {
    endings: mpsc::Receiver<Ended>,
    feed: Feed,
    questions: &'a mut Questions,
    stop: Option<Pin<&'a mut S>>,
    timer: Pin<Box<Sleep>>,
    /// When the timer rings; it may ring too early.
    armed: Moment,
    clock: Clock,
}

/// What came in together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) ended: Vec<Ended>,
    pub(super) io: Vec<Io>,
    pub(super) changes: Vec<Change>,
    pub(super) questions: Vec<Question>,
    /// Somebody asks to stop.
    pub(super) stop: bool,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.ended.is_empty()
            && self.io.is_empty()
            && self.changes.is_empty()
            && self.questions.is_empty()
            && !self.stop
    }
}

impl<'a, S: Future<Output = ()>> Inbox<'a, S> {
    pub(super) fn new(
        endings: mpsc::Receiver<Ended>,
        feed: Feed,
        questions: &'a mut Questions,
        stop: Pin<&'a mut S>,
        clock: Clock,
    ) -> Self {
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        Inbox { endings, feed, questions, stop: Some(stop), timer, armed: Moment::NEVER, clock }
    }

    /// Waits until something has come, or until `wake` at the latest, and takes all there is.
    ///
    /// With `patience`, after a wait the tasks that are ready too go first, so that a hundred steps that end at the
    /// same time are told of, stored and replaced together, not one by one.
    pub(super) async fn next(
        &mut self,
        io: &mut FuturesUnordered<BoxFuture<'static, Io>>,
        batch: &mut Batch,
        wake: Moment,
        patience: bool,
    ) {
        let mut waited = false;
        let due = wake <= self.clock.now();
        // A timer that rings too early is cheaper than one that is set anew each time.
        if wake < self.armed && !due {
            self.armed = wake;
            self.timer.as_mut().reset(self.clock.instant_of(wake));
        }
        poll_fn(|cx| {
            let rings = self.poll_timer(cx);
            self.take(io, batch, cx);
            if rings || due || !batch.is_empty() {
                return Poll::Ready(());
            }
            waited = true;
            Poll::Pending
        })
        .await;
        if waited && patience {
            tokio::task::yield_now().await;
            poll_fn(|cx| {
                self.take(io, batch, cx);
                Poll::Ready(())
            })
            .await;
        }
    }

    /// Takes what is there, and will be woken by what comes if that was nothing.
    fn take(
        &mut self,
        io: &mut FuturesUnordered<BoxFuture<'static, Io>>,
        batch: &mut Batch,
        cx: &mut Context<'_>,
    ) {
        // The shell holds a sender: this channel does not close.
        let _ = self.endings.poll_recv_many(cx, &mut batch.ended, AT_ONCE);
        while batch.io.len() < AT_ONCE
            && let Poll::Ready(Some(done)) = io.poll_next_unpin(cx)
        {
            batch.io.push(done);
        }
        while batch.changes.len() < CHANGES_AT_ONCE
            && let Poll::Ready(Some(change)) = self.feed.poll_next_unpin(cx)
        {
            batch.changes.push(change);
        }
        while let Poll::Ready(Some(question)) = self.questions.poll_recv(cx) {
            batch.questions.push(question);
        }
        if let Some(stop) = &mut self.stop
            && stop.as_mut().poll(cx).is_ready()
        {
            self.stop = None;
            batch.stop = true;
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let rings = self.armed != Moment::NEVER && self.timer.as_mut().poll(cx).is_ready();
        if rings {
            self.armed = Moment::NEVER;
        }
        rings
    }
}
