//! Where a playbook is to work.

use std::borrow::Cow;
use std::path::PathBuf;

/// Where a playbook is to work: this machine, a host that is reached by ssh, or nowhere.
///
/// The inventory has exactly this one host; `hosts: "{{ instance_name }}"` names it.
///
/// # Examples
///
/// ```
/// use xos_sync::ansible::{HostKeys, Jump, Target};
///
/// let here = Target::local();
/// let there = Target::host("10.11.10.7")
///     .named("mysite-1")
///     .user("ubuntu")
///     .key("/etc/xos/instance_key")
///     .host_keys(HostKeys::KnownIn("/etc/xos/known_hosts".into()))
///     .through(Jump::host("node1.example").user("root"));
/// ```
#[derive(Clone, Debug)]
pub struct Target {
    pub(super) place: Place,
    pub(super) name: Option<String>,
    pub(super) python: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Place {
    Nowhere,
    Local,
    Host(Box<Host>),
}

#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) address: String,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) key: Option<PathBuf>,
    pub(super) known: HostKeys,
    pub(super) jump: Option<Jump>,
}

/// Which hosts are believed to be who they say they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostKeys {
    /// Those in the `known_hosts` files of the user and of the system: the default.
    #[default]
    Known,
    /// Those in this file.
    KnownIn(PathBuf),
    /// Those in this file; one that is not there yet is believed and written there, as for machines that were just made.
    AcceptNew(PathBuf),
    /// All. Whoever has the host's address gets the variables of the playbook, secret ones too.
    Unchecked,
}

impl Target {
    /// This machine, as the user that the synchronizer runs as.
    pub fn local() -> Self {
        Target { place: Place::Local, name: None, python: None }
    }

    /// A host, by name or address, reached by ssh.
    pub fn host(address: impl Into<String>) -> Self {
        let address = address.into();
        let host =
            Host { address, user: None, port: None, key: None, known: HostKeys::default(), jump: None };
        Target { place: Place::Host(Box::new(host)), name: None, python: None }
    }

    /// Nowhere: nothing is run, and the object counts as done. For hosts that are gone when the object is deleted.
    pub fn nowhere() -> Self {
        Target { place: Place::Nowhere, name: None, python: None }
    }

    /// What the host is called in the inventory and in `instance_name`, instead of by its address.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The user to log in as. Default: what ssh thinks.
    pub fn user(self, user: impl Into<String>) -> Self {
        self.with(|host| host.user = Some(user.into()))
    }

    /// The port of the ssh server. Default: 22.
    pub fn port(self, port: u16) -> Self {
        self.with(|host| host.port = Some(port))
    }

    /// The file with the ssh key. Default: `node_key` of the configuration, else what ssh finds.
    pub fn key(self, path: impl Into<PathBuf>) -> Self {
        self.with(|host| host.key = Some(path.into()))
    }

    /// Which host keys are believed.
    pub fn host_keys(self, host_keys: HostKeys) -> Self {
        self.with(|host| host.known = host_keys)
    }

    /// The host in between, unless the configuration says `proxy_ssh.enabled: false`.
    pub fn through(self, jump: Jump) -> Self {
        self.with(|host| host.jump = Some(jump))
    }

    /// The Python that modules run with, as `/usr/bin/python3`. Default: on this machine the one that Ansible runs with,
    /// elsewhere the one that Ansible finds.
    pub fn python(mut self, path: impl Into<String>) -> Self {
        self.python = Some(path.into());
        self
    }

    /// Options of ssh mean nothing elsewhere.
    fn with(mut self, change: impl FnOnce(&mut Host)) -> Self {
        if let Place::Host(host) = &mut self.place {
            change(host);
        }
        self
    }

    /// What the host is called in the inventory.
    pub(super) fn instance_name(&self) -> Cow<'_, str> {
        match (&self.name, &self.place) {
            (Some(name), _) => Cow::Borrowed(name),
            (None, Place::Host(host)) => Cow::Owned(host.address.replace(|c| !is_plain(c), "-")),
            (None, Place::Local | Place::Nowhere) => Cow::Borrowed("localhost"),
        }
    }

    /// What cannot be written into an inventory or into the configuration of ssh.
    pub(super) fn check(&self) -> Result<(), String> {
        let name = self.instance_name();
        let plain = !name.is_empty() && name.chars().all(is_plain) && !name.starts_with('-');
        if !plain || name == "all" || name == "ungrouped" {
            return Err(format!(
                "the host cannot be called \"{name}\" in an inventory: use letters, digits, . _ and -, and neither all \
                 nor ungrouped"
            ));
        }
        let is_text = |what: &str, text: &str| {
            let plain = |c: char| is_plain(c) || matches!(c, ':' | '[' | ']' | '%' | '@' | '+' | '\\');
            let fits = !text.is_empty() && !text.starts_with('-') && text.chars().all(plain);
            if fits { Ok(()) } else { Err(format!("\"{text}\" cannot be {what}")) }
        };
        if let Some(python) = &self.python
            && (python.is_empty() || python.contains(['{', '}', '\n', '\0']))
        {
            return Err(format!("\"{python}\" cannot be the path of a Python"));
        }
        let Place::Host(host) = &self.place else { return Ok(()) };
        is_text("the address of a host", &host.address)?;
        host.user.iter().try_for_each(|user| is_text("a user", user))?;
        if let Some(jump) = &host.jump {
            is_text("the address of a host", &jump.address)?;
            jump.user.iter().try_for_each(|user| is_text("a user", user))?;
        }
        Ok(())
    }
}

/// A host that another one is reached through.
///
/// Who it is, is checked as for the target. `proxy_ssh` of the configuration gives user and key, where they are not
/// said here.
#[derive(Clone, Debug)]
pub struct Jump {
    pub(super) address: String,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) key: Option<PathBuf>,
}

impl Jump {
    /// A host, by name or address.
    pub fn host(address: impl Into<String>) -> Self {
        Jump { address: address.into(), user: None, port: None, key: None }
    }

    /// The user to log in as.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The port of the ssh server. Default: 22.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The file with the ssh key. Default: that of the target.
    pub fn key(mut self, path: impl Into<PathBuf>) -> Self {
        self.key = Some(path.into());
        self
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}
