//! Queries: operators, paths, pages.

use xos_core::EmbeddedCore;
use xos_model_client::models::{Service, ServiceInstance};
use xos_model_client::{
    Condition, ErrorKind, Kind, ModelAccessor, ObjectId, Operator, Page, Query, Shape, ShapeField, Timestamp,
    Value,
};

use crate::common::*;

/// A condition, inverted when the name has a `!` before it.
fn on(field: &str, operator: Operator, value: impl Into<Value>) -> Condition {
    let invert = field.starts_with('!');
    let field = field.trim_start_matches('!').to_owned().into();
    Condition { field, operator, value: value.into(), invert }
}

async fn names(core: &EmbeddedCore, model: &str, conditions: &[Condition]) -> Vec<String> {
    let mut query = Query::live(shape(core, model));
    query.conditions = conditions.to_vec();
    let found = core.find(&query, Page::default()).await.unwrap();
    found.records.iter().map(|record| text(record, "name")).collect()
}

async fn error(core: &EmbeddedCore, model: &str, condition: Condition) -> xos_model_client::Error {
    core.find(&Query::live(shape(core, model)).with(condition), Page::default()).await.unwrap_err()
}

async fn three() -> EmbeddedCore {
    let core = memory();
    for (name, description) in [("Jon Snow", Some("Stark")), ("arya", Some("stark")), ("TYRION", None)] {
        let mut fields = vec![("name", Value::from(name))];
        fields.extend(description.map(|text| ("description", Value::from(text))));
        create(&core, "Service", &fields).await.unwrap();
    }
    core
}

#[tokio::test]
async fn every_operator_compares_as_it_says() {
    use Operator::*;
    let core = three().await;
    for (condition, found) in [
        (on("name", Equal, "arya"), "arya"),
        (on("name", Equal, "Arya"), ""),
        (on("name", IExact, "ARYA"), "arya"),
        (on("name", Contains, "Sn"), "Jon Snow"),
        (on("name", Contains, "sn"), ""),
        (on("name", IContains, "RY"), "arya"),
        (on("name", Regex, "^[A-Z]+$"), "TYRION"),
        (on("name", IRegex, "^[a-z]+$"), "arya,TYRION"),
        (on("name", GreaterThan, "TYRION"), "arya"),
        (on("name", LessThanOrEqual, "Jon Snow"), "Jon Snow"),
        (on("id", GreaterThanOrEqual, 2), "arya,TYRION"),
        (on("id", LessThan, 2), "Jon Snow"),
        (on("pk", Equal, 2), "arya"),
        (on("enabled", Equal, true), "Jon Snow,arya,TYRION"),
        (on("enabled", Equal, 0), ""),
        (on("enabled", Equal, "True"), "Jon Snow,arya,TYRION"),
        (on("!name", Equal, "arya"), "Jon Snow,TYRION"),
        (on("created", GreaterThan, Timestamp::from_seconds(1.0)), "Jon Snow,arya,TYRION"),
        (on("created", LessThan, "2001-01-01T00:00:00Z"), ""),
        (on("created", GreaterThan, "2001-01-01 00:00:00"), "Jon Snow,arya,TYRION"),
    ] {
        assert_eq!(
            names(&core, "Service", std::slice::from_ref(&condition)).await.join(","),
            found,
            "{condition:?}"
        );
    }
}

#[tokio::test]
async fn nothing_fulfils_no_condition_and_each_inversion() {
    use Operator::*;
    let core = three().await;
    assert_eq!(names(&core, "Service", &[on("description", Equal, "Stark")]).await, ["Jon Snow"]);
    assert_eq!(names(&core, "Service", &[on("!description", Equal, "Stark")]).await, ["arya", "TYRION"]);
    assert_eq!(names(&core, "Service", &[on("!description", Regex, ".")]).await, ["TYRION"]);
    assert_eq!(names(&core, "Service", &[on("description", Equal, Value::Null)]).await, ["TYRION"]);
    assert_eq!(
        names(&core, "Service", &[on("!description", Equal, Value::Null)]).await,
        ["Jon Snow", "arya"]
    );
}

#[tokio::test]
async fn all_conditions_must_hold() {
    let core = three().await;
    let both = [on("description", Operator::IExact, "stark"), on("!name", Operator::Equal, "arya")];
    assert_eq!(names(&core, "Service", &both).await, ["Jon Snow"]);
}

