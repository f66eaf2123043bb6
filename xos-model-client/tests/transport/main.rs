//! The transport against servers that work, fail, lie and die.
#![cfg(feature = "grpc")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod auth;
mod calls;
mod faults;
mod keeper;
mod recorded;
mod reflection;
mod server;
mod status;
mod tls;
#[cfg(unix)]
mod unix;

use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use xos_model_client::grpc::CoreOptions;
use xos_model_client::grpc::transport::{CallError, CallKind, CallMeta, Transport};

/// A call like those of a typed client.
pub(crate) const GET: &str = "/xos.xos/GetSite";
/// A call that must not be made twice.
pub(crate) const CREATE: &str = "/xos.xos/CreateSite";

pub(crate) async fn call(
    transport: &Transport,
    path: &'static str,
    kind: CallKind,
) -> Result<Bytes, CallError> {
    call_with(transport, path, kind, CallMeta::default()).await
}

pub(crate) async fn call_with(
    transport: &Transport,
    path: &'static str,
    kind: CallKind,
    meta: CallMeta,
) -> Result<Bytes, CallError> {
    transport.call(PathAndQuery::from_static(path), Bytes::from_static(b"ask"), meta, kind).await
}

/// Shows its credentials.
pub(crate) fn authenticated() -> CallMeta {
    CallMeta { authenticated: true, ..CallMeta::default() }
}

/// In the clear, and patient enough for a busy machine.
pub(crate) fn options(server: &server::Server) -> CoreOptions {
    CoreOptions::new(format!("http://{}", server.address))
}

/// With a short deadline, for what never answers.
pub(crate) fn hasty(server: &server::Server) -> CoreOptions {
    let mut options = options(server);
    options.call_deadline = Duration::from_millis(300);
    options
}

pub(crate) fn transport(options: CoreOptions) -> Transport {
    Transport::new(options).unwrap()
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), waiting).await.is_ok(), "never so: {what}");
}
