//! What a synchronizer consists of.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use xos_model_client::{Model, ModelDef, Schema};

use crate::config::Config;
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::events::{AnyEventStep, EventStep};
use crate::pull::{AnyPull, PullStep, WatchStep};
use crate::step::{
    AnyHook, AnyPolicy, AnyStep, ModelPolicy, StepResult, SyncStep, erase, erase_hook, erase_policy,
};

/// What a synchronizer consists of: its name, its models and its steps.
///
/// Nothing is found by scanning folders: what a synchronizer does is what is said here.
///
/// # Examples
///
/// ```
/// use xos_sync::prelude::*;
///
/// struct PrintSite;
///
/// impl SyncStep for PrintSite {
///     type Model = Site;
///     async fn sync_record(&self, _ctx: &Context, o: &mut Site) -> StepResult {
///         println!("there is a site {}", o.name);
///         Ok(())
///     }
///     async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
///         Ok(())
///     }
/// }
///
/// let sites = Synchronizer::new("sites").version("1.2.0").sync_step(PrintSite);
/// ```
#[must_use = "a synchronizer does nothing until it is given to run_synchronizer"]
pub struct Synchronizer {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) models: Vec<&'static ModelDef>,
    pub(crate) steps: Vec<Arc<dyn AnyStep>>,
    pub(crate) hooks: Vec<Arc<dyn AnyHook>>,
    pub(crate) policies: Vec<Arc<dyn AnyPolicy>>,
    pub(crate) event_steps: Vec<Arc<dyn AnyEventStep>>,
    pub(crate) pull_steps: Vec<Arc<dyn AnyPull>>,
    pub(crate) policy_hooks: Vec<Arc<dyn AnyHook>>,
    pub(crate) recipe: Option<PathBuf>,
    #[cfg(feature = "ansible")]
    pub(crate) playbooks: Vec<Arc<dyn crate::ansible::Prepare>>,
}

/// Who looks at an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LooksAt {
    pub(crate) step: bool,
    pub(crate) policy: bool,
}

impl Synchronizer {
    /// A synchronizer without models and steps. Its name is that of the service whose models it loads; a config file
    /// may give another.
    pub fn new(name: impl Into<String>) -> Self {
        Synchronizer {
            name: name.into(),
            version: None,
            models: Vec::new(),
            steps: Vec::new(),
            hooks: Vec::new(),
            policies: Vec::new(),
            event_steps: Vec::new(),
            pull_steps: Vec::new(),
            policy_hooks: Vec::new(),
            recipe: None,
            #[cfg(feature = "ansible")]
            playbooks: Vec::new(),
        }
    }

    /// Its version, instead of the first line of the file `VERSION` beside the config file, or else that of the crate that
    /// declares its models.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// A model that it brings, with all that the model needs. The models of steps come along by themselves.
    pub fn model<M: Model>(mut self) -> Self {
        self.models.push(M::def());
        self
    }

    /// A step, and its model. Of several steps that take one object, each runs, in the order they were given here,
    /// and the result is written once.
    pub fn sync_step<S: SyncStep>(mut self, step: S) -> Self {
        self.models.push(S::Model::def());
        self.steps.push(erase(step));
        self
    }

    /// A step that runs a playbook, and its model; see [`ansible`](crate::ansible).
    #[cfg(feature = "ansible")]
    pub fn ansible_step<S: crate::ansible::AnsibleStep>(mut self, step: S) -> Self {
        let step = crate::ansible::Runner::new(step);
        self.playbooks.push(step.preparation());
        self.sync_step(step)
    }

    /// Something to do each time an object of `M` (or of a model that inherits from it) was synchronized and that was
    /// stored. The object is not free before it returns; an error is logged and the object is tried again.
    ///
    /// # Examples
    ///
    /// ```
    /// use xos_sync::prelude::*;
    ///
    /// let hello = Synchronizer::new("hello").after_sync_save(|_ctx: Context, o: Site| async move {
    ///     println!("{} is {}", o.name, o.backend_status);
    ///     Ok(())
    /// });
    /// ```
    pub fn after_sync_save<M, F, R>(mut self, hook: F) -> Self
    where
        M: Model,
        F: Fn(Context, M) -> R + Send + Sync + 'static,
        R: Future<Output = StepResult> + Send + 'static,
    {
        self.models.push(M::def());
        self.hooks.push(erase_hook(hook));
        self
    }

    /// A policy, and its model. Of several policies that look at one object, each is called, in the order they were
    /// given here, and the result is written once.
    pub fn policy<P: ModelPolicy>(mut self, policy: P) -> Self {
        self.models.push(P::Model::def());
        self.policies.push(erase_policy(policy));
        self
    }

