//! Objects are changed: what moves, what is guarded, what is stored.

use xos_model_client::{
    Caller, ErrorKind, Guard, ObjectId, Op, QueryKind, Record, Revision, Target, Term, Timestamp, Touch,
    Value, Version,
};

use crate::subject::Subject;
use crate::tools::*;

fn time(record: &Record, field: &str) -> Option<Timestamp> {
    record.get(field).unwrap().as_time()
}

pub(crate) async fn a_client_moves_updated_even_without_a_change(on: &Subject) {
    let id = on.service("hello").await;
    on.enact("Service", id).await;
    assert!(!on.is_dirty("Service", id, QueryKind::DirtyObjects).await);
    let before = on.get("Service", id).await;
    on.set("Service", id, &[], Caller::Client).await;
    assert!(time(&on.get("Service", id).await, "updated") > time(&before, "updated"));
    assert!(on.is_dirty("Service", id, QueryKind::DirtyObjects).await);
}

pub(crate) async fn a_synchronizer_does_not_move_updated(on: &Subject) {
    let id = on.service("hello").await;
    on.enact("Service", id).await;
    let before = on.get("Service", id).await;
    for by in [Caller::Step, Caller::Policy, Caller::Pull, Caller::Engine] {
        let record = on.set("Service", id, &[("description", format!("{by:?}").into())], by).await;
        assert_eq!(time(&record, "updated"), time(&before, "updated"), "{by:?}");
        let record = on.get("Service", id).await;
        assert_eq!(text(&record, "description"), format!("{by:?}"));
        assert_eq!(time(&record, "updated"), time(&before, "updated"), "{by:?}");
    }
}

pub(crate) async fn a_save_that_asks_for_it_moves_updated(on: &Subject) {
    let id = on.service("hello").await;
    for by in [Caller::Pull, Caller::Step, Caller::Client] {
        on.enact("Service", id).await;
        let before = on.get("Service", id).await;
        let mut write = on.a_set("Service", id, &[("description", "pulled".into())], by);
        if let Op::Set { touch, .. } = &mut write.op {
            *touch = Touch::Updated;
        }
        on.write(write).await.unwrap();
        assert!(time(&on.get("Service", id).await, "updated") > time(&before, "updated"), "{by:?}");
        assert!(on.is_dirty("Service", id, QueryKind::DirtyObjects).await, "{by:?}");
    }
}

pub(crate) async fn updated_cannot_be_set(on: &Subject) {
    let id = on.service("hello").await;
    let before = on.get("Service", id).await;
    let far = Value::Time(Timestamp::from_seconds(5e9));
    on.set("Service", id, &[("updated", far.clone())], Caller::Engine).await;
    assert_eq!(time(&on.get("Service", id).await, "updated"), time(&before, "updated"));
    on.set("Service", id, &[("updated", far.clone())], Caller::Client).await;
    let after = on.get("Service", id).await;
    assert!(time(&after, "updated") > time(&before, "updated") && time(&after, "updated") < far.as_time());
}

pub(crate) async fn an_important_change_by_a_step_calls_for_policies(on: &Subject) {
    let id = on.service("hello").await;
    on.enact("Service", id).await;
    on.set("Service", id, &[("backend_status", "busy".into())], Caller::Step).await;
    assert!(time(&on.get("Service", id).await, "changed_by_step").is_none());
    let updated = on.get("Service", id).await.get("updated").unwrap().clone();
    on.set("Service", id, &[("policed", updated)], Caller::Engine).await;
    assert!(!on.is_dirty("Service", id, QueryKind::DirtyPolicies).await);
    on.set("Service", id, &[("description", "found".into())], Caller::Step).await;
    assert!(time(&on.get("Service", id).await, "changed_by_step").is_some());
    assert!(!on.is_dirty("Service", id, QueryKind::DirtyObjects).await);
    assert!(on.is_dirty("Service", id, QueryKind::DirtyPolicies).await);
}

