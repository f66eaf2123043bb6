//! Repeating, and what is made of the repeats.

use std::time::{Duration, Instant};

/// The figures of some runs of one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// Of these figures, one a run.
    pub fn new(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        Sample(figures)
    }

    /// The middle one; of two the mean.
    pub fn median(&self) -> f64 {
        let (count, figures) = (self.0.len(), &self.0);
        match count {
            0 => f64::NAN,
            _ if count % 2 == 1 => figures[count / 2],
            _ => f64::midpoint(figures[count / 2 - 1], figures[count / 2]),
        }
    }

    /// The smallest.
    pub fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    /// The largest.
    pub fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// How many runs.
    pub fn runs(&self) -> usize {
        self.0.len()
    }
}

/// One run of a contender: its figures, always the same ones in the same order.
pub type Contender<'c> = &'c mut dyn FnMut() -> Vec<f64>;

/// Runs all contenders in turns, so that what the machine does meanwhile meets all of them. For each contender a sample
/// of each of its figures.
pub fn in_turns<const N: usize>(repeats: usize, mut contenders: [Contender<'_>; N]) -> [Vec<Sample>; N] {
    let mut figures: [Vec<Vec<f64>>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..repeats {
        for (contender, figures) in contenders.iter_mut().zip(&mut figures) {
            for (at, figure) in contender().into_iter().enumerate() {
                if figures.len() <= at {
                    figures.push(Vec::new());
                }
                figures[at].push(figure);
            }
        }
    }
    figures.map(|figures| figures.into_iter().map(Sample::new).collect())
}

/// The 50th, 99th and 99.9th percentile in microseconds.
pub fn percentiles(mut delays: Vec<Duration>) -> Vec<f64> {
    delays.sort();
    let at = |share: f64| {
        let place = (delays.len() as f64 * share) as usize;
        delays.get(place.min(delays.len().saturating_sub(1))).map_or(f64::NAN, |delay| micros(*delay))
    };
    vec![at(0.5), at(0.99), at(0.999)]
}

/// In microseconds.
pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// In milliseconds.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// How many a second, since then.
pub fn rate(count: usize, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}

/// The processor time of all threads of this process that still run, so far.
pub fn processor_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let spent = tasks.filter_map(|task| {
        let times = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        times.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

/// The memory of this process now, in bytes.
pub fn resident() -> f64 {
    kib("VmRSS:") * 1024.0
}

/// The most memory that this process had since its peak was reset, in bytes.
pub fn peak() -> f64 {
    kib("VmHWM:") * 1024.0
}

fn kib(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(f64::NAN)
}
