//! The script of the README: a gRPC client that has nothing to do with ours.

use std::process::Command;

use crate::support::{Stage, text};

/// A Python with `grpcio` and `grpcio-reflection`; `.ci/run` makes one.
fn python() -> Option<String> {
    let python = std::env::var("XOS_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let check = ["-c", "import grpc, grpc_reflection, google.protobuf"];
    let found = Command::new(&python).args(check).output().is_ok_and(|output| output.status.success());
    found.then_some(python)
}

#[test]
fn a_python_script_changes_a_field_and_the_program_follows() {
    let Some(python) = python() else {
        xos_sync_tests::skipped(
            "the Python script of hello_world: no Python with grpcio and grpcio-reflection (set XOS_TEST_PYTHON)",
        );
        return;
    };
    let stage = Stage::new();
    let recipe = stage.path("recipe.yaml").display().to_string();
    // The database of the README: the one in the current folder.
    let mut program = stage.start_plain(&["--recipe", &recipe]);
    program.wait_for("saying hello to Daenerys Targaryen");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/greet.py");
    let run = Command::new(python).args([script, "Arya Stark"]).current_dir(stage.path("")).output().unwrap();
    assert!(run.status.success(), "{}", text(&run.stderr));
    let printed = text(&run.stdout);
    assert_eq!(printed.trim(), "HelloWorld Service Instance: Daenerys Targaryen -> Arya Stark");
    program.wait_for("Jhon Snow is saying hello to Arya Stark");
    let (status, log) = program.interrupt();
    assert!(status.success(), "{log}");
}