pub(crate) async fn an_important_change_by_a_policy_calls_for_steps(on: &Subject) {
    let id = on.service("hello").await;
    on.enact("Service", id).await;
    on.set("Service", id, &[("policy_status", "done".into())], Caller::Policy).await;
    assert!(!on.is_dirty("Service", id, QueryKind::DirtyObjects).await);
    on.set("Service", id, &[("description", "decided".into())], Caller::Policy).await;
    assert!(time(&on.get("Service", id).await, "changed_by_policy").is_some());
    assert!(on.is_dirty("Service", id, QueryKind::DirtyObjects).await);
    // Pull steps and the engine move neither.
    let before = on.get("Service", id).await;
    for by in [Caller::Pull, Caller::Engine] {
        on.set("Service", id, &[("description", format!("{by:?}").into())], by).await;
    }
    let after = on.get("Service", id).await;
    for field in ["changed_by_policy", "changed_by_step", "updated"] {
        assert_eq!(after.get(field), before.get(field), "{field}");
    }
}

pub(crate) async fn only_what_really_changes_is_important(on: &Subject) {
    let id = on.service("hello").await;
    let same = [("name", Value::from("hello")), ("backend_code", Value::Int(1))];
    on.set("Service", id, &same, Caller::Step).await;
    assert!(time(&on.get("Service", id).await, "changed_by_step").is_none());
    let before = on.get("Service", id).await;
    let written = on.try_set("Service", id, &[("name", "hello".into())], Caller::Engine).await.unwrap();
    assert_eq!(written.changed, on.less.unchanged);
    assert_eq!(on.get("Service", id).await.values(), before.values());
    assert_eq!(on.get("Service", id).await.revision(), before.revision());
}

pub(crate) async fn a_client_may_not_change_feedback_fields(on: &Subject) {
    on.load(vec![thing()]).await;
    let id = on.create("Thing", &[("title", "t".into())]).await;
    for (field, value) in [
        ("backend_status", Value::from("OK")),
        ("backend_code", 1.into()),
        ("policy_code", 1.into()),
        ("backend_handle", "x".into()),
        ("state", "up".into()),
    ] {
        let both = [("title", "changed".into()), (field, value.clone())];
        let error = on.try_set("Thing", id, &both, Caller::Client).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Denied { .. }), "{error}");
        assert!(error.to_string().contains(field), "{error}");
        assert_eq!(text(&on.get("Thing", id).await, "title"), "t", "{field}");
    }
    // Sent back unchanged, it is no change. Bookkeeping fields are not guarded.
    let same = [("backend_status", Value::from("Provisioning in progress")), ("no_sync", true.into())];
    on.set("Thing", id, &same, Caller::Client).await;
    for by in [Caller::Step, Caller::Policy, Caller::Pull, Caller::Engine] {
        let record = on.set("Thing", id, &[("state", format!("{by:?}").into())], by).await;
        assert_eq!(text(&record, "state"), format!("{by:?}"));
    }
}

pub(crate) async fn no_sync_and_lazy_blocked_objects_are_never_dirty(on: &Subject) {
    let id = on.service("hello").await;
    for field in ["no_sync", "lazy_blocked"] {
        on.set("Service", id, &[(field, true.into())], Caller::Client).await;
        assert!(!on.is_dirty("Service", id, QueryKind::DirtyObjects).await, "{field}");
        assert!(on.is_dirty("Service", id, QueryKind::DirtyPolicies).await, "{field}");
        on.set("Service", id, &[(field, false.into())], Caller::Client).await;
        assert!(on.is_dirty("Service", id, QueryKind::DirtyObjects).await, "{field}");
    }
    on.set("Service", id, &[("no_policy", true.into())], Caller::Client).await;
    assert!(!on.is_dirty("Service", id, QueryKind::DirtyPolicies).await);
}

pub(crate) async fn enacted_is_compared_bit_for_bit(on: &Subject) {
    let id = on.service("hello").await;
    on.enact("Service", id).await;
    assert!(!on.is_dirty("Service", id, QueryKind::DirtyObjects).await);
    let updated = time(&on.get("Service", id).await, "updated").unwrap();
    let one_bit_less = Value::Time(Timestamp::from_seconds(updated.seconds().next_down()));
    on.set("Service", id, &[("enacted", one_bit_less)], Caller::Engine).await;
    assert!(on.is_dirty("Service", id, QueryKind::DirtyObjects).await);
}

