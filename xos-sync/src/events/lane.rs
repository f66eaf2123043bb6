//! One partition of a topic, as one step works on it: its events, one after the other.
//!
//! Each lane has a task. Most handlers are done without waiting for anything, and sooner than another thread wakes: what
//! comes to a lane that is idle is begun where it was read, and goes to the task when it turns out to wait, or to take
//! long.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Duration, Instant};

use super::handle::{Settled, Station};
use crate::beside::stopped;
use crate::bus::{Event, Place};

/// A lane with more than this waiting takes nothing more until it has worked off half of it.
const MOST_EVENTS: usize = 1024;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// After so many processed events the runner commits without waiting for the time.
pub(super) const COMMIT_EVENTS: u64 = 1000;

/// The most events that are begun at once where they were read.
const MOST_IN_PLACE: usize = 512;

/// Who takes longer than this keeps others from being read.
const LONG: Duration = Duration::from_millis(1);

/// When a handler waited or took long, so many times its events go to the task at once.
const TO_THE_TASK: usize = 64;

/// What the runner knows of a lane. Its task ends with this.
pub(super) struct Lane {
    pub(super) queue: Arc<Queue>,
    pub(super) task: AbortHandle,
    /// Up to where the runner has committed.
    pub(super) committed: i64,
    /// How many events may be begun in place: more each time, as long as they do not wait.
    in_place: usize,
    /// How many times events still go to the task before it is tried again.
    to_the_task: usize,
}

/// What a lane has before it.
#[derive(Default)]
pub(super) struct Queue {
    work: Mutex<Vec<Work>>,
    came: Notify,
    /// Whether nobody else is at an event of this partition any more.
    has_turn: AtomicBool,
    /// How many events came and are not settled, and their bytes.
    waiting: AtomicUsize,
    bytes: AtomicUsize,
    /// Whether the runner has told the bus to deliver nothing more.
    held: AtomicBool,
    /// The offset of the first event that is not settled; 0 as long as none was.
    next: AtomicI64,
    /// Whether it rests after a failure.
    pub(super) is_resting: AtomicBool,
}

/// What a lane's task is given.
enum Work {
    Events(Vec<Event>),
    /// Events that were begun in place, and that wait for something.
    Begun(BoxFuture<'static, Settled>),
}

/// What events count against the room of a lane.
fn bytes_of(events: &[Event]) -> usize {
    events.iter().map(|event| event.value.len()).sum()
}

/// One turn for each partition: when it was taken away and comes back, the lane of before may still be at an event.
#[derive(Default)]
pub(super) struct Turns(HashMap<Place, Arc<tokio::sync::Mutex<()>>>);

impl Turns {
    pub(super) fn of(&mut self, place: &Place) -> Arc<tokio::sync::Mutex<()>> {
        self.0.entry(place.clone()).or_default().clone()
    }
}

/// What lanes tell the runner.
#[derive(Default)]
pub(super) struct Progress {
    /// Something can be committed, or a lane has room again.
    pub(super) told: Notify,
    /// How many events were settled since the last commit.
    pub(super) uncommitted: AtomicU64,
    /// How many were settled at all.
    pub(super) settled: AtomicU64,
}

impl Lane {
    pub(super) fn new(queue: Arc<Queue>, task: AbortHandle, committed: i64) -> Self {
        Lane { queue, task, committed, in_place: 1, to_the_task: 0 }
    }

    /// Adds events, and processes them here as far as that is done at once. Whether the lane is full now and was not
    /// before.
    pub(super) fn add(
        &mut self,
        mut events: Vec<Event>,
        station: &Arc<Station>,
        stop: &watch::Receiver<bool>,
    ) -> bool {
        if self.to_the_task > 0 {
            self.to_the_task -= 1;
            return self.queue.add(events);
        }
        while !events.is_empty() && self.to_the_task == 0 && self.queue.is_idle() {
            let rest = events.split_off(self.in_place.min(events.len()));
            self.queue.count(&events);
            let began = Instant::now();
            let mut work = begin(station.clone(), self.queue.clone(), events, stop.clone()).boxed();
            let waits = (&mut work).now_or_never().is_none();
            if waits {
                self.queue.give(Work::Begun(work));
            }
            if waits || (self.in_place == 1 && began.elapsed() > LONG) {
                (self.in_place, self.to_the_task) = (1, TO_THE_TASK);
            } else if began.elapsed() > LONG {
                // Another thread may have had the processor meanwhile: it was not the handler alone.
                self.in_place /= 2;
            } else {
                self.in_place = (2 * self.in_place).min(MOST_IN_PLACE);
            }
            events = rest;
        }
        !events.is_empty() && self.queue.add(events)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.task.abort();
        // What was begun knows the queue.
        drop(self.queue.take_now());
    }
}

impl Queue {
    /// Adds events. Whether the lane is full now and was not before.
    fn add(&self, events: Vec<Event>) -> bool {
        let is_full = self.count(&events);
        self.give(Work::Events(events));
        is_full && !self.held.swap(true, Ordering::AcqRel)
    }

