//! From values to bytes.

use xos_model_client::grpc::__codec::{Codec, NonAscii, encode_id};
use xos_model_client::{Caller, ErrorKind, ObjectId, Timestamp, Touch, Value};

use crate::{WORLD, fields};

const ID: ObjectId = ObjectId::new(42);

/// What setting fields says to a core: the message by an independent library, and the names.
fn set(model: &str, values: &[(&str, Value)], by: Caller, touch: Touch) -> (String, String) {
    let plan = WORLD.plan(model);
    let set = plan.encode_set(ID, &fields(&plan, values), by, touch).unwrap().unwrap();
    (shown(model, &set.message), set.update_fields)
}

fn shown(model: &str, bytes: &[u8]) -> String {
    let message = WORLD.read(model, bytes);
    assert_eq!(message.unknown_fields().count(), 0);
    let mut fields: Vec<_> = message
        .fields()
        .map(|(field, value)| (field.number(), field.name().to_owned(), value.clone()))
        .collect();
    fields.sort_by_key(|(number, ..)| *number);
    fields.iter().map(|(_, name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn ids(ids: &[i32]) -> Value {
    Value::Links(ids.iter().copied().map(ObjectId::new).collect())
}

/// What goes wrong, both when an object is created and when a field is set.
fn fault(model: &str, field: &str, value: Value) -> String {
    let plan = WORLD.plan(model);
    let fields = fields(&plan, &[(field, value)]);
    let create = plan.encode_create(&fields).unwrap_err().to_string();
    let set = plan.encode_set(ID, &fields, Caller::Step, Touch::AsTheRulesSay).unwrap_err();
    assert_eq!(set.to_string(), create.replace(&format!("a new {model}"), &format!("{model} 42")));
    set.to_string()
}

#[test]
fn only_the_id_and_what_is_to_be_stored_is_sent() {
    let as_step = |values: &[(&str, Value)]| set("Slice", values, Caller::Step, Touch::AsTheRulesSay);
    let (message, names) = as_step(&[("name", "mysite_x".into()), ("enabled", Value::Bool(false))]);
    assert_eq!((message.as_str(), names.as_str()), ("id=42 name=\"mysite_x\" enabled=false", "name,enabled"));
    let engine = [("enacted", Value::Time(Timestamp::from_seconds(1.5))), ("backend_code", Value::Int(1))];
    let (message, names) = as_step(&engine);
    assert_eq!(
        (message.as_str(), names.as_str()),
        ("id=42 enacted=1.5 backend_code=1", "enacted,backend_code")
    );
    assert_eq!(&encode_id(ID)[..], [0x08, 42]);
    // Of two values for one field the later one counts, and it is named once.
    let (message, names) =
        as_step(&[("name", "a".into()), ("enabled", Value::Bool(true)), ("name", "b".into())]);
    assert_eq!((message.as_str(), names.as_str()), ("id=42 name=\"b\" enabled=true", "enabled,name"));
}

#[test]
fn updated_is_named_when_it_has_to_move() {
    let name: [(&str, Value); 1] = [("name", "x".into())];
    let names = |by, touch| set("Slice", &name, by, touch).1;
    assert_eq!(names(Caller::Client, Touch::AsTheRulesSay), "name,updated");
    assert_eq!(names(Caller::Pull, Touch::Updated), "name,updated");
    for by in [Caller::Step, Caller::Policy, Caller::Pull, Caller::Engine] {
        assert_eq!(names(by, Touch::AsTheRulesSay), "name");
    }
    // The core computes it: a value for it is not sent.
    let both = [("name", Value::from("x")), ("updated", Value::Time(Timestamp::from_seconds(1.0)))];
    assert_eq!(
        set("Slice", &both, Caller::Client, Touch::AsTheRulesSay),
        ("id=42 name=\"x\"".to_owned(), "name,updated".to_owned())
    );
    assert_eq!(set("Slice", &[], Caller::Pull, Touch::Updated), ("id=42".to_owned(), "updated".to_owned()));
    let plan = WORLD.plan("Slice");
    assert_eq!(plan.encode_set(ID, &[], Caller::Step, Touch::AsTheRulesSay).unwrap(), None);
}

#[test]
fn a_link_is_named_without_id_and_unset_by_0() {
    let as_step = |value: Value| set("Network", &[("owner", value)], Caller::Step, Touch::AsTheRulesSay);
    let expected = |message: &str| (message.to_owned(), "owner".to_owned());
    assert_eq!(as_step(Value::Link(ObjectId::new(5))), expected("id=42 owner_id=5"));
    assert_eq!(as_step(Value::Link(ObjectId::UNSET)), expected("id=42 owner_id=0"));
    assert_eq!(as_step(Value::Null), expected("id=42 owner_id=0"));
    assert_eq!(as_step(Value::Int(7)), expected("id=42 owner_id=7"));
}

#[test]
fn a_list_is_named_only_when_it_is_emptied() {
    let as_step = |values: &[(&str, Value)]| {
        let (message, names) = set("Network", values, Caller::Step, Touch::AsTheRulesSay);
        format!("{message} / {names}")
    };
    let slices = "permitted_slices";
    assert_eq!(as_step(&[(slices, ids(&[]))]), "id=42 / permitted_slices_ids");
    assert_eq!(as_step(&[(slices, Value::Null)]), "id=42 / permitted_slices_ids");
    assert_eq!(
        as_step(&[(slices, ids(&[5, 3, 5])), ("name", "n".into())]),
        "id=42 name=\"n\" permitted_slices_ids=[3,5] / name"
    );
    // Alone it is not named either: something harmless is.
    assert_eq!(as_step(&[(slices, ids(&[3]))]), "id=42 permitted_slices_ids=[3] / updated");
}

#[test]
fn what_the_core_gives_itself_is_left_out_or_refused() {
    let plan = WORLD.plan("Slice");
    let set = |name: &str, value: Value| {
        plan.encode_set(ID, &fields(&plan, &[(name, value)]), Caller::Engine, Touch::AsTheRulesSay)
    };
    assert_eq!(set("id", Value::Int(42)).unwrap(), None);
    for (name, value) in [("id", Value::Int(43)), ("leaf_model_name", Value::from("Slice"))] {
        let error = set(name, value).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotSendable { .. }), "{error}");
        assert!(error.to_string().contains("is given by the core and cannot be changed"), "{error}");
    }
    let kept = [
        ("id", Value::Int(7)),
        ("leaf_model_name", "Slice".into()),
        ("updated", Value::Int(1)),
        ("name", "n".into()),
    ];
    let message = plan.encode_create(&fields(&plan, &kept)).unwrap();
    assert_eq!(shown("Slice", &message), "name=\"n\"");
    assert!(fault("Service", "slices", ids(&[1])).contains("set the link at its other end"));
}

#[test]
fn a_new_object_says_nothing_where_it_has_nothing() {
    let plan = WORLD.plan("Slice");
    let nothing = [("name", Value::from("n")), ("description", Value::Null), ("default_node", Value::Null)];
    let message = plan.encode_create(&fields(&plan, &nothing)).unwrap();
    assert_eq!(shown("Slice", &message), "name=\"n\"");
    // Left out, it would have its default.
    let error = plan.encode_create(&fields(&plan, &[("policy_status", Value::Null)])).unwrap_err();
    assert!(error.to_string().contains("only a link can be unset"), "{error}");
}

#[test]
fn a_value_that_its_field_cannot_hold_names_the_field() {
    for (model, field, value, told) in [
        ("Slice", "name", Value::Int(5), "field \"name\": expected a text, found an integer"),
        ("Slice", "max_instances", Value::Int(1 << 31), "expected an integer (32 bits), found 2147483648"),
        ("Slice", "max_instances", Value::from("5"), "expected an integer (32 bits), found a text"),
        (
            "ServiceInstance",
            "link_deleted_count",
            Value::Int(-1),
            "expected an integer from 0 on (32 bits), found -1",
        ),
        ("ServiceInstance", "link_deleted_count", Value::Int(1 << 32), "found 4294967296"),
        ("Slice", "enabled", Value::Int(1), "expected true or false, found an integer"),
        ("Slice", "enacted", Value::from("now"), "expected a time, found a text"),
        ("Slice", "enacted", Value::Time(Timestamp::from_seconds(f64::NAN)), "found one that is not finite"),
        ("Slice", "site", ids(&[1]), "expected a link to one object, found a list of links"),
        ("Slice", "site", Value::Int(1 << 40), "found 1099511627776"),
        (
            "Network",
            "permitted_slices",
            Value::Int(1),
            "field \"permitted_slices\": expected a list of links",
        ),
        ("Slice", "name", "a\0b".into(), "must not contain the character NUL"),
    ] {
        let error = fault(model, field, value);
        assert!(error.contains(told), "{error}");
    }
    let plan = WORLD.plan("Slice");
    let nothing = fields(&plan, &[("description", Value::Null)]);
    let error = plan.encode_set(ID, &nothing, Caller::Client, Touch::AsTheRulesSay).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotSendable { field, .. } if field == "description"),
        "{error}"
    );
    let error = plan.encode_create(&[(60_000, Value::Null)]).unwrap_err();
    assert!(error.to_string().contains("position 60000 is outside of the shape of Slice"), "{error}");
}

