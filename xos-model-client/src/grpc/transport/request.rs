//! What is said with a call beside its message.

use std::time::Duration;

use bytes::Bytes;
use tonic::Request;
use tonic::metadata::MetadataValue;

use super::auth::Badge;
use super::fault::CallError;
use crate::accessor::{Caller, Touch};
use crate::grpc::options::CoreOptions;
use crate::grpc::status::Code;

/// What a call may be repeated for, and how long it may take.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// Reads a few objects: can be repeated.
    Read,
    /// Reads many objects: can be repeated, takes longer.
    List,
    /// A write that does no harm when it is made twice.
    Repeatable,
    /// A write that must not be made twice.
    Once,
    /// Like `Once`, with a deadline of its own.
    Long(Duration),
}

impl CallKind {
    /// Whether the call may be made again when it is not known whether it was processed.
    pub(super) fn is_repeatable(self) -> bool {
        matches!(self, CallKind::Read | CallKind::List | CallKind::Repeatable)
    }

    pub(super) fn deadline(self, options: &CoreOptions) -> Duration {
        match self {
            CallKind::Read | CallKind::Repeatable | CallKind::Once => options.call_deadline,
            CallKind::List => options.list_deadline,
            CallKind::Long(deadline) => deadline,
        }
    }
}

/// What the core is told of a call beside its message.
#[derive(Clone, Debug, Default)]
pub struct CallMeta {
    /// On whose behalf. Only an update tells.
    pub caller: Option<Caller>,
    /// Whether this is an update, the only call for which the core looks at the rest.
    pub is_update: bool,
    /// The names of the fields that are stored, with commas and no blanks between them.
    pub update_fields: Option<String>,
    /// Whether `updated` moves.
    pub touch: Touch,
    /// Whether the credentials are shown.
    pub authenticated: bool,
}

/// The request of one attempt.
pub(super) fn request(
    body: &Bytes,
    meta: &CallMeta,
    badge: Option<&Badge>,
    deadline: Duration,
) -> Result<Request<Bytes>, CallError> {
    let mut request = Request::new(body.clone());
    request.set_timeout(deadline);
    let metadata = request.metadata_mut();
    if let Some(badge) = badge {
        badge.show(metadata);
    }
    if !meta.is_update {
        return Ok(request);
    }
    if let Some(fields) = &meta.update_fields {
        let value = MetadataValue::try_from(fields.as_str()).map_err(|_| CallError::Status {
            code: Code::INVALID_ARGUMENT,
            details: format!("a name of a field is not ASCII: {}", fields.escape_debug()),
        })?;
        metadata.insert("update_fields", value);
    }
    if meta.caller.is_some_and(Caller::is_synchronizer) {
        metadata.insert("caller_kind", MetadataValue::from_static("synchronizer"));
    }
    // The core asks whether they are there, not for their value.
    match meta.caller {
        Some(Caller::Step) => _ = metadata.insert("is_sync_save", MetadataValue::from_static("1")),
        Some(Caller::Policy) => _ = metadata.insert("is_policy_save", MetadataValue::from_static("1")),
        _ => (),
    }
    if meta.touch == Touch::Updated {
        metadata.insert("always_update_timestamp", MetadataValue::from_static("1"));
    }
    Ok(request)
}
