//! Which core a synchronizer uses and how to reach it: the section `accessor`.

use std::path::PathBuf;

use secrecy::SecretString;

use super::error::Problem;
use super::keys::KINDS;
use super::tree::Tree;

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

impl Accessor {
    /// What the section `accessor` says, with the kind resolved; problems and warnings go to `tree`.
    pub(crate) fn read(tree: &mut Tree) -> Self {
        let Some(kind) = read_kind(tree) else {
            return Self::default();
        };
        warn_of_unused(tree, kind);
        let full = tree.get::<String>("accessor.durability").is_some_and(|durability| durability == "full");
        Self {
            kind,
            database: tree.get("accessor.database"),
            durability: if full { Durability::Full } else { Durability::Normal },
            endpoint: tree.get("accessor.endpoint"),
            username: tree.get("accessor.username"),
            password: if kind == AccessorKind::Grpcapi { read_password(tree) } else { None },
            ca_file: tree.get("accessor.ca_file"),
        }
    }
}

impl AccessorKind {
    /// As it is written in a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Testframework => "testframework",
            Self::Grpcapi => "grpcapi",
        }
    }
}

/// The kind that is written, else the one the other keys show; `None` where that is a problem.
fn read_kind(tree: &mut Tree) -> Option<AccessorKind> {
    use AccessorKind::{Embedded, Grpcapi, Testframework};
    if let Some(node) = tree.node("accessor.kind") {
        let kind = node.text()?;
        return [Embedded, Testframework, Grpcapi].into_iter().find(|known| known.as_str() == kind);
    }
    let ambiguous = |key: &str, message: &str, tree: &Tree| {
        let origin = tree.origin(key).unwrap_or_default();
        let hint = format!("say accessor.kind: one of {}", KINDS.join(", "));
        Problem::new(&origin, message).key(key).hint(hint)
    };
    let endpoint = tree.node("accessor.endpoint").is_some();
    let database = tree.node("accessor.database").is_some();
    let login = ["accessor.username", "accessor.password"].into_iter().find(|key| tree.node(key).is_some());
    let problem = match (endpoint, database, login) {
        (true, false, _) => return Some(Grpcapi),
        (false, true, _) | (false, false, None) => return Some(Embedded),
        (true, true, _) => ambiguous(
            "accessor.database",
            "accessor.endpoint is a remote core and accessor.database an embedded one",
            tree,
        ),
        (false, false, Some(key)) => ambiguous(key, &format!("{key} needs accessor.endpoint"), tree),
    };
    tree.problem(problem);
    None
}

/// Keys of another kind of core are accepted; nobody should believe that they do something.
fn warn_of_unused(tree: &mut Tree, kind: AccessorKind) {
    const REMOTE: [&str; 4] =
        ["accessor.endpoint", "accessor.username", "accessor.password", "accessor.ca_file"];
    const STORED: [&str; 2] = ["accessor.database", "accessor.durability"];
    if matches!(tree.origin("accessor.kind"), Some(super::error::Origin::Flag(_))) {
        return;
    }
    let unused: Vec<&str> = match kind {
        AccessorKind::Embedded => REMOTE.to_vec(),
        AccessorKind::Testframework => [REMOTE.as_slice(), &STORED].concat(),
        AccessorKind::Grpcapi => STORED.to_vec(),
    };
    for key in unused {
        if let Some(origin) = tree.origin(key) {
            let message = format!("{key} means nothing with accessor.kind: {}", kind.as_str());
            tree.warn(Problem::new(&origin, message).key(key));
        }
    }
}

/// The password, or the first line of the file that `@FILE` names.
fn read_password(tree: &mut Tree) -> Option<SecretString> {
    let node = tree.node("accessor.password")?;
    let text = node.text()?;
    let Some(file) = text.strip_prefix('@') else {
        return Some(text.into());
    };
    let path = node.origin.resolve(file);
    let problem = match std::fs::read_to_string(&path) {
        Ok(text) => match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
            Some(password) => return Some(password.into()),
            None => format!("the first line of the password file {} is empty", path.display()),
        },
        Err(error) => format!("cannot read the password file {}: {error}", path.display()),
    };
    let problem = Problem::new(&node.origin, problem).key("accessor.password");
    tree.problem(problem);
    None
}

/// `<service>.db`; a name is not a path, so separators in it are not.
fn default_database(service: &str) -> PathBuf {
    PathBuf::from(format!("{}.db", service.replace(['/', '\\'], "-")))
}
