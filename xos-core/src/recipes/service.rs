//! The service `xos_core.Recipes`: another process of this user has its recipe applied here, or applies it itself and
//! has it remembered here.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use xos_model_client::tosca::{Memory as _, Recipe};

use super::{Outcome, Recipes, Remembered};
use crate::server::Extension;

impl Recipes {
    /// The name of the service that applies recipes for other processes of this user.
    pub const SERVICE: &'static str = "xos_core.Recipes";

    /// The message of a call of `/xos_core.Recipes/Apply`: a recipe's text, the absolute path it is remembered by, the
    /// name that faults are reported with, and whether nothing is to be written. The answer is an [`Outcome`].
    pub fn request(text: &str, path: &str, name: &str, dry_run: bool) -> Vec<u8> {
        json!({"text": text, "path": path, "name": name, "dry_run": dry_run}).to_string().into_bytes()
    }

    async fn answer(&self, message: &Json) -> Option<Outcome> {
        let text = |key: &str| message.get(key).and_then(Json::as_str).map(str::to_owned);
        let (recipe, path, name) = (text("text")?, PathBuf::from(text("path")?), text("name")?);
        // A long recipe takes its time.
        let parsed = tokio::task::spawn_blocking(move || Recipe::parse(&recipe, &name)).await.ok()?;
        let recipe = match parsed {
            Ok(recipe) => recipe,
            Err(fault) => return Some(Outcome::of_apply(&Err(fault.into()))),
        };
        Some(if message.get("dry_run").and_then(Json::as_bool).unwrap_or(false) {
            Outcome::of_plan(&self.plan(&recipe, &path).await)
        } else {
            Outcome::of_apply(&self.apply(&recipe, &path).await)
        })
    }
}

#[async_trait]
impl Extension for Recipes {
    fn service(&self) -> &'static str {
        Recipes::SERVICE
    }

    async fn call(&self, method: &str, message: &[u8]) -> Result<Vec<u8>, String> {
        let expected =
            || "expected JSON with the path of a recipe, and for Apply its text and name".to_owned();
        let message: Json = serde_json::from_slice(message).map_err(|_| expected())?;
        let path = message.get("path").and_then(Json::as_str).ok_or_else(expected)?;
        let remembered = Remembered::new(&self.core, Path::new(path));
        let failed = |error: xos_model_client::Error| error.to_string();
        match method {
            "Apply" => Ok(self.answer(&message).await.ok_or_else(expected)?.to_message()),
            "Load" => {
                let applied = remembered.load().await.map_err(failed)?;
                serde_json::to_vec(&applied).map_err(|error| error.to_string())
            }
            "Store" => {
                let applied = message.get("applied").cloned().ok_or_else(expected)?;
                let applied = serde_json::from_value(applied).map_err(|error| error.to_string())?;
                remembered.store(&applied).await.map_err(failed)?;
                Ok(Vec::new())
            }
            _ => Err(format!("{} has no method {method}; expected Apply, Load or Store", Recipes::SERVICE)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EmbeddedCore;

    const SITE: &str = "
tosca_definitions_version: tosca_simple_yaml_1_0
topology_template:
  node_templates:
    site:
      type: tosca.nodes.Site
      properties: {name: mine, login_base: my, abbreviated_name: my}
";
    const EMPTY: &str =
        "{tosca_definitions_version: tosca_simple_yaml_1_0, topology_template: {node_templates: {}}}";

    async fn call(recipes: &Recipes, text: &str, dry_run: bool) -> Outcome {
        let request = Recipes::request(text, "/a.yaml", "a.yaml", dry_run);
        Outcome::from_message(&recipes.call("Apply", &request).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn what_was_applied_here_is_remembered_for_a_caller_and_the_other_way_round() {
        let recipes = Recipes::new(EmbeddedCore::in_memory().unwrap());
        let path = std::path::Path::new("/a.yaml");
        recipes.apply(&Recipe::parse(SITE, "a.yaml").unwrap(), path).await.unwrap();
        let again = call(&recipes, SITE, false).await;
        assert_eq!(again.lines, ["unchanged site (Site 1)"]);
        let plan = call(&recipes, EMPTY, true).await;
        assert_eq!((plan.lines.as_slice(), plan.wrote), (&["delete    site (Site 1)".to_owned()][..], false));
        assert_eq!(call(&recipes, EMPTY, false).await.lines, ["deleted   site (Site 1)"]);
        let report = recipes.apply(&Recipe::parse(SITE, "a.yaml").unwrap(), path).await.unwrap();
        assert!(!report.wrote_nothing());
    }

    #[tokio::test]
    async fn two_applications_at_once_make_one_object() {
        let recipes = Recipes::new(EmbeddedCore::in_memory().unwrap());
        let service = SITE.replace("Site", "Service").replace(", login_base: my, abbreviated_name: my", "");
        let (one, other) = tokio::join!(call(&recipes, &service, false), call(&recipes, &service, false));
        assert!(one.wrote != other.wrote, "{one:?} {other:?}");
    }

    #[tokio::test]
    async fn what_another_process_made_is_remembered_under_the_same_path() {
        let core = EmbeddedCore::in_memory().unwrap();
        let recipes = Recipes::new(core.clone());
        // As a program does that has this core at the other end of the socket.
        let memory = std::sync::Mutex::new(xos_model_client::tosca::Applied::default());
        Recipe::parse(SITE, "a.yaml").unwrap().apply(&core, &memory).await.unwrap();
        let applied = memory.into_inner().unwrap();
        let store = json!({"path": "/a.yaml", "applied": applied}).to_string();
        recipes.call("Store", store.as_bytes()).await.unwrap();
        let loaded = recipes.call("Load", br#"{"path": "/a.yaml"}"#).await.unwrap();
        assert_eq!(serde_json::from_slice::<xos_model_client::tosca::Applied>(&loaded).unwrap(), applied);
        assert_eq!(call(&recipes, EMPTY, false).await.lines, ["deleted   site (Site 1)"]);
    }

    #[tokio::test]
    async fn nonsense_is_told() {
        let recipes = Recipes::new(EmbeddedCore::in_memory().unwrap());
        let fault = call(&recipes, &SITE.replace("nodes.Site", "nodes.Sight"), false).await.problem.unwrap();
        assert!(fault.contains("a.yaml:6") && fault.contains("Sight"), "{fault}");
        assert!(call(&recipes, "[", true).await.problem.is_some());
        assert!(recipes.call("Apply", b"{}").await.unwrap_err().contains("JSON"));
        assert!(recipes.call("Fly", br#"{"path": "/a"}"#).await.unwrap_err().contains("Fly"));
    }
}
