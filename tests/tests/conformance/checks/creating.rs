//! Objects are made: defaults, and what a value must be like.

use xos_model_client::{Caller, DefaultValue, ErrorKind, FieldDef, Kind, ObjectId, Op, Timestamp, Value};

use crate::subject::Subject;
use crate::tools::*;

pub(crate) async fn an_object_has_the_defaults(on: &Subject) {
    let record = on.get("Service", on.service("hello").await).await;
    assert_eq!(record.get("backend_code"), Some(&Value::Int(0)));
    assert_eq!(text(&record, "backend_status"), "Provisioning in progress");
    assert_eq!(text(&record, "backend_register"), "{}");
    assert_eq!(text(&record, "policy_status"), "Policy in process");
    assert_eq!(record.get("policy_code"), Some(&Value::Int(0)));
    for unset in ["enacted", "policed", "changed_by_step", "changed_by_policy", "backend_handle"] {
        assert!(record.get(unset).unwrap().is_null(), "{unset}");
    }
    for no in ["deleted", "no_sync", "no_policy", "lazy_blocked", "write_protect", "backend_need_delete"] {
        assert_eq!(record.get(no), Some(&Value::Bool(false)), "{no}");
    }
    for time in ["updated", "created"] {
        let seconds = record.get(time).unwrap().as_time().unwrap().seconds();
        assert!((Timestamp::now().seconds() - seconds).abs() < 3600.0, "{time}: {seconds}");
    }
    assert_eq!(record.get("xos_managed"), Some(&Value::Bool(true)));
    assert_eq!(text(&record, "kind"), "generic");
    assert_eq!(text(&record, "leaf_model_name"), "Service");
}

pub(crate) async fn what_is_given_is_answered_read_and_listed(on: &Subject) {
    on.load(vec![thing()]).await;
    let service = on.service("hello").await;
    let given = [
        ("title", Value::from("a title")),
        ("story", "two\nlines".into()),
        ("code", "a code".into()),
        ("page", "https://a.b/c?d".into()),
        ("address", "10.0.0.1".into()),
        ("number", Value::Int(-5)),
        ("size", Value::Int(3_000_000_000)),
        ("on", true.into()),
        ("share", Value::Float(0.1)),
        ("since", Value::Time(Timestamp::from_seconds(1_700_000_000.123_456))),
        ("service", service.into()),
        ("members", Value::Links(vec![service])),
        ("direction", "out".into()),
    ];
    let answered = on.try_create("Thing", &given).await.unwrap();
    let id = answered.id();
    assert!(id.is_set());
    let read = on.get("Thing", id).await;
    let listed = on.all(&xos_model_client::Query::live(on.shape("Thing"))).await;
    for (field, value) in &given {
        for record in [&answered, &read, &listed[0]] {
            assert_eq!(record.get(field), Some(value), "{field}");
        }
    }
    assert_eq!(answered.values(), read.values());
    assert_eq!((listed.len(), listed[0].values()), (1, read.values()));
    assert_eq!(read.revision().is_none(), on.less.revisions);
}

pub(crate) async fn ids_are_never_used_again(on: &Subject) {
    let first = on.service("one").await;
    on.delete("Service", first).await;
    on.gone("Service", first).await;
    assert!(on.service("two").await > first);
}

pub(crate) async fn a_required_text_must_not_be_blank(on: &Subject) {
    let defaulted = with_default(field(2, "b", Kind::Text), DefaultValue::Text("x".into()));
    on.load(vec![model("Paper", "XOSBase", vec![required(field(1, "a", Kind::Text)), required(defaulted)])])
        .await;
    fault_of(&on.refused("Paper", &[]).await, "a");
    fault_of(&on.refused("Paper", &[("a", "".into())]).await, "a");
    fault_of(&on.refused("Paper", &[("a", "1".into()), ("b", "".into())]).await, "b");
    let id = on.create("Paper", &[("a", "1".into())]).await;
    assert_eq!(text(&on.get("Paper", id).await, "b"), "x");
    let error = on.try_set("Paper", id, &[("a", "".into())], Caller::Client).await.unwrap_err();
    fault_of(&error, "a");
    assert_eq!(text(&on.get("Paper", id).await, "a"), "1");
}

