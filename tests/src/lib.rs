//! What the tests that cross the crates share.

pub mod against;
pub mod hello;
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

/// Says that something was not tested that this machine does not allow. Nothing that is installed would change that, so
/// `.ci/run` shows it and goes on.
pub fn not_allowed(what: &str) {
    say_skipped(what, "not_allowed.txt");
}

/// Says that something was not tested, where people and `.ci/run` see it.
pub fn skipped(what: &str) {
    say_skipped(what, "skipped.txt");
}

fn say_skipped(what: &str, file: &str) {
    // Not `eprintln!`: the test runner catches that.
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(target().join(file)) {
        let _ = writeln!(file, "{what}");
    }
}
