//! Opening the embedded core, and what is remembered in it.

use std::path::Path;

use async_trait::async_trait;
use xos_core::EmbeddedCore;
use xos_model_client::tosca::{Applied, Memory};
use xos_model_client::{Error, FieldFault, ObjectId};

use crate::config::Durability;
use crate::error::Result;

pub(crate) fn open(database: &Path, durability: Durability) -> Result<EmbeddedCore> {
    let durability = match durability {
        Durability::Normal => xos_core::Durability::Normal,
        Durability::Full => xos_core::Durability::Full,
    };
    let options = xos_core::Options { durability, ..xos_core::Options::default() };
    Ok(EmbeddedCore::open(database, options)?)
}

pub(crate) fn in_memory() -> Result<EmbeddedCore> {
    Ok(EmbeddedCore::in_memory()?)
}

/// Where the embedded core keeps what recipes made.
const NAMESPACE: &str = "recipe";

/// What a recipe made, remembered in the database that its objects are in.
pub(crate) struct RecipeMemory {
    core: EmbeddedCore,
    key: String,
}

impl RecipeMemory {
    /// The memory of the recipe in this file.
    pub(crate) fn new(core: EmbeddedCore, path: &Path) -> Self {
        // The absolute path, so that it does not matter from where the program is started.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        RecipeMemory { core, key: path.to_string_lossy().into_owned() }
    }
}

#[async_trait]
impl Memory for RecipeMemory {
    async fn load(&self) -> xos_model_client::Result<Applied> {
        let Some(text) = self.core.recall(NAMESPACE).await?.remove(&self.key) else {
            return Ok(Applied::default());
        };
        serde_json::from_value(text).map_err(|error| unreadable(&self.key, &error))
    }

    async fn store(&self, applied: &Applied) -> xos_model_client::Result<()> {
        let text = serde_json::to_value(applied).map_err(|error| unreadable(&self.key, &error))?;
        self.core.remember(NAMESPACE, &self.key, Some(text)).await
    }
}

fn unreadable(recipe: &str, error: &serde_json::Error) -> Error {
    let message = format!(
        "what the recipe {recipe} made is remembered in a form that this version cannot read: {error}"
    );
    let faults = vec![FieldFault::whole(message)];
    Error::invalid("recipe", ObjectId::UNSET, faults)
}
