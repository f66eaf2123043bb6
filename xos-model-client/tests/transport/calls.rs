//! Calls: what is sent with them, how many at once, how large, how long.

use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use xos_model_client::grpc::status::Code;
use xos_model_client::grpc::transport::{CallError, CallKind, CallMeta, REQUEST_LIMIT};
use xos_model_client::{Caller, Touch};

use crate::server::{Reply, Server, ok};
use crate::{CREATE, GET, call, call_with, hasty, options, transport};

#[tokio::test]
async fn an_answer_comes_back_as_it_was_sent() {
    let server = Server::start(|call| Reply::Ok(call.message.clone())).await;
    let transport = transport(options(&server));
    assert_eq!(call(&transport, GET, CallKind::Read).await.unwrap(), "ask");
    let large = Bytes::from(vec![7; REQUEST_LIMIT]);
    let path = PathAndQuery::from_static(GET);
    let answer = transport.call(path, large.clone(), CallMeta::default(), CallKind::Read).await.unwrap();
    assert!(answer == large);
    assert_eq!((transport.connections(), server.connections()), (1, 1));
}

#[tokio::test]
async fn metadata_say_on_whose_behalf() {
    let server = Server::start(|_| ok("")).await;
    let transport = transport(options(&server));
    let keys = ["update_fields", "caller_kind", "is_sync_save", "is_policy_save", "always_update_timestamp"];
    let mut told = Vec::new();
    for (caller, touch, is_update) in [
        (Caller::Client, Touch::AsTheRulesSay, true),
        (Caller::Step, Touch::AsTheRulesSay, true),
        (Caller::Policy, Touch::AsTheRulesSay, true),
        (Caller::Pull, Touch::Updated, true),
        (Caller::Engine, Touch::AsTheRulesSay, true),
        (Caller::Step, Touch::Updated, false),
    ] {
        let update_fields = Some("name,site_id".to_owned());
        let meta = CallMeta { caller: Some(caller), is_update, update_fields, touch, authenticated: false };
        call_with(&transport, GET, CallKind::Repeatable, meta).await.unwrap();
        let last = server.calls().pop().unwrap();
        told.push(keys.map(|key| last.header(key).unwrap_or("-").to_owned()).join(" "));
        assert!(last.header("grpc-timeout").is_some());
        assert_eq!(last.header("content-type"), Some("application/grpc"));
    }
    assert_eq!(
        told,
        [
            "name,site_id - - - -",
            "name,site_id synchronizer 1 - -",
            "name,site_id synchronizer - 1 -",
            "name,site_id synchronizer - - 1",
            "name,site_id synchronizer - - -",
            "- - - - -",
        ]
    );
}

#[tokio::test]
async fn a_field_name_that_is_no_metadata_is_refused_here() {
    let server = Server::start(|_| ok("")).await;
    let update_fields = Some("na\nme".to_owned());
    let meta = CallMeta { is_update: true, update_fields, ..CallMeta::default() };
    let error = call_with(&transport(options(&server)), GET, CallKind::Once, meta).await.unwrap_err();
    assert!(matches!(error, CallError::Status { code: Code::INVALID_ARGUMENT, .. }), "{error}");
    assert_eq!(server.count(GET), 0);
}

#[tokio::test]
async fn the_cores_words_arrive_whole() {
    let text = "Exception calling application: {'name': [u'caf\\xe9 100%.']}\nDETAIL: é";
    let server = Server::start(move |_| Reply::Error(2, text.to_owned())).await;
    let error = call(&transport(options(&server)), GET, CallKind::Read).await.unwrap_err();
    assert_eq!(error, CallError::Status { code: Code::UNKNOWN, details: text.to_owned() });
    assert_eq!(server.count(GET), 1);
}

