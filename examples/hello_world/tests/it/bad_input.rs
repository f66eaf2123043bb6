//! What a person gets wrong: each is a clear message, an exit code that is not 0, and nothing half-applied.

use crate::support::{RECIPE, Stage, is_writable, text};

/// A config file or recipe that is wrong.
struct Case {
    what: &'static str,
    config: Option<&'static str>,
    recipe: Option<String>,
    code: i32,
    says: &'static [&'static str],
}

fn config(what: &'static str, config: &'static str, says: &'static [&'static str]) -> Case {
    Case { what, config: Some(config), recipe: None, code: 78, says }
}

fn recipe(what: &'static str, recipe: String, says: &'static [&'static str]) -> Case {
    Case { what, config: None, recipe: Some(recipe), code: 1, says }
}

fn cases() -> Vec<Case> {
    let cycle = RECIPE.replace(
        "        hello_to: Daenerys Targaryen\n",
        "        hello_to: Daenerys Targaryen\n      requirements:\n        - master_serviceinstance: {node: second}\n\n    second:\n      type: \
         tosca.nodes.HelloWorldServiceInstance\n      properties:\n        name: second\n        hello_to: Arya\n      requirements:\n        - \
         master_serviceinstance: {node: serviceinstance}\n",
    );
    let missing = RECIPE.replace(
        "        hello_to: Daenerys Targaryen\n",
        "        hello_to: Daenerys Targaryen\n      requirements:\n        - owner: {node: nobody}\n",
    );
    vec![
        config(
            "unknown config key",
            "name: hello\nengine:\n  concurency: 3\n",
            &["config.yaml:3", "concurency", "concurrency"],
        ),
        config(
            "wrong type",
            "name: hello\nengine:\n  concurrency: many\n",
            &["config.yaml:3", "concurrency"],
        ),
        config("duration without a unit", "engine:\n  first_retry: 5\n", &["config.yaml:2", "first_retry"]),
        config("unknown kind of core", "accessor:\n  kind: embeded\n", &["config.yaml:2", "embeded"]),
        recipe(
            "unknown type",
            RECIPE.replace("nodes.HelloWorldService\n", "nodes.HeloWorldService\n"),
            &["HeloWorldService", "HelloWorldService"],
        ),
        recipe("unknown property", RECIPE.replace("hello_to:", "helo_to:"), &["helo_to", "hello_to"]),
        recipe("missing requirement", missing, &["nobody"]),
        recipe("cycle", cycle, &["serviceinstance", "second"]),
        recipe(
            "bad YAML",
            RECIPE.replace("      properties:\n        name: HelloWorld\n", "      properties: {name: [\n"),
            &["recipe.yaml:"],
        ),
        recipe("empty", String::new(), &["empty"]),
    ]
}

#[test]
fn every_mistake_is_named_and_changes_nothing() {
    for case in cases() {
        let stage = Stage::new();
        assert!(stage.run(&["--once"]).status.success());
        let before = stage.show();
        let mut flags = vec!["--once"];
        let path = stage.path("config.yaml").display().to_string();
        if let Some(text) = case.config {
            stage.write("config.yaml", text);
            flags.extend(["-C", path.as_str()]);
        }
        if let Some(text) = &case.recipe {
            stage.write("recipe.yaml", text);
        }
        // A config file that names a core is not to be overruled by the flag for a database.
        let run = if case.config.is_some() { without_db(&stage, &flags) } else { stage.run(&flags) };
        let log = text(&run.stderr);
        assert_eq!(run.status.code(), Some(case.code), "{}: {log}", case.what);
        for part in case.says {
            assert!(log.contains(part), "{}: expected {part:?} in: {log}", case.what);
        }
        assert_eq!(stage.show(), before, "{}: nothing changed", case.what);
    }
}

fn without_db(stage: &Stage, flags: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hello_world"));
    command.arg("--recipe").arg(stage.path("recipe.yaml")).args(flags).current_dir(stage.path(""));
    command.output().unwrap()
}

#[test]
fn files_that_are_not_there_are_named() {
    let stage = Stage::new();
    let run = without_db(&stage, &["-C", "nowhere.yaml"]);
    assert_eq!(run.status.code(), Some(78), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("nowhere.yaml"), "{}", text(&run.stderr));

    std::fs::remove_file(stage.path("recipe.yaml")).unwrap();
    let run = stage.run(&["--once"]);
    assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("recipe.yaml"), "{}", text(&run.stderr));

    let shown = Stage::new().run(&["--show"]);
    assert_eq!(shown.status.code(), Some(1), "{}", text(&shown.stderr));
    assert!(text(&shown.stderr).contains("there is no such database"), "{}", text(&shown.stderr));
}

#[test]
fn a_file_that_is_no_database_is_named_and_kept() {
    let stage = Stage::new();
    std::fs::write(stage.path("hello.db"), "these are my notes, not a database").unwrap();
    let run = stage.run(&["--once"]);
    assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("hello.db"), "{}", text(&run.stderr));
    let kept = std::fs::read_to_string(stage.path("hello.db")).unwrap();
    assert_eq!(kept, "these are my notes, not a database");
}

#[test]
fn a_read_only_database_is_named() {
    let stage = Stage::new();
    assert!(stage.run(&["--once"]).status.success());
    let database = stage.path("hello.db");
    let mut permissions = std::fs::metadata(&database).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&database, permissions).unwrap();
    if is_writable(&database) {
        xos_sync_tests::skipped(
            "a read-only database: this user may write it all the same (run without CAP_DAC_OVERRIDE)",
        );
        return;
    }
    let run = stage.run(&["--once"]);
    assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("hello.db"), "{}", text(&run.stderr));
}
