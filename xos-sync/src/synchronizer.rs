//! What a synchronizer consists of, and running it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tracing::warn;
use xos_model_client::{LoadModels, Model, ModelAccessor, ModelDef, Onboard, Onboarded};

use crate::config::{Config, CoreChoice, DesiredState, REMOTE_NOT_YET};
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::shell::layout::{DependencyGraph, Layout, read_dependency_graph};
use crate::shell::{End, Options, Shell, lines};
use crate::step::{AnyHook, AnyStep, StepResult, SyncStep, erase, erase_hook};

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
    name: String,
    version: Option<String>,
    models: Vec<&'static ModelDef>,
    steps: Vec<Arc<dyn AnyStep>>,
    hooks: Vec<Arc<dyn AnyHook>>,
}

impl Synchronizer {
    /// A synchronizer without models and steps. Its name is that of the service whose models it loads; a config file
    /// may give another.
    pub fn new(name: impl Into<String>) -> Self {
        Synchronizer { name: name.into(), version: None, models: Vec::new(), steps: Vec::new(), hooks: Vec::new() }
    }

    /// Its version, instead of the file `VERSION` beside the config file.
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
        for model in self.models.iter().chain(self.steps.iter().map(|step| step.model()).collect::<Vec<_>>().iter()) {
            if !models.iter().any(|known| known.name == model.name) {
                models.push(model);
            }
        }
        models
    }

    fn version_or(&self, config: &Config) -> String {
        let version = self.version.clone().or_else(|| config.version_file());
        version.unwrap_or_else(|| "unknown".to_owned())
    }
}

impl fmt::Debug for Synchronizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<&str> = self.steps.iter().map(|step| step.name()).collect();
        f.debug_struct("Synchronizer").field("name", &self.name).field("steps", &steps).finish_non_exhaustive()
    }
}

/// Runs a synchronizer until it is told to stop: opens the core, loads the models, and keeps the outside world in step.
///
/// It stops on SIGTERM and SIGINT: no new work is begun, running steps have `engine.grace_period` to end. A second
/// signal ends the process at once. With `--once` it stops when nothing is ready.
///
/// # Errors
///
/// A core that cannot be opened, models that are refused, and with `--once` objects that are not OK.
///
/// # Cancellation
///
/// Dropping the future stops everything at once; what ran runs again after the next start.
pub async fn run_synchronizer(config: Config, service: Synchronizer) -> Result<()> {
    if config.show {
        return crate::show::show(&config, &service).await;
    }
    crate::logging::init(&config)?;
    let accessor = open_core(&config, config.name.as_deref().unwrap_or(&service.name))?;
    run_on(accessor, config, service, crate::signals::stop()).await
}

/// Like [`run_synchronizer`], on an accessor of one's own and until `stop` is done. It neither sets up logging nor
/// listens for signals: for tests, and for programs that do more than synchronize.
///
/// # Errors
///
/// As [`run_synchronizer`].
pub async fn run_on(
    accessor: Arc<dyn ModelAccessor>,
    config: Config,
    service: Synchronizer,
    stop: impl Future<Output = ()> + Send,
) -> Result<()> {
    let name = config.name.clone().unwrap_or_else(|| service.name.clone());
    let span = tracing::info_span!("synchronizer", synchronizer_name = %name);
    let graph = match &config.dependency_graph {
        Some(path) => read_dependency_graph(path)?,
        None => DependencyGraph::new(),
    };
    onboard(accessor.as_ref(), &config, &service, &name, &span).await?;
    if config.desired_state == DesiredState::Unload {
        return Ok(());
    }
    let steps: Vec<&str> = service.steps.iter().map(|step| step.name()).collect();
    span.in_scope(|| lines::engines(&steps, config.steps_dir.as_deref()));
    if service.steps.is_empty() {
        span.in_scope(lines::nothing_to_do);
        return Ok(());
    }
    let mut stop = std::pin::pin!(stop);
    loop {
        let layout = span.in_scope(|| Layout::new(accessor.schema(), &service.steps, &service.hooks, &graph));
        let options = Options { service: name.clone(), engine: config.engine.clone(), once: config.once };
        match Shell::run(accessor.clone(), layout, options, stop.as_mut()).await? {
            End::SchemaChanged => span.in_scope(|| tracing::info!("the models changed; starting again with them")),
            End::Stopped { not_ok } if config.once && not_ok > 0 => {
                let total = count_objects(accessor.as_ref(), &service).await;
                return Err(ErrorKind::NotAllOk { failed: not_ok, total }.into());
            }
            End::Stopped { .. } => return Ok(()),
        }
    }
}

