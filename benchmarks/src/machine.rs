//! The machine, the versions, and whether other programs disturb the measurements.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::measure::{Sample, percentiles};
use crate::python::Python;

/// A channel that takes longer than this from one thread to another says that the machine is too busy.
const SLOWEST_CHANNEL_US: f64 = 20.0;

/// Other programs that take a larger share of the machine than this disturb.
const OTHERS_AT_MOST: f64 = 0.1;

/// What the figures depend on, by name.
pub fn facts(python: Option<&Python>) -> Map<String, Value> {
    let first = |path: &str, name: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success());
        output.map_or_else(
            || "unknown".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let folder = env!("CARGO_MANIFEST_DIR");
    let mut facts = Map::new();
    facts.insert("date".into(), said("date", &["--utc", "+%Y-%m-%d %H:%M UTC"]).into());
    facts.insert("cpu".into(), first("/proc/cpuinfo", "model name").into());
    facts.insert("cores".into(), json!(cores()));
    facts.insert("memory".into(), first("/proc/meminfo", "MemTotal").into());
    facts.insert("kernel".into(), kernel.trim().into());
    facts.insert("rustc".into(), said("rustc", &["--version"]).into());
    facts.insert("commit".into(), said("git", &["-C", folder, "describe", "--always", "--dirty"]).into());
    for package in ["xos-sync", "xos-core", "kube-runtime", "tokio", "rusqlite"] {
        facts.insert(package.into(), locked(package).into());
    }
    for package in ["kopf", "networkx"] {
        let version = python.map_or_else(|| "not used".to_owned(), |python| python.version(package));
        facts.insert(package.into(), version.into());
    }
    facts
}

/// How many cores there are.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The version of a package that this program was built with.
pub fn locked(package: &str) -> String {
    let lock = include_str!("../Cargo.lock");
    let named = format!("name = \"{package}\"\nversion = \"");
    let version = lock.split_once(&named).and_then(|(_, rest)| rest.split_once('"'));
    version.map_or_else(|| "unknown".to_owned(), |(version, _)| version.to_owned())
}

/// From sending into a channel to receiving in another thread, 1,000 times a second: p50, p99 and p99.9 in microseconds.
///
/// The sender is a task, the receiver what `block_on` waits for: tasks could end up on one thread.
pub async fn channel(rounds: usize) -> Vec<f64> {
    let (send, mut receive) = mpsc::channel::<Instant>(1024);
    let sender = tokio::spawn(async move {
        let mut tick = every_millisecond();
        for _ in 0..rounds {
            tick.tick().await;
            if send.send(Instant::now()).await.is_err() {
                return;
            }
        }
    });
    let mut delays = Vec::with_capacity(rounds);
    while let Some(sent) = receive.recv().await {
        delays.push(sent.elapsed());
    }
    sender.await.expect("the sender ends");
    percentiles(delays)
}

/// Ticks 1,000 times a second.
pub fn every_millisecond() -> tokio::time::Interval {
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    tick
}

/// What makes this machine too busy to measure on, if anything.
pub fn busy(channel_p50: &Sample, others: f64) -> Option<String> {
    if channel_p50.median() > SLOWEST_CHANNEL_US {
        let p50 = channel_p50.median();
        return Some(format!(
            "a channel takes {p50:.0} µs from thread to thread; expected at most {SLOWEST_CHANNEL_US} µs"
        ));
    }
    disturbed(others)
}

/// What disturbed a measurement, if anything.
pub fn disturbed(others: f64) -> Option<String> {
    (others > OTHERS_AT_MOST).then(|| {
        let (others, most) = (others * 100.0, OTHERS_AT_MOST * 100.0);
        format!("other programs took {others:.0} % of the machine; expected at most {most:.0} %")
    })
}

/// Which share of the machine other programs take, from here on.
pub struct Others {
    total: f64,
    busy: f64,
    own: f64,
}

impl Others {
    /// From now on.
    pub fn watch() -> Self {
        let (total, busy) = machine_ticks();
        Others { total, busy, own: own_ticks() }
    }

    /// Their share since then, between 0 and 1. What children took counts as own once they ended.
    pub fn share(&self) -> f64 {
        let (total, busy) = machine_ticks();
        let (total, busy, own) = (total - self.total, busy - self.busy, own_ticks() - self.own);
        if total > 0.0 { ((busy - own) / total).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// The processor time of all cores so far, and how much of it was work.
fn machine_ticks() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).take(8).filter_map(|tick| tick.parse().ok()).collect();
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    let total: f64 = ticks.iter().sum();
    (total, total - idle)
}

/// The processor time of this process and its ended children so far.
fn own_ticks() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    (11..=14).filter_map(|at| fields.get(at)?.parse::<f64>().ok()).sum()
}
