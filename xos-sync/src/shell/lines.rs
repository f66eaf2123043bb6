//! The log lines: those that the tutorials show keep their text and keys.
//!
//! | when | line | keys |
//! |---|---|---|
//! | start | `Service version is …` | `core_version` |
//! | start | `required_models, found:` | `models` |
//! | start | `Loading sync steps` | `step_dir` |
//! | start | `Loaded sync steps` | `steps` |
//! | start | `Skipping pull step engine due to no pull_steps_dir dir.` | |
//! | start | `Skipping event engine due to no event_steps dir.` | |
//! | unload | `Skipping pull steps engine due to synchronizer unloading.` | |
//! | unload | `Skipping event engine due to synchronizer unloading.` | |
//! | start | `Skipping model policies thread due to no model_policies dir.` | |
//! | start | `No sync steps, no policies, and no event steps. Synchronizer exiting.` | |
//! | run | `Syncing object`, `Synced object` | `model_name`, `pk` |
//! | run | `Deleting object`, `Deleted object` | `model_name`, `pk` |
//! | run | `sync step failed!` | `e`, `model_name`, `pk` |
//! | start | `Loaded model policies` | `policies` |
//! | policy | `MODEL POLICY: calling handler` | `sender_name`, `instance`, `policy`, `method`, `model_name`, `pk` |
//! | policy | `MODEL POLICY: completed handler` | `sender_name`, `instance`, `policy_name`, `method`, `model_name`, `pk` |
//! | policy | `MODEL POLICY: Exception when running handler` | `e`, `policy_name`, `method`, `model_name`, `pk` |
//! | policy | `MODEL_POLICY: Saved` | `model_name`, `pk`, `policy_code`, `policy_status` |
//! | policy | `MODEL POLICY: Object failed to update policed timestamp` | `e`, `model_name`, `pk` |
//! | policy | `MODEL_POLICY: Exception when storing policy_status` | `e`, `model_name`, `pk` |
//!
//! Those of events and pull steps are in [`crate::events::lines`] and [`crate::pull::lines`].
//!
//! All carry `synchronizer_name`, from the span they are in.

use tracing::{debug, error, info, warn};

use crate::engine::{Lane, Verb};
use crate::step::{Handler, StepError, StepErrorKind};

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

/// A handler panicked.
pub(crate) fn panicked(lane: Lane, text: &str) {
    match lane {
        Lane::Sync => error!(e = text, "sync step failed!"),
        Lane::Policy => error!(e = text, "MODEL POLICY: Exception when running handler"),
    }
}

/// One call of a handler of a policy.
pub(crate) struct Call<'a> {
    pub(crate) leaf: &'a str,
    pub(crate) object: &'a str,
    pub(crate) policy: &'static str,
    pub(crate) handler: Handler,
}

impl Call<'_> {
    pub(crate) fn begins(&self) {
        debug!(
            sender_name = self.leaf,
            instance = self.object,
            policy = self.policy,
            method = self.handler.method(),
            "MODEL POLICY: calling handler"
        );
    }

    pub(crate) fn completed(&self) {
        debug!(
            sender_name = self.leaf,
            instance = self.object,
            policy_name = self.policy,
            method = self.handler.method(),
            "MODEL POLICY: completed handler"
        );
    }

    pub(crate) fn failed(&self, error: &StepError) {
        let (e, policy_name, method) = (error.chain(), self.policy, self.handler.method());
        match error.kind() {
            StepErrorKind::WaitFor { .. } => info!(e, policy_name, method, "MODEL POLICY: handler waits"),
            StepErrorKind::Interrupted => {
                info!(e, policy_name, method, "MODEL POLICY: handler interrupted; it will run again");
            }
            StepErrorKind::Deferred | StepErrorKind::Innocuous => {
                let kind = kind(error);
                info!(e, policy_name, method, kind, "MODEL POLICY: Exception when running handler");
            }
            StepErrorKind::Failed => {
                error!(e, policy_name, method, "MODEL POLICY: Exception when running handler");
            }
        }
    }
}

fn kind(error: &StepError) -> &'static str {
    if *error.kind() == StepErrorKind::Deferred { "deferred" } else { "innocuous" }
}

/// A run failed outside its handlers: it took longer than its deadline, or its after-save hook failed.
pub(crate) fn failed_outside(lane: Lane, model_name: &str, pk: i32, text: &str) {
    match lane {
        Lane::Sync => error!(model_name, pk, e = text, "sync step failed!"),
        Lane::Policy => error!(model_name, pk, e = text, "MODEL POLICY: Exception when running handler"),
    }
}

/// The status of an object changed: one line on the screen.
pub(crate) fn stored(lane: Lane, model_name: &str, pk: u32, name: &str, code: i64, status: &str) {
    match lane {
        Lane::Sync => info!(
            model_name,
            pk,
            object = name,
            backend_code = code,
            backend_status = status,
            "Saved sync object"
        ),
        Lane::Policy => info!(
            model_name,
            pk,
            object = name,
            policy_code = code,
            policy_status = status,
            "MODEL_POLICY: Saved"
        ),
    }
}

/// The core refuses a result.
pub(crate) fn cannot_store(verb: Verb, is_success: bool, model_name: &str, pk: i32, e: &str) {
    match (verb.lane(), is_success) {
        (Lane::Sync, _) => {
            error!(e, model_name, pk, "the result of a step cannot be stored; trying again");
        }
        (Lane::Policy, true) => {
            error!(e, model_name, pk, "MODEL POLICY: Object failed to update policed timestamp");
        }
        (Lane::Policy, false) => {
            error!(e, model_name, pk, "MODEL_POLICY: Exception when storing policy_status");
        }
    }
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
pub(crate) fn engines(
    steps: &[&str],
    step_dir: Option<&str>,
    policies: &[&str],
    pulls: &[&str],
    events: &[&str],
) {
    info!(step_dir = step_dir.unwrap_or("(built in)"), "Loading sync steps");
    info!(steps = format!("[{}]", steps.join(", ")), "Loaded sync steps");
    crate::pull::lines::engine(pulls);
    crate::events::lines::engine(events);
    if policies.is_empty() {
        info!("Skipping model policies thread due to no model_policies dir.");
    } else {
        info!(policies = format!("[{}]", policies.join(", ")), "Loaded model policies");
    }
}

/// What has no part in unloading the models.
pub(crate) fn unloading(has_pull_steps: bool, has_event_steps: bool) {
    if has_pull_steps {
        info!("Skipping pull steps engine due to synchronizer unloading.");
    }
    if has_event_steps {
        info!("Skipping event engine due to synchronizer unloading.");
    }
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
