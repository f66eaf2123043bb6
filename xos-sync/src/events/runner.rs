//! One task per event step: it reads, hands out, commits.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{Instrument as _, Span};

use super::AnyEventStep;
use super::check::topics_of;
use super::handle::Station;
use super::lane::{COMMIT_EVENTS, Lane, Progress, Queue, Turns, work};
use super::lines::{self, BusLines};
use crate::backoff::Backoff;
use crate::beside::{Setting, at, stopped, until};
use crate::bus::{BusError, Delivery, Event, Place, Position, Subscription, Topics};
use crate::context::Context;
use crate::error::Result;

/// What was processed is committed after this time at the latest.
const COMMIT_AFTER: Duration = Duration::from_millis(100);

/// After this time a bus that is away is asked again. It is short, so that a broker knows that this member lives.
const AGAIN: Duration = Duration::from_secs(1);

/// How often it is looked whether everything is processed, for `--once`.
const LOOK: Duration = Duration::from_millis(20);

/// How long nothing but resting lanes is waited for, for `--once`.
const STUCK: Duration = Duration::from_secs(2);

/// How long the last commit may take.
const LAST_COMMIT: Duration = Duration::from_secs(5);

/// All event steps at work.
pub(crate) struct EventEngine {
    tasks: JoinSet<()>,
    drains: Vec<mpsc::Sender<oneshot::Sender<Drained>>>,
}

/// What is to be said when everything that was published is processed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Drained {
    /// How many events were settled since the start.
    pub(crate) settled: u64,
    /// How many partitions have an event that fails.
    pub(crate) stuck: usize,
}

impl EventEngine {
    /// Starts the steps; returns when each has tried to subscribe, so that what is published from now on is not missed.
    pub(crate) async fn start(
        steps: &[Arc<dyn AnyEventStep>],
        setting: &Setting,
        stop: &watch::Receiver<bool>,
    ) -> Result<Self> {
        let mut engine = EventEngine { tasks: JoinSet::new(), drains: Vec::new() };
        let mut subscribed = Vec::new();
        for step in steps {
            let topics = topics_of(step.as_ref())?;
            let (ready, is_ready) = oneshot::channel();
            let (drain, drains) = mpsc::channel(1);
            let station = Station {
                group: format!("{}.{}", setting.around.name, step.name()),
                around: setting.around.clone(),
                first: Context::of_event(setting.accessor.clone(), &setting.around, 1),
                accessor: setting.accessor.clone(),
                engine: setting.engine.clone(),
                give_up: step.on_failure(),
                at_work: Semaphore::new(step.concurrency().clamp(1, Semaphore::MAX_PERMITS)),
                progress: Progress::default(),
                step: step.clone(),
            };
            let runner = Runner {
                station: Arc::new(station),
                topics,
                lanes: HashMap::new(),
                turns: Turns::default(),
                tasks: JoinSet::new(),
                stop: stop.clone(),
                drains,
                draining: None,
                bus: BusLines::default(),
                span: setting.span.clone(),
            };
            engine.tasks.spawn(runner.run(ready).instrument(setting.span.clone()));
            engine.drains.push(drain);
            subscribed.push(is_ready);
        }
        for is_ready in subscribed {
            let _ = is_ready.await;
        }
        Ok(engine)
    }

    /// Returns when everything that was published is processed, or rests after a failure.
    pub(crate) async fn drain(&self) -> Drained {
        let mut all = Drained::default();
        for drain in &self.drains {
            let (reply, drained) = oneshot::channel();
            // A runner that is gone has nothing to do.
            if drain.send(reply).await.is_ok()
                && let Ok(drained) = drained.await
            {
                all.settled += drained.settled;
                all.stuck += drained.stuck;
            }
        }
        all
    }

