//! Everything that clients and a real core 4.0.4 said to each other, read by our codec and by an independent library.
//!
//! The record lies beside the repository, not in it. Where it is absent the tests say so; each rule they check has a
//! test in `codec.rs` that needs nothing from outside.
#![cfg(feature = "grpc")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "codec/dynamic.rs"]
mod dynamic;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use dynamic::{compare, full_shape, position, same, value_in};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, ReflectMessage as _, Value as Other};
use serde_json::Value as Json;
use xos_model_client::grpc::__codec::{Codec, Method, NonAscii, RemoteSchema, encode_id};
use xos_model_client::models::core_models;
use xos_model_client::{
    Caller, Condition, FieldPos, ModelDef, ObjectId, Operator, QueryKind, Record, Schema, Touch, Value,
};

/// Notes a skipped test where `.ci/run` finds it, and says so past the capture of the test harness.
fn skip(why: &str) {
    let line = format!("skipped: xos-model-client/tests/recordings.rs: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut file = OpenOptions::new().create(true).append(true).open(target.join("skipped.txt")).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

fn recorded(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/wire").join(name);
    let found = std::fs::read(&path).ok();
    if found.is_none() {
        skip(&format!("{} is not there", path.display()));
    }
    found
}

/// One recorded call.
struct Call {
    name: String,
    service: String,
    method: String,
    code: String,
    request: Option<Vec<u8>>,
    response: Option<Vec<u8>>,
}

const FILES: [&str; 4] =
    ["calls.jsonl", "load-calls.jsonl", "synchronizer-session.jsonl", "policy-session.jsonl"];

fn calls() -> Option<Vec<Call>> {
    let mut calls = Vec::new();
    for file in FILES {
        let text = String::from_utf8(recorded(file)?).unwrap();
        for (at, line) in text.lines().enumerate() {
            let call: Json = serde_json::from_str(line).unwrap();
            let (service, method) = call["method"].as_str().unwrap()[1..].split_once('/').unwrap();
            calls.push(Call {
                name: format!("{file}:{} {} {method}", at + 1, call["name"].as_str().unwrap_or_default()),
                service: service.to_owned(),
                method: method.to_owned(),
                code: call["code"].as_str().unwrap().to_owned(),
                request: call["request_b64"].as_str().map(base64),
                response: call["response_b64"].as_str().map(base64),
            });
        }
    }
    Some(calls)
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter(|digit| *digit != b'=') {
        bits = bits << 6 | DIGITS.iter().position(|known| *known == digit).unwrap() as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

/// The recorded models, as the independent library knows them.
fn pool(answer: &[u8]) -> DescriptorPool {
    // `protos = 1`, the first being xos.proto; `descriptor = 3`. Read here without our reader.
    fn varint(bytes: &[u8], at: &mut usize) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = bytes[*at];
            *at += 1;
            value |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }
    let mut at = 1;
    let length = varint(answer, &mut at);
    let file = &answer[at..at + length];
    let mut at = 0;
    loop {
        let tag = varint(file, &mut at);
        let length = varint(file, &mut at);
        if tag >> 3 == 3 {
            let mut set = Vec::new();
            flate2::read::ZlibDecoder::new(&file[at..at + length]).read_to_end(&mut set).unwrap();
            return DescriptorPool::decode(set.as_slice()).unwrap();
        }
        at += length;
    }
}

struct Recorded {
    pool: DescriptorPool,
    codec: Codec,
}

impl Recorded {
    fn new() -> Option<Self> {
        let answer = recorded("GetSchema.response.bin")?;
        let remote = RemoteSchema::read(&answer, &known(), None).unwrap();
        let codec = Codec::new(Arc::new(remote)).with_non_ascii(NonAscii::Sent);
        Some(Recorded { pool: pool(&answer), codec })
    }

    fn message(&self, model: &str) -> MessageDescriptor {
        self.pool.get_message_by_name(&format!("xos.{model}")).unwrap()
    }

    fn decode(&self, model: &str, bytes: &[u8]) -> Record {
        let shape = full_shape(self.codec.remote(), model);
        self.codec.plan(&shape).unwrap().decode(bytes).unwrap()
    }

    /// Decodes an object with both, compares all fields, encodes it again and compares what the other reads then.
    fn check(&self, model: &str, bytes: &[u8], what: &str) -> usize {
        let message = DynamicMessage::decode(self.message(model), bytes).unwrap();
        let record = self.decode(model, bytes);
        let fields = compare(&record, &message, what);
        self.check_again(model, &record, &message, what);
        fields
    }

    fn check_again(&self, model: &str, record: &Record, message: &DynamicMessage, what: &str) {
        let shape = record.shape();
        let plan = self.codec.plan(shape).unwrap();
        let info = self.codec.remote().schema.model(model).unwrap();
        let kept = ["id", "updated", "leaf_model_name"];
        let writable = |at: usize| {
            let name = shape.fields()[at].name.as_ref();
            info.field(name).is_some() && !kept.contains(&name)
        };
        let fields: Vec<(FieldPos, Value)> = record
            .values()
            .iter()
            .enumerate()
            .filter(|(at, value)| writable(*at) && !value.is_null())
            .map(|(at, value)| (at as FieldPos, value.clone()))
            .collect();
        let created = plan.encode_create(&fields).unwrap();
        let set = plan.encode_set(record.id(), &fields, Caller::Client, Touch::AsTheRulesSay).unwrap();
        let set = set.unwrap();
        for (bytes, id) in [(&created, None), (&set.message, Some(record.id()))] {
            let again = DynamicMessage::decode(self.message(model), bytes.clone()).unwrap();
            assert_eq!(again.unknown_fields().count(), 0, "{what}");
            for field in message.descriptor().fields() {
                let Some(at) = position(shape, &field) else { continue };
                let found = value_in(&again, &field, shape.fields()[at].kind);
                let expected = match shape.fields()[at].name.as_ref() {
                    "id" if id.is_some() => Value::Int(record.id().get().into()),
                    _ if writable(at) => value_in(message, &field, shape.fields()[at].kind),
                    _ if field.is_list() => Value::Links(Vec::new()),
                    _ => Value::Null,
                };
                assert!(same(&found, &expected), "{what}, {}: {found:?} is not {expected:?}", field.name());
            }
        }
        for name in set.update_fields.split(',') {
            // A list is named only when it is emptied, and then with `_ids`.
            assert!(
                info.shape.position(name.strip_suffix("_ids").unwrap_or(name)).is_some(),
                "{what}: {name}"
            );
        }
    }
}

fn known() -> Vec<&'static ModelDef> {
    core_models().collect()
}

#[test]
fn every_message_means_to_us_what_it_means_to_an_independent_library() {
    let (Some(recorded), Some(calls)) = (Recorded::new(), calls()) else { return };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut fields = 0;
    for call in calls.iter().filter(|call| call.service == "xos.xos") {
        let methods = Method::ALL.into_iter();
        let Some((method, model)) = methods
            .filter_map(|method| Some((method, call.method.strip_prefix(&method.name(""))?)))
            .find(|(_, model)| recorded.codec.remote().schema.model(model).is_some())
        else {
            assert_eq!(call.code, "UNIMPLEMENTED", "{}", call.name);
            continue;
        };
        let shape = full_shape(recorded.codec.remote(), model);
        let plan = recorded.codec.plan(&shape).unwrap();
        let expected = format!("/xos.xos/{}", call.method);
        assert_eq!(plan.path(method).unwrap().as_str(), expected);
        if let Some(request) = &call.request {
            match method {
                Method::Create | Method::Update => {
                    fields += recorded.check(model, request, &call.name);
                    *counts.entry("objects in requests").or_default() += 1;
                }
                Method::Get | Method::Delete => {
                    let asked = recorded.message("ID");
                    let Ok(id) = DynamicMessage::decode(asked.clone(), request.as_slice()) else {
                        assert!(call.name.contains("err.malformed_protobuf"), "{}", call.name);
                        continue;
                    };
                    let id = id.get_field_by_name("id").unwrap().as_i32().unwrap();
                    let ours = DynamicMessage::decode(asked, encode_id(ObjectId::new(id))).unwrap();
                    assert_eq!(ours.get_field_by_name("id").unwrap().as_i32(), Some(id), "{}", call.name);
                    *counts.entry("ids").or_default() += 1;
                }
                Method::List | Method::Filter => {}
            }
        }
        let Some(response) = call.response.as_ref().filter(|_| call.code == "OK") else { continue };
        match method {
            Method::Get | Method::Create | Method::Update => {
                fields += recorded.check(model, response, &call.name);
                *counts.entry("objects in answers").or_default() += 1;
            }
            Method::List | Method::Filter => {
                let plural = &recorded.codec.remote().schema.model(model).unwrap().plural;
                let list = DynamicMessage::decode(recorded.message(plural), response.as_slice()).unwrap();
                let items = list.get_field_by_name("items").unwrap();
                let items = items.as_list().unwrap();
                let records = plan.decode_list(response).unwrap();
                assert_eq!(records.len(), items.len(), "{}", call.name);
                for (record, item) in records.into_iter().zip(items) {
                    let (record, item) = (record.unwrap(), item.as_message().unwrap());
                    fields += compare(&record, item, &call.name);
                    recorded.check_again(model, &record, item, &call.name);
                    *counts.entry("objects in lists").or_default() += 1;
                }
                *counts.entry("lists").or_default() += 1;
            }
            Method::Delete => assert!(response.is_empty()),
        }
    }
    println!("{counts:?}, {fields} fields");
    assert!(counts.values().sum::<usize>() > 500 && fields > 15_000, "{counts:?}, {fields} fields");
}

#[test]
fn our_queries_are_the_recorded_ones() {
    let (Some(recorded), Some(calls)) = (Recorded::new(), calls()) else { return };
    let (mut equal, mut refused, mut otherwise) = (0, Vec::new(), BTreeSet::new());
    for call in calls.iter().filter(|call| call.method.starts_with("Filter")) {
        let Some(request) = &call.request else { continue };
        let query = DynamicMessage::decode(recorded.message("Query"), request.as_slice()).unwrap();
        let Some((kind, conditions)) = as_ours(&query) else { continue };
        let shape = full_shape(recorded.codec.remote(), &call.method["Filter".len()..]);
        let plan = recorded.codec.plan(&shape).unwrap();
        let short = call.name.split(' ').nth(1).unwrap().to_owned();
        match plan.encode_query(kind, &conditions, ObjectId::UNSET) {
            Ok(ours) if ours == request.as_slice() => {
                equal += 1;
                // The one thing that is not ours to check is Postgres' regular expressions.
                // Nor is an object that somebody else poisoned.
                let poisoned = short.starts_with("unicode.");
                assert!(call.code == "OK" || short == "filter.bad_regex" || poisoned, "{}", call.name);
            }
            Ok(_) => drop(otherwise.insert(short)),
            Err(_) => refused.push((short, call.code.clone())),
        }
    }
    println!(
        "{equal} queries are the same, {} written otherwise, {} refused",
        otherwise.len(),
        refused.len()
    );
    assert!(equal > 200, "{equal}");
    // What is refused is what the core fails at, or what it takes for something that it is not.
    let taken: Vec<&str> =
        refused.iter().filter(|(_, code)| code == "OK").map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        taken,
        [
            "filter.id.CONTAINS.iValue",
            "filter.id.ICONTAINS.iValue",
            "filter.name.EQUAL.iValue",
            "filter.django_lookup_smuggled"
        ]
    );
    let otherwise: Vec<&str> = otherwise.iter().map(String::as_str).collect();
    assert_eq!(
        otherwise,
        [
            "filter.DEFAULT.no_elements",
            "filter.bool_s",
            "filter.bool_s_lower",
            "filter.date_i",
            "filter.fk.owner_id",
            "filter.id.EQUAL.sValue_number"
        ]
    );
}

/// A recorded query in our words, `None` where we have none.
fn as_ours(query: &DynamicMessage) -> Option<(QueryKind, Vec<Condition>)> {
    let kind = query.get_field_by_name("kind").unwrap().as_enum_number().unwrap();
    let elements = query.get_field_by_name("elements").unwrap();
    let elements = elements.as_list().unwrap();
    let kind = match kind {
        0 => QueryKind::Live,
        1 if elements.is_empty() => QueryKind::Live,
        2 => QueryKind::DirtyObjects,
        3 => QueryKind::DeletedObjects,
        4 => QueryKind::DirtyPolicies,
        5 => QueryKind::DeletedPolicies,
        _ => return None,
    };
    let operators = [
        Operator::Equal,
        Operator::GreaterThan,
        Operator::LessThan,
        Operator::GreaterThanOrEqual,
        Operator::LessThanOrEqual,
        Operator::IExact,
        Operator::Contains,
        Operator::IContains,
        Operator::Regex,
        Operator::IRegex,
    ];
    let condition = |element: &Other| {
        let element = element.as_message().unwrap();
        let get = |name: &str| element.get_field_by_name(name).unwrap().into_owned();
        let value = if element.has_field_by_name("sValue") {
            Value::Text(get("sValue").as_str().unwrap().to_owned())
        } else if element.has_field_by_name("iValue") {
            Value::Int(get("iValue").as_i32().unwrap().into())
        } else {
            return None;
        };
        Some(Condition {
            field: get("name").as_str().unwrap().to_owned().into(),
            operator: *operators.get(get("operator").as_enum_number().unwrap() as usize)?,
            value,
            invert: get("invert").as_bool().unwrap(),
        })
    };
    Some((kind, elements.iter().map(condition).collect::<Option<_>>()?))
}

#[test]
fn the_recorded_models_are_ours() {
    let Some(answer) = recorded("GetSchema.response.bin") else { return };
    let truth = Schema::new(core_models()).unwrap();
    let name = |schema: &Schema, id| schema.by_id(id).unwrap().name().to_string();
    for known in [known(), Vec::new()] {
        let remote = RemoteSchema::read(&answer, &known, None).unwrap();
        for ours in truth.models() {
            let theirs = remote.schema.model(ours.name()).unwrap_or_else(|| panic!("no {}", ours.name()));
            let chain = |schema: &Schema, chain: &[xos_model_client::ModelId]| {
                chain.iter().map(|id| name(schema, *id)).collect::<Vec<_>>()
            };
            let what = format!("{}, {} models known", ours.name(), known.len());
            assert_eq!(chain(&remote.schema, &theirs.chain), chain(&truth, &ours.chain), "{what}");
            assert_eq!(name(&remote.schema, theirs.root), name(&truth, ours.root), "{what}");
            assert_eq!(theirs.plural, ours.plural, "{what}");
            assert_eq!(
                theirs.def.app_label,
                if theirs.def.is_abstract {
                    theirs.def.app_label.clone()
                } else {
                    ours.def.app_label.clone()
                }
            );
            let fields = |schema: &Schema, info: &xos_model_client::ModelInfo| {
                let field = |field: &xos_model_client::FieldInfo| {
                    let kind =
                        if field.def.kind.is_text() { xos_model_client::Kind::Text } else { field.def.kind };
                    let target = field.target.map(|target| name(schema, target));
                    let back = field.def.link.as_ref().and_then(|link| link.reverse.clone());
                    (
                        field.def.name.to_string(),
                        field.def.number,
                        field.wire_number,
                        format!("{kind:?}"),
                        target,
                        back,
                        name(schema, field.declared_in),
                    )
                };
                info.fields.iter().map(field).collect::<BTreeSet<_>>()
            };
            assert_eq!(fields(&remote.schema, theirs), fields(&truth, ours), "{what}");
            let backs = |schema: &Schema, info: &xos_model_client::ModelInfo| {
                let back = |link: &xos_model_client::ReverseLink| {
                    (link.name.clone(), name(schema, link.from), link.field.clone(), link.wire_number)
                };
                info.reverse.iter().map(back).collect::<BTreeSet<_>>()
            };
            assert_eq!(backs(&remote.schema, theirs), backs(&truth, ours), "{what}");
            if !known.is_empty() {
                assert_eq!(theirs.shape.fields(), ours.shape.fields(), "{what}");
                for (theirs, ours) in theirs.def.fields.iter().zip(ours.def.fields.iter()) {
                    assert_eq!(theirs, ours, "{what}");
                }
            }
        }
        let leaf = remote.schema.model("HelloWorldServiceInstance").unwrap();
        let chain: Vec<String> = leaf.chain.iter().map(|id| name(&remote.schema, *id)).collect();
        assert_eq!(chain, ["XOSBase", "ServiceInstance", "HelloWorldServiceInstance"]);
        assert_eq!(leaf.field("hello_to").unwrap().wire_number, 201);
        assert_eq!(leaf.def.app_label, "hello-world");
        assert_eq!(name(&remote.schema, leaf.root), "ServiceInstance");
        let service = remote.schema.model("Service").unwrap();
        let family: Vec<String> = service.family.iter().map(|id| name(&remote.schema, *id)).collect();
        assert_eq!(family, ["Service", "HelloWorldService"]);
    }
}

#[test]
fn the_recorded_models_differ_from_ours_in_nothing_that_matters() {
    let Some(answer) = recorded("GetSchema.response.bin") else { return };
    let remote = RemoteSchema::read(&answer, &known(), None).unwrap();
    let found: Vec<String> = remote.differences(&known()).iter().map(ToString::to_string).collect();
    assert_eq!(found, Vec::<String>::new());
    assert!(remote.is_of(&answer) && !remote.is_of(&answer[1..]));
    let again = RemoteSchema::read(&answer, &known(), Some(&remote)).unwrap();
    assert_eq!(again.fingerprint(), remote.fingerprint());
    assert!(Arc::ptr_eq(&again.schema, &remote.schema));
}
