//! What is told on the topic `xos.gui_events`: the JSON of the core 4.0.4.

use futures_util::StreamExt;
use serde_json::{Value as Json, json};
use xos_core::{EmbeddedCore, GuiEvent, Options};
use xos_model_client::models::{Site, User};
use xos_model_client::{Caller, Cursor, Link, ModelAccessor};

use crate::common::*;

async fn next(events: &mut (impl StreamExt<Item = GuiEvent> + Unpin)) -> (String, Json) {
    let event =
        tokio::time::timeout(std::time::Duration::from_secs(60), events.next()).await.unwrap().unwrap();
    (event.key, serde_json::from_slice(&event.value).unwrap())
}

async fn from_now(core: &EmbeddedCore) -> Cursor {
    core.cursor().await.unwrap()
}

#[tokio::test]
async fn a_change_is_told_with_its_fields_and_the_object() {
    let core = memory();
    let mut events = core.gui_events(from_now(&core).await);
    let service = a_service(&core, "hello").await;
    let (key, created) = next(&mut events).await;
    assert_eq!(key, "Service");
    assert_eq!(created["pk"], json!(service.id.get()));
    assert_eq!(created["changed_fields"], json!(["id", "updated", "leaf_model_name"]));
    let object = &created["object"];
    assert_eq!((&object["id"], &object["name"]), (&json!(service.id.get()), &json!("hello")));
    assert_eq!(object["updated"], json!(service.updated.seconds().trunc() as i64), "whole seconds");
    assert_eq!(object["enacted"], Json::Null);
    assert_eq!(object.get("created"), None, "nobody can edit it");
    assert_eq!(created.get("deleted"), None);
    let names = object["class_names"].as_str().unwrap();
    assert!(names.starts_with("Service,") && names.ends_with(",object"), "{names}");

    set(&core, "Service", service.id, &[("description", "x".into())], Caller::Step).await.unwrap();
    let (_, set) = next(&mut events).await;
    assert_eq!(set["changed_fields"], json!(["changed_by_step", "description"]));
    assert_eq!(set["object"]["description"], json!("x"));
}

#[tokio::test]
async fn a_deletion_is_told_twice_softly_and_for_good() {
    let core = memory();
    let id = a_service(&core, "hello").await.id;
    set(&core, "Service", id, &[("backend_need_delete", true.into())], Caller::Engine).await.unwrap();
    let mut events = core.gui_events(from_now(&core).await);
    delete(&core, "Service", id).await.unwrap();
    let (_, soft) = next(&mut events).await;
    assert_eq!((&soft["object"]["deleted"], soft.get("deleted")), (&json!(true), None));
    assert_eq!(soft["changed_fields"], json!(["enacted", "policed", "deleted"]));
    set(&core, "Service", id, &[("backend_need_reap", true.into())], Caller::Engine).await.unwrap();
    loop {
        let (key, event) = next(&mut events).await;
        assert_eq!((key.as_str(), &event["pk"]), ("Service", &json!(id.get())));
        if event.get("deleted") == Some(&json!(true)) {
            assert_eq!(event["object"], json!({"id": id.get()}));
            return;
        }
    }
}

#[tokio::test]
async fn links_are_ids_and_no_hash_of_a_password_is_told() {
    let core = memory();
    let site = client(&core)
        .create(Site {
            name: "mysite".into(),
            login_base: "my".into(),
            abbreviated_name: "my".into(),
            ..Default::default()
        })
        .await
        .unwrap();
    let mut events = core.gui_events(from_now(&core).await);
    let user = User {
        email: "arya@example.org".into(),
        firstname: "Arya".into(),
        lastname: "Stark".into(),
        site: Link::to(site.id),
        ..Default::default()
    };
    client(&core).create(user).await.unwrap();
    let (key, event) = next(&mut events).await;
    assert_eq!((key.as_str(), &event["object"]["site_id"]), ("User", &json!(site.id.get())));
    assert_eq!(event["object"].get("password"), None);
    assert_eq!(event["object"].get("site"), None);
}

#[tokio::test]
async fn what_was_not_told_before_a_restart_is_told_afterwards() {
    let folder = folder();
    let path = folder.path().join("core.db");
    let open = || open_core(&path, Options::default()).unwrap();
    let core = open();
    a_service(&core, "one").await;
    let told = from_now(&core).await;
    a_service(&core, "two").await;
    core.close();
    drop(core);
    let core = open();
    let mut events = core.gui_events(told);
    let (_, event) = next(&mut events).await;
    assert_eq!((&event["object"]["name"], &event["changed_fields"]), (&json!("two"), &json!([])));
}

#[tokio::test]
async fn it_ends_with_the_core() {
    let core = memory();
    let mut events = core.gui_events(from_now(&core).await);
    core.close();
    assert_eq!(events.next().await, None);
}