pub(crate) async fn a_required_value_must_be_there(on: &Subject) {
    let fields = vec![
        required(field(1, "n", Kind::Int32)),
        required(link(2, "s", "Service")),
        required(field(3, "t", Kind::Date)),
    ];
    on.load(vec![model("Paper", "XOSBase", fields)]).await;
    let service = on.service("hello").await;
    let all = [("n", Value::Int(0)), ("s", service.into()), ("t", Value::Time(Timestamp::from_seconds(1.0)))];
    for missing in 0..all.len() {
        let given: Vec<_> = all.iter().filter(|(name, _)| *name != all[missing].0).cloned().collect();
        fault_of(&on.refused("Paper", &given).await, all[missing].0);
    }
    on.create("Paper", &all).await;
}

pub(crate) async fn an_optional_text_may_be_empty_or_absent(on: &Subject) {
    on.load(vec![thing()]).await;
    let record = on.try_create("Thing", &[("title", "".into())]).await.unwrap();
    assert_eq!((record.get("title"), record.get("story")), (Some(&Value::from("")), Some(&Value::Null)));
}

pub(crate) async fn a_text_has_a_maximum_length(on: &Subject) {
    on.load(vec![thing()]).await;
    let id = on.create("Thing", &[("short", "12345".into())]).await;
    let told = fault_of(&on.refused("Thing", &[("short", "123456".into())]).await, "short");
    assert!(told.contains('5') && told.contains('6'), "{told}");
    let error = on.try_set("Thing", id, &[("short", "654321".into())], Caller::Step).await.unwrap_err();
    fault_of(&error, "short");
    assert_eq!(text(&on.get("Thing", id).await, "short"), "12345");
}

pub(crate) async fn a_text_with_choices_is_one_of_them(on: &Subject) {
    on.load(vec![thing()]).await;
    for good in ["in", "out", ""] {
        on.create("Thing", &[("direction", good.into())]).await;
    }
    let told = fault_of(&on.refused("Thing", &[("direction", "up".into())]).await, "direction");
    assert!(told.contains("up"), "{told}");
}

pub(crate) async fn a_unique_value_is_there_once(on: &Subject) {
    on.load(vec![thing()]).await;
    // Nothing is alike nothing.
    let (one, two) = (on.create("Thing", &[]).await, on.create("Thing", &[]).await);
    on.set("Thing", one, &[("label", "x".into())], Caller::Client).await;
    fault_of(&on.refused("Thing", &[("label", "x".into())]).await, "label");
    let error = on.try_set("Thing", two, &[("label", "x".into())], Caller::Engine).await.unwrap_err();
    fault_of(&error, "label");
    on.set("Thing", one, &[("label", "x".into()), ("title", "same label".into())], Caller::Client).await;
    // A deleted object holds it until it is purged.
    on.claim("Thing", one).await;
    on.delete("Thing", one).await;
    let told = fault_of(&on.refused("Thing", &[("label", "x".into())]).await, "label");
    assert!(!told.is_empty());
    on.let_go("Thing", one).await;
    on.gone("Thing", one).await;
    on.create("Thing", &[("label", "x".into())]).await;
}

pub(crate) async fn a_group_of_values_is_unique_together(on: &Subject) {
    let fields = vec![
        FieldDef { unique_with: vec!["b".into()].into(), ..required(field(1, "a", Kind::Text)) },
        FieldDef { unique_with: vec!["c".into()].into(), ..required(field(2, "b", Kind::Text)) },
        required(field(3, "c", Kind::Int32)),
    ];
    on.load(vec![model("Paper", "XOSBase", fields)]).await;
    let one = |a: &str, b: &str, c: i64| [("a", Value::from(a)), ("b", b.into()), ("c", Value::Int(c))];
    let first = on.create("Paper", &one("x", "y", 1)).await;
    on.create("Paper", &one("x", "y", 2)).await;
    on.create("Paper", &one("x", "z", 1)).await;
    let error = on.refused("Paper", &one("x", "y", 1)).await;
    assert_eq!(faults(&error).len(), 1, "{error}");
    let error = on.try_set("Paper", first, &[("c", Value::Int(2))], Caller::Client).await.unwrap_err();
    assert_eq!(faults(&error).len(), 1, "{error}");
}

