//! A Python client that knows nothing of this code talks to the server: `tests/python/client.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use xos_core::EmbeddedCore;
use xos_core::server::{Accounts, Server};
use xos_sync_tests::{skipped, workspace};

const PASSWORD: &str = "pass:word of the administrator";

/// A Python with grpcio, its reflection client and protobuf: `XOS_TEST_PYTHON`, or the one on the path.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("XOS_TEST_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| "python3".into());
    let imports = "import grpc, grpc_reflection, google.protobuf";
    let found = Command::new(&python).args(["-c", imports]).output();
    found.is_ok_and(|output| output.status.success()).then_some(python)
}

fn run(python: PathBuf, address: &str, password: &std::path::Path) -> Output {
    Command::new(python)
        .arg("-B")
        .arg(workspace().join("tests/python/client.py"))
        .args([address, "admin@opencord.org"])
        .arg(password)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_does_what_clients_of_xos_do() {
    let Some(python) = python() else {
        skipped(
            "python clients (install: python3 -m venv V; V/bin/pip install grpcio grpcio-reflection; XOS_TEST_PYTHON=V/bin/python)",
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    let core = EmbeddedCore::open(folder.path().join("core.db"), xos_core::Options::default()).unwrap();
    Accounts::first_start(&core, Some(PASSWORD.into())).await.unwrap();
    let server = Server::new(core).tcp(([127, 0, 0, 1], 0).into()).start().await.unwrap();
    let address = server.tcp_address().unwrap().to_string();
    let output = tokio::task::spawn_blocking(move || run(python, &address, &password)).await.unwrap();
    let (told, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{wrong}");
    let done: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("ok: ")).collect();
    assert_eq!((done.len(), done.last().copied()), (14, Some("everything")), "{told}\n{wrong}");
    server.stop(Duration::from_secs(5)).await;
}
