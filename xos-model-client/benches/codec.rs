//! What a record costs on its way from and to the wire: `cargo bench -p xos-model-client --bench codec -- [--json]`.
//!
//! One JSON object a line with `--json`: `bench`, `n`, and of one record `ns_min`, `ns_p50`, `allocations`. The
//! message has 40 fields; in the same run an independent library reads and writes it as a dynamic message.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/codec/proto.rs"]
mod proto;

use std::alloc::System;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, ReflectMessage as _};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use xos_model_client::grpc::__codec::{Codec, RemoteSchema};
use xos_model_client::models::core_models;
use xos_model_client::{Caller, FieldPos, Kind, ObjectId, Record, Schema, Shape, Timestamp, Touch, Value};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A model of the core with 40 fields or more, of which 40 are taken.
const MODEL: &str = "Slice";
const FIELDS: usize = 40;
const LIST: usize = 1000;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let known: Vec<_> = core_models().collect();
    let schema = Schema::new(core_models()).unwrap();
    let (remote, pool) = proto::read(&proto::file_of(&schema), &known);
    let same = proto::answer(&proto::compile(&proto::file_of(&schema)));
    let codec = Codec::new(remote.clone());
    let info = remote.schema.model(MODEL).unwrap();
    let shape = shape(&info.shape.fields()[..FIELDS]);
    let fields: Vec<(FieldPos, Value)> = (0..FIELDS)
        .map(|at| (at as FieldPos, value(shape.fields()[at].kind, at)))
        .filter(|(at, _)| !["updated", "leaf_model_name"].contains(&&*shape.fields()[*at as usize].name))
        .collect();
    let plan = codec.plan(&shape).unwrap();
    let id = ObjectId::new(1);
    let set = plan.encode_set(id, &fields, Caller::Engine, Touch::AsTheRulesSay).unwrap().unwrap();
    let whole = {
        // The two that are not sent are there when the core answers.
        let descriptor = pool.get_message_by_name(&format!("xos.{MODEL}")).unwrap();
        let mut message = DynamicMessage::decode(descriptor, set.message.clone()).unwrap();
        message.set_field_by_name("updated", prost_reflect::Value::F64(1.6e9));
        message.set_field_by_name("leaf_model_name", prost_reflect::Value::String(MODEL.to_owned()));
        message
    };
    let bytes = whole.encode_to_vec();
    let record = plan.decode(&bytes).unwrap();
    assert_eq!(record.values().iter().filter(|value| !value.is_null()).count(), FIELDS);
    let few = self::shape(&shape.fields()[..6]);
    let few_plan = codec.plan(&few).unwrap();
    let descriptor = whole.descriptor();
    let report = Report { json, length: bytes.len() };

    report
        .bench("decode 40 fields", 1, || drop::<Record>(black_box(plan.decode(black_box(&bytes)).unwrap())));
    report.bench("decode 6 of 40 fields", 1, || drop(black_box(few_plan.decode(black_box(&bytes)).unwrap())));
    report.bench("decode 40 fields, dynamic", 1, || {
        drop(black_box(DynamicMessage::decode(descriptor.clone(), black_box(bytes.as_slice())).unwrap()));
    });
    report.bench("encode 40 fields", 1, || {
        let set = plan.encode_set(id, black_box(&fields), Caller::Engine, Touch::AsTheRulesSay);
        drop(black_box(set.unwrap()));
    });
    report.bench("encode 40 fields, dynamic", 1, || drop(black_box(black_box(&whole).encode_to_vec())));
    let result: Vec<(FieldPos, Value)> = ["enacted", "backend_status", "backend_register", "backend_code"]
        .iter()
        .map(|name| shape.position(name).unwrap())
        .map(|at| fields.iter().find(|(position, _)| *position as usize == at).unwrap().clone())
        .collect();
    report.bench("encode 4 fields", 1, || {
        let set = plan.encode_set(id, black_box(&result), Caller::Engine, Touch::AsTheRulesSay);
        drop(black_box(set.unwrap()));
    });
    let plural = pool.get_message_by_name(&format!("xos.{}", info.plural)).unwrap();
    let mut list = DynamicMessage::new(plural.clone());
    let items = vec![prost_reflect::Value::Message(whole.clone()); LIST];
    list.set_field_by_name("items", prost_reflect::Value::List(items));
    let list = list.encode_to_vec();
    report.bench("decode a list", LIST, || {
        let records = plan.decode_list(black_box(&list)).unwrap();
        assert_eq!(records.len(), LIST);
        drop(black_box(records));
    });
    report.bench("decode a list, dynamic", LIST, || {
        drop(black_box(DynamicMessage::decode(plural.clone(), black_box(list.as_slice())).unwrap()));
    });
    let answer = proto::answer(&pool.encode_to_vec());
    report.bench("read a schema", 1, || {
        drop(black_box(RemoteSchema::read(black_box(&answer), &known, None).unwrap()));
    });
    report.bench("see that it is the same", 1, || assert!(remote.is_of(black_box(&same))));
    report.bench("look up a plan", 1, || drop(black_box(codec.plan(black_box(&shape)).unwrap())));
    report.bench("make a plan", 1, || {
        let codec = Codec::new(remote.clone());
        drop(black_box(codec.plan(black_box(&shape)).unwrap()));
    });
}

fn shape(fields: &[xos_model_client::ShapeField]) -> Arc<Shape> {
    Arc::new(Shape::new(MODEL, fields.to_vec()))
}

fn value(kind: Kind, at: usize) -> Value {
    match kind {
        Kind::Int32 | Kind::UInt32 if at == 0 => Value::Int(1),
        Kind::Int32 | Kind::UInt32 => Value::Int(1000 + at as i64),
        Kind::Bool => Value::Bool(at.is_multiple_of(2)),
        Kind::Float => Value::Float(at as f32),
        Kind::Date => Value::Time(Timestamp::from_micros(1_700_000_000_000_000 + at as i64)),
        Kind::Link => Value::Link(ObjectId::new(at as i32)),
        Kind::Links => Value::Links((1..=3).map(ObjectId::new).collect()),
        Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip => {
            Value::Text(format!("the text of field number {at}"))
        }
    }
}

struct Report {
    json: bool,
    length: usize,
}

impl Report {
    fn bench(&self, bench: &str, n: usize, mut work: impl FnMut()) {
        work();
        let start = Instant::now();
        work();
        // Long enough for a clock, short enough to be undisturbed.
        let rounds = (1_000_000 / start.elapsed().as_nanos().max(1)).clamp(1, 5000) as usize;
        let mut samples: Vec<f64> = (0..200)
            .map(|_| {
                let start = Instant::now();
                for _ in 0..rounds {
                    work();
                }
                start.elapsed().as_secs_f64() * 1e9 / (rounds * n) as f64
            })
            .collect();
        samples.sort_by(f64::total_cmp);
        let region = Region::new(ALLOCATOR);
        work();
        let allocations = region.change().allocations as f64 / n as f64;
        let (min, p50) = (samples[0], samples[samples.len() / 2]);
        if self.json {
            println!(
                "{{\"bench\": \"{bench}\", \"n\": {n}, \"bytes\": {}, \"ns_min\": {min:.0}, \"ns_p50\": {p50:.0}, \"allocations\": {allocations:.2}}}",
                self.length
            );
        } else {
            println!(
                "{bench:<28} n={n:<5} min {min:>7.0} ns   p50 {p50:>7.0} ns   {allocations:>6.2} allocations"
            );
        }
    }
}
