//! Invariants of the store, whatever is done to it:
//! each link leads to an object, of a live object to a live one; each change has a revision of its own, later than all
//! before; a feed from any cursor tells all that changed since; nothing differs after the file is opened again.

use std::collections::BTreeMap;

use proptest::prelude::*;
use xos_core::{EmbeddedCore, Options, Reap, Threads};
use xos_model_client::{
    Caller, Change, Cursor, ModelAccessor, ObjectId, Page, Query, QueryKind, Record, Value,
};

use crate::common::*;

#[derive(Clone, Debug)]
enum Step {
    Service,
    Instance { owner: usize, master: Option<usize> },
    Group { members: Vec<usize> },
    Master { of: usize, to: Option<usize> },
    Members { of: usize, members: Vec<usize> },
    Flags { of: usize, need_delete: bool, need_reap: bool },
    Rename { of: usize, by: usize },
    Delete { of: usize },
    Restore { of: usize },
    Reap,
    Snapshot,
}

fn step() -> impl Strategy<Value = Step> {
    let one = 0..40_usize;
    let some = prop::collection::vec(0..40_usize, 0..4);
    prop_oneof![
        3 => Just(Step::Service),
        5 => (one.clone(), prop::option::of(one.clone())).prop_map(|(owner, master)| Step::Instance { owner, master }),
        2 => some.clone().prop_map(|members| Step::Group { members }),
        3 => (one.clone(), prop::option::of(one.clone())).prop_map(|(of, to)| Step::Master { of, to }),
        2 => (one.clone(), some).prop_map(|(of, members)| Step::Members { of, members }),
        4 => (one.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(of, need_delete, need_reap)| Step::Flags { of, need_delete, need_reap }),
        2 => (one.clone(), 0..5_usize).prop_map(|(of, by)| Step::Rename { of, by }),
        5 => one.clone().prop_map(|of| Step::Delete { of }),
        1 => one.prop_map(|of| Step::Restore { of }),
        2 => Just(Step::Reap),
        1 => Just(Step::Snapshot),
    ]
}

/// All objects, live and deleted.
async fn everything(core: &EmbeddedCore, model: &str) -> Vec<Record> {
    let mut all = Vec::new();
    for kind in [QueryKind::Live, QueryKind::DeletedObjects] {
        let query = Query::live(shape(core, model)).of_kind(kind);
        all.extend(core.find(&query, Page::first(10_000)).await.unwrap().records);
    }
    all
}

async fn revisions(core: &EmbeddedCore) -> BTreeMap<i32, u64> {
    let all = everything(core, "XOSBase").await;
    all.iter().map(|record| (record.id().get(), record.revision().unwrap().0)).collect()
}

fn id(number: usize) -> ObjectId {
    ObjectId::new(number as i32 + 1)
}

fn list(numbers: &[usize]) -> Value {
    Value::Links(numbers.iter().map(|number| id(*number)).collect())
}

fn to(number: Option<usize>) -> Value {
    number.map_or(Value::Null, |number| Value::Link(id(number)))
}

/// Does a step. What the rules refuse is refused.
async fn act(core: &EmbeddedCore, step: &Step, count: usize) {
    let callers = [Caller::Client, Caller::Step, Caller::Policy, Caller::Pull, Caller::Engine];
    let _ = match step {
        Step::Service => {
            create(core, "Service", &[("name", format!("service {count}").into())]).await.map(drop)
        }
        Step::Instance { owner, master } => {
            let fields = [("owner", id(*owner).into()), ("master_serviceinstance", to(*master))];
            create(core, "ServiceInstance", &fields).await.map(drop)
        }
        Step::Group { members } => create(core, "Group", &[("members", list(members))]).await.map(drop),
        Step::Master { of, to: master } => {
            let fields = [("master_serviceinstance", to(*master))];
            set(core, "ServiceInstance", id(*of), &fields, Caller::Client).await.map(drop)
        }
        Step::Members { of, members } => {
            set(core, "Group", id(*of), &[("members", list(members))], Caller::Step).await.map(drop)
        }
        Step::Flags { of, need_delete, need_reap } => {
            let fields =
                [("backend_need_delete", (*need_delete).into()), ("backend_need_reap", (*need_reap).into())];
            set(core, "XOSBase", id(*of), &fields, Caller::Engine).await.map(drop)
        }
        Step::Rename { of, by } => {
            let fields = [("name", Value::from(format!("name {}", count % 7)))];
            let model = if count.is_multiple_of(2) { "Service" } else { "ServiceInstance" };
            set(core, model, id(*of), &fields, callers[*by]).await.map(drop)
        }
        Step::Delete { of } => delete(core, "XOSBase", id(*of)).await.map(drop),
        Step::Restore { of } => {
            set(core, "XOSBase", id(*of), &[("deleted", false.into())], Caller::Client).await.map(drop)
        }
        Step::Reap => core.reap().await.map(drop),
        Step::Snapshot => Ok(()),
    };
}

