//! Get, List, Filter, and the models that are there.

use tonic::Code;
use xos_model_client::models::core_models;
use xos_model_client::{
    Caller, LoadModels, ModelAccessor as _, ModelDef, Onboard, Op, ServiceFiles, Target, Touch, Value, Write,
};

use crate::lab::{Lab, id_message, link, text};

async fn services(lab: &Lab, names: &[&str]) -> Vec<i32> {
    let mut ids = Vec::new();
    for name in names {
        ids.push(lab.create("Service", &[("name", text(name))]).await.unwrap());
    }
    ids
}

#[tokio::test]
async fn a_list_of_many_pages_tells_each_object_as_it_is() {
    let lab = Lab::new().await;
    let owners = services(&lab, &["one", "two", "three"]).await;
    let schema = lab.core.schema();
    let shape = schema.model("ServiceInstance").unwrap().shape.clone();
    let writes = (0..2500).map(|at: usize| Write {
        shape: shape.clone(),
        target: Target::New,
        op: Op::Create(lab.fields(
            "ServiceInstance",
            &[("name", text(&format!("i{at}"))), ("owner", link(owners[at % 2]))],
        )),
        by: Caller::Client,
        guard: xos_model_client::Guard::None,
    });
    let answers = lab.core.write(writes.collect()).await;
    let newest = answers.last().unwrap().as_ref().unwrap().id.get();
    lab.create(
        "ServiceInstanceLink",
        &[("provider_service_instance", link(newest)), ("subscriber_service", link(owners[2]))],
    )
    .await
    .unwrap();
    let list = lab.call("ListServiceInstance", &[], "").await.unwrap();
    let items = lab.items("ServiceInstance", &list);
    assert_eq!(items.len(), 2500);
    assert!(items.is_sorted_by_key(|seen| seen.given.id));
    let provided = |model: &str, name: &str| {
        let model = schema.model(model).unwrap();
        model.reverse.iter().find(|way| way.name == name).unwrap().wire_number
    };
    let links = provided("ServiceInstance", "provided_links");
    for seen in &items {
        assert_eq!(seen.ids(links).len(), usize::from(seen.given.id == newest), "{}", seen.given.id);
    }
    // One by one it is the same.
    for id in [items[0].given.id, items[1234].given.id, newest] {
        let seen = lab.get("ServiceInstance", id).await.unwrap();
        let listed = items.iter().find(|seen| seen.given.id == id).unwrap();
        assert_eq!((&seen.given, seen.ids(links)), (&listed.given, listed.ids(links)));
    }
    let instances = provided("Service", "service_instances");
    let services = lab.call("ListService", &[], "").await.unwrap();
    let counts: Vec<usize> =
        lab.items("Service", &services).iter().map(|seen| seen.ids(instances).len()).collect();
    assert_eq!(counts, [1250, 1250, 0]);
    let seen = lab.get("Service", owners[0]).await.unwrap();
    assert_eq!(seen.ids(instances).len(), 1250);
    assert_eq!(seen.text(2046), "Service,Service_decl,XOSBase");
    assert_eq!(seen.text(2047), "core.service_decl");
    // What is soft-deleted leads nowhere any more.
    lab.call("DeleteServiceInstance", &[], id_message(items[0].given.id)).await.unwrap();
    assert_eq!(lab.get("Service", owners[0]).await.unwrap().ids(instances).len(), 1249);
}

