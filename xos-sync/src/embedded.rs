//! Opening the embedded core.

use std::path::Path;

use xos_core::{EmbeddedCore, InUse};

use crate::config::{Config, Durability};
use crate::error::{ErrorKind, Result};

pub(crate) fn open(config: &Config, database: &Path, durability: Durability) -> Result<EmbeddedCore> {
    let durability = match durability {
        Durability::Normal => xos_core::Durability::Normal,
        Durability::Full => xos_core::Durability::Full,
    };
    let options = xos_core::Options { durability, ..xos_core::Options::default() };
    EmbeddedCore::open(database, options).map_err(|error| match InUse::of(&error) {
        Some(owner) => in_use(config, database, owner).into(),
        None => error.into(),
    })
}

pub(crate) fn in_memory() -> Result<EmbeddedCore> {
    Ok(EmbeddedCore::in_memory()?)
}

/// The core on a PostgreSQL database, which other programs may use at the same time.
#[cfg(feature = "postgres")]
pub(crate) async fn connect(url: &secrecy::SecretString) -> Result<EmbeddedCore> {
    use secrecy::ExposeSecret as _;

    tracing::info!(database = crate::config::postgres::shown(url), "connecting");
    let url = url.clone();
    let connecting = tokio::task::spawn_blocking(move || {
        EmbeddedCore::connect(url.expose_secret(), xos_core::Options::default())
    });
    Ok(connecting.await.map_err(crate::error::Error::other)??)
}

/// The socket beside a database file, unless another is configured.
pub(crate) fn socket_of(config: &Config, database: &Path) -> std::path::PathBuf {
    config.accessor.serving.socket.clone().unwrap_or_else(|| {
        let mut path = database.as_os_str().to_owned();
        path.push(".sock");
        path.into()
    })
}

/// Another program has the file: which, how to use it together with that one, and how to have it alone.
fn in_use(config: &Config, database: &Path, owner: &InUse) -> ErrorKind {
    let socket = socket_of(config, database);
    let shown = std::path::absolute(&socket).unwrap_or_else(|_| socket.clone());
    ErrorKind::InUse {
        database: database.display().to_string(),
        owner: owner.to_string(),
        pid: owner.pid,
        socket: shown.display().to_string(),
        is_served: matches!(crate::socket::look(&socket), crate::socket::Found::Served),
    }
}
