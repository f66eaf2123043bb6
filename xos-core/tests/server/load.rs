//! Many clients at once.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::limits::{HELLO, SCHEMA, is_closed, say};
use crate::program::Program;
use crate::{raw, serve, until};

/// The most memory that 1,000 idle and 64 busy connections may take, in MiB, of a program without optimizations.
const MOST: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections_and_64_busy_ones_take_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("core.db");
    let args = ["--listen", "127.0.0.1:0", "--max-connections", "1064"];
    let mut server = Program::serve(db.to_str().unwrap(), &args);
    let address = server.address();
    let before = server.memory("VmRSS");

    let mut idle: Vec<_> = (0..1000).map(|_| say(address, HELLO)).collect();
    let mut busy = Vec::new();
    for _ in 0..64 {
        busy.push(raw::connect(address).await);
    }
    let mut refused = say(address, HELLO);
    until("one too many is refused", || is_closed(&mut refused)).await;
    let answers = join_all(busy.iter().map(|channel| async move {
        let mut bytes = 0;
        for _ in 0..20 {
            bytes += raw::call(channel, SCHEMA, "").await.unwrap().len();
            assert!(raw::call(channel, "/no.such/Method", vec![0; 100_000]).await.is_err());
        }
        bytes
    }));
    let bytes: usize = answers.await.iter().sum();
    assert!(idle.iter_mut().all(|stream| !is_closed(stream)), "an idle connection was closed");
    assert!(server.runs());
    let (now, most) = (server.memory("VmRSS"), server.memory("VmHWM"));
    let mib = |kib: Option<u64>| kib.map(|kib| kib / 1024);
    println!(
        "1000 idle and 64 busy connections, {} MiB answered: RSS {:?} MiB before, {:?} after, {:?} at most",
        bytes >> 20,
        mib(before),
        mib(now),
        mib(most)
    );
    if let Some(most) = mib(most) {
        assert!(most < MOST, "{most} MiB");
    } else {
        println!("skipped: this system has no /proc");
    }
    drop((idle, busy));
    let channel = raw::connect(address).await;
    raw::call(&channel, SCHEMA, "").await.unwrap();
    server.signal("TERM");
    assert_eq!(server.end(), Some(0));
}

/// How many of 50 calls, one after the other, took as long as an acknowledgement that is put off.
async fn slow(channel: &tonic::transport::Channel) -> usize {
    let mut slow = 0;
    for _ in 0..50 {
        let began = Instant::now();
        assert!(raw::call(channel, "/no.such/Method", "ask").await.is_err());
        let answer = raw::call(channel, "/grpc.health.v1.Health/Check", "").await.unwrap();
        assert_eq!(answer.len(), 2);
        slow += usize::from(began.elapsed() >= Duration::from_millis(30));
    }
    slow
}

/// Without `TCP_NODELAY` an answer in two small pieces waits 40 ms for an acknowledgement, each time. A Unix socket has
/// nothing like that: what is slow there is slow because of the machine.
#[tokio::test(flavor = "multi_thread")]
async fn answers_over_tcp_do_not_wait_for_acknowledgements() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let server = serve(|server| server.unix(&socket)).await;
    let unix = slow(&raw::connect_unix(&socket).await).await;
    let tcp = slow(&raw::connect(server.tcp_address().unwrap()).await).await;
    println!("of 50 calls took 30 ms or more: {tcp} over TCP, {unix} over a Unix socket");
    assert!(tcp <= 25 || unix > 20, "{tcp} of 50 over TCP, {unix} over a Unix socket: is TCP_NODELAY set?");
    server.stop(Duration::from_secs(5)).await;
}
