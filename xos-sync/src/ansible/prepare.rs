//! What can be found wrong before the first playbook runs.

use std::sync::Arc;

use super::runner::Runner;
use super::{AnsibleStep, OnDelete, inventory, process, template};
use crate::config::{Ansible, Proxy};
use crate::error::{ErrorKind, Result};

/// How the program is installed.
pub(super) const INSTALL: &str = "apt install ansible-core, or: pip install ansible-core";

/// A step without its type, before the start.
pub(crate) trait Prepare: Send + Sync {
    /// What is wrong with its templates.
    fn check(&self) -> std::result::Result<(), String>;
}

impl<S: AnsibleStep> Prepare for Runner<S> {
    fn check(&self) -> std::result::Result<(), String> {
        let named = |error: String| format!("{}: {error}", self.step().name());
        template::check(&self.step().playbook()).map_err(named)?;
        match self.step().on_delete() {
            OnDelete::Playbook(playbook) => template::check(&playbook).map_err(named),
            OnDelete::Nothing | OnDelete::SamePlaybook => Ok(()),
        }
    }
}

/// Whether playbooks can run at all: program, keys of the configuration, syntax of the templates.
pub(crate) fn prepare(steps: &[Arc<dyn Prepare>], settings: &Ansible) -> Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let wrong = |problem| Err(ErrorKind::Synchronizer(problem).into());
    for step in steps {
        if let Err(problem) = step.check() {
            return wrong(problem);
        }
    }
    if process::find(&settings.program).is_none() {
        return wrong(missing(settings));
    }
    let proxy_key = match &settings.proxy {
        Proxy::On { key, .. } => key.as_deref(),
        Proxy::AsTheStepSays | Proxy::Off => None,
    };
    for (name, key) in [("node_key", settings.node_key.as_deref()), ("proxy_ssh.key", proxy_key)] {
        if let Some(Err(problem)) = key.map(inventory::check_key) {
            return wrong(format!("{name}: {problem}"));
        }
    }
    if let Some(config) = settings.config.as_ref().filter(|config| !config.is_file()) {
        return wrong(format!("ansible.config: {} is not a file", config.display()));
    }
    Ok(())
}

pub(super) fn missing(settings: &Ansible) -> String {
    format!(
        "{} is not there to run playbooks; install it: {INSTALL}; or say where it is with ansible.program",
        settings.program.display()
    )
}
