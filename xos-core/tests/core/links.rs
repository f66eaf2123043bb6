//! Links, lists of links, and default owners; one test for each rule.

use xos_core::EmbeddedCore;
use xos_model_client::{Caller, DefaultValue, ModelDef, ObjectId, Query, QueryKind, Value};

use crate::common::*;

#[tokio::test]
async fn a_link_leads_to_a_live_object_of_the_right_model() {
    let core = core_with(vec![model("Thing", "XOSBase", vec![link(1, "service", "Service")])]).await;
    let service = a_service(&core, "hello").await;
    let site = create(
        &core,
        "Site",
        &[("name", "s".into()), ("login_base", "s".into()), ("abbreviated_name", "s".into())],
    )
    .await
    .unwrap();
    let to = |id: ObjectId| [("service", Value::Link(id))];
    let thing = create(&core, "Thing", &to(service.id)).await.unwrap();
    let missing = create(&core, "Thing", &to(ObjectId::new(99))).await.unwrap_err();
    assert_eq!(fault_of(&missing, "service"), "leads to Service 99, which does not exist");
    let wrong = create(&core, "Thing", &to(site.id())).await.unwrap_err();
    assert!(fault_of(&wrong, "service").contains("does not exist"));
    let dead = a_service(&core, "dead").await.id;
    set(&core, "Service", dead, &[("backend_need_delete", true.into())], Caller::Engine).await.unwrap();
    delete(&core, "Service", dead).await.unwrap();
    let error = set(&core, "Thing", thing.id(), &to(dead), Caller::Client).await.unwrap_err();
    assert!(fault_of(&error, "service").contains("which is deleted"));
    // Link 0 is no link, as on the wire.
    let written = set(&core, "Thing", thing.id(), &to(ObjectId::UNSET), Caller::Client).await.unwrap();
    assert!(written.record.unwrap().get("service").unwrap().is_null());
}

#[tokio::test]
async fn links_of_a_deleted_object_are_not_checked() {
    let core = core_with(vec![model("Thing", "XOSBase", vec![link(1, "service", "Service")])]).await;
    let id = create(&core, "Thing", &[("backend_need_delete", true.into())]).await.unwrap().id();
    let dead = a_service(&core, "dead").await.id;
    set(&core, "Service", dead, &[("backend_need_delete", true.into())], Caller::Engine).await.unwrap();
    delete(&core, "Service", dead).await.unwrap();
    delete(&core, "Thing", id).await.unwrap();
    set(&core, "Thing", id, &[("service", dead.into())], Caller::Step).await.unwrap();
    // But they lead somewhere.
    let nowhere = [("service", Value::Link(ObjectId::new(99)))];
    let error = set(&core, "Thing", id, &nowhere, Caller::Step).await.unwrap_err();
    assert!(fault_of(&error, "service").contains("does not exist"), "{error}");
}

fn with_lists() -> Vec<ModelDef> {
    vec![model("Group", "XOSBase", vec![links(1, "members", "Service")])]
}

