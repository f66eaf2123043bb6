//! Errors as clients of XOS know them: a code, and details that are JSON or a text.

use serde_json::Value as Json;
use tonic::{Code, Status};

/// There is no such method: also one of a model that is not loaded.
pub(crate) fn no_method() -> Status {
    Status::unimplemented("Method not found!")
}

/// An error with a class of the core, such as `XOSNotFound`.
pub(crate) fn xos_error(code: Code, error: &str, text: &str) -> Status {
    let text = Json::String(text.to_owned());
    Status::new(code, format!("{{\"fields\": {{}}, \"specific_error\": {text}, \"error\": \"{error}\"}}"))
}

/// The caller gave no credentials, or such that are not those of a user.
pub(crate) fn not_authenticated(text: &str) -> Status {
    xos_error(Code::Unauthenticated, "XOSNotAuthenticated", text)
}

/// The caller may not do this.
pub(crate) fn permission_denied(text: &str) -> Status {
    xos_error(Code::PermissionDenied, "XOSPermissionDenied", text)
}
