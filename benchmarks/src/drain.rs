//! B1: how many due objects are done in a second, with a step that does nothing.
//!
//! Ours: from the start of the synchronizer until the last result is stored. That has the listing of the objects, their
//! typed conversion, and two writes for each (the claim and the result) to a core in memory that answers at once. The
//! peer: from the first poll until the last reconcile has ended, with its store filled and all requests queued before;
//! it writes nothing.

use std::future::ready;
use std::time::{Duration, Instant as Time};

use crate::args::Args;
use crate::instant::{Instant, Records};
use crate::kube;
use crate::measure::{Sample, in_turns, micros, processor_time, rate};
use crate::ours::{self, Running, config, nothing, runtime};
use crate::report::Row;
use crate::switch::Spans;

/// A run of the peer that takes longer is ended; its rate is that of what was done.
const AT_MOST: Duration = Duration::from_secs(60);

/// How many at once: its name, ours, the peer's.
const CONCURRENCIES: [(&str, usize, u16); 3] =
    [("1", 1, 1), ("16", 16, 16), ("unlimited", ours::UNLIMITED, kube::UNLIMITED)];

pub fn run(args: &Args, spans: &Spans) -> Vec<Row> {
    let sizes: &[usize] = if args.quick { &[1_000, 20_000] } else { &[1_000, 100_000, 1_000_000] };
    let mut rows = Vec::new();
    for (concurrency, ours, peer) in CONCURRENCIES {
        let mut medians = Vec::new();
        for count in sizes {
            let case = format!("{count} objects, concurrency {concurrency}");
            medians.push(drain(args, &case, *count, (ours, peer), &mut rows));
        }
        let (worst, best) = medians
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(worst, best), rate| (worst.min(*rate), best.max(*rate)));
        let case = format!("slowest size / fastest size, concurrency {concurrency}");
        rows.push(Row::new(case, "share").ours(&Sample::new(vec![worst / best])).at_least(0.5));
    }
    // Both make a span for each run; now somebody takes it.
    spans.on();
    let count = if args.quick { 20_000 } else { 100_000 };
    let case = format!("{count} objects, concurrency 16, spans taken");
    drain(args, &case, count, (16, 16), &mut rows);
    spans.off();
    rows
}

/// The rows of one case: objects a second, and the processor time of each. Our median.
fn drain(args: &Args, case: &str, count: usize, concurrency: (usize, u16), rows: &mut Vec<Row>) -> f64 {
    let [ours, peer] =
        in_turns(args.repeats(), [&mut || ours(count, concurrency.0), &mut || peer(count, concurrency.1)]);
    let row = Row::new(case, "objects/s").ours(&ours[0]).beside(kube::name(), &peer[0]);
    rows.push(row.at_least_times(3.0));
    let row = Row::new(format!("{case}: processor time"), "µs/object");
    rows.push(row.ours(&ours[1]).beside(kube::name(), &peer[1]));
    ours[0].median()
}

/// Objects in a second, and the microseconds of processor time for each.
fn ours(count: usize, concurrency: usize) -> Vec<f64> {
    let core = Instant::new(count, true, Records::Kept);
    runtime().block_on(async move {
        let clock = Clock::start();
        let running = Running::start(core.clone(), config(concurrency), nothing());
        core.stored(count).await;
        let figures = clock.figures(count);
        running.stop().await;
        figures
    })
}

/// Objects in a second, and the microseconds of processor time for each.
fn peer(count: usize, concurrency: u16) -> Vec<f64> {
    let mut controller = kube::controller(count, concurrency, Duration::from_secs(60), |_| ready(Ok(())));
    for id in 1..=count {
        controller.requests.ask(id);
    }
    let drained = async move {
        let clock = Clock::start();
        let done = controller.run(count, AT_MOST).await;
        clock.figures(done)
    };
    let runtime = kube::runtime();
    runtime.block_on(async { tokio::spawn(drained).await.expect("the run ends") })
}

/// What a run took so far.
struct Clock {
    start: Time,
    processor: Duration,
}

impl Clock {
    fn start() -> Self {
        Clock { start: Time::now(), processor: processor_time() }
    }

    fn figures(&self, count: usize) -> Vec<f64> {
        let processor = processor_time().saturating_sub(self.processor);
        vec![rate(count, self.start), micros(processor) / count as f64]
    }
}
