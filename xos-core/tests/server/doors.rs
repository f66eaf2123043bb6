//! Where a server listens, what it does with calls, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;
use tonic::{Code, Request};
use xos_core::EmbeddedCore;
use xos_core::server::{Extension, Limits, Server};

use crate::{raw, serve, until};

/// A service that does what a test tells it.
#[derive(Clone, Default)]
struct Probe {
    /// A call of `Wait` has begun.
    begun: Arc<Notify>,
    /// Lets it end.
    end: Arc<Notify>,
    ended: Arc<std::sync::atomic::AtomicBool>,
}

#[async_trait]
impl Extension for Probe {
    fn service(&self) -> &'static str {
        "test.Probe"
    }

    async fn call(&self, method: &str, message: &[u8]) -> Result<Vec<u8>, String> {
        match method {
            "Echo" => Ok(message.to_vec()),
            "Panic" => panic!("on purpose"),
            "Wait" => {
                self.begun.notify_one();
                self.end.notified().await;
                self.ended.store(true, std::sync::atomic::Ordering::SeqCst);
                Ok(message.to_vec())
            }
            _ => Err("no such method".to_owned()),
        }
    }
}

impl Probe {
    fn has_ended(&self) -> bool {
        self.ended.load(std::sync::atomic::Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_method_that_is_not_there_is_unimplemented_on_every_door() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("core.db.sock");
    let server = serve(|server| server.unix(&socket).extension(Box::new(Probe::default()))).await;
    let tcp = raw::connect(server.tcp_address().unwrap()).await;
    let unix = raw::connect_unix(server.unix_path().unwrap()).await;
    for channel in [&tcp, &unix] {
        for path in ["/no.such/Service", "/grpc.no.such/Service", "/xos.utility/NoSuchMethod"] {
            let status = raw::call(channel, path, "").await.unwrap_err();
            assert_eq!(
                (status.code(), status.message()),
                (Code::Unimplemented, "Method not found!"),
                "{path}"
            );
        }
    }
    // What a program adds is for callers on this machine.
    assert_eq!(raw::call(&unix, "/test.Probe/Echo", "hello").await.unwrap(), "hello");
    let status = raw::call(&tcp, "/test.Probe/Echo", "hello").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unimplemented, "Method not found!"));
    server.stop(Duration::from_secs(5)).await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_server_listens_everywhere_or_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("core.db.sock");
    let first = serve(|server| server.unix(&socket)).await;
    let taken = first.tcp_address().unwrap();
    let other = folder.path().join("other.sock");
    let server = Server::new(EmbeddedCore::in_memory().unwrap()).unix(&other).tcp(taken);
    let error = server.start().await.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("cannot serve the core on {taken}: something else listens")),
        "{error}"
    );
    assert!(!other.exists(), "what had been bound is let go");
    let server = Server::new(EmbeddedCore::in_memory().unwrap()).unix(&socket);
    let error = server.start().await.unwrap_err().to_string();
    assert!(error.contains("core.db.sock: another server listens there"), "{error}");
    drop(first);
    until("the socket is removed", || !socket.exists()).await;
}

#[tokio::test]
async fn addresses_in_the_clear_are_this_machines_unless_told_otherwise() {
    let anywhere = ([0, 0, 0, 0], 0).into();
    let server = Server::new(EmbeddedCore::in_memory().unwrap()).tcp(anywhere);
    let error = server.start().await.unwrap_err().to_string();
    assert!(error.contains("passwords would travel in the clear"), "{error}");
    let server = Server::new(EmbeddedCore::in_memory().unwrap()).tcp(anywhere).allow_plaintext();
    server.start().await.unwrap().stop(Duration::from_secs(5)).await;
    let server = Server::new(EmbeddedCore::in_memory().unwrap())
        .limits(Limits { message_size: 0, ..Limits::default() });
    let error = server.start().await.unwrap_err().to_string();
    assert!(error.contains("the limit message_size is 0"), "{error}");
}

