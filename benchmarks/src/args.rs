//! What the command line asks for.

use clap::{Parser, ValueEnum};

/// Measures the SDK beside its peers, in one run on this machine.
#[derive(Clone, Debug, Parser)]
#[command(name = "xos-sync-benchmarks", version)]
pub struct Args {
    /// Which benchmarks; all when none is named.
    #[arg(value_enum)]
    pub benches: Vec<Bench>,
    /// One JSON object a line instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Fewer repeats, smaller sizes and shorter times: for trying, not for figures that are quoted.
    #[arg(long)]
    pub quick: bool,
    /// Print figures of a machine that is too busy too; they are marked.
    #[arg(long)]
    pub busy: bool,
}

/// A benchmark.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bench {
    /// Drain: how fast many due objects are done.
    B1,
    /// Latency: from a change to the start of its step.
    B2,
    /// Fairness: who waits while some objects change all the time.
    B3,
    /// Hung backend: how fast others are while steps hang.
    B4,
    /// Memory of an object in the queue.
    B5,
    /// End to end over the loopback network, beside kopf.
    B6,
    /// Storm: failing objects and a backend that goes away.
    B7,
    /// Planning and ordering of dependent objects.
    B8,
    /// How many writes a change costs.
    Writes,
    /// End to end on a SQLite file, beside the raw database.
    Sqlite,
    /// Cold start: listing and classifying 100,000 objects.
    Cold,
    /// Shutdown with 1,000 running steps.
    Shutdown,
}

impl Args {
    /// The benchmarks in the order in which they run.
    pub fn selected(&self) -> Vec<Bench> {
        let all = Bench::value_variants().iter().copied();
        all.filter(|bench| self.benches.is_empty() || self.benches.contains(bench)).collect()
    }

    /// How often each contender runs.
    pub fn repeats(&self) -> usize {
        if self.quick { 2 } else { 5 }
    }
}

impl Bench {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
