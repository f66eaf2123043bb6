//! What a synchronizer consists of, and running it.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
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
    recipe: Option<PathBuf>,
}

impl Synchronizer {
    /// A synchronizer without models and steps. Its name is that of the service whose models it loads; a config file
    /// may give another.
    pub fn new(name: impl Into<String>) -> Self {
        Synchronizer { name: name.into(), version: None, models: Vec::new(), steps: Vec::new(), hooks: Vec::new(), recipe: None }
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

    /// A recipe that is applied before the first step runs, and again whenever its file changes; see
    /// [`recipe`](crate::recipe).
    #[cfg(feature = "embedded")]
    pub fn recipe(mut self, path: impl Into<PathBuf>) -> Self {
        self.recipe = Some(path.into());
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
        // The derive knows the version of the crate that declares a model.
        let of_crate = || self.models().first().map(|model| model.version.to_string());
        version.or_else(of_crate).unwrap_or_else(|| "unknown".to_owned())
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
    run_until(config, service, crate::signals::stop()).await
}

/// Like [`run_synchronizer`], until `stop` is done. It neither sets up logging nor listens for signals: for programs that do
/// more than synchronize.
///
/// # Errors
///
/// As [`run_synchronizer`].
pub async fn run_until(
    config: Config,
    service: Synchronizer,
    stop: impl Future<Output = ()> + Send,
) -> Result<()> {
    let name = config.name.clone().unwrap_or_else(|| service.name.clone());
    let core = Core::open(&config, &name)?;
    run_in(core, config, service, stop).await
}

/// Like [`run_until`], on an accessor of one's own: for tests. What a recipe made is remembered only
/// as long as this runs.
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
    run_in(Core::of(accessor), config, service, stop).await
}

async fn run_in(
    core: Core,
    config: Config,
    service: Synchronizer,
    stop: impl Future<Output = ()> + Send,
) -> Result<()> {
    let accessor = core.accessor.clone();
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
    let watching = core.apply_recipe(&config, &service, &span).await?;
    if service.steps.is_empty() {
        span.in_scope(lines::nothing_to_do);
        return Ok(());
    }
    let end = synchronize(&accessor, &config, &service, &name, &graph, &span, stop).await;
    if let Some(watching) = watching {
        watching.end().await;
    }
    end
}

async fn synchronize(
    accessor: &Arc<dyn ModelAccessor>,
    config: &Config,
    service: &Synchronizer,
    name: &str,
    graph: &DependencyGraph,
    span: &tracing::Span,
    stop: impl Future<Output = ()> + Send,
) -> Result<()> {
    let mut stop = std::pin::pin!(stop);
    loop {
        let layout = span.in_scope(|| Layout::new(accessor.schema(), &service.steps, &service.hooks, graph));
        let options = Options { service: name.to_owned(), engine: config.engine.clone(), once: config.once };
        match Shell::run(accessor.clone(), layout, options, stop.as_mut()).await? {
            End::SchemaChanged => span.in_scope(|| tracing::info!("the models changed; starting again with them")),
            End::Stopped { not_ok } if config.once && not_ok > 0 => {
                let total = count_objects(accessor.as_ref(), service).await;
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
    Ok(Core::open(config, service)?.accessor)
}

/// A core, and where it keeps what a recipe made.
struct Core {
    accessor: Arc<dyn ModelAccessor>,
    #[cfg(feature = "embedded")]
    embedded: Option<xos_core::EmbeddedCore>,
}

impl Core {
    fn of(accessor: Arc<dyn ModelAccessor>) -> Self {
        Core {
            accessor,
            #[cfg(feature = "embedded")]
            embedded: None,
        }
    }

    #[cfg(feature = "embedded")]
    fn open(config: &Config, service: &str) -> Result<Self> {
        let core = match config.core(service) {
            CoreChoice::Embedded { database, durability } => crate::embedded::open(&database, durability)?,
            CoreChoice::Memory => crate::embedded::in_memory()?,
            CoreChoice::Remote { .. } => return Err(ErrorKind::NotYet(REMOTE_NOT_YET).into()),
        };
        Ok(Core { accessor: Arc::new(core.clone()), embedded: Some(core) })
    }

    #[cfg(not(feature = "embedded"))]
    fn open(config: &Config, service: &str) -> Result<Self> {
        Err(ErrorKind::NotYet(match config.core(service) {
            CoreChoice::Remote { .. } => REMOTE_NOT_YET,
            _ => "this program was built without the embedded core; enable the feature \"embedded\"",
        })
        .into())
    }

    /// Applies the recipe, if there is one, and goes on applying it as long as the answer lives.
    #[cfg(feature = "embedded")]
    async fn apply_recipe(
        &self,
        config: &Config,
        service: &Synchronizer,
        span: &tracing::Span,
    ) -> Result<Option<AbortOnDrop>> {
        use tracing::Instrument as _;
        use xos_model_client::tosca::{Applied, Memory};

        let Some(path) = &service.recipe else { return Ok(None) };
        let memory: Arc<dyn Memory> = match &self.embedded {
            Some(core) => Arc::new(crate::recipe::InDatabase::new(core.clone(), path)),
            None => Arc::new(std::sync::Mutex::new(Applied::default())),
        };
        let mut recipe = crate::recipe::RecipeFile::new(path.clone(), self.accessor.clone(), memory);
        recipe.apply_first().instrument(span.clone()).await?;
        let table = crate::show::object_table(self.accessor.as_ref(), &service.shown_models()).await?;
        // A closed terminal is no reason not to synchronize.
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{table}\n"));
        if config.once {
            return Ok(None);
        }
        Ok(Some(AbortOnDrop(tokio::spawn(recipe.watch().instrument(span.clone())))))
    }

    #[cfg(not(feature = "embedded"))]
    #[allow(clippy::unused_async, reason = "the other form waits")]
    async fn apply_recipe(&self, _: &Config, _: &Synchronizer, _: &tracing::Span) -> Result<Option<AbortOnDrop>> {
        Ok(None)
    }
}

/// A task that ends when this is dropped.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl AbortOnDrop {
    /// Ends the task and waits until all it holds is free.
    async fn end(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
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
