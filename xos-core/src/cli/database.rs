//! Which database, and how it is opened.

use std::fmt;
use std::path::{Path, PathBuf};

use xos_core::{Durability, EmbeddedCore, Options};

use super::{Outcome, misuse};

/// The variable that names the database where the command line does not.
const VARIABLE: &str = "XOS_CORE_DB";

#[derive(clap::Args)]
pub(super) struct Database {
    /// SQLite file, created when missing, or postgres://USER@HOST/NAME [env: XOS_CORE_DB]
    ///
    /// A URL with a password is taken from the variable only: everybody can see the command line of a process.
    #[arg(long, value_name = "FILE|URL")]
    db: Option<String>,
    /// Unix socket to serve on, or to reach the server by [default: FILE.sock beside the database file]
    #[arg(long, value_name = "PATH")]
    unix: Option<PathBuf>,
}

/// A database.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Db {
    File(PathBuf),
    /// Its URL may hold a password.
    Postgres(String),
}

impl Database {
    /// The database; without one, the program ends.
    pub(super) fn db(&self) -> Db {
        if let Some(given) = &self.db {
            let db = Db::new(given);
            if db.has_password() {
                misuse(&format!(
                    "the URL in --db has a password, which everybody can see in the list of processes; set {VARIABLE} \
                     instead"
                ));
            }
            return db;
        }
        match std::env::var(VARIABLE) {
            Ok(text) if !text.is_empty() => Db::new(&text),
            Err(std::env::VarError::NotUnicode(_)) => misuse(&format!("{VARIABLE} is no text")),
            _ => misuse(&format!("no database: expected --db FILE or {VARIABLE}, such as --db core.db")),
        }
    }

    /// The socket: the one that was given, else the one beside the file.
    pub(super) fn socket(&self, db: &Db) -> Option<PathBuf> {
        self.unix.clone().or_else(|| db.socket())
    }

    /// Whether a socket was asked for expressly.
    pub(super) fn names_socket(&self) -> bool {
        self.unix.is_some()
    }
}

impl Db {
    fn new(text: &str) -> Self {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if is_url { Db::Postgres(text.to_owned()) } else { Db::File(text.into()) }
    }

    fn has_password(&self) -> bool {
        let Db::Postgres(url) = self else { return false };
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let user = place.rsplit_once('@').map_or("", |(user, _)| user);
        user.contains(':') || query.split('&').any(|part| part.starts_with("password="))
    }

    fn socket(&self) -> Option<PathBuf> {
        let Db::File(path) = self else { return None };
        let mut path = path.as_os_str().to_owned();
        path.push(".sock");
        Some(path.into())
    }

    /// The file, unless it is none.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Db::File(path) => Some(path),
            Db::Postgres(_) => None,
        }
    }

    /// Opens it.
    pub(super) async fn open(self, durability: Durability) -> Outcome<EmbeddedCore> {
        let options = Options { durability, ..Options::default() };
        match self {
            Db::File(path) => {
                let opened = tokio::task::spawn_blocking(move || EmbeddedCore::open(path, options));
                Ok(opened.await??)
            }
            Db::Postgres(url) => connect(url, options).await,
        }
    }
}

#[cfg(feature = "postgres")]
async fn connect(url: String, options: Options) -> Outcome<EmbeddedCore> {
    Ok(tokio::task::spawn_blocking(move || EmbeddedCore::connect(&url, options)).await??)
}

#[cfg(not(feature = "postgres"))]
async fn connect(url: String, _options: Options) -> Outcome<EmbeddedCore> {
    Err(format!("{} cannot be opened: this build has no PostgreSQL", Db::Postgres(url)).into())
}

/// As it may be shown to anybody: of a URL, only host and name.
impl fmt::Display for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Db::File(path) => write!(f, "{}", path.display()),
            Db::Postgres(url) => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let rest = rest.split(['?', '#']).next().unwrap_or_default();
                let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
                write!(f, "postgres://{place}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str, has_password: bool) {
        let db = Db::new(text);
        assert_eq!((db.to_string().as_str(), db.has_password()), (shown, has_password), "{text}");
    }

    #[test]
    fn a_password_is_found_and_never_shown() {
        check("core.db", "core.db", false);
        check("postgres://h/xos", "postgres://h/xos", false);
        check("postgres://me@h:5432/xos?sslmode=require", "postgres://h:5432/xos", false);
        check("postgresql://me:s@cret@h/xos", "postgres://h/xos", true);
        check("postgres://h/xos?user=me&password=secret", "postgres://h/xos", true);
    }

    #[test]
    fn the_socket_is_beside_the_file() {
        assert_eq!(Db::new("run/core.db").socket(), Some("run/core.db.sock".into()));
        assert_eq!(Db::new("postgres://h/xos").socket(), None);
    }
}
