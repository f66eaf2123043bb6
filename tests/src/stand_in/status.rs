//! Errors as a core tells them: a code, and details that are JSON or the text of a Python exception.

use serde_json::Value as Json;
use tonic::{Code, Status};
use xos_model_client::{Error, ErrorKind, FieldFault, FieldInfo, ModelInfo, Schema};

use super::proto::declared_class;
use super::python;

/// An error that the core's own code raised: `error` is its class.
pub fn xos_error(code: Code, error: &str, text: &str) -> Status {
    xos_error_with(code, error, text, "{}")
}

fn xos_error_with(code: Code, error: &str, text: &str, fields: &str) -> Status {
    let text = Json::String(text.to_owned());
    Status::new(code, format!("{{\"fields\": {fields}, \"specific_error\": {text}, \"error\": \"{error}\"}}"))
}

/// Any other exception in the core.
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

/// There is no such object, live or deleted.
pub fn not_found(model: &ModelInfo, id: i32) -> Status {
    let fields = format!("{{\"message\": \"{}\", \"id\": {id}}}", does_not_exist(model));
    xos_error_with(Code::NotFound, "XOSNotFound", "object not found", &fields)
}

/// What Django says of an object that is not there.
pub fn does_not_exist(model: &ModelInfo) -> String {
    format!("{} matching query does not exist.", model.name())
}

/// An error of the store as the core would tell it.
pub fn of_error(error: &Error, schema: &Schema, model: &ModelInfo) -> Status {
    match error.kind() {
        ErrorKind::Invalid { faults, .. } => of_faults(faults, schema, model),
        ErrorKind::NotFound { id, .. } => not_found(model, id.get()),
        ErrorKind::Denied { reason, .. } => permission_denied(reason),
        ErrorKind::NoSuchField { field, .. } => {
            let choices = choices(schema, model);
            exception(format!("Cannot resolve keyword '{field}' into field. Choices are: {choices}"))
        }
        ErrorKind::Query { reason, .. } if reason.starts_with("is not a regular expression") => {
            exception("invalid regular expression: parentheses () not balanced\n")
        }
        ErrorKind::Query { reason, .. } => exception(reason),
        _ => exception(error),
    }
}

/// The names that a filter may use, as Django lists them.
fn choices(schema: &Schema, model: &ModelInfo) -> String {
    let mut names: Vec<String> = Vec::new();
    for base in model.chain.iter().filter_map(|id| schema.by_id(*id)) {
        if base.id != model.id && !base.def.is_abstract {
            let class = declared_class(base).to_ascii_lowercase();
            names.extend([format!("{class}_ptr"), format!("{class}_ptr_id")]);
        }
        names.extend(base.reverse.iter().map(|reverse| reverse.name.clone()));
    }
    for field in &model.fields {
        names.push(field.def.name.to_string());
        if field.def.kind == xos_model_client::Kind::Link {
            names.push(format!("{}_id", field.def.name));
        }
    }
    names.sort();
    names.join(", ")
}

fn of_faults(faults: &[FieldFault], schema: &Schema, model: &ModelInfo) -> Status {
    let mut told = Vec::new();
    for fault in faults {
        let text = fault.message.as_str();
        let Some(field) = fault.field.as_deref().and_then(|name| model.field(name)) else {
            return of_whole(text);
        };
        if text.starts_with("Cannot find eligible owner") {
            let text = text.split(": create").next().unwrap_or(text);
            return xos_error(Code::InvalidArgument, "XOSValidationError", text);
        }
        if text.contains("which does not exist") {
            return exception(missing_link(schema, model, field, text));
        }
        if text.contains("which is deleted") {
            return exception("Attempt to save object with deleted foreign key reference");
        }
        let text = if text.contains("unique") { twin(schema, field) } else { text.to_owned() };
        told.push((field.def.name.to_string(), text));
    }
    exception(python::validation_error(&mut told))
}

/// A rule about the whole object.
fn of_whole(text: &str) -> Status {
    if text.starts_with("Only one of") {
        // Raised as a conflicting field, which names itself a missing one.
        return xos_error(Code::Unknown, "XOSMissingField", text);
    }
    let text = text.split(" (it is ").next().unwrap_or(text);
    xos_error(Code::InvalidArgument, "XOSValidationError", text)
}

/// What Django says of a value that only one object may have.
fn twin(schema: &Schema, field: &FieldInfo) -> String {
    let declaring = schema.by_id(field.declared_in);
    let class = declaring.map_or_else(String::new, declared_class);
    format!("{class} with this {} already exists.", python::verbose_name(&field.def.name))
}

/// What the database says of a link to an object that is not there; `text` is what the store said. (The database's
/// name for the rule has a number more.)
fn missing_link(schema: &Schema, model: &ModelInfo, field: &FieldInfo, text: &str) -> String {
    let table =
        |model: &ModelInfo| format!("{}_{}", model.def.app_label, declared_class(model).to_ascii_lowercase());
    let target = field.target.and_then(|target| schema.by_id(target)).map_or_else(String::new, table);
    let name = &field.def.name;
    let is_list = field.def.kind == xos_model_client::Kind::Links;
    let from = table(model) + &if is_list { format!("_{name}") } else { String::new() };
    let id = text.split(',').next().and_then(|text| text.rsplit(' ').next()).unwrap_or_default();
    format!(
        "insert or update on table \"{from}\" violates foreign key constraint \"{from}_{name}_id_fk_{target}_id\"\nDETAIL:  Key ({name}_id)=({id}) is not present in table \"{target}\".\n"
    )
}
