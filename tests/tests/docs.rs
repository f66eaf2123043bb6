//! Every code block of the guides is taken from something that is compiled or run, so that it cannot rot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use xos_sync_tests::workspace;

/// The guides.
const GUIDES: [&str; 8] = [
    "README.md",
    "docs/complaints.md",
    "docs/core.md",
    "docs/performance.md",
    "docs/reliability.md",
    "docs/tutorial.md",
    "examples/example_service/README.md",
    "examples/hello_world/README.md",
];

/// Where blocks may come from: programs, tests and files that are compiled or run.
const SOURCES: [&str; 15] = [
    "xos-sync/examples/page.rs",
    "tests/tests/page.rs",
    "examples/example_service/playbooks/local.yaml",
    "examples/example_service/src/models.rs",
    "examples/example_service/src/policy.rs",
    "examples/example_service/src/read_back.rs",
    "examples/example_service/src/write_again.rs",
    "examples/example_service/src/write_page.rs",
    "examples/hello_world/src/main.rs",
    "examples/hello_world/src/tests.rs",
    "examples/hello_world/samples/hello-world.yaml",
    "examples/hello_world/samples/arya.yaml",
    "examples/hello_world/samples/greet.py",
    "xos-sync/src/testing.rs",
    "xos-sync/src/config/tests/remote.rs",
];

/// The commands of the guides. All but those that take long and the last are run by `.ci/run` and by tests, with the words
/// after `--` as they are.
const COMMANDS: [&str; 25] = [
    "cargo run -p example_service",
    "apt-get install -y ansible-core",
    "cargo run -p example_service -- list",
    "cargo run -p example_service -- explain ExampleServiceInstance exampleservice-tenant-1",
    "cargo run -p example_service --features kafka -- -C config.yaml",
    "cargo run -p example_service -- --host 10.11.10.7 --user ubuntu --key ~/.ssh/id_ed25519",
    "cargo run -p hello_world",
    "cargo test --workspace",
    "cargo run -p hello_world -- list",
    "cargo run -p hello_world -- apply examples/hello_world/samples/arya.yaml",
    "cargo run -p hello_world -- explain HelloWorldServiceInstance \"HelloWorld Service Instance\"",
    "cargo run -p hello_world -- core",
    "python3 -m pip install grpcio grpcio-reflection",
    "python3 examples/hello_world/samples/greet.py \"Arya Stark\"",
    "cargo run -p xos-sync-tests --bin stand_in",
    "cargo run -p xos-core -- serve --db core.db --listen 127.0.0.1:50055 --admin-password-file password.txt",
    "cargo run -p xos-core -- user add joe@example.com --db core.db",
    "cargo run -p xos-core -- user passwd joe@example.com --db core.db",
    "cargo run -p xos-core -- user list --db core.db",
    "SEEDS=100000 cargo test --release -p xos-sync --test simulation whatever -- --nocapture",
    "KILLS=200 SEED=7 cargo test -p hello_world --test reliability kill_9 -- --nocapture",
    "cargo run --release --manifest-path benchmarks/Cargo.toml",
    ".ci/fuzz xproto 1800",
    ".ci/mutants engine",
    "cargo doc --open",
];

struct Block {
    language: String,
    text: String,
    line: usize,
}

fn blocks(guide: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(workspace().join(guide)).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), text: String::new(), line: at + 1 });
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{guide}: a code block is not closed");
    blocks
}

#[test]
fn every_block_of_a_guide_is_compiled_or_run_somewhere() {
    let sources: Vec<String> =
        SOURCES.iter().map(|source| std::fs::read_to_string(workspace().join(source)).unwrap()).collect();
    for guide in GUIDES {
        for block in blocks(guide) {
            let known = match block.language.as_str() {
                "rust" | "yaml" | "python" => sources.iter().any(|source| source.contains(&block.text)),
                "sh" => block.text.lines().all(|command| COMMANDS.contains(&command)),
                "text" => true,
                _ => false,
            };
            assert!(known, "{guide}:{}: this block is in no file that is compiled or run", block.line);
        }
    }
}

#[test]
fn every_link_of_a_guide_leads_to_a_file() {
    for guide in GUIDES {
        let path = workspace().join(guide);
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !link.starts_with("http") && !link.starts_with('#') {
                let link = link.split('#').next().unwrap();
                assert!(path.parent().unwrap().join(link).exists(), "{guide}: there is no {link}");
            }
        }
    }
}

#[test]
fn the_changelog_has_an_entry_for_this_version() {
    let text = std::fs::read_to_string(workspace().join("CHANGELOG.md")).unwrap();
    assert!(
        text.contains("## [Unreleased]") || text.contains(concat!("## [", env!("CARGO_PKG_VERSION"), "]"))
    );
}

/// All Rust files of a folder, and of those in it.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What the last column of these rows names is there.
fn check_tests(rows: &[&str]) {
    let mut files = Vec::new();
    rust_files(&workspace(), &mut files);
    let sources: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let is_name = |word: &str| {
        word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && word.matches('_').count() >= 2
    };
    for row in rows {
        let tests: Vec<&str> =
            row.rsplit(" | ").next().unwrap().split('`').filter(|word| is_name(word)).collect();
        assert!(!tests.is_empty(), "no test is named: {row}");
        for test in tests {
            let function = format!("fn {test}(");
            assert!(sources.iter().any(|source| source.contains(&function)), "no test {test}: {row}");
        }
    }
}

#[test]
fn each_complaint_is_answered_by_tests_that_exist() {
    let text = std::fs::read_to_string(workspace().join("docs/complaints.md")).unwrap();
    let row = |number| {
        let start = format!("| {number} |");
        let row = text.lines().find(|line| line.starts_with(&start));
        row.unwrap_or_else(|| panic!("complaint {number} is not in the table"))
    };
    check_tests(&(1..=25).map(row).collect::<Vec<_>>());
}

#[test]
fn each_promise_is_tested() {
    let text = std::fs::read_to_string(workspace().join("docs/reliability.md")).unwrap();
    let (_, promises) = text.split_once("| promise |").unwrap();
    let (promises, _) = promises.split_once("\n\n").unwrap();
    let rows: Vec<&str> = promises.lines().skip(2).collect();
    assert!(rows.len() > 10, "{} promises", rows.len());
    check_tests(&rows);
}
