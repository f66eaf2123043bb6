//! The verbs `apply`, `list`, `explain`, `core` and `run`, with a program that has the database and without one.

use crate::support::{RECIPE, Stage};

/// The recipe whose greeting is for somebody else.
fn recipe_for(name: &str) -> String {
    RECIPE.replace("Daenerys Targaryen", name)
}

#[test]
fn without_a_running_program_the_file_is_opened() {
    let stage = Stage::new();
    let recipe = stage.path("recipe.yaml").display().to_string();
    let plan = stage.good(&["apply", &recipe, "--dry-run"]);
    assert!(plan.contains("create    service (HelloWorldService)"), "{plan}");
    assert_eq!(stage.good(&["list"]).trim(), "no objects yet");
    let applied = stage.good(&["apply", &recipe]);
    assert!(applied.contains("created   serviceinstance (HelloWorldServiceInstance"), "{applied}");
    assert!(stage.good(&["apply", &recipe]).contains("nothing to change"));
    let table = stage.good(&["list"]);
    assert!(table.contains("HelloWorld Service Instance"), "{table}");
    let why = stage.good(&["explain", "HelloWorldServiceInstance", "HelloWorld Service Instance"]);
    for part in ["no synchronizer runs", "it was never synchronized", "Provisioning in progress"] {
        assert!(why.contains(part), "expected {part:?}: {why}");
    }
    assert!(stage.run(&["run", "--once"]).status.success());
    let why = stage.good(&["explain", "HelloWorldService", "HelloWorld"]);
    assert!(why.contains("nothing is due") && why.contains("OK (code 1)"), "{why}");
}

#[test]
fn while_the_program_runs_the_verbs_go_through_its_socket() {
    let stage = Stage::new();
    let mut program = stage.start(&[]);
    program.wait_for("saying hello to Daenerys Targaryen");
    program.wait_for("Saved sync object");
    // The one of the README.
    let arya = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/arya.yaml");
    assert!(stage.good(&["apply", arya, "--dry-run"]).contains("update    serviceinstance"));
    let applied = stage.good(&["apply", arya]);
    assert!(applied.contains("updated   serviceinstance") && applied.contains("hello_to"), "{applied}");
    program.wait_for("Jhon Snow is saying hello to Arya Stark");
    let table = stage.good(&["list", "HelloWorldServiceInstance"]);
    assert!(table.contains("HelloWorldServiceInstance") && !table.contains("HelloWorldService "), "{table}");
    assert!(stage.good(&["list", "Service"]).contains("HelloWorldService "), "a base shows its heirs");
    assert!(
        stage.good(&["list", "Site"]).contains("Site")
            || stage.good(&["list", "Site"]).contains("no objects yet")
    );

    stage.write("joffrey.yaml", &recipe_for("Joffrey Baratheon"));
    stage.good(&["apply", &stage.path("joffrey.yaml").display().to_string()]);
    program.wait_for("Maybe not");
    program.wait_for("Saved sync object");
    let why = stage.good(&["explain", "ServiceInstance", "HelloWorld Service Instance"]);
    for part in
        ["HelloWorldServiceInstance ", "failed 1 time, next try in", "Maybe not (code 2)", "tried again at"]
    {
        assert!(why.contains(part), "expected {part:?}: {why}");
    }
    let (status, log) = program.interrupt();
    assert!(status.success(), "{log}");
    assert!(!stage.path("hello.db.sock").exists(), "the socket goes with its program");
}