pub(crate) async fn all_faults_are_told_together(on: &Subject) {
    let fields = vec![
        required(field(1, "a", Kind::Text)),
        FieldDef { max_length: Some(2), ..field(2, "b", Kind::Text) },
        field(3, "c", Kind::Ip),
        link(4, "d", "Service"),
    ];
    on.load(vec![model("Paper", "XOSBase", fields)]).await;
    let given = [("b", Value::from("xyz")), ("c", "no".into()), ("d", ObjectId::new(99).into())];
    // A link that leads nowhere is told of together with the others, or not before these are right.
    let given = if on.less.links { &given[..2] } else { &given[..] };
    let error = on.refused("Paper", given).await;
    let all: Vec<String> = faults(&error).into_keys().collect();
    assert_eq!(all, &["a", "b", "c", "d"][..=given.len()], "{error}");
    assert!(error.to_string().starts_with("a new Paper is not valid: "), "{error}");
}

pub(crate) async fn an_address_and_a_url_are_checked_and_never_told(on: &Subject) {
    on.load(vec![thing()]).await;
    on.create("Thing", &[("address", "10.0.0.1".into()), ("page", "https://a.b/c?d".into())]).await;
    on.create("Thing", &[("address", "fe80::1".into()), ("page", "".into())]).await;
    for (field, value) in [("address", "10.0.0.256"), ("page", "secret:word@host")] {
        let told = fault_of(&on.refused("Thing", &[(field, value.into())]).await, field);
        assert!(!told.contains(value), "{told}");
    }
}

/// The field that an error is about: an invalid value, or where values are checked before they are sent, one that
/// cannot be converted.
fn field_of(on: &Subject, error: &xos_model_client::Error) -> String {
    match error.kind() {
        ErrorKind::Convert { field, .. } if on.less.kinds => field.clone(),
        _ => faults(error).into_keys().collect(),
    }
}

pub(crate) async fn an_integer_fits_its_field(on: &Subject) {
    on.load(vec![thing()]).await;
    for (name, value, good) in [
        ("number", i64::from(i32::MAX), true),
        ("number", i64::from(i32::MIN), true),
        ("number", i64::from(i32::MAX) + 1, false),
        ("size", i64::from(u32::MAX), true),
        ("size", i64::from(u32::MAX) + 1, false),
        ("size", -1, false),
    ] {
        match on.try_create("Thing", &[(name, Value::Int(value))]).await {
            Ok(record) => {
                assert!(good, "{name} {value}");
                assert_eq!(on.get("Thing", record.id()).await.get(name), Some(&Value::Int(value)));
            }
            Err(error) => {
                assert!(!good && field_of(on, &error) == name, "{name} {value}: {error}");
                assert!(error.to_string().contains(&value.to_string()), "{error}");
            }
        }
    }
}

pub(crate) async fn a_value_of_another_kind_is_refused(on: &Subject) {
    on.load(vec![thing()]).await;
    for (name, value) in [
        ("number", Value::from("1")),
        ("title", Value::Int(1)),
        ("share", Value::Float(f32::NAN)),
        ("since", Value::Time(Timestamp::from_seconds(f64::INFINITY))),
        ("on", Value::Int(1)),
        ("service", Value::from("x")),
        ("members", Value::from("x")),
    ] {
        let error = on.refused("Thing", &[(name, value)]).await;
        assert_eq!(field_of(on, &error), name, "{error}");
    }
    let record = on.try_create("Thing", &[("share", Value::Int(2))]).await.unwrap();
    assert_eq!(record.get("share"), Some(&Value::Float(2.0)));
}

pub(crate) async fn a_stripped_text_is_trimmed(on: &Subject) {
    on.load(vec![thing()]).await;
    let given = [("code", Value::from("  abc\n")), ("title", " x ".into())];
    let record = on.try_create("Thing", &given).await.unwrap();
    assert_eq!((text(&record, "code"), text(&record, "title")), ("abc".to_owned(), " x ".to_owned()));
}

