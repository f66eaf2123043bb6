//! The log lines about pull steps. Those of the Python framework keep their text.
//!
//! | when | line | keys |
//! |---|---|---|
//! | start | `Loading pull steps`, `Loaded pull steps` | `steps` |
//! | start | `Starting XOSPullStepEngine` | |
//! | run | `Starting pull step`, `Done with pull step` | `step` |
//! | failure | `pull step failed!` | `e`, `step`, `failures`, `retry_seconds` |

use std::time::Duration;

use tracing::{debug, error, info};

use crate::step::StepError;

/// Which steps there are.
pub(crate) fn engine(steps: &[&str]) {
    if steps.is_empty() {
        info!("Skipping pull step engine due to no pull_steps_dir dir.");
        return;
    }
    info!("Loading pull steps");
    info!(steps = format!("[{}]", steps.join(", ")), "Loaded pull steps");
    info!("Starting XOSPullStepEngine");
}

pub(super) fn started() {
    debug!("Starting pull step");
}

pub(super) fn done() {
    debug!("Done with pull step");
}

/// The stream of a watch step ended.
pub(super) fn ended() {
    info!("the backend ended its stream; watching again");
}

/// What was said about the failures of a step: each text once, until it works again.
#[derive(Default)]
pub(super) struct Told {
    text: String,
    is_failing: bool,
}

impl Told {
    pub(super) fn failed(&mut self, e: &StepError, failures: u32, rest: Duration) {
        let (e, retry_seconds) = (e.chain(), rest.as_secs_f64());
        if self.text == e {
            debug!(e, failures, retry_seconds, "pull step failed!");
        } else {
            error!(e, failures, retry_seconds, "pull step failed!");
            self.text = e;
        }
        self.is_failing = true;
    }

    /// It is too early, or there was nothing to do.
    pub(super) fn not_now(&mut self, e: &StepError) {
        let e = e.chain();
        if self.text != e {
            info!(e, "pull step deferred");
            self.text = e;
        }
    }

    pub(super) fn works(&mut self) {
        if self.is_failing {
            info!("the pull step works again");
        }
        *self = Told::default();
    }
}
