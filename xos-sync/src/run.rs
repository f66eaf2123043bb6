//! Running a synchronizer.

mod onboarding;

use std::collections::HashSet;
use std::future::Future;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tracing::{Instrument as _, Span, info, info_span};
use xos_model_client::{ModelAccessor, Page, Query};

pub(crate) use self::onboarding::load_models;
use crate::args::Verb;
use crate::beside::{Beside, Setting};
use crate::config::{Config, DesiredState};
use crate::context::Around;
use crate::core::Core;
use crate::error::{ErrorKind, Result};
use crate::events::Drained;
use crate::recipe::{Applier, RecipeFile};
use crate::shell::layout::{DependencyGraph, Layout, read_dependency_graph};
use crate::shell::questions::{Questions, desk};
use crate::shell::{End, Options, Shell, lines};
use crate::signals::Grace;
use crate::synchronizer::Synchronizer;
#[cfg(feature = "embedded")]
use crate::{config::EventBusKind, events::topics_of, gui_events::publish::GuiPublisher};

/// How often `--once` applies a recipe that has to wait for objects that steps delete.
const ONCE_ROUNDS: usize = 5;

/// How often `--once` looks at objects again after events were processed.
const ONCE_EVENT_ROUNDS: usize = 100;

/// Runs a synchronizer until it is told to stop: opens the core, loads the models, and keeps the outside world in step.
/// With another [`Verb`] it does what that says instead.
///
/// An embedded core on a file is served on a Unix socket beside that file meanwhile, so that a second process (the verbs
/// `apply`, `list` and `explain`, or any gRPC client of the same user) can look at the objects and change them.
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
    if config.verb != Verb::Run {
        let verb = config.verb.clone();
        // Boxed: what an author's `main` holds is small, whatever is done.
        return Box::pin(crate::verbs::perform(&verb, &config, &service)).await;
    }
    crate::logging::init(&config)?;
    Box::pin(run_until(config, service, crate::signals::stop())).await
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
    let mut stop = std::pin::pin!(stop);
    let name = config.name.clone().unwrap_or_else(|| service.name().to_owned());
    let opening = Core::open(&config, &name).instrument(span_of(&name));
    let Some(core) = unless(stop.as_mut(), opening).await.transpose()? else {
        info!(synchronizer_name = name, "stopped");
        return Ok(());
    };
    let (desk, questions) = desk();
    let served = crate::served::serve(&core, &config, &name, Some(desk)).instrument(span_of(&name)).await;
    let end = match served {
        Ok(served) => {
            let end = Box::pin(run_in(&core, config, service, name, questions, stop)).await;
            served.stop().await;
            end
        }
        Err(error) => Err(error),
    };
    core.close();
    end
}

async fn run_in(
    core: &Core,
    config: Config,
    service: Synchronizer,
    name: String,
    questions: Questions,
    stop: impl Future<Output = ()> + Send,
) -> Result<()> {
    let applier = match &service.recipe {
        Some(recipe) => core.applier(&config, &name, recipe).await?,
        None => Applier::Other { accessor: core.accessor.clone(), memory: crate::core::in_process() },
    };
    let mut run = Run::new(core.accessor.clone(), applier, config, service)?;
    run.is_remote = core.is_remote;
    run.questions = Mutex::new(questions);
    #[cfg(feature = "embedded")]
    if let Some(embedded) = &core.embedded {
        run.gui_events = run.gui_publisher(embedded.core.clone()).await?;
    }
    run.until_closed(stop).await
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
    let applier = Applier::Other { accessor: accessor.clone(), memory: crate::core::in_process() };
    // Boxed: what the caller holds is small.
    Box::pin(Run::new(accessor, applier, config, service)?.until_closed(stop)).await
}

/// A synchronizer and its core.
struct Run {
    accessor: Arc<dyn ModelAccessor>,
    applier: Applier,
    config: Config,
    service: Synchronizer,
    name: String,
    /// What is asked of the engine, one engine after the other.
    questions: Mutex<Questions>,
    /// Whether other programs load models into the core too.
    is_remote: bool,
    graph: DependencyGraph,
    /// Who will publish the changes of the core.
    #[cfg(feature = "embedded")]
    gui_events: Option<GuiPublisher>,
    /// What all handlers have around them.
    around: Arc<Around>,
    grace: Arc<Grace>,
    span: Span,
}

