//! What reading and writing cost: `cargo bench -p xos-core --bench store -- [--json]`.
//!
//! One JSON object a line with `--json`: `bench`, `n`, `p50_us` of one object (batches are divided by their size).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use xos_core::{EmbeddedCore, Options};
use xos_model_client::models::{Service, ServiceInstance};
use xos_model_client::{
    Caller, Change, Cursor, Guard, Link, Model, ModelAccessor, ModelClient, ObjectId, Op, Page, Query,
    QueryKind, Target, Timestamp, Touch, Value, Write,
};

const OBJECTS: usize = 10_000;
const BATCH: usize = 500;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let json = std::env::args().any(|arg| arg == "--json");
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let file = EmbeddedCore::open(folder.path().join("bench.db"), Options::default()).unwrap();
        new_cores(json);
        all(&EmbeddedCore::in_memory().unwrap(), "memory", json).await;
        all(&file, "file", json).await;
    });
}

fn report(json: bool, bench: &str, place: &str, n: usize, mut samples: Vec<f64>) {
    samples.sort_by(f64::total_cmp);
    let p50 = samples[samples.len() / 2];
    if json {
        println!("{{\"bench\": \"{bench}/{place}\", \"n\": {n}, \"p50_us\": {p50:.2}}}");
    } else {
        println!("{bench:<24} {place:<7} {p50:>9.2} us");
    }
}

fn new_cores(json: bool) {
    let samples = (0..50).map(|_| {
        let start = Instant::now();
        let core = EmbeddedCore::in_memory().unwrap();
        let took = start.elapsed().as_secs_f64() * 1e6;
        drop(core);
        took
    });
    report(json, "new core", "memory", 50, samples.collect());
}

