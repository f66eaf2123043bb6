//! What calls over the network cost: `cargo bench -p xos-core --bench server -- [--json] [--objects N]`.
//!
//! Server and client are processes of their own, so that CPU and memory are told apart: `server_us` and `client_us` are
//! the CPU time (user and system, all threads) of each process per call, in microseconds. `empty` is a tonic service
//! that does nothing, in the same run over the same kinds of connection: what the transport alone costs. One connection
//! carries all calls.
//!
//! With `--json` one object a line: `bench`, `door`, `in_flight`, `calls`, `p50_us`, `p99_us`, `calls_per_s`,
//! `server_us`, `client_us`; for the list: `objects`, `bytes`, `ms`, and the peak memory of both sides before and after
//! in KiB.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench fails by panicking"
)]

#[path = "server/child.rs"]
mod child;
#[path = "../tests/server/raw.rs"]
mod raw;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tonic::Request;
use tonic::transport::Channel;
use xos_model_client::grpc::{CoreClient, CoreOptions};
use xos_model_client::models::Service;
use xos_model_client::{Caller, ModelClient};

use child::{Child, PASSWORD, Place, cpu, peak};

/// How long each measurement takes.
const TIME: Duration = Duration::from_secs(3);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let objects = args.iter().position(|arg| arg == "--objects").map(|at| args[at + 1].parse().unwrap());
    match args.get(1).map(String::as_str) {
        Some("child-core") => runtime.block_on(child::core(objects.unwrap_or(1))),
        Some("child-empty") => runtime.block_on(child::empty()),
        _ => {
            let json = args.iter().any(|arg| arg == "--json");
            runtime.block_on(unary(json));
            runtime.block_on(list(json, objects.unwrap_or(100_000)));
        }
    }
}

/// A kind of call.
#[derive(Copy, Clone)]
struct Kind {
    name: &'static str,
    path: &'static str,
    message: &'static [u8],
    update_fields: Option<&'static str>,
}

const CALLS: [Kind; 3] = [
    Kind { name: "NoOp", path: "/xos.utility/NoOp", message: b"", update_fields: None },
    Kind { name: "Get", path: "/xos.xos/GetService", message: &[8, 1], update_fields: None },
    // `id` is field 1, `versionNumber` field 105.
    Kind {
        name: "Update",
        path: "/xos.xos/UpdateService",
        message: &[8, 1, 0xca, 0x06, 2, b'v', b'2'],
        update_fields: Some("versionNumber"),
    },
];

const EMPTY: Kind = Kind { name: "empty", path: "/bench.Empty/Call", message: b"", update_fields: None };

async fn unary(json: bool) {
    let empty = Child::start("child-empty", 0);
    let core = Child::start("child-core", 1);
    for place in [Place::Tcp, Place::Unix] {
        let (bare, served) = (empty.connect(place).await, core.connect(place).await);
        // A session, as clients of XOS have: a password would cost a slow hash now and then.
        let session = if place == Place::Tcp { Some(log_in(&served).await) } else { None };
        let session = session.as_deref();
        for in_flight in [1, 8, 64] {
            measure(json, EMPTY, place, in_flight, &bare, None, &empty).await;
            for kind in CALLS {
                measure(json, kind, place, in_flight, &served, session, &core).await;
            }
        }
    }
}

async fn log_in(channel: &Channel) -> String {
    let mut message = Vec::new();
    for (field, text) in [(1, "admin@opencord.org"), (2, PASSWORD)] {
        message.extend([field << 3 | 2, text.len() as u8]);
        message.extend(text.as_bytes());
    }
    let answer = raw::call(channel, "/xos.utility/Login", message).await.unwrap();
    // `sessionid` is field 1.
    String::from_utf8(answer[2..2 + usize::from(answer[1])].to_vec()).unwrap()
}

async fn one(channel: &Channel, kind: Kind, session: Option<&str>) -> Bytes {
    let mut request = Request::new(Bytes::from_static(kind.message));
    if let Some(fields) = kind.update_fields {
        request.metadata_mut().insert("update_fields", fields.parse().unwrap());
    }
    if let Some(session) = session {
        request.metadata_mut().insert("x-xossession", session.parse().unwrap());
    }
    raw::request(channel, kind.path, request).await.unwrap()
}

