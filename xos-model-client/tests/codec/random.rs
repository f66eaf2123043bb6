//! Random models and random records: what we write, an independent library reads as the same, and the other way round.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, Value as Other};
use xos_model_client::grpc::__codec::{Codec, NonAscii, RemoteSchema};
use xos_model_client::models::XosBase;
use xos_model_client::{
    Caller, FieldDef, FieldPos, Kind, LinkDef, Model as _, ModelDef, ModelInfo, ObjectId, Presence, Schema,
    Timestamp, Touch, Value,
};

use crate::dynamic::{compare, full_shape, position, same, value_in};
use crate::proto;

/// A model: what it inherits from, and its fields.
type Drawn = (Index, Vec<DrawnField>);

#[derive(Clone, Debug)]
struct DrawnField {
    number: u16,
    kind: Kind,
    target: Index,
    back: bool,
    max_length: Option<u32>,
}

fn field() -> impl Strategy<Value = DrawnField> {
    let kinds = prop_oneof![
        3 => Just(Kind::Text),
        1 => Just(Kind::Stripped),
        1 => Just(Kind::Url),
        2 => Just(Kind::Int32),
        1 => Just(Kind::UInt32),
        1 => Just(Kind::Bool),
        1 => Just(Kind::Float),
        1 => Just(Kind::Date),
        2 => Just(Kind::Link),
        1 => Just(Kind::Links),
    ];
    let max_length = prop_oneof![Just(None), (1..4000_u32).prop_map(Some)];
    (1..=99_u16, kinds, any::<Index>(), any::<bool>(), max_length).prop_map(
        |(number, kind, target, back, max_length)| DrawnField { number, kind, target, back, max_length },
    )
}

fn models() -> impl Strategy<Value = Vec<Drawn>> {
    prop::collection::vec((any::<Index>(), prop::collection::vec(field(), 1..9)), 1..6)
}

fn define(drawn: &[Drawn]) -> Vec<ModelDef> {
    let name = |at: usize| format!("Model{at}");
    let mut backs = 1000;
    let mut defs = vec![XosBase::def().clone()];
    for (at, (base, drawn_fields)) in drawn.iter().enumerate() {
        let mut numbers = BTreeSet::new();
        let mut fields: Vec<FieldDef> = Vec::new();
        for drawn_field in drawn_fields.iter().filter(|field| numbers.insert(field.number)) {
            let is_link = matches!(drawn_field.kind, Kind::Link | Kind::Links);
            let text = drawn_field.kind.is_text();
            let mut field = XosBase::def().fields[1].clone();
            field.name = format!("m{at}_f{}", drawn_field.number).into();
            field.number = drawn_field.number;
            field.kind = drawn_field.kind;
            field.presence = if drawn_field.back { Presence::Required } else { Presence::Optional };
            field.auto_now_add = false;
            field.bookkeeping = drawn_field.number % 5 == 0;
            field.max_length = drawn_field.max_length.filter(|_| text);
            field.text = text && field.max_length.is_none();
            field.link = is_link.then(|| LinkDef {
                target: name(drawn_field.target.index(drawn.len())).into(),
                reverse: drawn_field.back.then(|| format!("m{at}_b{}", drawn_field.number).into()),
                reverse_number: drawn_field.back.then(|| {
                    backs += 1;
                    backs
                }),
            });
            fields.push(field);
        }
        let mut def = XosBase::def().clone();
        def.name = name(at).into();
        def.is_abstract = false;
        def.custom_python = false;
        // The base of all, or one of the models before.
        let base = base.index(at + 1);
        def.base = Some(if base == at { "XOSBase".into() } else { name(base).into() });
        def.fields = fields.into();
        defs.push(def);
    }
    defs
}

fn value(kind: Kind, is_sent: bool) -> BoxedStrategy<Value> {
    let id = any::<i32>().prop_map(ObjectId::new);
    match kind {
        Kind::Int32 => any::<i32>().prop_map(|int| Value::Int(int.into())).boxed(),
        Kind::UInt32 => any::<u32>().prop_map(|int| Value::Int(int.into())).boxed(),
        Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::Float => {
            let finite = move |float: &f32| !is_sent || float.is_finite();
            any::<u32>().prop_map(f32::from_bits).prop_filter("finite", finite).prop_map(Value::Float).boxed()
        }
        Kind::Date => {
            let finite = move |seconds: &f64| !is_sent || seconds.is_finite();
            let times = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", finite);
            times.prop_map(|seconds| Value::Time(Timestamp::from_seconds(seconds))).boxed()
        }
        Kind::Link => id.prop_map(Value::Link).boxed(),
        Kind::Links => {
            let order = move |mut ids: Vec<ObjectId>| {
                if is_sent {
                    ids.sort_unstable();
                    ids.dedup();
                }
                Value::Links(ids)
            };
            prop::collection::vec(id, 0..20).prop_map(order).boxed()
        }
        // Every character, but the one that Postgres refuses.
        _ => ".{0,30}".prop_map(|text: String| Value::Text(text.replace('\0', ""))).boxed(),
    }
}