#[test]
fn a_recipe_has_one_memory_with_and_without_a_running_program() {
    let stage = Stage::new();
    let recipe = stage.path("extra.yaml").display().to_string();
    let extra = recipe_for("Arya Stark")
        .replace("name: HelloWorld Service Instance", "name: Extra")
        .replace("    serviceinstance:", "    extra:");
    let (head, rest) = extra.split_once("    extra:").unwrap();
    let (_, tail) = rest.split_once("    constraints:").unwrap();
    let without = format!("{head}    constraints:{tail}");
    // Applied to the file, then left out of the recipe through the socket.
    stage.write("extra.yaml", &extra);
    stage.good(&["apply", &recipe]);
    let mut program = stage.start(&[]);
    program.wait_for("saying hello to Arya Stark");
    stage.write("extra.yaml", &without);
    assert!(stage.good(&["apply", &recipe]).contains("deleted   extra"));
    program.wait_for("Purged object");
    // And the other way round.
    stage.write("extra.yaml", &extra);
    assert!(stage.good(&["apply", &recipe]).contains("created   extra"));
    let (status, log) = program.interrupt();
    assert!(status.success(), "{log}");
    stage.write("extra.yaml", &without);
    assert!(stage.good(&["apply", &recipe]).contains("deleted   extra"));
}

#[test]
fn the_core_alone_is_served_without_steps() {
    let stage = Stage::new();
    let mut core = stage.start(&["core"]);
    core.wait_for("the core is served alone");
    let recipe = stage.path("recipe.yaml").display().to_string();
    assert!(stage.good(&["apply", &recipe]).contains("created   service"));
    assert!(stage.good(&["list"]).contains("HelloWorld Service Instance"));
    let why = stage.good(&["explain", "HelloWorldService", "HelloWorld"]);
    assert!(why.contains("it serves its core alone") && why.contains("never synchronized"), "{why}");
    let (status, log) = core.interrupt();
    assert!(status.success() && !log.contains("saying hello"), "{log}");
    assert!(stage.run(&["--once"]).status.success());
}

#[test]
fn mistakes_are_named() {
    let stage = Stage::new();
    assert!(stage.run(&["--once"]).status.success());
    stage.bad(&["aply", "x.yaml"], 2, &["aply", "apply"]);
    stage.bad(&["apply"], 2, &["<RECIPE>"]);
    stage.bad(&["apply", "nowhere.yaml"], 1, &["nowhere.yaml", "cannot be read"]);
    stage.write("empty.yaml", "");
    stage.bad(&["apply", "empty.yaml"], 1, &["empty.yaml", "the recipe is empty"]);
    stage.write("bad.yaml", &RECIPE.replace("hello_to:", "helo_to:"));
    stage.bad(&["apply", "bad.yaml"], 1, &["bad.yaml:", "helo_to", "hello_to"]);
    stage.bad(&["list", "HelloWorldServic"], 1, &["did you mean \"HelloWorldService\"?"]);
    stage.bad(&["explain", "HelloWorldServices", "1"], 1, &["did you mean \"HelloWorldService\"?"]);
    stage.bad(&["explain", "HelloWorldService", "HeloWorld"], 1, &["did you mean \"HelloWorld\"?"]);
    stage.bad(
        &["explain", "HelloWorldService", "77"],
        1,
        &["no HelloWorldService with the id or name \"77\"", "the ids are"],
    );
    stage.bad(&["explain", "Slice", "1"], 1, &["there are no Slices at all"]);
    stage.bad(&["explain", "HelloWorldService"], 2, &["<ID-OR-NAME>"]);
    stage.bad(&["list", "--once"], 78, &["--once"]);
    stage.bad(&["run", "--show"], 2, &["--show"]);
    let fresh = Stage::new();
    fresh.bad(&["list"], 1, &["there is no such database"]);
    fresh.bad(&["explain", "Site", "1"], 1, &["there is no such database"]);
}

#[test]
fn a_core_that_is_not_there_is_named() {
    let stage = Stage::new();
    let endpoint = format!("unix:{}", stage.path("nothing.sock").display());
    stage.write("config.yaml", &format!("accessor: {{endpoint: '{endpoint}'}}\n"));
    let config = stage.path("config.yaml").display().to_string();
    let output = stage.plain(&["list", "-C", &config]).output().unwrap();
    let printed = crate::support::text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("nothing.sock") && printed.contains("nothing answers on this socket"),
        "{printed}"
    );
}