#[test]
fn the_largest_numbers_are_sent() {
    let (message, _) = set(
        "ServiceInstance",
        &[("link_deleted_count", Value::Int(4_294_967_295)), ("backend_code", Value::Int(-2_147_483_648))],
        Caller::Step,
        Touch::AsTheRulesSay,
    );
    assert_eq!(message, "id=42 backend_code=-2147483648 link_deleted_count=4294967295");
}

#[test]
fn texts_about_an_object_are_always_ascii() {
    for field in ["backend_status", "backend_register", "backend_handle", "policy_status"] {
        let (message, _) = set("Slice", &[(field, "se\u{f1}or".into())], Caller::Step, Touch::AsTheRulesSay);
        assert_eq!(message, format!("id=42 {field}=\"se\\\\u{{f1}}or\""));
        // 1000 characters become 6000, and 1024 are the most.
        let long = "\u{f1}".repeat(1000);
        let plan = WORLD.plan("Slice");
        let bytes = plan.encode_create(&fields(&plan, &[(field, long.into())])).unwrap();
        let record = plan.decode(&bytes).unwrap();
        let text = record.get(field).and_then(Value::as_text).unwrap();
        assert!(text.is_ascii() && text.len() == 1024 && text.starts_with("\\u{f1}\\u{f1}"), "{text}");
    }
}

#[test]
fn another_text_that_would_poison_the_model_is_refused() {
    let error = fault("Slice", "description", "se\u{f1}or".into());
    assert_eq!(
        error,
        "Slice 42 is not valid: description: this core holds ASCII only: with '\u{f1}' in it, every list of Slice \
         would fail; write it without"
    );
    let codec = Codec::new(WORLD.remote.clone()).with_non_ascii(NonAscii::Sent);
    let plan = codec.plan(WORLD.plan("Slice").shape()).unwrap();
    let sent = plan.encode_create(&fields(&plan, &[("description", "se\u{f1}or".into())])).unwrap();
    assert_eq!(plan.decode(&sent).unwrap().get("description"), Some(&Value::from("se\u{f1}or")));
}
