#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use tonic::Code;
use xos_model_client::ModelAccessor as _;
use xos_model_client::{FieldDef, ObjectId, Value, xproto};

use super::messages::{
    DatabaseInfo, DatabaseStatus, Id, ModelFilter, ModelList, PopulatedServiceInstance, VersionInfo, XProtos,
};
use crate::server::World;
use crate::server::testing::{call, create, get, over, raw, recorded, set, stranger, world};
use crate::{EmbeddedCore, Options};

async fn list(world: &World, method: &str, class: &str) -> Vec<(String, i32, String)> {
    let filter = ModelFilter { class_name: class.to_owned() };
    let list: ModelList = call(world, &format!("/xos.utility/{method}"), &filter).await.unwrap();
    list.items.into_iter().map(|item| (item.class_name, item.id, item.info)).collect()
}

fn seconds(value: Option<&Value>) -> f64 {
    match value {
        Some(Value::Time(time)) => time.seconds(),
        other => panic!("expected a time, found {other:?}"),
    }
}

async fn a_site(world: &World, name: &str) -> ObjectId {
    let name = Value::from(name);
    create(world, "Site", &[("name", name.clone()), ("login_base", name.clone()), ("abbreviated_name", name)])
        .await
}

#[tokio::test]
async fn everybody_may_ask_what_this_is() {
    let world = world();
    for method in ["NoOp", "GetVersion", "GetDatabaseInfo", "GetXproto"] {
        stranger(&world, &format!("/xos.utility/{method}")).await.unwrap();
    }
    for method in ["AuthenticatedNoOp", "ListDirtyModels", "SetDirtyModels", "GetPopulatedServiceInstances"] {
        let status = stranger(&world, &format!("/xos.utility/{method}")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{method}");
        let text = "{\"fields\": {}, \"specific_error\": \"This API requires authentication\", \"error\": \"XOSNotAuthenticated\"}";
        assert_eq!(status.message(), text, "{method}");
    }
    let status = stranger(&world, "/xos.utility/Else").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unimplemented, "Method not found!"));
    let version: VersionInfo = call(&world, "/xos.utility/GetVersion", &()).await.unwrap();
    assert_eq!((version.version.as_str(), version.python_version.as_str()), ("4.0.4", "none"));
}

#[tokio::test]
async fn the_database_is_told_without_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret-place.db");
    let world = over(EmbeddedCore::open(&path, Options::default()).unwrap());
    let info: DatabaseInfo = call(&world, "/xos.utility/GetDatabaseInfo", &()).await.unwrap();
    assert_eq!(info.status, DatabaseStatus::Operational as i32);
    assert!(!format!("{info:?}").contains("secret-place"), "{info:?}");
    world.core.close();
    let info: DatabaseInfo = call(&world, "/xos.utility/GetDatabaseInfo", &()).await.unwrap();
    assert_eq!(info.status, DatabaseStatus::Error as i32);
}

#[tokio::test]
async fn the_xproto_of_the_core_gives_its_models_back() {
    let world = world();
    let answer: XProtos = call(&world, "/xos.utility/GetXproto", &()).await.unwrap();
    let document = xproto::parse("core.xproto", &answer.xproto).unwrap();
    let again = document.models().unwrap();
    for model in xos_model_client::models::core_models() {
        let found = again.iter().find(|it| it.name == model.name).unwrap();
        // The field `id` is not in the text.
        let own = |fields: &[FieldDef]| fields.iter().filter(|it| !it.is_id()).cloned().collect::<Vec<_>>();
        assert_eq!(own(&found.fields), own(&model.fields), "{}", model.name);
        assert_eq!((&found.base, &found.policy, &found.plural), (&model.base, &model.policy, &model.plural));
    }
    let Some(recorded) = recorded("utility", "xproto") else { return };
    let recorded = <XProtos as prost::Message>::decode(recorded.as_slice()).unwrap();
    let theirs = xproto::parse("core.xproto", &recorded.xproto).unwrap();
    for message in theirs.messages().filter(|message| !message.name.starts_with("HelloWorld")) {
        let ours = document.message(&message.name).unwrap_or_else(|| panic!("no {}", message.name));
        assert_eq!(ours.policy, message.policy, "{}", message.name);
    }
}

#[tokio::test]
async fn dirty_objects_are_told_under_each_of_their_classes() {
    let world = world();
    let site = a_site(&world, "one").await;
    let expected = |class: &str| (class.to_owned(), site.get(), String::new());
    assert_eq!(list(&world, "ListDirtyModels", "S*").await, [expected("Site_decl"), expected("Site")]);
    assert_eq!(list(&world, "ListDirtyModels", "Site").await, [expected("Site")]);
    assert!(list(&world, "ListDirtyModels", "Tag").await.is_empty());
    let updated = get(&world, "Site", site).await.get("updated").cloned().unwrap();
    set(&world, "Site", site, &[("enacted", updated.clone())]).await;
    assert!(list(&world, "ListDirtyModels", "").await.is_empty());
    assert_eq!(list(&world, "SetDirtyModels", "Site").await, [expected("Site")]);
    let now = get(&world, "Site", site).await;
    assert!(seconds(now.get("updated")) > seconds(Some(&updated)));
    assert_eq!(list(&world, "ListDirtyModels", "Site*").await, [expected("Site_decl"), expected("Site")]);
}

