//! Where pages are served.

use std::path::PathBuf;

use xos_sync::ansible::{HostKeys, Target};

use crate::web_server::Servers;

/// Where pages are served.
#[derive(Clone)]
pub enum Place {
    /// On this machine, by this program.
    Here(Servers),
    /// On another one, by Apache.
    Host(Host),
}

/// A host that is reached by ssh.
#[derive(clap::Args, Clone, Debug)]
pub struct Host {
    /// Serve the pages with Apache on this host instead of with this program
    #[arg(long = "host", value_name = "ADDRESS")]
    pub address: String,
    /// The user to log in as there, who may become root; ssh's own idea by default
    #[arg(long, value_name = "NAME", requires = "address")]
    user: Option<String>,
    /// The port of its ssh server, 22 by default
    #[arg(long, value_name = "PORT", requires = "address")]
    port: Option<u16>,
    /// The ssh key, if it is not `node_key` of the config file
    #[arg(long, value_name = "PATH", requires = "address")]
    key: Option<PathBuf>,
    /// The file with the key of the host, if it is not in the usual ones
    #[arg(long, value_name = "PATH", requires = "address")]
    known_hosts: Option<PathBuf>,
}

impl Place {
    /// The target of the playbook.
    pub fn target(&self) -> Target {
        let Place::Host(host) = self else { return Target::local() };
        let mut target = Target::host(&host.address);
        if let Some(user) = &host.user {
            target = target.user(user);
        }
        if let Some(port) = host.port {
            target = target.port(port);
        }
        if let Some(key) = &host.key {
            target = target.key(key);
        }
        if let Some(known) = &host.known_hosts {
            target = target.host_keys(HostKeys::KnownIn(known.clone()));
        }
        target
    }
}
