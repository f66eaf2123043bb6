//! The policy lane: calling the handlers of an object's policies, and what is stored of that.

use std::borrow::Cow;

use xos_model_client::{FieldPos, Record, Timestamp, Value};

use super::facts;
use super::layout::{Leaf, value};
use super::lines;
use super::runs::{Home, Running};
use super::status;
use super::worker::Job;
use super::writes::set;
use crate::engine::{Store, Verb};
use crate::step::{Did, Handler, StepError, StepErrorKind, StepResult};

/// The status of an object whose policies succeeded.
pub(super) const DONE: &str = "done";

/// Calls all policies of an object, one after the other. One that fails does not keep the next ones from being called;
/// its error is that of the run, of several the first that does not only wait.
pub(super) async fn handle(home: &Home, job: Job) -> StepResult<Did> {
    let Job { verb, leaf, id, record, context, .. } = job;
    let Some(leaf) = home.layout.leaf(leaf) else { return Ok(Did::Nothing) };
    let handler = match verb {
        Verb::DeleteRecord | Verb::HandleDelete => Handler::Delete,
        _ if facts::was_never_policed(leaf, &record) => Handler::Create,
        _ => Handler::Update,
    };
    let mut first = Ok(Did::Work);
    let mut record = Some(record);
    for policy in leaf.policies.iter() {
        // The one before may have changed it.
        let now = match record.take() {
            Some(record) => record,
            None => match home.accessor.get(&leaf.shape, &[id]).await?.into_iter().next().flatten() {
                Some(record) => record,
                None => break,
            },
        };
        let call =
            lines::Call { leaf: &leaf.name, object: &name_of(&now), policy: policy.policy.name(), handler };
        call.begins();
        match policy.policy.handle(handler, &context, policy.projection.of(now)).await {
            Ok(()) => call.completed(),
            Err(error) => {
                call.failed(&error);
                let interrupted = *error.kind() == StepErrorKind::Interrupted;
                if first.as_ref().err().is_none_or(waits) {
                    first = Err(error);
                }
                if interrupted {
                    break;
                }
            }
        }
    }
    first
}

fn waits(error: &StepError) -> bool {
    matches!(error.kind(), StepErrorKind::WaitFor { .. })
}

/// What people call the object.
fn name_of(record: &Record) -> String {
    let name = record.get("name").and_then(Value::as_text).filter(|name| !name.is_empty());
    name.map_or_else(|| record.id().to_string(), str::to_owned)
}

/// What a result of the policy lane writes, and the status and code that it leaves.
pub(super) fn result(
    leaf: &Leaf,
    running: &Running,
    store: Store,
) -> (Vec<(FieldPos, Value)>, Cow<'static, str>, i64) {
    let at = &leaf.at;
    match store {
        Store::Success { as_fetched } => {
            let mut fields = set([
                (at.policed, Value::Time(facts::time_of(as_fetched))),
                (at.policy_status, Value::Text(DONE.to_owned())),
                (at.policy_code, Value::Int(status::CODE_OK)),
            ]);
            if running.verb == Verb::HandleDelete {
                // From now on only the step keeps it from being purged.
                fields.extend(set([(at.need_delete_policy, Value::Bool(false))]));
            }
            (fields, Cow::Borrowed(DONE), status::CODE_OK)
        }
        Store::Failure { kind, .. } => {
            let (text, code) = (running.text().to_owned(), status::code_of(kind));
            let mut fields =
                set([(at.policy_status, Value::Text(text.clone())), (at.policy_code, Value::Int(code))]);
            if running.hook_failed {
                // Due again, and as new or as old as it was before.
                let before = running.before.as_ref().and_then(|before| value(before, at.policed).as_time());
                let before = Value::Time(before.unwrap_or(Timestamp::UNSET));
                fields.extend(set([(at.policed, before)]));
            }
            (fields, Cow::Owned(text), code)
        }
        Store::Waiting => {
            let text = running.text().to_owned();
            let fields =
                set([(at.policy_status, Value::Text(text.clone())), (at.policy_code, Value::Int(0))]);
            (fields, Cow::Owned(text), 0)
        }
        Store::Reap => (set([(at.need_reap, Value::Bool(true))]), Cow::Borrowed(""), 0),
    }
}