fn members(ids: &[ObjectId]) -> [(&'static str, Value); 1] {
    [("members", Value::Links(ids.to_vec()))]
}

#[tokio::test]
async fn a_list_is_made_exactly_what_is_given() {
    let core = core_with(with_lists()).await;
    let mut services = Vec::new();
    for name in ["a", "b", "c"] {
        services.push(a_service(&core, name).await.id);
    }
    let (a, b, c) = (services[0], services[1], services[2]);
    let group = create(&core, "Group", &members(&[b, a, b])).await.unwrap();
    assert_eq!(group.get("members"), Some(&Value::Links(vec![a, b])));
    let written = set(&core, "Group", group.id(), &members(&[c, b]), Caller::Client).await.unwrap();
    assert_eq!(written.record.unwrap().get("members"), Some(&Value::Links(vec![b, c])));
    assert_eq!(
        get(&core, "Group", group.id()).await.unwrap().get("members"),
        Some(&Value::Links(vec![b, c]))
    );
    set(&core, "Group", group.id(), &members(&[]), Caller::Client).await.unwrap();
    assert_eq!(get(&core, "Group", group.id()).await.unwrap().get("members"), Some(&Value::Links(vec![])));
}

#[tokio::test]
async fn setting_the_same_list_changes_nothing() {
    let core = core_with(with_lists()).await;
    let (a, b) = (a_service(&core, "a").await.id, a_service(&core, "b").await.id);
    let group = create(&core, "Group", &members(&[a, b])).await.unwrap();
    let written = set(&core, "Group", group.id(), &members(&[b, a]), Caller::Step).await.unwrap();
    assert!(!written.changed);
    assert_eq!(written.record.unwrap().get("members"), Some(&Value::Links(vec![a, b])));
}

#[tokio::test]
async fn a_list_that_changes_moves_updated_even_for_a_synchronizer() {
    let core = core_with(with_lists()).await;
    let a = a_service(&core, "a").await.id;
    let group = create(&core, "Group", &[]).await.unwrap();
    let updated = group.get("updated").unwrap().clone();
    set(&core, "Group", group.id(), &[("enacted", updated)], Caller::Engine).await.unwrap();
    set(&core, "Group", group.id(), &members(&[a]), Caller::Step).await.unwrap();
    let dirty = Query::live(shape(&core, "Group")).of_kind(QueryKind::DirtyObjects);
    assert_eq!(ids(&core, dirty).await, [group.id().get()]);
}

#[tokio::test]
async fn an_unknown_member_of_a_list_is_refused() {
    let core = core_with(with_lists()).await;
    let a = a_service(&core, "a").await.id;
    let error = create(&core, "Group", &members(&[a, ObjectId::new(99)])).await.unwrap_err();
    assert!(fault_of(&error, "members").contains("Service 99"));
}

#[tokio::test]
async fn a_deleted_member_is_not_in_the_list_and_does_not_take_the_list_along() {
    let core = core_with(with_lists()).await;
    let (a, b) = (a_service(&core, "a").await.id, a_service(&core, "b").await.id);
    let group = create(&core, "Group", &members(&[a, b])).await.unwrap().id();
    set(&core, "Service", a, &[("backend_need_delete", true.into())], Caller::Engine).await.unwrap();
    delete(&core, "Service", a).await.unwrap();
    assert_eq!(get(&core, "Group", group).await.unwrap().get("members"), Some(&Value::Links(vec![b])));
    set(&core, "Service", a, &[("backend_need_reap", true.into())], Caller::Engine).await.unwrap();
    assert!(get(&core, "Service", a).await.is_none());
    delete(&core, "Group", group).await.unwrap();
    assert!(get(&core, "Group", group).await.is_none());
}

#[tokio::test]
async fn a_list_of_a_deleted_object_stays_as_it_is() {
    let core = core_with(with_lists()).await;
    let a = a_service(&core, "a").await.id;
    let group = create(&core, "Group", &[("backend_need_delete", true.into())]).await.unwrap().id();
    delete(&core, "Group", group).await.unwrap();
    set(&core, "Group", group, &members(&[a]), Caller::Engine).await.unwrap();
    assert_eq!(get(&core, "Group", group).await.unwrap().get("members"), Some(&Value::Links(vec![])));
}

/// `MyService` and instances of it, which it owns.
async fn with_owners() -> EmbeddedCore {
    let mut instance = model("MyInstance", "ServiceInstance", vec![]);
    instance.owner_class = Some("MyService".into());
    core_with(vec![model("MyService", "Service", vec![]), instance]).await
}

async fn my_service(core: &EmbeddedCore, name: &str) -> ObjectId {
    create(core, "MyService", &[("name", name.into())]).await.unwrap().id()
}

#[tokio::test]
async fn an_object_without_owner_gets_the_first_of_the_owner_class() {
    let core = with_owners().await;
    a_service(&core, "of another class").await;
    let (first, _) = (my_service(&core, "first").await, my_service(&core, "second").await);
    let record = create(&core, "MyInstance", &[("name", "x".into())]).await.unwrap();
    assert_eq!(record.get("owner"), Some(&Value::Link(first)));
}

#[tokio::test]
async fn an_owner_of_another_class_or_a_missing_one_is_replaced() {
    let core = with_owners().await;
    let other = a_service(&core, "of another class").await.id;
    let (first, second) = (my_service(&core, "first").await, my_service(&core, "second").await);
    for (given, owner) in
        [(other, first), (ObjectId::new(999), first), (ObjectId::UNSET, first), (second, second)]
    {
        let record = create(&core, "MyInstance", &[("owner", given.into())]).await.unwrap();
        assert_eq!(record.get("owner"), Some(&Value::Link(owner)), "{given}");
    }
    let id = create(&core, "MyInstance", &[("owner", second.into())]).await.unwrap().id();
    let written = set(&core, "MyInstance", id, &[("owner", other.into())], Caller::Client).await.unwrap();
    assert_eq!(written.record.unwrap().get("owner"), Some(&Value::Link(first)));
}

#[tokio::test]
async fn without_any_eligible_owner_the_object_is_refused() {
    let core = with_owners().await;
    a_service(&core, "of another class").await;
    let error = create(&core, "MyInstance", &[]).await.unwrap_err();
    let all: Vec<_> = faults(&error).into_iter().map(|fault| fault.message).collect();
    assert!(all.iter().any(|told| told.contains("Cannot find eligible owner of class MyService")), "{all:?}");
}

#[tokio::test]
async fn the_owner_class_of_the_leaf_wins() {
    let core = with_owners().await;
    let mut leaf = model("Leaf", "MyInstance", vec![]);
    leaf.owner_class = Some("LeafService".into());
    let load = vec![model("LeafService", "MyService", vec![]), leaf];
    crate::common::load(&core, load).await.unwrap();
    my_service(&core, "mine").await;
    let own = create(&core, "LeafService", &[("name", "leaf".into())]).await.unwrap().id();
    let record = create(&core, "Leaf", &[]).await.unwrap();
    assert_eq!(record.get("owner"), Some(&Value::Link(own)));
}

#[tokio::test]
async fn a_link_that_defaults_to_the_first_object_takes_the_first_live_one() {
    let site = with_default(required(link(1, "service", "Service")), DefaultValue::First);
    let core = core_with(vec![model("Thing", "XOSBase", vec![site])]).await;
    fault_of(&create(&core, "Thing", &[]).await.unwrap_err(), "service");
    let gone = a_service(&core, "gone").await.id;
    let first = a_service(&core, "first").await.id;
    delete(&core, "Service", gone).await.unwrap();
    assert_eq!(create(&core, "Thing", &[]).await.unwrap().get("service"), Some(&Value::Link(first)));
}