    /// Waits until all have ended. They were told to stop before.
    pub(crate) async fn end(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

struct Runner {
    station: Arc<Station>,
    topics: Topics,
    lanes: HashMap<Place, Lane>,
    turns: Turns,
    /// The lanes at work. They end with this.
    tasks: JoinSet<()>,
    stop: watch::Receiver<bool>,
    drains: mpsc::Receiver<oneshot::Sender<Drained>>,
    draining: Option<Draining>,
    bus: BusLines,
    span: Span,
}

struct Draining {
    reply: oneshot::Sender<Drained>,
    settled: u64,
    /// Since when nothing was settled.
    since: Instant,
    /// When it is looked again.
    look_at: Instant,
}

/// Why a subscription is no longer served.
enum End {
    Stopped,
    Lost(BusError),
}

impl Runner {
    async fn run(mut self, ready: oneshot::Sender<()>) {
        let mut ready = Some(ready);
        let again = Backoff { first: AGAIN, cap: self.station.engine.retry_cap.max(AGAIN) };
        let mut failures = 0;
        let mut stop = self.stop.clone();
        loop {
            let subscribed = self.station.around.bus.subscribe(&self.station.group, &self.topics);
            let Some(subscribed) = until(&mut stop, subscribed).await else { return };
            let error = match subscribed {
                Ok(mut subscription) => {
                    if let Some(ready) = ready.take() {
                        lines::waiting(
                            &self.topics,
                            &self.station.around.bus.describe(),
                            self.station.step.name(),
                        );
                        let _ = ready.send(());
                    }
                    let served = self.serve(subscription.as_mut(), &mut failures).await;
                    match served {
                        End::Stopped => return self.end(subscription.as_mut()).await,
                        End::Lost(error) => error,
                    }
                }
                Err(error) => error,
            };
            drop(ready.take());
            self.drop_lanes().await;
            failures += 1;
            self.bus.failed(&error, self.station.step.name());
            if until(&mut stop, sleep(again.after(failures, &self.station.group))).await.is_none() {
                return;
            }
        }
    }

    async fn serve(&mut self, subscription: &mut dyn Subscription, failures: &mut u32) -> End {
        let mut stop = self.stop.clone();
        let mut commit_at: Option<Instant> = None;
        let mut next_at = Instant::now();
        let station = self.station.clone();
        loop {
            let mut commit = false;
            tokio::select! {
                biased;
                () = stopped(&mut stop) => return End::Stopped,
                () = station.progress.told.notified() => {
                    self.release(subscription);
                    let uncommitted = station.progress.uncommitted.load(Ordering::Acquire);
                    commit = uncommitted >= COMMIT_EVENTS;
                    if uncommitted > 0 && commit_at.is_none() {
                        commit_at = Some(Instant::now() + COMMIT_AFTER);
                    }
                }
                () = at(commit_at) => commit = true,
                Some(reply) = self.drains.recv() => {
                    let now = Instant::now();
                    self.draining = Some(Draining { reply, settled: u64::MAX, since: now, look_at: now });
                }
                () = at(self.draining.as_ref().map(|draining| draining.look_at)) => {
                    if let Err(lost) = self.look_if_drained(subscription).await {
                        return End::Lost(lost);
                    }
                }
                delivery = after(next_at, subscription) => match delivery {
                    Ok(delivery) => {
                        *failures = 0;
                        self.bus.works();
                        match delivery {
                            Delivery::Events(events) => self.hand_out(events, subscription),
                            Delivery::Revoked(places) => {
                                // What is processed can still be said; what cannot comes again.
                                let _ = self.commit(subscription).await;
                                self.revoked(&places);
                            }
                        }
                    }
                    Err(error @ BusError::Away { .. }) => {
                        self.bus.failed(&error, station.step.name());
                        next_at = Instant::now() + AGAIN;
                    }
                    Err(error) => return End::Lost(error),
                },
            }
            if commit {
                commit_at = match self.commit(subscription).await {
                    Ok(()) => None,
                    Err(error @ BusError::Away { .. }) => {
                        self.bus.failed(&error, station.step.name());
                        Some(Instant::now() + AGAIN)
                    }
                    Err(error) => return End::Lost(error),
                };
            }
        }
    }

    /// Gives each event to the lane of its partition.
    fn hand_out(&mut self, events: Vec<Event>, subscription: &mut dyn Subscription) {
        let mut rest = events;
        while let Some(first) = rest.first() {
            let place = first.place();
            let others = rest
                .iter()
                .position(|event| event.partition != place.partition || event.topic != place.topic);
            let next = others.map(|at| rest.split_off(at)).unwrap_or_default();
            let together = std::mem::replace(&mut rest, next);
            let (station, stop) = (self.station.clone(), self.stop.clone());
            if self.lane(&place, &together).add(together, &station, &stop) {
                subscription.hold(&place);
            }
        }
    }

    fn lane(&mut self, place: &Place, events: &[Event]) -> &mut Lane {
        let Runner { station, stop, tasks, span, turns, .. } = self;
        self.lanes.entry(place.clone()).or_insert_with(|| {
            let (queue, turn) = (Arc::new(Queue::default()), turns.of(place));
            let work = work(station.clone(), queue.clone(), turn, stop.clone()).instrument(span.clone());
            let committed = events.first().map_or(0, |event| event.offset);
            Lane::new(queue, tasks.spawn(work), committed)
        })
    }

    /// Lanes that were full and are not any more get events again.
    fn release(&mut self, subscription: &mut dyn Subscription) {
        for (place, lane) in &self.lanes {
            if lane.queue.has_room_again() {
                subscription.release(place);
            }
        }
        // Lanes that were given up.
        while self.tasks.try_join_next().is_some() {}
    }

    /// What is in work there is dropped at its next await: somebody else does it.
    fn revoked(&mut self, places: &[Place]) {
        for place in places {
            self.lanes.remove(place);
        }
    }

    async fn drop_lanes(&mut self) {
        self.lanes.clear();
        self.tasks.shutdown().await;
        self.station.progress.uncommitted.store(0, Ordering::Release);
    }

    async fn commit(&mut self, subscription: &mut dyn Subscription) -> std::result::Result<(), BusError> {
        // Reset before it is looked: what is settled in between is announced again.
        self.station.progress.uncommitted.store(0, Ordering::Release);
        let mut positions = Vec::new();
        for (place, lane) in &self.lanes {
            let next = lane.queue.next();
            if next > lane.committed {
                positions.push(Position { place: place.clone(), next });
            }
        }
        if positions.is_empty() {
            return Ok(());
        }
        subscription.commit(&positions).await?;
        for Position { place, next } in positions {
            if let Some(lane) = self.lanes.get_mut(&place) {
                lane.committed = next;
            }
        }
        Ok(())
    }

    /// Answers who waits until everything is processed, when it is.
    async fn look_if_drained(
        &mut self,
        subscription: &mut dyn Subscription,
    ) -> std::result::Result<(), BusError> {
        if let Some(draining) = &mut self.draining {
            draining.look_at = Instant::now() + LOOK;
        }
        let settled = self.station.progress.settled.load(Ordering::Acquire);
        let result = async {
            self.commit(subscription).await?;
            subscription.backlog().await
        };
        let backlog = match result.await {
            Ok(backlog) => backlog,
            // It is looked again.
            Err(BusError::Away { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(mut draining) = self.draining.take() else { return Ok(()) };
        if settled != draining.settled {
            (draining.settled, draining.since) = (settled, Instant::now());
        }
        let waiting = || self.lanes.values().filter(|lane| lane.queue.waiting() > 0);
        let stuck = waiting().filter(|lane| lane.queue.is_resting.load(Ordering::Acquire)).count();
        let only_stuck = stuck > 0 && stuck == waiting().count() && draining.since.elapsed() >= STUCK;
        if backlog == 0 || only_stuck {
            let _ = draining.reply.send(Drained { settled, stuck });
        } else {
            self.draining = Some(draining);
        }
        Ok(())
    }

    /// Nothing new is begun. What is at work may end within the grace period; then the last commit is made.
    async fn end(mut self, subscription: &mut dyn Subscription) {
        let deadline = Instant::now() + self.station.engine.grace_period;
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout_at(deadline, all).await.is_err() {
            lines::dropped(self.station.step.name(), self.tasks.len());
            self.tasks.abort_all();
        }
        let last = tokio::time::timeout(LAST_COMMIT, self.commit(subscription)).await;
        if let Ok(Err(error)) = last {
            self.bus.failed(&error, self.station.step.name());
        }
    }
}

/// What comes next, asked for at this moment or later.
async fn after(
    moment: Instant,
    subscription: &mut dyn Subscription,
) -> std::result::Result<Delivery, BusError> {
    if moment > Instant::now() {
        sleep_until(moment).await;
    }
    subscription.next().await
}