impl Run {
    fn new(
        accessor: Arc<dyn ModelAccessor>,
        applier: Applier,
        config: Config,
        service: Synchronizer,
    ) -> Result<Self> {
        let name = config.name.clone().unwrap_or_else(|| service.name().to_owned());
        let graph = match &config.dependency_graph {
            Some(path) => read_dependency_graph(path)?,
            None => DependencyGraph::new(),
        };
        let span = span_of(&name);
        // Nobody asks, unless others can reach this program.
        let questions = Mutex::new(desk().1);
        service.prepare(&config)?;
        let grace = Arc::new(Grace::of(config.engine.grace_period));
        let bus = crate::bus::open(&config, &name)?;
        let around = Around::new(name.clone(), bus, config.ansible.clone());
        Ok(Run {
            accessor,
            applier,
            config,
            service,
            name,
            questions,
            is_remote: false,
            graph,
            #[cfg(feature = "embedded")]
            gui_events: None,
            around,
            grace,
            span,
        })
    }

    /// Runs, and then waits for what was published.
    async fn until_closed(self, stop: impl Future<Output = ()> + Send) -> Result<()> {
        let (bus, grace) = (self.around.bus.clone(), self.grace.clone());
        let end = Box::pin(self.until(stop)).await;
        bus.close(grace.left()).await;
        end
    }

    /// Who publishes the changes of an embedded core: on brokers unless told otherwise, in this process for a step that
    /// wants them.
    #[cfg(feature = "embedded")]
    async fn gui_publisher(&self, core: xos_core::EmbeddedCore) -> Result<Option<GuiPublisher>> {
        let is_kafka = self.config.event_bus.kind == EventBusKind::Kafka;
        let is_wanted = if is_kafka {
            self.config.event_bus.gui_events
        } else {
            let mut topics = self.service.event_steps.iter().map(|step| topics_of(step.as_ref()));
            topics.any(|topics| topics.is_ok_and(|topics| topics.matches(crate::gui_events::TOPIC)))
        };
        if !is_wanted {
            return Ok(None);
        }
        Ok(Some(GuiPublisher::new(core, self.around.bus.clone(), is_kafka).await?))
    }

    /// What the engine reads and writes: with the changes that a remote core publishes, where it does not tell of them.
    fn engine_accessor(&self) -> Arc<dyn ModelAccessor> {
        if self.config.event_bus.gui_events && !self.config.once {
            crate::gui_events::wake::woken(self.accessor.clone(), &self.around.bus)
        } else {
            self.accessor.clone()
        }
    }

    #[cfg_attr(not(feature = "embedded"), allow(unused_mut, reason = "only an embedded core publishes"))]
    async fn until(mut self, stop: impl Future<Output = ()> + Send) -> Result<()> {
        let mut stop = std::pin::pin!(stop);
        let span = self.span.clone();
        if self.config.desired_state == DesiredState::Unload {
            return self.unload(stop).instrument(span).await;
        }
        let start = async {
            self.load().await?;
            self.first_recipe().await
        };
        let Some(recipe) = unless(stop.as_mut(), start.instrument(span.clone())).await.transpose()? else {
            span.in_scope(|| info!("stopped"));
            return Ok(());
        };
        let steps: Vec<&str> = self.service.steps.iter().map(|step| step.name()).collect();
        let policies: Vec<&str> = self.service.policies.iter().map(|policy| policy.name()).collect();
        let events: Vec<&str> = self.service.event_steps.iter().map(|step| step.name()).collect();
        let pulls: Vec<&str> = self.service.pull_steps.iter().map(|step| step.name()).collect();
        span.in_scope(|| {
            lines::engines(&steps, self.config.steps_dir.as_deref(), &policies, &pulls, &events);
        });
        if self.has_no_engine() && self.service.has_nothing_beside() {
            span.in_scope(lines::nothing_to_do);
            return Ok(());
        }
        // What is beside the engine listens before the engine starts: a step may publish at once.
        let setting = self.setting();
        let beside = Beside::start(&self.service, &setting, self.config.once);
        let mut beside = beside.instrument(span.clone()).await?;
        #[cfg(feature = "embedded")]
        let publishing = self.gui_events.take().map(|publisher| span.in_scope(|| publisher.start()));
        let (tell, grace) = (beside.stopper(), self.grace.clone());
        let stop = async move {
            stop.await;
            grace.begins();
            tell.send_replace(true);
        };
        let mut stop = std::pin::pin!(stop.fuse());
        let end = if self.config.once {
            self.once(recipe, &mut beside, stop).await
        } else {
            let watching = recipe.map(|recipe| AbortOnDrop(tokio::spawn(recipe.watch().instrument(span))));
            let end = self.synchronize(stop.as_mut()).await;
            if let Some(watching) = watching {
                watching.end().await;
            }
            end.map(|_| ())
        };
        beside.end().await;
        #[cfg(feature = "embedded")]
        if let Some(publishing) = publishing {
            publishing.end(self.grace.left()).await;
        }
        end
    }

    /// Whether nothing looks at objects.
    fn has_no_engine(&self) -> bool {
        self.service.steps.is_empty() && self.service.policies.is_empty()
    }

