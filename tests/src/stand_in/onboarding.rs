//! Loading and unloading models, and what becomes of it when the core comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use prost_reflect::{DynamicMessage, Value as Wire};
use tokio::sync::Notify;
use tonic::Status;
use xos_core::CORE_VERSION;
use xos_model_client::{
    Caller, Cleanup, LoadModels, ModelAccessor as _, ModelDef, ModelInfo, ObjectId, Onboard, Op, Query,
    QueryKind, Schema, ServiceFile, ServiceFiles, Target,
};

use super::core::{Core, Served, encode, id_of};
use super::status::{exception, of_error};
use super::wire::Answer;
use super::{core_version, python_files};

/// A request to load models, as it came.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// The service.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The core version that it asks for.
    pub core_version: String,
    /// Its files.
    pub files: ServiceFiles,
}

/// Reads the xproto of a request: the models in it, or what is wrong with its syntax.
pub type ModelsOf = Arc<dyn Fn(&LoadRequest) -> Result<Vec<ModelDef>, String> + Send + Sync>;

const SUCCESS: i32 = 0;
const NOTHING_CHANGED: i32 = 1;
const TRYAGAIN: i32 = 201;

/// What the core knows of a service.
#[derive(Clone, Debug)]
struct Manifest {
    version: String,
    /// What was sent, as far as it counts: name, version, xproto and declarations.
    fingerprint: Option<String>,
    is_unloaded: bool,
    /// Whether its models are served.
    is_present: bool,
    models: Vec<ModelDef>,
    files: ServiceFiles,
}

/// The services that were loaded or unloaded.
pub(super) struct Onboarding {
    inner: Mutex<Inner>,
    models_of: ModelsOf,
    /// Told when the core has to go away and come back.
    pub(super) restart: Arc<Notify>,
}

#[derive(Default)]
struct Inner {
    manifests: BTreeMap<String, Manifest>,
    /// Services whose xproto has an error: their files are in the way of every restart.
    broken: BTreeSet<String>,
    /// Why the last start failed; empty when it did not.
    output: String,
}

impl Onboarding {
    pub(super) fn new(models_of: ModelsOf) -> Self {
        Onboarding { inner: Mutex::default(), models_of, restart: Arc::default() }
    }

    /// Models that are there from the beginning.
    pub(super) fn present(&self, name: &str, version: &str, models: Vec<ModelDef>) {
        let manifest = Manifest {
            version: version.to_owned(),
            fingerprint: None,
            is_unloaded: false,
            is_present: true,
            models,
            files: ServiceFiles::default(),
        };
        self.with(|inner| inner.manifests.insert(name.to_owned(), manifest));
    }

    /// Models that were loaded by a request before the beginning.
    pub(super) fn loaded(&self, request: LoadRequest) -> Result<(), String> {
        let manifest = Manifest {
            fingerprint: Some(fingerprint(&request)),
            is_unloaded: false,
            is_present: true,
            models: (self.models_of)(&request)?,
            version: request.version,
            files: request.files,
        };
        self.with(|inner| inner.manifests.insert(request.name, manifest));
        Ok(())
    }

    /// Whether a broken file keeps the core from starting.
    pub(super) fn is_broken(&self) -> bool {
        self.with(|inner| !inner.broken.is_empty())
    }

    /// Somebody removes the broken files by hand.
    pub(super) fn repair(&self) {
        self.with(|inner| inner.broken.clear());
    }

