//! What one contender takes for its objects, in a process of its own with an allocator that counts: for B5.
//!
//! `memory engine|ours|peer COUNT` prints, for each object: bytes allocated, resident bytes, and the largest resident
//! size on the way there.
#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark that cannot run has failed")]

use std::alloc::System;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::sync::Notify;
use xos_sync_benchmarks::cold::Listed;
use xos_sync_benchmarks::instant::{Instant, Records};
use xos_sync_benchmarks::kube;
use xos_sync_benchmarks::measure::{peak, resident};
use xos_sync_benchmarks::ours::{Running, config, runtime};
use xos_sync_benchmarks::planner::{Planner, single};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How long a contender has to put the last object where it belongs.
const SETTLE: Duration = Duration::from_millis(500);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let count: usize =
        args.get(2).and_then(|count| count.parse().ok()).expect("memory engine|ours|peer COUNT");
    match args.get(1).map(String::as_str) {
        Some("engine") => engine(count),
        Some("ours") => ours(count),
        Some("peer") => peer(count),
        _ => panic!("expected: memory engine|ours|peer COUNT"),
    }
}

/// What is in use from here on.
struct Meter {
    region: Region<'static, System>,
    resident: f64,
}

impl Meter {
    fn start() -> Self {
        // From here on the kernel counts the peak anew.
        std::fs::write("/proc/self/clear_refs", "5").expect("/proc");
        Meter { region: Region::new(ALLOCATOR), resident: resident() }
    }

    /// Said for each of so many objects.
    fn print(&self, count: usize) {
        let change = self.region.change();
        let allocated = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
        let each = |bytes: f64| bytes / count as f64;
        println!("{} {} {}", each(allocated), each(resident() - self.resident), each(peak() - self.resident));
    }
}

/// The bare engine with all objects queued.
fn engine(count: usize) {
    let objects = single(count);
    let mut planner = Planner::new(1);
    let meter = Meter::start();
    planner.scan(&objects);
    planner.forget_actions();
    meter.print(count);
    assert!(planner.at_hand() == count, "all are queued: {} of {count}", planner.at_hand());
}

/// A whole synchronizer with all objects queued behind a step that hangs; the records are its own.
fn ours(count: usize) {
    let core = Instant::new(count, true, Records::Made);
    let runtime = runtime();
    let meter = Meter::start();
    runtime.block_on(async {
        let (step, all) = Listed::new(count);
        let running = Running::start(core, config(1), step);
        all.notified().await;
        tokio::time::sleep(SETTLE).await;
        meter.print(count);
        running.stop().await;
    });
}

/// The peer's store, with all objects queued behind a reconcile that hangs.
fn peer(count: usize) {
    let runtime = runtime();
    let meter = Meter::start();
    runtime.block_on(async {
        let begun = Arc::new(Notify::new());
        let began = begun.clone();
        let controller = kube::controller(count, 1, Duration::from_secs(60), move |_| {
            began.notify_one();
            pending::<Result<(), kube::Failed>>()
        });
        for id in 1..=count {
            controller.requests.ask(id);
        }
        let (task, _requests) = controller.spawn();
        begun.notified().await;
        // Requests go into its queue as it is polled.
        let mut last = f64::NAN;
        while (resident() - last).abs() > 4096.0 || last.is_nan() {
            last = resident();
            tokio::time::sleep(SETTLE).await;
        }
        meter.print(count);
        kube::end(task).await;
    });
}