/// Opens the core that the configuration chooses.
///
/// # Errors
///
/// A remote core, which this version cannot speak to; an embedded one that cannot be opened.
pub fn open_core(config: &Config, service: &str) -> Result<Arc<dyn ModelAccessor>> {
    match config.core(service) {
        #[cfg(feature = "embedded")]
        CoreChoice::Embedded { database, durability } => Ok(Arc::new(crate::embedded::open(&database, durability)?)),
        #[cfg(feature = "embedded")]
        CoreChoice::Memory => Ok(Arc::new(crate::embedded::in_memory()?)),
        #[cfg(not(feature = "embedded"))]
        CoreChoice::Embedded { .. } | CoreChoice::Memory => {
            Err(ErrorKind::NotYet("this program was built without the embedded core; enable the feature \"embedded\"").into())
        }
        CoreChoice::Remote { .. } => Err(ErrorKind::NotYet(REMOTE_NOT_YET).into()),
    }
}

/// Loads (or unloads) the models, and looks for those that must be there.
async fn onboard(
    accessor: &dyn ModelAccessor,
    config: &Config,
    service: &Synchronizer,
    name: &str,
    span: &tracing::Span,
) -> Result<()> {
    let version = service.version_or(config);
    span.in_scope(|| lines::version(&version, config.core_version.as_deref()));
    if config.desired_state == DesiredState::Unload {
        return unload(accessor, name, span).await;
    }
    let models = service.models().into_iter().cloned().collect();
    let load = LoadModels { name: name.to_owned(), version, models, core_version: config.core_version.clone() };
    let onboarded = accessor.onboard(&Onboard::Load(load)).await?;
    span.in_scope(|| match &onboarded {
        Onboarded::Loaded { models } => tracing::info!(models = models.join(", "), "models loaded"),
        _ => tracing::debug!("the models are loaded already"),
    });
    let schema = accessor.schema();
    let (found, missing): (Vec<String>, Vec<String>) =
        config.required_models.iter().cloned().partition(|model| schema.model(model.trim()).is_some());
    if !missing.is_empty() {
        return Err(ErrorKind::MissingModels(missing).into());
    }
    let found = if found.is_empty() { service.models().iter().map(|model| model.name.to_string()).collect() } else { found };
    span.in_scope(|| lines::required_models(&found));
    Ok(())
}

async fn unload(accessor: &dyn ModelAccessor, name: &str, span: &tracing::Span) -> Result<()> {
    let what = Onboard::Unload { name: name.to_owned(), cleanup: xos_model_client::Cleanup::AutomaticallyClean };
    match accessor.onboard(&what).await? {
        Onboarded::TryAgain { left } => {
            span.in_scope(|| {
                warn!(left, "objects of these models must be deleted first: run once with desired_state: load, then unload again");
            });
        }
        _ => span.in_scope(|| tracing::info!("Models successfully unloaded. Synchronizer exiting")),
    }
    Ok(())
}

/// How many live objects the steps take.
async fn count_objects(accessor: &dyn ModelAccessor, service: &Synchronizer) -> usize {
    let mut total = 0;
    for step in &service.steps {
        let query = xos_model_client::Query::live(step.shape().clone());
        let mut page = Some(xos_model_client::Page::default());
        while let Some(this) = page {
            let Ok(found) = accessor.find(&query, this).await else { break };
            total += found.records.len();
            page = found.next;
        }
    }
    total
}
