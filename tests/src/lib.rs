//! What the tests that cross the crates share.

pub mod against;
pub mod ours;
pub mod program;
pub mod proxy;
pub mod raw;
pub mod replay;
pub mod stand_in;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The folder that cargo builds into.
pub fn target() -> PathBuf {
    // The program of a test is in `target/<profile>/deps`.
    let program = std::env::current_exe().unwrap_or_default();
    let found = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    found.map_or_else(|| workspace().join("target"), Path::to_owned)
}

/// Says that something was not tested, where people and `.ci/run` see it.
pub fn skipped(what: &str) {
    // Not `eprintln!`: the test runner catches that.
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(target().join("skipped.txt")) {
        let _ = writeln!(file, "{what}");
    }
}
