//! Errors of the store as the core tells them.
//!
//! The store says what is wrong and what to do. Clients of XOS know the words of Django and of the database, and some
//! read them; so where the core has words for a rule, those are told.

use tonic::{Code, Status};
use xos_model_client::{Error, ErrorKind, FieldFault, FieldInfo, Kind, ModelInfo, Schema};

use super::super::proto::declared_class;
use super::{exception, invalid, no_method, not_found, permission_denied, python, xos_error};

/// What the store puts before the names of feedback fields, and after them.
const FEEDBACK: (&str, &str) =
    ("A non Synchronizer is trying to update fields marked as feedback_state: ", "; only a synchronizer may");

/// What Django says of an object that is not there.
pub fn does_not_exist(model: &ModelInfo) -> String {
    format!("{} matching query does not exist.", model.name())
}

/// An error of the store, about an object of this model.
pub fn of_error(error: &Error, schema: &Schema, model: &ModelInfo) -> Status {
    match error.kind() {
        ErrorKind::Invalid { faults, .. } => of_faults(faults, schema, model),
        ErrorKind::NotFound { id, .. } => not_found(model, id.get()),
        ErrorKind::Denied { reason, .. } => permission_denied(&denial(reason)),
        ErrorKind::NoSuchField { field, .. } => cannot_resolve(schema, model, field),
        ErrorKind::NoSuchModel { .. } => no_method(),
        ErrorKind::Query { reason, .. } => of_query(reason),
        ErrorKind::Superseded { .. } => Status::aborted("the object was changed meanwhile: try again"),
        ErrorKind::Unsupported(_) => Status::failed_precondition(error.to_string()),
        ErrorKind::Away { .. } | ErrorKind::OutcomeUnknown { .. } => Status::unavailable(error.to_string()),
        _ => {
            tracing::error!(model_name = %model.name(), reason = %error, "the store failed");
            Status::internal("the core's store failed; its log says why")
        }
    }
}

/// A name in a filter that is no field.
pub(crate) fn cannot_resolve(schema: &Schema, model: &ModelInfo, name: &str) -> Status {
    let choices = choices(schema, model);
    exception(format!("Cannot resolve keyword '{name}' into field. Choices are: {choices}"))
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
        if field.def.kind == Kind::Link {
            names.push(format!("{}_id", field.def.name));
        }
    }
    names.sort();
    names.join(", ")
}

/// What the store says of who may write, with the names of fields as Python writes a list.
fn denial(reason: &str) -> String {
    let Some(names) = reason.strip_prefix(FEEDBACK.0).and_then(|rest| rest.strip_suffix(FEEDBACK.1)) else {
        return reason.to_owned();
    };
    feedback_denial(names.split(", "))
}

/// Fields that only a synchronizer may change.
pub(crate) fn feedback_denial<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    format!("{}{}", FEEDBACK.0, python::list(names))
}

/// A comparison that means nothing.
fn of_query(reason: &str) -> Status {
    let Some((_, problem)) = reason.split_once("is not a regular expression") else {
        return exception(format!("Unsupported lookup: {reason}"));
    };
    // As the core's database says it, where it has the same fault.
    let words = [
        ("unclosed group", "parentheses () not balanced"),
        ("unopened group", "parentheses () not balanced"),
        ("unclosed character class", "brackets [] not balanced"),
        ("repetition operator missing", "quantifier operand invalid"),
    ];
    let known = words.iter().find(|(ours, _)| problem.contains(ours)).map(|(_, theirs)| *theirs);
    let problem: Vec<&str> = problem.split_whitespace().collect();
    exception(format!("invalid regular expression: {}\n", known.unwrap_or(&problem.join(" "))))
}

/// How one fault is told.
enum Telling {
    /// Among those of Django's validation, under its field.
    Field(String),
    /// Alone, when it is alone.
    Alone(Status),
}

