//! How playbooks are run: the keys `sys_dir`, `node_key`, `proxy_ssh` and the section `ansible`.

use std::path::PathBuf;
use std::time::Duration;

use super::error::Problem;
use super::tree::Tree;

/// How playbooks are run, for programs with steps that run some.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ansible {
    /// The program that runs a playbook, looked for on the `PATH` unless it is a path. Default: `ansible-playbook`.
    pub program: PathBuf,
    /// An `ansible.cfg` of one's own. Default: none, and no other is read.
    pub config: Option<PathBuf>,
    /// How long one playbook may take; `engine.step_deadline` limits it too. Default: none.
    pub deadline: Option<Duration>,
    /// Whether playbooks only say what they would change (`--check --diff`); no object becomes OK then. Default: false.
    pub check: bool,
    /// Where rendered files, and what is known of earlier runs, are kept. Default: `<name>.sys` in the current folder.
    pub sys_dir: Option<PathBuf>,
    /// Whether the rendered files of a run are kept. They may hold secrets. Default: false.
    pub keep_temp_files: bool,
    /// Whether the output of the last run of each object is kept. Default: false.
    pub save_output: bool,
    /// The ssh key for hosts whose step names none. Default: those of ssh itself.
    pub node_key: Option<PathBuf>,
    /// How hosts are reached that are behind another one.
    pub proxy: Proxy,
}

/// Whether the hosts in between are used, where a step names one, and as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// As the step says: the default.
    #[default]
    AsTheStepSays,
    /// Never: all hosts are reached directly (`proxy_ssh.enabled: false`).
    Off,
    /// With this user and key, where the step names none (`proxy_ssh.enabled: true`).
    On {
        /// The user at the host in between. Default: `root`.
        user: String,
        /// The ssh key for it. Default: those of ssh itself.
        key: Option<PathBuf>,
    },
}

impl Default for Ansible {
    fn default() -> Self {
        Ansible {
            program: "ansible-playbook".into(),
            config: None,
            deadline: None,
            check: false,
            sys_dir: None,
            keep_temp_files: false,
            save_output: false,
            node_key: None,
            proxy: Proxy::default(),
        }
    }
}

impl Ansible {
    /// What the tree says, the rest being default.
    pub(crate) fn read(tree: &mut Tree) -> Self {
        let default = Ansible::default();
        Ansible {
            program: tree.get("ansible.program").unwrap_or(default.program),
            config: tree.get("ansible.config"),
            deadline: tree.get("ansible.deadline"),
            check: tree.get("ansible.check").unwrap_or_default(),
            sys_dir: tree.get("sys_dir"),
            keep_temp_files: tree.get("keep_temp_files").unwrap_or_default(),
            save_output: tree.get("save_ansible_output").unwrap_or_default(),
            node_key: tree.get("node_key"),
            proxy: proxy(tree),
        }
    }
}

fn proxy(tree: &mut Tree) -> Proxy {
    match tree.get::<bool>("proxy_ssh.enabled") {
        Some(true) => Proxy::On {
            user: tree.get("proxy_ssh.user").unwrap_or_else(|| "root".to_owned()),
            key: tree.get("proxy_ssh.key"),
        },
        Some(false) => Proxy::Off,
        None => {
            if let Some(origin) = tree.origin("proxy_ssh.user").or_else(|| tree.origin("proxy_ssh.key")) {
                let message = "proxy_ssh needs proxy_ssh.enabled: true or false";
                tree.problem(Problem::new(&origin, message).key("proxy_ssh.enabled"));
            }
            Proxy::AsTheStepSays
        }
    }
}
