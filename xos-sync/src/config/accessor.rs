//! Which core a synchronizer uses and how to reach it: the section `accessor`.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::error::Problem;
use super::keys::KINDS;
use super::postgres;
use super::serving::{self, Serving};
use super::tree::Tree;

/// Where the Python framework expects a core when no endpoint is given.
pub const DEFAULT_ENDPOINT: &str = "xos-core.cord.lab:50051";

/// Which core to use and how to reach it; [`choose`](Accessor::choose) makes one decision of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Accessor {
    /// The kind of core. Loading a file resolves the default: a remote one where an endpoint is given.
    pub kind: AccessorKind,
    /// Database file of the embedded core; unset: `<name>.db` in the current folder.
    pub database: Option<PathBuf>,
    /// URL of the PostgreSQL database of the embedded core, instead of a file; never printed.
    pub postgres: Option<SecretString>,
    /// What a write of the embedded core survives.
    pub durability: Durability,
    /// Where the embedded core is served to other programs.
    pub serving: Serving,
    /// `host:port` of a remote core, with TLS; `http://host:port` is without.
    pub endpoint: Option<String>,
    /// User name at a remote core.
    pub username: Option<String>,
    /// Password at a remote core; never printed.
    pub password: Option<SecretString>,
    /// The file that the password was read from: it is read again when the core does not take the password any more.
    pub password_file: Option<PathBuf>,
    /// How the user is shown to a remote core.
    pub login: Login,
    /// Certificate of the authority that signed the remote core's certificate.
    pub ca_file: Option<PathBuf>,
    /// The name in the remote core's certificate, where it is not the endpoint's host.
    pub server_name: Option<String>,
    /// Certificate that a remote core asks of its clients.
    pub cert_file: Option<PathBuf>,
    /// Key of that certificate.
    pub key_file: Option<PathBuf>,
    /// How long a remote core may take for one object.
    pub call_deadline: Duration,
    /// How long a remote core may take for a list; the core 4.0.4 needs about 10 ms for each object.
    pub list_deadline: Duration,
    /// How long connecting to a remote core may take.
    pub connect_timeout: Duration,
    /// How many calls are made to a remote core at the same time; the core 4.0.4 gets slower above 4.
    pub in_flight: usize,
    /// The largest answer that is taken from a remote core, in MiB.
    pub max_message_size: usize,
}

impl Default for Accessor {
    fn default() -> Self {
        Accessor {
            kind: AccessorKind::default(),
            database: None,
            postgres: None,
            durability: Durability::default(),
            serving: Serving::default(),
            endpoint: None,
            username: None,
            password: None,
            password_file: None,
            login: Login::default(),
            ca_file: None,
            server_name: None,
            cert_file: None,
            key_file: None,
            call_deadline: Duration::from_secs(30),
            list_deadline: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(5),
            in_flight: 4,
            max_message_size: 64,
        }
    }
}

/// How the user is shown to a remote core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Login {
    /// With each call, unless the password has a colon, which the core 4.0.4 takes only at a login.
    #[default]
    Auto,
    /// With each call.
    Basic,
    /// By a login and its session.
    Session,
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
    /// The embedded core on a PostgreSQL database.
    Postgres {
        /// Its URL, which may hold a password.
        url: SecretString,
    },
    /// The embedded core in memory.
    Memory,
    /// A core on the network; how to speak to it is in [`Accessor`].
    Remote {
        /// `host:port`, with `http://` before it for a core without TLS; or `unix:` and the path of a socket.
        endpoint: String,
    },
}

