//! Connections that break, hang, are refused, or come back.

use std::time::Duration;

use xos_model_client::grpc::transport::{CallError, CallKind, Hint};

use crate::server::{Reply, Server, ok};
use crate::{CREATE, GET, call, hasty, options, transport, until};

#[tokio::test]
async fn a_read_that_is_cut_off_is_made_again() {
    for broken in [Reply::Cut, Reply::HalfThenCut] {
        for kind in [CallKind::Read, CallKind::List, CallKind::Repeatable] {
            let broken = broken.clone();
            let server =
                Server::start(move |call| if call.before == 0 { broken.clone() } else { ok("x") }).await;
            let transport = transport(options(&server));
            assert_eq!(call(&transport, GET, kind).await.unwrap(), "x");
            assert_eq!((server.count(GET), transport.connections()), (2, 2));
        }
    }
}

#[tokio::test]
async fn a_create_that_is_cut_off_is_lost_and_arrives_once() {
    for kind in [CallKind::Once, CallKind::Long(Duration::from_secs(9))] {
        for broken in [Reply::Cut, Reply::HalfThenCut, Reply::Error(14, "Socket closed".to_owned())] {
            let server = Server::start(move |_| broken.clone()).await;
            let error = call(&transport(options(&server)), CREATE, kind).await.unwrap_err();
            assert!(matches!(error, CallError::Lost { .. }), "{error:?}");
            assert_eq!(server.count(CREATE), 1);
        }
    }
}

#[tokio::test]
async fn a_read_is_made_twice_at_most() {
    let server = Server::start(|_| Reply::Cut).await;
    let error = call(&transport(options(&server)), GET, CallKind::Read).await.unwrap_err();
    assert!(matches!(error, CallError::Lost { .. }), "{error:?}");
    assert_eq!(server.count(GET), 2);
}

#[tokio::test]
async fn a_refused_call_was_not_processed_and_is_made_again_whatever_it_is() {
    let server = Server::start(|call| if call.before < 2 { Reply::Refuse } else { ok("x") }).await;
    assert_eq!(call(&transport(options(&server)), CREATE, CallKind::Once).await.unwrap(), "x");
    assert_eq!(server.count(CREATE), 3);
}

#[tokio::test]
async fn a_core_that_refuses_for_ever_is_given_up() {
    let server = Server::start(|_| Reply::Refuse).await;
    let error = call(&transport(options(&server)), CREATE, CallKind::Once).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { hint: Hint::Stopping, .. }), "{error:?}");
}

#[tokio::test]
async fn a_core_that_is_not_there_is_said_to_be() {
    let server = Server::start(|_| ok("")).await;
    let transport = transport(options(&server));
    server.stop();
    drop(server);
    let error = call(&transport, CREATE, CallKind::Once).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { hint: Hint::Refused, .. }), "{error:?}");
    assert!(error.to_string().contains("nothing listens there"), "{error}");
}

#[tokio::test]
async fn a_core_that_comes_back_at_once_is_reached_by_the_same_call() {
    let server = Server::start(|_| ok("a")).await;
    let transport = transport(options(&server));
    assert_eq!(call(&transport, CREATE, CallKind::Once).await.unwrap(), "a");
    let address = server.address.to_string();
    server.stop();
    until("all is closed", || transport.watch_connections().borrow().open == 0).await;
    let (outcome, server) = tokio::join!(call(&transport, CREATE, CallKind::Once), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Server::listen(&address, None, |_| ok("b")).await
    });
    assert_eq!(outcome.unwrap(), "b");
    assert_eq!((server.count(CREATE), transport.connections()), (1, 2));
}

#[tokio::test]
async fn an_unknown_host_is_named() {
    let options = xos_model_client::grpc::CoreOptions::new("http://no-such-host.invalid:50055");
    let error = call(&transport(options), GET, CallKind::Read).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { hint: Hint::UnknownHost, .. }), "{error:?}");
    assert!(error.to_string().starts_with("no-such-host.invalid:50055: the name has no address"), "{error}");
}

#[tokio::test]
async fn a_core_that_says_goodbye_is_reached_anew_and_nothing_is_lost() {
    let server = Server::start(|call| Reply::OkGoAway(call.connection.to_string().into())).await;
    let transport = transport(options(&server));
    for connection in 1..=5 {
        let answer = call(&transport, CREATE, CallKind::Once).await.unwrap();
        assert_eq!(answer, connection.to_string());
        until("it is closed", || transport.watch_connections().borrow().open == 0).await;
    }
    assert_eq!(server.count(CREATE), 5);
}

#[tokio::test]
async fn calls_race_with_goodbyes_and_each_is_processed_once() {
    let server = Server::start(|call| {
        if call.before % 7 == 3 {
            Reply::OkGoAway(call.message.clone())
        } else {
            Reply::Ok(call.message.clone())
        }
    })
    .await;
    let transport = transport(options(&server));
    for _ in 0..20 {
        let calls = (0..10).map(|_| call(&transport, CREATE, CallKind::Once));
        for outcome in futures_util::future::join_all(calls).await {
            assert_eq!(outcome.unwrap(), "ask");
        }
    }
    assert_eq!(server.count(CREATE), 200);
}

