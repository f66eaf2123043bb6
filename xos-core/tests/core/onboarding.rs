//! Models are loaded, altered and unloaded, and no data is lost on the way.

use xos_core::{EmbeddedCore, Options, Reap};
use xos_model_client::{
    Caller, Change, Cleanup, Cursor, DefaultValue, FieldDef, Kind, LoadModels, LoadState, ModelAccessor,
    ModelDef, ModelsStatus, Onboard, Onboarded, Result, ServiceFiles, Value,
};

use crate::common::*;

fn thing(fields: Vec<FieldDef>) -> ModelDef {
    model("Thing", "XOSBase", fields)
}

fn name() -> FieldDef {
    FieldDef { max_length: Some(10), ..required(field(1, "name", Kind::Text)) }
}

/// A core with one `Thing` that has the name "a thing".
async fn with_one(fields: Vec<FieldDef>) -> EmbeddedCore {
    let core = core_with(vec![thing(fields)]).await;
    create(&core, "Thing", &[("name", "a thing".into())]).await.unwrap();
    core
}

async fn unload(core: &EmbeddedCore, cleanup: Cleanup) -> Result<Onboarded> {
    core.onboard(&Onboard::Unload { name: "test".into(), cleanup }).await
}

fn loaded(names: &[&str]) -> Onboarded {
    Onboarded::Loaded { models: names.iter().map(|name| (*name).to_owned().into()).collect() }
}

#[tokio::test]
async fn the_same_models_again_change_nothing() {
    let folder = folder();
    let path = folder.path().join("core.db");
    let core = open_core(&path, Options::default()).unwrap();
    let models = || vec![thing(vec![name(), links(2, "friends", "Thing")])];
    assert_eq!(load(&core, models()).await.unwrap(), loaded(&["Thing"]));
    let schema = core.schema();
    assert_eq!(load(&core, models()).await.unwrap(), Onboarded::NothingChanged);
    assert!(std::sync::Arc::ptr_eq(&schema, &core.schema()));
    core.close();
    let before = std::fs::read(&path).unwrap();
    let core = open_core(&path, Options::default()).unwrap();
    assert_eq!(load(&core, models()).await.unwrap(), Onboarded::NothingChanged);
    core.close();
    assert!(before == std::fs::read(&path).unwrap(), "opening and loading the same wrote to the file");
}

#[tokio::test]
async fn the_models_are_there_after_a_restart_with_the_same_ids() {
    let folder = folder();
    let path = folder.path().join("core.db");
    let core = open_core(&path, Options::default()).unwrap();
    load(&core, vec![thing(vec![name()]), model("Other", "Thing", vec![])]).await.unwrap();
    let id = core.schema().model("Other").unwrap().id;
    drop(core);
    let core = open_core(&path, Options::default()).unwrap();
    assert_eq!(core.schema().model("Other").unwrap().id, id);
    assert_eq!(core.schema().model("Other").unwrap().def, model("Other", "Thing", vec![]));
}

