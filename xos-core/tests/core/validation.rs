//! What a value must be like; one test for each rule.

use xos_core::EmbeddedCore;
use xos_model_client::{Caller, ChoiceDef, DefaultValue, FieldDef, Kind, ObjectId, Timestamp, Value};

use crate::common::*;

/// A core with a model `Thing` that has these fields.
async fn with(fields: Vec<FieldDef>) -> EmbeddedCore {
    core_with(vec![model("Thing", "XOSBase", fields)]).await
}

async fn refused(core: &EmbeddedCore, fields: &[(&str, Value)], about: &str) -> String {
    fault_of(&create(core, "Thing", fields).await.unwrap_err(), about)
}

#[tokio::test]
async fn a_required_text_must_not_be_blank() {
    let core = with(vec![
        required(field(1, "a", Kind::Text)),
        required(with_default(field(2, "b", Kind::Text), DefaultValue::Text("x".into()))),
    ])
    .await;
    assert!(refused(&core, &[], "a").await.contains("must not be blank"));
    assert!(refused(&core, &[("a", "".into())], "a").await.contains("must not be blank"));
    assert!(refused(&core, &[("a", "1".into()), ("b", "".into())], "b").await.contains("must not be blank"));
    let id = create(&core, "Thing", &[("a", "1".into())]).await.unwrap().id();
    let error = set(&core, "Thing", id, &[("a", Value::Null)], Caller::Client).await.unwrap_err();
    assert!(fault_of(&error, "a").contains("must not be blank"));
}

#[tokio::test]
async fn an_optional_text_may_be_empty_or_absent() {
    let core = with(vec![field(1, "a", Kind::Text), field(2, "b", Kind::Text)]).await;
    let record = create(&core, "Thing", &[("a", "".into())]).await.unwrap();
    assert_eq!((record.get("a"), record.get("b")), (Some(&Value::from("")), Some(&Value::Null)));
}

#[tokio::test]
async fn a_required_value_must_be_there() {
    let core = with(vec![
        required(field(1, "n", Kind::Int32)),
        required(link(2, "s", "Service")),
        required(field(3, "t", Kind::Date)),
    ])
    .await;
    let error = create(&core, "Thing", &[]).await.unwrap_err();
    let fields: Vec<_> = faults(&error).into_iter().map(|fault| fault.field.unwrap()).collect();
    assert_eq!(fields, ["n", "s", "t"]);
}

#[tokio::test]
async fn a_bool_that_is_not_given_is_false() {
    let core = with(vec![required(field(1, "a", Kind::Bool)), field(2, "b", Kind::Bool)]).await;
    let record = create(&core, "Thing", &[]).await.unwrap();
    assert_eq!((record.get("a"), record.get("b")), (Some(&Value::Bool(false)), Some(&Value::Bool(false))));
}

#[tokio::test]
async fn max_length_counts_characters() {
    let core = with(vec![FieldDef { max_length: Some(5), ..field(1, "a", Kind::Text) }]).await;
    create(&core, "Thing", &[("a", "größe".into())]).await.unwrap();
    assert_eq!(refused(&core, &[("a", "größer".into())], "a").await, "has at most 5 characters, found 6");
}

#[tokio::test]
async fn a_text_with_choices_is_one_of_them() {
    let choice = |value: &'static str| ChoiceDef { value: Some(value.into()), label: value.into() };
    let choices = vec![choice("in"), choice("out")];
    let core = with(vec![FieldDef { choices: choices.into(), ..field(1, "a", Kind::Text) }]).await;
    for good in [Value::from("in"), "out".into(), "".into(), Value::Null] {
        create(&core, "Thing", &[("a", good)]).await.unwrap();
    }
    assert_eq!(refused(&core, &[("a", "up".into())], "a").await, "is one of in, out, found \"up\"");
}

