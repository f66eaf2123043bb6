//! Several servers on one database.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use futures_util::StreamExt;
use xos_core::{EmbeddedCore, Options};
use xos_model_client::{
    Caller, Change, Cursor, ErrorKind, Guard, Kind, ModelAccessor, Page, Query, Revision, Value,
};

use crate::common::*;

/// As many servers on one new database, and its URL.
fn servers<const COUNT: usize>() -> ([EmbeddedCore; COUNT], String) {
    let url = url(&format!("schema={}", new_schema()));
    (std::array::from_fn(|_| EmbeddedCore::connect(&url, Options::default()).unwrap()), url)
}

/// Every change up to a revision: the revision, and what changed.
async fn told(core: &EmbeddedCore, last: u64) -> BTreeMap<u64, i32> {
    let mut feed = core.feed(Cursor(0), &[]);
    let mut found = BTreeMap::new();
    let mut before = 0;
    while before < last {
        match feed.next().await.unwrap() {
            Change::Saved { key, revision, .. } => {
                let revision = revision.unwrap().0;
                assert!(revision > before, "{revision} after {before}");
                before = revision;
                found.insert(revision, key.id.get());
            }
            Change::CaughtUp(_) => {}
            other => panic!("{other:?}"),
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_feeds_of_two_servers_tell_every_change_once_and_in_order() {
    const WRITERS: usize = 4;
    const EACH: usize = 25;
    let ([one, other], _) = servers();
    let total = (2 * WRITERS * EACH) as u64;
    // They listen from before the first change, and after the last one.
    let feeds: Vec<_> = [one.clone(), other.clone()]
        .into_iter()
        .map(|core| tokio::spawn(async move { told(&core, total).await }))
        .collect();
    let writers = (0..2 * WRITERS).map(|writer| {
        let core = if writer % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move {
            for at in 0..EACH {
                a_service(&core, &format!("{writer} {at}")).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let mut all = Vec::new();
    for feed in feeds {
        all.push(feed.await.unwrap());
    }
    all.push(told(&one, total).await);
    all.push(told(&EmbeddedCore::clone(&other), total).await);
    for found in &all {
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), (1..=total).collect::<Vec<_>>());
        assert_eq!(found.values().collect::<BTreeSet<_>>().len() as u64, total);
        assert_eq!(found, &all[0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_writers_on_two_servers_lose_no_update() {
    const EACH: i64 = 10;
    let (cores, _) = servers::<2>();
    let counter = model("Counter", "XOSBase", vec![field(1, "count", Kind::Int32)]);
    load(&cores[0], vec![counter]).await.unwrap();
    let shape = shape(&cores[0], "Counter");
    let id = create(&cores[0], "Counter", &[("count", 0.into())]).await.unwrap().id();
    let writers = (0..8).map(|writer| {
        let (core, shape) = (cores[writer % 2].clone(), shape.clone());
        tokio::spawn(async move {
            let place = shape.position("count").unwrap() as u16;
            for _ in 0..EACH {
                loop {
                    let record = core.get(&shape, &[id]).await.unwrap().pop().unwrap().unwrap();
                    let count = record.get("count").unwrap().as_int().unwrap();
                    let write = xos_model_client::Write {
                        shape: shape.clone(),
                        target: xos_model_client::Target::Object(id),
                        op: xos_model_client::Op::Set {
                            fields: vec![(place, Value::Int(count + 1))],
                            touch: xos_model_client::Touch::AsTheRulesSay,
                        },
                        by: Caller::Client,
                        guard: Guard::Revision(Revision(record.revision().unwrap().0)),
                    };
                    match core.write(vec![write]).await.pop().unwrap() {
                        Ok(_) => break,
                        Err(error) => {
                            assert!(matches!(error.kind(), ErrorKind::Superseded { .. }), "{error}");
                        }
                    }
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    for core in &cores {
        let record = core.get(&shape, &[id]).await.unwrap().pop().unwrap().unwrap();
        assert_eq!(record.get("count"), Some(&Value::Int(8 * EACH)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn models_that_one_server_loads_are_used_by_the_other_at_once() {
    let ([one, other], _) = servers();
    // The other one reads and writes all the time.
    let busy = other.clone();
    let work = tokio::spawn(async move {
        for at in 0..60 {
            let id = a_service(&busy, &format!("s{at}")).await.id;
            assert!(ids(&busy, Query::live(shape(&busy, "XOSBase"))).await.contains(&id.get()));
        }
    });
    for version in 0..6 {
        let fields = vec![field(1, "name", Kind::Text), field(2, &format!("v{version}"), Kind::Int32)];
        load(
            &one,
            vec![model("Thing", "Principal", fields[1..].to_vec()), model("Other", "XOSBase", fields)],
        )
        .await
        .unwrap();
        // Without waiting for anything: what the other one does next knows it.
        let written = write(&other, a_create(&one, "Other", &[("name", "x".into())])).await.unwrap();
        let found = other.get(&shape(&one, "Other"), &[written.id]).await.unwrap();
        assert_eq!(text(found[0].as_ref().unwrap(), "name"), "x");
        let query = Query::live(shape(&one, "Thing"));
        assert!(other.find(&query, Page::default()).await.unwrap().records.is_empty());
        assert_eq!(
            other.schema().expect_model("Other").unwrap().fields.len(),
            one.schema().expect_model("Other").unwrap().fields.len()
        );
        delete(&other, "Other", written.id).await.unwrap();
        assert!(get(&one, "Other", written.id).await.is_none());
    }
    work.await.unwrap();
    // And those who listen to the other one are told.
    let mut feed = other.feed(Cursor(0), &["Last".into()]);
    changes(&mut feed).await;
    load(&one, vec![model("Last", "XOSBase", vec![])]).await.unwrap();
    let id = create(&one, "Last", &[]).await.unwrap().id();
    assert!(matches!(feed.next().await, Some(Change::Schema(schema)) if schema.model("Last").is_some()));
    assert!(matches!(feed.next().await, Some(Change::Saved { key, .. }) if key.id == id));
}

#[tokio::test]
async fn a_cursor_of_one_server_is_one_of_the_other() {
    let ([one, other], _) = servers();
    for at in 0..20 {
        a_service(&one, &format!("s{at}")).await;
        let cursor = one.cursor().await.unwrap();
        let mut feed = other.feed(cursor, &[]);
        let id = a_service(&one, &format!("t{at}")).await.id;
        loop {
            match feed.next().await.unwrap() {
                Change::Saved { key, .. } => break assert_eq!(key.id, id),
                Change::CaughtUp(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    // One that no server gave is known to be none.
    let mut feed = other.feed(Cursor(1_000_000), &[]);
    assert!(matches!(feed.next().await, Some(Change::Gap { .. })));
}

#[tokio::test]
async fn what_a_dead_server_left_is_purged_by_the_next_one() {
    let url = url(&format!("schema={}", new_schema()));
    let manual = Options { reap: xos_core::Reap::Manual, ..Options::default() };
    let core = EmbeddedCore::connect(&url, manual).unwrap();
    let id = a_service(&core, "left").await.id;
    delete(&core, "Service", id).await.unwrap();
    drop(core);
    let core = EmbeddedCore::connect(&url, Options::default()).unwrap();
    assert!(get(&core, "Service", id).await.is_none());
}

/// This program again, as a child that runs the test `servers::a_child` with this work.
fn child(work: &str, url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "servers::a_child", "--nocapture"])
        .env("XOS_CHILD", work)
        .env("XOS_CHILD_URL", url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The work of a child process; nothing when it is run as a test.
#[tokio::test]
async fn a_child() {
    let (Ok(work), Ok(url)) = (std::env::var("XOS_CHILD"), std::env::var("XOS_CHILD_URL")) else { return };
    let core = EmbeddedCore::connect(&url, Options::default()).unwrap();
    if work == "start" {
        a_service(&core, &format!("of {}", std::process::id())).await;
        return;
    }
    for at in 0.. {
        let id = a_service(&core, &format!("s{at}")).await.id;
        println!("\nacknowledged {id}");
    }
}

#[tokio::test]
async fn two_processes_may_be_the_first_at_once() {
    let url = url(&format!("schema={}", new_schema()));
    let children: Vec<Child> = (0..3).map(|_| child("start", &url)).collect();
    for child in children {
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    }
    let core = EmbeddedCore::connect(&url, Options::default()).unwrap();
    assert_eq!(ids(&core, Query::live(shape(&core, "Service"))).await.len(), 3);
}

#[tokio::test]
async fn an_acknowledged_write_survives_the_death_of_the_process() {
    let url = url(&format!("schema={}", new_schema()));
    let mut child = child("write", &url);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let id = |line: String| line.strip_prefix("acknowledged ").and_then(|id| id.trim().parse::<i32>().ok());
    let mut acknowledged: Vec<i32> = lines.by_ref().filter_map(id).take(50).collect();
    child.kill().unwrap();
    acknowledged.extend(lines.filter_map(id));
    child.wait().unwrap();
    let core = EmbeddedCore::connect(&url, Options::default()).unwrap();
    let there = ids(&core, Query::live(shape(&core, "Service"))).await;
    assert!(acknowledged.len() >= 50);
    assert!(acknowledged.iter().all(|id| there.contains(id)), "{acknowledged:?} {there:?}");
    // What it held is free again, and the next server goes on.
    a_service(&core, "next").await;
}
