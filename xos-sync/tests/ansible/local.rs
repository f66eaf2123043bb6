//! On this machine.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use xos_sync::ansible::TaskStatus;
use xos_sync::prelude::*;
use xos_sync::run_on;

use crate::support::{FOREVER, Lab, WRITE, has, log, tasks, until};

#[xos_sync::test]
async fn a_playbook_makes_the_world_match_and_again_after_an_edit() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let lab = Lab::new(WRITE);
    // What Ansible would evaluate, and what shells and YAML would.
    let message = "Hello: \"{{ lookup('pipe', 'id') }}\" $(id) 'é' # none";
    let mut site = lab.site(message).await;
    lab.once().await.unwrap();
    assert_eq!(lab.read("index.html"), message);
    assert_eq!(lab.core.get::<Site>(site.id).await.unwrap().backend_status, "OK");
    let results = lab.step.applied.lock().unwrap().pop().unwrap();
    assert_eq!(results.task("write message").unwrap().status, TaskStatus::Changed);
    assert_eq!((results.count(TaskStatus::Changed), results.changed()), (2, true));

    site = lab.core.get(site.id).await.unwrap();
    site.name = "Edited".into();
    lab.core.save(&mut site).await.unwrap();
    lab.once().await.unwrap();
    assert_eq!((lab.read("index.html").as_str(), lab.runs()), ("Edited", 2));

    let task = lab.lines("Ran Ansible task");
    let task = task.iter().find(|line| line["task"] == "write message").unwrap();
    assert_eq!(
        (&task["ansible_status"], &task["xos_type"], &task["level"]),
        (&"OK".into(), &"ansible".into(), &"debug".into())
    );
    let run = lab.lines("Ran Ansible playbook");
    assert_eq!((run.len(), &run[0]["changed"], &run[0]["playbook"]), (2, &2.into(), &"web.yaml".into()));
    // Nothing rendered is left; the hash is.
    let files = lab.files();
    assert!(files.len() == 1 && files[0].ends_with(format!("Web/Site_{}/applied", site.id)), "{files:?}");
}

#[xos_sync::test]
async fn unchanged_input_is_not_run_again() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let mut lab = Lab::new(WRITE);
    let site = lab.site("Hello").await;
    lab.once().await.unwrap();
    let touch = || async {
        let mut site = lab.core.get::<Site>(site.id).await.unwrap();
        site.name = "Other".into();
        lab.core.save(&mut site).await.unwrap();
        site.name = "Hello".into();
        lab.core.save(&mut site).await.unwrap();
    };
    // Dirty again, and the same as before: also for a synchronizer that was just started.
    touch().await;
    assert_eq!((lab.status(&site).await.as_str(), lab.runs()), ("OK", 1));
    touch().await;
    lab.step.always = true;
    assert_eq!((lab.status(&site).await.as_str(), lab.runs()), ("OK", 2));
    // Set up elsewhere, nothing is known.
    let mut site = lab.core.get::<Site>(site.id).await.unwrap();
    lab.step.always = false;
    std::fs::remove_dir_all(lab.folder.path().join("sys")).unwrap();
    site.name = "Other".into();
    lab.core.save(&mut site).await.unwrap();
    site.name = "Hello".into();
    lab.core.save(&mut site).await.unwrap();
    assert_eq!((lab.status(&site).await.as_str(), lab.runs()), ("OK", 3));
}

#[xos_sync::test]
async fn looking_again_runs_again() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let mut lab = Lab::new(WRITE);
    lab.config.once = false;
    lab.step.interval = Some(Duration::from_millis(100));
    lab.site("Hello").await;
    let enough = until("three runs", || lab.runs() >= 3);
    run_on(lab.core.accessor(), lab.config.clone(), lab.service(), enough).await.unwrap();
}

