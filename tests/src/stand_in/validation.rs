//! What Django checks before it stores an object: the values of all fields, changed or not.

use xos_model_client::{FieldInfo, Kind, ModelInfo, Value};

use super::status::unicode;

/// The faults of an object, by field. `values` are in the order of the model's fields. What only the store can know,
/// such as who else has a unique value, is not looked at.
pub(crate) fn faults(model: &ModelInfo, values: &[Value], has_default_owner: bool) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (field, value) in model.fields.iter().zip(values) {
        if field.def.is_id() || (has_default_owner && field.def.name == "owner") {
            continue;
        }
        if let Some(text) = fault(field, value) {
            found.push((field.def.name.to_string(), text));
        }
    }
    found
}

fn fault(field: &FieldInfo, value: &Value) -> Option<String> {
    let def = &field.def;
    match value {
        Value::Null if !def.is_required() => None,
        Value::Null => match def.kind {
            Kind::Links | Kind::Bool | Kind::Date => None,
            kind if kind.is_text() => Some("This field cannot be blank.".to_owned()),
            _ => Some("This field cannot be null.".to_owned()),
        },
        Value::Text(text) if text.is_empty() => {
            def.is_required().then(|| "This field cannot be blank.".to_owned())
        }
        Value::Text(text) => fault_of_text(field, text),
        Value::Secret(secret) => fault(field, &Value::from(secret.expose())),
        _ => None,
    }
}

fn fault_of_text(field: &FieldInfo, text: &str) -> Option<String> {
    let choices = &field.def.choices;
    if !choices.is_empty() && !choices.iter().any(|choice| choice.value.as_deref() == Some(text)) {
        return Some(format!("Value {} is not a valid choice.", unicode(text)));
    }
    let longest = field.def.max_length? as usize;
    let length = text.chars().count();
    (length > longest)
        .then(|| format!("Ensure this value has at most {longest} characters (it has {length})."))
}
