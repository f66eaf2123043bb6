//! Models are loaded, altered and unloaded, and no data is lost on the way.

use std::time::Duration;

use futures_util::StreamExt as _;
use xos_model_client::{
    Caller, Change, Cleanup, CoreVersion, DefaultValue, ErrorKind, FieldDef, Kind, LoadModels, LoadState,
    ModelDef, ModelsStatus, Onboard, Onboarded, QueryKind, Value,
};

use crate::subject::Subject;
use crate::tools::*;

fn paper(fields: Vec<FieldDef>) -> ModelDef {
    model("Paper", "XOSBase", fields)
}

fn name() -> FieldDef {
    FieldDef { max_length: Some(10), ..required(field(1, "name", Kind::Text)) }
}

async fn one(on: &Subject) -> xos_model_client::ObjectId {
    on.load(vec![paper(vec![name()])]).await;
    on.create("Paper", &[("name", "a paper".into())]).await
}

fn is_onboarding(error: &xos_model_client::Error) -> bool {
    matches!(error.kind(), ErrorKind::Onboarding { .. } | ErrorKind::Schema(_))
}

pub(crate) async fn models_are_loaded_once(on: &Subject) {
    let models =
        || vec![paper(vec![name(), links(2, "friends", "Paper")]), model("Other", "Service", vec![])];
    assert!(on.core.schema().model("Paper").is_none());
    let Onboarded::Loaded { models: loaded } = loads(&*on.core, models()).await.unwrap() else {
        panic!("nothing was loaded")
    };
    assert_eq!(loaded, ["Paper", "Other"]);
    let schema = on.core.schema();
    for name in ["Paper", "Other"] {
        assert!(schema.model(name).is_some(), "{name}");
    }
    assert_eq!(loads(&*on.core, models()).await.unwrap(), Onboarded::NothingChanged);
    assert_eq!(schema.model("Paper").unwrap().id, on.core.schema().model("Paper").unwrap().id);
    on.create("Paper", &[("name", "x".into())]).await;
}

pub(crate) async fn the_status_tells_what_is_loaded(on: &Subject) {
    one(on).await;
    let Onboarded::Status(status) = on.core.onboard(&Onboard::Status).await.unwrap() else {
        panic!("no status")
    };
    let test = ModelsStatus { name: "test".into(), version: "1".into(), state: LoadState::Present };
    assert!(status.contains(&test) && status.iter().any(|status| status.name == "core"), "{status:?}");
}

pub(crate) async fn a_model_grows_on_existing_objects(on: &Subject) {
    let id = one(on).await;
    let fields = vec![
        FieldDef { max_length: Some(20), ..name() },
        field(2, "note", Kind::Text),
        required(with_default(field(3, "color", Kind::Text), DefaultValue::Text("red".into()))),
        required(with_default(field(4, "size", Kind::Int32), DefaultValue::Int(-7))),
        required(field(5, "on", Kind::Bool)),
        link(6, "service", "Service"),
        links(7, "friends", "Paper"),
    ];
    let loaded = loads(&*on.core, vec![paper(fields), model("Other", "Paper", vec![])]).await.unwrap();
    let Onboarded::Loaded { models } = loaded else { panic!("{loaded:?}") };
    assert_eq!(models, ["Paper", "Other"]);
    let record = on.get("Paper", id).await;
    for (field, value) in [
        ("name", Value::from("a paper")),
        ("note", Value::Null),
        ("color", "red".into()),
        ("size", Value::Int(-7)),
        ("on", false.into()),
        ("service", Value::Null),
        ("friends", Value::Links(vec![])),
    ] {
        assert_eq!(record.get(field), Some(&value), "{field}");
    }
    let long = [("name", Value::from("a paper with a name")), ("friends", Value::Links(vec![id]))];
    on.set("Paper", id, &long, Caller::Client).await;
    on.create("Other", &[("name", "x".into())]).await;
}

