//! The playbook of a step: where its template comes from.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A playbook: the text of a template, in the program or in a file.
///
/// It is rendered with [Jinja's syntax](https://docs.rs/minijinja) from the record's fields and the step's extra
/// attributes, strictly: a variable that is not set is an error. The same variables are given to Ansible, which renders
/// again; what is between `{% raw %}` and `{% endraw %}` is left to it. **Text that comes from users belongs there**:
/// Ansible takes it as it is, while a value that is rendered here becomes part of the YAML. Values with a line break or
/// with `{{`, `{%` or `{#` are therefore refused here.
///
/// # Examples
///
/// ```
/// use xos_sync::ansible::Playbook;
///
/// // Usually: Playbook::text(include_str!("../playbooks/web.yaml")).named("web.yaml")
/// let playbook = Playbook::text(
///     r#"
/// - hosts: "{{ instance_name }}"
///   gather_facts: no
///   tasks:
///   - name: write message
///     copy:
///       content: "{% raw %}{{ tenant_message }}{% endraw %}"
///       dest: /var/www/html/index.html
/// "#,
/// )
/// .named("web.yaml");
/// ```
#[derive(Clone, Debug)]
pub struct Playbook {
    source: Source,
    name: Cow<'static, str>,
    folder: Option<PathBuf>,
}

#[derive(Clone, Debug)]
enum Source {
    Text(Cow<'static, str>),
    File(PathBuf),
}

impl Playbook {
    /// A template in the program. Its syntax is checked at start.
    pub fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Playbook { source: Source::Text(text.into()), name: "playbook".into(), folder: None }
    }

    /// A template in a file, read each time. It may include other templates of its folder and below; `roles`, `files`,
    /// `templates`, `tasks`, `vars` and the like beside it are found by Ansible.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.file_name().map_or("playbook".into(), |name| name.to_string_lossy().into_owned());
        let folder =
            path.parent().map(|folder| if folder == Path::new("") { ".".into() } else { folder.to_owned() });
        Playbook { source: Source::File(path), name: name.into(), folder }
    }

    /// What it is called in errors and log lines; a file is called by its name.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// The folder that has its `roles`, `files`, `templates` and so on, and templates to include.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn beside(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The text of the template. Reads the file, if it is one.
    pub(super) fn read(&self) -> Result<Cow<'_, str>, String> {
        match &self.source {
            Source::Text(text) => Ok(Cow::Borrowed(text)),
            Source::File(path) => match std::fs::read(path).map(String::from_utf8) {
                Ok(Ok(text)) => Ok(Cow::Owned(text)),
                Ok(Err(_)) => Err(format!("the playbook {} is not UTF-8", path.display())),
                Err(error) => Err(format!("cannot read the playbook {}: {error}", path.display())),
            },
        }
    }
}

/// What happens outside when an object is deleted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OnDelete {
    /// Nothing: what the playbook made goes away with its host, or may stay.
    Nothing,
    /// The same playbook runs, with the variable `delete` true.
    SamePlaybook,
    /// This playbook runs, with the variable `delete` true.
    Playbook(Playbook),
}
