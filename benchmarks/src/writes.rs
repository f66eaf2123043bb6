//! Writes: how many writes of the engine a change costs, counted through the accessor. Writes are what limits a
//! synchronizer against a real core, not its engine.

use std::time::Duration;

use xos_sync::model_client::Caller;
use xos_sync::prelude::*;

use crate::args::Args;
use crate::cores::{create, edit};
use crate::measure::{Sample, in_turns};
use crate::ours::{Running, config, nothing, runtime};
use crate::report::Row;

const OBJECTS: usize = 100;

pub fn run(args: &Args) -> Vec<Row> {
    let [ours] = in_turns(args.repeats(), [&mut writes]);
    let cases = [
        ("first sync", 2.0),
        ("later change", 1.0),
        ("restart with nothing to do", 0.0),
        ("re-scan with nothing to do", 0.0),
    ];
    let row = |((case, target), sample): ((&str, f64), &Sample)| {
        Row::new(case, "writes/object").ours(sample).exactly(target)
    };
    cases.into_iter().zip(&ours).map(row).collect()
}

fn writes() -> Vec<f64> {
    runtime().block_on(async {
        let core = MockAccessor::new();
        create(core.accessor().as_ref(), OBJECTS).await;
        let first = once(&core).await;
        let ids: Vec<usize> = (1..=OBJECTS).collect();
        edit(core.accessor().as_ref(), &ids, "edited").await;
        let later = once(&core).await;
        let restart = once(&core).await;
        vec![first, later, restart, scans(&core).await]
    })
}

/// Runs until nothing is ready.
async fn once(core: &MockAccessor) -> f64 {
    core.journal().clear();
    let mut config = config(64);
    config.once = true;
    Running::start(core.accessor(), config, nothing()).ended().await;
    of_the_engine(core)
}

/// Runs through some full scans.
async fn scans(core: &MockAccessor) -> f64 {
    core.journal().clear();
    let mut config = config(64);
    config.engine.full_scan_interval = Duration::from_millis(20);
    let running = Running::start(core.accessor(), config, nothing());
    tokio::time::sleep(Duration::from_millis(500)).await;
    running.stop().await;
    let lists = core.journal().entries().iter().filter(|entry| !entry.call.is_write()).count();
    assert!(lists > 5, "it scanned again: {lists} lists");
    of_the_engine(core)
}

/// Its writes so far, for each object.
fn of_the_engine(core: &MockAccessor) -> f64 {
    let writes = core.journal().writes();
    writes.iter().filter(|entry| entry.by == Caller::Engine).count() as f64 / OBJECTS as f64
}