#[tokio::test]
async fn after_a_silent_death_the_next_call_has_a_new_connection() {
    let server = Server::start(|_| ok("x")).await;
    let transport = transport(hasty(&server));
    call(&transport, GET, CallKind::Read).await.unwrap();
    server.freeze();
    let error = call(&transport, CREATE, CallKind::Once).await.unwrap_err();
    assert!(matches!(error, CallError::Deadline(_)), "{error:?}");
    server.thaw();
    assert_eq!(call(&transport, CREATE, CallKind::Once).await.unwrap(), "x");
    assert_eq!((server.count(CREATE), transport.connections()), (1, 2));
}

#[tokio::test]
async fn an_answer_after_the_deadline_harms_nobody() {
    let server = Server::start(|call| match call.before {
        0 => Reply::Late(Duration::from_millis(500), Box::new(ok("late"))),
        _ => ok("in time"),
    })
    .await;
    let transport = transport(hasty(&server));
    assert!(matches!(call(&transport, CREATE, CallKind::Once).await, Err(CallError::Deadline(_))));
    assert_eq!(call(&transport, CREATE, CallKind::Once).await.unwrap(), "in time");
    assert_eq!(server.count(CREATE), 2);
}

#[tokio::test]
async fn calls_under_way_outlive_the_deadline_of_another() {
    let server = Server::start(|call| match call.path.as_str() {
        GET => Reply::Late(Duration::from_millis(700), Box::new(ok("slow"))),
        "/xos.utility/NoOp" => ok(""),
        _ => Reply::Never,
    })
    .await;
    let transport = transport(hasty(&server));
    let (slow, dead) =
        tokio::join!(call(&transport, GET, CallKind::List), call(&transport, CREATE, CallKind::Once));
    assert_eq!(slow.unwrap(), "slow");
    assert!(matches!(dead, Err(CallError::Deadline(_))));
}

#[tokio::test]
async fn what_speaks_no_grpc_is_told_apart() {
    let server = Server::start(|_| Reply::Http(503)).await;
    let error = call(&transport(options(&server)), CREATE, CallKind::Once).await.unwrap_err();
    assert!(matches!(error, CallError::Lost { .. }), "{error:?}");
    assert!(error.to_string().contains("HTTP status code 503"), "{error}");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let talking = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let _ = stream.read(&mut [0; 24]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.read(&mut [0; 1024]).await;
        }
    });
    let options = xos_model_client::grpc::CoreOptions::new(endpoint);
    let error = call(&transport(options), CREATE, CallKind::Once).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { hint: Hint::NotGrpc, .. }), "{error:?}");
    talking.abort();
}

#[tokio::test]
async fn the_cores_own_deadline_is_a_deadline() {
    let server = Server::start(|_| Reply::Error(4, "Deadline Exceeded".to_owned())).await;
    let transport = transport(options(&server));
    let error = call(&transport, GET, CallKind::Read).await.unwrap_err();
    assert_eq!(error, CallError::Deadline(Duration::from_secs(30)));
}

#[tokio::test]
async fn a_status_that_cannot_be_read_harms_only_its_call() {
    let server = Server::start(|call| if call.before == 0 { Reply::BadDetails } else { ok("x") }).await;
    let transport = transport(options(&server));
    let error = call(&transport, CREATE, CallKind::Once).await.unwrap_err();
    assert!(matches!(error, CallError::Lost { .. }), "{error:?}");
    assert_eq!(call(&transport, CREATE, CallKind::Once).await.unwrap(), "x");
}

#[tokio::test]
async fn a_peer_that_gives_no_sign_of_life_is_given_up_before_the_deadline() {
    let server = Server::start(|_| Reply::Never).await;
    let mut options = options(&server);
    options.keep_alive = Duration::from_millis(100);
    options.keep_alive_timeout = Duration::from_millis(200);
    let transport = transport(options);
    let (outcome, ()) = tokio::join!(call(&transport, CREATE, CallKind::Once), async {
        until("it arrived", || server.running() == 1).await;
        server.freeze();
    });
    let error = outcome.unwrap_err();
    assert!(matches!(error, CallError::Lost { .. }), "{error:?}");
    assert_eq!(server.count(CREATE), 1);
}

#[tokio::test]
async fn a_peer_that_is_slow_but_alive_is_waited_for() {
    let server = Server::start(|_| Reply::Late(Duration::from_millis(900), Box::new(ok("x")))).await;
    let mut options = options(&server);
    options.keep_alive = Duration::from_millis(100);
    options.keep_alive_timeout = Duration::from_millis(500);
    assert_eq!(call(&transport(options), CREATE, CallKind::Once).await.unwrap(), "x");
}