pub(crate) async fn what_would_lose_data_is_refused_and_nothing_is_half_done(on: &Subject) {
    let second = || field(2, "second", Kind::Text);
    on.load(vec![paper(vec![name(), second()])]).await;
    let id = on.create("Paper", &[("name", "a paper".into()), ("second", "s".into())]).await;
    for (case, fields) in [
        ("a field is gone", vec![name()]),
        ("another kind", vec![name(), field(2, "second", Kind::Int32)]),
        ("a shorter text", vec![FieldDef { max_length: Some(3), ..name() }, second()]),
        ("a new required field", vec![name(), second(), required(field(3, "third", Kind::Int32))]),
        ("another number", vec![name(), field(9, "second", Kind::Text)]),
        ("a link instead", vec![name(), link(2, "second", "Service")]),
    ] {
        let models = vec![paper(fields), model("Other", "XOSBase", vec![])];
        let error = loads(&*on.core, models).await.unwrap_err();
        assert!(is_onboarding(&error), "{case}: {error}");
        assert!(error.to_string().contains("Paper"), "{case}: {error}");
        let client = on.again().await;
        assert!(client.schema().model("Other").is_none(), "{case}");
        assert_eq!(text(&on.get("Paper", id).await, "name"), "a paper", "{case}");
    }
    on.set("Paper", id, &[("second", "still here".into())], Caller::Client).await;
}

pub(crate) async fn models_that_break_a_rule_are_refused(on: &Subject) {
    for def in [
        paper(vec![field(100, "a", Kind::Text)]),
        paper(vec![field(1, "a", Kind::Text), field(1, "b", Kind::Text)]),
        paper(vec![link(1, "a", "Nowhere")]),
        model("Paper", "Nothing", vec![]),
        ModelDef { app_label: "core".into(), ..paper(vec![]) },
    ] {
        let error = loads(&*on.core, vec![def.clone()]).await.unwrap_err();
        assert!(is_onboarding(&error), "{error}");
        assert!(on.again().await.schema().model("Paper").is_none(), "{def:?}");
    }
    // Nothing of it is in the way of a right one.
    on.load(vec![paper(vec![name()])]).await;
    on.create("Paper", &[("name", "x".into())]).await;
}

pub(crate) async fn another_services_model_is_not_taken_over(on: &Subject) {
    let id = one(on).await;
    let mut mine = paper(vec![name(), field(2, "more", Kind::Text)]);
    mine.app_label = "mine".into();
    let load = LoadModels { name: "mine".into(), ..a_load(vec![mine]) };
    let error = on.core.onboard(&Onboard::Load(load)).await.unwrap_err();
    assert!(is_onboarding(&error) && error.to_string().contains("Paper"), "{error}");
    assert_eq!(text(&on.get("Paper", id).await, "name"), "a paper");
}

pub(crate) async fn the_version_of_the_core_is_checked(on: &Subject) {
    let load = |wanted: &str| {
        let load = LoadModels { core_version: Some(wanted.into()), ..a_load(vec![paper(vec![name()])]) };
        async move { on.core.onboard(&Onboard::Load(load)).await }
    };
    for (wanted, told) in [
        (">=5.0.0", "Service test is requesting core version >=5.0.0 but actual version is 4.0.4"),
        (
            ">=5.0.0~<6.0.0",
            "Service test is requesting core version between >=5.0.0 and <6.0.0 but actual version is 4.0.4",
        ),
        ("^4.0", "expected an operator"),
    ] {
        assert_eq!(wanted.parse::<CoreVersion>().is_ok(), !wanted.starts_with('^'));
        let error = load(wanted).await.unwrap_err();
        assert!(is_onboarding(&error) && error.to_string().contains(told), "{error}");
        assert!(on.core.schema().model("Paper").is_none());
    }
    load(">=4.0.0~<5.0.0").await.unwrap();
}

pub(crate) async fn core_models_may_come_along(on: &Subject) {
    let mut models: Vec<ModelDef> = xos_model_client::models::core_models().cloned().collect();
    assert_eq!(loads(&*on.core, models.clone()).await.unwrap(), Onboarded::NothingChanged);
    models.push(paper(vec![name()]));
    let loaded = loads(&*on.core, models).await.unwrap();
    assert_eq!(loaded, Onboarded::Loaded { models: vec!["Paper".into()] });
}

pub(crate) async fn unloading_needs_a_clean_service(on: &Subject) {
    let id = one(on).await;
    let error = unload(&*on.core, Cleanup::RequireClean).await.unwrap_err();
    assert!(is_onboarding(&error) && error.to_string().contains("live objects"), "{error}");
    on.claim("Paper", id).await;
    on.delete("Paper", id).await;
    let error = unload(&*on.core, Cleanup::RequireClean).await.unwrap_err();
    assert!(is_onboarding(&error) && error.to_string().contains("being deleted"), "{error}");
    on.let_go("Paper", id).await;
    on.gone("Paper", id).await;
    assert_eq!(unload(&*on.core, Cleanup::RequireClean).await.unwrap(), Onboarded::Unloaded);
    assert!(on.again().await.schema().model("Paper").is_none());
    assert_eq!(unload(&*on.core, Cleanup::RequireClean).await.unwrap(), Onboarded::NothingChanged);
}