async fn check_links(core: &EmbeddedCore) {
    let all: BTreeMap<i32, bool> = everything(core, "XOSBase")
        .await
        .iter()
        .map(|record| (record.id().get(), record.get("deleted") == Some(&Value::Bool(true))))
        .collect();
    for (model, fields) in
        [("ServiceInstance", &["owner", "master_serviceinstance"][..]), ("Group", &["members"])]
    {
        for record in everything(core, model).await {
            let dead = all[&record.id().get()];
            for field in fields {
                let targets = match record.get(field).unwrap() {
                    Value::Link(id) => vec![*id],
                    Value::Links(ids) => ids.clone(),
                    _ => vec![],
                };
                for target in targets {
                    let target_dead = all.get(&target.get()).unwrap_or_else(|| {
                        panic!("{model} {} leads to {target}, which is gone", record.id())
                    });
                    assert!(
                        dead || !target_dead,
                        "{model} {} lives and leads to {target}, which is deleted",
                        record.id()
                    );
                }
            }
        }
    }
}

async fn check_feed(core: &EmbeddedCore, cursor: Cursor, then: &BTreeMap<i32, u64>) {
    let now = revisions(core).await;
    let (told, end) = changes(&mut core.feed(cursor, &[])).await;
    let mut replayed: BTreeMap<i32, u64> = then.clone();
    let mut last = cursor.0;
    for change in told {
        match change {
            Change::Saved { key, revision, .. } => {
                let revision = revision.unwrap().0;
                assert!(revision > last, "revision {revision} after {last}");
                last = revision;
                replayed.insert(key.id.get(), revision);
            }
            Change::Purged { key } => drop(replayed.remove(&key.id.get())),
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert_eq!(replayed, now);
    assert!(end.0 >= last);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_keeps_its_invariants(steps in prop::collection::vec(step(), 1..60), automatic in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = folder();
            let path = folder.path().join("core.db");
            let reap = if automatic { Reap::Automatic } else { Reap::Manual };
            let options = Options { reap, threads: Threads::Inline, ..Options::default() };
            let core = open_core(&path, options.clone()).unwrap();
            load(&core, vec![model("Group", "XOSBase", vec![links(1, "members", "Service")])]).await.unwrap();
            let mut snapshots = vec![(Cursor(0), BTreeMap::new())];
            for (count, step) in steps.iter().enumerate() {
                act(&core, step, count).await;
                if matches!(step, Step::Snapshot) {
                    let cursor = core.find(&Query::live(shape(&core, "Site")), Page::default()).await.unwrap().as_of;
                    snapshots.push((cursor, revisions(&core).await));
                }
            }
            check_links(&core).await;
            // From the ring, and from the database.
            for (cursor, then) in &snapshots {
                check_feed(&core, *cursor, then).await;
            }
            let before = revisions(&core).await;
            drop(core);
            let core = open_core(&path, Options { reap: Reap::Manual, ..options }).unwrap();
            assert_eq!(revisions(&core).await, before);
            for (cursor, then) in &snapshots {
                check_feed(&core, *cursor, then).await;
            }
        });
    }
}
