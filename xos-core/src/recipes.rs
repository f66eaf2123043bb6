//! Recipes, applied to an embedded core one after the other, and what each made.

mod outcome;
#[cfg(feature = "server")]
mod service;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use xos_model_client::tosca::{Applied, Memory, Plan, Recipe, RecipeError, Report};
use xos_model_client::{Error, FieldFault, ObjectId, Result};

pub use self::outcome::Outcome;
use crate::EmbeddedCore;

/// Where the embedded core keeps what recipes made.
const NAMESPACE: &str = "recipe";

/// Recipes of one core: applied one after the other, and remembered in the database that their objects are in.
///
/// A recipe is known by the path of its file, so that applying it from the program that has the database open, or from
/// another one through the socket, is the same: both are done here. A clone is the same.
///
/// # Guarantees
///
/// Two applications never mix: neither a change of the file that is being watched and a person who applies it, nor two
/// persons, make an object twice.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use xos_core::{EmbeddedCore, Recipes};
/// use xos_model_client::tosca::Recipe;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let text = "
/// tosca_definitions_version: tosca_simple_yaml_1_0
/// topology_template:
///   node_templates:
///     service: {type: tosca.nodes.Service, properties: {name: hello}}
/// ";
/// let recipes = Recipes::new(EmbeddedCore::in_memory()?);
/// let path = Path::new("hello.yaml");
/// let report = recipes.apply(&Recipe::parse(text, "hello.yaml")?, path).await?;
/// assert_eq!(report.nodes.len(), 1);
/// assert!(recipes.apply(&Recipe::parse(text, "hello.yaml")?, path).await?.wrote_nothing());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Recipes {
    core: EmbeddedCore,
    turn: Arc<Mutex<()>>,
}

impl Recipes {
    /// The recipes of this core. Make one, and clone it: two that are made apart do not wait for each other.
    pub fn new(core: EmbeddedCore) -> Self {
        Recipes { core, turn: Arc::default() }
    }

    /// Makes the core match the recipe that is in the file `path`; the file itself is not read.
    ///
    /// # Errors
    ///
    /// As [`Recipe::apply`].
    pub async fn apply(&self, recipe: &Recipe, path: &Path) -> Result<Report, RecipeError> {
        let _turn = self.turn.lock().await;
        recipe.apply(&self.core, &Remembered::new(&self.core, path)).await
    }

    /// What [`apply`](Recipes::apply) would do.
    ///
    /// # Errors
    ///
    /// As [`Recipe::plan`].
    pub async fn plan(&self, recipe: &Recipe, path: &Path) -> Result<Plan, RecipeError> {
        let applied = Remembered::new(&self.core, path).load().await?;
        recipe.plan(&self.core, &applied).await
    }
}

/// What one recipe made.
struct Remembered<'a> {
    core: &'a EmbeddedCore,
    key: String,
}

impl<'a> Remembered<'a> {
    fn new(core: &'a EmbeddedCore, path: &Path) -> Self {
        // The absolute path, so that it does not matter from where the program is started.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Remembered { core, key: path.to_string_lossy().into_owned() }
    }

    fn unreadable(&self, error: &serde_json::Error) -> Error {
        let message = format!(
            "what the recipe {} made is remembered in a form that this version cannot read: {error}",
            self.key
        );
        Error::invalid("recipe", ObjectId::UNSET, vec![FieldFault::whole(message)])
    }
}

#[async_trait]
impl Memory for Remembered<'_> {
    async fn load(&self) -> Result<Applied> {
        let Some(value) = self.core.recall_one(NAMESPACE, &self.key).await? else {
            return Ok(Applied::default());
        };
        serde_json::from_value(value).map_err(|error| self.unreadable(&error))
    }

    async fn store(&self, applied: &Applied) -> Result<()> {
        let value = serde_json::to_value(applied).map_err(|error| self.unreadable(&error))?;
        self.core.remember(NAMESPACE, &self.key, Some(value)).await
    }
}
