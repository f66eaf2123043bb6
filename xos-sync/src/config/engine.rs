//! How the engine runs steps: the section `engine`.

use std::time::Duration;

/// How the engine runs steps: limits, retries, re-scans and shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Engine {
    /// How many objects are worked on at the same time.
    pub concurrency: usize,
    /// How long one step may take; then it is cancelled and counts as failed.
    pub step_deadline: Duration,
    /// Wait before the second attempt of a failed step; each further wait is longer.
    pub first_retry: Duration,
    /// Longest wait between two attempts of a failed step.
    pub retry_cap: Duration,
    /// Wait before a deferred step runs again.
    pub deferred_retry: Duration,
    /// How often all objects are read again, behind the change feed.
    pub full_scan_interval: Duration,
    /// How long running steps may go on after the program was told to stop.
    pub grace_period: Duration,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            concurrency: 64,
            step_deadline: Duration::from_secs(10 * 60),
            first_retry: Duration::from_secs(5),
            retry_cap: Duration::from_secs(5 * 60),
            deferred_retry: Duration::from_secs(60),
            full_scan_interval: Duration::from_secs(5 * 60),
            grace_period: Duration::from_secs(30),
        }
    }
}
