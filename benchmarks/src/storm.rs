//! B7: a backend that goes away while some objects always fail and some now and then.
//!
//! All objects are due when the backend is down already; it stays down for 30 s. Of the objects 1 % always fail, and 10 %
//! fail every second time. Everything is scaled down in time, the retries as well: ours are the default (5 s, doubling
//! up to 5 min, with jitter), the peer's the constant 60 s of its documentation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant as Time};

use tokio::sync::{Notify, OnceCell};
use xos_sync::prelude::*;

use crate::args::Args;
use crate::cores::embedded_in_memory;
use crate::kube;
use crate::measure::in_turns;
use crate::ours::{self, Call, Running, config, runtime};
use crate::report::Row;

pub fn run(args: &Args) -> Vec<Row> {
    let (count, scale) = if args.quick { (1_000, 30) } else { (10_000, 10) };
    let [ours, peer] = in_turns(args.repeats(), [&mut || ours(count, scale), &mut || peer(count, scale)]);
    let case = |what: &str| format!("{count} objects, time / {scale}: {what}");
    let rows = [
        ("useful calls of all calls", "%"),
        ("calls to the dead backend, per object", "calls"),
        ("recovery of all healthy ones, in seconds of the unscaled run", "s"),
        ("recovery of half of the healthy ones, unscaled", "s"),
    ];
    let row = |(at, (what, unit)): (usize, (&str, &'static str))| {
        Row::new(case(what), unit).ours(&ours[at]).beside(kube::name(), &peer[at])
    };
    rows.into_iter().enumerate().map(row).collect()
}

/// How long the backend is away, unscaled.
const AWAY: Duration = Duration::from_secs(30);

/// The longest that is waited for healthy objects after the backend is back, unscaled.
const PATIENCE: Duration = Duration::from_secs(600);

struct Backend {
    back: OnceCell<Time>,
    calls: AtomicUsize,
    dead_calls: AtomicUsize,
    useful: AtomicUsize,
    /// Calls by object after the backend came back, and the marker of its first success.
    objects: Vec<AtomicU32>,
    healthy: usize,
    done: AtomicUsize,
    half: OnceCell<Time>,
    all: Notify,
}

const DONE: u32 = 1 << 31;

impl Backend {
    fn new(count: usize) -> Arc<Self> {
        Arc::new(Backend {
            back: OnceCell::new(),
            calls: AtomicUsize::new(0),
            dead_calls: AtomicUsize::new(0),
            useful: AtomicUsize::new(0),
            objects: (0..count).map(|_| AtomicU32::new(0)).collect(),
            healthy: (1..=count).filter(|id| !is_poison(*id)).count(),
            done: AtomicUsize::new(0),
            half: OnceCell::new(),
            all: Notify::new(),
        })
    }

    /// What a step does there. `Err` is its message.
    fn call(&self, id: usize) -> Result<(), &'static str> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.back.get().is_none() {
            self.dead_calls.fetch_add(1, Ordering::SeqCst);
            return Err("503: the backend is down");
        }
        let object = &self.objects[id - 1];
        let calls = object.fetch_add(1, Ordering::SeqCst);
        if is_poison(id) {
            return Err("422: this object is never accepted");
        }
        if is_flapping(id) && calls.is_multiple_of(2) {
            return Err("500: try again");
        }
        if object.fetch_or(DONE, Ordering::SeqCst) & DONE == 0 {
            self.useful.fetch_add(1, Ordering::SeqCst);
            let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
            if done == self.healthy / 2 {
                let _ = self.half.set(Time::now());
            }
            if done == self.healthy {
                self.all.notify_one();
            }
        }
        Ok(())
    }

    /// Comes back after its time, and waits for the healthy objects. Useful calls in percent, calls to the dead backend
    /// for each object, and the recovery of all and of half in seconds, unscaled.
    async fn storm(&self, scale: u32) -> Vec<f64> {
        tokio::time::sleep(AWAY / scale).await;
        let back = Time::now();
        let _ = self.back.set(back);
        let _ = tokio::time::timeout(PATIENCE / scale, self.all.notified()).await;
        let unscaled = |end: Time| end.duration_since(back).as_secs_f64() * f64::from(scale);
        let count = |count: &AtomicUsize| count.load(Ordering::SeqCst) as f64;
        let half = self.half.get().map_or(f64::INFINITY, |half| unscaled(*half));
        let all = if self.done.load(Ordering::SeqCst) >= self.healthy {
            unscaled(Time::now())
        } else {
            f64::INFINITY
        };
        let useful = count(&self.useful) / count(&self.calls) * 100.0;
        vec![useful, count(&self.dead_calls) / self.objects.len() as f64, all, half]
    }
}

fn is_poison(id: usize) -> bool {
    id.is_multiple_of(100)
}

fn is_flapping(id: usize) -> bool {
    id % 10 == 5
}

fn ours(count: usize, scale: u32) -> Vec<f64> {
    let backend = Backend::new(count);
    runtime().block_on(async move {
        let core = embedded_in_memory(count).await;
        let mut config = config(ours::UNLIMITED);
        let engine = &mut config.engine;
        for time in [&mut engine.first_retry, &mut engine.retry_cap, &mut engine.full_scan_interval] {
            *time /= scale;
        }
        let called = backend.clone();
        let step = Call(move |id| {
            let answer = called.call(id);
            async move { answer.map_err(StepError::failed) }
        });
        let running = Running::start(core, config, step);
        let figures = backend.storm(scale).await;
        running.stop().await;
        figures
    })
}

fn peer(count: usize, scale: u32) -> Vec<f64> {
    let backend = Backend::new(count);
    kube::runtime().block_on(async move {
        let called = backend.clone();
        let retry = Duration::from_secs(60) / scale;
        let controller = kube::controller(count, kube::UNLIMITED, retry, move |id| {
            let answer = called.call(id);
            async move { answer.map_err(|_| kube::Failed) }
        });
        for id in 1..=count {
            controller.requests.ask(id);
        }
        let (task, _requests) = controller.spawn();
        let figures = backend.storm(scale).await;
        kube::end(task).await;
        figures
    })
}
