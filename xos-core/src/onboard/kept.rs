//! What is kept of a service beside its models: its files, and that it was there once it is unloaded.
//!
//! It is written in the transaction that loads or unloads the models, so that both always agree.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use xos_model_client::ServiceFiles;

use crate::store::{Outcome, Store};

/// The namespace in which it is remembered, by the name of the service.
pub(crate) const KEPT: &str = "xos_core.service";

/// What is kept of a service. A service that was loaded without files has nothing kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The version that was loaded last.
    pub(crate) version: String,
    /// Whether its models were unloaded.
    #[serde(default)]
    pub(crate) unloaded: bool,
    /// Its files, as they came.
    #[serde(default)]
    pub(crate) files: ServiceFiles,
}

impl Kept {
    /// Of a service with files.
    pub(super) fn loaded(version: &str, files: &ServiceFiles) -> Option<Json> {
        (*files != ServiceFiles::default()).then(|| {
            let kept = Kept { version: version.to_owned(), unloaded: false, files: files.clone() };
            kept.to_json()
        })
    }

    /// Of a service whose models are gone: its files are forgotten.
    pub(super) fn unloaded(version: &str) -> Json {
        Kept { version: version.to_owned(), unloaded: true, files: ServiceFiles::default() }.to_json()
    }

    fn to_json(&self) -> Json {
        // Strings and lists of them: there is nothing that JSON cannot say.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// As it was remembered.
    #[cfg(feature = "server")]
    pub(crate) fn of_json(value: Json) -> Option<Self> {
        serde_json::from_value(value).ok()
    }
}

/// What a load or unload does to what is kept of a service.
#[derive(Clone, Debug)]
pub(super) enum Keep {
    /// It stays as it is.
    AsItIs,
    /// It becomes this; nothing when it is `None`.
    Now(Option<Json>),
}

impl Store {
    /// What has to be done so that this is kept of a service.
    pub(super) fn to_keep(&self, service: &str, kept: Option<Json>) -> Outcome<Keep> {
        let is_kept = self.db.recall_one(KEPT, service)? == kept;
        Ok(if is_kept { Keep::AsItIs } else { Keep::Now(kept) })
    }

    /// Does it, as a part of the transaction that is under way.
    pub(super) fn keep(&mut self, service: &str, keep: &Keep) -> Outcome<()> {
        match keep {
            Keep::AsItIs => Ok(()),
            Keep::Now(kept) => self.remember_one(KEPT, service, kept.as_ref()),
        }
    }
}
