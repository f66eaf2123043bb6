//! Everybody is told what changed, and nothing is lost.

use futures_util::StreamExt;
use xos_core::{Options, Reap};
use xos_model_client::{Caller, Change, Cursor, Kind, ModelAccessor, ObjectId, Page, Query, Value, Why};

use crate::common::*;

fn saved(changes: &[Change]) -> Vec<(i32, Caller)> {
    let of = |change: &Change| match change {
        Change::Saved { key, by, .. } => Some((key.id.get(), *by)),
        _ => None,
    };
    changes.iter().filter_map(of).collect()
}

fn purged(changes: &[Change]) -> Vec<i32> {
    let of = |change: &Change| match change {
        Change::Purged { key } => Some(key.id.get()),
        _ => None,
    };
    changes.iter().filter_map(of).collect()
}

#[tokio::test]
async fn a_feed_tells_who_changed_what() {
    let core = memory();
    let mut feed = core.feed(Cursor(0), &[]);
    let id = a_service(&core, "hello").await.id;
    set(&core, "Service", id, &[("description", "x".into())], Caller::Step).await.unwrap();
    delete(&core, "Service", id).await.unwrap();
    let (told, _) = changes(&mut feed).await;
    assert_eq!(
        saved(&told),
        [(id.get(), Caller::Client), (id.get(), Caller::Step), (id.get(), Caller::Client)]
    );
    assert_eq!(purged(&told), [id.get()]);
    let Change::Saved { key, leaf, revision, .. } = &told[0] else { panic!("{told:?}") };
    let service = core.schema().expect_model("Service").unwrap().id;
    assert_eq!((key.root, *leaf, revision.is_some()), (service, service, true));
}

#[tokio::test]
async fn the_cursor_of_a_list_is_where_its_feed_begins() {
    let core = memory();
    a_service(&core, "before").await;
    let found = core.find(&Query::live(shape(&core, "Service")), Page::default()).await.unwrap();
    let id = a_service(&core, "after").await.id;
    let mut feed = core.feed(found.as_of, &[]);
    assert_eq!(saved(&changes(&mut feed).await.0), [(id.get(), Caller::Client)]);
}

#[tokio::test]
async fn a_feed_goes_on_after_a_restart() {
    let folder = folder();
    let path = folder.path().join("core.db");
    let open = || open_core(&path, Options::default()).unwrap();
    let core = open();
    let (one, two, three) = (
        a_service(&core, "one").await.id,
        a_service(&core, "two").await.id,
        a_service(&core, "three").await.id,
    );
    let (_, cursor) = changes(&mut core.feed(Cursor(0), &[])).await;
    set(&core, "Service", one, &[("description", "a".into())], Caller::Policy).await.unwrap();
    set(&core, "Service", one, &[("description", "b".into())], Caller::Pull).await.unwrap();
    delete(&core, "Service", two).await.unwrap();
    drop(core);
    let core = open();
    let (told, end) = changes(&mut core.feed(cursor, &[])).await;
    // Each object once, with its newest change.
    assert_eq!(saved(&told), [(one.get(), Caller::Pull)]);
    assert_eq!(purged(&told), [two.get()]);
    set(&core, "Service", three, &[("description", "c".into())], Caller::Client).await.unwrap();
    assert_eq!(saved(&changes(&mut core.feed(end, &[])).await.0), [(three.get(), Caller::Client)]);
}

#[tokio::test]
async fn an_unknown_cursor_is_a_gap_and_the_feed_goes_on() {
    let core = memory();
    a_service(&core, "one").await;
    let mut feed = core.feed(Cursor(1_000_000), &[]);
    assert!(matches!(feed.next().await, Some(Change::Gap { why: Why::CursorUnknown })));
    let Some(Change::CaughtUp(_)) = feed.next().await else { panic!("expected the end of the gap") };
    let id = a_service(&core, "two").await.id;
    assert_eq!(saved(&changes(&mut feed).await.0), [(id.get(), Caller::Client)]);
}

#[tokio::test]
async fn a_cursor_before_forgotten_purges_is_a_gap() {
    let folder = folder();
    let path = folder.path().join("core.db");
    let options = Options { tombstones: 10, reap: Reap::Automatic, ..Options::default() };
    let core = open_core(&path, options.clone()).unwrap();
    let mut cursor = Cursor(0);
    for number in 0..30 {
        let id = a_service(&core, &format!("s{number}")).await.id;
        delete(&core, "Service", id).await.unwrap();
        if number == 25 {
            cursor = changes(&mut core.feed(cursor, &[])).await.1;
        }
    }
    core.close();
    let core = open_core(&path, options).unwrap();
    let mut old = core.feed(Cursor(0), &[]);
    assert!(matches!(old.next().await, Some(Change::Gap { why: Why::CursorTooOld })));
    assert!(matches!(old.next().await, Some(Change::CaughtUp(_))));
    // A newer one still knows what was purged since.
    assert_eq!(purged(&changes(&mut core.feed(cursor, &[])).await.0).len(), 4);
}

