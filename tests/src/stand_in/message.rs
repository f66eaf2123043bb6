//! Records as messages, and messages as values.

use prost_reflect::{DynamicMessage, MessageDescriptor, Value as Wire};
use xos_model_client::{Kind, ModelInfo, ObjectId, Timestamp, Value};

use super::proto::{CLASS_NAMES, SELF_CONTENT_TYPE_ID};
use super::python;

/// The message of an object, as a core sends it: what has no value is absent, zero and empty texts are there.
///
/// # Errors
///
/// A text that is not ASCII: what Python says of it. A real core stores such a text and cannot send it.
pub fn message(
    descriptor: &MessageDescriptor,
    model: &ModelInfo,
    values: &[Value],
    ways_back: &[(u32, Vec<i32>)],
    class_names: &str,
    content_type: &str,
) -> Result<DynamicMessage, String> {
    let mut message = DynamicMessage::new(descriptor.clone());
    for (field, value) in model.fields.iter().zip(values) {
        if let Some(text) = value.as_text().and_then(python::cannot_encode) {
            return Err(text);
        }
        if let Some(value) = to_wire(field.def.kind, value) {
            put(&mut message, u32::from(field.wire_number), value)?;
        }
    }
    for (number, ids) in ways_back.iter().filter(|(_, ids)| !ids.is_empty()) {
        put(&mut message, *number, Wire::List(ids.iter().copied().map(Wire::I32).collect()))?;
    }
    put(&mut message, CLASS_NAMES, Wire::String(class_names.to_owned()))?;
    put(&mut message, SELF_CONTENT_TYPE_ID, Wire::String(content_type.to_owned()))?;
    Ok(message)
}

fn put(message: &mut DynamicMessage, number: u32, value: Wire) -> Result<(), String> {
    message.try_set_field_by_number(number, value).map_err(|error| format!("field {number}: {error}"))
}

fn to_wire(kind: Kind, value: &Value) -> Option<Wire> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => Wire::Bool(*value),
        Value::Int(value) if kind == Kind::UInt32 => Wire::U32(*value as u32),
        Value::Int(value) => Wire::I32(*value as i32),
        Value::Float(value) => Wire::F32(*value),
        Value::Time(time) => Wire::F64(time.seconds()),
        Value::Text(text) => Wire::String(text.clone()),
        Value::Link(id) if !id.is_set() => return None,
        Value::Link(id) => Wire::I32(id.get()),
        Value::Links(ids) => Wire::List(ids.iter().map(|id| Wire::I32(id.get())).collect()),
    })
}

/// The fields that are set in a message, each with its position in the model; what the core computes is left out.
pub fn values(model: &ModelInfo, message: &DynamicMessage) -> Vec<(usize, Value)> {
    let mut found = Vec::new();
    for (at, field) in model.fields.iter().enumerate() {
        if let Some(value) = message
            .get_field_by_number(u32::from(field.wire_number))
            .filter(|_| message.has_field_by_number(u32::from(field.wire_number)))
        {
            found.push((at, from_wire(field.def.kind, &value)));
        }
    }
    found
}

/// The id in a message, 0 when it has none.
pub fn id(message: &DynamicMessage) -> i32 {
    message.get_field_by_number(1).and_then(|id| id.as_i32()).unwrap_or_default()
}

fn from_wire(kind: Kind, value: &Wire) -> Value {
    match (kind, value) {
        (_, Wire::Bool(value)) => Value::Bool(*value),
        (Kind::Link, Wire::I32(0)) => Value::Null,
        (Kind::Link, Wire::I32(id)) => Value::Link(ObjectId::new(*id)),
        (_, Wire::I32(value)) => Value::Int(i64::from(*value)),
        (_, Wire::U32(value)) => Value::Int(i64::from(*value)),
        (_, Wire::F32(value)) => Value::Float(*value),
        (_, Wire::F64(value)) => Value::Time(Timestamp::from_seconds(*value)),
        (_, Wire::String(text)) => Value::Text(text.clone()),
        (_, Wire::List(ids)) => {
            Value::Links(ids.iter().filter_map(Wire::as_i32).map(ObjectId::new).collect())
        }
        _ => Value::Null,
    }
}