#[tokio::test]
async fn a_filter_asks_by_operators_lookups_and_paths() {
    let lab = Lab::new().await;
    let ids = services(&lab, &["Abc", "abd", "x.y", "größer"]).await;
    let instance =
        lab.create("ServiceInstance", &[("name", text("i")), ("owner", link(ids[0]))]).await.unwrap();
    let check = async |operator: i32, name: &str, value: Value, expected: &[usize]| {
        let found = lab.filter("Service", 0, &[(operator, name, value.clone())]).await.unwrap();
        let expected: Vec<i32> = expected.iter().map(|at| ids[*at]).collect();
        assert_eq!(found, expected, "{operator} {name} {value:?}");
    };
    check(0, "name", text("Abc"), &[0]).await;
    check(5, "name", text("aBC"), &[0]).await;
    check(6, "name", text("b"), &[0, 1]).await;
    check(7, "name", text("AB"), &[0, 1]).await;
    check(8, "name", text("^a"), &[1]).await;
    check(9, "name", text("^a"), &[0, 1]).await;
    check(0, "name__startswith", text("x."), &[2]).await;
    check(0, "name__istartswith", text("ABC"), &[0]).await;
    check(0, "name__endswith", text("ößer"), &[3]).await;
    check(0, "name__regex", text("^.b"), &[0, 1]).await;
    check(1, "id", Value::Int(i64::from(ids[1])), &[2, 3]).await;
    check(0, "id__lte", Value::Int(i64::from(ids[0])), &[0]).await;
    check(0, "id__lt", text(&ids[1].to_string()), &[0]).await;
    check(0, "pk", Value::Int(i64::from(ids[2])), &[2]).await;
    check(6, "id", Value::Int(i64::from(ids[0])), &[0]).await;
    check(0, "enacted__isnull", Value::Int(1), &[0, 1, 2, 3]).await;
    check(0, "enacted__isnull", Value::Int(0), &[]).await;
    check(0, "no_sync", text("False"), &[0, 1, 2, 3]).await;
    check(1, "updated", text("2001-01-01 00:00:00"), &[0, 1, 2, 3]).await;
    for name in ["owner__name", "owner_id__name__exact"] {
        let element = [(0, name, text("Abc"))];
        assert_eq!(lab.filter("ServiceInstance", 0, &element).await.unwrap(), [instance]);
    }
    let both = [(7, "name", text("AB")), (2, "id", Value::Int(i64::from(ids[1])))];
    assert_eq!(lab.filter("Service", 0, &both).await.unwrap(), [ids[0]]);
    // ALL ignores its elements; the others ask for what a synchronizer has to do.
    assert_eq!(lab.filter("Service", 1, &both).await.unwrap(), ids);
    assert_eq!(lab.filter("Service", 0, &[]).await.unwrap(), ids);
    for kind in [2, 4] {
        assert_eq!(lab.filter("Service", kind, &both).await.unwrap(), [ids[0]]);
    }
    let metadata = [("caller_kind", "synchronizer"), ("update_fields", "enacted")];
    let now = lab.get("Service", ids[0]).await.unwrap().value("updated");
    lab.update("Service", &metadata, ids[0], &[("enacted", now)]).await.unwrap();
    assert_eq!(lab.filter("Service", 2, &[]).await.unwrap(), ids[1..]);
    for kind in [3, 5] {
        assert_eq!(lab.filter("Service", kind, &[]).await.unwrap(), [0; 0]);
    }
}

#[tokio::test]
async fn a_filter_that_means_nothing_is_refused_in_the_words_of_the_core() {
    let lab = Lab::new().await;
    let path = vec!["master_serviceinstance"; 5000].join("__");
    for (operator, name, value, words) in [
        (0, "no_such", text("x"), "Cannot resolve keyword 'no_such' into field. Choices are: "),
        (0, "id", text("abc"), "invalid literal for int() with base 10: 'abc'"),
        (0, "no_sync", text("true"), "[u\"'true' value must be either True or False.\"]"),
        (0, "updated", Value::Int(1), "expected string or buffer"),
        (0, "updated", text(""), "[u\"'' value has an invalid format. It must be in YYYY-MM-DD"),
        (5, "id", Value::Int(1), "function upper(integer) does not exist"),
        (8, "id", Value::Int(1), "operator does not exist: text ~ integer"),
        (8, "name", text("("), "invalid regular expression: parentheses () not balanced"),
        (99, "name", text("x"), "unknown operator"),
        (0, "name__name", text("x"), "Unsupported lookup 'name'"),
        (6, "owner__id", text("1"), "operator does not exist: text ~ integer"),
        (0, &path, Value::Int(1), "Unsupported lookup: a path leads over at most 16 links"),
    ] {
        let status = lab.filter("ServiceInstance", 0, &[(operator, name, value)]).await.unwrap_err();
        assert_eq!(status.code(), Code::Unknown, "{words}");
        let start = format!("Exception calling application: {words}");
        assert!(status.message().starts_with(&start), "{words}: {}", status.message());
    }
    let many = vec![(0, "name", text("x")); 101];
    let status = lab.filter("ServiceInstance", 0, &many).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let status = lab.filter("ServiceInstance", 9, &[]).await.unwrap_err();
    assert_eq!(status.code(), Code::Unknown);
}

