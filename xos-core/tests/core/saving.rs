//! What the core writes by itself when an object is saved; one test for each rule.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use xos_core::{EmbeddedCore, Options};
use xos_model_client::models::{Service, XosBase};
use xos_model_client::{
    Caller, ErrorKind, Guard, ModelAccessor, ObjectId, Op, Query, QueryKind, Record, Revision, Target, Term,
    Timestamp, Touch, Value, Version,
};

use crate::common::*;

/// A core whose clock goes on by a second with each look at it.
fn ticking() -> EmbeddedCore {
    let seconds = AtomicU64::new(1_700_000_000);
    let clock = move || Timestamp::from_seconds(seconds.fetch_add(1, Ordering::Relaxed) as f64);
    memory_with(Options { clock: Arc::new(clock), ..Options::default() })
}

async fn service(core: &EmbeddedCore) -> ObjectId {
    a_service(core, "hello").await.id
}

async fn stored(core: &EmbeddedCore, id: ObjectId) -> Record {
    get(core, "Service", id).await.unwrap()
}

fn time(record: &Record, field: &str) -> Option<Timestamp> {
    record.get(field).unwrap().as_time()
}

async fn is_dirty(core: &EmbeddedCore, kind: QueryKind) -> bool {
    !ids(core, Query::live(shape(core, "Service")).of_kind(kind)).await.is_empty()
}

/// What the engine writes after a step that went well.
async fn enact(core: &EmbeddedCore, id: ObjectId) {
    let updated = stored(core, id).await.get("updated").unwrap().clone();
    let fields = [("enacted", updated), ("backend_status", "OK".into()), ("backend_code", 1.into())];
    set(core, "Service", id, &fields, Caller::Engine).await.unwrap();
}

#[tokio::test]
async fn created_by_a_client_has_the_defaults() {
    let core = ticking();
    let before = Timestamp::from_seconds(1_699_999_999.0);
    let record = stored(&core, service(&core).await).await;
    assert_eq!(record.get("backend_code"), Some(&Value::Int(0)));
    assert_eq!(text(&record, "backend_status"), "Provisioning in progress");
    assert_eq!(text(&record, "backend_register"), "{}");
    assert_eq!(text(&record, "policy_status"), "Policy in process");
    assert_eq!(record.get("policy_code"), Some(&Value::Int(0)));
    assert_eq!(record.get("backend_need_delete"), Some(&Value::Bool(false)));
    for unset in ["enacted", "policed", "changed_by_step", "changed_by_policy", "backend_handle"] {
        assert!(record.get(unset).unwrap().is_null(), "{unset}");
    }
    assert!(time(&record, "updated") > Some(before) && time(&record, "created") > Some(before));
    assert_eq!(record.get("xos_managed"), Some(&Value::Bool(true)));
    assert_eq!(text(&record, "kind"), "generic");
}

#[tokio::test]
async fn leaf_model_name_is_the_creating_class_for_ever() {
    let core = core_with(vec![model("Leaf", "Service", vec![])]).await;
    let fields = [("name", Value::from("x")), ("leaf_model_name", "Nonsense".into())];
    let record = create(&core, "Leaf", &fields).await.unwrap();
    assert_eq!(text(&record, "leaf_model_name"), "Leaf");
    let base = get(&core, "Service", record.id()).await.unwrap();
    assert_eq!(text(&base, "leaf_model_name"), "Leaf");
    let error =
        set(&core, "Service", record.id(), &[("leaf_model_name", "Service".into())], Caller::Client).await;
    assert!(fault_of(&error.unwrap_err(), "leaf_model_name").contains("given by the core"));
    let same = [("leaf_model_name", "Leaf".into()), ("id", Value::Int(record.id().get().into()))];
    set(&core, "Service", record.id(), &same, Caller::Client).await.unwrap();
}

#[tokio::test]
async fn one_object_has_base_and_leaf_views() {
    let core =
        core_with(vec![model("Leaf", "Service", vec![field(1, "color", xos_model_client::Kind::Text)])])
            .await;
    let leaf = create(&core, "Leaf", &[("name", "x".into()), ("color", "red".into())]).await.unwrap();
    let id = leaf.id();
    set(&core, "Service", id, &[("description", "by base".into())], Caller::Client).await.unwrap();
    let leaf = get(&core, "Leaf", id).await.unwrap();
    assert_eq!((text(&leaf, "description"), text(&leaf, "color")), ("by base".to_owned(), "red".to_owned()));
    let all = get(&core, "XOSBase", id).await.unwrap();
    assert_eq!(all.get("updated"), leaf.get("updated"));
    assert!(get(&core, "Site", id).await.is_none());
    let other = service_named(&core, "plain").await;
    assert!(get(&core, "Leaf", other).await.is_none());
}

