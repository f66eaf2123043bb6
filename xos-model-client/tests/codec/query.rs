//! Queries as messages.

use prost_reflect::{DynamicMessage, Value as Other};
use xos_model_client::{Condition, ErrorKind, ObjectId, Operator, QueryKind, Timestamp, Value};

use crate::WORLD;

/// A condition: `!` before the field inverts it.
fn on(field: &'static str, operator: Operator, value: impl Into<Value>) -> Condition {
    let name = field.strip_prefix('!').unwrap_or(field);
    Condition { field: name.into(), operator, value: value.into(), invert: name.len() < field.len() }
}

fn asked(model: &str, kind: QueryKind, conditions: &[Condition], after: i32) -> String {
    let bytes = WORLD.plan(model).encode_query(kind, conditions, ObjectId::new(after)).unwrap();
    let query = DynamicMessage::decode(WORLD.message("Query"), bytes).unwrap();
    let elements = query.get_field_by_name("elements").unwrap();
    let mut shown = vec![query.get_field_by_name("kind").unwrap().as_enum_number().unwrap().to_string()];
    for element in elements.as_list().unwrap() {
        let element = element.as_message().unwrap();
        let get = |name: &str| element.get_field_by_name(name).unwrap().into_owned();
        let not = if get("invert").as_bool().unwrap() { "!" } else { "" };
        let values: Vec<String> = ["sValue", "iValue"]
            .into_iter()
            .filter(|name| element.has_field_by_name(name))
            .map(|name| match get(name) {
                Other::String(text) => format!("'{text}'"),
                other => other.as_i32().unwrap().to_string(),
            })
            .collect();
        assert_eq!(values.len(), 1, "exactly one value");
        let operator = get("operator").as_enum_number().unwrap();
        shown.push(format!("{not}{} {operator} {}", get("name").as_str().unwrap(), values[0]));
    }
    shown.join("; ")
}

fn one(model: &str, condition: Condition) -> String {
    let shown = asked(model, QueryKind::Live, &[condition], 0);
    shown.strip_prefix("0; ").unwrap().to_owned()
}

#[test]
fn each_kind_has_its_number_and_default_always_has_elements() {
    let name = [on("name", Operator::Equal, "x")];
    for (kind, alone, with) in [
        (QueryKind::Live, "1", "0"),
        (QueryKind::DirtyObjects, "2", "2"),
        (QueryKind::DeletedObjects, "3", "3"),
        (QueryKind::DirtyPolicies, "4", "4"),
        (QueryKind::DeletedPolicies, "5", "5"),
    ] {
        assert_eq!(asked("Service", kind, &[], 0), alone);
        assert_eq!(asked("Service", kind, &name, 0), format!("{with}; name 0 'x'"));
        assert_eq!(asked("Service", kind, &[], 9), format!("{with}; id 1 9"));
        assert_eq!(asked("Service", kind, &name, 9), format!("{with}; name 0 'x'; id 1 9"));
    }
    // The very bytes that the Python framework sends in each pass.
    let plan = WORLD.plan("Service");
    let bytes = |kind| plan.encode_query(kind, &[], ObjectId::UNSET).unwrap();
    assert_eq!(&bytes(QueryKind::DirtyObjects)[..], [0x08, 0x02]);
    assert_eq!(&bytes(QueryKind::DeletedObjects)[..], [0x08, 0x03]);
}

#[test]
fn each_operator_has_its_number() {
    use Operator::*;
    let all = [
        Equal,
        GreaterThan,
        LessThan,
        GreaterThanOrEqual,
        LessThanOrEqual,
        IExact,
        Contains,
        IContains,
        Regex,
        IRegex,
    ];
    for (number, operator) in all.into_iter().enumerate() {
        assert_eq!(one("Service", on("name", operator, "x")), format!("name {number} 'x'"));
        assert_eq!(one("Service", on("!name", operator, "x")), format!("!name {number} 'x'"));
    }
}