async fn all(core: &EmbeddedCore, place: &str, json: bool) {
    let client = ModelClient::new(Arc::new(core.clone()), Caller::Client);
    let service = Service { name: "hello".into(), ..Default::default() };
    let service = client.create(service).await.unwrap();
    let shape = ServiceInstance::shape();
    let place_of = |name: &str| shape.position(name).unwrap() as u16;
    let write = |target, op, by| Write { shape: shape.clone(), target, op, by, guard: Guard::None };

    let mut ids = Vec::with_capacity(OBJECTS);
    let mut samples = Vec::new();
    for batch in 0..OBJECTS / BATCH {
        let writes = (0..BATCH).map(|at| {
            let object = ServiceInstance {
                name: Some(format!("instance {batch} {at}")),
                owner: Link::of(&service),
                ..Default::default()
            };
            let fields = vec![
                (place_of("name"), Value::from(object.name.clone().unwrap())),
                (place_of("owner"), Value::Link(object.owner.id())),
            ];
            write(Target::New, Op::Create(fields), Caller::Client)
        });
        let writes: Vec<Write> = writes.collect();
        let start = Instant::now();
        let written = core.write(writes).await;
        samples.push(start.elapsed().as_secs_f64() * 1e6 / BATCH as f64);
        ids.extend(written.into_iter().map(|written| written.unwrap().id));
    }
    report(json, "create", place, OBJECTS, samples);

    let claim = |_: usize| vec![(place_of("backend_need_delete"), Value::Bool(true))];
    let result = |at: usize| {
        vec![
            (place_of("enacted"), Value::Time(Timestamp::from_seconds(2e9 + at as f64))),
            (place_of("backend_status"), Value::from("OK")),
            (
                place_of("backend_register"),
                Value::from("{\"next_run\": 0, \"last_success\": 1.0, \"exponent\": 0}"),
            ),
            (place_of("backend_code"), Value::Int(1)),
        ]
    };
    sets(core, "set 1 column", place, json, &ids, &claim, &write).await;
    sets(core, "set 4 columns", place, json, &ids, &result, &write).await;

    let mut samples = Vec::new();
    for id in ids.iter().take(2000) {
        let fields = vec![(place_of("name"), Value::from(format!("renamed {id}")))];
        let set = write(Target::Object(*id), Op::Set { fields, touch: Touch::AsTheRulesSay }, Caller::Client);
        let start = Instant::now();
        core.write(vec![set]).await[0].as_ref().unwrap();
        samples.push(start.elapsed().as_secs_f64() * 1e6);
    }
    report(json, "set alone", place, 2000, samples);

    let mut samples = Vec::new();
    for id in ids.iter().take(2000) {
        let start = Instant::now();
        core.get(shape, &[*id]).await.unwrap();
        samples.push(start.elapsed().as_secs_f64() * 1e6);
    }
    report(json, "get", place, 2000, samples);

    for (name, query) in [
        ("find 1000", Query::live(shape.clone())),
        ("find 1000 dirty", Query::live(shape.clone()).of_kind(QueryKind::DirtyObjects)),
    ] {
        let mut samples = Vec::new();
        for _ in 0..50 {
            let start = Instant::now();
            let found = core.find(&query, Page::first(1000)).await.unwrap();
            samples.push(start.elapsed().as_secs_f64() * 1e6 / found.records.len() as f64);
        }
        report(json, name, place, 1000, samples);
    }
    latency(core, place, json, ids[0], place_of("name")).await;

    // All were claimed: the service takes them along, and each is purged when its step lets it go.
    let start = Instant::now();
    client.delete(&service).await.unwrap();
    report(
        json,
        "delete by cascade",
        place,
        OBJECTS,
        vec![start.elapsed().as_secs_f64() * 1e6 / OBJECTS as f64],
    );
    let let_go = |_: usize| vec![(place_of("backend_need_reap"), Value::Bool(true))];
    sets(core, "let go and purge", place, json, &ids, &let_go, &write).await;
    while !client.objects::<Service>().deleted().all().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

async fn sets(
    core: &EmbeddedCore,
    bench: &str,
    place: &str,
    json: bool,
    ids: &[ObjectId],
    fields: &dyn Fn(usize) -> Vec<(u16, Value)>,
    write: &dyn Fn(Target, Op, Caller) -> Write,
) {
    let mut samples = Vec::new();
    for batch in ids.chunks(BATCH) {
        let writes = batch.iter().enumerate().map(|(at, id)| {
            write(
                Target::Object(*id),
                Op::Set { fields: fields(at), touch: Touch::AsTheRulesSay },
                Caller::Engine,
            )
        });
        let writes: Vec<Write> = writes.collect();
        let start = Instant::now();
        let written = core.write(writes).await;
        samples.push(start.elapsed().as_secs_f64() * 1e6 / batch.len() as f64);
        assert!(written.iter().all(Result::is_ok));
    }
    report(json, bench, place, ids.len(), samples);
}

/// From the call that writes to the change in the feed of another task.
async fn latency(core: &EmbeddedCore, place: &str, json: bool, id: ObjectId, name: u16) {
    let mut feed = core.feed(Cursor(0), &[]);
    while !matches!(feed.next().await, Some(Change::CaughtUp(_))) {}
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(change) = feed.next().await {
            if matches!(change, Change::Saved { .. }) && told.send(Instant::now()).await.is_err() {
                return;
            }
        }
    });
    let (mut after, mut samples) = (Vec::new(), Vec::new());
    for round in 0..500 {
        let op = Op::Set {
            fields: vec![(name, Value::from(format!("round {round}")))],
            touch: Touch::AsTheRulesSay,
        };
        let write = Write {
            shape: ServiceInstance::shape().clone(),
            target: Target::Object(id),
            op,
            by: Caller::Client,
            guard: Guard::None,
        };
        let start = Instant::now();
        core.write(vec![write]).await[0].as_ref().unwrap();
        let written = Instant::now();
        let at = heard.recv().await.unwrap();
        samples.push(at.duration_since(start).as_secs_f64() * 1e6);
        after.push(at.saturating_duration_since(written).as_secs_f64() * 1e6);
    }
    report(json, "change to feed", place, 500, samples);
    report(json, "answer to feed", place, 500, after);
}
