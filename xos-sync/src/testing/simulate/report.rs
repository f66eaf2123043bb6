//! What a simulation found.

use std::fmt;
use std::time::Duration;

use super::course::Outcome;
use super::oracle::{COUNT, Oracle};
use super::replay;
use super::trouble::{KINDS, Trouble};

/// What a simulation found: how much was simulated, what went wrong in it, and which [oracles](Oracle) were violated.
#[derive(Clone, Debug, Default)]
pub struct Report {
    runs: u64,
    objects: u64,
    handlers: u64,
    least_objects: Option<u64>,
    least_troubles: Option<u64>,
    least_crashes: Option<u64>,
    checked: [u64; COUNT],
    fired: [u64; COUNT],
    troubles: [u64; KINDS],
    crash_points: Option<u64>,
    violations: Vec<Violation>,
    fingerprint: u64,
    elapsed: Duration,
}

/// Where a run can be found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A seed.
    Seed(u64),
    /// A crash at this point of the small run without other troubles.
    CrashPoint(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Seed(seed) => write!(f, "seed {seed}"),
            Place::CrashPoint(point) => write!(f, "crash point {point}"),
        }
    }
}

/// Something that must not be. Its `Display` says what, where, and the command that shows it again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The run.
    pub place: Place,
    /// What does not hold; `None` when the run could not be made at all.
    pub oracle: Option<Oracle>,
    /// What was found.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.oracle {
            Some(oracle) => writeln!(f, "{}: violated: {oracle}: {}", self.place, self.what)?,
            None => writeln!(f, "{}: {}", self.place, self.what)?,
        }
        write!(f, "again: {}", replay::command(self.place))
    }
}

impl Report {
    pub(super) fn add(&mut self, place: Place, outcome: &Outcome) {
        self.runs += 1;
        self.objects += outcome.objects as u64;
        self.handlers += outcome.handlers;
        least(&mut self.least_objects, outcome.objects as u64);
        least(&mut self.least_troubles, outcome.troubles.iter().sum());
        least(
            &mut self.least_crashes,
            outcome.troubles.get(Trouble::Crash as usize).copied().unwrap_or_default(),
        );
        add_all(&mut self.checked, &outcome.checked);
        add_all(&mut self.troubles, &outcome.troubles);
        // In any order: the threads take seeds as they come.
        self.fingerprint ^= outcome.trace;
        self.judge(place, outcome);
    }

    /// What a run found; it does not count as one.
    pub(super) fn judge(&mut self, place: Place, outcome: &Outcome) {
        for (oracle, what) in &outcome.problems {
            if let Some(fired) = self.fired.get_mut(*oracle as usize) {
                *fired += 1;
            }
            self.violations.push(Violation { place, oracle: Some(*oracle), what: what.clone() });
        }
    }

    pub(super) fn fail(&mut self, place: Place, what: String) {
        self.runs += 1;
        self.violations.push(Violation { place, oracle: None, what });
    }

    pub(super) fn join(&mut self, other: Report) {
        self.runs += other.runs;
        self.objects += other.objects;
        self.handlers += other.handlers;
        for (mine, others) in [
            (&mut self.least_objects, other.least_objects),
            (&mut self.least_troubles, other.least_troubles),
            (&mut self.least_crashes, other.least_crashes),
        ] {
            if let Some(others) = others {
                least(mine, others);
            }
        }
        add_all(&mut self.checked, &other.checked);
        add_all(&mut self.fired, &other.fired);
        add_all(&mut self.troubles, &other.troubles);
        self.fingerprint ^= other.fingerprint;
        self.violations.extend(other.violations);
        self.violations.sort_by_key(|violation| violation.place);
    }

    pub(super) fn took(&mut self, elapsed: Duration) {
        self.elapsed = elapsed;
    }

    pub(super) fn of_crash_points(&mut self, points: u64) {
        self.crash_points = Some(points);
    }

    /// Whether nothing was violated.
    pub fn is_ok(&self) -> bool {
        self.violations.is_empty()
    }

    /// What was violated, by seed.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How many runs there were, those without troubles not counted.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// How often something went wrong in this way.
    pub fn troubles(&self, kind: Trouble) -> u64 {
        self.troubles.get(kind as usize).copied().unwrap_or_default()
    }

    /// How often an oracle was asked.
    pub fn checked(&self, oracle: Oracle) -> u64 {
        self.checked.get(oracle as usize).copied().unwrap_or_default()
    }

    /// How often an oracle was violated.
    pub fn fired(&self, oracle: Oracle) -> u64 {
        self.fired.get(oracle as usize).copied().unwrap_or_default()
    }

    /// How many crash points there are, where these were gone through.
    pub fn crash_points(&self) -> Option<u64> {
        self.crash_points
    }

    /// A hash of all that happened in all runs: the same for the same seeds.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

fn least(mine: &mut Option<u64>, other: u64) {
    *mine = Some(mine.map_or(other, |mine| mine.min(other)));
}

fn add_all<const N: usize>(mine: &mut [u64; N], others: &[u64; N]) {
    for (mine, others) in mine.iter_mut().zip(others) {
        *mine += others;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let rate = self.runs as f64 / seconds.max(f64::EPSILON);
        if let Some(points) = self.crash_points {
            let mut failed: Vec<Place> = self.violations.iter().map(|violation| violation.place).collect();
            failed.dedup();
            let recovered = self.runs.saturating_sub(failed.len() as u64);
            let part = if self.runs == points { String::new() } else { format!(" (there are {points})") };
            writeln!(f, "crash points: {recovered} of {} recover{part}; {seconds:.1} s", self.runs)?;
        } else {
            let least = |least: Option<u64>| least.unwrap_or_default();
            writeln!(
                f,
                "{} seeds, {} objects (at least {} each), {} handlers called; at least {} troubles and {} crashes each; \
                 {seconds:.1} s, {rate:.1} seeds/s, fingerprint {:016x}",
                self.runs,
                self.objects,
                least(self.least_objects),
                self.handlers,
                least(self.least_troubles),
                least(self.least_crashes),
                self.fingerprint
            )?;
            for kind in Trouble::ALL {
                writeln!(f, "  {:>10} x {kind}", self.troubles(*kind))?;
            }
        }
        for oracle in Oracle::ALL {
            writeln!(
                f,
                "  {:>10} checked, {} violated: {oracle}",
                self.checked(*oracle),
                self.fired(*oracle)
            )?;
        }
        Ok(())
    }
}