pub(crate) async fn feedback_fields_may_be_given(on: &Subject) {
    on.load(vec![thing()]).await;
    let given = [("backend_status", Value::from("mine")), ("state", "up".into())];
    let record = on.try_create("Thing", &given).await.unwrap();
    assert_eq!(
        (text(&record, "backend_status"), text(&record, "state")),
        ("mine".to_owned(), "up".to_owned())
    );
}

pub(crate) async fn the_leaf_is_the_creating_model_for_ever(on: &Subject) {
    on.load(vec![model("Leaf", "Service", vec![])]).await;
    let given = [("name", Value::from("x")), ("leaf_model_name", "Nonsense".into())];
    let record = on.try_create("Leaf", &given).await.unwrap();
    assert_eq!(text(&record, "leaf_model_name"), "Leaf");
    on.set("Service", record.id(), &[("description", "d".into())], Caller::Client).await;
    assert_eq!(text(&on.get("Service", record.id()).await, "leaf_model_name"), "Leaf");
}

pub(crate) async fn an_abstract_model_has_no_objects_of_its_own(on: &Subject) {
    let mut write = on.a_create("Service", &[]);
    write.shape = on.shape("XOSBase");
    write.op = Op::Create(Vec::new());
    on.write(write).await.unwrap_err();
    let id = on.service("hello").await;
    if on.less.abstract_models {
        let error = on.core.get(&on.shape("XOSBase"), &[id]).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
    } else {
        on.set("XOSBase", id, &[("no_sync", true.into())], Caller::Client).await;
        assert_eq!(on.get("Service", id).await.get("no_sync"), Some(&Value::Bool(true)));
    }
}

pub(crate) async fn rules_of_the_core_models_hold(on: &Subject) {
    let site = [("name", Value::from("s")), ("login_base", "s".into()), ("abbreviated_name", "s".into())];
    let site = on.create("Site", &site).await;
    on.create("Slice", &[("name", "s_one".into()), ("site", site.into())]).await;
    let error = on.refused("Slice", &[("name", "s two".into()), ("site", site.into())]).await;
    assert!(error.to_string().contains("Slice name contains spaces"), "{error}");
    let pool = [
        ("name", Value::from("pool")),
        ("gateway_ip", "10.0.0.1".into()),
        ("gateway_mac", "m".into()),
        ("addresses", "10.0.0.0/30".into()),
    ];
    let record = on.try_create("AddressPool", &pool).await.unwrap();
    assert_eq!(
        (text(&record, "addresses"), text(&record, "cidr")),
        ("10.0.0.2".into(), "10.0.0.0/30".into())
    );
    let service = on.service("hello").await;
    let (one, two) = (on.instance("one", service).await, on.instance("two", service).await);
    let ends = [("provider_service_instance", Value::Link(one)), ("subscriber_service_instance", two.into())];
    on.create("ServiceInstanceLink", &ends).await;
    let error = on.refused("ServiceInstanceLink", &ends).await;
    assert!(
        matches!(error.kind(), ErrorKind::Invalid { .. }) && error.to_string().contains("exists"),
        "{error}"
    );
}

pub(crate) async fn a_default_may_be_the_first_object(on: &Subject) {
    let first = with_default(required(link(1, "site", "Site")), DefaultValue::First);
    let now = with_default(field(2, "since", Kind::Date), DefaultValue::Now);
    on.load(vec![model("Paper", "XOSBase", vec![first, now])]).await;
    let site = |name: &str| {
        let fields =
            [("name", Value::from(name)), ("login_base", name.into()), ("abbreviated_name", name.into())];
        async move { on.create("Site", &fields).await }
    };
    site("one").await;
    site("two").await;
    let live = on.of_kind("Site", xos_model_client::QueryKind::Live).await;
    let record = on.try_create("Paper", &[]).await.unwrap();
    assert_eq!(record.get("site"), Some(&Value::Link(live[0])));
    assert!(live.len() > 1);
    assert!(record.get("since").unwrap().as_time().is_some());
}
