//! The codec against a library that knows nothing of it.

use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, Value as Proto};
use xos_model_client::models::core_models;
use xos_model_client::{Kind, ModelInfo, ObjectId, Schema, Timestamp, Value};

use super::*;
use crate::server::descriptors::Descriptors;
use crate::server::proto::{served, wire_name};

fn schema() -> Schema {
    Schema::new(core_models()).unwrap()
}

/// A value of a field, another one for each seed; among them those whose presence is easily lost.
fn value(kind: Kind, seed: usize) -> Value {
    match kind {
        Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip => {
            Value::Text(["", "größer", "a text"][seed % 3].to_owned())
        }
        Kind::Int32 => Value::Int([0, -7, i64::from(i32::MAX)][seed % 3]),
        Kind::UInt32 => Value::Int([0, 7, i64::from(u32::MAX)][seed % 3]),
        Kind::Bool => Value::Bool(seed.is_multiple_of(2)),
        Kind::Float => Value::Float([0.0, -0.1][seed % 2]),
        Kind::Date => {
            Value::Time(Timestamp::from_seconds(f64::from_bits(0x41D7_E9A3_1234_5678 + seed as u64)))
        }
        Kind::Link => Value::Link(ObjectId::new(1 + seed as i32)),
        Kind::Links => Value::Links(vec![ObjectId::new(3), ObjectId::new(300)]),
    }
}

fn as_proto(kind: Kind, value: &Value) -> Proto {
    match value {
        Value::Null => unreachable!("nothing is not written"),
        Value::Bool(it) => Proto::Bool(*it),
        Value::Int(it) if kind == Kind::UInt32 => Proto::U32(*it as u32),
        Value::Int(it) => Proto::I32(*it as i32),
        Value::Float(it) => Proto::F32(*it),
        Value::Time(it) => Proto::F64(it.seconds()),
        Value::Text(it) => Proto::String(it.clone()),
        Value::Secret(it) => Proto::String(it.expose().to_owned()),
        Value::Link(it) => Proto::I32(it.get()),
        Value::Links(ids) => Proto::List(ids.iter().map(|id| Proto::I32(id.get())).collect()),
    }
}

fn check(descriptors: &Descriptors, schema: &Schema, model: &ModelInfo, seed: usize) {
    let table = Table::new(schema, model);
    let mut values: Vec<Value> = Vec::new();
    for (at, field) in model.fields.iter().enumerate() {
        // Each third field has no value.
        let missing = at > 0 && (at + seed).is_multiple_of(3);
        values.push(if missing { Value::Null } else { value(field.def.kind, at + seed) });
    }
    values[0] = Value::Int(42);
    let ways = model.chain.iter().filter_map(|id| schema.by_id(*id)).flat_map(|level| &level.reverse);
    let ways: Vec<_> = ways.collect();
    let ids: Vec<Vec<i32>> =
        (0..ways.len()).map(|at| (0..at as i32).map(|id| id * 100 + 1).collect()).collect();

    let mut bytes = Vec::new();
    table.put(&mut bytes, &values, &ids);
    let descriptor = descriptors.message(&format!("xos.{}", model.name())).unwrap();
    let message = DynamicMessage::decode(descriptor, bytes.as_slice()).unwrap();
    assert_eq!(message.unknown_fields().count(), 0, "{}", model.name());
    for (field, value) in model.fields.iter().zip(&values) {
        let name = wire_name(field);
        assert_eq!(message.has_field_by_name(&name), !value.is_null(), "{}.{name}", model.name());
        if value.is_null() {
            continue;
        }
        let told = message.get_field_by_name(&name).unwrap();
        if is_secret(schema, model, &field.def.name) {
            assert_eq!(*told, Proto::String(String::new()));
        } else {
            assert_eq!(*told, as_proto(field.def.kind, value), "{}.{name}", model.name());
        }
    }
    for (way, ids) in ways.iter().zip(&ids) {
        let told = message.get_field_by_name(&format!("{}_ids", way.name)).unwrap();
        let told: Vec<i32> = told.as_list().unwrap().iter().filter_map(Proto::as_i32).collect();
        assert_eq!(told, *ids, "{}.{}", model.name(), way.name);
    }
    let text = |name: &str| message.get_field_by_name(name).unwrap().as_str().unwrap().to_owned();
    assert_eq!(text("class_names"), class_names(schema, model));
    assert_eq!(text("self_content_type_id"), self_content_type(model));

    let given = table.read(&message.encode_to_vec()).unwrap();
    assert_eq!(given.id, 42);
    let expected = values.iter().enumerate().skip(1).filter(|(_, value)| !value.is_null());
    let expected: Vec<(FieldPos, Value)> = expected
        .map(|(at, value)| {
            let secret = is_secret(schema, model, &model.fields[at].def.name);
            (at as FieldPos, if secret { Value::Text(String::new()) } else { value.clone() })
        })
        .collect();
    assert_eq!(given.fields, expected, "{}", model.name());
}

#[test]
fn objects_of_all_models_are_the_messages_that_the_descriptors_say() {
    let schema = schema();
    let descriptors = Descriptors::compile(&schema).unwrap();
    for model in served(&schema) {
        for seed in 0..3 {
            check(&descriptors, &schema, model, seed);
        }
    }
}

#[test]
fn the_length_of_a_message_takes_as_many_bytes_as_it_needs() {
    for length in [0, 1, 127, 128, 300, 16_383, 16_384, 3_000_000] {
        let mut out = vec![9];
        put_message(&mut out, 1, |out| out.resize(out.len() + length, b'x'));
        out.push(9);
        let mut expected = vec![9];
        xos_model_client::grpc::__wire::put_bytes(&mut expected, 1, &vec![b'x'; length]);
        expected.push(9);
        assert!(out == expected, "{length}");
    }
}

#[test]
fn what_cannot_be_read_says_where() {
    let schema = schema();
    let site = Table::new(&schema, schema.model("Site").unwrap());
    let read = |bytes: &[u8]| site.read(bytes).unwrap_err().to_string();
    let name = schema.model("Site").unwrap().field("name").unwrap().wire_number;
    let mut wrong_type = Vec::new();
    put_int32(&mut wrong_type, name, 5);
    assert_eq!(read(&wrong_type), "field \"name\": a varint is none of its values");
    let mut no_text = Vec::new();
    xos_model_client::grpc::__wire::put_bytes(&mut no_text, name, &[0xff]);
    assert_eq!(read(&no_text), "field \"name\": a text that is no UTF-8");
    assert_eq!(read(&[0x80]), "no valid protobuf at byte 0: the message ends within a varint");
    // An unknown number is of a newer client; link 0 is how a link is unset.
    let mut newer = Vec::new();
    put_text(&mut newer, 999, "what is it");
    assert_eq!(site.read(&newer), Ok(Given::default()));
    let slice = schema.model("Slice").unwrap();
    let mut unset = Vec::new();
    put_int32(&mut unset, slice.field("creator").unwrap().wire_number, 0);
    let at = slice.shape.position("creator").unwrap() as FieldPos;
    assert_eq!(Table::new(&schema, slice).read(&unset).unwrap().fields, [(at, Value::Null)]);
    assert!(read_id(&[0x0a, 0x00]).is_err() && read_id(&[0x08, 0x07]) == Ok(7));
}
