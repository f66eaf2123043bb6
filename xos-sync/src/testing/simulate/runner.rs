//! Many runs, one after the other on each thread.

use std::any::Any;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::course::{Fate, Outcome, Subject, Workload, live};
use super::ends::End;
use super::report::{Place, Report};

/// How many seeds have their workload in common: the run without troubles is made once for all of them.
const SAME_WORKLOAD: u64 = 16;

/// How often a long run tells how far it has come.
const TELL: Duration = Duration::from_secs(30);

/// How many runs are made, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) threads: usize,
    /// Whether all runs are made, though one failed.
    pub(super) to_the_end: bool,
}

/// One run, in a runtime of its own whose time is virtual.
pub(super) fn run(
    subject: &Subject,
    workload: &Workload,
    fate: Fate,
    expected: Option<&End>,
) -> Result<Outcome, String> {
    let made = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = made.map_err(|error| format!("there is no runtime: {error}"))?;
    let run = AssertUnwindSafe(|| runtime.block_on(live(subject, workload, fate, expected)));
    catch_unwind(run)
        .unwrap_or_else(|panic| Err(format!("it panicked: {}", super::panic_text(panic.as_ref()))))
}

/// Runs these seeds.
pub(super) fn run_seeds(subject: &Subject, seeds: std::ops::Range<u64>, extent: Extent) -> Report {
    let groups = seeds.start / SAME_WORKLOAD..seeds.end.div_ceil(SAME_WORKLOAD);
    in_threads(groups, extent, seeds.end - seeds.start.min(seeds.end), |group, report, may_go_on| {
        let first = (group * SAME_WORKLOAD).max(seeds.start);
        let end = ((group + 1) * SAME_WORKLOAD).min(seeds.end);
        let random = if subject.client.is_some() { Workload::Client(group) } else { Workload::Random(group) };
        let Some(calm) = reference(subject, &random, Place::Seed(first), report) else { return };
        let again = match random {
            Workload::Client(_) => random,
            _ => Workload::Again(calm.script.clone()),
        };
        for seed in first..end {
            if !may_go_on(report) {
                return;
            }
            match run(subject, &again, Fate::Rough(seed), Some(&calm.end)) {
                Ok(outcome) => report.add(Place::Seed(seed), &outcome),
                Err(problem) => report.fail(Place::Seed(seed), problem),
            }
        }
    })
}

/// Runs the small workload once for each point where the program may die, dying there.
pub(super) fn run_crash_points(subject: &Subject, only: Option<u64>, extent: Extent) -> Report {
    let mut before = Report::default();
    let small = if subject.client.is_some() { Workload::Client(0) } else { Workload::Each };
    let Some(calm) = reference(subject, &small, Place::CrashPoint(0), &mut before) else {
        return before;
    };
    let again = match small {
        Workload::Client(_) => small,
        _ => Workload::Again(calm.script.clone()),
    };
    let points = only.map_or(0..calm.points, |only| only..only.saturating_add(1));
    let count = points.end - points.start;
    let mut report = in_threads(points, extent, count, |point, report, may_go_on| {
        if !may_go_on(report) {
            return;
        }
        match run(subject, &again, Fate::CrashAt(point), Some(&calm.end)) {
            Ok(outcome) => report.add(Place::CrashPoint(point), &outcome),
            Err(problem) => report.fail(Place::CrashPoint(point), problem),
        }
    });
    report.of_crash_points(calm.points);
    report
}

/// The run without troubles.
fn reference(subject: &Subject, workload: &Workload, place: Place, report: &mut Report) -> Option<Outcome> {
    match run(subject, workload, Fate::Calm, None) {
        Ok(outcome) => {
            report.judge(place, &outcome);
            outcome.problems.is_empty().then_some(outcome)
        }
        Err(problem) => {
            report.fail(place, format!("without any trouble: {problem}"));
            None
        }
    }
}

/// Does this for each number, on so many threads.
fn in_threads(
    numbers: std::ops::Range<u64>,
    extent: Extent,
    total: u64,
    each: impl Fn(u64, &mut Report, &dyn Fn(&Report) -> bool) + Sync,
) -> Report {
    let begun = Instant::now();
    let next = AtomicU64::new(numbers.start);
    let failed = AtomicBool::new(false);
    let whole = Mutex::new(Report::default());
    let told = Mutex::new(Instant::now());
    let name = thread::current().name().unwrap_or("simulation").to_owned();
    let join = |report: Report| {
        let mut whole = whole.lock().unwrap_or_else(PoisonError::into_inner);
        whole.join(report);
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() > TELL {
            *told = Instant::now();
            let rate = whole.runs() as f64 / begun.elapsed().as_secs_f64();
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr(), "{} of {total} runs, {rate:.1}/s", whole.runs());
        }
    };
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end || (failed.load(Ordering::Relaxed) && !extent.to_the_end) {
                return;
            }
            let mut report = Report::default();
            each(number, &mut report, &|report| {
                extent.to_the_end || (report.is_ok() && !failed.load(Ordering::Relaxed))
            });
            failed.fetch_or(!report.is_ok(), Ordering::Relaxed);
            join(report);
        }
    };
    thread::scope(|scope| {
        for _ in 0..extent.threads.max(1) {
            // Named like the test: its replay command is made there too.
            let thread = thread::Builder::new().name(name.clone()).spawn_scoped(scope, work);
            if thread.is_err() {
                work();
            }
        }
    });
    let mut whole = whole.into_inner().unwrap_or_else(PoisonError::into_inner);
    whole.took(begun.elapsed());
    whole
}

/// How many threads there are processors for.
pub(super) fn processors() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