#[tokio::test]
async fn a_feed_of_some_models_tells_of_their_families_only() {
    let core = core_with(vec![model("Leaf", "Service", vec![])]).await;
    let mut feed = core.feed(Cursor(0), &["Service".into()]);
    let mut leaves = core.feed(Cursor(0), &["Leaf".into(), "Later".into()]);
    let service = a_service(&core, "plain").await;
    an_instance(&core, "other", &service).await;
    let leaf = create(&core, "Leaf", &[("name", "leaf".into())]).await.unwrap().id();
    let told = saved(&changes(&mut feed).await.0);
    assert_eq!(told.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [service.id.get(), leaf.get()]);
    assert_eq!(saved(&changes(&mut leaves).await.0), [(leaf.get(), Caller::Client)]);
    // A model that is loaded later is told of when it is there.
    load(&core, vec![model("Later", "XOSBase", vec![field(1, "a", Kind::Text)])]).await.unwrap();
    let id = create(&core, "Later", &[]).await.unwrap().id();
    let (told, _) = changes(&mut leaves).await;
    assert!(
        matches!(told.first(), Some(Change::Schema(schema)) if schema.model("Later").is_some()),
        "{told:?}"
    );
    assert_eq!(saved(&told), [(id.get(), Caller::Client)]);
}

#[tokio::test]
async fn a_feed_that_is_far_behind_reads_the_database() {
    let core = memory();
    let id = a_service(&core, "busy").await.id;
    let mut feed = core.feed(Cursor(0), &[]);
    for round in 0..40 {
        let writes = (0..500).map(|at| {
            a_set(&core, "Service", id, &[("description", format!("{round} {at}").into())], Caller::Step)
        });
        core.write(writes.collect()).await;
    }
    let other = a_service(&core, "other").await.id;
    let (told, cursor) = changes(&mut feed).await;
    assert_eq!(saved(&told), [(id.get(), Caller::Step), (other.get(), Caller::Client)]);
    assert_eq!(cursor, Cursor(20_002));
}

#[tokio::test]
async fn a_failed_write_is_told_to_nobody() {
    let core = memory();
    a_service(&core, "hello").await;
    let mut feed = core.feed(Cursor(0), &[]);
    assert_eq!(changes(&mut feed).await.0.len(), 1);
    create(&core, "Service", &[("name", "hello".into())]).await.unwrap_err();
    let id = a_service(&core, "other").await.id;
    assert_eq!(saved(&changes(&mut feed).await.0), [(id.get(), Caller::Client)]);
}

#[tokio::test]
async fn a_closed_core_is_down_for_its_feeds() {
    let core = memory();
    let mut feed = core.feed(Cursor(0), &[]);
    changes(&mut feed).await;
    core.close();
    assert!(matches!(feed.next().await, Some(Change::Down { .. })));
    let mut late = core.feed(Cursor(0), &[]);
    changes(&mut late).await;
    assert!(matches!(late.next().await, Some(Change::Down { .. })));
}

#[tokio::test]
async fn a_deletion_tells_of_each_object_that_it_reaches() {
    let core = memory_with(Options { reap: Reap::Manual, ..Options::default() });
    let service = a_service(&core, "hello").await;
    let instance = an_instance(&core, "world", &service).await;
    let (_, cursor) = changes(&mut core.feed(Cursor(0), &[])).await;
    delete(&core, "Service", service.id).await.unwrap();
    let (told, _) = changes(&mut core.feed(cursor, &[])).await;
    let mut ids: Vec<i32> = saved(&told).iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [service.id.get(), instance.id.get()]);
    let record = get(&core, "ServiceInstance", ObjectId::new(ids[1])).await.unwrap();
    assert_eq!(record.get("deleted"), Some(&Value::Bool(true)));
}

#[tokio::test]
async fn models_that_come_before_a_feed_is_first_looked_at_are_told() {
    let core = memory();
    let mut feed = core.feed(Cursor(0), &["Later".into()]);
    load(&core, vec![model("Later", "XOSBase", vec![])]).await.unwrap();
    let id = create(&core, "Later", &[]).await.unwrap().id();
    let (told, _) = changes(&mut feed).await;
    assert!(matches!(told.first(), Some(Change::Schema(_))), "{told:?}");
    assert_eq!(saved(&told), [(id.get(), Caller::Client)]);
}