    /// Something to do each time the policies of a live object of `M` (or of a model that inherits from it) have
    /// succeeded and that was stored. The object is not free before it returns; an error is logged and the policies are
    /// tried again.
    ///
    /// # Examples
    ///
    /// ```
    /// use xos_sync::prelude::*;
    ///
    /// let hello = Synchronizer::new("hello").after_policy_save(|_ctx: Context, o: Site| async move {
    ///     println!("{}: {}", o.name, o.policy_status.as_deref().unwrap_or_default());
    ///     Ok(())
    /// });
    /// ```
    pub fn after_policy_save<M, F, R>(mut self, hook: F) -> Self
    where
        M: Model,
        F: Fn(Context, M) -> R + Send + Sync + 'static,
        R: Future<Output = StepResult> + Send + 'static,
    {
        self.models.push(M::def());
        self.policy_hooks.push(erase_hook(hook));
        self
    }

    /// Something to do whenever an event is published on some topics. Each event step sees each event.
    pub fn event_step<S: EventStep>(mut self, step: S) -> Self {
        self.event_steps.push(crate::events::erase(step));
        self
    }

    /// Something that looks at the backend again and again, and its model.
    pub fn pull_step<S: PullStep>(mut self, step: S) -> Self {
        self.models.push(S::Model::def());
        self.pull_steps.push(crate::pull::erase(step));
        self
    }

    /// Something that is told by the backend what changes there, and its model.
    pub fn watch_step<S: WatchStep>(mut self, step: S) -> Self {
        self.models.push(S::Model::def());
        self.pull_steps.push(crate::pull::erase_watch(step));
        self
    }

    /// A recipe that is applied before the first step runs, and again whenever its file changes; see
    /// [`recipe`](crate::recipe).
    pub fn recipe(mut self, path: impl Into<PathBuf>) -> Self {
        self.recipe = Some(path.into());
        self
    }

    /// Whether there is nothing to do but for the engine.
    pub(crate) fn has_nothing_beside(&self) -> bool {
        self.event_steps.is_empty() && self.pull_steps.is_empty()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The models that it brings: its own and what they need, without what every core has.
    pub fn models(&self) -> Vec<&'static ModelDef> {
        let mut models: Vec<&'static ModelDef> = Vec::new();
        for model in self.models.iter().flat_map(|model| model.closure()) {
            let core = xos_model_client::models::core_models().any(|core| core.name == model.name);
            if !core && !models.iter().any(|known| known.name == model.name) {
                models.push(model);
            }
        }
        models.sort_by(|one, other| one.name.cmp(&other.name));
        models
    }

    /// The models whose objects are worth showing: its own, and those that its steps take.
    pub(crate) fn shown_models(&self) -> Vec<&'static ModelDef> {
        let mut models = self.models();
        for model in &self.models {
            if !models.iter().any(|known| known.name == model.name) {
                models.push(model);
            }
        }
        models
    }

    /// Who looks at the objects of a leaf model.
    pub(crate) fn looks_at(&self, schema: &Schema, leaf: &str) -> LooksAt {
        let takes = |of: &ModelDef| {
            let both = schema.model(leaf).zip(schema.model(&of.name));
            both.is_some_and(|(leaf, of)| schema.is_a(leaf.id, of.id))
        };
        LooksAt {
            step: self.steps.iter().any(|step| takes(step.model())),
            policy: self.policies.iter().any(|policy| takes(policy.model())),
        }
    }

    /// What the models cannot say of themselves.
    pub(crate) fn check(&self) -> Result<()> {
        crate::events::check(&self.event_steps)?;
        match taken_name(self.models.iter().flat_map(|model| model.closure())) {
            Some(problem) => Err(ErrorKind::Synchronizer(problem).into()),
            None => Ok(()),
        }
    }

    /// What can be found wrong before the first step runs, outside of the core.
    #[cfg_attr(
        not(feature = "ansible"),
        allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "nothing can be wrong then")
    )]
    pub(crate) fn prepare(&self, config: &Config) -> Result<()> {
        #[cfg(feature = "ansible")]
        crate::ansible::prepare(&self.playbooks, &config.ansible)?;
        let _ = config;
        Ok(())
    }

    /// Its version, as it is logged and sent to the core.
    pub(crate) fn version_or(&self, config: &Config) -> String {
        let version = self.version.clone().or_else(|| config.version_file());
        // The derive knows the version of the crate that declares a model.
        let of_crate = || self.models().first().map(|model| model.version.to_string());
        version.or_else(of_crate).unwrap_or_else(|| "unknown".to_owned())
    }
}

impl fmt::Debug for Synchronizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<&str> = self.steps.iter().map(|step| step.name()).collect();
        let policies: Vec<&str> = self.policies.iter().map(|policy| policy.name()).collect();
        f.debug_struct("Synchronizer")
            .field("name", &self.name)
            .field("steps", &steps)
            .field("policies", &policies)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a model that has the name of one that every core has, and is another.
pub(crate) fn taken_name(models: impl IntoIterator<Item = &'static ModelDef>) -> Option<String> {
    let is_core =
        |model: &ModelDef| xos_model_client::models::core_models().find(|core| core.name == model.name);
    let other = models.into_iter().find(|model| is_core(model).is_some_and(|core| core != *model))?;
    let name = &other.name;
    Some(format!(
        "model {name}: every core has a model of this name already; rename yours, or give it another name with \
         #[xos(name = \"...\")]"
    ))
}