#[tokio::test]
async fn new_models_and_optional_or_defaulted_fields_and_longer_texts_work_on_existing_data() {
    let core = with_one(vec![name()]).await;
    let fields = vec![
        FieldDef { max_length: Some(20), ..name() },
        field(2, "note", Kind::Text),
        required(with_default(field(3, "color", Kind::Text), DefaultValue::Text("it's red".into()))),
        required(with_default(field(4, "size", Kind::Int32), DefaultValue::Int(-7))),
        required(field(5, "on", Kind::Bool)),
        required(with_default(field(6, "share", Kind::Float), DefaultValue::Float(0.5))),
        required(with_default(field(7, "since", Kind::Date), DefaultValue::Now)),
        link(8, "service", "Service"),
        links(9, "friends", "Thing"),
        FieldDef { unique: true, ..field(10, "key", Kind::Text) },
    ];
    assert_eq!(
        load(&core, vec![thing(fields), model("Other", "Thing", vec![])]).await.unwrap(),
        loaded(&["Thing", "Other"])
    );
    let id = xos_model_client::ObjectId::new(1);
    let record = get(&core, "Thing", id).await.unwrap();
    let expected = [
        ("name", Value::from("a thing")),
        ("note", Value::Null),
        ("color", "it's red".into()),
        ("size", Value::Int(-7)),
        ("on", false.into()),
        ("share", 0.5.into()),
        ("service", Value::Null),
        ("friends", Value::Links(vec![])),
        ("key", Value::Null),
    ];
    for (field, value) in expected {
        assert_eq!(record.get(field), Some(&value), "{field}");
    }
    assert!(record.get("since").unwrap().as_time().is_some());
    let long = Value::from("a thing with a name");
    let fields = [("name", long), ("friends", Value::Links(vec![id])), ("key", "k".into())];
    set(&core, "Thing", id, &fields, Caller::Client).await.unwrap();
    create(&core, "Other", &[("name", "x".into())]).await.unwrap();
    let error = create(&core, "Thing", &[("name", "y".into()), ("key", "k".into())]).await.unwrap_err();
    fault_of(&error, "key");
}

#[tokio::test]
async fn what_would_lose_data_is_refused_with_reason_and_way_out() {
    let second = || field(2, "second", Kind::Text);
    let cases: Vec<(&str, Vec<FieldDef>, &str)> = vec![
        ("a field is gone", vec![name()], "has no field \"second\" any more"),
        (
            "another kind",
            vec![name(), field(2, "second", Kind::Int32)],
            "is an integer (32 bits) instead of a text",
        ),
        ("a shorter text", vec![FieldDef { max_length: Some(3), ..name() }, second()], "1 objects have more"),
        (
            "a new required field",
            vec![name(), second(), required(field(3, "third", Kind::Int32))],
            "has no default for the 1 objects",
        ),
        ("required from now on", vec![name(), required(second())], "1 objects have no value"),
        ("another number", vec![name(), field(9, "second", Kind::Text)], "number 9 instead of 2"),
        ("a link instead", vec![name(), link(2, "second", "Service")], "leads to Service instead of nothing"),
    ];
    for (case, fields, reason) in cases {
        let core = with_one(vec![name(), second()]).await;
        let schema = core.schema();
        let error = load(&core, vec![thing(fields), model("Other", "XOSBase", vec![])])
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{case}: {error}");
        assert!(error.contains("delete the objects first"), "{case}: {error}");
        // Nothing is half done.
        assert!(std::sync::Arc::ptr_eq(&schema, &core.schema()), "{case}");
        assert_eq!(text(&get(&core, "Thing", 1.into()).await.unwrap(), "name"), "a thing", "{case}");
    }
}

#[tokio::test]
async fn unique_rules_are_added_when_the_data_keeps_them() {
    let core = with_one(vec![name()]).await;
    let unique = || vec![thing(vec![FieldDef { unique: true, ..name() }])];
    create(&core, "Thing", &[("name", "a thing".into())]).await.unwrap();
    let error = load(&core, unique()).await.unwrap_err().to_string();
    assert!(error.contains("1 values are there more than once"), "{error}");
    set(&core, "Thing", 2.into(), &[("name", "another".into())], Caller::Client).await.unwrap();
    load(&core, unique()).await.unwrap();
    fault_of(&create(&core, "Thing", &[("name", "another".into())]).await.unwrap_err(), "name");
    load(&core, vec![thing(vec![name()])]).await.unwrap();
    create(&core, "Thing", &[("name", "another".into())]).await.unwrap();
    let pair = vec![thing(vec![
        FieldDef { unique_with: vec!["kind".into()].into(), ..name() },
        field(2, "kind", Kind::Text),
    ])];
    load(&core, pair).await.unwrap();
    create(&core, "Thing", &[("name", "p".into()), ("kind", "k".into())]).await.unwrap();
    let twice = create(&core, "Thing", &[("name", "p".into()), ("kind", "k".into())]).await;
    assert!(twice.unwrap_err().to_string().contains("unique together"));
}