#[tokio::test]
async fn a_panic_ends_one_call_only() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let server = serve(|server| server.unix(&socket).extension(Box::new(Probe::default()))).await;
    let channel = raw::connect_unix(&socket).await;
    for _ in 0..3 {
        let status = raw::call(&channel, "/test.Probe/Panic", "").await.unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().contains("panicked"), "{}", status.message());
        assert_eq!(raw::call(&channel, "/test.Probe/Echo", "on").await.unwrap(), "on");
    }
    server.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_slow_call_blocks_nobody_and_ends_at_its_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let probe = Probe::default();
    let server = serve(|server| server.unix(&socket).extension(Box::new(probe.clone()))).await;
    let channel = raw::connect_unix(&socket).await;
    let waiting = {
        let channel = channel.clone();
        tokio::spawn(async move {
            let mut request = Request::new(Bytes::from_static(b"late"));
            request.set_timeout(Duration::from_millis(500));
            raw::request(&channel, "/test.Probe/Wait", request).await
        })
    };
    probe.begun.notified().await;
    assert_eq!(raw::call(&channel, "/test.Probe/Echo", "meanwhile").await.unwrap(), "meanwhile");
    let status = waiting.await.unwrap().unwrap_err();
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status:?}");
    // What the core does for somebody who went away is done nevertheless.
    probe.end.notify_one();
    until("the call ended", || probe.has_ended()).await;
    server.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn calls_under_way_end_before_the_server_does() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let probe = Probe::default();
    let server = serve(|server| server.unix(&socket).extension(Box::new(probe.clone()))).await;
    let address = server.tcp_address().unwrap();
    let channel = raw::connect_unix(&socket).await;
    let idle = raw::connect(address).await;
    let call = tokio::spawn(async move { raw::call(&channel, "/test.Probe/Wait", "kept").await });
    probe.begun.notified().await;
    let stopping = tokio::spawn(server.stop(Duration::from_secs(60)));
    until("nobody listens", || std::net::TcpStream::connect(address).is_err()).await;
    assert!(!stopping.is_finished(), "it waits for the call");
    probe.end.notify_one();
    assert_eq!(call.await.unwrap().unwrap(), "kept");
    stopping.await.unwrap();
    assert!(raw::call(&idle, "/test.Probe/Echo", "").await.is_err());
    assert!(!socket.exists());
}

#[tokio::test]
async fn calls_that_do_not_end_in_time_are_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let probe = Probe::default();
    let server = serve(|server| server.unix(&socket).extension(Box::new(probe.clone()))).await;
    let channel = raw::connect_unix(&socket).await;
    let call = tokio::spawn(async move { raw::call(&channel, "/test.Probe/Wait", "").await });
    probe.begun.notified().await;
    server.stop(Duration::from_millis(50)).await;
    let status = call.await.unwrap().unwrap_err();
    assert!(matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled), "{status:?}");
    assert!(!probe.has_ended());
}

/// `grpc.health.v1.HealthCheckResponse`: the status is field 1, 1 SERVING, 2 `NOT_SERVING`.
async fn health(channel: &tonic::transport::Channel, service: &str) -> Result<Bytes, Code> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.extend([10, service.len() as u8]);
        message.extend(service.as_bytes());
    }
    raw::call(channel, "/grpc.health.v1.Health/Check", message).await.map_err(|status| status.code())
}

#[tokio::test]
async fn health_is_told_until_the_store_is_closed() {
    let core = EmbeddedCore::in_memory().unwrap();
    let server = Server::new(core.clone()).tcp(([127, 0, 0, 1], 0).into()).start().await.unwrap();
    let channel = raw::connect(server.tcp_address().unwrap()).await;
    for service in ["", "xos.xos", "xos.utility", "schema.SchemaService"] {
        assert_eq!(health(&channel, service).await.unwrap(), &[8, 1][..], "{service}");
    }
    assert_eq!(health(&channel, "no.such").await, Err(Code::NotFound));
    core.close();
    for _ in 0..1000 {
        if health(&channel, "xos.xos").await.unwrap() == [8, 2][..] {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(health(&channel, "").await.unwrap(), &[8, 2][..]);
    server.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn who_watches_the_health_does_not_hold_up_the_end() {
    let server = serve(|server| server).await;
    let channel = raw::connect(server.tcp_address().unwrap()).await;
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/grpc.health.v1.Health/Watch");
    let answer = grpc.server_streaming(Request::new(Bytes::new()), path, raw::Raw).await.unwrap();
    let mut told = answer.into_inner();
    assert_eq!(told.message().await.unwrap().unwrap(), &[8, 1][..]);
    let stopped = tokio::time::timeout(Duration::from_secs(50), server.stop(Duration::from_secs(60))).await;
    assert!(stopped.is_ok(), "it was waited for somebody who watches");
    let mut last = told.message().await;
    if let Ok(Some(message)) = &last {
        assert_eq!(message, &[8, 2][..]);
        last = told.message().await;
    }
    assert_eq!(last.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn reflection_is_there_in_both_versions() {
    let server = serve(|server| server).await;
    let channel = raw::connect(server.tcp_address().unwrap()).await;
    for version in ["v1", "v1alpha"] {
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        grpc.ready().await.unwrap();
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let path = http::uri::PathAndQuery::from_maybe_shared(path).unwrap();
        // list_services: field 7, an empty text.
        let asked = Request::new(futures_util::stream::iter([Bytes::from_static(&[0x3a, 0])]));
        let mut told = grpc.streaming(asked, path, raw::Raw).await.unwrap().into_inner();
        let names = told.message().await.unwrap().unwrap();
        let names = String::from_utf8_lossy(&names);
        assert!(names.contains("xos.xos") && names.contains("schema.SchemaService"), "{names}");
    }
    server.stop(Duration::from_secs(5)).await;
}
