//! How fast the engine and its shell are, without a database and without steps that do anything.
//!
//! `cargo bench -p xos-sync --bench engine -- --json` prints one JSON object a line. What is not covered: a database
//! (see the bench `end_to_end`), a network, steps that wait. `--quick` leaves out the minute of idling and the largest
//! size.
#![allow(clippy::expect_used, unreachable_pub, reason = "a bench that cannot run has failed")]

#[path = "support/instant.rs"]
mod instant;
#[path = "support/pure.rs"]
mod pure;
#[path = "support/report.rs"]
mod report;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Time};

use instant::Instant;
use report::Report;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use xos_sync::prelude::*;
use xos_sync::run_on;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A step that does nothing; the first line of it takes the time when somebody wants to know.
#[derive(Clone, Default)]
struct Nothing {
    started: Option<Arc<Mutex<Vec<Time>>>>,
}

impl SyncStep for Nothing {
    type Model = Site;

    async fn sync_record(&self, _ctx: &Context, _o: &mut Site) -> StepResult {
        if let Some(started) = &self.started {
            started.lock().unwrap_or_else(PoisonError::into_inner).push(Time::now());
        }
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
        Ok(())
    }
}

fn main() {
    let report = Report::from_args();
    let sizes: &[usize] = if report.quick { &[1_000, 100_000] } else { &[1_000, 100_000, 1_000_000] };
    if report.wants("engine_with_shell") {
        with_shell(&report, "engine_with_shell", sizes);
    }
    if report.wants("engine_bare") {
        for count in sizes {
            pure::throughput(&report, *count);
        }
    }
    if report.wants("plan_chains") {
        pure::planning(&report);
    }
    if report.wants("memory_per_dirty_object") {
        pure::memory(&report, ALLOCATOR);
    }
    if report.wants("change_to_step") {
        latency(&report);
    }
    if report.wants("idle_cpu") && !report.quick {
        idle(&report);
    }
    // Last, because a subscriber stays.
    if report.wants("engine_with_shell_and_subscriber") {
        let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO);
        tracing::subscriber::set_global_default(subscriber).expect("the first subscriber");
        with_shell(&report, "engine_with_shell_and_subscriber", sizes);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Objects in a second, the median of five, and the processor time that each took.
fn with_shell(report: &Report, bench: &str, sizes: &[usize]) {
    for count in sizes {
        let mut runs: Vec<(f64, f64)> = (0..5).map(|_| throughput(*count)).collect();
        runs.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (rate, cpu) = runs[2];
        report.line(bench, *count, &[("objects_per_second", rate.round()), ("cpu_us_per_object", cpu)]);
    }
}

/// Dirty objects synchronized in a second, from the start of the synchronizer to the last "OK" stored.
fn throughput(count: usize) -> (f64, f64) {
    let accessor = Instant::new(count, true);
    runtime().block_on(async move {
        let goal = accessor.clone();
        let (start, cpu) = (Time::now(), report::cpu_time());
        let stop = async move { goal.stored(count).await };
        let service = Synchronizer::new("bench").sync_step(Nothing::default());
        let run = tokio::spawn(run_on(accessor, Config::in_memory(), service, stop));
        run.await.expect("the run ends").expect("the run succeeds");
        let cpu = (report::cpu_time() - cpu) * 1e6 / count as f64;
        (count as f64 / start.elapsed().as_secs_f64(), cpu)
    })
}

/// From a change entering the feed to the first line of the step, on an idle engine.
fn latency(report: &Report) {
    let accessor = Instant::new(1_000, false);
    let started = Arc::new(Mutex::new(Vec::new()));
    let step = Nothing { started: Some(started.clone()) };
    runtime().block_on(async move {
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let service = Synchronizer::new("bench").sync_step(step);
        let stop_when = async move {
            let _ = ended.await;
        };
        let run = tokio::spawn(run_on(accessor.clone(), Config::in_memory(), service, stop_when));
        tokio::time::sleep(Duration::from_millis(200)).await;
        // From a task, as the feed of a core does; and from another thread, which has to wake a worker first.
        let from_task =
            tokio::spawn(changes(accessor.clone(), started.clone())).await.expect("the changes end");
        report.latency("change_to_step", &from_task);
        report.latency("change_to_step_from_another_thread", &changes(accessor, started).await);
        let _ = end.send(());
        run.await.expect("the run ends").expect("the run succeeds");
    });
}

/// Changes objects one after the other; how long each took until the first line of its step, sorted.
async fn changes(accessor: Arc<Instant>, started: Arc<Mutex<Vec<Time>>>) -> Vec<Duration> {
    let mut delays = Vec::new();
    for round in 0..2_000 {
        let changed = Time::now();
        accessor.change(round % 1_000 + 1);
        tokio::time::sleep(Duration::from_millis(1)).await;
        if let Some(first) = started.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            delays.push(first.saturating_duration_since(changed));
        }
    }
    delays.sort();
    delays
}

/// The share of one core that a synchronizer with nothing to do takes.
fn idle(report: &Report) {
    let accessor = Instant::new(100_000, false);
    runtime().block_on(async move {
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let service = Synchronizer::new("bench").sync_step(Nothing::default());
        let stop_when = async move {
            let _ = ended.await;
        };
        let run = tokio::spawn(run_on(accessor, Config::in_memory(), service, stop_when));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = report::cpu_time();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let share = (report::cpu_time() - before) / 60.0;
        let _ = end.send(());
        run.await.expect("the run ends").expect("the run succeeds");
        report.line("idle_cpu", 100_000, &[("share_of_a_core", share)]);
    });
}