    /// What steps beside the engine need.
    fn setting(&self) -> Setting {
        Setting {
            accessor: self.accessor.clone(),
            around: self.around.clone(),
            engine: self.config.engine.clone(),
            span: self.span.clone(),
        }
    }

    /// Applies the recipe, if there is one, and prints the objects; with `--once` they are printed at the end.
    async fn first_recipe(&self) -> Result<Option<RecipeFile>> {
        let Some(path) = &self.service.recipe else { return Ok(None) };
        let mut recipe = RecipeFile::new(path.clone(), self.applier.clone());
        recipe.apply_first().await?;
        if !self.config.once {
            match self.print_table().await {
                Err(error) if error.is_interruption() => info!(e = %error, "the objects cannot be shown now"),
                shown => shown?,
            }
        }
        Ok(Some(recipe))
    }

    async fn print_table(&self) -> Result<()> {
        let table = crate::verbs::object_table(self.accessor.as_ref(), &self.service).await?;
        // A closed terminal is no reason not to synchronize.
        let _ = writeln!(std::io::stdout(), "{table}");
        Ok(())
    }

    /// Synchronizes until nothing is ready. A recipe may have to wait for what steps delete.
    async fn once(
        &self,
        mut recipe: Option<RecipeFile>,
        beside: &mut Beside,
        mut stop: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> Result<()> {
        let has_recipe = recipe.is_some();
        let mut not_ok = 0;
        let mut drained = Drained::default();
        let Some(not_pulled) = unless(stop.as_mut(), beside.pulled()).await else { return Ok(()) };
        for _ in 0..ONCE_ROUNDS {
            for _ in 0..ONCE_EVENT_ROUNDS {
                not_ok = self.synchronize(stop.as_mut()).await?;
                // Steps publish events, and what is done about those makes objects dirty.
                let before = std::mem::replace(&mut drained, beside.drain().await);
                if drained.settled == before.settled || beside.is_stopping() {
                    break;
                }
            }
            match recipe.as_mut().filter(|recipe| recipe.has_to_wait() && !beside.is_stopping()) {
                Some(recipe) => recipe.apply_first().instrument(self.span.clone()).await?,
                None => break,
            }
        }
        if has_recipe {
            self.print_table().await?;
        }
        if not_ok == 0 && !not_pulled.is_empty() {
            let steps = not_pulled.into_iter().map(str::to_owned).collect();
            return Err(ErrorKind::NotAllPulled { steps }.into());
        }
        if not_ok == 0 && drained.stuck > 0 {
            return Err(ErrorKind::NotAllProcessed { events: drained.stuck }.into());
        }
        if not_ok == 0 {
            return Ok(());
        }
        Err(ErrorKind::NotAllOk { failed: not_ok, total: self.count().await? }.into())
    }

    /// Runs the engine, again whenever the models change. How many objects are not OK in the end.
    async fn synchronize(&self, stop: impl Future<Output = ()> + Send) -> Result<usize> {
        let mut stop = std::pin::pin!(stop);
        if self.has_no_engine() {
            if !self.config.once {
                stop.await;
            }
            return Ok(0);
        }
        let mut questions = self.questions.lock().await;
        loop {
            let schema = self.accessor.schema();
            let layout = self.span.in_scope(|| Layout::new(schema, &self.service, &self.graph));
            let options = Options {
                around: self.around.clone(),
                engine: self.config.engine.clone(),
                once: self.config.once,
            };
            let end =
                Shell::run(self.engine_accessor(), layout, options, &mut questions, stop.as_mut()).await?;
            match end {
                End::SchemaChanged => {
                    self.span.in_scope(|| info!("the models changed; starting again with them"));
                }
                End::Stopped { not_ok } => return Ok(not_ok),
            }
        }
    }

    /// How many live objects the steps and policies look at.
    async fn count(&self) -> Result<usize> {
        let schema = self.accessor.schema();
        let shapes = self.service.steps.iter().map(|step| step.shape());
        let shapes = shapes.chain(self.service.policies.iter().map(|policy| policy.shape()));
        let mut objects = HashSet::new();
        for shape in shapes {
            let Some(root) = schema.model(shape.model()).map(|model| model.root) else { continue };
            let query = Query::live(shape.clone());
            let mut page = Some(Page::default());
            while let Some(this) = page {
                let found = self.accessor.find(&query, this).await?;
                objects.extend(found.records.iter().map(|record| (root, record.id())));
                page = found.next;
            }
        }
        Ok(objects.len())
    }
}

pub(crate) fn span_of(name: &str) -> Span {
    info_span!("synchronizer", synchronizer_name = %name)
}

/// What a future gives, unless it was told to stop before.
async fn unless<T>(stop: impl Future<Output = ()>, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = stop => None,
        value = future => Some(value),
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
