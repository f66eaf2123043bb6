//! What steps say, and when: shared by the programs of tests that play in virtual time.
#![allow(dead_code, reason = "not every program of tests needs all of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

/// What happened, and when.
#[derive(Clone)]
pub(crate) struct Log {
    start: Instant,
    entries: Arc<Mutex<Vec<(Duration, String)>>>,
}

impl Log {
    /// Nothing yet; time begins now.
    pub(crate) fn new() -> Self {
        Log { start: Instant::now(), entries: Arc::default() }
    }

    pub(crate) fn say(&self, text: impl Into<String>) {
        self.entries.lock().unwrap().push((self.start.elapsed(), text.into()));
    }

    /// All that was said.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.entries.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    /// When this was said.
    pub(crate) fn times(&self, text: &str) -> Vec<Duration> {
        self.entries.lock().unwrap().iter().filter(|(_, line)| line == text).map(|(time, _)| *time).collect()
    }

    /// How long it took from each time this was said to the next.
    pub(crate) fn delays(&self, text: &str) -> Vec<Duration> {
        self.times(text).windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect()
    }

    /// The same, in seconds.
    pub(crate) fn seconds(&self, text: &str) -> Vec<f64> {
        self.delays(text).iter().map(Duration::as_secs_f64).collect()
    }

    /// The same, in whole seconds.
    pub(crate) fn delay_seconds(&self, text: &str) -> Vec<u64> {
        self.delays(text).iter().map(Duration::as_secs).collect()
    }

    /// How often this was said.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.times(text).len()
    }

    pub(crate) fn clear(&self) {
        self.entries.lock().unwrap().clear();
    }
}
