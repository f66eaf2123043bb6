//! The core that the configuration chooses, opened.

use std::sync::{Arc, Mutex};

use xos_model_client::ModelAccessor;
use xos_model_client::tosca::{Applied, Memory};

use crate::config::{Config, CoreChoice};
#[cfg(not(all(feature = "embedded", feature = "grpc")))]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::synchronizer::Synchronizer;

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
pub(crate) struct Core {
    pub(crate) accessor: Arc<dyn ModelAccessor>,
    /// Whether other programs load models into it too.
    pub(crate) is_remote: bool,
    #[cfg(feature = "embedded")]
    embedded: Option<xos_core::EmbeddedCore>,
}

impl Core {
    #[cfg_attr(
        not(feature = "grpc"),
        allow(clippy::unused_async, reason = "only a remote core is waited for")
    )]
    pub(crate) async fn open(config: &Config, service: &str) -> Result<Self> {
        match config.core(service) {
            #[cfg(feature = "embedded")]
            CoreChoice::Embedded { database, durability } => {
                Ok(Core::embedded(crate::embedded::open(&database, durability)?))
            }
            #[cfg(feature = "embedded")]
            CoreChoice::Memory => Ok(Core::embedded(crate::embedded::in_memory()?)),
            #[cfg(not(feature = "embedded"))]
            CoreChoice::Embedded { .. } | CoreChoice::Memory => {
                Err(ErrorKind::BuiltWithout { what: "the embedded core", feature: "embedded" }.into())
            }
            #[cfg(feature = "grpc")]
            CoreChoice::Remote { endpoint } => {
                let client = crate::remote::connect(config, endpoint).await?;
                Ok(Core {
                    accessor: Arc::new(client),
                    is_remote: true,
                    #[cfg(feature = "embedded")]
                    embedded: None,
                })
            }
            #[cfg(not(feature = "grpc"))]
            CoreChoice::Remote { .. } => {
                Err(ErrorKind::BuiltWithout { what: "the client of a remote core", feature: "grpc" }.into())
            }
        }
    }

    #[cfg(feature = "embedded")]
    fn embedded(core: xos_core::EmbeddedCore) -> Self {
        Core { accessor: Arc::new(core.clone()), is_remote: false, embedded: Some(core) }
    }

    /// Where it is kept what the recipe made: beside the objects, or in a file where the core has no place for it.
    #[cfg_attr(
        not(feature = "embedded"),
        allow(clippy::unused_self, reason = "only an embedded core has one")
    )]
    pub(crate) fn memory(&self, service: &Synchronizer, name: &str) -> Arc<dyn Memory> {
        let Some(recipe) = &service.recipe else { return in_process() };
        #[cfg(feature = "embedded")]
        if let Some(core) = &self.embedded {
            return Arc::new(crate::embedded::RecipeMemory::new(core.clone(), recipe));
        }
        Arc::new(crate::recipe::MemoryFile::of(name, recipe))
    }

    /// Lets the database go, so that it can be opened again at once.
    #[cfg_attr(
        not(feature = "embedded"),
        allow(clippy::unused_self, reason = "only an embedded core has one")
    )]
    pub(crate) fn close(&self) {
        #[cfg(feature = "embedded")]
        if let Some(core) = &self.embedded {
            core.close();
        }
    }
}

pub(crate) fn in_process() -> Arc<dyn Memory> {
    Arc::new(Mutex::new(Applied::default()))
}
