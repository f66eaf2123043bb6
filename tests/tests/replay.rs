//! The server that answers from recordings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "stand_in/client.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod client;
#[path = "stand_in/models.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod models;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tonic::Code;
use xos_sync_tests::replay::Replay;
use xos_sync_tests::stand_in::wire::code_of;
use xos_sync_tests::workspace;

use self::client::RawClient;

const LINES: &str = r#"{"method": "/xos.xos/GetSite", "request_b64": "CAE=", "code": "OK", "response_b64": "CgEx"}
{"method": "/xos.xos/GetSite", "request_b64": "CAE=", "code": "OK", "response_b64": "CgEy"}
{"method": "/xos.xos/GetSite", "request_b64": "CAI=", "code": "NOT_FOUND", "details": "none"}"#;

#[tokio::test]
async fn the_same_request_gets_the_recorded_answers_in_order() {
    let core = Replay::of_lines(LINES).unwrap();
    let client = RawClient::to(&core.uri());
    let get = |id: &'static [u8]| client.bytes("/xos.xos/GetSite", &[], Bytes::from_static(id));
    assert_eq!(&get(b"\x08\x01").await.unwrap()[..], b"\x0a\x011");
    assert_eq!(get(b"\x08\x02").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(&get(b"\x08\x01").await.unwrap()[..], b"\x0a\x012");
    assert_eq!(&get(b"\x08\x01").await.unwrap()[..], b"\x0a\x012", "the last one for ever");
    assert_eq!(&get(b"\x08\x09").await.unwrap()[..], b"\x0a\x011", "unknown: the next of the method");
    let other = client.bytes("/xos.xos/GetNode", &[], Bytes::new()).await.unwrap_err();
    assert_eq!((other.code(), other.message()), (Code::Unimplemented, "Method not found!"));
    assert_eq!(core.count("GetSite"), 5);
}

#[tokio::test]
async fn it_can_be_made_to_fail() {
    let core = Replay::of_lines(LINES).unwrap();
    let client = RawClient::to(&core.uri());
    core.fail_once("GetSite", Code::Unavailable, "Socket closed");
    let request = || Bytes::from_static(b"\x08\x01");
    assert_eq!(client.bytes("/xos.xos/GetSite", &[], request()).await.unwrap_err().code(), Code::Unavailable);
    core.cut_after("GetSite");
    client.bytes("/xos.xos/GetSite", &[], request()).await.unwrap_err();
    core.kill().await;
    RawClient::to(&core.uri()).bytes("/xos.xos/GetSite", &[], request()).await.unwrap_err();
    core.resume().unwrap();
    let client = RawClient::to(&core.uri());
    let second = client.bytes("/xos.xos/GetSite", &[], request()).await.unwrap();
    assert_eq!(&second[..], b"\x0a\x012", "the answer that was cut off was used up");
}

#[test]
fn a_line_that_is_no_call_is_told_by_its_number() {
    let told = Replay::of_lines("{}").err().unwrap().to_string();
    assert!(told.starts_with("line 1: "), "{told}");
    let line = r#"{"method": "/a/b", "code": "FINE"}"#;
    let error = Replay::of_lines(line).err().unwrap().to_string();
    assert!(error.contains("\"FINE\" is no code"), "{error}");
}

#[tokio::test]
async fn every_recorded_call_is_answered_as_it_was() {
    for name in ["calls.jsonl", "synchronizer-session.jsonl", "policy-session.jsonl"] {
        let Some(core) = Replay::of_recording(name).unwrap() else { return };
        let client = RawClient::to(&core.uri());
        let lines = std::fs::read_to_string(workspace().join("../shared/wire").join(name)).unwrap();
        for line in lines.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let bytes =
                |key: &str| Bytes::from(STANDARD.decode(line[key].as_str().unwrap_or_default()).unwrap());
            let answer = client.bytes(line["method"].as_str().unwrap(), &[], bytes("request_b64")).await;
            match code_of(line["code"].as_str().unwrap()).unwrap() {
                Code::Ok => assert_eq!(answer.unwrap(), bytes("response_b64")),
                other => {
                    let status = answer.unwrap_err();
                    assert_eq!((status.code(), status.message()), (other, line["details"].as_str().unwrap()));
                }
            }
        }
        let schema = client.bytes("/schema.SchemaService/GetSchema", &[], Bytes::new()).await.unwrap();
        assert!(schema.len() > 300_000);
    }
}
