//! The whole program, with real Ansible, as the reader of its README runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod stage;

use crate::stage::{RECIPE, Stage};

#[test]
fn the_page_shows_the_message_before_and_after_an_edit() {
    let Some((stage, program, url)) = Stage::with_page() else { return };
    stage.write("recipe.yaml", &RECIPE.replace("example text", "other text"));
    stage::shows(&url, "Example Tenant other text");
    // What people write is text for Ansible, too.
    stage.write(
        "recipe.yaml",
        &RECIPE.replace("Example Tenant example text", "\"{{ 7 * 7 }} <b>\u{e9}: 'x'\""),
    );
    stage::shows(&url, "{{ 7 * 7 }} <b>\u{e9}: 'x'");
    let (status, log) = program.interrupt();
    assert!(status.success(), "{log}");
    stage::nothing_listens_at(&url);
}

#[test]
fn a_page_that_was_lost_is_written_again() {
    let Some((stage, mut program, url)) = Stage::with_page() else { return };
    std::fs::remove_file(stage.page()).unwrap();
    program.wait_for("the page is lost");
    stage::shows(&url, "Example Tenant example text");
    let (status, log) = program.interrupt();
    assert!(status.success() && !log.contains("pull step failed"), "{log}");
}

#[test]
fn the_page_is_served_again_after_a_restart_and_after_a_kill() {
    let Some((stage, program, _)) = Stage::with_page() else { return };
    program.kill();
    // This one, as soon as it has said where its page is: before the core knows.
    stage.serve().0.kill();
    let (program, url) = stage.serve();
    stage::shows(&url, "Example Tenant example text");
    assert!(program.interrupt().0.success());
}

#[test]
fn a_tenant_that_is_removed_leaves_nothing() {
    let Some((stage, _program, url)) = Stage::with_page() else { return };
    let page = stage.page();
    stage.write("recipe.yaml", RECIPE.split_once("    tenant:").unwrap().0);
    stage::until("its page is gone", || !page.exists());
    stage::until("its objects are gone", || {
        let listed = stage.verb(&["list"]);
        !listed.contains("exampleservice-tenant-1") && !listed.contains("web-server")
    });
    stage::nothing_listens_at(&url);
}

#[test]
fn without_ansible_the_program_says_what_to_install() {
    let stage = Stage::new();
    let mut command = stage.command(&[]);
    let nothing = stage.path("nothing");
    std::fs::create_dir(&nothing).unwrap();
    command.env("PATH", &nothing);
    let mut program = xos_sync_tests::program::Running::new(command);
    let line = program.wait_for("ansible-playbook");
    assert!(line.contains("apt install ansible-core") || line.contains("apt-get install"), "{line}");
}
