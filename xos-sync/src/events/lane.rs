//! One partition of a topic, as one step works on it: its events, one after the other.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::handle::{Settled, Station};
use crate::beside::stopped;
use crate::bus::{Event, Place};

/// A lane with more than this waiting takes nothing more until it has worked off half of it.
const MOST_EVENTS: usize = 1024;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// After so many processed events the runner commits without waiting for the time.
pub(super) const COMMIT_EVENTS: u64 = 1000;

/// What the runner knows of a lane.
pub(super) struct Lane {
    pub(super) queue: Arc<Queue>,
    pub(super) task: AbortHandle,
    /// Up to where the runner has committed.
    pub(super) committed: i64,
}

/// What a lane has before it.
#[derive(Default)]
pub(super) struct Queue {
    events: Mutex<Vec<Vec<Event>>>,
    came: Notify,
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

impl Queue {
    /// Adds events. Whether the lane is full now and was not before.
    pub(super) fn add(&self, events: Vec<Event>) -> bool {
        let (count, bytes) = (events.len(), bytes_of(&events));
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(events);
        let waiting = self.waiting.fetch_add(count, Ordering::AcqRel) + count;
        let bytes = self.bytes.fetch_add(bytes, Ordering::AcqRel) + bytes;
        self.came.notify_one();
        let is_full = waiting > MOST_EVENTS || bytes > MOST_BYTES;
        is_full && !self.held.swap(true, Ordering::AcqRel)
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

    async fn take(&self) -> Vec<Vec<Event>> {
        loop {
            let events = std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner));
            if !events.is_empty() {
                return events;
            }
            self.came.notified().await;
        }
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
    loop {
        let events = tokio::select! {
            biased;
            () = stopped(&mut stop) => return,
            events = queue.take() => events,
        };
        for events in events {
            if let Settled::Stopped = station.settle(&events, &queue, &mut stop).await {
                return;
            }
        }
    }
}
