//! Records and the messages of an independent library, side by side.

use std::sync::Arc;

use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage as _, Value as Other};
use xos_model_client::grpc::__codec::RemoteSchema;
use xos_model_client::{Kind, ObjectId, Record, Shape, ShapeField, Value};

/// All fields of a model and all ways back.
pub(crate) fn full_shape(remote: &RemoteSchema, model: &str) -> Arc<Shape> {
    let info = remote.schema.model(model).unwrap_or_else(|| panic!("no model {model}"));
    let mut fields = info.shape.fields().to_vec();
    for level in &info.chain {
        for link in &remote.schema.by_id(*level).unwrap().reverse {
            fields.push(ShapeField { name: link.name.clone().into(), kind: Kind::Links });
        }
    }
    Arc::new(Shape::new(model.to_owned(), fields))
}

/// The position of a message's field in a shape, `None` for what the core computes for each answer.
pub(crate) fn position(shape: &Shape, field: &FieldDescriptor) -> Option<usize> {
    let name = field.name();
    shape
        .position(name)
        .or_else(|| shape.position(name.strip_suffix("_ids")?))
        .or_else(|| shape.position(name.strip_suffix("_id")?))
}

/// What the other library says that a field holds, as our value.
pub(crate) fn value_in(message: &DynamicMessage, field: &FieldDescriptor, kind: Kind) -> Value {
    let list = field.is_list();
    if !list && !message.has_field(field) {
        return Value::Null;
    }
    match (message.get_field(field).as_ref(), kind) {
        (Other::I32(id), Kind::Link) => Value::Link(ObjectId::new(*id)),
        (Other::I32(int), _) => Value::Int(i64::from(*int)),
        (Other::U32(int), _) => Value::Int(i64::from(*int)),
        (Other::Bool(bool), _) => Value::Bool(*bool),
        (Other::F32(float), _) => Value::Float(*float),
        (Other::F64(seconds), _) => Value::Time(xos_model_client::Timestamp::from_seconds(*seconds)),
        (Other::String(text), _) => Value::Text(text.clone()),
        (Other::List(list), _) => {
            Value::Links(list.iter().map(|id| ObjectId::new(id.as_i32().unwrap())).collect())
        }
        (other, _) => panic!("{} holds {other:?}", field.name()),
    }
}

/// Whether two values are the same, times and floats bit for bit.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Time(one), Value::Time(other)) => one.seconds().to_bits() == other.seconds().to_bits(),
        (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
        _ => one == other,
    }
}

/// Compares a record of a [`full_shape`] with a message, field by field; gives the number of fields.
pub(crate) fn compare(record: &Record, message: &DynamicMessage, what: &str) -> usize {
    let mut compared = 0;
    for field in message.descriptor().fields() {
        let Some(at) = position(record.shape(), &field) else {
            let computed = ["class_names", "self_content_type_id"].contains(&field.name());
            assert!(computed, "{what}: {} is not in the shape", field.name());
            continue;
        };
        let expected = value_in(message, &field, record.shape().fields()[at].kind);
        let found = &record.values()[at];
        assert!(same(found, &expected), "{what}, {}: {found:?} instead of {expected:?}", field.name());
        compared += 1;
    }
    assert_eq!(compared, record.values().len(), "{what}: the shape has more fields than the message");
    compared
}
