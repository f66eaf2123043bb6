//! The core that the configuration chooses, opened.

use std::path::Path;
use std::sync::{Arc, Mutex};

use xos_model_client::ModelAccessor;
use xos_model_client::tosca::{Applied, Memory};

use crate::config::{Config, CoreChoice};
use crate::door::Door;
#[cfg(not(all(feature = "embedded", feature = "grpc", feature = "postgres")))]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::recipe::{Applier, MemoryFile};

/// Opens the core that the configuration chooses. A core on the network is waited for.
///
/// # Errors
///
/// An embedded core that cannot be opened; a remote one that does not take the user or the certificates that are
/// configured.
pub async fn open_core(config: &Config, service: &str) -> Result<Arc<dyn ModelAccessor>> {
    Ok(Core::open(config, service).await?.accessor)
}

/// A core that was opened here.
#[derive(Clone)]
pub(crate) struct Core {
    pub(crate) accessor: Arc<dyn ModelAccessor>,
    /// Whether other programs load models into it too.
    pub(crate) is_remote: bool,
    #[cfg(feature = "embedded")]
    pub(crate) embedded: Option<Embedded>,
}

/// The core inside this process.
#[cfg(feature = "embedded")]
#[derive(Clone)]
pub(crate) struct Embedded {
    pub(crate) core: xos_core::EmbeddedCore,
    pub(crate) recipes: xos_core::Recipes,
}

impl Core {
    #[cfg_attr(
        not(any(feature = "grpc", feature = "postgres")),
        allow(clippy::unused_async, reason = "only a core on the network is waited for")
    )]
    pub(crate) async fn open(config: &Config, service: &str) -> Result<Self> {
        match config.core(service) {
            #[cfg(feature = "embedded")]
            CoreChoice::Embedded { database, durability } => {
                Ok(Core::embedded(crate::embedded::open(config, &database, durability)?, false))
            }
            #[cfg(feature = "embedded")]
            CoreChoice::Memory => Ok(Core::embedded(crate::embedded::in_memory()?, false)),
            #[cfg(not(feature = "embedded"))]
            CoreChoice::Embedded { .. } | CoreChoice::Memory => {
                Err(ErrorKind::BuiltWithout { what: "the embedded core", feature: "embedded" }.into())
            }
            #[cfg(feature = "postgres")]
            CoreChoice::Postgres { url } => {
                // Another program may load its models into the same database.
                Ok(Core::embedded(crate::embedded::connect(&url).await?, true))
            }
            #[cfg(not(feature = "postgres"))]
            CoreChoice::Postgres { .. } => {
                Err(ErrorKind::BuiltWithout { what: "PostgreSQL", feature: "postgres" }.into())
            }
            #[cfg(feature = "grpc")]
            CoreChoice::Remote { endpoint } => {
                Ok(Core::remote(crate::remote::connect(config, endpoint).await?))
            }
            #[cfg(not(feature = "grpc"))]
            CoreChoice::Remote { .. } => {
                Err(ErrorKind::BuiltWithout { what: "the client of a remote core", feature: "grpc" }.into())
            }
        }
    }

    #[cfg(feature = "embedded")]
    fn embedded(core: xos_core::EmbeddedCore, is_shared: bool) -> Self {
        let embedded = Embedded { recipes: xos_core::Recipes::new(core.clone()), core: core.clone() };
        Core { accessor: Arc::new(core), is_remote: is_shared, embedded: Some(embedded) }
    }

    /// The core behind a door that leads to changes.
    pub(crate) fn of(door: &Door) -> Self {
        match door {
            Door::Mine(core) => core.clone(),
            #[cfg(feature = "grpc")]
            Door::Remote(core) => core.clone(),
            #[cfg(feature = "embedded")]
            Door::Look(_) => Core::foreign(door.accessor()),
            #[cfg(feature = "serve")]
            Door::Socket { .. } => Core::foreign(door.accessor()),
        }
    }

    #[cfg(feature = "grpc")]
    pub(crate) fn remote(client: xos_model_client::grpc::CoreClient) -> Self {
        Core::foreign(Arc::new(client))
    }

    /// A core in another process.
    #[cfg(any(feature = "embedded", feature = "grpc"))]
    fn foreign(accessor: Arc<dyn ModelAccessor>) -> Self {
        Core {
            accessor,
            is_remote: true,
            #[cfg(feature = "embedded")]
            embedded: None,
        }
    }

    /// How a recipe is applied to it: what the recipe made is remembered beside the objects, or in a file where the core
    /// has no place for it.
    #[cfg_attr(
        not(feature = "serve"),
        allow(clippy::unused_async, reason = "only a core at the other end of a socket is asked")
    )]
    pub(crate) async fn applier(&self, config: &Config, name: &str, recipe: &Path) -> Result<Applier> {
        #[cfg(feature = "embedded")]
        if let Some(embedded) = &self.embedded {
            return Ok(Applier::Embedded(embedded.recipes.clone()));
        }
        #[cfg(feature = "serve")]
        if let Some(memory) = crate::door::memory_beside_objects(config, name, recipe).await? {
            return Ok(Applier::Other { accessor: self.accessor.clone(), memory });
        }
        let _ = config;
        let memory = Arc::new(MemoryFile::of(name, recipe));
        Ok(Applier::Other { accessor: self.accessor.clone(), memory })
    }

    /// Lets the database go, so that it can be opened again at once.
    #[cfg_attr(
        not(feature = "embedded"),
        allow(clippy::unused_self, reason = "only an embedded core has one")
    )]
    pub(crate) fn close(&self) {
        #[cfg(feature = "embedded")]
        if let Some(embedded) = &self.embedded {
            embedded.core.close();
        }
    }
}

pub(crate) fn in_process() -> Arc<dyn Memory> {
    Arc::new(Mutex::new(Applied::default()))
}
