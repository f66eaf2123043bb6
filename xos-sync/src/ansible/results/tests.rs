//! Lines as the callback wrote them under ansible-core 2.14 and 2.19, for playbooks that were run once.

use serde_json::json;

use super::*;

fn read(lines: &[&str]) -> Results {
    let mut results = Results::default();
    for line in lines {
        results.add(line, &Mask::default());
    }
    results
}

const CHANGED: &str = r#"{"event": "ok", "host": "web1", "task": "say", "action": "shell", "changed": true, "result": {"changed": true, "cmd": "echo caf\u00e9", "delta": "0:00:00.003333", "msg": "", "rc": 0, "stderr": "", "stderr_lines": [], "stdout": "caf\u00e9", "stdout_lines": ["caf\u00e9"]}}"#;
const LOOP: &str = r#"{"event": "failed", "host": "web1", "task": "loop", "action": "command", "changed": true, "result": {"changed": true, "msg": "One or more items failed", "results": [{"ansible_loop_var": "item", "changed": true, "failed": false, "item": "a", "msg": "", "rc": 0, "stderr": "", "stdout": ""}, {"ansible_loop_var": "item", "changed": true, "failed": true, "item": "b", "msg": "non-zero return code", "rc": 1, "stderr": "", "stdout": ""}]}, "ignored": true}"#;
const LAST: &str = r#"{"event": "failed", "host": "web1", "task": "last", "action": "command", "changed": true, "result": {"changed": true, "cmd": ["sh", "-c", "echo bad >&2; exit 3"], "msg": "non-zero return code", "rc": 3, "stderr": "bad", "stderr_lines": ["bad"], "stdout": ""}, "ignored": false}"#;
const HIDDEN: &str = r#"{"event": "failed", "host": "web1", "task": "hidden", "action": "command", "changed": true, "result": {"censored": "the output has been hidden due to the fact that 'no_log: true' was specified for this result", "changed": true}, "ignored": false}"#;
const UNREACHABLE: &str = r#"{"event": "unreachable", "host": "web1", "task": "Gathering Facts", "action": "gather_facts", "changed": false, "result": {"changed": false, "msg": "Failed to connect to the host via ssh: Host key verification failed.", "unreachable": true}}"#;
const FINE: &str = r#"{"event": "stats", "hosts": {"web1": {"ok": 4, "failures": 0, "unreachable": 0, "changed": 3, "skipped": 0, "rescued": 1, "ignored": 1}}}"#;
const FAILED: &str = r#"{"event": "stats", "hosts": {"web1": {"ok": 4, "failures": 1, "unreachable": 0, "changed": 3, "skipped": 0, "rescued": 0, "ignored": 1}}}"#;

fn check(lines: &[&str], code: i32, expected: Option<&str>) {
    assert_eq!(read(lines).problem(Some(code), "the last line", "web1").as_deref(), expected);
}

#[test]
fn only_what_was_counted_without_failures_is_a_success() {
    check(&[CHANGED, LOOP, FINE], 0, None);
    // A rescued failure is none.
    check(&[CHANGED, LAST, FINE], 0, None);
    check(&[CHANGED, FAILED], 0, Some("Ansible playbook reported failures for host web1"));
    check(&[], 0, Some("ansible-playbook ended without having run anything: the last line"));
    check(&[CHANGED], 4, Some("ansible-playbook ended with code 4: the last line"));
    let killed = read(&[CHANGED]).problem(None, "", "web1");
    assert_eq!(killed.as_deref(), Some("ansible-playbook was killed: it said nothing"));
}

#[test]
fn an_error_names_host_task_and_message() {
    check(&[LAST, FAILED], 2, Some("web1: last: non-zero return code 3: bad"));
    check(
        &[LAST, HIDDEN, LAST, FAILED],
        2,
        Some(
            "web1: last: non-zero return code 3: bad // web1: hidden: the output has been hidden due to the fact that \
             'no_log: true' was specified for this result",
        ),
    );
    check(
        &[UNREACHABLE],
        4,
        Some("web1: unreachable: Failed to connect to the host via ssh: Host key verification failed."),
    );
    let items = LOOP.replace("\"ignored\": true", "\"ignored\": false");
    check(&[&items, FAILED], 2, Some("web1: loop: item b: non-zero return code 1"));
}

#[test]
fn a_play_that_matches_no_host_is_no_success() {
    let line = r#"{"event": "no_hosts", "play": "wbe1"}"#;
    check(
        &[line, r#"{"event": "stats", "hosts": {}}"#],
        0,
        Some("the play \"wbe1\" matches no host; the only one is web1: write hosts: \"{{ instance_name }}\""),
    );
}

#[test]
fn results_are_found_by_task() {
    let results = read(&[CHANGED, LOOP, "garbage", FINE]);
    let said = results.task("say").unwrap();
    assert_eq!((said.status, said.value.get("stdout")), (TaskStatus::Changed, Some(&json!("café"))));
    assert_eq!((results.count(TaskStatus::Ignored), results.tasks().len()), (1, 2));
    assert!(results.changed() && results.task("none").is_none());
}

#[test]
fn secrets_are_masked_before_anything_else() {
    let mut results = Results::default();
    results.add(CHANGED, &Mask::new(&[xos_model_client::Secret::from("café")]));
    assert_eq!(results.task("say").unwrap().value.get("stdout"), Some(&json!("***")));
}
