//! The files that services were loaded with: kept and served back, never run.

mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use tonic::Status;
use xos_model_client::{ServiceFile, ServiceFiles, xproto};

use self::written::Written;
use super::policies::Policies;
use crate::EmbeddedCore;
use crate::onboard::{KEPT, Kept};

/// The files of all services.
pub(crate) struct Files {
    core: EmbeddedCore,
    written: Written,
    /// The generation of the schema up to which the policies know the services.
    followed: AtomicU64,
    /// The services that the policies know.
    known: Mutex<BTreeSet<String>>,
}

/// Before the first generation.
const NEVER: u64 = u64::MAX;

/// A service that is loaded, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) unloaded: bool,
    /// Its files, as they came; without any, when it came without.
    pub(crate) files: ServiceFiles,
}

impl Files {
    pub(crate) fn new(core: EmbeddedCore) -> Self {
        Files {
            written: Written::new(core.clone()),
            core,
            followed: AtomicU64::new(NEVER),
            known: Mutex::default(),
        }
    }

    /// Gives the policies what services say of theirs, when something was loaded or unloaded since the last time, by
    /// whomever: through this server, by the program around it, or by another process with the same database.
    ///
    /// # Errors
    ///
    /// When the files cannot be read.
    pub(super) async fn follow(&self, policies: &Policies) -> Result<(), Status> {
        if self.followed.load(Ordering::Acquire) == self.core.catalog().generation {
            return Ok(());
        }
        let mut known = self.known.lock().await;
        let generation = self.core.catalog().generation;
        if self.followed.load(Ordering::Acquire) == generation {
            return Ok(());
        }
        let documents = self.documents().await?;
        for gone in known.iter().filter(|name| !documents.iter().any(|(service, _)| service == *name)) {
            policies.forget(gone);
        }
        for (service, document) in &documents {
            policies.learn(service, document);
        }
        *known = documents.into_iter().map(|(service, _)| service).collect();
        self.followed.store(generation, Ordering::Release);
        Ok(())
    }

    /// What is kept of one service.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(super) async fn of(&self, service: &str) -> Result<Option<Kept>, Status> {
        let kept = self.core.recall_one(KEPT, service).await.map_err(|error| told(&error))?;
        Ok(kept.and_then(Kept::of_json))
    }

    /// All services that are loaded or were, by name; not the core itself.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub(super) async fn services(&self) -> Result<Vec<Service>, Status> {
        let kept = self.core.recall(KEPT).await.map_err(|error| told(&error))?;
        let mut services: BTreeMap<String, Service> = BTreeMap::new();
        for (name, kept) in kept {
            let Some(Kept { version, unloaded, files }) = Kept::of_json(kept) else { continue };
            services.insert(name.clone(), Service { name, version, unloaded, files });
        }
        for status in loaded(&self.core).await? {
            let service = services.entry(status.name.clone()).or_insert_with(|| Service {
                name: status.name,
                version: String::new(),
                unloaded: false,
                files: ServiceFiles::default(),
            });
            service.version = status.version;
            service.unloaded = false;
        }
        Ok(services.into_values().collect())
    }

    /// The xproto of the core's models, and then that of each service: its files, or, when it came without, a text
    /// that is written from its models.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub(super) async fn xproto(&self) -> Result<String, Status> {
        let written = self.written.texts().await?;
        let mut all = written.get(written::CORE).cloned().unwrap_or_default();
        for service in self.services().await?.into_iter().filter(|service| !service.unloaded) {
            for text in texts(&service, &written) {
                all.push('\n');
                all.push_str(text);
            }
        }
        Ok(all)
    }

    /// What the loaded services say of themselves in xproto, each with its name: for what is not in the models'
    /// definitions, such as the formulas of policies.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub(super) async fn documents(&self) -> Result<Vec<(String, xproto::Document)>, Status> {
        let mut found = Vec::new();
        for service in self.services().await?.into_iter().filter(|service| !service.unloaded) {
            let files = &service.files.xprotos;
            match xproto::parse_files(files.iter().map(|file| (file.name.as_str(), file.contents.as_str()))) {
                Ok(document) => found.push((service.name, document)),
                Err(errors) => {
                    tracing::warn!(service = service.name, %errors, "the xproto of a loaded service cannot be read; its policies do not hold");
                }
            }
        }
        Ok(found)
    }

    /// The convenience methods of all loaded services.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub(super) async fn convenience_methods(&self) -> Result<Vec<ServiceFile>, Status> {
        let services = self.services().await?.into_iter().filter(|service| !service.unloaded);
        Ok(services.flat_map(|service| service.files.convenience_methods).collect())
    }
}

/// The xproto texts of a service.
fn texts<'a>(
    service: &'a Service,
    written: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = &'a String> {
    let files = &service.files.xprotos;
    let instead = files.is_empty().then(|| written.get(&service.name)).flatten();
    files.iter().map(|file| &file.contents).chain(instead)
}

async fn loaded(core: &EmbeddedCore) -> Result<Vec<xos_model_client::ModelsStatus>, Status> {
    use xos_model_client::{ModelAccessor as _, Onboard, Onboarded};
    match core.onboard(&Onboard::Status).await.map_err(|error| told(&error))? {
        Onboarded::Status(mut services) => {
            services.retain(|service| service.name != written::CORE);
            Ok(services)
        }
        _ => Ok(Vec::new()),
    }
}

/// An error of the store as a status.
pub(super) fn told(error: &xos_model_client::Error) -> Status {
    use xos_model_client::ErrorKind;
    match error.kind() {
        ErrorKind::Away { .. } | ErrorKind::OutcomeUnknown { .. } => Status::unavailable(error.to_string()),
        ErrorKind::Unsupported(_) => Status::failed_precondition(error.to_string()),
        ErrorKind::Onboarding { .. } | ErrorKind::Schema(_) => {
            Status::invalid_argument(short(error.to_string()))
        }
        _ => {
            tracing::error!(reason = %error, "the store failed");
            Status::internal("the core's store failed; its log says why")
        }
    }
}

/// How long a text in a status may be, in bytes: many clients refuse an answer with more than 8 KiB of metadata, and
/// each byte may become three on the way.
const LONGEST: usize = 2000;

/// A text that may be told in a status.
pub(super) fn short(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("\n(there is more)");
    }
    text
}
