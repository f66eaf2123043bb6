//! Many callers at once, on a core with threads of its own.

use std::collections::HashSet;
use std::task::Poll;

use futures_util::StreamExt;
use xos_core::Options;
use xos_model_client::{Caller, Change, Cursor, ErrorKind, ModelAccessor, Page, Query, Value};

use crate::common::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everybody_reads_what_was_acknowledged_to_them_and_the_feed_misses_nothing() {
    const WRITERS: usize = 8;
    const EACH: usize = 40;
    let folder = folder();
    let core = open_core(folder.path().join("core.db"), Options::default()).unwrap();
    let mut feed = core.feed(Cursor(0), &[]);
    let listener = tokio::spawn(async move {
        let (mut last, mut ids) = (0, HashSet::new());
        while ids.len() < WRITERS * EACH {
            if let Some(Change::Saved { key, revision, .. }) = feed.next().await {
                let revision = revision.unwrap().0;
                assert!(revision > last);
                last = revision;
                ids.insert(key.id.get());
            }
        }
    });
    let writers = (0..WRITERS).map(|writer| {
        let core = core.clone();
        tokio::spawn(async move {
            let query = Query::live(shape(&core, "Service"));
            for at in 0..EACH {
                let id = a_service(&core, &format!("{writer} {at}")).await.id;
                // One that fails in the same transaction harms nobody.
                create(&core, "Service", &[("name", format!("{writer} {at}").into())]).await.unwrap_err();
                set(&core, "Service", id, &[("description", "x".into())], Caller::Step).await.unwrap();
                assert_eq!(text(&get(&core, "Service", id).await.unwrap(), "description"), "x");
                let found = core.find(&query, Page { after: (id.get() - 1).into(), limit: 1 }).await.unwrap();
                assert_eq!(found.records[0].id(), id);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    listener.await.unwrap();
    assert_eq!(ids(&core, Query::live(shape(&core, "Service"))).await.len(), WRITERS * EACH);
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_is_done_or_not_never_by_half() {
    let folder = folder();
    let path = folder.path().join("core.db");
    let core = open_core(&path, Options::default()).unwrap();
    for round in 0..50 {
        let writes = (0..3).map(|at| a_create(&core, "Service", &[("name", format!("{round} {at}").into())]));
        let mut call = core.write(writes.collect());
        // Begun, and dropped before the answer.
        std::future::poll_fn(|context| {
            let _ = call.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
        drop(call);
    }
    core.close();
    let core = open_core(&path, Options::default()).unwrap();
    assert_eq!(ids(&core, Query::live(shape(&core, "Service"))).await.len() % 3, 0);
}

#[tokio::test]
async fn calls_after_the_end_are_told_that_the_core_is_away() {
    let folder = folder();
    let core = open_core(folder.path().join("core.db"), Options::default()).unwrap();
    let service = shape(&core, "Service");
    let write = a_create(&core, "Service", &[("name", Value::from("late"))]);
    core.close();
    let errors = [
        core.write(vec![write.clone(), write]).await.pop().unwrap().unwrap_err(),
        core.find(&Query::live(service.clone()), Page::default()).await.unwrap_err(),
        core.get(&service, &[1.into()]).await.unwrap_err(),
        core.remember("a", "b", None).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error.kind(), ErrorKind::Away { .. }), "{error}");
    }
}
