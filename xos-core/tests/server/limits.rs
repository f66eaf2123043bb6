//! Limits: connections, messages, silence.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use tonic::{Code, Request};
use xos_core::server::Limits;

use crate::{raw, serve, until};

/// The first words of a client of HTTP/2, and its empty settings.
pub(crate) const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

pub(crate) const SCHEMA: &str = "/schema.SchemaService/GetSchema";

/// Whether the server has closed a connection; what it says before is thrown away.
pub(crate) fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => return true,
        }
    }
}

pub(crate) fn say(address: SocketAddr, words: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    // The server may have hung up in the middle of it.
    let _ = stream.write_all(words);
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_closed_and_the_place_is_free_again() {
    let server = serve(|server| server.limits(Limits { connections: 3, ..Limits::default() })).await;
    let address = server.tcp_address().unwrap();
    let mut first = Vec::new();
    for _ in 0..3 {
        let channel = raw::connect(address).await;
        raw::call(&channel, SCHEMA, "").await.unwrap();
        first.push(channel);
    }
    let mut refused = say(address, HELLO);
    until("it is refused", || is_closed(&mut refused)).await;
    for channel in &first {
        raw::call(channel, SCHEMA, "").await.unwrap();
    }
    first.pop();
    let mut more = say(address, HELLO);
    until("there is a place", || {
        more.set_nonblocking(true).unwrap();
        // Looked at, not read: what was read once would be looked for in vain.
        match more.peek(&mut [0; 9]) {
            Ok(1..) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            _ => {
                more = say(address, HELLO);
                false
            }
        }
    })
    .await;
    server.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_dropped_and_who_has_spoken_may_be_silent() {
    let limits = Limits { handshake: Duration::from_millis(300), ..Limits::default() };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let server = serve(|server| server.unix(&socket).limits(limits)).await;
    let address = server.tcp_address().unwrap();
    let mut spoken = say(address, HELLO);
    let mut silent = say(address, b"");
    let mut half = say(address, &HELLO[..20]);
    until("the silent one is dropped", || is_closed(&mut silent)).await;
    until("so is the slow one", || is_closed(&mut half)).await;
    let mut local = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    let gone = tokio::task::spawn_blocking(move || local.read_to_end(&mut Vec::new()));
    assert!(tokio::time::timeout(Duration::from_secs(60), gone).await.unwrap().unwrap().is_ok());
    assert!(!is_closed(&mut spoken), "who has spoken stays");
    server.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_message_is_at_most_as_long_as_the_cores_own_limit() {
    let server = serve(|server| server).await;
    let channel = raw::connect(server.tcp_address().unwrap()).await;
    let longest = vec![0; 4 << 20];
    let status = raw::call(&channel, "/no.such/Method", longest.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "as long as may be: {status:?}");
    for extra in [1, 1_048_582] {
        let mut message = longest.clone();
        message.resize((4 << 20) + extra, 0);
        let expected = format!("Received message larger than max ({} vs. 4194304)", message.len());
        let status = raw::call(&channel, "/no.such/Method", message).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, &*expected));
    }
    server.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn many_long_messages_at_once_are_all_answered() {
    let server = serve(|server| server).await;
    let channel = raw::connect(server.tcp_address().unwrap()).await;
    let calls = (0..24).map(|_| raw::call(&channel, "/no.such/Method", vec![0; 3 << 20]));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
    }
    server.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_request_that_does_not_arrive_is_given_up() {
    let limits = Limits { request_time: Duration::from_millis(200), ..Limits::default() };
    let server = serve(|server| server.limits(limits)).await;
    let channel = raw::connect(server.tcp_address().unwrap()).await;
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/no.such/Method");
    let never = Request::new(futures_util::stream::pending::<Bytes>());
    let status = grpc.client_streaming(never, path, raw::Raw).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert!(status.message().contains("did not arrive within 0.2 s"), "{}", status.message());
    server.stop(Duration::from_secs(5)).await;
}
