//! Links, lists of links, and default owners.

use xos_model_client::{Caller, ModelDef, ObjectId, QueryKind, Value};

use crate::subject::Subject;
use crate::tools::*;

pub(crate) async fn a_link_leads_to_a_live_object_of_its_model(on: &Subject) {
    on.load(vec![thing()]).await;
    let service = on.service("hello").await;
    let site = [("name", Value::from("s")), ("login_base", "s".into()), ("abbreviated_name", "s".into())];
    let site = on.create("Site", &site).await;
    let id = on.create("Thing", &[("service", service.into())]).await;
    for wrong in [ObjectId::new(99), site] {
        let told = on.fault_of_link(&on.refused("Thing", &[("service", wrong.into())]).await, "service");
        assert!(told.to_lowercase().contains("service"), "{told}");
    }
    let dead = on.service("dead").await;
    on.claim("Service", dead).await;
    on.delete("Service", dead).await;
    let error = on.try_set("Thing", id, &[("service", dead.into())], Caller::Client).await.unwrap_err();
    assert!(on.fault_of_link(&error, "service").contains("deleted"), "{error}");
    assert_eq!(on.get("Thing", id).await.get("service"), Some(&Value::Link(service)));
}

fn members(ids: &[ObjectId]) -> [Given<'static>; 1] {
    [("members", Value::Links(ids.to_vec()))]
}

async fn members_of(on: &Subject, id: ObjectId) -> Vec<ObjectId> {
    match on.get("Thing", id).await.get("members") {
        Some(Value::Links(ids)) => ids.clone(),
        other => panic!("expected a list, found {other:?}"),
    }
}

pub(crate) async fn a_list_is_made_exactly_what_is_given(on: &Subject) {
    on.load(vec![thing()]).await;
    let (a, b, c) = (on.service("a").await, on.service("b").await, on.service("c").await);
    let group = on.try_create("Thing", &members(&[b, a, b])).await.unwrap();
    assert_eq!(group.get("members"), Some(&Value::Links(vec![a, b])));
    let id = group.id();
    let record = on.set("Thing", id, &members(&[c, b]), Caller::Client).await;
    assert_eq!(record.get("members"), Some(&Value::Links(vec![b, c])));
    assert_eq!(members_of(on, id).await, [b, c]);
    // What is not named, stays.
    on.set("Thing", id, &[("title", "t".into())], Caller::Client).await;
    assert_eq!(members_of(on, id).await, [b, c]);
    on.set("Thing", id, &members(&[]), Caller::Client).await;
    assert_eq!(members_of(on, id).await, []);
}

pub(crate) async fn the_same_list_again_changes_nothing(on: &Subject) {
    on.load(vec![thing()]).await;
    let (a, b) = (on.service("a").await, on.service("b").await);
    let id = on.create("Thing", &members(&[a, b])).await;
    let before = on.get("Thing", id).await;
    for by in [Caller::Step, Caller::Client] {
        let written = on.try_set("Thing", id, &members(&[b, a]), by).await.unwrap();
        assert_eq!(written.record.unwrap().get("members"), Some(&Value::Links(vec![a, b])), "{by:?}");
        assert_eq!(members_of(on, id).await, [a, b], "{by:?}");
        if by == Caller::Step {
            assert_eq!(on.get("Thing", id).await.get("updated"), before.get("updated"));
            assert_eq!(written.changed, on.less.unchanged);
        }
    }
}

pub(crate) async fn a_list_that_changes_moves_updated_even_for_a_synchronizer(on: &Subject) {
    on.load(vec![thing()]).await;
    let a = on.service("a").await;
    let id = on.create("Thing", &[]).await;
    on.enact("Thing", id).await;
    on.set("Thing", id, &members(&[a]), Caller::Step).await;
    assert!(on.is_dirty("Thing", id, QueryKind::DirtyObjects).await);
}