async fn service_named(core: &EmbeddedCore, name: &str) -> ObjectId {
    a_service(core, name).await.id
}

#[tokio::test]
async fn feedback_fields_may_be_set_at_creation() {
    let core = memory();
    let record =
        create(&core, "Service", &[("name", "x".into()), ("backend_status", "mine".into())]).await.unwrap();
    assert_eq!(text(&record, "backend_status"), "mine");
}

#[tokio::test]
async fn a_client_save_moves_updated_even_without_a_change() {
    let core = ticking();
    let id = service(&core).await;
    enact(&core, id).await;
    assert!(!is_dirty(&core, QueryKind::DirtyObjects).await);
    let before = stored(&core, id).await;
    let written = set(&core, "Service", id, &[], Caller::Client).await.unwrap();
    assert!(written.changed);
    assert!(time(&stored(&core, id).await, "updated") > time(&before, "updated"));
    assert!(is_dirty(&core, QueryKind::DirtyObjects).await);
}

#[tokio::test]
async fn a_synchronizer_save_does_not_move_updated() {
    let core = ticking();
    let id = service(&core).await;
    enact(&core, id).await;
    let before = stored(&core, id).await;
    for by in [Caller::Step, Caller::Policy, Caller::Pull, Caller::Engine] {
        set(&core, "Service", id, &[("description", format!("{by:?}").into())], by).await.unwrap();
        assert_eq!(time(&stored(&core, id).await, "updated"), time(&before, "updated"), "{by:?}");
    }
}

#[tokio::test]
async fn a_save_that_asks_for_it_moves_updated() {
    let core = ticking();
    let id = service(&core).await;
    enact(&core, id).await;
    let mut write = a_set(&core, "Service", id, &[("description", "pulled".into())], Caller::Pull);
    if let Op::Set { touch, .. } = &mut write.op {
        *touch = Touch::Updated;
    }
    crate::common::write(&core, write).await.unwrap();
    assert!(is_dirty(&core, QueryKind::DirtyObjects).await);
}

#[tokio::test]
async fn updated_cannot_be_set() {
    let core = ticking();
    let id = service(&core).await;
    let before = stored(&core, id).await;
    let far = Value::Time(Timestamp::from_seconds(5e9));
    set(&core, "Service", id, &[("updated", far.clone())], Caller::Engine).await.unwrap();
    assert_eq!(time(&stored(&core, id).await, "updated"), time(&before, "updated"));
    set(&core, "Service", id, &[("updated", far.clone())], Caller::Client).await.unwrap();
    let after = stored(&core, id).await;
    assert!(time(&after, "updated") > time(&before, "updated") && time(&after, "updated") < far.as_time());
}

#[tokio::test]
async fn an_important_change_by_a_step_moves_changed_by_step() {
    let core = ticking();
    let id = service(&core).await;
    enact(&core, id).await;
    set(&core, "Service", id, &[("backend_status", "busy".into()), ("enacted", Value::Null)], Caller::Step)
        .await
        .unwrap();
    assert!(time(&stored(&core, id).await, "changed_by_step").is_none());
    enact(&core, id).await;
    let updated = stored(&core, id).await.get("updated").unwrap().clone();
    set(&core, "Service", id, &[("policed", updated)], Caller::Engine).await.unwrap();
    assert!(!is_dirty(&core, QueryKind::DirtyPolicies).await);
    set(&core, "Service", id, &[("description", "found".into())], Caller::Step).await.unwrap();
    assert!(time(&stored(&core, id).await, "changed_by_step").is_some());
    assert!(!is_dirty(&core, QueryKind::DirtyObjects).await);
    assert!(is_dirty(&core, QueryKind::DirtyPolicies).await);
}

