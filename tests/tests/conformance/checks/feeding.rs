//! Everybody is told what changed. Where a core cannot push, its feed tells of the core itself: that is checked with
//! the models that are loaded, and with cores that go away.

use std::time::Duration;

use futures_util::StreamExt as _;
use xos_model_client::{Caller, Change, Cursor, Feed, Kind, ObjectId, Page, Query, Why};

use crate::subject::Subject;
use crate::tools::*;

/// All changes up to where the feed has caught up.
async fn changes(feed: &mut Feed) -> Vec<Change> {
    let mut found = Vec::new();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(60), feed.next()).await;
        match next.expect("a feed that pushes catches up").unwrap() {
            Change::CaughtUp(_) => return found,
            change => found.push(change),
        }
    }
}

/// The changes until all these objects were told of, or purged where that is asked for.
async fn told_of(feed: &mut Feed, count: usize) -> Vec<Change> {
    let mut found = Vec::new();
    while found.len() < count {
        found.extend(changes(feed).await);
    }
    found
}

fn saved(changes: &[Change]) -> Vec<(ObjectId, Caller)> {
    let of = |change: &Change| match change {
        Change::Saved { key, by, .. } => Some((key.id, *by)),
        _ => None,
    };
    changes.iter().filter_map(of).collect()
}

fn purged(changes: &[Change]) -> Vec<ObjectId> {
    let of = |change: &Change| match change {
        Change::Purged { key } => Some(key.id),
        _ => None,
    };
    changes.iter().filter_map(of).collect()
}

/// A feed that does not push says nothing while objects change.
async fn is_silent(on: &Subject, feed: &mut Feed) -> bool {
    if on.core.abilities().push {
        return false;
    }
    let cursor = on.core.cursor().await.unwrap();
    on.service("unheard").await;
    assert_eq!(on.core.cursor().await.unwrap(), cursor);
    let next = tokio::time::timeout(Duration::from_millis(20), feed.next()).await;
    assert!(next.is_err(), "{next:?}");
    true
}

pub(crate) async fn a_feed_tells_who_changed_what(on: &Subject) {
    let mut feed = on.core.feed(on.core.cursor().await.unwrap(), &[]);
    if is_silent(on, &mut feed).await {
        return;
    }
    let id = on.service("hello").await;
    assert_eq!(saved(&told_of(&mut feed, 1).await), [(id, Caller::Client)]);
    for by in [Caller::Step, Caller::Policy, Caller::Pull, Caller::Engine] {
        on.set("Service", id, &[("description", format!("{by:?}").into())], by).await;
        let told = told_of(&mut feed, 1).await;
        assert_eq!(saved(&told), [(id, by)]);
        let Change::Saved { key, leaf, revision, .. } = &told[0] else { panic!("{told:?}") };
        let service = on.core.schema().expect_model("Service").unwrap().id;
        assert_eq!((key.root, *leaf), (service, service));
        assert_eq!(*revision, on.get("Service", id).await.revision());
    }
}

pub(crate) async fn a_list_says_where_its_feed_begins(on: &Subject) {
    on.service("before").await;
    let found = on.core.find(&Query::live(on.shape("Service")), Page::default()).await.unwrap();
    let mut feed = on.core.feed(found.as_of, &[]);
    if is_silent(on, &mut feed).await {
        return;
    }
    let id = on.service("after").await;
    assert_eq!(saved(&told_of(&mut feed, 1).await), [(id, Caller::Client)]);
    assert!(on.core.cursor().await.unwrap() > found.as_of);
}

pub(crate) async fn a_feed_tells_of_the_families_asked_for(on: &Subject) {
    on.load(vec![model("Leaf", "Service", vec![])]).await;
    let now = on.core.cursor().await.unwrap();
    let mut feed = on.core.feed(now, &["Service".into()]);
    let mut leaves = on.core.feed(now, &["Leaf".into(), "Later".into()]);
    if is_silent(on, &mut feed).await {
        return;
    }
    let plain = on.service("plain").await;
    on.instance("other", plain).await;
    let leaf = on.create("Leaf", &[("name", "leaf".into())]).await;
    let told = saved(&told_of(&mut feed, 2).await);
    assert_eq!(told.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [plain, leaf]);
    assert_eq!(saved(&told_of(&mut leaves, 1).await), [(leaf, Caller::Client)]);
    // A model that is loaded later is told of when it is there.
    on.load(vec![
        model("Leaf", "Service", vec![]),
        model("Later", "XOSBase", vec![field(1, "a", Kind::Text)]),
    ])
    .await;
    let id = on.create("Later", &[]).await;
    let told = told_of(&mut leaves, 2).await;
    assert!(
        matches!(told.first(), Some(Change::Schema(schema)) if schema.model("Later").is_some()),
        "{told:?}"
    );
    assert_eq!(saved(&told), [(id, Caller::Client)]);
}

pub(crate) async fn an_unknown_cursor_is_a_gap(on: &Subject) {
    on.service("one").await;
    let mut feed = on.core.feed(Cursor(1_000_000), &[]);
    if !on.core.abilities().cursor {
        // What a feed without cursors can tell is what there is now: the models.
        let next = tokio::time::timeout(Duration::from_secs(60), feed.next()).await.unwrap();
        assert!(matches!(next, Some(Change::Schema(_))), "{next:?}");
        return;
    }
    assert!(matches!(feed.next().await, Some(Change::Gap { why: Why::CursorUnknown })));
    assert!(matches!(feed.next().await, Some(Change::CaughtUp(_))));
    let id = on.service("two").await;
    assert_eq!(saved(&told_of(&mut feed, 1).await), [(id, Caller::Client)]);
}

pub(crate) async fn a_failed_write_is_told_to_nobody(on: &Subject) {
    on.service("hello").await;
    let mut feed = on.core.feed(on.core.cursor().await.unwrap(), &[]);
    on.try_create("Service", &[("name", "hello".into())]).await.unwrap_err();
    if is_silent(on, &mut feed).await {
        return;
    }
    let id = on.service("other").await;
    assert_eq!(saved(&told_of(&mut feed, 1).await), [(id, Caller::Client)]);
}

pub(crate) async fn a_deletion_tells_of_all_it_reaches(on: &Subject) {
    let service = on.service("hello").await;
    let (kept, gone) = (on.instance("kept", service).await, on.instance("gone", service).await);
    on.claim("ServiceInstance", kept).await;
    let mut feed = on.core.feed(on.core.cursor().await.unwrap(), &[]);
    on.delete("Service", service).await;
    on.gone("ServiceInstance", gone).await;
    if is_silent(on, &mut feed).await {
        return;
    }
    let mut told = Vec::new();
    while purged(&told).is_empty() || saved(&told).len() < 2 {
        told.extend(changes(&mut feed).await);
    }
    let mut ids: Vec<_> = saved(&told).iter().map(|(id, _)| *id).collect();
    // Purged before it was told of, an object may be told of as purged alone.
    ids.retain(|id| *id != gone);
    ids.sort_unstable();
    assert_eq!((ids, purged(&told)), (vec![service, kept], vec![gone]));
    on.let_go("ServiceInstance", kept).await;
    on.gone("Service", service).await;
    let mut told = Vec::new();
    while purged(&told).len() < 2 {
        told.extend(changes(&mut feed).await);
    }
    let mut ids = purged(&told);
    ids.sort_unstable();
    assert_eq!(ids, [service, kept]);
}