impl Accessor {
    /// One decision of all the settings; `service` names the default database file.
    pub fn choose(&self, service: &str) -> CoreChoice {
        match self.kind {
            AccessorKind::Embedded => match &self.postgres {
                Some(url) => CoreChoice::Postgres { url: url.clone() },
                None => CoreChoice::Embedded {
                    database: self.database.clone().unwrap_or_else(|| default_database(service)),
                    durability: self.durability,
                },
            },
            AccessorKind::Testframework => CoreChoice::Memory,
            AccessorKind::Grpcapi => CoreChoice::Remote {
                endpoint: self.endpoint.clone().unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
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
        let (password, password_file) =
            if kind == AccessorKind::Grpcapi { read_secret(tree, "accessor.password") } else { (None, None) };
        needs_the_other(tree, ["accessor.cert_file", "accessor.key_file"]);
        if kind == AccessorKind::Grpcapi {
            needs_the_other(tree, ["accessor.username", "accessor.password"]);
        }
        let default = Self::default();
        let is_url =
            tree.node("accessor.database").and_then(|node| node.text()).is_some_and(postgres::is_url);
        Self {
            kind,
            database: if is_url { None } else { tree.get("accessor.database") },
            postgres: if kind == AccessorKind::Embedded { postgres::read(tree) } else { None },
            serving: Serving::read(tree, kind),
            durability: if full { Durability::Full } else { Durability::Normal },
            endpoint: tree.get("accessor.endpoint"),
            username: tree.get("accessor.username"),
            password,
            password_file,
            login: match tree.get::<String>("accessor.login").as_deref() {
                Some("basic") => Login::Basic,
                Some("session") => Login::Session,
                _ => Login::Auto,
            },
            ca_file: tree.get("accessor.ca_file"),
            server_name: tree.get("accessor.server_name"),
            cert_file: tree.get("accessor.cert_file"),
            key_file: tree.get("accessor.key_file"),
            call_deadline: tree.get("accessor.call_deadline").unwrap_or(default.call_deadline),
            list_deadline: tree.get("accessor.list_deadline").unwrap_or(default.list_deadline),
            connect_timeout: tree.get("accessor.connect_timeout").unwrap_or(default.connect_timeout),
            in_flight: tree.get("accessor.in_flight").unwrap_or(default.in_flight),
            max_message_size: tree.get("accessor.max_message_size").unwrap_or(default.max_message_size),
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
    const REMOTE: [&str; 14] = [
        "models_dir",
        "accessor.endpoint",
        "accessor.username",
        "accessor.password",
        "accessor.login",
        "accessor.ca_file",
        "accessor.server_name",
        "accessor.cert_file",
        "accessor.key_file",
        "accessor.call_deadline",
        "accessor.list_deadline",
        "accessor.connect_timeout",
        "accessor.in_flight",
        "accessor.max_message_size",
    ];
    const STORED: [&str; 2] = ["accessor.database", "accessor.durability"];
    if matches!(tree.origin("accessor.kind"), Some(super::error::Origin::Flag(_))) {
        return;
    }
    let unused: Vec<&str> = match kind {
        AccessorKind::Embedded => REMOTE.to_vec(),
        AccessorKind::Testframework => [REMOTE.as_slice(), &STORED].concat(),
        AccessorKind::Grpcapi => [STORED.as_slice(), &serving::KEYS].concat(),
    };
    for key in unused {
        if let Some(origin) = tree.origin(key) {
            let message = format!("{key} means nothing with accessor.kind: {}", kind.as_str());
            tree.warn(Problem::new(&origin, message).key(key));
        }
    }
}

/// The password under this key, or the first line of the file that `@FILE` names, and that file.
pub(super) fn read_secret(tree: &mut Tree, key: &'static str) -> (Option<SecretString>, Option<PathBuf>) {
    let Some(node) = tree.node(key) else { return (None, None) };
    let Some(text) = node.text() else { return (None, None) };
    let Some(file) = text.strip_prefix('@') else {
        return (Some(text.into()), None);
    };
    let path = node.origin.resolve(file);
    let problem = match std::fs::read_to_string(&path) {
        Ok(text) => match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
            Some(password) => return (Some(password.into()), Some(path)),
            None => format!("the first line of the password file {} is empty", path.display()),
        },
        Err(error) => format!("cannot read the password file {}: {error}", path.display()),
    };
    let problem = Problem::new(&node.origin, problem).key(key);
    tree.problem(problem);
    (None, None)
}

/// Of two keys neither is worth anything without the other.
pub(super) fn needs_the_other(tree: &mut Tree, keys: [&str; 2]) {
    let (origin, key, other) = match keys.map(|key| tree.origin(key)) {
        [Some(origin), None] => (origin, keys[0], keys[1]),
        [None, Some(origin)] => (origin, keys[1], keys[0]),
        _ => return,
    };
    tree.problem(Problem::new(&origin, format!("{key} needs {other}")).key(key));
}

/// `<service>.db`; a name is not a path, so separators in it are not.
fn default_database(service: &str) -> PathBuf {
    PathBuf::from(format!("{}.db", service.replace(['/', '\\'], "-")))
}
