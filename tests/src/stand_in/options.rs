//! How a stand-in is started.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use xos_core::EmbeddedCore;
use xos_model_client::ModelDef;

use super::accounts::Account;
use super::onboarding::{LoadRequest, ModelsOf};

/// How a stand-in is started. [`default`](Options::default) has the times of a real core, [`fast`](Options::fast)
/// those of a test.
pub struct Options {
    /// The services that are loaded from the beginning, version 1.0.0, with their models.
    pub services: BTreeMap<String, Vec<ModelDef>>,
    /// The services that are loaded from the beginning as such a request would: the same request again changes
    /// nothing.
    pub loaded: Vec<LoadRequest>,
    /// Reads the xproto of a load. An error is one of syntax. Default: knows no model.
    pub models_of: ModelsOf,
    /// Who may call.
    pub users: Vec<Account>,
    /// How long each call takes at least. Default: no time.
    pub latency: Duration,
    /// How many calls are worked on at once; the others wait. Default: 10.
    pub workers: usize,
    /// How often soft-deleted objects are purged. Default: 5 s.
    pub reap_every: Duration,
    /// How long the core stays after a load before it goes away. Default: 5 s.
    pub shutdown_delay: Duration,
    /// How long it is away then. Default: 30 s.
    pub away: Duration,
    /// The longest request message, in bytes. Default: 4 MiB.
    pub longest_request: usize,
    /// How many calls are kept to be looked at. Default: 10,000.
    pub journal: usize,
    /// What is behind it. Default: an embedded core in memory.
    pub store: Option<EmbeddedCore>,
}

impl Options {
    /// As the real core, but a load takes 50 ms to go away and 50 ms to come back, and the reaper comes every 50 ms.
    pub fn fast() -> Self {
        let moment = Duration::from_millis(50);
        Options { reap_every: moment, shutdown_delay: moment, away: moment, ..Options::default() }
    }

    /// With these models loaded from the beginning, and known to later loads by their names.
    pub fn with_models<'a>(mut self, models: impl IntoIterator<Item = &'a ModelDef>) -> Self {
        for model in models {
            if model.app_label != "core" {
                self.services.entry(model.app_label.to_string()).or_default().push(model.clone());
            }
        }
        self.knowing(Vec::new())
    }

    /// With these models known to loads by their names, but not loaded.
    pub fn knowing(mut self, models: Vec<ModelDef>) -> Self {
        let loaded = self.services.values().flatten().cloned();
        self.models_of = models_by_name(models.into_iter().chain(loaded).collect());
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            services: BTreeMap::new(),
            loaded: Vec::new(),
            models_of: models_by_name(Vec::new()),
            users: vec![Account {
                email: "admin@opencord.org".to_owned(),
                password: "letmein".to_owned(),
                is_admin: true,
            }],
            latency: Duration::ZERO,
            workers: 10,
            reap_every: Duration::from_secs(5),
            shutdown_delay: Duration::from_secs(5),
            away: Duration::from_secs(30),
            longest_request: 4 * 1024 * 1024,
            journal: 10_000,
            store: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("services", &self.services.keys().collect::<Vec<_>>())
            .field("workers", &self.workers)
            .field("reap_every", &self.reap_every)
            .field("shutdown_delay", &self.shutdown_delay)
            .field("away", &self.away)
            .finish_non_exhaustive()
    }
}

/// Finds the models of a load among these, by the names of the messages in its xproto. A message of another name and
/// an open bracket are errors of syntax.
pub fn models_by_name(known: Vec<ModelDef>) -> ModelsOf {
    Arc::new(move |request: &LoadRequest| {
        let mut found = Vec::new();
        for file in &request.files.xprotos {
            let count = |bracket: char| file.contents.matches(bracket).count();
            if count('{') != count('}') || count('(') != count(')') {
                return Err(format!("{}: a bracket is open at the end", file.name));
            }
            for line in file.contents.lines() {
                let Some(rest) = line.trim_start().strip_prefix("message ") else { continue };
                let end = rest.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(rest.len());
                let model = known.iter().find(|model| model.name == rest[..end]);
                found.push(
                    model
                        .cloned()
                        .ok_or_else(|| format!("{}: no model {} is known here", file.name, &rest[..end]))?,
                );
            }
        }
        Ok(found)
    })
}
