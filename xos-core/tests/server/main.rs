//! The server of the embedded core, and the program that runs it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod cli;
mod doors;
mod doors_tls;
mod kill;
mod lab;
mod limits;
mod limits_malformed;
mod load;
#[cfg(feature = "postgres")]
#[path = "../support/postgres.rs"]
mod postgres;
mod program;
mod random;
mod raw;
mod reads;
mod reflected;
#[cfg(feature = "postgres")]
mod several;
mod writes;

use std::time::Duration;

use xos_core::EmbeddedCore;
use xos_core::server::{Server, Serving};

/// A server on a free port, with what else is wanted.
pub(crate) async fn serve(with: impl FnOnce(Server) -> Server) -> Serving {
    let server = Server::new(EmbeddedCore::in_memory().unwrap()).tcp(([127, 0, 0, 1], 0).into());
    with(server).start().await.unwrap()
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), waiting).await.is_ok(), "never so: {what}");
}

/// Says past the capture of the test harness, and where `.ci/run` looks, that something was not tested.
#[cfg(feature = "postgres")]
pub(crate) fn skipped(what: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let file = std::fs::File::options().create(true).append(true).open(target.join("skipped.txt"));
    writeln!(file.unwrap(), "{what}").unwrap();
}
