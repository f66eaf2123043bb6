//! The doors of a program's own core: a Unix socket beside the database, and the network where that is wanted.

#[cfg(feature = "serve")]
mod engine_service;

#[cfg(feature = "serve")]
use std::path::{Path, PathBuf};
#[cfg(feature = "serve")]
use std::time::Duration;

#[cfg(feature = "serve")]
use tracing::warn;
#[cfg(feature = "serve")]
use xos_core::EmbeddedCore;
#[cfg(feature = "serve")]
use xos_core::server::{Accounts, Server, Serving, TlsFiles};

use crate::config::Config;
use crate::core::Core;
use crate::error::Result;
use crate::shell::questions::Desk;

/// How long calls that are under way may take when the program ends.
#[cfg(feature = "serve")]
const GRACE: Duration = Duration::from_secs(5);

/// A core that is served as long as this lives.
pub(crate) struct Served {
    #[cfg(feature = "serve")]
    serving: Option<Serving>,
}

impl Served {
    /// Lets calls end, and closes the doors.
    #[cfg_attr(not(feature = "serve"), allow(clippy::unused_async, reason = "there are no doors"))]
    pub(crate) async fn stop(self) {
        #[cfg(feature = "serve")]
        if let Some(serving) = self.serving {
            serving.stop(GRACE).await;
        }
    }

    /// Whether there is any door.
    #[cfg(feature = "serve")]
    pub(crate) fn is_open(&self) -> bool {
        self.serving.is_some()
    }
}

/// Without the feature nobody asks.
#[cfg(not(feature = "serve"))]
#[allow(clippy::unused_async, clippy::unnecessary_wraps, reason = "there are no doors")]
pub(crate) async fn serve(_: &Core, _: &Config, _: &str, desk: Option<Desk>) -> Result<Served> {
    drop(desk);
    Ok(Served {})
}

/// Opens the doors that the configuration asks for; a core in another process has its own. `desk` leads to the engine of
/// this program, if it has one.
///
/// # Errors
///
/// A door that was asked for cannot be opened. The socket beside the database was not asked for: when it cannot be
/// made, that is a warning.
#[cfg(feature = "serve")]
pub(crate) async fn serve(core: &Core, config: &Config, name: &str, desk: Option<Desk>) -> Result<Served> {
    let Some(embedded) = &core.embedded else { return Ok(Served { serving: None }) };
    let serving = &config.accessor.serving;
    let (socket, is_wanted) = match socket(config, name) {
        Some(socket) => (Some(socket), serving.socket.is_some()),
        None => (None, false),
    };
    let too_long = socket.as_deref().and_then(crate::socket::too_long);
    if let (Some(problem), true) = (&too_long, is_wanted) {
        return Err(crate::error::ErrorKind::Verb(problem.clone()).into());
    }
    if serving.listen.is_some() {
        admit(&embedded.core, config).await?;
    }
    let server = |socket: Option<&Path>| {
        let mut server = Server::new(embedded.core.clone()).extension(Box::new(embedded.recipes.clone()));
        if let Some(desk) = &desk {
            let service = engine_service::EngineService::new(embedded.core.clone(), desk.clone());
            server = server.extension(Box::new(service));
        }
        if let Some(socket) = socket {
            server = server.unix(crate::socket::short(socket));
        }
        match (serving.listen, &serving.listen_cert, &serving.listen_key) {
            (Some(address), Some(cert), Some(key)) => {
                server.tls(address, TlsFiles { cert: cert.clone(), key: key.clone(), client_ca: None })
            }
            (Some(address), _, _) => server.tcp(address),
            (None, _, _) => server,
        }
    };
    let problem = match (socket.as_deref(), too_long) {
        (Some(_), Some(problem)) => Some(problem),
        (Some(socket), None) => match server(Some(socket)).start().await {
            Ok(serving) => return Ok(Served { serving: Some(serving) }),
            Err(error) if is_wanted => return Err(error.into()),
            Err(error) => Some(error.to_string()),
        },
        (None, _) => None,
    };
    if let Some(problem) = problem {
        warn!("other programs cannot reach this core while this one runs: {problem}");
    }
    if serving.listen.is_none() {
        return Ok(Served { serving: None });
    }
    Ok(Served { serving: Some(server(None).start().await?) })
}

/// Where the socket of the core is that the configuration chooses.
#[cfg(feature = "serve")]
fn socket(config: &Config, name: &str) -> Option<PathBuf> {
    match config.core(name) {
        crate::config::CoreChoice::Embedded { database, .. } => {
            Some(crate::embedded::socket_of(config, &database))
        }
        _ => config.accessor.serving.socket.clone(),
    }
}

/// Sees to it that somebody can log in.
#[cfg(feature = "serve")]
async fn admit(core: &EmbeddedCore, config: &Config) -> Result<()> {
    let password = config.accessor.serving.admin_password.clone();
    let is_given = password.is_some();
    match Accounts::first_start(core, password).await {
        Ok(_) => Ok(()),
        Err(error) if !is_given && matches!(error.kind(), xos_model_client::ErrorKind::Unsupported(_)) => {
            let problem = "accessor.listen: nobody could log in, there is no administrator with a password yet; give \
                           one for the first start with accessor.admin_password, best as \"@FILE\", or in the \
                           variable XOS_SYNC_ACCESSOR__ADMIN_PASSWORD";
            Err(crate::error::ErrorKind::Verb(problem.to_owned()).into())
        }
        Err(error) => Err(error.into()),
    }
}
