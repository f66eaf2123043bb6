//! However a run ends, nothing of it goes on.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;
use xos_sync::run_on;

use crate::support::{FOREVER, Lab, WRITE, has, processes_of, until};

/// Names the folder of the test to the synchronizer in another process.
const FOLDER: &str = "XOS_SYNC_TEST_FOLDER";

#[xos_sync::test]
async fn a_cancelled_run_ends_with_all_that_it_started() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let mut lab = Lab::new(FOREVER);
    lab.config.once = false;
    lab.config.engine.grace_period = Duration::ZERO;
    let site = lab.site("Hello").await;
    let begun = until("the task runs", || lab.runs() == 1 && lab.processes().len() >= 4);
    run_on(lab.core.accessor(), lab.config.clone(), lab.service(), begun).await.unwrap();
    until("all processes are gone", || lab.processes().is_empty()).await;
    until("the files are gone", || lab.files().is_empty()).await;

    // The object runs again, and nothing of the run before is in its way.
    lab.step.playbook = crate::support::tasks(WRITE);
    lab.config.once = true;
    assert_eq!(lab.status(&site).await, "OK");
}

#[xos_sync::test]
async fn a_run_that_takes_too_long_is_ended() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let mut lab = Lab::new(FOREVER);
    lab.config.ansible.deadline = Some(Duration::from_secs(5));
    let site = lab.site("Hello").await;
    let status = lab.status(&site).await;
    assert!(status.starts_with("web.yaml took longer than 5 s (ansible.deadline) and was ended"), "{status}");
    assert_eq!(lab.processes(), Vec::<String>::new());
    assert!(lab.files().is_empty(), "{:?}", lab.files());
}

#[xos_sync::test]
async fn a_task_that_ignores_signals_is_killed() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let mut lab = Lab::new(
        "  - name: deaf\n    shell: \"trap '' TERM INT HUP; echo run >> {{ folder }}/runs; while :; do sleep 1; done\"\n",
    );
    lab.config.once = false;
    lab.config.engine.grace_period = Duration::ZERO;
    lab.site("Hello").await;
    let begun = until("the task runs", || lab.runs() == 1);
    run_on(lab.core.accessor(), lab.config.clone(), lab.service(), begun).await.unwrap();
    until("all processes are gone", || lab.processes().is_empty()).await;
}

#[xos_sync::test]
async fn a_killed_synchronizer_leaves_nothing_that_goes_on() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends::a_synchronizer_that_is_killed", "--ignored"])
        .env(FOLDER, folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let runs = || std::fs::read_to_string(folder.path().join("runs")).unwrap_or_default();
    until("the task runs", || !runs().is_empty()).await;
    let ours = || {
        let mut found = processes_of(folder.path());
        found.retain(|line| !line.contains("--exact"));
        found
    };
    assert!(ours().len() >= 3, "{:?}", ours());
    // SIGKILL.
    child.kill().await.unwrap();
    until("all processes are gone", || ours().is_empty()).await;
    let rendered = |folder: &Path| {
        let found = std::fs::read_dir(folder).unwrap().flatten();
        found.filter(|entry| entry.file_name().to_string_lossy().starts_with("run-")).count()
    };
    assert_eq!(rendered(&folder.path().join("sys/Web/Site_1")), 0);
}

/// The other process of the test above.
#[xos_sync::test]
#[ignore = "a part of another test"]
async fn a_synchronizer_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut lab = Lab::new(FOREVER);
    lab.step.folder = folder.clone().into();
    lab.config.ansible.sys_dir = Some(Path::new(&folder).join("sys"));
    lab.site("Hello").await;
    lab.once().await.unwrap();
}
