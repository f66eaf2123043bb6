//! Cold start: from the start of a synchronizer until it has listed and classified 100,000 dirty objects.
//!
//! The clock stops when the last object was read, converted and asked about by `selects`; the one step that may run hangs,
//! so that nothing is written meanwhile.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant as Time;

use tokio::sync::Notify;
use xos_sync::model_client::ModelAccessor;
use xos_sync::prelude::*;

use crate::args::Args;
use crate::cores::{embedded_in_memory, embedded_on};
use crate::instant::{Instant, Records};
use crate::measure::{in_turns, millis, processor_time};
use crate::ours::{Running, config, runtime};
use crate::report::Row;

pub fn run(args: &Args) -> Vec<Row> {
    let count = if args.quick { 20_000 } else { 100_000 };
    let runtime = runtime();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = runtime.block_on(embedded_in_memory(count));
    let file: Arc<dyn ModelAccessor> = runtime.block_on(embedded_on(&folder.path().join("cold.db"), count));
    let instant: Arc<dyn ModelAccessor> = Instant::new(count, true, Records::Kept);
    let [memory, file, instant] = in_turns(
        args.repeats(),
        [
            &mut || runtime.block_on(cold(&memory, count)),
            &mut || runtime.block_on(cold(&file, count)),
            &mut || runtime.block_on(cold(&instant, count)),
        ],
    );
    let row = |core: &str| Row::new(format!("{count} objects, {core}"), "ms");
    let processor = |core: &str| Row::new(format!("{count} objects, {core}: processor time"), "ms");
    let (in_memory, on_file, at_once) =
        ("the embedded core in memory", "the embedded core on a file", "a core that answers at once");
    vec![
        // A quick run lists fewer, and may take as much less.
        row(in_memory).ours(&memory[0]).at_most(300.0 * count as f64 / 1e5),
        processor(in_memory).ours(&memory[1]),
        row(on_file).ours(&file[0]),
        row(at_once).ours(&instant[0]),
        processor(at_once).ours(&instant[1]),
    ]
}

async fn cold(core: &Arc<dyn ModelAccessor>, count: usize) -> Vec<f64> {
    let (step, all) = Listed::new(count);
    let (start, before) = (Time::now(), processor_time());
    let running = Running::start(core.clone(), config(1), step);
    all.notified().await;
    let took = millis(start.elapsed());
    let processor = millis(processor_time().saturating_sub(before));
    running.stop().await;
    vec![took, processor]
}

/// A step that counts what it is asked about, and never returns.
pub struct Listed {
    asked: AtomicUsize,
    count: usize,
    all: Arc<Notify>,
}

impl Listed {
    /// Tells when it was asked about so many.
    pub fn new(count: usize) -> (Self, Arc<Notify>) {
        let all = Arc::new(Notify::new());
        (Listed { asked: AtomicUsize::new(0), count, all: all.clone() }, all)
    }
}

impl SyncStep for Listed {
    type Model = Site;

    async fn sync_record(&self, _ctx: &Context, _o: &mut Site) -> StepResult {
        pending().await
    }

    async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
        Ok(())
    }

    fn selects(&self, _o: &Site) -> bool {
        if self.asked.fetch_add(1, Ordering::SeqCst) + 1 == self.count {
            self.all.notify_one();
        }
        true
    }
}
