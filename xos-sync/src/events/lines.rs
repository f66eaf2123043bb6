//! The log lines about events. Those of the Python framework keep their text.
//!
//! | when | line | keys |
//! |---|---|---|
//! | start | `Starting XOSEventEngine` | `steps` |
//! | start | `Waiting for events` | `topic`, `pattern`, `step` |
//! | event | `Processing event` | `step`, `topic`, `partition`, `offset` |
//! | failure | `Exception in event step` | `e`, `attempt`, `step`, `topic`, `partition`, `offset` |

use std::time::Duration;

use tracing::{debug, error, info, warn};

use crate::bus::{BusError, Topics};
use crate::step::StepError;

/// Which steps there are.
pub(crate) fn engine(steps: &[&str]) {
    if steps.is_empty() {
        info!("Skipping event engine due to no event_steps dir.");
    } else {
        info!(steps = format!("[{}]", steps.join(", ")), "Starting XOSEventEngine");
    }
}

/// A step is subscribed.
pub(super) fn waiting(topics: &Topics, bus: &str, step: &str) {
    let (topic, pattern) = match topics {
        Topics::Named(names) => (Some(names.join(", ")), None),
        Topics::Pattern(pattern) => (None, Some(pattern.as_str())),
    };
    info!(topic, pattern, step, bus, "Waiting for events");
}

/// A step is given an event.
pub(super) fn processing() {
    debug!("Processing event");
}

/// It failed and is tried again.
pub(super) fn failed(e: &StepError, attempt: u32, rest: Duration, is_parked: bool) {
    let (e, retry_seconds) = (e.chain(), rest.as_secs_f64());
    if is_parked {
        error!(
            e,
            attempt,
            retry_seconds,
            "Exception in event step; the event is parked, and what is behind it waits"
        );
    } else {
        error!(e, attempt, retry_seconds, "Exception in event step");
    }
}

/// It is too early, and tried again.
pub(super) fn deferred(e: &StepError, rest: Duration) {
    info!(e = e.chain(), retry_seconds = rest.as_secs_f64(), "event step deferred an event");
}

/// It is not tried again.
pub(super) fn given_up(e: &StepError, attempt: u32, dead_letter_topic: Option<&str>) {
    let e = e.chain();
    match dead_letter_topic {
        Some(topic) => {
            error!(
                e,
                attempt,
                dead_letter_topic = topic,
                "Exception in event step; the event is a dead letter"
            );
        }
        None => error!(e, attempt, "Exception in event step; the event is left out"),
    }
}

/// The grace period is over.
pub(super) fn dropped(step: &str, events: usize) {
    warn!(
        step,
        events,
        "the grace period is over: events that are still worked on are dropped; they come again where the bus \
                 survives"
    );
}

/// What was said about the bus: an absence is said once, not each second.
#[derive(Default)]
pub(super) struct BusLines {
    is_away: bool,
    told: String,
}

impl BusLines {
    pub(super) fn failed(&mut self, error: &BusError, step: &str) {
        let text = error.to_string();
        if matches!(error, BusError::Away { .. }) {
            if !self.is_away {
                warn!(e = text, step, "No brokers available; waiting for the event bus");
            }
            self.is_away = true;
        } else if self.told != text {
            error!(e = text, step, "the event step cannot be subscribed; trying again");
            self.told = text;
        }
    }

    /// Something came.
    pub(super) fn works(&mut self) {
        if self.is_away || !self.told.is_empty() {
            info!("the event bus is back");
            *self = BusLines::default();
        }
    }
}