#[tokio::test]
async fn an_integer_may_change_its_sign_when_all_values_fit() {
    let number = |kind| vec![thing(vec![name(), field(2, "n", kind)])];
    let core = with_one(vec![name(), field(2, "n", Kind::Int32)]).await;
    load(&core, number(Kind::UInt32)).await.unwrap();
    set(&core, "Thing", 1.into(), &[("n", Value::Int(3_000_000_000))], Caller::Client).await.unwrap();
    let error = load(&core, number(Kind::Int32)).await.unwrap_err().to_string();
    assert!(error.contains("cannot hold the values of 1 objects"), "{error}");
}

#[tokio::test]
async fn a_model_without_objects_may_change_in_every_way() {
    let core = with_one(vec![name(), field(2, "old", Kind::Text), links(3, "friends", "Thing")]).await;
    delete(&core, "Thing", 1.into()).await.unwrap();
    load(&core, vec![model("Heir", "Thing", vec![])]).await.unwrap();
    load(&core, vec![model("Thing", "Service", vec![link(1, "other", "Service")])]).await.unwrap();
    let id = create(&core, "Heir", &[("name", "x".into())]).await.unwrap().id();
    // Ids go on all the same.
    assert!(id.get() > 1);
    assert!(get(&core, "Service", id).await.is_some());
}

#[tokio::test]
async fn another_base_for_existing_objects_is_refused() {
    let core = with_one(vec![name()]).await;
    let error = load(&core, vec![model("Thing", "Service", vec![])]).await.unwrap_err().to_string();
    assert!(error.contains("Thing inherits from Service and not from XOSBase"), "{error}");
}

#[tokio::test]
async fn a_name_that_another_service_has_is_refused() {
    let core = with_one(vec![name()]).await;
    let mut mine = thing(vec![name()]);
    mine.app_label = "mine".into();
    let load = LoadModels {
        name: "mine".into(),
        version: "1".into(),
        models: vec![mine],
        core_version: None,
        files: ServiceFiles::default(),
    };
    let error = core.onboard(&Onboard::Load(load)).await.unwrap_err().to_string();
    assert!(error.contains("Thing is loaded already by test"), "{error}");
}

#[tokio::test]
async fn models_that_break_a_rule_are_refused() {
    let cases: Vec<(ModelDef, &str)> = vec![
        (
            thing(vec![field(100, "a", Kind::Text)]),
            "only field numbers from 1 to 99 are permitted, found 100",
        ),
        (
            thing(vec![field(1, "a", Kind::Text), field(1, "b", Kind::Text)]),
            "number 1 is used by \"a\" already",
        ),
        (thing(vec![link(1, "a", "Nowhere")]), "links to Nowhere, which is not among the models"),
        (model("Thing", "Nothing", vec![]), "its base Nothing is not among the models"),
        (
            thing(vec![field(1, "name", Kind::Text), field(2, "Name", Kind::Text)]),
            "differ in upper and lower case only",
        ),
        (model("a thing", "XOSBase", vec![]), "is no name for a model"),
        (ModelDef { base: None, ..thing(vec![]) }, "let it inherit from XOSBase"),
        (ModelDef { app_label: "core".into(), ..thing(vec![]) }, "which has no such model"),
        (
            thing(vec![FieldDef {
                max_length: Some(2),
                ..with_default(field(1, "a", Kind::Text), DefaultValue::Text("xyz".into()))
            }]),
            "the default of Thing.a does not fit",
        ),
    ];
    for (def, reason) in cases {
        let core = memory();
        let error = load(&core, vec![def]).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert!(core.schema().model("Thing").is_none());
    }
}

#[tokio::test]
async fn what_the_core_has_anyway_may_come_along() {
    let core = memory();
    let mut models: Vec<ModelDef> = xos_model_client::models::core_models().cloned().collect();
    models.push(thing(vec![name()]));
    assert_eq!(load(&core, models).await.unwrap(), loaded(&["Thing"]));
}