pub(crate) async fn times_are_kept_bit_for_bit(on: &Subject) {
    on.load(vec![thing()]).await;
    let id = on.create("Thing", &[]).await;
    for seconds in [
        1_700_000_000.123_456_7_f64.next_up(),
        1_700_000_000.123_456_7_f64.next_down(),
        0.1 + 0.2,
        -1.5,
        5e-324,
        253_402_300_799.999_97,
        f64::MAX,
    ] {
        let value = Value::Time(Timestamp::from_seconds(seconds));
        let record = on.set("Thing", id, &[("since", value)], Caller::Engine).await;
        assert_eq!(time(&record, "since").unwrap().seconds().to_bits(), seconds.to_bits(), "{seconds:e}");
        let record = on.get("Thing", id).await;
        assert_eq!(time(&record, "since").unwrap().seconds().to_bits(), seconds.to_bits(), "{seconds:e}");
    }
}

pub(crate) async fn only_the_named_fields_are_stored(on: &Subject) {
    on.load(vec![thing()]).await;
    let id = on.create("Thing", &[("title", "t".into()), ("number", 1.into())]).await;
    // Somebody who knows an older version of the object.
    let stale = on.get("Thing", id).await;
    on.set("Thing", id, &[("title", "new".into())], Caller::Client).await;
    on.set("Thing", id, &[("number", 2.into())], Caller::Step).await;
    let record = on.get("Thing", id).await;
    assert_eq!((text(&record, "title"), record.get("number")), ("new".into(), Some(&Value::Int(2))));
    assert_eq!(text(&stale, "title"), "t");
}

pub(crate) async fn the_answer_is_what_is_stored(on: &Subject) {
    let id = on.service("hello").await;
    let fields = [("description", Value::from("d")), ("versionNumber", " 1.0 ".into())];
    for by in [Caller::Client, Caller::Step] {
        let answered = on.set("Service", id, &fields, by).await;
        assert_eq!(answered.values(), on.get("Service", id).await.values(), "{by:?}");
        assert_eq!(text(&answered, "versionNumber"), "1.0");
    }
}

pub(crate) async fn base_and_leaf_are_one_object(on: &Subject) {
    on.load(vec![model("Leaf", "Service", vec![field(1, "color", xos_model_client::Kind::Text)])]).await;
    let id = on.create("Leaf", &[("name", "x".into()), ("color", "red".into())]).await;
    on.set("Service", id, &[("description", "by base".into())], Caller::Client).await;
    let leaf = on.get("Leaf", id).await;
    assert_eq!((text(&leaf, "description"), text(&leaf, "color")), ("by base".to_owned(), "red".to_owned()));
    assert_eq!(on.get("Service", id).await.get("updated"), leaf.get("updated"));
    assert!(on.find("Site", id).await.is_none());
    let other = on.service("plain").await;
    assert!(on.find("Leaf", other).await.is_none());
    assert_eq!(on.of_kind("Service", QueryKind::Live).await, [id, other]);
    assert_eq!(on.of_kind("Leaf", QueryKind::Live).await, [id]);
}

pub(crate) async fn a_write_aimed_at_nothing_says_so(on: &Subject) {
    let nobody = ObjectId::new(7);
    let error = on.try_set("Service", nobody, &[], Caller::Client).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no Service with id 7");
    let mut odd = on.a_create("Service", &[]);
    odd.target = Target::Object(nobody);
    assert!(matches!(on.write(odd).await.unwrap_err().kind(), ErrorKind::Unsupported(_)));
    let mut odd = on.a_delete("Service", nobody);
    odd.target = Target::New;
    assert!(matches!(on.write(odd).await.unwrap_err().kind(), ErrorKind::Unsupported(_)));
}