async fn measure(
    json: bool,
    kind: Kind,
    place: Place,
    in_flight: usize,
    channel: &Channel,
    session: Option<&str>,
    server: &Child,
) {
    for _ in 0..200 {
        one(channel, kind, session).await;
    }
    let (theirs, ours, began) = (server.cpu(), cpu("self"), Instant::now());
    let tasks: Vec<_> = (0..in_flight)
        .map(|_| {
            let (channel, session) = (channel.clone(), session.map(str::to_owned));
            tokio::spawn(async move {
                let mut took = Vec::with_capacity(1 << 16);
                while began.elapsed() < TIME {
                    let start = Instant::now();
                    one(&channel, kind, session.as_deref()).await;
                    took.push(start.elapsed().as_secs_f64() * 1e6);
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.unwrap());
    }
    let wall = began.elapsed().as_secs_f64();
    let calls = took.len() as f64;
    let (theirs, ours) = ((server.cpu() - theirs) * 1e6 / calls, (cpu("self") - ours) * 1e6 / calls);
    took.sort_by(f64::total_cmp);
    let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    let (name, rate) = (kind.name, calls / wall);
    if json {
        println!(
            "{{\"bench\": \"{name}\", \"door\": \"{place}\", \"in_flight\": {in_flight}, \"calls\": {calls}, \
             \"p50_us\": {p50:.1}, \"p99_us\": {p99:.1}, \"calls_per_s\": {rate:.0}, \"server_us\": {theirs:.1}, \
             \"client_us\": {ours:.1}}}"
        );
    } else {
        println!(
            "{name:<7} {place} {in_flight:>3} in flight: p50 {p50:>8.1} us  p99 {p99:>8.1} us  {rate:>7.0} calls/s  \
             CPU server {theirs:>6.1} us, client {ours:>6.1} us"
        );
    }
}

async fn list(json: bool, objects: usize) {
    let server = Child::start("child-core", objects);
    let channel = server.connect(Place::Unix).await;
    let (theirs, ours) = (server.peak(), peak("self"));
    let began = Instant::now();
    let bytes = raw::call(&channel, "/xos.xos/ListService", "").await.unwrap().len();
    let raw_ms = began.elapsed().as_secs_f64() * 1e3;
    let (their_peak, our_peak) = (server.peak(), peak("self"));
    report_list(json, "list, raw", objects, bytes, raw_ms, [theirs, their_peak, ours, our_peak]);

    let mut options = CoreOptions::new(format!("unix:{}", server.socket()));
    options.max_message_size = 1 << 30;
    let core = CoreClient::new(options).unwrap();
    core.ready().await.unwrap();
    let client = ModelClient::new(Arc::new(core), Caller::Client);
    let began = Instant::now();
    let found = client.objects::<Service>().all().await.unwrap().len();
    let typed_ms = began.elapsed().as_secs_f64() * 1e3;
    assert!(found >= objects, "{found} of {objects}");
    report_list(
        json,
        "list, CoreClient",
        found,
        bytes,
        typed_ms,
        [their_peak, server.peak(), our_peak, peak("self")],
    );
}

fn report_list(json: bool, bench: &str, objects: usize, bytes: usize, ms: f64, peaks: [u64; 4]) {
    let [server_before, server_after, client_before, client_after] = peaks;
    if json {
        println!(
            "{{\"bench\": \"{bench}\", \"objects\": {objects}, \"bytes\": {bytes}, \"ms\": {ms:.0}, \
             \"server_before_kib\": {server_before}, \"server_peak_kib\": {server_after}, \
             \"client_before_kib\": {client_before}, \"client_peak_kib\": {client_after}}}"
        );
    } else {
        let mib = |kib| kib / 1024;
        println!(
            "{bench}: {objects} objects, {bytes} bytes, {ms:.0} ms; peak memory server {} -> {} MiB, client {} -> {} MiB",
            mib(server_before),
            mib(server_after),
            mib(client_before),
            mib(client_after)
        );
    }
}
