//! What people get wrong.

use std::path::Path;

use xos_sync::prelude::*;

use crate::support::{Lab, WRITE, has, tasks};

/// What is said on an object with this playbook.
async fn on_object(playbook: Playbook) -> String {
    let mut lab = Lab::new(WRITE);
    lab.step.playbook = playbook;
    let site = lab.site("Hello").await;
    let status = lab.status(&site).await;
    assert_eq!(lab.runs(), 0);
    status
}

/// What is said at the start.
async fn at_start(change: impl FnOnce(&mut Lab)) -> String {
    let mut lab = Lab::new(WRITE);
    change(&mut lab);
    lab.site("Hello").await;
    let error = lab.once().await.unwrap_err();
    assert_eq!(lab.lines("Syncing object").len(), 0, "it did not start: {error}");
    error
}

#[xos_sync::test]
async fn a_wrong_playbook_says_what_and_where_on_the_object() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    assert_eq!(
        on_object(tasks("  - name: x\n    shell: echo {{ tenant_mesage }}\n")).await,
        "web.yaml:5: the variable tenant_mesage is not set; give it as an extra attribute, or, if it is one of Ansible's \
         own, write {% raw %}{{ tenant_mesage }}{% endraw %}"
    );
    let status = on_object(
        Playbook::text("- hosts: localhost\n  tasks:\n  - name: x\n   shell: [\n").named("web.yaml"),
    )
    .await;
    assert!(status.starts_with("web.yaml:") && status.contains("not valid YAML"), "{status}");
    let tutorial =
        "- hosts: \"{{ instance_name }}\"\n  connection: ssh\n  user: ubuntu\n  sudo: yes\n  tasks: []\n";
    assert_eq!(
        on_object(Playbook::text(tutorial).named("exampletenant_playbook.yaml")).await,
        "exampletenant_playbook.yaml:4: Ansible has no sudo: any more; write become: yes"
    );
    let status = on_object(tasks("  - name: x\n    no_such_module: {}\n")).await;
    assert!(status.contains("no_such_module"), "{status}");
    let status = on_object(Playbook::text("- hosts: web2\n  tasks: []\n").named("web.yaml")).await;
    assert!(status.starts_with("the play \"web2\" matches no host; the only one is localhost"), "{status}");
}

#[xos_sync::test]
async fn what_can_be_known_at_the_start_is_said_then() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let error = at_start(|lab| lab.step.playbook = Playbook::text("a: {{ b").named("web.yaml")).await;
    assert!(error.starts_with("Web: web.yaml:1: "), "{error}");
    let error =
        at_start(|lab| lab.step.on_delete = OnDelete::Playbook(Playbook::file("/no/such.yaml"))).await;
    assert!(error.starts_with("Web: cannot read the playbook /no/such.yaml: "), "{error}");
    let error = at_start(|lab| lab.config.ansible.program = "no-such-ansible".into()).await;
    assert_eq!(
        error,
        "no-such-ansible is not there to run playbooks; install it: apt install ansible-core, or: pip install \
         ansible-core; or say where it is with ansible.program"
    );
    let error = at_start(|lab| lab.config.ansible.node_key = Some("/no/such_key".into())).await;
    assert_eq!(error, "node_key: the ssh key /no/such_key does not exist");
}

#[xos_sync::test]
async fn a_crash_of_the_program_shows_its_last_words() {
    let mut lab = Lab::new(WRITE);
    let program = lab.folder.path().join("ansible-playbook");
    write_program(&program, "#!/bin/sh\necho something went wrong\necho very wrong >&2\nexit 250\n");
    lab.config.ansible.program = program;
    let site = lab.site("Hello").await;
    let status = lab.status(&site).await;
    assert_eq!(status, "ansible-playbook ended with code 250: something went wrong / very wrong");
}

fn write_program(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
