//! Running a synchronizer.

use std::future::Future;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;
use tracing::{Instrument as _, Span, info, info_span};
use xos_model_client::tosca::{Applied, Memory};
use xos_model_client::{Cleanup, LoadModels, ModelAccessor, Onboard, Onboarded, Page, Query, ServiceFiles};

use crate::config::{Config, CoreChoice, DesiredState, REMOTE_NOT_YET};
use crate::error::{ErrorKind, Result};
use crate::recipe::RecipeFile;
use crate::shell::layout::{DependencyGraph, Layout, read_dependency_graph};
use crate::shell::{End, Options, Shell, lines};
use crate::synchronizer::Synchronizer;

/// How often `--once` applies a recipe that has to wait for objects that steps delete.
const ONCE_ROUNDS: usize = 5;

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
    let core = Core::open(&config, config.name.as_deref().unwrap_or(service.name()))?;
    let end = Run::new(core.accessor.clone(), core.memory(&service), config, service)?.until(stop).await;
    core.close();
    end
}

/// Like [`run_until`], on an accessor of one's own: for tests. What a recipe made is remembered only as long as this runs.
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
    Run::new(accessor, in_process(), config, service)?.until(stop).await
}

/// Opens the core that the configuration chooses.
///
/// # Errors
///
/// A remote core, which this version cannot speak to; an embedded one that cannot be opened.
pub fn open_core(config: &Config, service: &str) -> Result<Arc<dyn ModelAccessor>> {
    Ok(Core::open(config, service)?.accessor)
}

/// A core that was opened here.
struct Core {
    accessor: Arc<dyn ModelAccessor>,
    #[cfg(feature = "embedded")]
    embedded: xos_core::EmbeddedCore,
}

#[cfg(feature = "embedded")]
impl Core {
    fn open(config: &Config, service: &str) -> Result<Self> {
        let embedded = match config.core(service) {
            CoreChoice::Embedded { database, durability } => crate::embedded::open(&database, durability)?,
            CoreChoice::Memory => crate::embedded::in_memory()?,
            CoreChoice::Remote { .. } => return Err(ErrorKind::NotYet(REMOTE_NOT_YET).into()),
        };
        Ok(Core { accessor: Arc::new(embedded.clone()), embedded })
    }

    /// Where it keeps what the recipe made.
    fn memory(&self, service: &Synchronizer) -> Arc<dyn Memory> {
        match &service.recipe {
            Some(path) => Arc::new(crate::embedded::RecipeMemory::new(self.embedded.clone(), path)),
            None => in_process(),
        }
    }

    /// Lets the database go, so that it can be opened again at once.
    fn close(&self) {
        self.embedded.close();
    }
}

#[cfg(not(feature = "embedded"))]
impl Core {
    fn open(config: &Config, service: &str) -> Result<Self> {
        Err(ErrorKind::NotYet(match config.core(service) {
            CoreChoice::Remote { .. } => REMOTE_NOT_YET,
            _ => "this program was built without the embedded core; enable the feature \"embedded\"",
        })
        .into())
    }

    #[allow(clippy::unused_self, reason = "the other form uses it")]
    fn memory(&self, _: &Synchronizer) -> Arc<dyn Memory> {
        in_process()
    }

    #[allow(clippy::unused_self, reason = "the other form uses it")]
    fn close(&self) {}
}

fn in_process() -> Arc<dyn Memory> {
    Arc::new(Mutex::new(Applied::default()))
}

/// A synchronizer and its core.
struct Run {
    accessor: Arc<dyn ModelAccessor>,
    memory: Arc<dyn Memory>,
    config: Config,
    service: Synchronizer,
    name: String,
    graph: DependencyGraph,
    span: Span,
}

impl Run {
    fn new(
        accessor: Arc<dyn ModelAccessor>,
        memory: Arc<dyn Memory>,
        config: Config,
        service: Synchronizer,
    ) -> Result<Self> {
        let name = config.name.clone().unwrap_or_else(|| service.name().to_owned());
        let graph = match &config.dependency_graph {
            Some(path) => read_dependency_graph(path)?,
            None => DependencyGraph::new(),
        };
        let span = info_span!("synchronizer", synchronizer_name = %name);
        Ok(Run { accessor, memory, config, service, name, graph, span })
    }

    async fn until(self, stop: impl Future<Output = ()> + Send) -> Result<()> {
        let span = self.span.clone();
        if self.config.desired_state == DesiredState::Unload {
            return self.unload(stop).instrument(span).await;
        }
        self.load().instrument(span.clone()).await?;
        let recipe = self.first_recipe().instrument(span.clone()).await?;
        let steps: Vec<&str> = self.service.steps.iter().map(|step| step.name()).collect();
        span.in_scope(|| lines::engines(&steps, self.config.steps_dir.as_deref()));
        if self.service.steps.is_empty() {
            span.in_scope(lines::nothing_to_do);
            return Ok(());
        }
        if self.config.once {
            return self.once(recipe, stop).await;
        }
        let watching = recipe.map(|recipe| AbortOnDrop(tokio::spawn(recipe.watch().instrument(span))));
        let end = self.synchronize(stop).await;
        if let Some(watching) = watching {
            watching.end().await;
        }
        end.map(|_| ())
    }

