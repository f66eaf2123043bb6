//! Which core a synchronizer uses and how to reach it: the section `accessor`.

use std::path::PathBuf;

use secrecy::SecretString;

/// Where the Python framework expects a core when no endpoint is given.
pub const DEFAULT_ENDPOINT: &str = "xos-core.cord.lab:50051";

/// What running against [`CoreChoice::Remote`] answers for now, with [`EXIT_CONFIG`](super::EXIT_CONFIG).
pub const REMOTE_NOT_YET: &str = "cannot reach a remote core yet; use accessor.kind: embedded";

/// Which core to use and how to reach it; [`choose`](Accessor::choose) makes one decision of it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Accessor {
    /// The kind of core. Loading a file resolves the default: a remote one where an endpoint is given.
    pub kind: AccessorKind,
    /// Database file of the embedded core; unset: `<name>.db` in the current folder.
    pub database: Option<PathBuf>,
    /// What a write of the embedded core survives.
    pub durability: Durability,
    /// `host:port` of a remote core.
    pub endpoint: Option<String>,
    /// User name at a remote core.
    pub username: Option<String>,
    /// Password at a remote core; never printed.
    pub password: Option<SecretString>,
    /// Certificate of the authority that signed the remote core's certificate.
    pub ca_file: Option<PathBuf>,
}

/// The kind of core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessorKind {
    /// The core inside this process, on a database file.
    #[default]
    Embedded,
    /// The core inside this process, in memory: nothing is left when it ends.
    Testframework,
    /// A core on the network.
    Grpcapi,
}

/// What an acknowledged write of the embedded core survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process, `kill -9` included.
    #[default]
    Normal,
    /// Loss of power too; each commit waits for the disk.
    Full,
}

/// The core to open, decided.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CoreChoice {
    /// The embedded core on a database file.
    Embedded {
        /// The file; it may not exist yet.
        database: PathBuf,
        /// What a write survives.
        durability: Durability,
    },
    /// The embedded core in memory.
    Memory,
    /// A core on the network: not reachable yet, see [`REMOTE_NOT_YET`].
    Remote {
        /// `host:port`.
        endpoint: String,
        /// User name.
        username: Option<String>,
        /// Password; never printed.
        password: Option<SecretString>,
        /// Certificate of the authority that signed the core's certificate.
        ca_file: Option<PathBuf>,
    },
}

impl Accessor {
    /// One decision of all the settings; `service` names the default database file.
    pub fn choose(&self, service: &str) -> CoreChoice {
        match self.kind {
            AccessorKind::Embedded => CoreChoice::Embedded {
                database: self.database.clone().unwrap_or_else(|| default_database(service)),
                durability: self.durability,
            },
            AccessorKind::Testframework => CoreChoice::Memory,
            AccessorKind::Grpcapi => CoreChoice::Remote {
                endpoint: self.endpoint.clone().unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
                username: self.username.clone(),
                password: self.password.clone(),
                ca_file: self.ca_file.clone(),
            },
        }
    }
}

/// `<service>.db`; a name is not a path, so separators in it are not.
fn default_database(service: &str) -> PathBuf {
    PathBuf::from(format!("{}.db", service.replace(['/', '\\'], "-")))
}