fn of_faults(faults: &[FieldFault], schema: &Schema, model: &ModelInfo) -> Status {
    // The core looks for an owner before it looks at anything else.
    if let Some(lonely) = faults.iter().find(|fault| fault.message.starts_with("Cannot find eligible owner"))
    {
        return invalid(lonely.message.split(": create").next().unwrap_or_default());
    }
    let mut told = Vec::new();
    let mut alone = None;
    for fault in faults {
        let field = fault.field.as_deref().and_then(|name| model.field(name));
        let (name, telling) = match field {
            Some(field) => (field.def.name.as_ref(), of_fault(fault, field, schema, model)),
            None => ("__all__", Telling::Alone(of_whole(&fault.message))),
        };
        told.push(match telling {
            Telling::Field(text) => (name.to_owned(), text),
            Telling::Alone(status) => {
                alone.get_or_insert(status);
                (name.to_owned(), fault.message.clone())
            }
        });
    }
    match alone {
        Some(status) if told.len() == 1 => status,
        _ => exception(python::validation_error(&mut told)),
    }
}

fn of_fault(fault: &FieldFault, field: &FieldInfo, schema: &Schema, model: &ModelInfo) -> Telling {
    let text = fault.message.as_str();
    if is_validators(schema, model, text) {
        return Telling::Alone(invalid(text));
    }
    if text.contains("which does not exist") {
        return Telling::Alone(exception(missing_link(schema, model, field, text)));
    }
    if text.contains("which is deleted") {
        return Telling::Alone(exception("Attempt to save object with deleted foreign key reference"));
    }
    if text.starts_with("must lead to an object") && field.def.name == "provider_service_instance" {
        let text = format!("{} has no {}.", declared_class(model), field.def.name);
        return Telling::Alone(exception(text));
    }
    Telling::Field(django(schema, field, text).unwrap_or_else(|| text.to_owned()))
}

/// Whether a text is what a validator of the model says.
fn is_validators(schema: &Schema, model: &ModelInfo, text: &str) -> bool {
    let chain = model.chain.iter().filter_map(|id| schema.by_id(*id));
    let mut validators = chain.flat_map(|level| level.def.validators.iter());
    text.contains("is not allowed to connect to networks")
        || validators.any(|validator| validator.message == text)
}

/// What Django says of a value, where it has the same rule.
fn django(schema: &Schema, field: &FieldInfo, text: &str) -> Option<String> {
    if text.starts_with("must not be blank") {
        return Some("This field cannot be blank.".to_owned());
    }
    if text.starts_with("must lead to an object") || text.starts_with("must have a value") {
        return Some("This field cannot be null.".to_owned());
    }
    if let Some((longest, length)) =
        text.strip_prefix("has at most ").and_then(|rest| rest.split_once(" characters, found "))
    {
        return Some(format!("Ensure this value has at most {longest} characters (it has {length})."));
    }
    if let Some((_, found)) = text.strip_prefix("is one of ").and_then(|rest| rest.rsplit_once(", found ")) {
        // The store quotes it as Rust does.
        let unquoted = found.strip_prefix('"').and_then(|found| found.strip_suffix('"')).unwrap_or(found);
        let plain = unquoted.replace("\\\"", "\"").replace("\\'", "'").replace("\\\\", "\\");
        return Some(format!("Value {} is not a valid choice.", python::unicode(&plain)));
    }
    if text.contains("unique") {
        let class = schema.by_id(field.declared_in).map_or_else(String::new, declared_class);
        let name = python::verbose_name(&field.def.name);
        return Some(format!("{class} with this {name} already exists."));
    }
    None
}

/// A rule about the whole object.
fn of_whole(text: &str) -> Status {
    if text.starts_with("Only one of") {
        // Raised as a conflicting field, which names itself a missing one.
        return xos_error(Code::Unknown, "XOSMissingField", text);
    }
    invalid(text.split(" (it is ").next().unwrap_or(text))
}

/// What the database says of a link to an object that is not there; `text` is what the store said. (The database's
/// name for the rule has a number more.)
fn missing_link(schema: &Schema, model: &ModelInfo, field: &FieldInfo, text: &str) -> String {
    let table =
        |model: &ModelInfo| format!("{}_{}", model.def.app_label, declared_class(model).to_ascii_lowercase());
    let target = field.target.and_then(|target| schema.by_id(target)).map_or_else(String::new, table);
    let name = &field.def.name;
    let is_list = field.def.kind == Kind::Links;
    let from = table(model) + &if is_list { format!("_{name}") } else { String::new() };
    let id = text.split(',').next().and_then(|text| text.rsplit(' ').next()).unwrap_or_default();
    format!(
        "insert or update on table \"{from}\" violates foreign key constraint \"{from}_{name}_id_fk_{target}_id\"\nDETAIL:  Key ({name}_id)=({id}) is not present in table \"{target}\".\n"
    )
}
