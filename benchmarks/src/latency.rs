//! B2: from a change to the first line of its step, 1,000 changes a second, one object each.
//!
//! The same delay is taken of a channel between two threads, in turns with both. Loaded means that other objects change
//! meanwhile, half as many a second as the contender can take at most: each contender at its own half.

use std::future::ready;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Time};

use tokio::sync::Notify;

use crate::args::Args;
use crate::instant::{Instant, Records};
use crate::kube;
use crate::machine::{channel, every_millisecond};
use crate::measure::{Sample, in_turns, micros, percentiles, processor_time, rate};
use crate::ours::{self, Call, Running, config, runtime};
use crate::report::Row;

/// The objects whose delays are taken: the first ones.
const WATCHED: usize = 1_000;

/// The objects that make up the load: those behind them.
const LOAD: usize = 20_000;

/// How long a contender has for what it has not begun when the changes end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a contender has before the changes begin.
const SETTLE: Duration = Duration::from_millis(200);

pub fn run(args: &Args) -> Vec<Row> {
    let rounds = if args.quick { 1_000 } else { 3_000 };
    let mut rows = Vec::new();
    let [channel, ours, peer] = in_turns(
        args.repeats(),
        [&mut || runtime().block_on(channel(rounds)), &mut || our_delays(rounds, 0.0), &mut || {
            peer_delays(rounds, 0.0)
        }],
    );
    for (at, name) in ["p50", "p99", "p99.9"].into_iter().enumerate() {
        let row = Row::new(format!("idle, {name}"), "µs")
            .ours(&ours[at])
            .beside("channel", &channel[at])
            .beside(kube::name(), &peer[at]);
        rows.push(if at == 0 { row.at_most_times(3.0) } else { row });
    }
    let case = "idle, processor time of a change (who makes it included)";
    rows.push(Row::new(case, "µs/change").ours(&ours[4]).beside(kube::name(), &peer[4]));
    let [ours, peer] =
        in_turns(args.repeats(), [&mut || vec![our_capacity()], &mut || vec![peer_capacity()]]);
    let (our_load, peer_load) = (ours[0].median() / 2.0, peer[0].median() / 2.0);
    let case = "changes taken at most (half of it is the load)";
    rows.push(Row::new(case, "changes/s").ours(&ours[0]).beside(kube::name(), &peer[0]));
    let [ours, peer] = in_turns(
        args.repeats(),
        [&mut || our_delays(rounds, our_load), &mut || peer_delays(rounds, peer_load)],
    );
    for (at, name) in ["p50", "p99", "p99.9"].into_iter().enumerate() {
        rows.push(Row::new(format!("loaded, {name}"), "µs").ours(&ours[at]).beside(kube::name(), &peer[at]));
    }
    let case = "loaded, processor time taken (who makes the changes included)";
    rows.push(Row::new(case, "cores").ours(&ours[3]).beside(kube::name(), &peer[3]));
    rows
}

/// When objects changed, and how long each took until its step began.
struct Watch {
    origin: Time,
    changed: Vec<AtomicU64>,
    delays: Mutex<Vec<Duration>>,
    /// Steps that began, all in all.
    begun: AtomicUsize,
    goal: usize,
    reached: Notify,
}

impl Watch {
    fn new(goal: usize) -> Arc<Self> {
        Arc::new(Watch {
            origin: Time::now(),
            changed: (0..WATCHED).map(|_| AtomicU64::new(0)).collect(),
            delays: Mutex::default(),
            begun: AtomicUsize::new(0),
            goal,
            reached: Notify::new(),
        })
    }

