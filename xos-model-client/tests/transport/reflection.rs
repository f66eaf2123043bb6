//! The schema of a core without `GetSchema`, by server reflection. The server is written by hand after the protocol:
//! one file an answer, as the Python library of a core 4.0.4 answers, or all at once, as others do.

use std::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use tokio::net::TcpListener;
use xos_model_client::grpc::CoreOptions;
use xos_model_client::grpc::status::Code;
use xos_model_client::grpc::transport::CallError;

use crate::server::framed;
use crate::transport;

const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

fn field(number: u8, value: &[u8]) -> Vec<u8> {
    assert!(value.len() < 0x4000);
    let mut out = vec![number << 3 | 2];
    if value.len() >= 0x80 {
        out.push((value.len() & 0x7f) as u8 | 0x80);
        out.push((value.len() >> 7) as u8);
    } else {
        out.push(value.len() as u8);
    }
    out.extend_from_slice(value);
    out
}

/// A `FileDescriptorProto`: its name, its package, and what it needs.
fn file(name: &str, needs: &[&str]) -> Vec<u8> {
    let mut out = [field(1, name.as_bytes()), field(2, b"xos")].concat();
    for needed in needs {
        out.extend(field(3, needed.as_bytes()));
    }
    out
}

fn files() -> BTreeMap<&'static str, Vec<u8>> {
    BTreeMap::from([
        ("xos.proto", file("xos.proto", &["common.proto", "xosoptions.proto"])),
        ("common.proto", file("common.proto", &["google/protobuf/empty.proto"])),
        ("xosoptions.proto", file("xosoptions.proto", &["google/protobuf/descriptor.proto", "common.proto"])),
        ("google/protobuf/empty.proto", file("google/protobuf/empty.proto", &[])),
        ("google/protobuf/descriptor.proto", file("google/protobuf/descriptor.proto", &[])),
    ])
}

/// Answers to one question; `all_at_once` sends everything for the first.
fn answer(question: &[u8], all_at_once: bool) -> Vec<u8> {
    let name = String::from_utf8_lossy(&question[2..]).into_owned();
    let files = files();
    let found: Vec<_> = match question[0] >> 3 {
        4 if name == "xos.xos" && all_at_once => files.values().collect(),
        4 if name == "xos.xos" => vec![&files["xos.proto"]],
        3 => files.get(name.as_str()).into_iter().collect(),
        _ => Vec::new(),
    };
    if found.is_empty() {
        let error = [vec![0x08, 5], field(2, b"Symbol not found.")].concat();
        return field(7, &error);
    }
    let found: Vec<u8> = found.into_iter().flat_map(|file| field(1, file)).collect();
    [field(1, b"host"), field(2, question), field(4, &found)].concat()
}

/// A server with reflection of one version. Gives its options and counts the questions.
async fn core(served: &'static str, all_at_once: bool) -> CoreOptions {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    tokio::spawn(converse(request, respond, served, all_at_once));
                }
            });
        }
    });
    CoreOptions::new(endpoint)
}

async fn converse(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    served: &'static str,
    all_at_once: bool,
) {
    let head = Response::builder().header("content-type", "application/grpc");
    if request.uri().path() != served {
        let head = head.header("grpc-status", "12").header("grpc-message", "Method not found!");
        respond.send_response(head.body(()).unwrap(), true).unwrap();
        return;
    }
    let mut stream = respond.send_response(head.body(()).unwrap(), false).unwrap();
    let (mut body, mut read) = (request.into_body(), BytesMut::new());
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        read.put(data);
        while read.len() >= 5 && read.len() >= 5 + read[4] as usize {
            let question = read.split_to(5 + read[4] as usize);
            let answer = answer(&question[5..], all_at_once);
            stream.send_data(framed(&answer), false).unwrap();
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let _ = stream.send_trailers(trailers);
}

#[tokio::test]
async fn all_files_are_found_whatever_the_version_and_the_way_of_answering() {
    for (served, all_at_once) in [(V1ALPHA, false), (V1ALPHA, true), (V1, false), (V1, true)] {
        let mut found = transport(core(served, all_at_once).await).reflect("xos.xos").await.unwrap();
        let mut expected: Vec<Bytes> = files().into_values().map(Bytes::from).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{served} {all_at_once}");
    }
}

#[tokio::test]
async fn an_unknown_symbol_is_not_found() {
    let error = transport(core(V1ALPHA, false).await).reflect("xos.nosuch").await.unwrap_err();
    let details = "reflection of xos.nosuch: Symbol not found.".to_owned();
    assert_eq!(error, CallError::Status { code: Code::NOT_FOUND, details });
}

#[tokio::test]
async fn a_core_without_reflection_says_so() {
    let error = transport(core("/none", false).await).reflect("xos.xos").await.unwrap_err();
    assert!(matches!(error, CallError::Status { code: Code::UNIMPLEMENTED, .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_answers_nonsense_is_an_error() {
    for nonsense in
        [Bytes::new(), Bytes::from_static(b"\xff\xff"), Bytes::from_static(b"\x22\x04\x0a\x02\x0a\x00")]
    {
        let server = crate::server::Server::start(move |_| crate::server::Reply::Ok(nonsense.clone())).await;
        let error = transport(crate::options(&server)).reflect("xos.xos").await.unwrap_err();
        assert!(matches!(error, CallError::Status { code: Code::INTERNAL, .. }), "{error:?}");
    }
}
