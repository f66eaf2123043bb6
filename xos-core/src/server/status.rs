//! Errors as clients of XOS know them: a code, and details that are JSON or the text of a Python exception.

mod errors;
mod python;

use serde_json::Value as Json;
use tonic::{Code, Status};
use xos_model_client::ModelInfo;

pub(crate) use self::errors::cannot_resolve;
pub(crate) use self::errors::feedback_denial;
pub use self::errors::{does_not_exist, of_error};
pub use self::python::{list, unicode, validation_error, verbose_name};

/// There is no such method: also one of a model that is not loaded.
pub(crate) fn no_method() -> Status {
    Status::unimplemented("Method not found!")
}

/// A message that is no protobuf, or not the one of this method.
pub fn malformed(what: impl std::fmt::Display) -> Status {
    Status::invalid_argument(format!("the request cannot be read: {what}"))
}

/// An error with a class of the core, such as `XOSNotFound`.
pub fn xos_error(code: Code, error: &str, text: &str) -> Status {
    xos_error_with(code, error, text, "{}")
}

fn xos_error_with(code: Code, error: &str, text: &str, fields: &str) -> Status {
    let text = Json::String(text.to_owned());
    Status::new(code, format!("{{\"fields\": {fields}, \"specific_error\": {text}, \"error\": \"{error}\"}}"))
}

/// Any other exception of the core.
pub fn exception(text: impl std::fmt::Display) -> Status {
    Status::unknown(format!("Exception calling application: {text}"))
}

/// The caller gave no credentials, or such that are not those of a user.
pub fn not_authenticated(text: &str) -> Status {
    xos_error(Code::Unauthenticated, "XOSNotAuthenticated", text)
}

/// The caller may not do this.
pub fn permission_denied(text: &str) -> Status {
    xos_error(Code::PermissionDenied, "XOSPermissionDenied", text)
}

/// A rule about the whole object is broken.
pub(crate) fn invalid(text: &str) -> Status {
    xos_error(Code::InvalidArgument, "XOSValidationError", text)
}

/// There is no such object, live or deleted.
pub fn not_found(model: &ModelInfo, id: i32) -> Status {
    let fields = format!("{{\"message\": \"{}\", \"id\": {id}}}", does_not_exist(model));
    xos_error_with(Code::NotFound, "XOSNotFound", "object not found", &fields)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
mod tests;