    /// Counts events that came. Whether there are too many now.
    fn count(&self, events: &[Event]) -> bool {
        let (count, bytes) = (events.len(), bytes_of(events));
        let waiting = self.waiting.fetch_add(count, Ordering::AcqRel) + count;
        let bytes = self.bytes.fetch_add(bytes, Ordering::AcqRel) + bytes;
        waiting > MOST_EVENTS || bytes > MOST_BYTES
    }

    fn give(&self, work: Work) {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).push(work);
        self.came.notify_one();
    }

    /// Whether nobody is at an event of this lane, and none waits.
    fn is_idle(&self) -> bool {
        self.waiting() == 0 && self.has_turn.load(Ordering::Acquire)
    }

    /// Whether a lane that was full has room again; says so once.
    pub(super) fn has_room_again(&self) -> bool {
        self.held.load(Ordering::Acquire) && self.is_half_empty() && self.held.swap(false, Ordering::AcqRel)
    }

    fn is_half_empty(&self) -> bool {
        self.waiting.load(Ordering::Acquire) <= MOST_EVENTS / 2
            && self.bytes.load(Ordering::Acquire) <= MOST_BYTES / 2
    }

    /// How many events came and are not settled.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// The offset of the first event that is not settled.
    pub(super) fn next(&self) -> i64 {
        self.next.load(Ordering::Acquire)
    }

    async fn take(&self) -> Vec<Work> {
        loop {
            let work = self.take_now();
            if !work.is_empty() {
                return work;
            }
            self.came.notified().await;
        }
    }

    fn take_now(&self) -> Vec<Work> {
        std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first events that were not settled are, in order.
    pub(super) fn settled(&self, events: &[Event], progress: &Progress) {
        let Some(last) = events.last() else { return };
        self.next.store(last.offset + 1, Ordering::Release);
        self.waiting.fetch_sub(events.len(), Ordering::AcqRel);
        self.bytes.fetch_sub(bytes_of(events), Ordering::AcqRel);
        let count = events.len() as u64;
        progress.settled.fetch_add(count, Ordering::AcqRel);
        let before = progress.uncommitted.fetch_add(count, Ordering::AcqRel);
        let is_enough = before < COMMIT_EVENTS && before + count >= COMMIT_EVENTS;
        let room = self.held.load(Ordering::Acquire) && self.is_half_empty();
        if before == 0 || is_enough || room {
            progress.told.notify_one();
        }
    }
}

/// Works on the events of a lane until it is told to stop.
pub(super) async fn work(
    station: Arc<Station>,
    queue: Arc<Queue>,
    turn: Arc<tokio::sync::Mutex<()>>,
    mut stop: watch::Receiver<bool>,
) {
    let _turn = turn.lock().await;
    queue.has_turn.store(true, Ordering::Release);
    loop {
        let work = tokio::select! {
            biased;
            () = stopped(&mut stop) => return,
            work = queue.take() => work,
        };
        for work in work {
            let settled = match work {
                Work::Events(events) => station.settle(&events, &queue, &mut stop).await,
                Work::Begun(begun) => begun.await,
            };
            if let Settled::Stopped = settled {
                return;
            }
        }
    }
}

async fn begin(
    station: Arc<Station>,
    queue: Arc<Queue>,
    events: Vec<Event>,
    mut stop: watch::Receiver<bool>,
) -> Settled {
    station.settle(&events, &queue, &mut stop).await
}
