//! The SDK beside its peers, in one run on this machine. See the README beside this package.
#![allow(clippy::expect_used, reason = "a benchmark that cannot run has failed")]

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use serde_json::json;

use xos_sync_benchmarks::args::{Args, Bench};
use xos_sync_benchmarks::machine::{self, Others};
use xos_sync_benchmarks::python::Python;
use xos_sync_benchmarks::report::Report;
use xos_sync_benchmarks::switch::Spans;
use xos_sync_benchmarks::{
    cold, drain, end_to_end, fairness, hung, latency, memory, planning, serving, shutdown, sqlite, storm,
    writes,
};

/// The machine is too busy.
const EXIT_BUSY: u8 = 3;

fn main() -> ExitCode {
    // A child of this program.
    let words: Vec<String> = std::env::args().collect();
    if let [_, command, count] = &words[..]
        && command == serving::COMMAND
    {
        serving::serve(count.parse().expect("how many objects"));
        return ExitCode::SUCCESS;
    }
    let args = Args::parse();
    let spans = Spans::install();
    let mut report = Report::new(args.json, args.busy);
    let others = Others::watch();
    std::thread::sleep(Duration::from_secs(1));
    let others = others.share();
    let needs_python = args.selected().iter().any(|bench| matches!(bench, Bench::B6 | Bench::B8));
    let python = needs_python.then(Python::find).flatten();
    let channel = latency::baseline(args.repeats());
    let mut facts = machine::facts(python.as_ref());
    facts.insert("channel p50".into(), json!(format!("{:.1} µs", channel[0].median())));
    facts.insert("channel p99".into(), json!(format!("{:.1} µs", channel[1].median())));
    facts.insert("others took".into(), json!(format!("{:.0} % of the machine", others * 100.0)));
    facts.insert("repeats".into(), json!(args.repeats()));
    facts.insert("quick".into(), json!(args.quick));
    let busy = machine::busy(&channel[0], others);
    facts.insert("busy".into(), json!(busy.is_some()));
    if let Some(why) = busy {
        if !args.busy {
            eprintln!(
                "this machine is too busy: {why}. Wait until it is quiet, or say --busy: then everything is marked"
            );
            return ExitCode::from(EXIT_BUSY);
        }
        eprintln!("this machine is too busy: {why}");
        report.mark_busy();
    }
    report.head("xos-sync beside its peers", &facts);
    for bench in args.selected() {
        eprintln!("{} …", bench.name());
        let others = Others::watch();
        let rows = match bench {
            Bench::B1 => drain::run(&args, &spans),
            Bench::B2 => latency::run(&args),
            Bench::B3 => fairness::run(&args),
            Bench::B4 => hung::run(&args),
            Bench::B5 => match memory::run(&args) {
                Ok(rows) => rows,
                Err(why) => {
                    report.skipped("B5", &why);
                    continue;
                }
            },
            Bench::B6 => end_to_end::run(&args, python.as_ref(), &report),
            Bench::B7 => storm::run(&args),
            Bench::B8 => planning::run(&args, python.as_ref(), &report),
            Bench::Writes => writes::run(&args),
            Bench::Sqlite => sqlite::run(&args),
            Bench::Cold => cold::run(&args),
            Bench::Shutdown => shutdown::run(&args),
        };
        report.bench(&bench.name(), &rows, others.share());
    }
    if report.end() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_BUSY) }
}
