//! What the macros refuse, one file per rule, and what they accept.
//!
//! The messages depend on the compiler: `ui/RUSTC` says with which one the `.stderr` files were made, and on another
//! one they are not compared. Every text of ours is asserted by a unit test of the macros as well. To make them anew
//! after a change: `TRYBUILD=overwrite cargo test -p xos-sync-tests --test compile_fail`, and read the difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unreachable_pub, dead_code, reason = "the cases are programs of their own")]

use std::path::Path;
use std::process::Command;

#[path = "../ui/pass/choices.rs"]
mod choices;
#[path = "../ui/pass/entry.rs"]
mod entry;
#[path = "../ui/pass/models.rs"]
mod models;

const TOPICS: [&str; 5] = ["choice", "entry", "field", "model", "types"];

#[test]
fn every_rule_has_a_message() {
    let made_with = include_str!("../ui/RUSTC").trim();
    let found = compiler();
    if found != made_with {
        xos_sync_tests::skipped(&format!("compile_fail: messages were made with {made_with}, found {found}"));
        return;
    }
    let cases = trybuild::TestCases::new();
    for topic in TOPICS {
        cases.compile_fail(format!("ui/{topic}/*.rs"));
    }
}

#[test]
fn every_case_says_its_rule_and_has_a_message() {
    for topic in TOPICS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui").join(topic);
        let files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
        for case in files.iter().filter(|file| file.extension().is_some_and(|end| end == "rs")) {
            let source = std::fs::read_to_string(case).unwrap();
            assert!(source.starts_with("// "), "{} does not say its rule in the first line", case.display());
            assert!(case.with_extension("stderr").exists(), "{} has no .stderr", case.display());
        }
        for message in files.iter().filter(|file| file.extension().is_some_and(|end| end == "stderr")) {
            assert!(message.with_extension("rs").exists(), "{} belongs to no case", message.display());
        }
    }
}

fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