#[test]
fn each_kind_of_field_is_compared_in_the_form_that_django_takes() {
    use Operator::*;
    for (model, condition, expected) in [
        ("Service", on("id", Equal, 5), "id 0 5"),
        ("Service", on("pk", Equal, 5), "id 0 5"),
        ("Service", on("id", LessThan, "5"), "id 2 5"),
        ("Service", on("enabled", Equal, true), "enabled 0 1"),
        ("Service", on("enabled", Equal, "False"), "enabled 0 0"),
        ("Service", on("site", Equal, 3), "site 0 3"),
        ("Service", on("site_id", Equal, "3"), "site 0 3"),
        ("Service", on("site", Equal, Value::Null), "site__isnull 0 1"),
        ("Service", on("!site", Equal, Value::Link(ObjectId::UNSET)), "!site__isnull 0 1"),
        ("Service", on("description", Equal, Value::Null), "description__isnull 0 1"),
        ("Service", on("name", Equal, ""), "name 0 ''"),
        ("ServiceInstance", on("owner__name", IContains, "x"), "owner__name 7 'x'"),
        ("ServiceInstance", on("owner_id__site_id__name", Equal, "x"), "owner__site__name 0 'x'"),
        ("ServiceInstance", on("owner__site", Equal, Value::Null), "owner__site__isnull 0 1"),
        (
            "ServiceInstance",
            on("link_deleted_count", Equal, Value::Int(3_000_000_000)),
            "link_deleted_count 0 '3000000000'",
        ),
        ("Network", on("permitted_slices", Equal, 4), "permitted_slices 0 4"),
        ("Network", on("permitted_slices", Equal, Value::Null), "permitted_slices__isnull 0 1"),
        ("Network", on("permitted_slices__name", Equal, "s"), "permitted_slices__name 0 's'"),
        (
            "Service",
            on("updated", GreaterThan, Timestamp::from_micros(1_700_000_000_123_457)),
            "updated 1 '2023-11-14T22:13:20.123457Z'",
        ),
        ("Service", on("updated", Equal, "2024-05-31 12:00"), "updated 0 '2024-05-31T12:00:00Z'"),
        ("Service", on("updated", Equal, "2024-05-31T12:00:00+02:00"), "updated 0 '2024-05-31T10:00:00Z'"),
        ("Service", on("updated", Equal, 1), "updated 0 '1970-01-01T00:00:01Z'"),
        ("Service", on("enacted", Equal, Value::Null), "enacted__isnull 0 1"),
    ] {
        assert_eq!(one(model, condition.clone()), expected, "{condition:?}");
    }
}

#[test]
fn a_question_that_means_nothing_is_an_error_that_says_why() {
    use Operator::*;
    let error = |model: &str, condition: &Condition| {
        let plan = WORLD.plan(model);
        let condition = std::slice::from_ref(condition);
        plan.encode_query(QueryKind::Live, condition, ObjectId::UNSET).unwrap_err()
    };
    let unknown = error("Service", &on("nmae", Equal, "x"));
    assert!(
        matches!(unknown.kind(), ErrorKind::NoSuchField { like: Some(like), .. } if like == "name"),
        "{unknown}"
    );
    let unknown = error("ServiceInstance", &on("owner__nmae", Equal, "x"));
    assert!(
        matches!(unknown.kind(), ErrorKind::NoSuchField { model, .. } if model == "Service"),
        "{unknown}"
    );
    for (condition, reason) in [
        (on("name", Equal, 5), "expected a text, found an integer"),
        (on("name", Equal, "a\0b"), "the character NUL"),
        (on("id", Contains, "1"), "is no text"),
        (on("id", Equal, "abc"), "expected an integer, found a text"),
        (on("enabled", GreaterThan, true), "can only be asked for with \"equal\""),
        (on("enabled", Equal, "yes"), "expected true or false"),
        (on("created", Equal, "soon"), "expected a time such as"),
        (on("created", Equal, Timestamp::from_seconds(1e15)), "expected a time such as"),
        (on("created", Equal, Timestamp::from_seconds(-1e11)), "expected a time such as"),
        (on("created", Regex, "2024"), "is no text"),
        (on("site", Equal, "mysite"), "expected the id of an object"),
        (on("name__startswith", Equal, "my"), "\"name\" is no link, so nothing follows it"),
        (on("name", GreaterThan, Value::Null), "only be asked for with \"equal\""),
    ] {
        let error = error("Service", &condition);
        assert!(matches!(error.kind(), ErrorKind::Query { .. }), "{condition:?}: {error}");
        assert!(error.to_string().contains(reason), "{condition:?}: {error}");
    }
    let error = error("Network", &on("permitted_slices", GreaterThan, 4));
    assert!(error.to_string().contains("one of its members"), "{error}");
}
