//! What a database of PostgreSQL costs: `cargo bench -p xos-core --bench postgres -- [--json]`.
//!
//! Starts its own PostgreSQL, with `fsync` on. Writes and reads of one object with 1, 8 and 64 calls in flight, and how
//! long a change by one server takes to the feed of another. One JSON object a line with `--json`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/support/postgres.rs"]
mod postgres;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use xos_core::{EmbeddedCore, Options};
use xos_model_client::models::Service;
use xos_model_client::{
    Caller, Change, Cursor, Guard, Model, ModelAccessor, ObjectId, Op, Target, Touch, Value, Write,
};

/// How long each figure is measured.
const TIME: Duration = Duration::from_secs(4);

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let Some(cluster) = postgres::Cluster::start(&[]) else {
        println!("skipped: PostgreSQL (install: apt-get install postgresql)");
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let start = Instant::now();
        let one = EmbeddedCore::connect(&cluster.url(""), Options::default()).unwrap();
        report(json, "first start", 1, "ms", start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        let other = EmbeddedCore::connect(&cluster.url(""), Options::default()).unwrap();
        report(json, "next start", 1, "ms", start.elapsed().as_secs_f64() * 1e3);
        let writes = (0..64).map(|at| set(Target::New, &format!("service {at}")));
        let ids: Vec<ObjectId> =
            one.write(writes.collect()).await.into_iter().map(|w| w.unwrap().id).collect();
        for in_flight in [1, 8, 64] {
            let rate = many(&one, in_flight, &ids, |core, id, at| async move {
                core.write(vec![set(Target::Object(id), &format!("{id} {at}"))]).await[0].as_ref().unwrap();
            });
            report(json, "writes", in_flight, "per_s", rate.await);
        }
        for in_flight in [1, 8, 64] {
            let rate = many(&one, in_flight, &ids, |core, id, _| async move {
                core.get(Service::shape(), &[id]).await.unwrap();
            });
            report(json, "reads", in_flight, "per_s", rate.await);
        }
        latency(&one, &other, ids[0], json).await;
        one.close();
        other.close();
    });
    cluster.tell("stop");
}

fn report(json: bool, bench: &str, in_flight: usize, unit: &str, value: f64) {
    if json {
        println!("{{\"bench\": \"{bench}\", \"in_flight\": {in_flight}, \"{unit}\": {value:.2}}}");
    } else {
        println!("{bench:<24} {in_flight:>3} {value:>12.2} {unit}");
    }
}

fn set(target: Target, name: &str) -> Write {
    let shape = Service::shape();
    let fields = vec![(shape.position("name").unwrap() as u16, Value::from(name.to_owned()))];
    let op = match target {
        Target::New => Op::Create(fields),
        Target::Object(_) => Op::Set { fields, touch: Touch::AsTheRulesSay },
    };
    Write { shape: shape.clone(), target, op, by: Caller::Client, guard: Guard::None }
}

/// Calls a second, with so many at once.
async fn many<F: Future<Output = ()> + Send + 'static>(
    core: &EmbeddedCore,
    in_flight: usize,
    ids: &[ObjectId],
    call: impl Fn(EmbeddedCore, ObjectId, usize) -> F + Copy + Send + 'static,
) -> f64 {
    let start = Instant::now();
    let callers: Vec<_> = (0..in_flight)
        .map(|caller| {
            let (core, id) = (core.clone(), ids[caller % ids.len()]);
            tokio::spawn(async move {
                let mut done = 0_usize;
                while start.elapsed() < TIME {
                    call(core.clone(), id, done).await;
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for caller in callers {
        done += caller.await.unwrap();
    }
    done as f64 / start.elapsed().as_secs_f64()
}

/// From the call that writes on one server to the change in a feed of the other.
async fn latency(one: &EmbeddedCore, other: &EmbeddedCore, id: ObjectId, json: bool) {
    let mut feed = other.feed(Cursor(0), &[]);
    while !matches!(feed.next().await, Some(Change::CaughtUp(_))) {}
    let (mut whole, mut after) = (Vec::new(), Vec::new());
    for at in 0..500 {
        let start = Instant::now();
        one.write(vec![set(Target::Object(id), &format!("latency {at}"))]).await[0].as_ref().unwrap();
        let written = Instant::now();
        while !matches!(feed.next().await, Some(Change::Saved { .. })) {}
        let heard = Instant::now();
        whole.push(heard.duration_since(start).as_secs_f64() * 1e6);
        after.push(heard.duration_since(written).as_secs_f64() * 1e6);
    }
    for (name, mut samples) in [("write to other feed", whole), ("answer to other feed", after)] {
        samples.sort_by(f64::total_cmp);
        report(json, name, 1, "p50_us", samples[samples.len() / 2]);
        report(json, name, 1, "p99_us", samples[samples.len() * 99 / 100]);
    }
}