pub(crate) async fn an_unknown_member_is_refused(on: &Subject) {
    on.load(vec![thing()]).await;
    let a = on.service("a").await;
    let told = on.fault_of_link(&on.refused("Thing", &members(&[a, ObjectId::new(99)])).await, "members");
    assert!(told.contains("99"), "{told}");
    let id = on.create("Thing", &members(&[a])).await;
    on.try_set("Thing", id, &members(&[ObjectId::new(99)]), Caller::Client).await.unwrap_err();
    assert_eq!(members_of(on, id).await, [a]);
}

pub(crate) async fn a_deleted_member_leaves_the_list(on: &Subject) {
    on.load(vec![thing()]).await;
    let (a, b) = (on.service("a").await, on.service("b").await);
    let id = on.create("Thing", &members(&[a, b])).await;
    on.claim("Service", a).await;
    on.delete("Service", a).await;
    assert_eq!(members_of(on, id).await, [b]);
    on.let_go("Service", a).await;
    on.gone("Service", a).await;
    assert_eq!(members_of(on, id).await, [b]);
    on.delete("Thing", id).await;
    on.gone("Thing", id).await;
    on.get("Service", b).await;
}

/// `MyService` and instances of it, which it owns.
fn owners() -> Vec<ModelDef> {
    let mut instance = model("MyInstance", "ServiceInstance", vec![]);
    instance.owner_class = Some("MyService".into());
    vec![model("MyService", "Service", vec![]), instance]
}

pub(crate) async fn an_object_without_owner_gets_the_first_of_its_class(on: &Subject) {
    on.load(owners()).await;
    on.service("of another class").await;
    let first = on.create("MyService", &[("name", "first".into())]).await;
    on.create("MyService", &[("name", "second".into())]).await;
    let record = on.try_create("MyInstance", &[("name", "x".into())]).await.unwrap();
    assert_eq!(record.get("owner"), Some(&Value::Link(first)));
}

pub(crate) async fn an_owner_of_another_class_is_replaced(on: &Subject) {
    on.load(owners()).await;
    let other = on.service("of another class").await;
    let first = on.create("MyService", &[("name", "first".into())]).await;
    let second = on.create("MyService", &[("name", "second".into())]).await;
    for (given, owner) in
        [(other, first), (ObjectId::new(999), first), (ObjectId::UNSET, first), (second, second)]
    {
        let record = on.try_create("MyInstance", &[("owner", given.into())]).await.unwrap();
        assert_eq!(record.get("owner"), Some(&Value::Link(owner)), "{given}");
    }
    let id = on.create("MyInstance", &[("owner", second.into())]).await;
    let record = on.set("MyInstance", id, &[("owner", other.into())], Caller::Client).await;
    assert_eq!(record.get("owner"), Some(&Value::Link(first)));
}

pub(crate) async fn without_an_eligible_owner_the_object_is_refused(on: &Subject) {
    on.load(owners()).await;
    on.service("of another class").await;
    let error = on.refused("MyInstance", &[]).await;
    assert!(error.to_string().contains("Cannot find eligible owner of class MyService"), "{error}");
    assert!(matches!(error.kind(), xos_model_client::ErrorKind::Invalid { .. }), "{error}");
}

pub(crate) async fn a_deleted_link_is_counted_by_its_provider(on: &Subject) {
    let service = on.service("hello").await;
    let (provider, subscriber) = (on.instance("p", service).await, on.instance("s", service).await);
    on.enact("ServiceInstance", provider).await;
    let ends =
        [("provider_service_instance", provider.into()), ("subscriber_service_instance", subscriber.into())];
    let id = on.create("ServiceInstanceLink", &ends).await;
    on.delete("ServiceInstanceLink", id).await;
    let record = on.get("ServiceInstance", provider).await;
    assert_eq!(record.get("link_deleted_count"), Some(&Value::Int(1)));
    assert!(on.is_dirty("ServiceInstance", provider, QueryKind::DirtyObjects).await);
}