pub(crate) async fn unloading_cleans_up_when_asked_to(on: &Subject) {
    on.load(vec![paper(vec![name()])]).await;
    let mut claimed = Vec::new();
    for name in ["one", "two"] {
        let id = on.create("Paper", &[("name", name.into()), ("backend_need_delete", true.into())]).await;
        claimed.push(id);
    }
    on.create("Paper", &[("name", "free".into())]).await;
    let Onboarded::TryAgain { left } = unload(&*on.core, Cleanup::AutomaticallyClean).await.unwrap() else {
        panic!("objects that are claimed have to wait")
    };
    assert!(if on.less.left { left >= 1 } else { left == 2 || left == 3 }, "{left}");
    assert_eq!(on.of_kind("Paper", QueryKind::Live).await, []);
    for id in claimed {
        on.let_go("Paper", id).await;
        on.gone("Paper", id).await;
    }
    until("all is cleaned up", || async {
        unload(&*on.core, Cleanup::AutomaticallyClean).await.unwrap() == Onboarded::Unloaded
    })
    .await;
}

pub(crate) async fn a_purge_takes_the_objects_along(on: &Subject) {
    let models = vec![
        model("MyService", "Service", vec![]),
        paper(vec![links(1, "friends", "Paper"), link(2, "best", "Paper")]),
    ];
    on.load(models).await;
    let service = on.create("MyService", &[("name", "mine".into())]).await;
    let instance = on.instance("of it", service).await;
    let first = on.create("Paper", &[("backend_need_delete", true.into())]).await;
    on.create("Paper", &[("friends", Value::Links(vec![first])), ("best", first.into())]).await;
    assert_eq!(unload(&*on.core, Cleanup::Purge).await.unwrap(), Onboarded::Unloaded);
    assert!(on.find("Service", service).await.is_none());
    assert!(on.find("ServiceInstance", instance).await.is_none());
    on.load(vec![paper(vec![name()])]).await;
    assert_eq!(on.of_kind("Paper", QueryKind::Live).await, []);
    on.create("Paper", &[("name", "x".into())]).await;
}

pub(crate) async fn what_others_are_built_on_stays(on: &Subject) {
    one(on).await;
    let mut heir = model("Heir", "Paper", vec![]);
    heir.app_label = "other".into();
    let load = LoadModels { name: "other".into(), ..a_load(vec![heir]) };
    on.core.onboard(&Onboard::Load(load)).await.unwrap();
    let error = unload(&*on.core, Cleanup::Purge).await.unwrap_err();
    assert!(is_onboarding(&error) && error.to_string().contains("Heir"), "{error}");
    let core = on.core.onboard(&Onboard::Unload { name: "core".into(), cleanup: Cleanup::Purge }).await;
    assert!(core.is_err_and(|error| is_onboarding(&error)));
    on.create("Heir", &[("name", "x".into())]).await;
}

pub(crate) async fn an_existing_client_sees_new_models_and_goes_on_with_the_old(on: &Subject) {
    one(on).await;
    let other = on.again().await;
    let old = shape_of(&*other, "Paper");
    let mut feed = other.feed(other.cursor().await.unwrap(), &[]);
    on.load(vec![paper(vec![name(), field(2, "note", Kind::Text)]), model("Later", "Service", vec![])]).await;
    let id = on.create("Paper", &[("name", "new".into()), ("note", "n".into())]).await;
    // Whoever knows the old models goes on working with them.
    let got = other.get(&old, &[id]).await.unwrap();
    assert_eq!(text(got[0].as_ref().unwrap(), "name"), "new");
    // And is told of the new ones.
    let told = async {
        loop {
            match feed.next().await.unwrap() {
                Change::Schema(schema) if schema.model("Later").is_some() => return schema,
                _ => {}
            }
        }
    };
    let asking = async {
        loop {
            let _ = other.cursor().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let within = Duration::from_secs(60);
    let schema = tokio::select! {
        told = tokio::time::timeout(within, told) => told.expect("an existing client is told of new models"),
        () = asking => unreachable!(),
    };
    assert!(schema.model("Paper").unwrap().field("note").is_some());
    assert!(other.schema().model("Later").is_some());
    let new = shape_of(&*other, "Paper");
    let got = other.get(&new, &[id]).await.unwrap();
    assert_eq!(text(got[0].as_ref().unwrap(), "note"), "n");
}
