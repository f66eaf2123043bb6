//! Whatever the bytes are: no call panics, none is a fault of the server.

use proptest::prelude::*;
use tonic::Code;
use xos_model_client::{FieldInfo, Kind, ModelAccessor as _, ObjectId, Timestamp, Value};

use crate::lab::{Lab, link, query, text};

const OPERATIONS: [&str; 6] = ["List", "Filter", "Get", "Create", "Update", "Delete"];
const MODELS: [&str; 8] = [
    "Site",
    "Service",
    "ServiceInstance",
    "ServiceInstanceLink",
    "Slice",
    "NodeLabel",
    "User",
    "BackupOperation",
];
const NAMES: [&str; 6] = ["", "name", "updated,name", "node_ids", "owner_id,password", "deleted,enacted"];

/// A change of a message: a byte of it, its end, or bytes behind it.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Byte(usize, u8),
    Cut(usize),
    More(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::None),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        any::<usize>().prop_map(Damage::Cut),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Damage::More),
    ]
}

/// A message as a client would send it, with odd values in its fields.
fn message(lab: &Lab, operation: &str, model: &str, seed: usize) -> Vec<u8> {
    match operation {
        "Filter" => {
            let names =
                ["name", "id", "owner__name", "updated", "name__iregex", "node", "creator__email", "pk__in"];
            let value = if seed.is_multiple_of(3) {
                Value::Int(seed as i64 % 7 - 1)
            } else {
                text(["(", "1", "True", "2020-01-01"][seed % 4])
            };
            query(seed as i32 % 7, &[(seed as i32 % 11, names[seed % names.len()], value)]).to_vec()
        }
        "Create" | "Update" => {
            let schema = lab.core.schema();
            let fields = &schema.model(model).unwrap().fields;
            let odd = |at: usize, field: &FieldInfo| {
                let choice = (seed / 7 + at) % 4;
                match field.def.kind {
                    // A password takes long to hash.
                    _ if choice == 0 || field.def.name == "password" => Value::Null,
                    kind if kind.is_text() => text(["", "\u{0}größer", "a"][choice - 1]),
                    Kind::Int32 | Kind::UInt32 => Value::Int([0, i64::from(i32::MIN), 7][choice - 1]),
                    Kind::Float => Value::Float([0.0, f32::INFINITY, f32::NAN][choice - 1]),
                    Kind::Date => Value::Time(Timestamp::from_seconds([0.0, f64::NAN, -1e300][choice - 1])),
                    Kind::Link => link([1, -1, i32::MAX][choice - 1]),
                    Kind::Links => Value::Links(vec![ObjectId::new(choice as i32 - 2), ObjectId::new(1)]),
                    _ => Value::Bool(choice == 1),
                }
            };
            let fields: Vec<(&str, Value)> = fields
                .iter()
                .enumerate()
                .map(|(at, field)| (field.def.name.as_ref(), odd(at, field)))
                .collect();
            let mut message = crate::lab::id_message(1 + seed as i32 % 3).to_vec();
            message.extend(lab.message(model, &fields[1..]));
            message
        }
        _ => crate::lab::id_message(seed as i32).to_vec(),
    }
}

#[test]
fn no_message_is_more_than_the_server_can_bear() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lab = runtime.block_on(async {
        let lab = Lab::new().await;
        for name in ["a", "b"] {
            lab.create("Service", &[("name", text(name))]).await.unwrap();
        }
        lab
    });
    let known = [
        Code::Ok,
        Code::InvalidArgument,
        Code::NotFound,
        Code::PermissionDenied,
        // A rule of the core that is broken, and a query that means nothing: in its own words.
        Code::Unknown,
    ];
    let case = (0..OPERATIONS.len(), 0..MODELS.len(), any::<u16>(), damage(), 0..=NAMES.len(), any::<bool>());
    let config = ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((operation, model, seed, damage, names, by_synchronizer) in case)| {
        let (operation, model) = (OPERATIONS[operation], MODELS[model]);
        let mut bytes = message(&lab, operation, model, usize::from(seed));
        match damage {
            Damage::Byte(at, byte) if !bytes.is_empty() => { let at = at % bytes.len(); bytes[at] = byte; }
            Damage::None | Damage::Byte(..) => {}
            Damage::Cut(at) => bytes.truncate(at % (bytes.len() + 1)),
            Damage::More(more) => bytes.extend(more),
        }
        let mut metadata = Vec::new();
        metadata.extend(NAMES.get(names).map(|names| ("update_fields", *names)));
        if by_synchronizer {
            metadata.extend([("caller_kind", "synchronizer"), ("is_sync_save", "1")]);
        }
        let method = format!("{operation}{model}");
        let call = lab.call(&method, &metadata, bytes);
        let code = runtime.block_on(call).map_or_else(|status| (status.code(), status.message().to_owned()), |_| (Code::Ok, String::new()));
        prop_assert!(known.contains(&code.0), "{method}: {code:?}");
    });
    // It still answers.
    runtime.block_on(lab.call("ListService", &[], "")).unwrap();
}
