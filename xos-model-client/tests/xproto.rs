//! xproto: what is read, refused, checked, written and turned into Rust.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "xproto/core.rs"]
mod core;
#[path = "xproto/limits.rs"]
mod limits;
#[path = "xproto/recordings.rs"]
mod recordings;
#[path = "xproto/roundtrip.rs"]
mod roundtrip;
#[path = "xproto/rust.rs"]
mod rust;
#[path = "xproto/snapshots.rs"]
mod snapshots;
#[path = "xproto/written.rs"]
mod written;

use std::path::{Path, PathBuf};

/// A file of these tests.
fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/xproto")).join(name)
}

fn read(name: &str) -> String {
    let path = fixture(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares with what a file has; with `XPROTO_BLESS=1` the file is written instead.
fn same_as_file(name: &str, found: &str) {
    let path = fixture(name);
    if std::env::var_os("XPROTO_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "{} is different (XPROTO_BLESS=1 rewrites it):\n{found}", path.display());
}