#[tokio::test]
async fn a_path_leads_over_links() {
    let core = core_with(vec![model("Leaf", "ServiceInstance", vec![links(1, "services", "Service")])]).await;
    let (a, b) = (a_service(&core, "a").await, a_service(&core, "b").await);
    let one = an_instance(&core, "one", &a).await;
    an_instance(&core, "two", &b).await;
    let fields = [
        ("name", Value::from("three")),
        ("owner", b.id.into()),
        ("master_serviceinstance", one.id.into()),
        ("services", Value::Links(vec![a.id])),
    ];
    create(&core, "Leaf", &fields).await.unwrap();
    let by = |field: &str, value: Value| on(field, Operator::Equal, value);
    for (model, condition, found) in [
        ("ServiceInstance", by("owner", b.id.into()), "two,three"),
        ("ServiceInstance", by("owner_id", b.id.into()), "two,three"),
        ("ServiceInstance", by("owner__name", "b".into()), "two,three"),
        ("ServiceInstance", by("!owner__name", "b".into()), "one"),
        ("ServiceInstance", by("owner__id", Value::Int(a.id.get().into())), "one"),
        ("ServiceInstance", by("master_serviceinstance__owner__name", "a".into()), "three"),
        ("ServiceInstance", by("!master_serviceinstance__owner__name", "a".into()), "one,two"),
        (
            "ServiceInstance",
            on("owner__updated", Operator::GreaterThan, Timestamp::from_seconds(5.0)),
            "one,two,three",
        ),
        ("Leaf", by("services", a.id.into()), "three"),
        ("Leaf", by("services", b.id.into()), ""),
        ("Leaf", by("services__name", "a".into()), "three"),
        ("Leaf", by("services", Value::Null), ""),
        ("Leaf", by("owner__name", "b".into()), "three"),
    ] {
        assert_eq!(
            names(&core, model, std::slice::from_ref(&condition)).await.join(","),
            found,
            "{condition:?}"
        );
    }
    let typed =
        client(&core).objects::<ServiceInstance>().filter(ServiceInstance::OWNER.to(Service::NAME).eq("a"));
    assert_eq!(typed.count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_question_that_means_nothing_is_an_error_that_says_why() {
    use Operator::*;
    let core = three().await;
    let unknown = error(&core, "Service", on("nmae", Equal, "x")).await;
    assert!(
        matches!(unknown.kind(), ErrorKind::NoSuchField { like: Some(like), .. } if like == "name"),
        "{unknown}"
    );
    let unknown = error(&core, "ServiceInstance", on("owner__nmae", Equal, "x")).await;
    assert!(
        matches!(unknown.kind(), ErrorKind::NoSuchField { model, .. } if model == "Service"),
        "{unknown}"
    );
    for (condition, reason) in [
        (on("name", Regex, "("), "not a regular expression"),
        (on("name", Equal, 5), "expected a text, found an integer"),
        (on("id", Contains, "1"), "is no text"),
        (on("enabled", GreaterThan, true), "can only be asked for with \"equal\""),
        (on("enabled", Equal, "yes"), "expected true or false"),
        (on("created", Equal, "soon"), "expected a time such as"),
        (on("site", Equal, "mysite"), "expected the id of an object"),
        (on("name__x", Equal, "mysite"), "is no link"),
        (on("name", GreaterThan, Value::Null), "only be asked for with \"equal\""),
    ] {
        let error = error(&core, "Service", condition.clone()).await;
        assert!(matches!(error.kind(), ErrorKind::Query { .. }), "{condition:?}: {error}");
        assert!(error.to_string().contains(reason), "{condition:?}: {error}");
    }
    let shape = std::sync::Arc::new(Shape::new("Servcie", []));
    let error = core.find(&Query::live(shape), Page::default()).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NoSuchModel { like: Some(like), .. } if like == "Service"),
        "{error}"
    );
}

#[tokio::test]
async fn a_shape_may_ask_for_a_few_fields_in_any_order() {
    let core = three().await;
    let wanted =
        ["name", "id", "backend_code"].map(|name| ShapeField { name: name.into(), kind: Kind::Text });
    let shape = std::sync::Arc::new(Shape::new("Service", wanted));
    let found = core.find(&Query::live(shape.clone()), Page::first(1)).await.unwrap();
    assert_eq!(found.records[0].values(), [Value::from("Jon Snow"), Value::Int(1), Value::Int(0)]);
    let got = core.get(&shape, &[ObjectId::new(9), ObjectId::new(2)]).await.unwrap();
    assert!(got[0].is_none() && got[1].as_ref().unwrap().id() == ObjectId::new(2));
    let odd =
        std::sync::Arc::new(Shape::new("Service", [ShapeField { name: "color".into(), kind: Kind::Text }]));
    assert!(matches!(core.get(&odd, &[]).await.unwrap_err().kind(), ErrorKind::NoSuchField { .. }));
}

#[tokio::test]
async fn pages_follow_each_other_by_id_over_all_models_of_a_family() {
    let core = core_with(vec![model("A", "Service", vec![]), model("B", "A", vec![])]).await;
    let mut all = Vec::new();
    for at in 0..23 {
        let model = ["Service", "A", "B"][at * 7 % 3];
        all.push(create(&core, model, &[("name", format!("s{at}").into())]).await.unwrap().id().get());
    }
    let query = Query::live(shape(&core, "Service"));
    for limit in [1, 5, 22, 23, 24] {
        let (mut found, mut page, mut pages) = (Vec::new(), Some(Page::first(limit)), 0);
        while let Some(this) = page {
            let answer = core.find(&query, this).await.unwrap();
            found.extend(answer.records.iter().map(|record| record.id().get()));
            page = answer.next;
            pages += 1;
        }
        assert_eq!(found, all);
        assert_eq!(pages, all.len().div_ceil(limit), "{limit}");
    }
}