#[tokio::test]
async fn more_objects_than_a_page_are_all_made_dirty_and_told() {
    let world = world();
    for at in 0..1100 {
        let id = create(&world, "NodeLabel", &[("name", Value::from(format!("label {at}")))]).await;
        let updated = get(&world, "NodeLabel", id).await.get("updated").cloned().unwrap();
        set(&world, "NodeLabel", id, &[("enacted", updated)]).await;
    }
    assert_eq!(list(&world, "ListDirtyModels", "NodeLabel").await.len(), 0);
    assert_eq!(list(&world, "SetDirtyModels", "NodeLabel*").await.len(), 2200);
    assert_eq!(list(&world, "ListDirtyModels", "NodeLabel").await.len(), 1100);
}

#[tokio::test]
async fn an_instance_is_told_with_who_uses_it_and_whom_it_uses() {
    let world = world();
    let service = create(&world, "Service", &[("name", "vpn".into())]).await;
    let owner = ("owner", Value::Link(service));
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(create(&world, "ServiceInstance", &[("name", name.into()), owner.clone()]).await);
    }
    let [a, b, c] = ids[..] else { panic!("three instances") };
    let link = async |provider: ObjectId, end: &str, subscriber: ObjectId| {
        let ends = [("provider_service_instance", Value::Link(provider)), (end, Value::Link(subscriber))];
        create(&world, "ServiceInstanceLink", &ends).await
    };
    link(a, "subscriber_service_instance", b).await;
    link(a, "subscriber_service", service).await;
    link(c, "subscriber_service_instance", a).await;
    let populated = async |id: i32| {
        let answer: Result<PopulatedServiceInstance, _> =
            call(&world, "/xos.utility/GetPopulatedServiceInstances", &Id { id }).await;
        answer
    };
    let told = populated(a.get()).await.unwrap();
    assert_eq!(
        (told.id, told.name.as_deref(), told.owner_id),
        (Some(a.get()), Some("a"), Some(service.get()))
    );
    assert_eq!(told.leaf_model_name.as_deref(), Some("ServiceInstance"));
    assert_eq!(told.provided_service_instances, [b.get()]);
    assert_eq!(told.subscribed_service, [service.get()]);
    assert_eq!(told.subscribed_service_instances, [c.get()]);
    assert!(told.subscribed_network.is_empty());
    let status = populated(9999).await.unwrap_err();
    assert_eq!(status.code(), Code::Unknown);
    assert_eq!(
        status.message(),
        "Exception calling application: ServiceInstance matching query does not exist."
    );
}

#[tokio::test]
async fn requests_that_are_no_messages_are_refused() {
    let world = world();
    for method in ["ListDirtyModels", "SetDirtyModels", "GetPopulatedServiceInstances"] {
        let path = format!("/xos.utility/{method}");
        let answer = raw(&world, &path, vec![0x0a, 0xff, 0xff], crate::server::call::Peer::Local).await;
        assert_eq!(answer.unwrap_err().code(), Code::InvalidArgument, "{method}");
    }
}

#[tokio::test]
async fn a_python_client_whose_models_are_old_is_told_once() {
    use crate::server::call::{Call, Peer};
    let world = world();
    let call = async |path: &str, port: u16, agent: &str| {
        let mut headers = http::HeaderMap::new();
        headers.insert("user-agent", agent.parse().unwrap());
        let peer = Peer::Network(([127, 0, 0, 1], port).into());
        let call = Call { path: path.to_owned(), headers, message: bytes::Bytes::new(), peer };
        world.answer(&call).await.map(|_| ()).map_err(|status| status.code())
    };
    let (no_op, schema) = ("/xos.utility/NoOp", "/schema.SchemaService/GetSchema");
    let python = "grpc-python/1.19.0 grpc-c/7.0.0 (manylinux; chttp2; gold)";
    for (port, agent) in [(1, python), (2, "tonic/0.14")] {
        call(schema, port, agent).await.unwrap();
        call(no_op, port, agent).await.unwrap();
    }
    let document = xproto::parse("h.xproto", crate::server::testing::HELLO).unwrap();
    let load = xos_model_client::LoadModels {
        name: "hello-world".to_owned(),
        version: "1".to_owned(),
        models: document.models().unwrap(),
        core_version: None,
        files: xos_model_client::ServiceFiles::default(),
    };
    world.core.onboard(&xos_model_client::Onboard::Load(load)).await.unwrap();
    assert_eq!(call(no_op, 1, python).await, Err(Code::Unavailable));
    assert_eq!(call(no_op, 1, python).await, Ok(()));
    // Others find out by themselves; and who did not read the schema here is not behind.
    assert_eq!(call(no_op, 2, "tonic/0.14").await, Ok(()));
    assert_eq!(call(no_op, 3, python).await, Ok(()));
    call(schema, 1, python).await.unwrap();
    assert_eq!(call(no_op, 1, python).await, Ok(()));
}