pub(crate) async fn what_the_core_gives_may_be_sent_back_but_not_changed(on: &Subject) {
    let id = on.service("hello").await;
    let same = [("leaf_model_name", Value::from("Service")), ("id", Value::Int(id.get().into()))];
    on.set("Service", id, &same[1..], Caller::Client).await;
    if !on.less.kinds {
        on.set("Service", id, &same, Caller::Client).await;
    }
    for (field, value) in [("leaf_model_name", Value::from("Site")), ("id", Value::Int(99))] {
        let error = on.try_set("Service", id, &[(field, value)], Caller::Client).await.unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
    }
    assert_eq!(text(&on.get("Service", id).await, "leaf_model_name"), "Service");
}

pub(crate) async fn a_field_is_set_to_nothing_or_the_error_says_why_not(on: &Subject) {
    on.load(vec![thing()]).await;
    let service = on.service("hello").await;
    let id =
        on.create("Thing", &[("title", "t".into()), ("number", 1.into()), ("service", service.into())]).await;
    for field in ["title", "number"] {
        match on.try_set("Thing", id, &[(field, Value::Null)], Caller::Client).await {
            Ok(_) => assert!(!on.less.nothing && on.get("Thing", id).await.get(field).unwrap().is_null()),
            Err(error) => {
                let ErrorKind::NotSendable { field: named, .. } = error.kind() else { panic!("{error}") };
                assert!(on.less.nothing && named == field, "{error}");
            }
        }
    }
    for nothing in [Value::Null, Value::Link(ObjectId::UNSET)] {
        on.set("Thing", id, &[("service", service.into())], Caller::Client).await;
        on.set("Thing", id, &[("service", nothing)], Caller::Client).await;
        assert!(on.get("Thing", id).await.get("service").unwrap().is_null());
    }
}

pub(crate) async fn the_last_of_two_values_for_a_field_counts(on: &Subject) {
    let id = on.service("hello").await;
    let twice = [
        ("description", Value::from("first")),
        ("versionNumber", "1".into()),
        ("description", "last".into()),
    ];
    on.set("Service", id, &twice, Caller::Client).await;
    assert_eq!(text(&on.get("Service", id).await, "description"), "last");
}

pub(crate) async fn a_guard_is_checked_or_refused_never_ignored(on: &Subject) {
    let id = on.service("hello").await;
    let record = on.get("Service", id).await;
    let version = Version(time(&record, "updated").unwrap());
    let with = |guard, value: &str| {
        let mut write = on.a_set("Service", id, &[("description", value.into())], Caller::Client);
        write.guard = guard;
        write
    };
    let revision = record.revision().unwrap_or(Revision(1));
    if on.core.abilities().guards {
        on.write(with(Guard::Revision(revision), "a")).await.unwrap();
        for guard in [Guard::Revision(revision), Guard::DirtyAs(version)] {
            let error = on.write(with(guard, "b")).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Superseded { .. }), "{error}");
        }
        let now = Version(time(&on.get("Service", id).await, "updated").unwrap());
        on.write(with(Guard::DirtyAs(now), "c")).await.unwrap();
    } else {
        for guard in [Guard::Revision(revision), Guard::DirtyAs(version), Guard::Fence(Term(1))] {
            let error = on.write(with(guard, "b")).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
        }
        assert!(on.get("Service", id).await.get("description").unwrap().is_null());
    }
}

pub(crate) async fn each_write_of_a_call_has_its_own_answer(on: &Subject) {
    let id = on.service("hello").await;
    let wrong = [("description", Value::from("d")), ("kind", "nonsense".into())];
    let answers = on
        .write_all(vec![
            on.a_create("Service", &[("name", "one".into())]),
            on.a_create("Service", &[("name", "hello".into())]),
            on.a_set("Service", id, &wrong, Caller::Client),
            on.a_create("Service", &[("name", "two".into())]),
            on.a_delete("Service", ObjectId::new(999)),
        ])
        .await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, true, false]);
    assert!(answers[4].as_ref().unwrap_err().is_not_found());
    assert_eq!(on.of_kind("Service", QueryKind::Live).await.len(), 3);
    assert!(on.get("Service", id).await.get("description").unwrap().is_null());
}