#[xos_sync::test]
async fn a_failed_task_is_never_a_success_and_runs_again() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let mut lab = Lab::new(
        "  - name: note\n    shell: echo run >> {{ folder }}/runs\n  - name: fine\n    command: /bin/false\n    \
         ignore_errors: yes\n  - name: look\n    command: test -e {{ folder }}/there\n",
    );
    lab.config.ansible.save_output = true;
    let site = lab.site("Hello").await;
    let status = lab.status(&site).await;
    let output = lab.folder.path().join(format!("sys/Web/Site_{}/output.txt", site.id));
    let expected = format!("localhost: look: non-zero return code 1 (output: {})", output.display());
    assert_eq!(status, expected);
    assert_eq!(lab.core.get::<Site>(site.id).await.unwrap().backend_code, 2);
    let kept = std::fs::read_to_string(&output).unwrap();
    assert!(kept.contains("TASK [look]") && kept.contains("PLAY RECAP"), "{kept}");
    assert_eq!(std::fs::metadata(&output).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(lab.lines("Ran Ansible playbook")[0]["output"], output.to_str().unwrap());

    std::fs::write(lab.folder.path().join("there"), "").unwrap();
    let mut site = lab.core.get::<Site>(site.id).await.unwrap();
    site.name = "Hello again".into();
    lab.core.save(&mut site).await.unwrap();
    assert_eq!((lab.status(&site).await.as_str(), lab.runs()), ("OK", 2));
}

#[xos_sync::test]
async fn deletion_runs_the_playbook_it_is_told() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let mut lab = Lab::new(
        "  - name: the page\n    copy: {content: \"{{ tenant_message }}\", dest: \"{{ folder }}/index.html\"}\n    when: \
         not delete\n  - name: no page\n    file: {path: \"{{ folder }}/index.html\", state: absent}\n    when: delete\n",
    );
    lab.step.on_delete = OnDelete::SamePlaybook;
    let site = lab.site("Hello").await;
    lab.once().await.unwrap();
    assert_eq!(lab.read("index.html"), "Hello");
    lab.core.delete(&site).await.unwrap();
    lab.once().await.unwrap();
    assert!(!lab.folder.path().join("index.html").exists());
    assert_eq!(lab.core.objects::<Site>().count().await.unwrap(), 0);
    assert_eq!(lab.files(), Vec::<std::path::PathBuf>::new());
    assert!(!lab.folder.path().join(format!("sys/Web/Site_{}", site.id)).exists());
}

#[xos_sync::test]
async fn a_dry_run_changes_nothing_and_is_not_taken_for_done() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let mut lab = Lab::new(
        "  - name: write message\n    copy: {content: \"{{ tenant_message }}\", dest: \"{{ folder }}/index.html\"}\n",
    );
    lab.config.ansible.check = true;
    let site = lab.site("Hello").await;
    assert_eq!(lab.status(&site).await, "dry run: would change: write message");
    let stored = lab.core.get::<Site>(site.id).await.unwrap();
    assert_eq!((stored.backend_code, stored.enacted), (1, None));
    assert_eq!(lab.read("index.html"), "");
    let would = lab.lines("would change");
    assert_eq!(would[0]["task"], "write message");
    assert!(would[0]["diff"].as_str().unwrap().contains("+Hello"), "{}", would[0]);
    assert_eq!(lab.files(), Vec::<std::path::PathBuf>::new());
}

#[xos_sync::test]
async fn rendered_files_are_kept_when_asked_and_private() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let mut lab = Lab::new(WRITE);
    lab.config.ansible.keep_temp_files = true;
    lab.site("Hello").await;
    lab.once().await.unwrap();
    let kept = lab.lines("the rendered files are kept (keep_temp_files); they may hold secrets");
    let folder = std::path::Path::new(kept[0]["folder"].as_str().unwrap());
    for name in ["playbook.yaml", "variables.yaml", "inventory.json"] {
        let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
}

/// With what shells and JSON write otherwise.
const CANARY: &str = "canary-\"7f3a\"-é-secret";

