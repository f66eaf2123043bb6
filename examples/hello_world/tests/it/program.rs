//! The program as its user sees it: one runs it, edits the recipe, stops it, starts it again.

use crate::support::{RECIPE, Stage, text};

/// The recipe without the greeting.
fn without_greeting() -> String {
    let (before, rest) = RECIPE.split_once("    serviceinstance:").unwrap();
    let (_, after) = rest.split_once("    constraints:").unwrap();
    format!("{before}    constraints:{after}")
}

#[test]
fn the_tour_passes() {
    let stage = Stage::new();
    let mut tour = std::process::Command::new(env!("CARGO_BIN_EXE_hello_world"));
    let tour = tour.arg("--tour").current_dir(stage.path("")).output().unwrap();
    let transcript = text(&tour.stdout);
    assert!(tour.status.success(), "{transcript}{}", text(&tour.stderr));
    assert_eq!(transcript.lines().filter(|line| line.starts_with("scene ")).count(), 7, "{transcript}");
}

#[test]
fn once_synchronizes_everything_and_ends() {
    let stage = Stage::new();
    let run = stage.run(&["--once"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert!(
        text(&run.stderr).contains("Jhon Snow is saying hello to Daenerys Targaryen"),
        "{}",
        text(&run.stderr)
    );
    let table = stage.show();
    for part in ["HelloWorldService ", "HelloWorldServiceInstance", "HelloWorld Service Instance", "OK"] {
        assert!(table.contains(part), "{table}");
    }
    let again = stage.run(&["--once", "--log-level", "debug"]);
    assert!(!text(&again.stderr).contains("Syncing object"), "nothing runs again: {}", text(&again.stderr));
}

#[test]
fn once_ends_with_1_when_an_object_is_not_ok() {
    for name in ["Tyrion Lannister", "Joffrey Baratheon"] {
        let stage = Stage::new();
        stage.write("recipe.yaml", &RECIPE.replace("Daenerys Targaryen", name));
        let run = stage.run(&["--once"]);
        assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
        assert!(text(&run.stderr).contains("1 of 2 objects are not OK"), "{}", text(&run.stderr));
    }
}

#[test]
fn an_edit_of_the_recipe_is_followed() {
    let stage = Stage::new();
    let mut program = stage.start(&[]);
    program.wait_for("saying hello to Daenerys Targaryen");
    stage.write("recipe.yaml", &RECIPE.replace("Daenerys Targaryen", "Arya Stark"));
    program.wait_for("Jhon Snow is saying hello to Arya Stark");
    // An editor that writes in place.
    std::fs::write(stage.path("recipe.yaml"), RECIPE.replace("Daenerys Targaryen", "Sansa Stark")).unwrap();
    program.wait_for("Jhon Snow is saying hello to Sansa Stark");
    stage.write("recipe.yaml", &without_greeting());
    program.wait_for("HelloWorldServiceInstance has been deleted!");
    program.wait_for("Purged object");
    let (status, log) = program.interrupt();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!stage.show().contains("HelloWorldServiceInstance"));
}

#[test]
fn a_bad_edit_changes_nothing_and_says_why() {
    let stage = Stage::new();
    let mut program = stage.start(&[]);
    program.wait_for("Saved sync object");
    let edits = [
        (String::new(), "the recipe is empty"),
        (RECIPE.replace("hello_to", "helo_to"), "helo_to"),
        (RECIPE.replace("node_templates:", "node_templates: ["), "recipe.yaml:"),
    ];
    for (edit, expected) in edits {
        stage.write("recipe.yaml", &edit);
        program.wait_for(expected);
    }
    std::fs::remove_file(stage.path("recipe.yaml")).unwrap();
    program.wait_for("cannot be read");
    assert!(stage.show().contains("HelloWorld Service Instance"));
    stage.write("recipe.yaml", &RECIPE.replace("Daenerys Targaryen", "Arya Stark"));
    program.wait_for("Jhon Snow is saying hello to Arya Stark");
}

#[test]
fn a_node_that_left_while_the_program_was_down_is_deleted() {
    let stage = Stage::new();
    assert!(stage.run(&["--once"]).status.success());
    stage.write("recipe.yaml", &without_greeting());
    let run = stage.run(&["--once"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert!(
        text(&run.stderr).contains("HelloWorldServiceInstance has been deleted!"),
        "{}",
        text(&run.stderr)
    );
    assert!(!stage.show().contains("HelloWorldServiceInstance"));
}

#[test]
fn a_node_that_must_exist_is_never_deleted() {
    let stage = Stage::new();
    assert!(stage.run(&["--once"]).status.success());
    // A second recipe takes the service as somebody else's.
    let other =
        RECIPE.replace("hello_from: Jhon Snow", "must-exist: true").replace("Service Instance", "Other");
    let run = |recipe: &str| {
        stage.write("other.yaml", recipe);
        stage.command_with("other.yaml", &["--once"]).output().unwrap()
    };
    assert!(run(&other).status.success());
    assert!(stage.show().contains("HelloWorld Other"));
    let (head, _) = other.split_once("  node_templates:").unwrap();
    let constraint = "  node_templates:\n    constraints:\n      type: tosca.nodes.ServiceGraphConstraint\n      properties:\n        constraints: '[\"HelloWorld\"]'\n";
    let left = run(&format!("{head}{constraint}"));
    assert!(left.status.success(), "{}", text(&left.stderr));
    let table = stage.show();
    assert!(!table.contains("HelloWorld Other"), "the recipe made it: {table}");
    assert!(table.contains("HelloWorldService "), "somebody else made it: {table}");
}

#[test]
fn a_restart_after_kill_continues() {
    let stage = Stage::new();
    let mut program = stage.start(&[]);
    program.wait_for("Saved sync object");
    program.kill();
    stage.write("recipe.yaml", &RECIPE.replace("Daenerys Targaryen", "Arya Stark"));
    let run = stage.run(&["--once"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("saying hello to Arya Stark"), "{}", text(&run.stderr));
}

#[test]
fn a_second_program_on_the_same_file_is_told_who_has_it() {
    let stage = Stage::new();
    let mut program = stage.start(&[]);
    program.wait_for("Saved sync object");
    let second = stage.run(&["--once"]);
    let log = text(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{log}");
    let socket = stage.path("hello.db.sock").display().to_string();
    for part in [format!("in use by process {}", program.id()), socket, "list, apply and explain".to_owned()]
    {
        assert!(log.contains(&part), "expected {part:?}: {log}");
    }
    assert!(stage.show().contains("OK"), "looking is allowed");
    let (status, log) = program.interrupt();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn unloading_deletes_the_objects_by_their_steps_first() {
    let stage = Stage::new();
    assert!(stage.run(&["--once"]).status.success());
    stage.write("config.yaml", "name: hello-world\ndesired_state: unload\n");
    let config = stage.path("config.yaml").display().to_string();
    let run = stage.run(&["-C", &config]);
    let log = text(&run.stderr);
    assert!(run.status.success(), "{log}");
    for line in [
        "HelloWorldServiceInstance has been deleted!",
        "HelloWorldService has been deleted!",
        "Models successfully unloaded. Synchronizer exiting",
    ] {
        assert!(log.contains(line), "expected {line:?} in: {log}");
    }
    assert!(!stage.show().contains("HelloWorldService"));
    assert!(stage.run(&["--once"]).status.success(), "they can be loaded again");
}
