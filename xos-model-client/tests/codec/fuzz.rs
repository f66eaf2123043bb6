//! Bytes that nobody meant: no panic, and what an independent library can read, we read as the same.
//!
//! `cargo test` gives each target a bounded number of inputs. For longer: `.ci/fuzz wire_fields 1800`.

use std::sync::LazyLock;

use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;
use xos_model_client::Value;
use xos_model_client::grpc::__codec::RemoteSchema;

use crate::dynamic::compare;
use crate::{WORLD, fields, proto};

const MODEL: &str = "Network";

fn check(bytes: &[u8]) {
    let plan = WORLD.plan(MODEL);
    let ours = plan.decode(bytes);
    let _ = plan.decode_list(bytes);
    if let Ok(message) = DynamicMessage::decode(WORLD.message(MODEL), bytes) {
        compare(&ours.unwrap(), &message, &format!("{bytes:?}"));
    }
}

#[test]
fn any_bytes() {
    bolero::check!().with_iterations(5_000).for_each(check);
}

/// Fields of the model, and others, with values of any type.
#[test]
fn any_fields() {
    let numbers = [1_u32, 2, 6, 10, 11, 101, 102, 108, 117, 118, 1002, 1004, 2046, 5000];
    bolero::check!().with_iterations(5_000).with_type::<Vec<(u8, u8, u64, Vec<u8>)>>().for_each(|parts| {
        let mut bytes = Vec::new();
        let put = |bytes: &mut Vec<u8>, mut value: u64| {
            while value >= 0x80 {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
        };
        for (number, wire_type, value, text) in parts {
            let number = numbers[usize::from(*number) % numbers.len()];
            let wire_type = [0, 0, 1, 2, 2, 2, 5, 3][usize::from(*wire_type) % 8];
            put(&mut bytes, u64::from(number << 3 | wire_type));
            match wire_type {
                0 => put(&mut bytes, *value),
                1 => bytes.extend_from_slice(&value.to_le_bytes()),
                5 => bytes.extend_from_slice(&(*value as u32).to_le_bytes()),
                3 => put(&mut bytes, u64::from(number << 3 | 4)),
                _ => {
                    let text = &text[..text.len().min(20)];
                    put(&mut bytes, text.len() as u64);
                    bytes.extend_from_slice(text);
                }
            }
        }
        check(&bytes);
    });
}

/// A good message with a few bytes changed.
#[test]
fn damaged_messages() {
    static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let plan = WORLD.plan(MODEL);
        let slices = Value::Links((1..300).map(xos_model_client::ObjectId::new).collect());
        let values = [("name", "a network".into()), ("owner", Value::Int(7)), ("permitted_slices", slices)];
        plan.encode_create(&fields(&plan, &values)).unwrap().to_vec()
    });
    bolero::check!().with_iterations(5_000).with_type::<(u16, Vec<(u16, u8)>)>().for_each(
        |(cut, changes)| {
            let mut bytes = WHOLE.clone();
            for (at, byte) in changes.iter().take(4) {
                let at = usize::from(*at) % bytes.len();
                bytes[at] = *byte;
            }
            check(&bytes);
            check(&bytes[..usize::from(*cut) % bytes.len()]);
        },
    );
}

/// An answer of `GetSchema` with a few bytes of its descriptor changed.
#[test]
fn damaged_descriptors() {
    static SET: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let link = r#" oneof to_present { int32 to_id = 101 [(foreignKey).modelName = "A", (foreignKey).reverseFieldName = "bs"]; }"#;
        let back = r#" repeated int32 bs_ids = 1000 [(reverseForeignKey).modelName = "B"];"#;
        let a = proto::BASE.to_owned() + back;
        proto::compile(&proto::file(&[("A", "As", a), ("B", "Bs", proto::BASE.to_owned() + link)]))
    });
    // The library behind it panics on some of them; that is caught, and need not be shown.
    let shown = std::panic::take_hook();
    let this = std::thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() != this {
            shown(info);
        }
    }));
    let ours = SET.windows(4).position(|bytes| bytes == b"A\x12\x00\x00" || bytes == b"ValR").unwrap();
    bolero::check!().with_iterations(500).with_type::<Vec<(u16, u8)>>().for_each(|changes| {
        let mut set = SET.clone();
        for (at, byte) in changes.iter().take(4) {
            // What is behind the files of protobuf itself.
            let at = ours + usize::from(*at) % (set.len() - ours);
            set[at] = *byte;
        }
        let read = std::panic::catch_unwind(|| {
            drop(RemoteSchema::read(&proto::answer(&set), &crate::known(), None));
        });
        assert!(read.is_ok(), "{changes:?}");
    });
    let _ = std::panic::take_hook();
}

/// Any bytes as the answer itself.
#[test]
fn any_answer() {
    bolero::check!().with_iterations(5_000).for_each(|bytes: &[u8]| {
        let _ = RemoteSchema::read(bytes, &[], None);
        let _ = RemoteSchema::read_files(&[bytes.to_vec(), bytes.to_vec()], &[], None);
    });
    let whole = WORLD.message(MODEL).parent_pool().encode_to_vec();
    assert!(DynamicMessage::decode(WORLD.message(MODEL), [].as_slice()).unwrap().encode_to_vec().is_empty());
    assert!(RemoteSchema::read(&proto::answer(&whole), &[], None).is_ok());
}
