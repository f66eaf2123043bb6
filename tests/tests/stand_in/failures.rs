//! What a test can make go wrong.

use std::time::Duration;

use bytes::Bytes;
use prost_reflect::Value;
use tokio::sync::mpsc;
use tonic::Code;
use xos_sync_tests::stand_in::{Options, StandIn};

use super::client::{Pair, RawClient, id, text};
use super::models::models;

const NO_OP: &str = "/xos.utility/NoOp";

#[tokio::test]
async fn a_call_fails_once() {
    let pair = Pair::new().await;
    pair.core.fail_once("NoOp", Code::Unknown, "something: 50% \u{e9}");
    let failed = pair.client.bytes(NO_OP, &[], Bytes::new()).await.unwrap_err();
    assert_eq!((failed.code(), failed.message()), (Code::Unknown, "something: 50% \u{e9}"));
    pair.client.bytes(NO_OP, &[], Bytes::new()).await.unwrap();
    assert_eq!(pair.core.count("NoOp"), 2);
    let codes: Vec<_> = pair.core.calls_of(NO_OP).iter().map(|call| call.code).collect();
    assert_eq!(codes, [Some(Code::Unknown), Some(Code::Ok)]);
}

#[tokio::test]
async fn a_write_takes_effect_though_the_connection_is_cut() {
    let mut pair = Pair::new().await;
    let object = pair.instance().await;
    let model = "HelloWorldServiceInstance";
    pair.core.cut_after("UpdateHelloWorldServiceInstance");
    let fields = [("id", Value::I32(object)), ("hello_to", text("Bran"))];
    assert!(pair.update(model, &[], &fields).await.is_err());
    pair.connect_anew();
    assert_eq!(pair.get(model, object).await.unwrap()["hello_to"], text("Bran"));
    pair.core.cut_before("UpdateHelloWorldServiceInstance");
    let fields = [("id", Value::I32(object)), ("hello_to", text("Rickon"))];
    assert!(pair.update(model, &[], &fields).await.is_err());
    pair.connect_anew();
    assert_eq!(pair.get(model, object).await.unwrap()["hello_to"], text("Bran"));
}

#[tokio::test]
async fn a_core_goes_away_and_comes_back_with_its_objects() {
    let mut pair = Pair::new().await;
    let object = pair.instance().await;
    pair.core.hang("NoOp");
    let client = pair.client.clone();
    let hanging = tokio::spawn(async move { client.bytes(NO_OP, &[], Bytes::new()).await });
    while pair.core.count("NoOp") == 0 {
        tokio::task::yield_now().await;
    }
    pair.core.kill().await;
    assert!(hanging.await.unwrap().is_err(), "a call in flight ends");
    assert!(!pair.core.is_up());
    let refused = RawClient::to(&pair.core.uri()).bytes(NO_OP, &[], Bytes::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    pair.core.heal("NoOp");
    pair.core.resume().await.unwrap();
    pair.connect_anew();
    pair.client.bytes(NO_OP, &[], Bytes::new()).await.unwrap();
    assert_eq!(id(&pair.get("HelloWorldServiceInstance", object).await.unwrap()), object);
    let before = pair.core.restarts();
    pair.core.go_away(Duration::from_millis(1)).await;
    while pair.core.restarts() == before {
        tokio::task::yield_now().await;
    }
    pair.connect_anew();
    pair.client.bytes(NO_OP, &[], Bytes::new()).await.unwrap();
}

#[tokio::test]
async fn a_late_answer_is_of_a_call_that_took_effect() {
    let pair = Pair::new().await;
    let object = pair.instance().await;
    pair.core.answer_late("DeleteHelloWorldServiceInstance", Duration::from_secs(3600));
    let (told, mut tells) = mpsc::channel::<()>(1);
    let late = async {
        let _told = told;
        pair.delete("HelloWorldServiceInstance", object).await
    };
    tokio::select! {
        _ = late => panic!("it is not late"),
        () = async {
            while !pair.list("HelloWorldServiceInstance").await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    assert!(tells.recv().await.is_none());
    assert_eq!(pair.core.count("DeleteHelloWorldServiceInstance"), 1);
}

#[tokio::test]
async fn workers_that_hang_starve_everybody() {
    let options = Options { workers: 2, ..Options::fast().with_models(models()) };
    let pair = Pair::of(StandIn::start(options).await.unwrap());
    pair.core.hang("GetVersion");
    let mut hanging = Vec::new();
    for _ in 0..2 {
        let client = pair.client.clone();
        hanging.push(tokio::spawn(async move {
            client.bytes("/xos.utility/GetVersion", &[], Bytes::new()).await
        }));
    }
    while pair.core.count("GetVersion") < 2 {
        tokio::task::yield_now().await;
    }
    let client = pair.client.clone();
    let waiting = tokio::spawn(async move { client.bytes(NO_OP, &[], Bytes::new()).await });
    while pair.core.count("NoOp") == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    assert_eq!(pair.core.most_in_flight(), 3);
    pair.core.kill().await;
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn a_connection_that_is_cut_takes_no_worker_along() {
    let options = Options { workers: 1, ..Options::fast() };
    let mut pair = Pair::of(StandIn::start(options).await.unwrap());
    for _ in 0..2 {
        pair.core.cut_after("NoOp");
        pair.core.cut_before("GetVersion");
        for method in [NO_OP, "/xos.utility/GetVersion"] {
            pair.client.bytes(method, &[], Bytes::new()).await.unwrap_err();
            pair.connect_anew();
        }
    }
    pair.client.bytes(NO_OP, &[], Bytes::new()).await.unwrap();
    assert_eq!((pair.core.count("NoOp"), pair.core.count("GetVersion")), (3, 2));
}

#[tokio::test]
async fn the_journal_tells_what_was_asked() {
    let pair = Pair::new().await;
    let object = pair.instance().await;
    pair.core.forget_calls();
    let metadata = [("caller_kind", "synchronizer"), ("update_fields", "enacted,backend_code")];
    let fields = [("id", Value::I32(object)), ("backend_code", Value::I32(1))];
    pair.update("HelloWorldServiceInstance", &metadata, &fields).await.unwrap();
    let calls = pair.core.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].method, "/xos.xos/UpdateHelloWorldServiceInstance");
    assert_eq!(calls[0].update_fields(), ["enacted", "backend_code"]);
    assert_eq!(calls[0].metadata("caller_kind"), Some("synchronizer"));
    assert_eq!(calls[0].metadata("authorization"), None, "credentials are kept nowhere");
    let request = pair.core.request_of(&calls[0]).unwrap();
    assert_eq!(request.get_field_by_name("backend_code").unwrap().as_i32(), Some(1));
    assert_eq!(pair.core.most_in_flight(), 1);
}
