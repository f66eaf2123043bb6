//! Objects by their ids.

use std::sync::Arc;

use xos_model_client::{ErrorKind, Kind, ObjectId, Page, Query, Shape, ShapeField, Value};

use crate::subject::Subject;
use crate::tools::*;

pub(crate) async fn objects_come_in_the_order_asked(on: &Subject) {
    let (a, b, c) = (on.service("a").await, on.service("b").await, on.service("c").await);
    let nobody = ObjectId::new(1_000_000);
    let asked = [c, nobody, a, ObjectId::UNSET, a, b, ObjectId::new(-3)];
    let got = on.core.get(&on.shape("Service"), &asked).await.unwrap();
    let names: Vec<_> = got.iter().map(|found| found.as_ref().map(|record| text(record, "name"))).collect();
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(names, [name("c"), None, name("a"), None, name("a"), name("b"), None]);
    assert!(on.core.get(&on.shape("Service"), &[]).await.unwrap().is_empty());
}

pub(crate) async fn deleted_objects_are_found_and_others_models_are_not(on: &Subject) {
    let id = on.service("hello").await;
    on.claim("Service", id).await;
    on.delete("Service", id).await;
    assert!(on.is_deleted("Service", id).await);
    for model in ["ServiceInstance", "Site", "User"] {
        assert!(on.find(model, id).await.is_none() || model != "ServiceInstance", "{model}");
    }
}

pub(crate) async fn an_unknown_field_or_model_is_named(on: &Subject) {
    let odd = |model: &str, field: &str| {
        let fields = [ShapeField { name: field.to_owned().into(), kind: Kind::Text }];
        Arc::new(Shape::new(model.to_owned(), fields))
    };
    for ids in [vec![], vec![ObjectId::new(1)]] {
        let error = on.core.get(&odd("Service", "nmae"), &ids).await;
        // Nothing asked for may be answered without a look.
        if !(ids.is_empty() && error.is_ok()) {
            let error = error.unwrap_err();
            let ErrorKind::NoSuchField { field, like, .. } = error.kind() else { panic!("{error}") };
            assert_eq!((field.as_str(), like.as_deref()), ("nmae", Some("name")));
        }
    }
    let query = Query::live(odd("Servcie", "name"));
    let find = on.core.find(&query, Page::default()).await.unwrap_err();
    let get = on.core.get(&query.shape, &[ObjectId::new(1)]).await.unwrap_err();
    for error in [find, get] {
        let ErrorKind::NoSuchModel { model, like } = error.kind() else { panic!("{error}") };
        assert_eq!((model.as_ref(), like.as_deref()), ("Servcie", Some("Service")));
    }
}

pub(crate) async fn a_record_that_does_not_convert_is_alone(on: &Subject) {
    let (a, b) = (on.service("a").await, on.service("b").await);
    on.set("Service", b, &[("description", "7".into())], xos_model_client::Caller::Client).await;
    // A program that takes a text for a number finds out for that object; the list is a list all the same.
    let wanted = [
        ShapeField { name: "id".into(), kind: Kind::Int32 },
        ShapeField { name: "description".into(), kind: Kind::Int32 },
    ];
    let shape = Arc::new(Shape::new("Service", wanted));
    let records = on.all(&Query::live(shape)).await;
    assert_eq!(records.iter().map(xos_model_client::Record::id).collect::<Vec<_>>(), [a, b]);
    assert_eq!(records[1].get("description"), Some(&Value::from("7")));
}
