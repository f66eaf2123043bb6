//! B5: what an object in the queue takes. Each contender runs in a process of its own, the program `memory`, whose
//! allocator counts; the others run without one.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Args;
use crate::kube;
use crate::measure::in_turns;
use crate::report::Row;

/// # Errors
///
/// A program that cannot be built.
pub fn run(args: &Args) -> Result<Vec<Row>, String> {
    let program = build()?;
    let sizes: &[usize] = if args.quick { &[10_000, 100_000] } else { &[10_000, 100_000, 1_000_000] };
    let mut rows = Vec::new();
    for count in sizes {
        let [engine, ours, peer] = in_turns(
            args.repeats(),
            [&mut || bytes(&program, "engine", *count), &mut || bytes(&program, "ours", *count), &mut || {
                bytes(&program, "peer", *count)
            }],
        );
        let case = |what: &str| format!("{count} queued: {what}");
        rows.push(Row::new(case("engine alone, allocated"), "B/object").ours(&engine[0]).at_most(128.0));
        for (at, what) in ["allocated", "resident", "peak resident"].into_iter().enumerate() {
            let row = Row::new(case(&format!("queue and records, {what}")), "B/object");
            rows.push(row.ours(&ours[at]).beside(kube::name(), &peer[at]));
        }
    }
    Ok(rows)
}

/// Bytes for each object: allocated, resident, peak.
fn bytes(program: &Path, who: &str, count: usize) -> Vec<f64> {
    let output =
        Command::new(program).args([who, &count.to_string()]).output().expect("the program `memory`");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "memory {who} {count} failed: {said}");
    let figures = String::from_utf8_lossy(&output.stdout);
    figures.split_whitespace().map(|figure| figure.parse().expect("a number")).collect()
}

/// The program with the allocator that counts, built like this one.
fn build() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--bin", "memory", "--manifest-path"]).arg(manifest);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let built = build.status().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !built.success() {
        return Err("the program `memory` cannot be built".to_owned());
    }
    Ok(own.with_file_name("memory"))
}
