//! Soft deletion, cascade and the reaper.

use xos_model_client::{Caller, ObjectId, QueryKind, Value};

use crate::subject::Subject;
use crate::tools::*;

pub(crate) async fn a_deletion_unsets_enacted_and_policed_and_leaves_updated(on: &Subject) {
    let id = on.service("hello").await;
    on.claim("Service", id).await;
    on.enact("Service", id).await;
    let now = on.get("Service", id).await.get("updated").unwrap().clone();
    on.set("Service", id, &[("policed", now.clone())], Caller::Engine).await;
    let written = on.delete("Service", id).await;
    assert!(written.changed && written.id == id);
    let read = on.get("Service", id).await;
    for record in [written.record.unwrap(), read] {
        assert_eq!(record.get("deleted"), Some(&Value::Bool(true)));
        assert!(record.get("enacted").unwrap().is_null() && record.get("policed").unwrap().is_null());
        assert_eq!(record.get("updated"), Some(&now));
    }
}

pub(crate) async fn a_deleted_object_is_found_by_get_and_the_deleted_kinds_only(on: &Subject) {
    let id = on.service("hello").await;
    on.claim("Service", id).await;
    on.delete("Service", id).await;
    for kind in [QueryKind::Live, QueryKind::DirtyObjects, QueryKind::DirtyPolicies] {
        assert_eq!(on.of_kind("Service", kind).await, [], "{kind:?}");
    }
    for kind in [QueryKind::DeletedObjects, QueryKind::DeletedPolicies] {
        assert_eq!(on.of_kind("Service", kind).await, [id], "{kind:?}");
    }
    let updated = on.get("Service", id).await.get("updated").unwrap().clone();
    on.set("Service", id, &[("policed", updated)], Caller::Engine).await;
    assert_eq!(on.of_kind("Service", QueryKind::DeletedPolicies).await, []);
    assert_eq!(on.of_kind("Service", QueryKind::DeletedObjects).await, [id]);
}

pub(crate) async fn deleting_again_changes_nothing_and_a_missing_object_is_not_found(on: &Subject) {
    let id = on.service("hello").await;
    on.claim("Service", id).await;
    assert!(on.delete("Service", id).await.changed);
    let again = on.delete("Service", id).await;
    assert!(!again.changed && again.record.is_some());
    on.let_go("Service", id).await;
    on.gone("Service", id).await;
    assert!(on.write(on.a_delete("Service", id)).await.unwrap_err().is_not_found());
    assert!(on.write(on.a_delete("Service", ObjectId::new(999))).await.unwrap_err().is_not_found());
}

pub(crate) async fn a_write_protected_object_stays(on: &Subject) {
    let id = on.service("hello").await;
    on.set("Service", id, &[("write_protect", true.into())], Caller::Client).await;
    let written = on.delete("Service", id).await;
    assert!(!written.changed && written.record.is_some());
    assert!(!on.is_deleted("Service", id).await);
}

pub(crate) async fn a_deletion_takes_along_all_that_links_to_the_object(on: &Subject) {
    let service = on.service("hello").await;
    let (one, two) = (on.instance("one", service).await, on.instance("two", service).await);
    let other = on.service("other").await;
    // Through optional links too, and over several.
    let fields = [("owner", Value::Link(other)), ("master_serviceinstance", one.into())];
    let child = on.create("ServiceInstance", &fields).await;
    let bystander = on.instance("bystander", other).await;
    for id in [one, two, child] {
        on.claim("ServiceInstance", id).await;
    }
    on.delete("Service", service).await;
    for id in [one, two, child] {
        assert!(on.is_deleted("ServiceInstance", id).await, "{id}");
    }
    assert!(on.is_deleted("Service", service).await);
    assert!(!on.is_deleted("Service", other).await && !on.is_deleted("ServiceInstance", bystander).await);
}

pub(crate) async fn what_was_never_claimed_is_purged(on: &Subject) {
    let service = on.service("hello").await;
    let instance = on.instance("world", service).await;
    assert!(on.delete("Service", service).await.changed);
    on.gone("ServiceInstance", instance).await;
    on.gone("Service", service).await;
    assert_eq!(on.of_kind("ServiceInstance", QueryKind::DeletedObjects).await, []);
}

pub(crate) async fn what_is_claimed_stays_until_it_is_let_go(on: &Subject) {
    for claim in ["backend_need_delete", "backend_need_delete_policy"] {
        let id = on.service(claim).await;
        on.set("Service", id, &[(claim, true.into())], Caller::Engine).await;
        on.delete("Service", id).await;
        // Another deletion has gone through by the time that this one would have.
        let other = on.service("other").await;
        on.delete("Service", other).await;
        on.gone("Service", other).await;
        assert!(on.is_deleted("Service", id).await, "{claim}");
        on.let_go("Service", id).await;
        on.gone("Service", id).await;
    }
}

pub(crate) async fn an_object_waits_for_what_links_to_it(on: &Subject) {
    let service = on.service("hello").await;
    let instance = on.instance("world", service).await;
    on.claim("ServiceInstance", instance).await;
    on.delete("Service", service).await;
    let other = on.service("other").await;
    on.delete("Service", other).await;
    on.gone("Service", other).await;
    assert!(on.is_deleted("Service", service).await && on.is_deleted("ServiceInstance", instance).await);
    on.let_go("ServiceInstance", instance).await;
    on.gone("ServiceInstance", instance).await;
    on.gone("Service", service).await;
}

pub(crate) async fn a_circle_of_links_is_purged(on: &Subject) {
    let service = on.service("hello").await;
    let (one, two) = (on.instance("one", service).await, on.instance("two", service).await);
    let own = on.instance("own", service).await;
    for (from, to) in [(one, two), (two, one), (own, own)] {
        on.set("ServiceInstance", from, &[("master_serviceinstance", to.into())], Caller::Client).await;
    }
    on.delete("ServiceInstance", own).await;
    on.delete("ServiceInstance", one).await;
    for id in [one, two, own] {
        on.gone("ServiceInstance", id).await;
    }
    on.get("Service", service).await;
}

pub(crate) async fn a_deleted_object_can_be_changed_and_brought_back(on: &Subject) {
    let service = on.service("hello").await;
    let id = on.instance("world", service).await;
    on.claim("ServiceInstance", id).await;
    on.delete("ServiceInstance", id).await;
    let failed = [("backend_status", Value::from("OK // cannot delete"))];
    on.set("ServiceInstance", id, &failed, Caller::Engine).await;
    assert!(on.is_deleted("ServiceInstance", id).await);
    assert_eq!(text(&on.get("ServiceInstance", id).await, "backend_status"), "OK // cannot delete");
    on.set("ServiceInstance", id, &[("deleted", false.into())], Caller::Client).await;
    assert_eq!(on.of_kind("ServiceInstance", QueryKind::Live).await, [id]);
    // It does not come back without what it links to.
    on.claim("Service", service).await;
    on.delete("Service", service).await;
    let back = on.try_set("ServiceInstance", id, &[("deleted", false.into())], Caller::Client).await;
    let error = back.unwrap_err();
    assert!(on.fault_of_link(&error, "owner").contains("deleted"), "{error}");
}

pub(crate) async fn a_no_sync_object_still_calls_for_delete_record(on: &Subject) {
    let id = on.service("hello").await;
    on.claim("Service", id).await;
    on.set("Service", id, &[("no_sync", true.into()), ("lazy_blocked", true.into())], Caller::Client).await;
    on.delete("Service", id).await;
    assert_eq!(on.of_kind("Service", QueryKind::DeletedObjects).await, [id]);
}