#[tokio::test]
async fn a_stripped_text_is_trimmed() {
    let core = with(vec![
        required(FieldDef { max_length: Some(3), ..field(1, "a", Kind::Stripped) }),
        field(2, "b", Kind::Text),
    ])
    .await;
    let record = create(&core, "Thing", &[("a", "  abc\n".into()), ("b", " x ".into())]).await.unwrap();
    assert_eq!((text(&record, "a"), text(&record, "b")), ("abc".to_owned(), " x ".to_owned()));
    assert!(refused(&core, &[("a", "   ".into())], "a").await.contains("must not be blank"));
}

#[tokio::test]
async fn an_ip_and_a_url_are_checked_and_never_told() {
    let core = with(vec![field(1, "ip", Kind::Ip), field(2, "url", Kind::Url)]).await;
    create(&core, "Thing", &[("ip", "10.0.0.1".into()), ("url", "https://a.b/c?d".into())]).await.unwrap();
    create(&core, "Thing", &[("ip", "fe80::1".into()), ("url", "".into())]).await.unwrap();
    for (field, value) in [("ip", "10.0.0.256"), ("url", "secret:word@host")] {
        let told = refused(&core, &[(field, value.into())], field).await;
        assert!(told.contains("expected") && !told.contains(value), "{told}");
    }
}

#[tokio::test]
async fn an_integer_fits_into_32_bits() {
    let core = with(vec![field(1, "i", Kind::Int32), field(2, "u", Kind::UInt32)]).await;
    for (name, value, good) in [
        ("i", i64::from(i32::MAX), true),
        ("i", i64::from(i32::MIN), true),
        ("i", i64::from(i32::MAX) + 1, false),
        ("u", i64::from(u32::MAX), true),
        ("u", i64::from(u32::MAX) + 1, false),
        ("u", -1, false),
    ] {
        let created = create(&core, "Thing", &[(name, Value::Int(value))]).await;
        assert_eq!(created.is_ok(), good, "{name} {value}");
        if let Err(error) = created {
            assert!(fault_of(&error, name).contains(&value.to_string()), "{error}");
        }
    }
}

#[tokio::test]
async fn a_value_of_another_kind_is_refused() {
    let core = with(vec![
        field(1, "i", Kind::Int32),
        field(2, "t", Kind::Text),
        field(3, "f", Kind::Float),
        field(4, "d", Kind::Date),
        field(5, "b", Kind::Bool),
        link(6, "s", "Service"),
    ])
    .await;
    for (name, value) in [
        ("i", Value::from("1")),
        ("t", Value::Int(1)),
        ("f", Value::Float(f32::NAN)),
        ("d", Value::Time(Timestamp::from_seconds(f64::INFINITY))),
        ("b", Value::Int(1)),
        ("s", Value::from("x")),
        ("t", Value::from("a\0b")),
    ] {
        refused(&core, &[(name, value)], name).await;
    }
    let record = create(&core, "Thing", &[("f", Value::Int(2))]).await.unwrap();
    assert_eq!(record.get("f"), Some(&Value::Float(2.0)));
}

#[tokio::test]
async fn all_faults_of_an_object_are_told_together() {
    let core = with(vec![
        required(field(1, "a", Kind::Text)),
        FieldDef { max_length: Some(2), ..field(2, "b", Kind::Text) },
        field(3, "c", Kind::Int32),
        link(4, "d", "Service"),
    ])
    .await;
    let fields = [("b", Value::from("xyz")), ("c", "no".into()), ("d", ObjectId::new(99).into())];
    let error = create(&core, "Thing", &fields).await.unwrap_err();
    let mut about: Vec<_> = faults(&error).into_iter().map(|fault| fault.field.unwrap()).collect();
    about.sort();
    assert_eq!(about, ["a", "b", "c", "d"]);
    assert!(error.to_string().starts_with("a new Thing is not valid: "), "{error}");
}

