//! What an event of the topic tells.

use serde::Deserialize;
use xos_model_client::{Caller, Change, ObjectId, ObjectKey, Schema};

use crate::bus::Event;

/// The fields of an event that matter here. What else it has is the object as it is, which is read from the core.
#[derive(Deserialize)]
struct Told {
    pk: i32,
    #[serde(default)]
    changed_fields: Option<Vec<String>>,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    object: Option<Object>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    leaf_model_name: Option<String>,
}

/// Why an event tells nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Nothing {
    /// It is of a model that is not known here.
    UnknownModel,
    /// It is none of a core's events.
    Malformed(String),
}

/// The change that an event tells of.
///
/// One in which only bookkeeping changed counts as one of the engine: it gives nobody more to do, but those who wait for
/// the object hear of it.
pub(super) fn change(event: &Event, schema: &Schema) -> Result<Change, Nothing> {
    let malformed = |what: String| Nothing::Malformed(what);
    let class = event.key_text().ok_or_else(|| malformed("it has no key".to_owned()))?;
    let told: Told = event.json().map_err(|error| malformed(error.to_string()))?;
    if told.pk <= 0 {
        return Err(malformed(format!("its pk is {}, not the id of an object", told.pk)));
    }
    // Who saves an object by one of its base models publishes the name of that one.
    let leaf = told.object.as_ref().and_then(|object| object.leaf_model_name.as_deref());
    let model = leaf
        .and_then(|leaf| schema.model(leaf))
        .or_else(|| schema.model(&class))
        .ok_or(Nothing::UnknownModel)?;
    let key = ObjectKey { root: model.root, id: ObjectId::new(told.pk) };
    if told.deleted {
        return Ok(Change::Purged { key });
    }
    let is_bookkeeping = told
        .changed_fields
        .as_deref()
        .is_some_and(|fields| !fields.is_empty() && fields.iter().all(|field| is_bookkeeping(field)));
    let by = if is_bookkeeping { Caller::Engine } else { Caller::Client };
    Ok(Change::Saved { key, leaf: model.id, by, revision: None })
}

/// Whether a field is one in which engines note what they did. (`updated`, `changed_by_step` and `changed_by_policy` are
/// none: they say that there is something to do.)
fn is_bookkeeping(field: &str) -> bool {
    field.starts_with("backend_") || field.starts_with("policy_") || matches!(field, "enacted" | "policed")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::testing::MockAccessor;

    fn schema() -> std::sync::Arc<Schema> {
        MockAccessor::new().accessor().schema()
    }

    fn told(key: &str, value: &Json) -> Result<(String, i32, Option<Caller>), Nothing> {
        let schema = schema();
        let event = Event::new(super::super::TOPIC, key, value).unwrap();
        change(&event, &schema).map(|change| match change {
            Change::Saved { key, leaf, by, .. } => {
                assert_eq!(schema.by_id(leaf).unwrap().root, key.root);
                (schema.by_id(leaf).unwrap().name().to_string(), key.id.get(), Some(by))
            }
            Change::Purged { key } => {
                (schema.by_id(key.root).unwrap().name().to_string(), key.id.get(), None)
            }
            other => panic!("{other:?}"),
        })
    }

    fn check(key: &str, value: Json, expected: (&str, i32, Option<Caller>)) {
        assert_eq!(told(key, &value).unwrap(), (expected.0.to_owned(), expected.1, expected.2), "{value}");
    }

    #[test]
    fn a_change_is_told() {
        let client = Some(Caller::Client);
        check(
            "Site",
            json!({"pk": 3, "changed_fields": ["name", "updated"], "object": {}}),
            ("Site", 3, client),
        );
        check("Site", json!({"pk": 3}), ("Site", 3, client));
        check("Site", json!({"pk": 3, "changed_fields": [], "object": {"x": [1]}}), ("Site", 3, client));
        check(
            "ServiceInstance",
            json!({"pk": 7, "changed_fields": ["name"], "object": {"leaf_model_name": "Site"}}),
            ("Site", 7, client),
        );
        check(
            "Site",
            json!({"pk": 3, "changed_fields": [], "deleted": true, "object": {"id": 3}}),
            ("Site", 3, None),
        );
    }

    #[test]
    fn bookkeeping_is_the_engines() {
        let check = |fields: Json, expected| {
            check("Site", json!({"pk": 1, "changed_fields": fields}), ("Site", 1, Some(expected)));
        };
        check(
            json!(["backend_status", "backend_code", "enacted", "policed", "policy_status"]),
            Caller::Engine,
        );
        check(json!(["backend_status", "updated"]), Caller::Client);
        check(json!(["changed_by_step", "enacted"]), Caller::Client);
    }

    #[test]
    fn what_is_no_event_of_a_core_is_said() {
        for (key, value) in [("Site", json!([])), ("Site", json!({"pk": "x"})), ("Site", json!({"pk": 0}))] {
            assert!(matches!(told(key, &value), Err(Nothing::Malformed(_))), "{value}");
        }
        assert_eq!(told("Nobody", &json!({"pk": 1})), Err(Nothing::UnknownModel));
        let event = Event::of_bytes(super::super::TOPIC, None, &b"{\"pk\": 1}"[..]);
        assert_eq!(change(&event, &schema()).unwrap_err(), Nothing::Malformed("it has no key".to_owned()));
        let event = Event::of_bytes(super::super::TOPIC, Some(vec![0xff].into()), vec![0xff]);
        assert!(matches!(change(&event, &schema()), Err(Nothing::Malformed(_))));
    }
}
