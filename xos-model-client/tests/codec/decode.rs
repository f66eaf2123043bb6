//! From bytes to records.

use std::sync::Arc;

use prost_reflect::Value as Other;
use prost_reflect::prost::Message as _;
use xos_model_client::grpc::__codec::Codec;
use xos_model_client::{Caller, ErrorKind, Kind, ObjectId, Shape, ShapeField, Timestamp, Touch, Value};

use crate::WORLD;
use crate::dynamic::compare;
use crate::proto;

fn shape(model: &'static str, fields: &[(&'static str, Kind)]) -> Arc<Shape> {
    let fields = fields.iter().map(|(name, kind)| ShapeField { name: (*name).into(), kind: *kind });
    Arc::new(Shape::new(model, fields))
}

/// A field on the wire: tag and bytes of the value.
fn field(number: u32, wire_type: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut key = number << 3 | wire_type;
    while key >= 0x80 {
        bytes.push(key as u8 | 0x80);
        key >>= 7;
    }
    bytes.push(key as u8);
    bytes.extend_from_slice(value);
    bytes
}

#[test]
fn an_absent_field_is_nothing_and_an_absent_list_is_empty() {
    let plan = WORLD.plan("Network");
    let record = plan.decode(&[]).unwrap();
    assert_eq!(record.get("name"), Some(&Value::Null));
    assert_eq!(record.get("owner"), Some(&Value::Null));
    assert_eq!(record.get("permitted_slices"), Some(&Value::Links(vec![])));
    assert_eq!(record.get("links"), Some(&Value::Links(vec![])), "a way back");
    compare(&record, &WORLD.read("Network", &[]), "nothing");
}

#[test]
fn what_is_there_is_kept_also_when_it_is_zero_or_empty() {
    let mut message = WORLD.read("Slice", &[]);
    message.set_field_by_name("name", Other::String(String::new()));
    message.set_field_by_name("enabled", Other::Bool(false));
    message.set_field_by_name("max_instances", Other::I32(0));
    message.set_field_by_name("updated", Other::F64(f64::from_bits(0x41D7_E9A3_1234_5679)));
    message.set_field_by_name("site_id", Other::I32(7));
    let record = WORLD.plan("Slice").decode(&message.encode_to_vec()).unwrap();
    assert_eq!(record.get("name"), Some(&Value::from("")));
    assert_eq!(record.get("enabled"), Some(&Value::Bool(false)));
    assert_eq!(record.get("max_instances"), Some(&Value::Int(0)));
    assert_eq!(record.get("site"), Some(&Value::Link(ObjectId::new(7))));
    let updated = record.get("updated").and_then(Value::as_time).map(|time| time.seconds().to_bits());
    assert_eq!(updated, Some(0x41D7_E9A3_1234_5679), "bit for bit");
    compare(&record, &message, "zeros");
}

#[test]
fn the_last_value_counts_and_lists_add_up() {
    let name = |text: &[u8]| field(101, 2, &[&[text.len() as u8], text].concat());
    // Two packed parts and one member by itself.
    let lists = [field(118, 2, &[2, 1, 2]), field(118, 0, &[3]), field(118, 2, &[1, 4])].concat();
    let bytes = [name(b"one"), lists, name(b"two")].concat();
    let record = WORLD.plan("Network").decode(&bytes).unwrap();
    assert_eq!(record.get("name"), Some(&Value::from("two")));
    let ids = [1, 2, 3, 4].map(ObjectId::new).to_vec();
    assert_eq!(record.get("permitted_slices"), Some(&Value::Links(ids)));
    compare(&record, &WORLD.read("Network", &bytes), "repeated");
}

#[test]
fn only_what_the_shape_asks_for_is_looked_at() {
    let plan = WORLD.codec.plan(&shape("Network", &[("name", Kind::Text), ("id", Kind::Int32)])).unwrap();
    // A subnet that is no UTF-8, fields that nobody knows, a group.
    let unknown =
        [field(1999, 0, &[1]), field(30_000, 2, &[1, b'x']), vec![0xfb, 0x7c, 0x08, 0x01, 0xfc, 0x7c]];
    let bytes =
        [field(103, 2, &[1, 0xff]), unknown.concat(), field(1, 0, &[9]), field(101, 2, &[1, b'n'])].concat();
    let record = plan.decode(&bytes).unwrap();
    assert_eq!(record.values(), [Value::from("n"), Value::Int(9)]);
    assert_eq!(record.id(), ObjectId::new(9));
}

#[test]
fn a_link_may_be_asked_for_with_id_and_twice() {
    let asked = [("owner_id", Kind::Link), ("owner", Kind::Link), ("permitted_slices_ids", Kind::Links)];
    let plan = WORLD.codec.plan(&shape("Network", &asked)).unwrap();
    let bytes = [field(108, 0, &[5]), field(118, 2, &[1, 4])].concat();
    let (five, four) = (Value::Link(ObjectId::new(5)), Value::Links(vec![ObjectId::new(4)]));
    assert_eq!(plan.decode(&bytes).unwrap().values(), [five.clone(), five, four]);
}

