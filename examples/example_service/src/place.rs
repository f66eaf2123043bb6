//! Where pages are served.

use std::path::PathBuf;

use xos_sync::ansible::{HostKeys, Target};

use crate::models::WebServer;
use crate::web_server::Servers;

/// Where pages are served.
#[derive(Clone)]
pub enum Place {
    /// On this machine, by this program.
    Here(Servers),
    /// On another one, by Apache.
    Host(String, Ssh),
}

/// How a host is reached.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Ssh {
    /// Serve the pages with Apache on this host instead of with this program
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// The user to log in as there, who may become root; ssh's own idea by default
    #[arg(long, value_name = "NAME", requires = "host")]
    user: Option<String>,
    /// The port of its ssh server, 22 by default
    #[arg(long, value_name = "PORT", requires = "host")]
    port: Option<u16>,
    /// The ssh key, if it is not `node_key` of the config file
    #[arg(long, value_name = "PATH", requires = "host")]
    key: Option<PathBuf>,
    /// The file with the key of the host, if it is not in the usual ones
    #[arg(long, value_name = "PATH", requires = "host")]
    known_hosts: Option<PathBuf>,
}

impl Place {
    /// Where these flags say.
    ///
    /// # Errors
    ///
    /// There can be no temporary folder for pages.
    pub fn of(ssh: Ssh) -> std::io::Result<Self> {
        match ssh.host.clone() {
            Some(host) => Ok(Place::Host(host, ssh)),
            None => Ok(Place::Here(Servers::new()?)),
        }
    }

    /// Whether this web server runs, as far as this program has it in hand.
    pub fn runs(&self, server: &WebServer) -> bool {
        match self {
            Place::Here(servers) => servers.url_of(server.id) == server.url,
            Place::Host(..) => true,
        }
    }

    /// The target of the playbook.
    pub fn target(&self) -> Target {
        let Place::Host(host, ssh) = self else { return Target::local() };
        let mut target = Target::host(host);
        if let Some(user) = &ssh.user {
            target = target.user(user);
        }
        if let Some(port) = ssh.port {
            target = target.port(port);
        }
        if let Some(key) = &ssh.key {
            target = target.key(key);
        }
        if let Some(known) = &ssh.known_hosts {
            target = target.host_keys(HostKeys::KnownIn(known.clone()));
        }
        target
    }
}