#[tokio::test]
async fn names_that_differ_in_case_only_are_different_models() {
    let core =
        core_with(vec![thing(vec![name()]), model("THING", "XOSBase", vec![field(1, "x", Kind::Int32)])])
            .await;
    let id = create(&core, "THING", &[("x", Value::Int(1))]).await.unwrap().id();
    assert!(get(&core, "Thing", id).await.is_none());
}

#[tokio::test]
async fn the_version_of_the_core_is_checked() {
    let core = memory();
    let load = |wanted: &str| {
        let load = LoadModels {
            name: "test".into(),
            version: "1".into(),
            models: vec![thing(vec![])],
            core_version: Some(wanted.into()),
            files: ServiceFiles::default(),
        };
        let core = core.clone();
        async move { core.onboard(&Onboard::Load(load)).await }
    };
    for (wanted, told) in [
        (">=5.0.0", "Service test is requesting core version >=5.0.0 but actual version is 4.0.4"),
        (
            ">=5.0.0~<6.0.0",
            "Service test is requesting core version between >=5.0.0 and <6.0.0 but actual version is 4.0.4",
        ),
        ("^4.0", "expected an operator"),
    ] {
        let error = load(wanted).await.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    load(">=4.0.0~<5.0.0").await.unwrap();
}

#[tokio::test]
async fn the_status_tells_what_is_loaded() {
    let core = core_with(vec![thing(vec![])]).await;
    let Onboarded::Status(status) = core.onboard(&Onboard::Status).await.unwrap() else {
        panic!("no status")
    };
    let test = ModelsStatus { name: "test".into(), version: "1".into(), state: LoadState::Present };
    assert!(status.contains(&test) && status.iter().any(|status| status.name == "core"), "{status:?}");
}

#[tokio::test]
async fn unloading_needs_a_clean_service() {
    let core = with_one(vec![name()]).await;
    let error = unload(&core, Cleanup::RequireClean).await.unwrap_err().to_string();
    assert!(error.contains("1 live objects"), "{error}");
    set(&core, "Thing", 1.into(), &[("backend_need_delete", true.into())], Caller::Engine).await.unwrap();
    delete(&core, "Thing", 1.into()).await.unwrap();
    let error = unload(&core, Cleanup::RequireClean).await.unwrap_err().to_string();
    assert!(error.contains("still being deleted"), "{error}");
    set(&core, "Thing", 1.into(), &[("backend_need_reap", true.into())], Caller::Engine).await.unwrap();
    let mut feed = core.feed(Cursor(0), &[]);
    changes(&mut feed).await;
    assert_eq!(unload(&core, Cleanup::RequireClean).await.unwrap(), Onboarded::Unloaded);
    assert!(core.schema().model("Thing").is_none());
    assert_eq!(unload(&core, Cleanup::RequireClean).await.unwrap(), Onboarded::NothingChanged);
    assert!(matches!(futures_util::StreamExt::next(&mut feed).await, Some(Change::Schema(_))));
}

#[tokio::test]
async fn unloading_cleans_up_when_asked_to() {
    let core = with_one(vec![name()]).await;
    create(&core, "Thing", &[("name", "claimed".into()), ("backend_need_delete", true.into())])
        .await
        .unwrap();
    let left = unload(&core, Cleanup::AutomaticallyClean).await.unwrap();
    assert_eq!(left, Onboarded::TryAgain { left: 1 });
    set(&core, "Thing", 2.into(), &[("backend_need_reap", true.into())], Caller::Engine).await.unwrap();
    assert_eq!(unload(&core, Cleanup::AutomaticallyClean).await.unwrap(), Onboarded::Unloaded);
}

#[tokio::test]
async fn purging_a_service_leaves_no_orphans() {
    let folder = folder();
    let path = folder.path().join("core.db");
    let options = Options { reap: Reap::Manual, ..Options::default() };
    let core = open_core(&path, options.clone()).unwrap();
    load(
        &core,
        vec![
            model("MyService", "Service", vec![]),
            thing(vec![links(1, "friends", "Thing"), link(2, "best", "Thing")]),
        ],
    )
    .await
    .unwrap();
    let service = create(&core, "MyService", &[("name", "mine".into())]).await.unwrap().id();
    let instance = create(&core, "ServiceInstance", &[("owner", service.into())]).await.unwrap().id();
    let one = create(&core, "Thing", &[]).await.unwrap().id();
    let two = create(&core, "Thing", &[("friends", Value::Links(vec![one])), ("best", one.into())])
        .await
        .unwrap()
        .id();
    set(&core, "Thing", one, &[("best", two.into())], Caller::Client).await.unwrap();
    let (_, cursor) = changes(&mut core.feed(Cursor(0), &[])).await;
    let last = core.schema().models().len();
    assert_eq!(unload(&core, Cleanup::Purge).await.unwrap(), Onboarded::Unloaded);
    for id in [service, instance, one, two] {
        assert!(get(&core, "XOSBase", id).await.is_none());
    }
    let (told, _) = changes(&mut core.feed(cursor, &[])).await;
    assert_eq!(told.iter().filter(|change| matches!(change, Change::Purged { .. })).count(), 4);
    core.close();
    // Loaded again, it is another model: its id was never used.
    let core = open_core(&path, options).unwrap();
    load(&core, vec![thing(vec![name()])]).await.unwrap();
    assert_eq!(core.schema().model("Thing").unwrap().id.0 as usize, last);
    create(&core, "Thing", &[("name", "x".into())]).await.unwrap();
}

#[tokio::test]
async fn models_that_others_are_built_on_cannot_be_unloaded() {
    let core = with_one(vec![name()]).await;
    let mut heir = model("Heir", "Thing", vec![]);
    heir.app_label = "other".into();
    let load = LoadModels {
        name: "other".into(),
        version: "1".into(),
        models: vec![heir],
        core_version: None,
        files: ServiceFiles::default(),
    };
    core.onboard(&Onboard::Load(load)).await.unwrap();
    let error = unload(&core, Cleanup::Purge).await.unwrap_err().to_string();
    assert!(error.contains("Heir of other services are built on them"), "{error}");
    let core_itself = core.onboard(&Onboard::Unload { name: "core".into(), cleanup: Cleanup::Purge }).await;
    assert!(core_itself.unwrap_err().to_string().contains("everything is built on them"));
}

#[tokio::test]
async fn core_models_grow_when_a_file_is_opened_by_a_newer_program() {
    let folder = folder();
    let path = folder.path().join("core.db");
    let all = || xos_model_client::models::core_models().cloned();
    let with = |models: Vec<ModelDef>| Options { core_models: Some(models), ..Options::default() };
    // An older program knew four models, one of them with fewer fields.
    let names = ["XOSBase", "Site", "Service", "ServiceInstance"];
    let old = all().filter(|model| names.contains(&model.name.as_ref())).map(|mut model| {
        if model.name == "Service" {
            let fields =
                model.fields.iter().filter(|field| field.name != "icon_url" && field.name != "published");
            model.fields = fields.cloned().collect::<Vec<_>>().into();
        }
        model
    });
    let core = open_core(&path, with(old.collect())).unwrap();
    let id = core.schema().model("ServiceInstance").unwrap().id;
    create(&core, "Service", &[("name", "hello".into())]).await.unwrap();
    drop(core);
    let core = open_core(&path, Options::default()).unwrap();
    assert_eq!(core.schema().model("ServiceInstance").unwrap().id, id);
    assert_eq!(core.schema().models().len(), all().count());
    let record = get(&core, "Service", 1.into()).await.unwrap();
    assert_eq!(
        (record.get("published"), record.get("icon_url")),
        (Some(&Value::Bool(true)), Some(&Value::Null))
    );
}
