//! The keeper: notices that the core is gone, and gets it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use xos_model_client::grpc::transport::{CallKind, Keeper, LinkState, Transport};

use crate::server::{Reply, Server, ok};
use crate::{GET, call, hasty, options, transport, until};

const SCHEMA: &str = "/schema.SchemaService/GetSchema";

/// A keeper, with the number of schemas that it has shown.
fn keep(transport: &Transport) -> (Keeper, Arc<AtomicUsize>) {
    let shown = Arc::new(AtomicUsize::new(0));
    let counting = shown.clone();
    let verify = move |schema: Result<bytes::Bytes, _>| {
        let counting = counting.clone();
        Box::pin(async move {
            counting.fetch_add(1, Ordering::SeqCst);
            match schema.map_err(|error: xos_model_client::grpc::transport::CallError| error.to_string())? {
                schema if schema == "schema" => Ok(()),
                other => Err(format!("not a schema: {other:?}")),
            }
        }) as futures_util::future::BoxFuture<'static, Result<(), String>>
    };
    (Keeper::new(transport.clone(), Box::new(verify)), shown)
}

async fn core(address: &str) -> Server {
    Server::listen(address, None, |call| if call.path == SCHEMA { ok("schema") } else { ok("x") }).await
}

async fn wait_for(
    states: &mut watch::Receiver<LinkState>,
    wanted: impl FnMut(&LinkState) -> bool,
) -> LinkState {
    let found = tokio::time::timeout(Duration::from_secs(20), states.wait_for(wanted)).await;
    found.expect("the state that was waited for never came").unwrap().clone()
}

fn generation(state: &LinkState) -> Option<u64> {
    match state {
        LinkState::Up { generation } => Some(*generation),
        _ => None,
    }
}

#[tokio::test]
async fn a_core_that_restarts_is_found_again_with_a_new_generation() {
    let server = core("127.0.0.1:0").await;
    let address = server.address.to_string();
    let transport = transport(options(&server));
    let (keeper, shown) = keep(&transport);
    let mut states = keeper.watch();
    assert_eq!(keeper.up().await, 1);

    // Nobody calls: that the connection is closed is noticed all the same.
    server.stop();
    drop(server);
    let down = wait_for(&mut states, |state| matches!(state, LinkState::Down { .. })).await;
    assert!(!down.is_up());
    let refused =
        |state: &LinkState| matches!(state, LinkState::Down { error, .. } if error.contains("listens"));
    wait_for(&mut states, refused).await;

    let server = core(&address).await;
    assert_eq!(keeper.up().await, 2);
    assert_eq!(shown.load(Ordering::SeqCst), 2);
    assert_eq!(server.count(SCHEMA), 1);
}

#[tokio::test]
async fn a_core_that_is_not_there_yet_is_waited_for() {
    let server = core("127.0.0.1:0").await;
    let (address, options) = (server.address.to_string(), options(&server));
    server.stop();
    drop(server);
    let (keeper, _) = keep(&transport(options));
    let mut states = keeper.watch();
    let tried = |state: &LinkState| {
        matches!(state, LinkState::Connecting { attempts: 1.., last_error: Some(error), .. }
            if error.contains("nothing listens there"))
    };
    wait_for(&mut states, tried).await;
    let _server = core(&address).await;
    assert_eq!(keeper.up().await, 1);
}

#[tokio::test]
async fn a_cut_is_noticed_and_mended() {
    let server = core("127.0.0.1:0").await;
    let transport = transport(options(&server));
    let (keeper, shown) = keep(&transport);
    let mut states = keeper.watch();
    for round in 1..=5 {
        assert_eq!(
            generation(&wait_for(&mut states, |state| generation(state) == Some(round)).await),
            Some(round)
        );
        server.cut();
    }
    wait_for(&mut states, |state| generation(state) == Some(6)).await;
    assert_eq!(shown.load(Ordering::SeqCst), 6);
    assert_eq!(call(&transport, GET, CallKind::Once).await.unwrap(), "x");
}

#[tokio::test]
async fn a_silent_death_is_noticed_by_the_first_call_that_hangs() {
    let server = core("127.0.0.1:0").await;
    let transport = transport(hasty(&server));
    let (keeper, _) = keep(&transport);
    let mut states = keeper.watch();
    keeper.up().await;
    server.freeze();
    call(&transport, GET, CallKind::Once).await.unwrap_err();
    wait_for(&mut states, |state| matches!(state, LinkState::Down { .. })).await;
    server.thaw();
    // The connection that was tried meanwhile may hang: it is given up.
    server.cut();
    assert_eq!(keeper.up().await, 2);
    assert_eq!(call(&transport, GET, CallKind::Once).await.unwrap(), "x");
}

#[tokio::test]
async fn the_cores_own_errors_are_no_reason_to_reconnect() {
    let server = Server::start(|call| match call.path.as_str() {
        SCHEMA => ok("schema"),
        GET => Reply::Error(5, "no".to_owned()),
        // A core without NoOp is there all the same.
        _ => Reply::Error(12, "Method not found!".to_owned()),
    })
    .await;
    let transport = transport(options(&server));
    let (keeper, shown) = keep(&transport);
    keeper.up().await;
    for _ in 0..10 {
        call(&transport, GET, CallKind::Read).await.unwrap_err();
    }
    assert_eq!(generation(&keeper.state()), Some(1));
    assert_eq!((shown.load(Ordering::SeqCst), server.connections()), (1, 1));
}

#[tokio::test]
async fn a_schema_that_cannot_be_used_is_asked_for_again() {
    let server = Server::start(|call| match (call.path.as_str(), call.before) {
        (SCHEMA, 0) => ok("half of it"),
        (SCHEMA, 1) => Reply::Error(12, "Method not found!".to_owned()),
        (SCHEMA, _) => ok("schema"),
        _ => ok(""),
    })
    .await;
    let (keeper, shown) = keep(&transport(options(&server)));
    assert_eq!(keeper.up().await, 1);
    assert_eq!(shown.load(Ordering::SeqCst), 3);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn it_ends_with_its_last_handle_and_frees_the_connection() {
    let server = core("127.0.0.1:0").await;
    let transport = transport(options(&server));
    let connections = transport.watch_connections();
    let (keeper, shown) = keep(&transport);
    let clone = keeper.clone();
    keeper.up().await;
    drop(keeper);
    assert_eq!(clone.up().await, 1);
    let transport = {
        drop(clone);
        Arc::new(transport)
    };
    // What `verify` holds is dropped with the task.
    until("the task has ended", || Arc::strong_count(&shown) == 1).await;
    drop(transport);
    until("the connection is closed", || connections.borrow().open == 0).await;
}