/// What is seen of a model from outside.
fn seen(schema: &Schema, info: &ModelInfo, with_backs: bool) -> Vec<String> {
    let name = |id| schema.by_id(id).unwrap().name().to_string();
    let mut seen = vec![format!(
        "{:?} root {}",
        info.chain.iter().map(|id| name(*id)).collect::<Vec<_>>(),
        name(info.root)
    )];
    seen.extend(info.fields.iter().map(|field| {
        let kind = if field.def.kind.is_text() { Kind::Text } else { field.def.kind };
        format!(
            "{} {} {kind:?} {:?} in {}",
            field.def.name,
            field.wire_number,
            field.target.map(name),
            name(field.declared_in)
        )
    }));
    if with_backs {
        seen.extend(info.reverse.iter().map(|link| {
            format!("{} from {}.{} {}", link.name, name(link.from), link.field, link.wire_number)
        }));
    }
    seen.sort();
    seen
}

fn dynamic(value: &Value, field: &prost_reflect::FieldDescriptor) -> Option<Other> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(bool) => Other::Bool(*bool),
        Value::Int(int) if matches!(field.kind(), prost_reflect::Kind::Uint32) => Other::U32(*int as u32),
        Value::Int(int) => Other::I32(*int as i32),
        Value::Float(float) => Other::F32(*float),
        Value::Time(time) => Other::F64(time.seconds()),
        Value::Text(text) => Other::String(text.clone()),
        Value::Secret(secret) => Other::String(secret.expose().to_owned()),
        Value::Link(id) => Other::I32(id.get()),
        Value::Links(ids) => Other::List(ids.iter().map(|id| Other::I32(id.get())).collect()),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_of_random_models(drawn in models(), pick in any::<Index>(), seed in any::<[u8; 32]>()) {
        let defs = define(&drawn);
        let schema = Schema::new(&defs).unwrap();
        let text = proto::file_of(&schema);
        let known: Vec<&ModelDef> = defs.iter().collect();
        let (remote, pool) = proto::read(&text, &known);
        let unknown = RemoteSchema::read(&proto::answer(&proto::compile(&text)), &[], None).unwrap();
        for info in schema.models() {
            let theirs = remote.schema.model(info.name()).unwrap();
            prop_assert_eq!(seen(&remote.schema, theirs, true), seen(&schema, info, true), "known");
            let theirs = unknown.schema.model(info.name()).unwrap();
            prop_assert_eq!(seen(&unknown.schema, theirs, false), seen(&schema, info, false), "unknown");
        }
        prop_assert_eq!(remote.differences(&known).iter().filter(|found| found.matters).count(), 0);

        let model = format!("Model{}", pick.index(drawn.len()));
        let shape = full_shape(&remote, &model);
        let info = remote.schema.model(&model).unwrap();
        let codec = Codec::new(Arc::clone(&remote)).with_non_ascii(NonAscii::Sent);
        let plan = codec.plan(&shape).unwrap();
        let descriptor = pool.get_message_by_name(&format!("xos.{model}")).unwrap();
        let mut runner = proptest::test_runner::TestRunner::new_with_rng(
            ProptestConfig::default(),
            proptest::test_runner::TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &seed),
        );
        let mut draw = |kind: Kind, is_sent: bool| -> Value {
            let drawn = prop::option::of(value(kind, is_sent)).new_tree(&mut runner).unwrap();
            proptest::strategy::ValueTree::current(&drawn).unwrap_or_default()
        };

        // We write, the other reads.
        let kept = ["id", "updated", "leaf_model_name"];
        let escaped = ["backend_status", "backend_register", "backend_handle", "policy_status"];
        let mut sent: Vec<(FieldPos, Value)> = Vec::new();
        for (at, field) in shape.fields().iter().enumerate() {
            let name = field.name.as_ref();
            if info.field(name).is_none() || kept.contains(&name) || escaped.contains(&name) {
                continue;
            }
            let value = draw(field.kind, true);
            if !value.is_null() {
                sent.push((at as FieldPos, value));
            }
        }
        let created = plan.encode_create(&sent).unwrap();
        let id = ObjectId::new(77);
        let set = plan.encode_set(id, &sent, Caller::Step, Touch::AsTheRulesSay).unwrap();
        for bytes in [Some(created), set.map(|set| set.message)].into_iter().flatten() {
            let message = DynamicMessage::decode(descriptor.clone(), bytes).unwrap();
            prop_assert_eq!(message.unknown_fields().count(), 0);
            for field in descriptor.fields() {
                let Some(at) = position(&shape, &field) else { continue };
                let found = value_in(&message, &field, shape.fields()[at].kind);
                let given = sent.iter().find(|(position, _)| *position as usize == at).map(|(_, value)| value);
                let absent = if field.is_list() { Value::Links(vec![]) } else { Value::Null };
                let is_id = field.number() == 1 && message.has_field(&field);
                let expected = if is_id { Value::Int(77) } else { given.cloned().unwrap_or(absent) };
                prop_assert!(same(&found, &expected), "{}: {found:?} is not {expected:?}", field.name());
            }
        }

        // The other writes, we read: also what a client never sends.
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            let Some(at) = position(&shape, &field) else {
                message.set_field(&field, Other::String("computed".into()));
                continue;
            };
            if let Some(value) = dynamic(&draw(shape.fields()[at].kind, false), &field) {
                message.set_field(&field, value);
            }
        }
        let record = plan.decode(&message.encode_to_vec()).unwrap();
        compare(&record, &message, &model);
    }
}
