//! A server of the database that goes away, and connections that break.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio_postgres::NoTls;
use xos_core::{EmbeddedCore, Options};
use xos_model_client::{Change, Cursor, ErrorKind, ModelAccessor, Page, Query};

use crate::common::*;
use crate::postgres::Cluster;

/// Waits for a condition, a little at a time.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < end, "{what} does not come true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Ends the connections of a schema's cores, as an administrator would.
async fn end_connections(url: &str, name: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
    client.query(sql, &[&name]).await.unwrap();
    drop(client);
    let _ = connection.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_whose_connection_is_ended_is_told_what_became_of_it() {
    let schema = new_schema();
    let place = url(&format!("schema={schema}&application_name={schema}"));
    let core = EmbeddedCore::connect(&place, Options::default()).unwrap();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let core = core.clone();
            tokio::spawn(async move {
                let mut outcomes = Vec::new();
                for at in 0..150 {
                    let name = format!("{writer} {at}");
                    let written = create(&core, "Service", &[("name", name.as_str().into())]).await;
                    if let Err(error) = &written {
                        assert!(error.is_interruption(), "{error}");
                    }
                    outcomes.push((name, written));
                }
                outcomes
            })
        })
        .collect();
    while writers.iter().any(|writer| !writer.is_finished()) {
        end_connections(&url(""), &schema).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut outcomes = Vec::new();
    for writer in writers {
        outcomes.extend(writer.await.unwrap());
    }
    let query = Query::live(shape(&core, "Service"));
    let found = core.find(&query, Page::first(10_000)).await.unwrap();
    let names: Vec<String> = found.records.iter().map(|record| text(record, "name")).collect();
    for (name, written) in &outcomes {
        let there = names.contains(name);
        match written {
            Ok(_) => assert!(there, "{name} was acknowledged and is not there"),
            Err(error) => match error.kind() {
                ErrorKind::Away { .. } => {
                    assert!(!there, "{name} is there, and was told as not stored: {error}");
                }
                _ => panic!("expected to know what became of it: {error}"),
            },
        }
    }
    assert!(outcomes.iter().any(|(_, written)| written.is_ok()));
    // Numbers have no holes, and the feed has them all, each once. It may tell as well that the database was away, for
    // the connection that listens was ended too.
    let (told, _) = changes(&mut core.feed(Cursor(0), &[])).await;
    let saved = |change: &&Change| matches!(change, Change::Saved { .. });
    assert_eq!(told.iter().filter(saved).count(), names.len(), "{told:?}");
    let others = told.iter().filter(|change| !saved(change));
    assert!(others.into_iter().all(|other| matches!(other, Change::Down { .. } | Change::Up)), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_is_restarted_is_used_again_and_nothing_is_missed() {
    let cluster = the(Cluster::start(&["-c", "fsync=off"]));
    let open = || EmbeddedCore::connect(&cluster.url(""), Options::default()).unwrap();
    let (one, other) = (open(), open());
    let first = a_service(&one, "first").await.id;
    let mut feed = other.feed(Cursor(0), &[]);
    let saved = |change: Option<Change>| match change {
        Some(Change::Saved { key, .. }) => Some(key.id),
        _ => None,
    };
    while saved(feed.next().await) != Some(first) {}
    for how in ["stop", "crash"] {
        cluster.tell(how);
        let error = create(&one, "Service", &[("name", how.into())]).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Away { .. }), "{error}");
        let error = one.find(&Query::live(shape(&one, "Service")), Page::default()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Away { .. }), "{error}");
        assert!(error.to_string().contains("xos@"), "{error}");
        loop {
            match feed.next().await.unwrap() {
                Change::Down { .. } => break,
                Change::CaughtUp(_) => {}
                other => panic!("{other:?}"),
            }
        }
        cluster.tell("start");
        let core = one.clone();
        until("it is used again", || {
            let core = core.clone();
            async move { create(&core, "Service", &[("name", how.into())]).await.is_ok() }
        })
        .await;
        let name = format!("after {how}");
        let after = a_service(&one, &name).await.id;
        // The other one goes on where it was: each once, in order.
        let mut told = Vec::new();
        while told.last() != Some(&after) {
            match feed.next().await.unwrap() {
                Change::Saved { key, .. } => told.push(key.id),
                Change::Up | Change::CaughtUp(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(told.len(), 2, "{told:?}");
        let core = other.clone();
        until("the other one writes again", || {
            let (core, name) = (core.clone(), format!("other {how}"));
            async move { create(&core, "Service", &[("name", name.into())]).await.is_ok() }
        })
        .await;
        while saved(feed.next().await).is_none() {}
    }
    one.close();
    other.close();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap().replace('/', "%2F");
    let error =
        EmbeddedCore::connect(&format!("postgres://me:s3cret@{place}/x"), Options::default()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Away { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
}
