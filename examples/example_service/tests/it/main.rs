//! The whole program, with real Ansible, as the reader of its README runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod stage;

use crate::stage::{RECIPE, Stage, has_ansible};

#[test]
fn the_page_shows_the_message_before_and_after_an_edit() {
    if !has_ansible() {
        return;
    }
    let stage = Stage::new();
    let mut program = stage.start(&[]);
    let url = stage::url_in(&program.wait_for("a page is served here"));
    stage::shows(&url, "Example Tenant example text");
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
    if !has_ansible() {
        return;
    }
    let stage = Stage::new();
    let mut program = stage.start(&[]);
    let url = stage::url_in(&program.wait_for("a page is served here"));
    stage::shows(&url, "Example Tenant example text");
    std::fs::remove_file(stage.page()).unwrap();
    program.wait_for("the page is lost");
    stage::shows(&url, "Example Tenant example text");
}

#[test]
fn the_page_is_served_again_after_a_restart_and_after_a_kill() {
    if !has_ansible() {
        return;
    }
    let stage = Stage::new();
    let mut program = stage.start(&[]);
    let url = stage::url_in(&program.wait_for("a page is served here"));
    stage::shows(&url, "Example Tenant example text");
    program.kill();
    let mut program = stage.start(&[]);
    let url = stage::url_in(&program.wait_for("a page is served here"));
    stage::shows(&url, "Example Tenant example text");
    assert!(program.interrupt().0.success());
}

#[test]
fn a_tenant_that_is_removed_leaves_nothing() {
    if !has_ansible() {
        return;
    }
    let stage = Stage::new();
    let mut program = stage.start(&[]);
    let url = stage::url_in(&program.wait_for("a page is served here"));
    stage::shows(&url, "Example Tenant example text");
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
