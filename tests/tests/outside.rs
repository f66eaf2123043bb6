//! DESIGN's page as a crate of its own, outside the workspace, with `xos-sync` as its only dependency.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use xos_sync_tests::{target, workspace};

#[test]
fn the_page_is_a_whole_crate() {
    let folder = tempfile::tempdir().unwrap();
    let crate_folder = folder.path().join("hello");
    std::fs::create_dir_all(crate_folder.join("src")).unwrap();
    let xos_sync = workspace().join("xos-sync");
    let manifest = format!(
        "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\nxos-sync = {{ path = {xos_sync:?} }}\n\n\
         [profile.dev]\ndebug = false\n\n[workspace]\n"
    );
    std::fs::write(crate_folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::copy(workspace().join("xos-sync/examples/page.rs"), crate_folder.join("src/main.rs")).unwrap();
    // The same versions as here, so that nothing has to be fetched.
    std::fs::copy(workspace().join("Cargo.lock"), crate_folder.join("Cargo.lock")).unwrap();

    let build = cargo(&crate_folder, &["build", "--offline", "--quiet"]);
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));

    let program = target().join("outside/debug/hello");
    let database = folder.path().join("hello.db");
    let run = Command::new(program).arg("--once").arg("--db").arg(&database).output().unwrap();
    let log = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{log}");
    assert!(log.contains("Loaded sync steps") && log.contains("SyncGreeting"), "{log}");
    assert!(database.exists(), "the database was made");
}

fn cargo(folder: &Path, args: &[&str]) -> Output {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(folder).args(args).env("CARGO_TARGET_DIR", target().join("outside"));
    // A coverage or lint run of the workspace must not reach into this crate.
    for inherited in ["RUSTFLAGS", "RUSTDOCFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER"] {
        command.env_remove(inherited);
    }
    command.output().unwrap()
}
