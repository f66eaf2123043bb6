//! The command that shows a run again, and what the environment asks for.

use std::env;
use std::ops::Range;
use std::path::Path;

use super::report::Place;

/// One seed is run, with its log.
const SEED: &str = "SEED";

/// One crash point is run, with its log.
const CRASH_POINT: &str = "CRASH_POINT";

/// So many seeds are run, or those of a range: `100000`, `5000..6000`.
const SEEDS: &str = "SEEDS";

/// What the environment asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// One run, with its log.
    One(Place),
    /// These seeds.
    Seeds(Range<u64>),
}

/// What the environment asks for, if it does.
///
/// # Errors
///
/// Something that is no number: which variable, and what it is.
pub(super) fn asked() -> Result<Option<Asked>, String> {
    let text = |name| env::var(name).ok().filter(|text| !text.is_empty());
    if let Some(seed) = text(SEED) {
        return number(SEED, &seed).map(|seed| Some(Asked::One(Place::Seed(seed))));
    }
    if let Some(point) = text(CRASH_POINT) {
        return number(CRASH_POINT, &point).map(|point| Some(Asked::One(Place::CrashPoint(point))));
    }
    let Some(seeds) = text(SEEDS) else { return Ok(None) };
    let range = match seeds.split_once("..") {
        Some((first, end)) => number(SEEDS, first)?..number(SEEDS, end)?,
        None => 0..number(SEEDS, &seeds)?,
    };
    Ok(Some(Asked::Seeds(range)))
}

fn number(name: &str, text: &str) -> Result<u64, String> {
    let plain: String = text.chars().filter(|c| !matches!(c, '_' | ' ')).collect();
    plain.parse().map_err(|_| format!("{name}={text}: expected a number"))
}

/// The command that shows this run again, with its log.
pub(super) fn command(place: Place) -> String {
    let asked = match place {
        Place::Seed(seed) => format!("{SEED}={seed}"),
        Place::CrashPoint(point) => format!("{CRASH_POINT}={point}"),
    };
    format!("{asked} cargo test{} -- --nocapture", test())
}

/// What `cargo test` is told to run this test alone.
fn test() -> String {
    // Cargo tells the test where it is from.
    let package = env::var("CARGO_PKG_NAME").ok().map(|package| format!(" -p {package}"));
    let target = target().map(|target| format!(" --test {target}"));
    // A test runs in a thread of its name.
    let thread = std::thread::current();
    let name = thread.name().filter(|name| *name != "main").map(|name| format!(" {name}"));
    [package, target, name].into_iter().flatten().collect()
}

/// The name of the file of integration tests that this is, if it is one: the program is called like it, with a hash.
fn target() -> Option<String> {
    let program = env::current_exe().ok()?;
    let stem = program.file_stem()?.to_str()?;
    let name = stem.rsplit_once('-').map_or(stem, |(name, _)| name);
    let folder = env::var("CARGO_MANIFEST_DIR").ok()?;
    let tests = Path::new(&folder).join("tests");
    let is_there = tests.join(name).join("main.rs").exists() || tests.join(format!("{name}.rs")).exists();
    is_there.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_this_test_alone() {
        let command = command(Place::Seed(17));
        assert!(command.starts_with("SEED=17 cargo test"), "{command}");
        assert!(command.ends_with("the_command_names_this_test_alone -- --nocapture"), "{command}");
    }

    #[test]
    fn a_number_may_be_grouped_and_must_be_one() {
        assert_eq!(number(SEEDS, "100_000"), Ok(100_000));
        assert_eq!(number(SEEDS, "many"), Err("SEEDS=many: expected a number".to_owned()));
    }
}
