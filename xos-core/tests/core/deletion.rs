//! Soft deletion, cascade and the reaper; one test for each rule.

use xos_core::{EmbeddedCore, Options, Reap};
use xos_model_client::models::ServiceInstance;
use xos_model_client::{Caller, ModelAccessor, ObjectId, Query, QueryKind, Value};

use crate::common::*;

fn manual() -> EmbeddedCore {
    memory_with(Options { reap: Reap::Manual, ..Options::default() })
}

async fn claim(core: &EmbeddedCore, id: ObjectId) {
    set(core, "XOSBase", id, &[("backend_need_delete", true.into())], Caller::Engine).await.unwrap();
}

async fn let_go(core: &EmbeddedCore, id: ObjectId) {
    set(core, "XOSBase", id, &[("backend_need_reap", true.into())], Caller::Engine).await.unwrap();
}

async fn is_deleted(core: &EmbeddedCore, id: ObjectId) -> bool {
    get(core, "XOSBase", id).await.unwrap().get("deleted") == Some(&Value::Bool(true))
}

#[tokio::test]
async fn delete_unsets_enacted_and_policed_and_leaves_updated() {
    let core = manual();
    let id = a_service(&core, "hello").await.id;
    let now = get(&core, "Service", id).await.unwrap().get("updated").unwrap().clone();
    set(&core, "Service", id, &[("enacted", now.clone()), ("policed", now.clone())], Caller::Engine)
        .await
        .unwrap();
    let written = delete(&core, "Service", id).await.unwrap();
    assert!(written.changed);
    let record = written.record.unwrap();
    assert_eq!(record.get("deleted"), Some(&Value::Bool(true)));
    assert!(record.get("enacted").unwrap().is_null() && record.get("policed").unwrap().is_null());
    assert_eq!(record.get("updated"), Some(&now));
}

#[tokio::test]
async fn a_deleted_object_is_found_by_get_and_by_the_deleted_kinds_only() {
    let core = manual();
    let id = a_service(&core, "hello").await.id;
    delete(&core, "Service", id).await.unwrap();
    let of = |kind| Query::live(shape(&core, "Service")).of_kind(kind);
    for kind in [QueryKind::Live, QueryKind::DirtyObjects, QueryKind::DirtyPolicies] {
        assert!(ids(&core, of(kind)).await.is_empty(), "{kind:?}");
    }
    for kind in [QueryKind::DeletedObjects, QueryKind::DeletedPolicies] {
        assert_eq!(ids(&core, of(kind)).await, [id.get()], "{kind:?}");
    }
    assert!(get(&core, "Service", id).await.is_some());
    let updated = get(&core, "Service", id).await.unwrap().get("updated").unwrap().clone();
    set(&core, "Service", id, &[("policed", updated)], Caller::Engine).await.unwrap();
    assert!(ids(&core, of(QueryKind::DeletedPolicies)).await.is_empty());
}

#[tokio::test]
async fn deleting_a_no_sync_object_still_calls_for_delete_record() {
    let core = manual();
    let id = a_service(&core, "hello").await.id;
    set(&core, "Service", id, &[("no_sync", true.into()), ("lazy_blocked", true.into())], Caller::Client)
        .await
        .unwrap();
    delete(&core, "Service", id).await.unwrap();
    let query = Query::live(shape(&core, "Service")).of_kind(QueryKind::DeletedObjects);
    assert_eq!(ids(&core, query).await, [id.get()]);
}

#[tokio::test]
async fn deleting_a_write_protected_object_does_nothing() {
    let core = memory();
    let id = a_service(&core, "hello").await.id;
    set(&core, "Service", id, &[("write_protect", true.into())], Caller::Client).await.unwrap();
    let written = delete(&core, "Service", id).await.unwrap();
    assert!(!written.changed && written.record.is_some());
    assert!(!is_deleted(&core, id).await);
}