#[tokio::test]
async fn an_important_change_by_a_policy_makes_the_object_dirty() {
    let core = ticking();
    let id = service(&core).await;
    enact(&core, id).await;
    set(&core, "Service", id, &[("policy_status", "done".into())], Caller::Policy).await.unwrap();
    assert!(!is_dirty(&core, QueryKind::DirtyObjects).await);
    set(&core, "Service", id, &[("description", "decided".into())], Caller::Policy).await.unwrap();
    assert!(time(&stored(&core, id).await, "changed_by_policy").is_some());
    assert!(is_dirty(&core, QueryKind::DirtyObjects).await);
}

#[tokio::test]
async fn only_what_really_changes_is_an_important_change() {
    let core = ticking();
    let id = service(&core).await;
    let fields = [("name", Value::from("hello")), ("backend_code", Value::Int(1))];
    set(&core, "Service", id, &fields, Caller::Step).await.unwrap();
    assert!(time(&stored(&core, id).await, "changed_by_step").is_none());
}

#[tokio::test]
async fn a_synchronizer_save_without_a_change_leaves_no_revision() {
    let core = memory();
    let id = service(&core).await;
    let before = stored(&core, id).await.revision();
    let written = set(&core, "Service", id, &[("name", "hello".into())], Caller::Engine).await.unwrap();
    assert!(!written.changed);
    assert_eq!(stored(&core, id).await.revision(), before);
}

#[tokio::test]
async fn a_client_may_not_change_feedback_fields() {
    let core = memory();
    let id = service(&core).await;
    for (field, value) in [
        ("backend_status", Value::from("OK")),
        ("backend_code", 1.into()),
        ("policy_code", 1.into()),
        ("backend_handle", "x".into()),
    ] {
        let error = set(&core, "Service", id, &[(field, value)], Caller::Client).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Denied { .. }), "{error}");
        assert!(error.to_string().contains(field), "{error}");
    }
    // Sent back unchanged, as a client of the wire does, they are no change.
    set(&core, "Service", id, &[("backend_status", "Provisioning in progress".into())], Caller::Client)
        .await
        .unwrap();
    // Bookkeeping fields are not guarded.
    set(&core, "Service", id, &[("no_sync", true.into())], Caller::Client).await.unwrap();
}

#[tokio::test]
async fn inherited_feedback_fields_are_guarded_beside_own_ones() {
    let mut own = field(1, "state", xos_model_client::Kind::Text);
    own.feedback = true;
    let core = core_with(vec![model("Thing", "XOSBase", vec![own])]).await;
    let id = create(&core, "Thing", &[]).await.unwrap().id();
    for name in ["state", "backend_status"] {
        let error = set(&core, "Thing", id, &[(name, "x".into())], Caller::Client).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Denied { .. }), "{error}");
        set(&core, "Thing", id, &[(name, "x".into())], Caller::Step).await.unwrap();
    }
}

#[tokio::test]
async fn no_sync_and_lazy_blocked_objects_are_never_dirty() {
    let core = memory();
    let id = service(&core).await;
    for field in ["no_sync", "lazy_blocked"] {
        set(&core, "Service", id, &[(field, true.into())], Caller::Client).await.unwrap();
        assert!(!is_dirty(&core, QueryKind::DirtyObjects).await, "{field}");
        assert!(is_dirty(&core, QueryKind::DirtyPolicies).await, "{field}");
        set(&core, "Service", id, &[(field, false.into())], Caller::Client).await.unwrap();
        assert!(is_dirty(&core, QueryKind::DirtyObjects).await, "{field}");
    }
    set(&core, "Service", id, &[("no_policy", true.into())], Caller::Client).await.unwrap();
    assert!(!is_dirty(&core, QueryKind::DirtyPolicies).await);
}

#[tokio::test]
async fn enacted_equal_to_updated_is_not_dirty_bit_for_bit() {
    let core = memory();
    let id = service(&core).await;
    enact(&core, id).await;
    assert!(!is_dirty(&core, QueryKind::DirtyObjects).await);
    let updated = time(&stored(&core, id).await, "updated").unwrap();
    let one_bit_less = Value::Time(Timestamp::from_seconds(updated.seconds().next_down()));
    set(&core, "Service", id, &[("enacted", one_bit_less)], Caller::Engine).await.unwrap();
    assert!(is_dirty(&core, QueryKind::DirtyObjects).await);
}

#[tokio::test]
async fn a_change_is_noticed_when_the_clock_stands_still() {
    let clock = || Timestamp::from_seconds(1_700_000_000.0);
    let core = memory_with(Options { clock: Arc::new(clock), ..Options::default() });
    let id = service(&core).await;
    enact(&core, id).await;
    set(&core, "Service", id, &[("description", "new".into())], Caller::Client).await.unwrap();
    assert!(is_dirty(&core, QueryKind::DirtyObjects).await);
}

