//! Shutdown: 1,000 steps of 100 ms run when the synchronizer is told to stop; until it has ended, all results stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant as Time};

use tokio::sync::Notify;
use xos_sync::model_client::ModelAccessor;

use crate::args::Args;
use crate::cores::{any_dirty, embedded_in_memory, embedded_on};
use crate::measure::{in_turns, millis};
use crate::ours::{Call, Running, config, runtime};
use crate::report::Row;

const STEPS: usize = 1_000;
const STEP: Duration = Duration::from_millis(100);

pub fn run(args: &Args) -> Vec<Row> {
    let [memory, file] = in_turns(
        args.repeats(),
        [&mut || drain(None), &mut || {
            let folder = tempfile::tempdir().expect("a temporary folder");
            drain(Some(&folder.path().join("shutdown.db")))
        }],
    );
    let case = |core: &str| format!("{STEPS} steps of {} ms, {core}: over the longest", STEP.as_millis());
    vec![
        Row::new(case("the core in memory"), "ms").ours(&memory[0]).at_most(150.0),
        Row::new(case("the core on a file"), "ms").ours(&file[0]).at_most(150.0),
    ]
}

/// Milliseconds from the order to stop until the end, beyond the end of the step that began last.
fn drain(file: Option<&std::path::Path>) -> Vec<f64> {
    let runtime = runtime();
    runtime.block_on(async {
        let core: Arc<dyn ModelAccessor> = match file {
            Some(file) => embedded_on(file, STEPS).await,
            None => embedded_in_memory(STEPS).await,
        };
        let (begun, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let told = all.clone();
        let step = Call(move |_| {
            if begun.fetch_add(1, Ordering::SeqCst) + 1 == STEPS {
                told.notify_one();
            }
            async {
                tokio::time::sleep(STEP).await;
                Ok(())
            }
        });
        let mut config = config(STEPS);
        config.engine.grace_period = Duration::from_secs(30);
        let running = Running::start(core.clone(), config, step);
        all.notified().await;
        let stop = Time::now();
        running.stop().await;
        let took = stop.elapsed().saturating_sub(STEP);
        assert!(!any_dirty(core.as_ref()).await, "all results were stored");
        vec![millis(took)]
    })
}
