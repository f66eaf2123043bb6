//! Looks at a rendered playbook before anything is run.

use std::path::Path;

use crate::config::yaml::{Entry, Node, Origin, Value};

/// Keywords that Ansible removed, and what took their place.
const REMOVED: [(&str, &str); 6] = [
    ("sudo", "become: yes"),
    ("sudo_user", "become: yes and become_user"),
    ("sudo_pass", "become: yes and the variable ansible_become_password"),
    ("su", "become: yes and become_method: su"),
    ("su_user", "become: yes, become_method: su and become_user"),
    ("su_pass", "become: yes and the variable ansible_become_password"),
];

/// Lists of tasks in a play.
const IN_PLAY: [&str; 4] = ["tasks", "pre_tasks", "post_tasks", "handlers"];
/// Lists of tasks in a task.
const IN_BLOCK: [&str; 3] = ["block", "rescue", "always"];

/// What is wrong with a rendered playbook, with its line.
pub(super) fn check(text: &str, name: &str) -> Result<(), String> {
    let document = Node::parse(text, Path::new(name)).map_err(|problem| {
        let line = problem.line().map_or_else(String::new, |line| format!(":{line}"));
        format!(
            "{name}{line}: {}, as it was rendered; keep_temp_files: true keeps it to look at",
            problem.message
        )
    })?;
    let Value::List(plays) = &document.value else {
        return Err(format!("{name}: a playbook must be a list of plays, each begun by \"- hosts:\""));
    };
    if plays.is_empty() {
        return Err(format!("{name}: the playbook has no play"));
    }
    for play in plays {
        if !matches!(play.value, Value::Map(_)) {
            return Err(format!("{}: a play must be a map, not {}", place(&play.origin, name), play.kind()));
        }
        let has = |keys: &[&str]| play.entries().iter().any(|entry| keys.contains(&entry.key.as_str()));
        if !has(&["hosts", "import_playbook", "ansible.builtin.import_playbook"]) {
            return Err(format!(
                "{}: a play must say its hosts, as in hosts: \"{{{{ instance_name }}}}\"",
                place(&play.origin, name)
            ));
        }
        removed(play, &IN_PLAY, name)?;
    }
    Ok(())
}

fn removed(node: &Node, lists: &[&str], name: &str) -> Result<(), String> {
    for Entry { key, origin, node } in node.entries() {
        if let Some((_, instead)) = REMOVED.iter().find(|(old, _)| old == key) {
            let place = place(origin, name);
            return Err(format!("{place}: Ansible has no {key}: any more; write {instead}"));
        }
        if lists.contains(&key.as_str())
            && let Value::List(tasks) = &node.value
        {
            for task in tasks {
                removed(task, &IN_BLOCK, name)?;
            }
        }
    }
    Ok(())
}

fn place(origin: &Origin, name: &str) -> String {
    match origin {
        Origin::File(_, Some(line)) => format!("{name}:{line}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_that(text: &str, expected: &str) {
        assert_eq!(check(text, "web.yaml").err().unwrap_or_default(), expected);
    }

    #[test]
    fn what_ansible_takes_passes() {
        check_that(
            "---\n- hosts: \"{{ instance_name }}\"\n  become: yes\n  vars:\n    80: http\n    sudo: kept\n    secret: !vault \
             |\n      abc\n  tasks:\n  - name: t\n    shell: echo \"{{ x }}\" > f\n    vars: {sudo: 1}\n- import_playbook: \
             other.yaml\n",
            "",
        );
    }

    #[test]
    fn sudo_says_what_to_write() {
        let old = "- hosts: a\n  connection: ssh\n  user: ubuntu\n  sudo: yes\n  tasks: []\n";
        check_that(old, "web.yaml:4: Ansible has no sudo: any more; write become: yes");
        let inside = "- hosts: a\n  tasks:\n  - block:\n    - name: t\n      ping:\n      sudo_user: root\n";
        check_that(
            inside,
            "web.yaml:6: Ansible has no sudo_user: any more; write become: yes and become_user",
        );
    }

    #[test]
    fn bad_yaml_says_its_line() {
        let error = check("- hosts: a\n  tasks:\n  - name: x\n   shell: [\n", "web.yaml").unwrap_err();
        assert!(error.starts_with("web.yaml:") && error.contains("not valid YAML"), "{error}");
        check_that("hosts: a\n", "web.yaml: a playbook must be a list of plays, each begun by \"- hosts:\"");
        check_that("", "web.yaml: a playbook must be a list of plays, each begun by \"- hosts:\"");
        check_that(
            "- name: x\n  tasks: []\n",
            "web.yaml:1: a play must say its hosts, as in hosts: \"{{ instance_name }}\"",
        );
    }
}