    /// An object changes now. The delay counts from the first change that no step has begun for.
    fn changes(&self, id: usize) {
        let now = self.now();
        let _ = self.changed[id - 1].compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// The first line of a step.
    fn begins(&self, id: usize) {
        let now = self.now();
        if let Some(changed) = self.changed.get(id - 1) {
            let changed = changed.swap(0, Ordering::SeqCst);
            if changed > 0 {
                let delay = Duration::from_nanos(now.saturating_sub(changed));
                self.delays.lock().unwrap_or_else(PoisonError::into_inner).push(delay);
            }
        }
        if self.begun.fetch_add(1, Ordering::SeqCst) + 1 == self.goal {
            self.reached.notify_one();
        }
    }

    fn now(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }

    /// The delays, when every change has been seen. What is not seen in time counts as if it were seen then.
    async fn delays(&self) -> Vec<f64> {
        let start = Time::now();
        let unseen = || self.changed.iter().filter(|changed| changed.load(Ordering::SeqCst) > 0).count();
        while unseen() > 0 && start.elapsed() < PATIENCE {
            tokio::time::sleep(SETTLE / 10).await;
        }
        for id in 1..=WATCHED {
            self.begins(id);
        }
        percentiles(std::mem::take(&mut *self.delays.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// How many cores' worth of processor time this process took while something went on.
struct Processor {
    start: Time,
    before: Duration,
}

impl Processor {
    fn start() -> Self {
        Processor { start: Time::now(), before: processor_time() }
    }

    /// Cores' worth since then, and microseconds for each of so many rounds.
    fn figures(&self, rounds: usize) -> [f64; 2] {
        let took = processor_time().saturating_sub(self.before);
        [took.as_secs_f64() / self.start.elapsed().as_secs_f64(), micros(took) / rounds as f64]
    }
}

/// Changes one watched object in each millisecond, and as many others as the load asks for.
async fn changes(rounds: usize, load: f64, mut change: impl FnMut(usize, bool)) {
    let mut tick = every_millisecond();
    let (mut owed, mut next) = (0.0, 0);
    for round in 0..rounds {
        tick.tick().await;
        change(round % WATCHED + 1, true);
        owed += load / 1e3;
        while owed >= 1.0 {
            owed -= 1.0;
            change(WATCHED + next + 1, false);
            next = (next + 1) % LOAD;
        }
    }
}

fn our_delays(rounds: usize, load: f64) -> Vec<f64> {
    let core = Instant::new(WATCHED + LOAD, false, Records::Kept);
    let watch = Watch::new(usize::MAX);
    runtime().block_on(async move {
        let running = Running::start(core.clone(), config(ours::UNLIMITED), our_step(watch.clone()));
        tokio::time::sleep(SETTLE).await;
        let seen = watch.clone();
        let changed = tokio::spawn(changes(rounds, load, move |id, is_watched| {
            core.edit(id);
            if is_watched {
                watch.changes(id);
            }
            core.announce(id);
        }));
        let processor = Processor::start();
        changed.await.expect("the changes end");
        let processor = processor.figures(rounds);
        let mut delays = seen.delays().await;
        delays.extend(processor);
        running.stop().await;
        delays
    })
}

fn our_step(watch: Arc<Watch>) -> impl xos_sync::SyncStep {
    Call(move |id| {
        watch.begins(id);
        ready(Ok(()))
    })
}

fn peer_delays(rounds: usize, load: f64) -> Vec<f64> {
    let watch = Watch::new(usize::MAX);
    let controller = peer(watch.clone());
    kube::runtime().block_on(async move {
        let (task, requests) = controller.spawn();
        tokio::time::sleep(SETTLE).await;
        let seen = watch.clone();
        let changed = tokio::spawn(changes(rounds, load, move |id, is_watched| {
            if is_watched {
                watch.changes(id);
            }
            requests.ask(id);
        }));
        let processor = Processor::start();
        changed.await.expect("the changes end");
        let processor = processor.figures(rounds);
        let mut delays = seen.delays().await;
        delays.extend(processor);
        kube::end(task).await;
        delays
    })
}

fn peer(watch: Arc<Watch>) -> kube::Controller {
    kube::controller(WATCHED + LOAD, kube::UNLIMITED, Duration::from_secs(60), move |id| {
        watch.begins(id);
        ready(Ok(()))
    })
}

/// How many changes a second begin their steps when all come at once.
fn our_capacity() -> f64 {
    let core = Instant::new(WATCHED + LOAD, false, Records::Kept);
    let watch = Watch::new(LOAD);
    runtime().block_on(async move {
        let running = Running::start(core.clone(), config(ours::UNLIMITED), our_step(watch.clone()));
        tokio::time::sleep(SETTLE).await;
        (1..=LOAD).for_each(|id| core.edit(WATCHED + id));
        let start = Time::now();
        (1..=LOAD).for_each(|id| core.announce(WATCHED + id));
        core.stored(LOAD).await;
        let rate = rate(LOAD, start);
        running.stop().await;
        rate
    })
}

fn peer_capacity() -> f64 {
    let watch = Watch::new(LOAD);
    let controller = peer(watch.clone());
    kube::runtime().block_on(async move {
        let (task, requests) = controller.spawn();
        tokio::time::sleep(SETTLE).await;
        let start = Time::now();
        (1..=LOAD).for_each(|id| requests.ask(WATCHED + id));
        watch.reached.notified().await;
        let rate = rate(LOAD, start);
        kube::end(task).await;
        rate
    })
}

/// The first thing of a run: whether the machine is quiet enough.
pub fn baseline(repeats: usize) -> Vec<Sample> {
    let [channel] = in_turns(repeats, [&mut || runtime().block_on(channel(500))]);
    channel
}
