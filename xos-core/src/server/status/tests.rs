//! What the store says, what clients are told, and what our own client makes of it.

use std::mem::discriminant;
use std::sync::Arc;

use xos_model_client::grpc::status::{About, Code as ClientCode, Doing, classify};
use xos_model_client::{
    Caller, Condition, Error, ErrorKind, FieldPos, Guard, ModelAccessor as _, ObjectId, Op, Operator, Page,
    Query, Schema, StoreTrouble, Target, Touch, Value, Write,
};

use super::*;
use crate::{EmbeddedCore, Options, Reap};

type Fields<'a> = &'a [(&'a str, Value)];

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn link(id: i32) -> Value {
    Value::Link(ObjectId::new(id))
}

async fn write(core: &EmbeddedCore, model: &str, target: Target, fields: Fields<'_>) -> Result<i32, Error> {
    let shape = core.schema().model(model).unwrap().shape.clone();
    let fields = fields.iter();
    let fields: Vec<(FieldPos, Value)> =
        fields.map(|(name, value)| (shape.position(name).unwrap() as FieldPos, value.clone())).collect();
    let op = match target {
        Target::New => Op::Create(fields),
        Target::Object(_) => Op::Set { fields, touch: Touch::AsTheRulesSay },
    };
    let write = Write { shape, target, op, by: Caller::Client, guard: Guard::None };
    core.write(vec![write]).await.pop().unwrap().map(|written| written.id.get())
}

/// What a client makes of a status; checked to be of the kind that the store's own error is of.
fn told(schema: &Schema, model: &str, id: i32, doing: Doing, error: &Error) -> (Code, String) {
    let status = of_error(error, schema, schema.model(model).unwrap());
    let about = About { model, id: ObjectId::new(id), doing };
    let understood = classify(ClientCode::from_number(status.code() as i32), status.message(), &about);
    let (ours, theirs) = (error.kind(), understood.kind());
    assert_eq!(
        discriminant(ours),
        discriminant(theirs),
        "{error} is told as {status:?}, read as {understood}"
    );
    (status.code(), status.message().to_owned())
}

#[tokio::test]
async fn a_refused_write_is_told_in_the_words_of_the_core() {
    // What is deleted stays until it is told to go.
    let options = Options { reap: Reap::Manual, ..Options::default() };
    let core = EmbeddedCore::in_memory_with(options).unwrap();
    let schema: Arc<Schema> = core.schema();
    let service = write(&core, "Service", Target::New, &[("name", text("one"))]).await.unwrap();
    let gone = write(&core, "Service", Target::New, &[("name", text("gone"))]).await.unwrap();
    let instance =
        write(&core, "ServiceInstance", Target::New, &[("name", text("i")), ("owner", link(service))])
            .await
            .unwrap();
    let shape = schema.model("Service").unwrap().shape.clone();
    let deletion = Write {
        shape,
        target: Target::Object(ObjectId::new(gone)),
        op: Op::Delete,
        by: Caller::Client,
        guard: Guard::None,
    };
    core.write(vec![deletion]).await.pop().unwrap().unwrap();
    let provides = [("provider_service_instance", link(instance)), ("subscriber_service", link(service))];
    write(&core, "ServiceInstanceLink", Target::New, &provides).await.unwrap();

    let long = "x".repeat(33);
    let unknown = |text: &str| (Code::Unknown, format!("Exception calling application: {text}"));
    let cases: [(&str, Target, Fields<'_>, (Code, String)); 12] = [
        (
            "Flavor",
            Target::New,
            &[],
            unknown("{'flavor': [u'This field cannot be blank.'], 'name': [u'This field cannot be blank.']}"),
        ),
        (
            "Flavor",
            Target::New,
            &[("name", text(&long)), ("flavor", text("f"))],
            unknown("{'name': [u'Ensure this value has at most 32 characters (it has 33).']}"),
        ),
        (
            "Service",
            Target::New,
            &[("name", text("two")), ("kind", text("bo\"g'us"))],
            unknown(r#"{'kind': [u'Value u\'bo"g\\\'us\' is not a valid choice.']}"#),
        ),
        (
            "Service",
            Target::New,
            &[("name", text("one"))],
            unknown("{'name': [u'Service_decl with this Name already exists.']}"),
        ),
        (
            "ServiceInstance",
            Target::New,
            &[("owner", link(gone))],
            unknown("Attempt to save object with deleted foreign key reference"),
        ),
        (
            "ServiceInstance",
            Target::New,
            &[("owner", link(99))],
            unknown(
                "insert or update on table \"core_serviceinstance_decl\" violates foreign key constraint \"core_serviceinstance_decl_owner_id_fk_core_service_decl_id\"\nDETAIL:  Key (owner_id)=(99) is not present in table \"core_service_decl\".\n",
            ),
        ),
        (
            "ServiceInstanceLink",
            Target::New,
            &[("subscriber_service", link(service))],
            unknown("ServiceInstanceLink_decl has no provider_service_instance."),
        ),
        (
            "ServiceInstanceLink",
            Target::New,
            &[provides[0].clone(), provides[1].clone(), ("subscriber_service_instance", link(instance))],
            (
                Code::Unknown,
                "{\"fields\": {}, \"specific_error\": \"Only one of subscriber_service, subscriber_service_instance, subscriber_network should be set\", \"error\": \"XOSMissingField\"}"
                    .to_owned(),
            ),
        ),
        (
            "Slice",
            Target::New,
            &[("name", text("a b"))],
            unknown("{'name': [u'Slice name contains spaces'], 'site': [u'This field cannot be null.']}"),
        ),
        (
            "Service",
            Target::Object(ObjectId::new(service)),
            &[("backend_status", text("x")), ("policy_code", Value::Int(7))],
            (
                Code::PermissionDenied,
                "{\"fields\": {}, \"specific_error\": \"A non Synchronizer is trying to update fields marked as feedback_state: ['backend_status', 'policy_code']\", \"error\": \"XOSPermissionDenied\"}"
                    .to_owned(),
            ),
        ),
        (
            "Service",
            Target::Object(ObjectId::new(99)),
            &[("name", text("x"))],
            (
                Code::NotFound,
                "{\"fields\": {\"message\": \"Service matching query does not exist.\", \"id\": 99}, \"specific_error\": \"object not found\", \"error\": \"XOSNotFound\"}"
                    .to_owned(),
            ),
        ),
        (
            "ServiceInstance",
            Target::Object(ObjectId::new(instance)),
            &[("name", text(&"x".repeat(201))), ("owner", link(99))],
            unknown(
                "{'name': [u'Ensure this value has at most 200 characters (it has 201).'], 'owner': [u'leads to Service 99, which does not exist']}",
            ),
        ),
    ];
    for (model, target, fields, expected) in cases {
        let error = write(&core, model, target, fields).await.unwrap_err();
        let id = if let Target::Object(id) = target { id.get() } else { 0 };
        assert_eq!(told(&schema, model, id, Doing::Write, &error), expected, "{model} {fields:?}");
    }
    let twin = write(&core, "ServiceInstanceLink", Target::New, &provides).await.unwrap_err();
    let (kind, details) = told(&schema, "ServiceInstanceLink", 0, Doing::Write, &twin);
    assert_eq!(kind, Code::InvalidArgument);
    assert!(details.contains("already exists\", \"error\": \"XOSValidationError\""), "{details}");
}

#[tokio::test]
async fn a_query_that_means_nothing_is_told_in_the_words_of_the_core() {
    let core = EmbeddedCore::in_memory().unwrap();
    let schema = core.schema();
    let ask = async |model: &str, field: &'static str, operator, value| {
        let shape = schema.model(model).unwrap().shape.clone();
        let condition = Condition { field: field.into(), operator, value, invert: false };
        let query = Query::live(shape).with(condition);
        let error = core.find(&query, Page::default()).await.unwrap_err();
        told(&schema, model, 0, Doing::Read, &error).1
    };
    for (pattern, words) in [
        ("(", "invalid regular expression: parentheses () not balanced\n"),
        ("[a", "invalid regular expression: brackets [] not balanced\n"),
        ("*", "invalid regular expression: quantifier operand invalid\n"),
    ] {
        let found = ask("Service", "name", Operator::Regex, text(pattern)).await;
        assert_eq!(found, format!("Exception calling application: {words}"));
    }
    assert!(ask("NodeLabel", "node", Operator::GreaterThan, link(1)).await.contains("Unsupported lookup: "));
    let found = ask("Service", "no_such", Operator::Equal, text("x")).await;
    let start = "Exception calling application: Cannot resolve keyword 'no_such' into field. Choices are: addresspools, backend_code, ";
    assert!(found.starts_with(start), "{found}");
}

#[test]
fn the_stores_own_troubles_are_not_told_to_clients() {
    let schema = Schema::new(xos_model_client::models::core_models()).unwrap();
    let model = schema.model("Site").unwrap();
    let (path, problem, trouble) = ("/secret/core.db".into(), "is full".into(), StoreTrouble::Passing);
    let store = ErrorKind::Store { path, problem, trouble, source: None };
    let status = of_error(&store.into(), &schema, model);
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("secret"));
    let closed = of_error(&Error::away("it was closed"), &schema, model);
    assert_eq!(closed.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_write_of_which_nobody_knows_is_told_as_such() {
    let schema = EmbeddedCore::in_memory().unwrap().schema();
    let error: Error = ErrorKind::OutcomeUnknown { reason: "the database went away".to_owned() }.into();
    let (code, words) = told(&schema, "Service", 1, Doing::Write, &error);
    assert_eq!(code, Code::Unavailable);
    assert!(words.contains("the database went away"), "{words}");
}