#[tokio::test]
async fn what_is_missing_or_unreadable_has_its_code() {
    let lab = Lab::new().await;
    let code = async |method: &str, message: &'static [u8]| {
        lab.call(method, &[], message).await.map_err(|status| status.code()).map(|_| ())
    };
    assert_eq!(code("GetSite", b"").await, Err(Code::NotFound));
    assert_eq!(code("GetSite", b"\x80").await, Err(Code::InvalidArgument));
    for method in ["ListSite", "FilterSite", "CreateSite", "UpdateSite", "DeleteSite"] {
        assert_eq!(code(method, b"\x80").await, Err(Code::InvalidArgument), "{method}");
    }
    for method in ["GetNoSuchModel", "ListXOSBase", "Site", "PurgeSite", "getSite"] {
        assert_eq!(code(method, b"").await, Err(Code::Unimplemented), "{method}");
    }
    // A field of a newer client is no fault.
    assert_eq!(code("ListSite", b"\xf8\x7f\x01").await, Ok(()));
    // Without credentials only the schema is told over the network.
    let tcp = crate::raw::connect(lab.server.tcp_address().unwrap()).await;
    let status = crate::raw::call(&tcp, "/xos.xos/ListSite", "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(crate::raw::call(&tcp, "/schema.SchemaService/GetSchema", "").await.unwrap().len() > 50_000);
}

/// A model of a service: `Site`'s definition under another name.
fn another(name: &'static str) -> ModelDef {
    let site = core_models().find(|def| def.name == "XOSGuiExtension").unwrap();
    ModelDef { name: name.into(), app_label: "other".into(), policy: None, plural: None, ..site.clone() }
}

#[tokio::test]
async fn a_model_that_is_loaded_is_served_at_once() {
    let lab = Lab::new().await;
    let id = services(&lab, &["before"]).await[0];
    assert_eq!(lab.call("ListLate", &[], "").await.unwrap_err().code(), Code::Unimplemented);
    let load = Onboard::Load(LoadModels {
        name: "other".into(),
        version: "1".into(),
        models: vec![another("Late")],
        core_version: None,
        files: ServiceFiles::default(),
    });
    lab.core.onboard(&load).await.unwrap();
    let late = lab.create("Late", &[("name", text("x")), ("files", text("y"))]).await.unwrap();
    let seen = lab.get("Late", late).await.unwrap();
    assert_eq!(seen.value("name"), text("x"));
    assert_eq!((seen.text(2046), seen.text(2047)), ("Late,XOSBase".into(), "other.late".into()));
    // Who knows the old models goes on.
    assert_eq!(lab.get("Service", id).await.unwrap().value("name"), text("before"));
    let client = lab.client().await;
    let shape = client.schema().model("Late").unwrap().shape.clone();
    let found = client.get(&shape, &[late.into()]).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().get("name"), Some(&text("x")));
    let set = Op::Set { fields: lab.fields("Late", &[("name", text("z"))]), touch: Touch::AsTheRulesSay };
    let record = lab.write("Late", Target::Object(late.into()), Caller::Client, set).await;
    assert_eq!(record.get("name"), Some(&text("z")));
}