#[tokio::test]
async fn words_of_some_length_arrive_too() {
    let server = Server::start(|_| Reply::Error(2, "all fields ".repeat(4000))).await;
    let error = call(&transport(options(&server)), GET, CallKind::Read).await.unwrap_err();
    assert!(matches!(&error, CallError::Status { details, .. } if details.len() == 44_000), "{error:.200}");
}

#[tokio::test]
async fn a_request_that_the_core_would_refuse_is_not_sent() {
    let server = Server::start(|_| ok("")).await;
    let transport = transport(options(&server));
    let body = Bytes::from(vec![0; REQUEST_LIMIT + 1]);
    let path = PathAndQuery::from_static(CREATE);
    let error = transport.call(path, body, CallMeta::default(), CallKind::Once).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the request has 4194305 bytes, and the core accepts 4194304: send less at once"
    );
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn an_answer_above_the_limit_names_the_option() {
    let server = Server::start(|_| Reply::Ok(vec![1; (1 << 20) + 1].into())).await;
    let mut options = options(&server);
    options.max_message_size = 1 << 20;
    let transport = transport(options);
    let error = call(&transport, GET, CallKind::List).await.unwrap_err();
    assert_eq!(error, CallError::AnswerTooLarge { size: Some((1 << 20) + 1), limit: 1 << 20 });
    assert!(error.to_string().contains("raise max_message_size"));
}

#[tokio::test]
async fn an_answer_above_4_mib_is_taken() {
    let server = Server::start(|_| Reply::Ok(vec![1; 9 << 20].into())).await;
    let answer = call(&transport(options(&server)), GET, CallKind::List).await.unwrap();
    assert_eq!(answer.len(), 9 << 20);
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_allowed() {
    let server = Server::start(|_| Reply::Late(Duration::from_millis(20), Box::new(ok("")))).await;
    let mut options = options(&server);
    options.in_flight = 3;
    let transport = transport(options);
    let calls = (0..20).map(|_| call(&transport, GET, CallKind::Read));
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
    assert_eq!((server.count(GET), server.most_at_once()), (20, 3));
}

#[tokio::test]
async fn waiting_for_other_calls_counts_towards_no_deadline() {
    let server = Server::start(|_| Reply::Late(Duration::from_millis(100), Box::new(ok("")))).await;
    let mut options = options(&server);
    options.in_flight = 1;
    options.call_deadline = Duration::from_millis(600);
    let transport = transport(options);
    // One after the other, these take longer than the deadline of one.
    let calls = (0..10).map(|_| call(&transport, GET, CallKind::Read));
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
    assert_eq!(server.most_at_once(), 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_is_reset_and_gives_its_place_back() {
    let server = Server::start(|call| if call.before == 0 { Reply::Never } else { ok("x") }).await;
    let mut options = options(&server);
    options.in_flight = 1;
    let transport = transport(options);
    {
        let first = call(&transport, GET, CallKind::Read);
        tokio::pin!(first);
        tokio::select! {
            _ = &mut first => panic!("it never answers"),
            () = crate::until("it arrived", || server.running() == 1) => (),
        }
    }
    crate::until("it was reset", || server.running() == 0).await;
    assert_eq!(call(&transport, GET, CallKind::Read).await.unwrap(), "x");
    assert_eq!(transport.connections(), 1);
}

#[tokio::test]
async fn each_kind_has_its_deadline() {
    let server = Server::start(|_| Reply::Never).await;
    let mut options = hasty(&server);
    options.list_deadline = Duration::from_millis(400);
    let transport = transport(options);
    for (kind, deadline) in [
        (CallKind::Read, 300),
        (CallKind::Repeatable, 300),
        (CallKind::Once, 300),
        (CallKind::List, 400),
        (CallKind::Long(Duration::from_millis(200)), 200),
    ] {
        let error = call(&transport, GET, kind).await.unwrap_err();
        assert_eq!(error, CallError::Deadline(Duration::from_millis(deadline)), "{kind:?}");
    }
    // None was made twice: each has taken all its time.
    assert_eq!(server.count(GET), 5);
}