#[tokio::test]
async fn only_what_changes_is_validated() {
    let core = with(vec![field(1, "a", Kind::Text), field(2, "b", Kind::Text)]).await;
    let id = create(&core, "Thing", &[("a", "long text".into())]).await.unwrap().id();
    // Now `a` has to be an address; what is there stays until it is touched.
    load(&core, vec![model("Thing", "XOSBase", vec![field(1, "a", Kind::Ip), field(2, "b", Kind::Text)])])
        .await
        .unwrap();
    set(&core, "Thing", id, &[("b", "x".into())], Caller::Client).await.unwrap();
    set(&core, "Thing", id, &[("a", "long text".into())], Caller::Client).await.unwrap();
    let error = set(&core, "Thing", id, &[("a", "other text".into())], Caller::Client).await.unwrap_err();
    fault_of(&error, "a");
}

#[tokio::test]
async fn a_unique_value_is_held_by_a_deleted_object_until_it_is_purged() {
    let core = memory();
    let id = a_service(&core, "hello").await.id;
    let again = || create_named(&core, "hello");
    let told = fault_of(&again().await.unwrap_err(), "name");
    assert!(told.contains(&format!("Service {id}")) && told.contains("unique"), "{told}");
    set(&core, "Service", id, &[("backend_need_delete", true.into())], Caller::Engine).await.unwrap();
    delete(&core, "Service", id).await.unwrap();
    let told = fault_of(&again().await.unwrap_err(), "name");
    assert!(told.contains("soft-deleted") && told.contains("purged"), "{told}");
    set(&core, "Service", id, &[("backend_need_reap", true.into())], Caller::Engine).await.unwrap();
    again().await.unwrap();
}

async fn create_named(core: &EmbeddedCore, name: &str) -> xos_model_client::Result<xos_model_client::Record> {
    create(core, "Service", &[("name", name.into())]).await
}

#[tokio::test]
async fn a_unique_value_may_stay_when_the_object_is_saved_again() {
    let core = memory();
    let one = create_named(&core, "one").await.unwrap().id();
    create_named(&core, "two").await.unwrap();
    set(&core, "Service", one, &[("name", "one".into()), ("description", "d".into())], Caller::Client)
        .await
        .unwrap();
    set(&core, "Service", one, &[("name", " one ".into())], Caller::Client).await.unwrap();
    let error = set(&core, "Service", one, &[("name", "two".into())], Caller::Client).await.unwrap_err();
    fault_of(&error, "name");
}

#[tokio::test]
async fn nothing_is_alike_nothing_in_a_unique_field() {
    let core = with(vec![FieldDef { unique: true, ..field(1, "a", Kind::Text) }]).await;
    create(&core, "Thing", &[]).await.unwrap();
    create(&core, "Thing", &[]).await.unwrap();
    create(&core, "Thing", &[("a", "x".into())]).await.unwrap();
    refused(&core, &[("a", "x".into())], "a").await;
}

#[tokio::test]
async fn unique_with_makes_groups_unique() {
    let fields = || {
        vec![
            FieldDef { unique_with: vec!["b".into()].into(), ..field(1, "a", Kind::Text) },
            FieldDef { unique_with: vec!["c".into()].into(), ..field(2, "b", Kind::Text) },
            field(3, "c", Kind::Int32),
        ]
    };
    let core = with(fields()).await;
    let one = |a: &str, b: &str, c: i64| [("a", Value::from(a)), ("b", b.into()), ("c", Value::Int(c))];
    let first = create(&core, "Thing", &one("x", "y", 1)).await.unwrap().id();
    create(&core, "Thing", &one("x", "y", 2)).await.unwrap();
    create(&core, "Thing", &one("x", "z", 1)).await.unwrap();
    let told = refused(&core, &one("x", "y", 1), "a").await;
    assert!(told.contains("a and b, c are unique together"), "{told}");
    let error = set(&core, "Thing", first, &[("c", Value::Int(2))], Caller::Client).await.unwrap_err();
    fault_of(&error, "a");
}
