//! The way of a verb to the objects: a second process goes through the socket of the one that has the database, else it
//! opens the file.

#[cfg(feature = "serve")]
mod line;

use std::sync::Arc;

use xos_model_client::ModelAccessor;

use crate::config::{Config, CoreChoice};
use crate::core::Core;
use crate::error::{ErrorKind, Result};

#[cfg(feature = "serve")]
pub(crate) use self::line::{ENGINE, Line, memory_beside_objects};

/// The way of a verb to the objects.
pub(crate) enum Door {
    /// The core is in this process, and nobody else has it.
    Mine(Core),
    /// The file is only looked at.
    #[cfg(feature = "embedded")]
    Look(xos_core::EmbeddedCore),
    /// The core is in another process of this machine.
    #[cfg(feature = "serve")]
    Socket { accessor: Arc<dyn ModelAccessor>, line: Line },
    /// The core is somewhere on the network.
    #[cfg(feature = "grpc")]
    Remote(Core),
}

impl Door {
    /// A way to look at objects, also while another process has them.
    ///
    /// # Errors
    ///
    /// There is no such database, it cannot be read, or a core on the network is away.
    pub(crate) async fn to_look(config: &Config, name: &str) -> Result<Self> {
        match config.core(name) {
            #[cfg(feature = "embedded")]
            CoreChoice::Embedded { database, .. } => {
                #[cfg(feature = "serve")]
                if let Some(door) =
                    line::through(config, &crate::embedded::socket_of(config, &database)).await?
                {
                    return Ok(door);
                }
                if !database.exists() {
                    let problem =
                        "there is no such database; run the synchronizer first, or name another with --db";
                    let (path, problem) = (database.display().to_string(), problem.to_owned());
                    return Err(ErrorKind::File { path, problem }.into());
                }
                Ok(Door::Look(xos_core::EmbeddedCore::open_read_only(&database)?))
            }
            other => Door::elsewhere(config, name, other).await,
        }
    }

    /// A way to change objects. A core that is in this process has the models that it had before, no others.
    ///
    /// # Errors
    ///
    /// As [`to_look`](Door::to_look); and another process has the file and does not serve it.
    pub(crate) async fn to_change(config: &Config, name: &str) -> Result<Self> {
        match config.core(name) {
            #[cfg(feature = "serve")]
            CoreChoice::Embedded { database, .. } => {
                line::through_or_open(config, name, &crate::embedded::socket_of(config, &database)).await
            }
            #[cfg(all(feature = "embedded", not(feature = "serve")))]
            CoreChoice::Embedded { .. } => Ok(Door::Mine(Core::open(config, name).await?)),
            other => Door::elsewhere(config, name, other).await,
        }
    }

    async fn elsewhere(config: &Config, name: &str, choice: CoreChoice) -> Result<Self> {
        match choice {
            CoreChoice::Memory => {
                #[cfg(feature = "serve")]
                if let Some(socket) = &config.accessor.serving.socket
                    && let Some(door) = line::through(config, socket).await?
                {
                    return Ok(door);
                }
                let problem = "accessor.kind: testframework: the objects are in the memory of the program that runs; \
                               nothing serves them on accessor.socket";
                Err(ErrorKind::Verb(problem.to_owned()).into())
            }
            #[cfg(feature = "serve")]
            CoreChoice::Remote { endpoint } if endpoint.starts_with("unix:") => {
                line::named(config, endpoint).await
            }
            #[cfg(feature = "grpc")]
            CoreChoice::Remote { endpoint } => {
                let client = crate::remote::connect_soon(config, endpoint).await?;
                Ok(Door::Remote(Core::remote(client)))
            }
            _ => Ok(Door::Mine(Core::open(config, name).await?)),
        }
    }

    /// The objects.
    pub(crate) fn accessor(&self) -> Arc<dyn ModelAccessor> {
        match self {
            Door::Mine(core) => core.accessor.clone(),
            #[cfg(feature = "embedded")]
            Door::Look(core) => Arc::new(core.clone()),
            #[cfg(feature = "serve")]
            Door::Socket { accessor, .. } => accessor.clone(),
            #[cfg(feature = "grpc")]
            Door::Remote(core) => core.accessor.clone(),
        }
    }
}