#[tokio::test]
async fn each_write_of_a_call_has_its_own_answer() {
    let core = memory();
    let id = service(&core).await;
    let writes = vec![
        a_create(&core, "Service", &[("name", "one".into())]),
        a_create(&core, "Service", &[("name", "hello".into())]),
        a_set(
            &core,
            "Service",
            id,
            &[("description", "d".into()), ("kind", "nonsense".into())],
            Caller::Client,
        ),
        a_create(&core, "Service", &[("name", "two".into())]),
        a_delete(&core, "Service", ObjectId::new(999)),
    ];
    let revision = stored(&core, id).await.revision().unwrap();
    let answers = core.write(writes).await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, true, false]);
    assert!(answers[4].as_ref().unwrap_err().is_not_found());
    let found = ids(&core, Query::live(shape(&core, "Service"))).await;
    assert_eq!(found.len(), 3);
    assert!(stored(&core, id).await.get("description").unwrap().is_null());
    // Those that failed took no revision.
    let last = answers[3].as_ref().unwrap().record.as_ref().unwrap().revision().unwrap();
    assert_eq!(last, Revision(revision.0 + 2));
}

#[tokio::test]
async fn a_guard_is_checked_or_refused_never_ignored() {
    let core = memory();
    let id = service(&core).await;
    let record = stored(&core, id).await;
    let version = Version(time(&record, "updated").unwrap());
    let with = |guard, value: &str| {
        let mut write = a_set(&core, "Service", id, &[("description", value.into())], Caller::Client);
        write.guard = guard;
        write
    };
    write(&core, with(Guard::Revision(record.revision().unwrap()), "a")).await.unwrap();
    let error = write(&core, with(Guard::Revision(record.revision().unwrap()), "b")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Superseded { .. }), "{error}");
    let error = write(&core, with(Guard::DirtyAs(version), "c")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Superseded { .. }), "{error}");
    let now = Version(time(&stored(&core, id).await, "updated").unwrap());
    write(&core, with(Guard::DirtyAs(now), "d")).await.unwrap();
    let error = write(&core, with(Guard::Fence(Term(1)), "e")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
    let mut new = a_create(&core, "Service", &[("name", "x".into())]);
    new.guard = Guard::Revision(Revision(1));
    assert!(matches!(write(&core, new).await.unwrap_err().kind(), ErrorKind::Unsupported(_)));
}

#[tokio::test]
async fn an_abstract_model_has_no_objects_of_its_own() {
    let core = memory();
    let error = create(&core, "XOSBase", &[]).await.unwrap_err();
    assert!(error.to_string().contains("abstract"), "{error}");
    let id = service(&core).await;
    // But all objects can be read and changed through it.
    set(&core, "XOSBase", id, &[("no_sync", true.into())], Caller::Client).await.unwrap();
    assert_eq!(ids(&core, Query::live(shape(&core, "XOSBase"))).await, [id.get()]);
}

#[tokio::test]
async fn a_write_that_is_aimed_at_nothing_says_so() {
    let core = memory();
    let error = set(&core, "Service", ObjectId::new(7), &[], Caller::Client).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no Service with id 7");
    let mut odd = a_create(&core, "Service", &[]);
    odd.target = Target::Object(ObjectId::new(7));
    assert!(matches!(write(&core, odd).await.unwrap_err().kind(), ErrorKind::Unsupported(_)));
    let mut odd = a_delete(&core, "Service", ObjectId::new(7));
    odd.target = Target::New;
    assert!(matches!(write(&core, odd).await.unwrap_err().kind(), ErrorKind::Unsupported(_)));
}

#[tokio::test]
async fn the_answer_is_what_is_stored() {
    let core = memory();
    let id = service(&core).await;
    let fields = [("description", Value::from("d")), ("versionNumber", " 1.0 ".into())];
    let written = set(&core, "Service", id, &fields, Caller::Client).await.unwrap();
    assert_eq!(written.record.unwrap(), stored(&core, id).await);
    let typed = client(&core).get::<Service>(id).await.unwrap();
    assert_eq!(typed.version_number.as_deref(), Some("1.0"));
    assert_eq!(typed.base, XosBase { ..typed.base.clone() });
}