    fn with<T>(&self, what: impl FnOnce(&mut Inner) -> T) -> T {
        what(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Core {
    /// `LoadModels`. `None`: it never answers.
    pub(super) fn load_models(&self, message: &DynamicMessage) -> Option<Answer> {
        let request = load_request(message);
        if let Err(status) = core_version::check(&request.name, &request.core_version)
            .and_then(|()| python_files::check(&request.files).map_err(exception))
        {
            return Some(Err(status));
        }
        let fingerprint = fingerprint(&request);
        let known = self.onboarding.with(|inner| {
            inner.manifests.get(&request.name).is_some_and(|manifest| {
                !manifest.is_unloaded && manifest.fingerprint.as_ref() == Some(&fingerprint)
            })
        });
        if known {
            return Some(self.load_reply(NOTHING_CHANGED));
        }
        let Ok(models) = (self.onboarding.models_of)(&request) else {
            // The generator ends its thread, and with it the answer; the file stays.
            self.onboarding.with(|inner| inner.broken.insert(request.name));
            return None;
        };
        self.onboarding.with(|inner| {
            let is_present = inner.manifests.get(&request.name).is_some_and(|manifest| manifest.is_present);
            let manifest = Manifest {
                version: request.version,
                fingerprint: Some(fingerprint),
                is_unloaded: false,
                is_present,
                models,
                files: request.files,
            };
            inner.manifests.insert(request.name, manifest);
        });
        self.onboarding.restart.notify_one();
        Some(self.load_reply(SUCCESS))
    }

    pub(super) async fn unload_models(&self, message: &DynamicMessage) -> Answer {
        let name = text(message, "name");
        let cleanup = match message.get_field_by_name("cleanup_behavior").as_deref() {
            Some(Wire::EnumNumber(number)) => *number,
            _ => 0,
        };
        let served = self.served();
        let known = self.onboarding.with(|inner| inner.manifests.get(&name).cloned());
        if known.as_ref().is_some_and(|manifest| manifest.is_unloaded) {
            return self.load_reply(NOTHING_CHANGED);
        }
        let mut left = false;
        for def in known.iter().filter(|_| cleanup != 2).flat_map(|manifest| &manifest.models) {
            let Some(model) = served.schema.model(&def.name).filter(|model| !model.def.is_abstract) else {
                continue;
            };
            let live = self.ids_of(&served, model, QueryKind::Live).await?;
            if !live.is_empty() && cleanup == 0 {
                return Err(Status::already_exists("ERROR_LIVE_MODELS"));
            }
            for id in live {
                let target = Target::Object(ObjectId::new(id));
                self.write(&served, model, target, Op::Delete, Caller::Client).await?;
            }
            if !self.ids_of(&served, model, QueryKind::DeletedObjects).await?.is_empty() {
                if cleanup == 0 {
                    return Err(Status::already_exists("ERROR_DELETION_IN_PROGRESS"));
                }
                left = true;
            }
        }
        if left {
            return self.load_reply(TRYAGAIN);
        }
        self.onboarding.with(|inner| {
            let manifest = inner.manifests.entry(name).or_insert_with(|| Manifest {
                version: text(message, "version"),
                fingerprint: None,
                is_unloaded: true,
                is_present: false,
                models: Vec::new(),
                files: ServiceFiles::default(),
            });
            manifest.is_unloaded = true;
        });
        self.onboarding.restart.notify_one();
        self.load_reply(SUCCESS)
    }

    async fn ids_of(&self, served: &Served, model: &ModelInfo, kind: QueryKind) -> Result<Vec<i32>, Status> {
        let found = self.find(&Query::live(model.shape.clone()).of_kind(kind)).await;
        let found = found.map_err(|error| of_error(&error, &served.schema, model))?;
        Ok(found.iter().map(|values| id_of(values)).collect())
    }

    fn load_reply(&self, status: i32) -> Answer {
        let mut reply = self.served().descriptors.new_message("LoadModelsReply").map_err(exception)?;
        if status != SUCCESS {
            reply.set_field_by_name("status", Wire::EnumNumber(status));
        }
        Ok(encode(Some(reply)))
    }

    pub(super) fn load_status(&self) -> Answer {
        let served = self.served();
        let mut reply = served.descriptors.new_message("LoadStatusReply").map_err(exception)?;
        let (mut told, output) = self.onboarding.with(|inner| {
            let told = inner.manifests.iter().map(|(name, manifest)| {
                let state = match (manifest.is_unloaded, manifest.is_present) {
                    (true, _) => "unload",
                    (false, true) => "present",
                    (false, false) => "load",
                };
                (name.clone(), manifest.version.clone(), state)
            });
            (told.collect::<Vec<_>>(), inner.output.clone())
        });
        told.push(("core".to_owned(), CORE_VERSION.to_owned(), "present"));
        let mut services = Vec::new();
        for (name, version, state) in told {
            let mut service = served.descriptors.new_message("ServiceModelStatus").map_err(exception)?;
            service.set_field_by_name("name", Wire::String(name));
            service.set_field_by_name("version", Wire::String(version));
            service.set_field_by_name("state", Wire::String(state.to_owned()));
            services.push(Wire::Message(service));
        }
        if !output.is_empty() {
            reply.set_field_by_name("model_status", Wire::I32(1));
        }
        // A real core tells all that its tools said.
        let output = format!("python unload_unwanted_apps.py\n{output}");
        reply.set_field_by_name("model_output", Wire::String(output));
        reply.set_field_by_name("services", Wire::List(services));
        Ok(encode(Some(reply)))
    }

    pub(super) fn convenience_methods(&self) -> Answer {
        let served = self.served();
        let files = self.onboarding.with(|inner| {
            let loaded = inner.manifests.values().filter(|manifest| !manifest.is_unloaded);
            loaded.flat_map(|manifest| manifest.files.convenience_methods.clone()).collect::<Vec<_>>()
        });
        let mut reply = served.descriptors.new_message("ListConvenienceMethodsReply").map_err(exception)?;
        let mut told = Vec::new();
        for file in files {
            let mut message = served.descriptors.new_message("APIConvenienceFile").map_err(exception)?;
            message.set_field_by_name("filename", Wire::String(file.name));
            message.set_field_by_name("contents", Wire::String(file.contents));
            told.push(Wire::Message(message));
        }
        reply.set_field_by_name("convenience_methods", Wire::List(told));
        Ok(encode(Some(reply)))
    }

    /// The xproto of all loaded services. (A real core tells that of its own models, too.)
    pub(super) fn xproto(&self) -> Answer {
        let text = self.onboarding.with(|inner| {
            let loaded = inner.manifests.values().filter(|manifest| !manifest.is_unloaded);
            let files = loaded.flat_map(|manifest| &manifest.files.xprotos);
            files.map(|file| file.contents.clone()).collect::<Vec<_>>().join("\n")
        });
        let mut reply = self.served().descriptors.new_message("XProtos").map_err(exception)?;
        reply.set_field_by_name("xproto", Wire::String(text));
        Ok(encode(Some(reply)))
    }

    /// What the core does on each start: brings the models to what the services asked for, and serves them. Models
    /// that do not fit leave it without any.
    pub(super) async fn come_up(&self) -> Result<(), String> {
        let manifests = self.onboarding.with(|inner| inner.manifests.clone());
        let mut output = String::new();
        for (name, manifest) in manifests {
            let what = if manifest.is_unloaded {
                if !manifest.is_present {
                    continue;
                }
                Onboard::Unload { name: name.clone(), cleanup: Cleanup::Purge }
            } else {
                Onboard::Load(LoadModels {
                    name: name.clone(),
                    version: manifest.version,
                    models: manifest.models,
                    core_version: None,
                    files: ServiceFiles::default(),
                })
            };
            match self.store.onboard(&what).await {
                Ok(_) => self.onboarding.with(|inner| {
                    if let Some(known) = inner.manifests.get_mut(&name) {
                        known.is_present = !manifest.is_unloaded;
                    }
                }),
                Err(error) => output = error.to_string(),
            }
        }
        let failed = !output.is_empty();
        self.onboarding.with(|inner| inner.output = output);
        if failed { self.serve(Arc::new(Schema::default())) } else { self.serve(self.store.schema()) }
    }
}

fn load_request(message: &DynamicMessage) -> LoadRequest {
    LoadRequest {
        name: text(message, "name"),
        version: text(message, "version"),
        core_version: text(message, "core_version"),
        files: ServiceFiles {
            xprotos: files(message, "xprotos"),
            decls: files(message, "decls"),
            attics: files(message, "attics"),
            convenience_methods: files(message, "convenience_methods"),
            migrations: files(message, "migrations"),
        },
    }
}

pub(super) fn text(message: &DynamicMessage, name: &str) -> String {
    message.get_field_by_name(name).and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}

fn files(message: &DynamicMessage, name: &str) -> Vec<ServiceFile> {
    let list = message.get_field_by_name(name);
    let list = list.as_deref().and_then(Wire::as_list).unwrap_or_default();
    let files = list.iter().filter_map(Wire::as_message);
    files.map(|file| ServiceFile { name: text(file, "filename"), contents: text(file, "contents") }).collect()
}

/// What decides whether a request is new: migrations and convenience methods do not count.
fn fingerprint(request: &LoadRequest) -> String {
    let counted = request.files.xprotos.iter().chain(&request.files.decls);
    let counted: Vec<(&str, &str)> =
        counted.map(|file| (file.name.as_str(), file.contents.as_str())).collect();
    format!("{:?}", (&request.name, &request.version, counted))
}
