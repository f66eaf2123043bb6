//! What a recipe made, as it is remembered.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::ModelName;
use crate::value::{ObjectId, Value};

/// Which object each node of a recipe was, when the recipe was last applied.
///
/// The caller keeps it, usually in the database that the objects are in. Without it a node that left the recipe
/// cannot be deleted, and a changed key makes a second object.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Applied {
    /// By the name of the node.
    pub nodes: BTreeMap<String, AppliedNode>,
}

/// The object that a node was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppliedNode {
    /// The model that the node named.
    pub model: ModelName,
    /// The object; unset while it is being created, so that a crash in between is noticed.
    pub id: ObjectId,
    /// Whether the recipe created it: only then is it deleted when the node leaves the recipe.
    pub created: bool,
    /// What it is found by after a crash. Only there while `id` is unset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub key: BTreeMap<String, Value>,
    /// The fields in which the core stored something else than it was asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settled: BTreeMap<String, Settled>,
}

/// A field in which the core stored something else than it was asked for, such as the addresses of a CIDR.
///
/// As long as both stay as they are, there is nothing to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// What the recipe says.
    pub asked: Value,
    /// What the core made of it.
    pub stored: Value,
}

/// Where [`Applied`] is kept.
///
/// # Guarantees
///
/// [`Recipe::apply`](super::Recipe::apply) stores it before each creation and once at the end; nothing is stored when
/// nothing changed. Two recipes need two memories.
#[async_trait]
pub trait Memory: Send + Sync {
    /// What was stored last; empty the first time.
    ///
    /// # Errors
    ///
    /// It cannot be read: nothing is written then.
    async fn load(&self) -> Result<Applied>;

    /// Keeps it, durably.
    ///
    /// # Errors
    ///
    /// It cannot be stored: the recipe is not applied any further.
    async fn store(&self, applied: &Applied) -> Result<()>;
}

/// A memory that ends with the process: for tests.
#[async_trait]
impl Memory for Mutex<Applied> {
    async fn load(&self) -> Result<Applied> {
        Ok(self.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn store(&self, applied: &Applied) -> Result<()> {
        *self.lock().unwrap_or_else(PoisonError::into_inner) = applied.clone();
        Ok(())
    }
}
