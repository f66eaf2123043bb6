//! What no client should send: each time the right answer or the end of the connection, and the server goes on.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util_like::Whole;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tonic::Code;
use xos_core::server::Serving;

use crate::limits::{HELLO, SCHEMA, is_closed, say};
use crate::{raw, serve, until};

/// A body that is one piece.
mod http_body_util_like {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use hyper::body::{Body, Frame};

    pub(super) struct Whole(pub(super) Option<Bytes>);

    impl Body for Whole {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
        }
    }
}

/// Still answers others.
async fn goes_on(server: &Serving) {
    let channel = raw::connect(server.tcp_address().unwrap()).await;
    raw::call(&channel, SCHEMA, "").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http2_ends_the_connection() {
    let server = serve(|server| server).await;
    let address = server.tcp_address().unwrap();
    let frames = |frames: &[u8]| [HELLO, frames].concat();
    let words: [(&str, Vec<u8>); 9] = [
        ("HTTP/1.1", b"GET / HTTP/1.1\r\nHost: core\r\n\r\n and then some more of it".to_vec()),
        ("TLS", [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 100]].concat()),
        ("noise", (0..255).cycle().take(10_000).collect()),
        ("zeros", vec![0; 1000]),
        // A frame of 16 MiB - 1, which was never agreed upon.
        ("a frame too long", frames(b"\xff\xff\xff\0\0\0\0\0\x01")),
        // DATA of a stream that was never opened.
        ("data of nothing", frames(b"\0\0\x01\0\0\0\0\0\x07x")),
        // HEADERS whose block is no HPACK.
        ("headers that are none", frames(b"\0\0\x04\x01\x05\0\0\0\x01\xff\xff\xff\xff")),
        // SETTINGS with an odd length.
        ("settings that are none", frames(b"\0\0\x05\x04\0\0\0\0\0abcde")),
        // WINDOW_UPDATE by nothing.
        ("no window", frames(b"\0\0\x04\x08\0\0\0\0\0\0\0\0\0")),
    ];
    for (what, words) in words {
        let mut stream = say(address, &words);
        until(what, || is_closed(&mut stream)).await;
        goes_on(&server).await;
    }
    // Cut off anywhere.
    let whole = frames(b"\0\0\x04\x01\x04\0\0\0\x01\x83\x86\x84\x41");
    for cut in 0..whole.len() {
        drop(say(address, &whole[..cut]));
    }
    goes_on(&server).await;
    server.stop(Duration::from_secs(5)).await;
}

type Send = Box<dyn FnMut(Request<Whole>) -> BoxFuture<'static, hyper::Result<Response<Incoming>>>>;

/// Sends requests as they are.
async fn http(server: &Serving) -> Send {
    let stream = TcpStream::connect(server.tcp_address().unwrap()).await.unwrap();
    let made =
        hyper::client::conn::http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await;
    let (mut send, connection) = made.unwrap();
    tokio::spawn(connection);
    Box::new(move |request| Box::pin(send.send_request(request)))
}

fn request(method: &str, kind: Option<&str>, message: &'static [u8]) -> Request<Whole> {
    let mut request =
        Request::builder().method(method).uri(format!("http://core{SCHEMA}")).header("te", "trailers");
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    request.body(Whole(Some(Bytes::from_static(message)))).unwrap()
}

const EMPTY: &[u8] = b"\0\0\0\0\0";

#[tokio::test]
async fn what_is_no_grpc_is_refused_by_http() {
    let server = serve(|server| server).await;
    let mut send = http(&server).await;
    for (method, kind, code) in [
        ("POST", Some("application/grpc"), 200),
        ("POST", Some("application/grpc+proto"), 200),
        ("POST", Some("application/grpc;charset=utf-8"), 200),
        ("POST", Some("application/grpcweb"), 415),
        ("POST", Some("application/json"), 415),
        ("POST", None, 415),
        ("GET", Some("application/grpc"), 405),
        ("DELETE", None, 405),
    ] {
        let answer = send(request(method, kind, EMPTY)).await.unwrap();
        assert_eq!(answer.status(), code, "{method} {kind:?}");
    }
    server.stop(Duration::from_secs(5)).await;
}

/// The gRPC status of a request that is refused.
async fn refused(
    send: &mut Send,
    message: &'static [u8],
    headers: &[(&'static str, &'static str)],
) -> (i32, String) {
    let mut request = request("POST", Some("application/grpc"), message);
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let answer = send(request).await.unwrap();
    let header = |name| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
    (header("grpc-status").parse().unwrap_or(-1), header("grpc-message").to_owned())
}

#[tokio::test]
async fn frames_and_headers_that_mean_nothing_get_a_status() {
    type Headers = &'static [(&'static str, &'static str)];

    let server = serve(|server| server).await;
    let mut send = http(&server).await;
    let internal = Code::Internal as i32;
    let cases: [(&'static [u8], Headers, i32); 10] = [
        (b"", &[], internal),
        (b"\0\0", &[], internal),
        (b"\0\0\0\0\x09abc", &[], internal),
        (b"\0\0\0\0\0\0\0\0\0\0", &[], internal),
        (b"\0\xff\xff\xff\xffabc", &[], Code::ResourceExhausted as i32),
        (b"\x01\0\0\0\x01a", &[], internal),
        (b"\x01\0\0\0\x01a", &[("grpc-encoding", "gzip")], internal),
        (b"\x01\0\0\0\x01a", &[("grpc-encoding", "zstd")], Code::Unimplemented as i32),
        (EMPTY, &[("grpc-timeout", "soon")], Code::InvalidArgument as i32),
        (EMPTY, &[("grpc-timeout", "0n")], Code::DeadlineExceeded as i32),
    ];
    for (message, headers, code) in cases {
        let (found, text) = refused(&mut send, message, headers).await;
        assert_eq!(found, code, "{message:?} {headers:?}: {text}");
    }
    // Credentials of every kind of wrong: an error, never a panic.
    for credentials in
        ["", "Basic", "Basic ", "Basic !!!!", "Basic Zm9v", "Bearer x", "Basic 6enp6enp", "basic :"]
    {
        let mut call = request("POST", Some("application/grpc"), EMPTY);
        *call.uri_mut() = "http://core/xos.xos/ListSite".parse().unwrap();
        call.headers_mut().insert("authorization", credentials.parse().unwrap());
        let answer = send(call).await.unwrap();
        let status: i32 = answer.headers()["grpc-status"].to_str().unwrap().parse().unwrap();
        let text = answer.headers().get("grpc-message").map_or("", |text| text.to_str().unwrap());
        assert!([2, 7, 16].contains(&status), "{credentials}: {status}");
        assert!(!text.contains("panicked"), "{credentials}: {text}");
    }
    goes_on(&server).await;
    server.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn metadata_without_end_is_refused() {
    let server = serve(|server| server).await;
    let mut send = http(&server).await;
    let mut long = request("POST", Some("application/grpc"), EMPTY);
    long.headers_mut().insert("x-long", "x".repeat(50 << 10).parse().unwrap());
    assert_eq!(send(long).await.unwrap().status(), 200, "50 KiB are accepted");
    let mut endless = request("POST", Some("application/grpc"), EMPTY);
    endless.headers_mut().insert("x-long", "x".repeat(200 << 10).parse().unwrap());
    match send(endless).await {
        Ok(answer) => assert_eq!(answer.status(), 431),
        Err(error) => assert!(!error.is_timeout(), "{error}"),
    }
    goes_on(&server).await;
    server.stop(Duration::from_secs(5)).await;
}