#[xos_sync::test]
async fn a_secret_never_shows() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let mut lab = Lab::new(
        "  - name: use {{ password | to_json | length }}\n    shell: \"{% raw %}echo {{ password | quote }}; echo run >> \
         {{ folder }}/runs; sleep 2; exit 1{% endraw %}\"\n",
    );
    lab.step.secret = Some(CANARY);
    lab.config.ansible.save_output = true;
    let site = lab.site("Hello").await;
    let (status, ()) = tokio::join!(lab.status(&site), async {
        until("the task runs", || lab.runs() == 1).await;
        // What Ansible itself puts on a command line is the module's folder, not its arguments; the shell of the task has
        // what the task says.
        let ours = lab.processes();
        let ours: Vec<&String> = ours.iter().filter(|line| line.contains("ansible-playbook")).collect();
        assert!(!ours.is_empty() && ours.iter().all(|line| !line.contains("7f3a")), "{ours:?}");
    });
    assert!(status.contains("***") && !status.contains("7f3a"), "{status}");
    let output = lab.files().into_iter().find(|file| file.ends_with("output.txt")).unwrap();
    let output = std::fs::read_to_string(output).unwrap();
    assert!(output.contains("***") && !output.contains("7f3a"), "{output}");
    assert!(!log().text().contains("7f3a"));
}

#[xos_sync::test]
async fn no_more_playbooks_than_allowed_at_once() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let mut lab = Lab::new(
        "  - name: alone\n    shell: mkdir {{ folder }}/lock && sleep 0.3 && rmdir {{ folder }}/lock && echo run >> {{ \
         folder }}/runs\n",
    );
    lab.step.concurrency = 1;
    for at in 0..3 {
        lab.site(&format!("Site {at}")).await;
    }
    // The second of two at once would not get its lock.
    lab.once().await.unwrap();
    assert_eq!(lab.runs(), 3);
}

#[xos_sync::test]
async fn a_template_file_finds_what_is_beside_it() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let mut lab = Lab::new(WRITE);
    let beside = lab.folder.path().join("playbooks");
    std::fs::create_dir_all(beside.join("roles/page/tasks")).unwrap();
    let role = "- name: from a role\n  copy: {content: \"{{ tenant_message }}\", dest: \"{{ folder }}/index.html\"}\n";
    std::fs::write(beside.join("roles/page/tasks/main.yml"), role).unwrap();
    let playbook = "- hosts: \"{{ instance_name }}\"\n  gather_facts: no\n  roles: [page]\n";
    std::fs::write(beside.join("web.yaml"), playbook).unwrap();
    lab.step.playbook = Playbook::file(beside.join("web.yaml"));
    lab.site("Hello").await;
    lab.once().await.unwrap();
    assert_eq!(lab.read("index.html"), "Hello");
}

#[xos_sync::test]
async fn nothing_runs_nowhere() {
    let mut lab = Lab::new(FOREVER);
    if !has(&["ansible-playbook"]) {
        return;
    }
    lab.step.target = Target::nowhere();
    let site = lab.site("Hello").await;
    assert_eq!((lab.status(&site).await.as_str(), lab.runs()), ("OK", 0));
}

/// A service whose record has a secret.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "lab")]
struct Vault {
    #[xos(base)]
    service: Service,
    /// What opens it
    #[xos(number = 1)]
    password: xos_sync::model_client::Secret,
}

struct OpenVault;

impl AnsibleStep for OpenVault {
    type Model = Vault;

    fn playbook(&self) -> Playbook {
        tasks("  - name: open\n    shell: \"{% raw %}echo {{ password }}; exit 1{% endraw %}\"\n")
    }

    fn on_delete(&self) -> OnDelete {
        OnDelete::Nothing
    }

    async fn target(&self, _ctx: &Context, _o: &Vault) -> StepResult<Target> {
        Ok(Target::local())
    }
}

#[xos_sync::test]
async fn a_secret_field_of_the_record_is_given_to_the_playbook_and_never_shows() {
    if !has(&["ansible-playbook"]) {
        return;
    }
    let lab = Lab::new("");
    let service = Service { name: "vault".into(), ..Default::default() };
    let vault = lab.core.create(Vault { service, password: "sesame-91c4".into() }).await.unwrap();
    let synchronizer = Synchronizer::new("vault").ansible_step(OpenVault);
    let run = run_on(lab.core.accessor(), lab.config.clone(), synchronizer, std::future::pending());
    run.await.unwrap_err();
    let status = lab.core.get::<Vault>(vault.id).await.unwrap().backend_status.clone();
    assert!(status.ends_with("localhost: open: non-zero return code 1: ***"), "{status}");
    assert!(!log().text().contains("91c4"));
}