#[tokio::test]
async fn deleting_again_changes_nothing_and_deleting_nothing_is_not_found() {
    let core = manual();
    let id = a_service(&core, "hello").await.id;
    assert!(delete(&core, "Service", id).await.unwrap().changed);
    assert!(!delete(&core, "Service", id).await.unwrap().changed);
    core.reap().await.unwrap();
    assert!(delete(&core, "Service", id).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_deletion_takes_along_all_that_links_to_the_object() {
    let core = manual();
    let service = a_service(&core, "hello").await;
    let one = an_instance(&core, "one", &service).await;
    let two = an_instance(&core, "two", &service).await;
    // Through optional links too, and over several.
    let child = create(
        &core,
        "ServiceInstance",
        &[
            ("name", "child".into()),
            ("owner", a_service(&core, "other").await.id.into()),
            ("master_serviceinstance", one.id.into()),
        ],
    )
    .await
    .unwrap();
    let other = a_service(&core, "bystander").await;
    delete(&core, "Service", service.id).await.unwrap();
    for id in [service.id, one.id, two.id, child.id()] {
        assert!(is_deleted(&core, id).await, "{id}");
    }
    assert!(!is_deleted(&core, other.id).await);
}

#[tokio::test]
async fn an_object_that_was_never_claimed_is_purged_at_once() {
    let core = memory();
    let service = a_service(&core, "hello").await;
    let instance = an_instance(&core, "world", &service).await;
    delete(&core, "Service", service.id).await.unwrap();
    assert!(get(&core, "Service", service.id).await.is_none());
    assert!(get(&core, "ServiceInstance", instance.id).await.is_none());
}

#[tokio::test]
async fn a_claimed_object_stays_until_its_delete_record_has_run() {
    let core = memory();
    let id = a_service(&core, "hello").await.id;
    claim(&core, id).await;
    delete(&core, "Service", id).await.unwrap();
    assert!(is_deleted(&core, id).await);
    let_go(&core, id).await;
    assert!(get(&core, "Service", id).await.is_none());
}

#[tokio::test]
async fn need_delete_policy_keeps_an_object_until_need_reap() {
    let core = memory();
    let id = a_service(&core, "hello").await.id;
    set(&core, "Service", id, &[("backend_need_delete_policy", true.into())], Caller::Policy).await.unwrap();
    delete(&core, "Service", id).await.unwrap();
    assert!(is_deleted(&core, id).await);
    let_go(&core, id).await;
    assert!(get(&core, "Service", id).await.is_none());
}

#[tokio::test]
async fn an_object_waits_until_all_that_links_to_it_is_purged() {
    let core = memory();
    let service = a_service(&core, "hello").await;
    let instance = an_instance(&core, "world", &service).await;
    claim(&core, instance.id).await;
    delete(&core, "Service", service.id).await.unwrap();
    assert!(is_deleted(&core, service.id).await && is_deleted(&core, instance.id).await);
    let_go(&core, instance.id).await;
    assert!(get(&core, "Service", service.id).await.is_none());
    assert!(get(&core, "ServiceInstance", instance.id).await.is_none());
}

#[tokio::test]
async fn objects_that_link_to_each_other_in_a_circle_are_purged() {
    let core = manual();
    let service = a_service(&core, "hello").await;
    let one = an_instance(&core, "one", &service).await;
    let two = an_instance(&core, "two", &service).await;
    let to = |id: ObjectId| [("master_serviceinstance", Value::Link(id))];
    set(&core, "ServiceInstance", one.id, &to(two.id), Caller::Client).await.unwrap();
    set(&core, "ServiceInstance", two.id, &to(one.id), Caller::Client).await.unwrap();
    let own = an_instance(&core, "own", &service).await;
    set(&core, "ServiceInstance", own.id, &to(own.id), Caller::Client).await.unwrap();
    delete(&core, "ServiceInstance", own.id).await.unwrap();
    delete(&core, "ServiceInstance", one.id).await.unwrap();
    assert!(is_deleted(&core, two.id).await);
    assert_eq!(core.reap().await.unwrap(), 3);
}

#[tokio::test]
async fn many_objects_are_purged_by_more_than_one_transaction() {
    let core = manual();
    let service = a_service(&core, "hello").await;
    let fields = [("owner", Value::Link(service.id))];
    let writes = (0..2500).map(|_| a_create(&core, "ServiceInstance", &fields)).collect();
    assert!(core.write(writes).await.iter().all(Result::is_ok));
    delete(&core, "Service", service.id).await.unwrap();
    assert_eq!(core.reap().await.unwrap(), 2501);
    assert!(client(&core).objects::<ServiceInstance>().deleted().first().await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_deleted_is_purged_when_the_file_is_opened_again() {
    let folder = folder();
    let path = folder.path().join("core.db");
    let core = open_core(&path, Options { reap: Reap::Manual, ..Options::default() }).unwrap();
    let (gone, stays) = (a_service(&core, "gone").await.id, a_service(&core, "stays").await.id);
    claim(&core, stays).await;
    delete(&core, "Service", gone).await.unwrap();
    delete(&core, "Service", stays).await.unwrap();
    drop(core);
    let core = open_core(&path, Options::default()).unwrap();
    assert!(get(&core, "Service", gone).await.is_none());
    assert!(is_deleted(&core, stays).await);
}

#[tokio::test]
async fn an_update_of_a_deleted_object_works_and_deleted_false_brings_it_back() {
    let core = memory();
    let service = a_service(&core, "hello").await;
    let id = an_instance(&core, "world", &service).await.id;
    claim(&core, id).await;
    delete(&core, "ServiceInstance", id).await.unwrap();
    set(&core, "ServiceInstance", id, &[("backend_status", "OK // cannot delete".into())], Caller::Engine)
        .await
        .unwrap();
    assert!(is_deleted(&core, id).await);
    set(&core, "ServiceInstance", id, &[("deleted", false.into())], Caller::Client).await.unwrap();
    assert_eq!(client(&core).objects::<ServiceInstance>().count().await.unwrap(), 1);
    // It does not come back without what it links to.
    claim(&core, service.id).await;
    delete(&core, "Service", service.id).await.unwrap();
    let error =
        set(&core, "ServiceInstance", id, &[("deleted", false.into())], Caller::Client).await.unwrap_err();
    assert!(fault_of(&error, "owner").contains("which is deleted"), "{error}");
}

#[tokio::test]
async fn ids_are_never_used_again() {
    let folder = folder();
    let path = folder.path().join("core.db");
    let core = open_core(&path, Options::default()).unwrap();
    let first = a_service(&core, "one").await.id;
    delete(&core, "Service", first).await.unwrap();
    assert!(get(&core, "Service", first).await.is_none());
    drop(core);
    let core = open_core(&path, Options::default()).unwrap();
    assert!(a_service(&core, "two").await.id > first);
}
