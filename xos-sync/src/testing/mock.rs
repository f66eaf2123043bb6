//! A core for unit tests.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use xos_core::EmbeddedCore;
use xos_model_client::{
    Caller, Deleted, ErrorKind, LoadModels, Model, ModelAccessor, ModelClient, ModelDef, ObjectId, Objects,
    Onboard, Result, ServiceFiles,
};

use super::bus::Recorder;
use super::faulty::{Faulty, Rule};
use super::journal::Journal;
use crate::bus::Event;
use crate::context::{Around, Context};
use crate::synchronizer::taken_name;

/// The embedded core in memory, for unit tests: the same rules as everywhere, a journal, and faults on demand.
///
/// What it does itself is done as a client; what a step does through [`context`](MockAccessor::context) is done as a
/// step. Models are loaded when they are first used.
///
/// # Examples
///
/// An error **after** a write took effect:
///
/// ```
/// use xos_sync::prelude::*;
/// use xos_sync::testing::{Call, Fault, Rule};
///
/// # xos_sync::__private::run_test(async {
/// let core = MockAccessor::new();
/// core.inject(Rule::next(Fault::AnswerLost).call(Call::Create));
/// let service = Service { name: "HelloWorld".into(), ..Default::default() };
/// assert!(core.create(service).await.is_err());
/// assert_eq!(core.objects::<Service>().count().await?, 1);
/// # Ok::<(), xos_sync::model_client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct MockAccessor {
    accessor: Faulty<EmbeddedCore>,
    loaded: Arc<Mutex<Vec<&'static ModelDef>>>,
    events: Arc<Recorder>,
}

impl MockAccessor {
    /// An empty core.
    ///
    /// # Panics
    ///
    /// When there is no memory for a database.
    #[allow(clippy::new_without_default, reason = "an empty core is no default value")]
    #[allow(clippy::expect_used, reason = "a test without a core has failed")]
    pub fn new() -> Self {
        let core = EmbeddedCore::in_memory().expect("an embedded core in memory");
        MockAccessor { accessor: Faulty::new(core), loaded: Arc::default(), events: Arc::default() }
    }

    /// What a step is given, on this core.
    pub fn context(&self) -> Context {
        Context::new(self.accessor(), Caller::Step, &self.around(), 1)
    }

    /// What a policy is given, on this core.
    pub fn policy_context(&self) -> Context {
        Context::new(self.accessor(), Caller::Policy, &self.around(), 1)
    }

    /// What an event step or a pull step is given, on this core.
    pub fn pull_context(&self) -> Context {
        Context::of_event(self.accessor(), &self.around(), 1)
    }

    /// What was published through the contexts of this core, in order. Nobody is given it: a test of an event step
    /// calls [`process_event`](crate::EventStep::process_event) with an [`Event::new`].
    pub fn published(&self) -> Vec<Event> {
        self.events.published()
    }

    fn around(&self) -> Arc<Around> {
        Around::with_bus("mock", self.events.clone())
    }

    /// The accessor, for [`run_on`](crate::run_on).
    pub fn accessor(&self) -> Arc<dyn ModelAccessor> {
        Arc::new(self.accessor.clone())
    }

    /// The faults of this core.
    pub fn faults(&self) -> &Faulty<EmbeddedCore> {
        &self.accessor
    }

    /// Adds a fault.
    pub fn inject(&self, rule: Rule) {
        self.accessor.inject(rule);
    }

    /// What was asked of it, by the test and by steps.
    pub fn journal(&self) -> &Journal {
        self.accessor.journal()
    }

    /// Loads a model with all that it needs. Only needed for a model of which nothing was created here.
    ///
    /// # Errors
    ///
    /// Models that break a rule.
    pub async fn load<M: Model>(&self) -> Result<()> {
        if let Some(problem) = taken_name(M::def().closure()) {
            return Err(ErrorKind::Onboarding { service: "mock".to_owned(), problem }.into());
        }
        let models: Vec<ModelDef> = {
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            if loaded.iter().any(|model| model.name == M::MODEL_NAME) {
                return Ok(());
            }
            for model in M::def().closure() {
                if !loaded.iter().any(|known| known.name == model.name) {
                    loaded.push(model);
                }
            }
            let own = |model: &&&ModelDef| {
                xos_model_client::models::core_models().all(|core| core.name != model.name)
            };
            loaded.iter().filter(own).map(|model| (*model).clone()).collect()
        };
        let load = LoadModels {
            name: "mock".into(),
            version: "1".into(),
            models,
            core_version: None,
            files: ServiceFiles::default(),
        };
        // The journal and the faults are about what is tested, not about its preparation.
        self.accessor.inner().onboard(&Onboard::Load(load)).await?;
        Ok(())
    }

    /// Creates an object, as a client.
    ///
    /// # Errors
    ///
    /// As [`ModelClient::create`].
    pub async fn create<M: Model>(&self, object: M) -> Result<M> {
        self.load::<M>().await?;
        self.client().create(object).await
    }

    /// Stores what was changed, as a client.
    ///
    /// # Errors
    ///
    /// As [`ModelClient::save`].
    pub async fn save<M: Model>(&self, object: &mut M) -> Result<()> {
        self.load::<M>().await?;
        self.client().save(object).await
    }

    /// Deletes an object softly, as a client.
    ///
    /// # Errors
    ///
    /// As [`ModelClient::delete`].
    pub async fn delete<M: Model>(&self, object: &M) -> Result<Deleted> {
        self.client().delete(object).await
    }

    /// The object with this id, live or soft-deleted.
    ///
    /// # Errors
    ///
    /// As [`ModelClient::get`].
    pub async fn get<M: Model>(&self, id: impl Into<ObjectId>) -> Result<M> {
        self.client().get(id).await
    }

    /// The objects of a model.
    pub fn objects<M: Model>(&self) -> Objects<M> {
        self.client().objects()
    }

    /// Reads and writes as a client.
    pub fn client(&self) -> ModelClient {
        ModelClient::new(self.accessor(), Caller::Client)
    }
}

impl fmt::Debug for MockAccessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockAccessor")
    }
}