    /// Loads the models, and looks for those that must be there.
    async fn load(&self) -> Result<()> {
        let version = self.service.version_or(&self.config);
        let core_version = self.config.core_version.clone();
        lines::version(&version, core_version.as_deref());
        self.service.check()?;
        let own = self.service.models();
        let models = own.iter().map(|model| (*model).clone()).collect();
        let load = LoadModels {
            name: self.name.clone(),
            version,
            models,
            core_version,
            files: ServiceFiles::default(),
        };
        match self.accessor.onboard(&Onboard::Load(load)).await? {
            Onboarded::Loaded { models } => info!(models = models.join(", "), "models loaded"),
            _ => tracing::debug!("the models are loaded already"),
        }
        let schema = self.accessor.schema();
        let required = self.config.required_models.iter().map(|model| model.trim().to_owned());
        let (found, missing): (Vec<String>, Vec<String>) =
            required.partition(|model| schema.model(model).is_some());
        if !missing.is_empty() {
            return Err(ErrorKind::MissingModels(missing).into());
        }
        let own = || own.iter().map(|model| model.name.to_string()).collect();
        lines::required_models(&if found.is_empty() { own() } else { found });
        Ok(())
    }

    /// Takes the models out of the core. Their objects are deleted first, by the steps; the recipe does not count any more.
    async fn unload(mut self, stop: impl Future<Output = ()> + Send) -> Result<()> {
        let mut stop = std::pin::pin!(stop);
        info!("Trying for an easy unload_models");
        let mut left = self.ask_to_unload().await?;
        if left > 0 {
            info!(left, "objects of these models are deleted first");
            self.config.once = true;
            for _ in 0..ONCE_ROUNDS {
                self.synchronize(stop.as_mut()).await?;
                left = self.ask_to_unload().await?;
                if left == 0 {
                    break;
                }
            }
        }
        if left > 0 {
            return Err(ErrorKind::NotUnloaded { left }.into());
        }
        info!("Models successfully unloaded. Synchronizer exiting");
        Ok(())
    }

    /// How many objects are in the way of unloading the models; they are being deleted.
    async fn ask_to_unload(&self) -> Result<u64> {
        let what = Onboard::Unload { name: self.name.clone(), cleanup: Cleanup::AutomaticallyClean };
        match self.accessor.onboard(&what).await? {
            Onboarded::TryAgain { left } => Ok(left),
            _ => Ok(0),
        }
    }

    /// Applies the recipe, if there is one, and prints the objects; with `--once` they are printed at the end.
    async fn first_recipe(&self) -> Result<Option<RecipeFile>> {
        let Some(path) = &self.service.recipe else { return Ok(None) };
        let mut recipe = RecipeFile::new(path.clone(), self.accessor.clone(), self.memory.clone());
        recipe.apply_first().await?;
        if !self.config.once {
            self.print_table().await?;
        }
        Ok(Some(recipe))
    }

    async fn print_table(&self) -> Result<()> {
        let table = crate::show::object_table(self.accessor.as_ref(), &self.service).await?;
        // A closed terminal is no reason not to synchronize.
        let _ = writeln!(std::io::stdout(), "{table}");
        Ok(())
    }

    /// Synchronizes until nothing is ready. A recipe may have to wait for what steps delete.
    async fn once(
        &self,
        mut recipe: Option<RecipeFile>,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        let mut stop = std::pin::pin!(stop);
        let has_recipe = recipe.is_some();
        let mut not_ok = 0;
        for _ in 0..ONCE_ROUNDS {
            not_ok = self.synchronize(stop.as_mut()).await?;
            match recipe.as_mut().filter(|recipe| recipe.has_to_wait()) {
                Some(recipe) => recipe.apply_first().instrument(self.span.clone()).await?,
                None => break,
            }
        }
        if has_recipe {
            self.print_table().await?;
        }
        if not_ok == 0 {
            return Ok(());
        }
        Err(ErrorKind::NotAllOk { failed: not_ok, total: self.count().await? }.into())
    }

    /// Runs the engine, again whenever the models change. How many objects are not OK in the end.
    async fn synchronize(&self, stop: impl Future<Output = ()> + Send) -> Result<usize> {
        let mut stop = std::pin::pin!(stop);
        loop {
            let schema = self.accessor.schema();
            let layout = self
                .span
                .in_scope(|| Layout::new(schema, &self.service.steps, &self.service.hooks, &self.graph));
            let options = Options {
                service: self.name.clone(),
                engine: self.config.engine.clone(),
                once: self.config.once,
            };
            match Shell::run(self.accessor.clone(), layout, options, stop.as_mut()).await? {
                End::SchemaChanged => {
                    self.span.in_scope(|| info!("the models changed; starting again with them"));
                }
                End::Stopped { not_ok } => return Ok(not_ok),
            }
        }
    }

    /// How many live objects the steps take.
    async fn count(&self) -> Result<usize> {
        let mut total = 0;
        for step in &self.service.steps {
            let query = Query::live(step.shape().clone());
            let mut page = Some(Page::default());
            while let Some(this) = page {
                let found = self.accessor.find(&query, this).await?;
                total += found.records.len();
                page = found.next;
            }
        }
        Ok(total)
    }
}

/// A task that ends when this is dropped.
struct AbortOnDrop(JoinHandle<()>);

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
