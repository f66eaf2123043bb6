//! The log lines: those that the tutorials show keep their text and keys.
//!
//! | when | line | keys |
//! |---|---|---|
//! | start | `Service version is …` | `core_version` |
//! | start | `required_models, found:` | `models` |
//! | start | `Loading sync steps` | `step_dir` |
//! | start | `Loaded sync steps` | `steps` |
//! | start | `Skipping event engine due to no event_steps dir.` | |
//! | start | `Skipping model policies thread due to no model_policies dir.` | |
//! | start | `No sync steps, no policies, and no event steps. Synchronizer exiting.` | |
//! | run | `Syncing object`, `Synced object` | `model_name`, `pk` |
//! | run | `Deleting object`, `Deleted object` | `model_name`, `pk` |
//! | run | `sync step failed!` | `e`, `model_name`, `pk` |
//!
//! All carry `synchronizer_name`, from the span they are in.

use tracing::{debug, error, info, warn};

use crate::engine::Verb;
use crate::step::{StepError, StepErrorKind};

/// A run begins.
pub(crate) fn started(verb: Verb) {
    match verb {
        Verb::DeleteRecord | Verb::HandleDelete => debug!("Deleting object"),
        Verb::SyncRecord | Verb::HandleChange => debug!("Syncing object"),
    }
}

/// All handlers succeeded.
pub(crate) fn succeeded(verb: Verb) {
    match verb {
        Verb::DeleteRecord | Verb::HandleDelete => debug!("Deleted object"),
        Verb::SyncRecord | Verb::HandleChange => debug!("Synced object"),
    }
}

/// A handler failed.
pub(crate) fn failed(error: &StepError) {
    let e = error.chain();
    match error.kind() {
        StepErrorKind::WaitFor { .. } => info!(e, "sync step waits"),
        StepErrorKind::Interrupted => info!(e, "sync step interrupted; it will run again"),
        StepErrorKind::Deferred | StepErrorKind::Innocuous => {
            info!(e, kind = kind(error), "sync step failed!");
        }
        _ => error!(e, "sync step failed!"),
    }
}

/// A handler panicked, or took too long.
pub(crate) fn panicked(text: &str) {
    error!(e = text, "sync step failed!");
}

fn kind(error: &StepError) -> &'static str {
    if *error.kind() == StepErrorKind::Deferred { "deferred" } else { "innocuous" }
}

/// A step took longer than its deadline.
pub(crate) fn timed_out(model_name: &str, pk: i32, text: &str) {
    error!(model_name, pk, e = text, "sync step failed!");
}

/// The status of an object changed: one line on the screen.
pub(crate) fn stored(model_name: &str, pk: u32, name: &str, code: i64, status: &str) {
    info!(model_name, pk, object = name, backend_code = code, backend_status = status, "Saved sync object");
}

/// An object is gone for good.
pub(crate) fn purged(model_name: &str, pk: i32) {
    info!(model_name, pk, "Purged object");
}

/// Which models were found.
pub(crate) fn required_models(found: &[String]) {
    info!(models = found.join(", "), "required_models, found:");
}

/// Which models are waited for.
pub(crate) fn models_missing(missing: &[String]) {
    warn!(models = missing.join(", "), "required_models: missing; waiting until somebody loads them");
}

/// The start-up lines about the engines.
pub(crate) fn engines(steps: &[&str], step_dir: Option<&str>) {
    info!(step_dir = step_dir.unwrap_or("(built in)"), "Loading sync steps");
    info!(steps = format!("[{}]", steps.join(", ")), "Loaded sync steps");
    info!("Skipping event engine due to no event_steps dir.");
    info!("Skipping model policies thread due to no model_policies dir.");
}

/// There is nothing to do.
pub(crate) fn nothing_to_do() {
    info!("No sync steps, no policies, and no event steps. Synchronizer exiting.");
}

/// The service's version.
pub(crate) fn version(version: &str, core_version: Option<&str>) {
    info!(core_version, "Service version is {version}");
}

/// A step that does not stop.
pub(crate) fn will_not_stop(model_name: &str, pk: i32, seconds: f64) {
    warn!(
        model_name,
        pk,
        seconds,
        "a step was cancelled and has not stopped: its code blocks; its object stays taken until it returns"
    );
}
