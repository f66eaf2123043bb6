//! B6: end to end over the loopback network: a synchronizer and a core in two processes, beside an operator of kopf and an
//! API in two processes.
//!
//! First all objects are new. Then all are edited at once; then one after the other, 50 a second. Our clock stops when the
//! last result is stored in the core, kopf's when its last handler was called.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use xos_sync::config::AccessorKind;
use xos_sync::prelude::*;
use xos_sync::run_until;

use crate::args::Args;
use crate::measure::{Sample, in_turns};
use crate::ours::runtime;
use crate::python::Python;
use crate::report::{Report, Row};
use crate::serving::{PASSWORD, Served, USER, micros_now};

/// How long lies between two single edits.
const GAP: Duration = Duration::from_millis(20);

/// How often a core that does not push is asked for changes: the default, and a shorter one.
const POLLS: [(&str, Duration); 2] =
    [("asked every 5 s", Duration::from_secs(5)), ("asked every 100 ms", Duration::from_millis(100))];

pub fn run(args: &Args, python: Option<&Python>, report: &Report) -> Vec<Row> {
    let (count, single) = if args.quick { (300, 100) } else { (1_000, 500) };
    if python.is_none() {
        report.skipped("B6 beside kopf", &Python::how_to_install());
    }
    let mut kopf = || python.map_or_else(Vec::new, |python| kopf(python, count, single));
    let [default, short, kopf] = in_turns(
        args.repeats(),
        [&mut || ours(count, single, POLLS[0].1), &mut || ours(count, single, POLLS[1].1), &mut kopf],
    );
    let peer = python.map(|python| format!("kopf {}", python.version("kopf")));
    let mut rows = Vec::new();
    for (ours, (polled, _)) in [(&default, POLLS[0]), (&short, POLLS[1])] {
        let row = |at: usize, what: &str, unit| {
            let row = Row::new(format!("{count} objects, core {polled}: {what}"), unit).ours(&ours[at]);
            match (&peer, kopf.get(at)) {
                (Some(peer), Some(sample)) => row.beside(peer.clone(), sample),
                _ => row,
            }
        };
        rows.extend([
            row(0, "start to all in step", "s"),
            row(1, "writes per new object", "writes").exactly(2.0),
            row(2, "burst of edits to all in step", "s"),
            row(3, "writes per edit", "writes").exactly(1.0),
            row(4, "one edit to its step, p50", "ms"),
            row(5, "one edit to its step, p99", "ms"),
        ]);
        let rate = |at: usize| per_second(&ours[at], count);
        let mut burst =
            Row::new(format!("{count} objects, core {polled}: edits done in a burst"), "changes/s");
        burst = burst.ours(&rate(2));
        if let (Some(peer), Some(seconds)) = (&peer, kopf.get(2)) {
            burst = burst.beside(peer.clone(), &per_second(seconds, count));
        }
        rows.push(burst);
    }
    rows
}

fn per_second(seconds: &Sample, count: usize) -> Sample {
    Sample::new(
        [seconds.min(), seconds.median(), seconds.max()].map(|seconds| count as f64 / seconds).to_vec(),
    )
}

fn kopf(python: &Python, count: usize, single: usize) -> Vec<f64> {
    let mut api = python.start("kopf/api.py", &[&count.to_string()]);
    let port = api.line();
    let gap = GAP.as_secs_f64().to_string();
    let args = [port, count.to_string(), single.to_string(), gap];
    let figures = python.start("kopf/run.py", &args.each_ref().map(String::as_str)).line();
    figures.split_whitespace().map(|figure| figure.parse().expect("a number")).collect()
}

fn ours(count: usize, single: usize, poll: Duration) -> Vec<f64> {
    let mut core = Served::start(count);
    let runtime = runtime();
    let changes = |core: &mut Served| core.ask("changes").parse::<usize>().expect("a number");
    let mut config = Config::default();
    config.accessor.kind = AccessorKind::Grpcapi;
    config.accessor.endpoint = Some(core.endpoint.clone());
    config.accessor.username = Some(USER.to_owned());
    config.accessor.password = Some(PASSWORD.to_owned().into());
    config.engine.poll_interval = poll;
    config.engine.grace_period = Duration::ZERO;
    let delays = Arc::new(Mutex::new(Vec::new()));
    let step = Late(delays.clone());
    let before = changes(&mut core);

    let start = Instant::now();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move {
        let _ = stopped.await;
    };
    let service = Synchronizer::new("bench").sync_step(step);
    let run = runtime.spawn(run_until(config, service, stopped));
    core.ask("settle");
    let first = start.elapsed().as_secs_f64();
    let synced = changes(&mut core);
    let first_writes = (synced - before) as f64 / count as f64;

    let start = Instant::now();
    core.ask(&format!("edit {count} 0"));
    core.ask("settle");
    let burst = start.elapsed().as_secs_f64();
    let edited = changes(&mut core);
    let burst_writes = (edited - synced - count) as f64 / count as f64;

    taken(&delays);
    core.ask(&format!("edit {single} {}", GAP.as_micros()));
    core.ask("settle");
    let mut delays = taken(&delays);
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays.get((delays.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    let _ = stop.send(());
    runtime.block_on(run).expect("the run ends").expect("it ends well");
    vec![first, first_writes, burst, burst_writes, at(0.5), at(0.99)]
}

fn taken(delays: &Mutex<Vec<f64>>) -> Vec<f64> {
    std::mem::take(&mut *delays.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A step that notes how many milliseconds ago its object was edited.
struct Late(Arc<Mutex<Vec<f64>>>);

impl SyncStep for Late {
    type Model = Site;

    async fn sync_record(&self, _ctx: &Context, o: &mut Site) -> StepResult {
        let edited = o.abbreviated_name.split(' ').next().and_then(|micros| micros.parse::<u64>().ok());
        if let Some(edited) = edited {
            let late = micros_now().saturating_sub(edited) as f64 / 1e3;
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(late);
        }
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
        Ok(())
    }
}
