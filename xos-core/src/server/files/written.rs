//! The xproto of models that came without: written from their definitions, once for each generation of the schema.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tonic::Status;
use xos_model_client::{ModelDef, xproto};

use crate::EmbeddedCore;
use crate::server::policies::core_policies;
use crate::store::Catalog;

/// The name under which the core's own models are.
pub(super) const CORE: &str = "core";

/// The texts of one generation, by the name of the service.
type Texts = Arc<BTreeMap<String, String>>;

pub(super) struct Written {
    core: EmbeddedCore,
    /// Those of the last generation that was asked for.
    last: Mutex<Option<(u64, Texts)>>,
}

impl Written {
    pub(super) fn new(core: EmbeddedCore) -> Self {
        Written { core, last: Mutex::new(None) }
    }

    /// The texts of all services that are loaded now.
    pub(super) async fn texts(&self) -> Result<Texts, Status> {
        let catalog = self.core.catalog();
        let generation = catalog.generation;
        let known = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, texts)) = known.filter(|(known, _)| *known == generation) {
            return Ok(texts);
        }
        let texts =
            tokio::task::spawn_blocking(move || Arc::new(write(&catalog))).await.map_err(|error| {
                Status::internal(format!("the models could not be written as xproto: {error}"))
            })?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((generation, texts.clone()));
        Ok(texts)
    }
}

fn write(catalog: &Catalog) -> BTreeMap<String, String> {
    let mut services: BTreeMap<&str, Vec<&ModelDef>> = BTreeMap::new();
    for model in catalog.stored.iter().flatten() {
        services.entry(&model.service).or_default().push(&model.def);
    }
    let text = |(service, models): (&str, Vec<&ModelDef>)| {
        // Services that came without files have no policies but those of the core.
        let policies = match core_policies() {
            Ok(document) if service == CORE => document.policies().cloned().collect(),
            _ => Vec::new(),
        };
        let options = xproto::WriteOptions { policies, describe: xproto::Describe::InOption };
        let text = xproto::write(models, &options).unwrap_or_else(|findings| {
            tracing::warn!(service, %findings, "the models of a service cannot be written as xproto");
            format!("// The models of {service} cannot be written as xproto.\n")
        });
        (service.to_owned(), text)
    };
    services.into_iter().map(text).collect()
}