#[test]
fn numbers_have_the_width_of_their_type() {
    let plan = WORLD.plan("ServiceInstance");
    let minus_one = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    for (bytes, name, expected) in [
        (field(10, 0, &minus_one), "backend_code", Value::Int(-1)),
        (field(10, 0, &[0xff, 0xff, 0xff, 0xff, 0x0f]), "backend_code", Value::Int(-1)),
        (field(111, 0, &[0xff, 0xff, 0xff, 0xff, 0x0f]), "link_deleted_count", Value::Int(4_294_967_295)),
        (field(7, 0, &[0x80, 0x01]), "backend_need_delete", Value::Bool(true)),
    ] {
        let record = plan.decode(&bytes).unwrap();
        assert_eq!(record.get(name), Some(&expected), "{name}");
        compare(&record, &WORLD.read("ServiceInstance", &bytes), name);
    }
    let time = Value::Time(Timestamp::from_seconds(-0.0));
    let record = plan.decode(&field(3, 1, &(-0.0_f64).to_le_bytes())).unwrap();
    assert!(crate::dynamic::same(record.get("updated").unwrap(), &time));
}

#[test]
fn a_value_of_another_type_names_object_and_field() {
    let plan = WORLD.plan("Network");
    for (bytes, named, expected, found) in [
        (field(101, 0, &[1]), "name", "a text", "a varint on the wire"),
        (field(101, 2, &[1, 0xff]), "name", "a text", "a text that is no UTF-8"),
        (field(3, 2, &[1, b'x']), "updated", "a time", "a length and bytes on the wire"),
        (field(108, 2, &[1, 1]), "owner", "a link to one object", "a length and bytes on the wire"),
        (field(118, 5, &[0; 4]), "permitted_slices", "a list of links", "4 bytes on the wire"),
        (
            field(118, 2, &[1, 0x80]),
            "permitted_slices",
            "a list of links",
            "the message ends within a varint",
        ),
        (field(101, 2, &[9, b'x']), "name", "a text", "the length leads past the end of the message"),
        (field(1999, 2, &[9]), "(the whole object)", "a protobuf message", "leads past the end"),
    ] {
        // The id is found although it is behind what is broken, where that can be skipped.
        let bytes = [field(1, 0, &[42]), bytes].concat();
        let error = plan.decode(&bytes).unwrap_err();
        let ErrorKind::Convert { model, id, field, expected: what, .. } = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(
            (model.as_ref(), id.get(), field.as_str(), what.as_str()),
            ("Network", 42, named, expected)
        );
        assert!(error.to_string().contains(found), "{error}");
    }
    let late = [field(101, 0, &[1]), field(1, 0, &[43])].concat();
    assert!(plan.decode(&late).unwrap_err().to_string().starts_with("Network 43, field \"name\""));
}

#[test]
fn one_broken_object_is_not_the_failure_of_its_list() {
    let plan = WORLD.plan("Network");
    let good = field(1, 0, &[1]);
    let bad = [field(1, 0, &[2]), field(101, 2, &[1, 0xff])].concat();
    let item = |bytes: &[u8]| field(1, 2, &[&[bytes.len() as u8], bytes].concat());
    let list = [item(&good), item(&bad), field(9, 0, &[1]), item(&good)].concat();
    let found = plan.decode_list(&list).unwrap();
    assert_eq!(found.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert!(found[1].as_ref().unwrap_err().to_string().starts_with("Network 2, field \"name\""));
    let cut = plan.decode_list(&list[..list.len() - 1]).unwrap_err();
    assert!(cut.to_string().contains("the length leads past the end"), "{cut}");
    assert_eq!(plan.decode_list(&[]).unwrap().len(), 0);
}

#[test]
fn a_shape_that_the_core_does_not_know_is_an_error() {
    let plan = |shape: &Arc<Shape>| WORLD.codec.plan(shape).map(drop).unwrap_err();
    let error = plan(&shape("Servcie", &[]));
    assert!(
        matches!(error.kind(), ErrorKind::NoSuchModel { like: Some(like), .. } if like == "Service"),
        "{error}"
    );
    let error = plan(&shape("Service", &[("nmae", Kind::Text)]));
    assert!(
        matches!(error.kind(), ErrorKind::NoSuchField { like: Some(like), .. } if like == "name"),
        "{error}"
    );
    let error = plan(&shape("XOSBase", &[]));
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
}

#[test]
fn a_field_that_only_another_version_of_the_core_has_reads_as_nothing() {
    let fields = format!("{}oneof name_present {{ string name = 101; }}", proto::BASE);
    let (remote, _) = proto::read(&proto::file(&[("Site", "Sites", fields)]), &[]);
    let codec = Codec::new(remote);
    let plan = codec.plan(&shape("Site", &[("id", Kind::Int32), ("site_url", Kind::Text)])).unwrap();
    let record = plan.decode(&self::field(1, 0, &[7])).unwrap();
    assert_eq!(record.values(), [Value::Int(7), Value::Null]);
    let set = [(1, Value::from("x"))];
    let error = plan.encode_set(ObjectId::new(7), &set, Caller::Step, Touch::AsTheRulesSay).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoSuchField { .. }), "{error}");
}

#[test]
fn a_plan_is_made_once_and_many_shapes_do_not_pile_up() {
    let first = shape("Site", &[("name", Kind::Text)]);
    assert!(Arc::ptr_eq(&WORLD.codec.plan(&first).unwrap(), &WORLD.codec.plan(&first).unwrap()));
    let plans: Vec<_> =
        (0..3000).map(|_| Arc::downgrade(&WORLD.codec.plan(&shape("Site", &[])).unwrap())).collect();
    assert!(plans.iter().filter(|plan| plan.strong_count() > 0).count() <= 1024);
}
