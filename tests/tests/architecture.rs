//! The arrows between the crates point one way (DESIGN §3).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use xos_sync_tests::workspace;

/// Each crate, and the crates of this workspace that it may depend on.
const ARROWS: [(&str, &[&str]); 4] = [
    ("xos-sync-derive", &[]),
    ("xos-model-client", &["xos-sync-derive"]),
    ("xos-core", &["xos-model-client"]),
    ("xos-sync", &["xos-core", "xos-model-client", "xos-sync-derive"]),
];

#[test]
fn dependencies_go_one_way() {
    for (name, allowed) in ARROWS {
        let manifest = std::fs::read_to_string(workspace().join(name).join("Cargo.toml")).unwrap();
        for line in manifest.lines().filter(|line| line.starts_with("xos-")) {
            let dependency = line.split(['.', ' ', '=']).next().unwrap();
            assert!(allowed.contains(&dependency), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_engine_knows_neither_runtime_nor_clock_nor_core() {
    let folder = workspace().join("xos-sync/src/engine");
    let mut files = vec![workspace().join("xos-sync/src/engine.rs")];
    files.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    // The simulation is a test: it may use threads.
    let is_code = |file: &&std::path::PathBuf| {
        file.extension().is_some_and(|it| it == "rs") && !file.ends_with("simulation.rs")
    };
    for file in files.iter().filter(is_code) {
        let text = std::fs::read_to_string(file).unwrap();
        for word in [
            "tokio",
            "Instant",
            "SystemTime",
            "rand::",
            "std::fs",
            "std::net",
            "std::thread",
            "xos_model_client",
        ] {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let found = code.filter(|line| line.contains(word)).count();
            assert_eq!(found, 0, "{} uses {word}", file.display());
        }
    }
}

#[test]
fn no_crate_has_unsafe_code() {
    let manifest = std::fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for (name, _) in ARROWS {
        let manifest = std::fs::read_to_string(workspace().join(name).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name} must take the workspace's lints");
    }
}
