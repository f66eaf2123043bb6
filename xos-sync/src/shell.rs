//! The shell around the engine: it has the clock, the tasks and the way to the core.
//!
//! One task owns the engine. It waits for whatever comes first (a change in the feed, an answer of the core, the end
//! of a run, a timer), tells the engine, and carries out what the engine demands. Reads and writes of the core are
//! futures that this task polls itself; only steps are tasks of their own.

mod actions;
mod clock;
mod events;
mod facts;
pub(crate) mod layout;
pub(crate) mod lines;
mod reads;
mod status;
mod worker;
mod writes;

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{AbortHandle, BoxFuture};
use futures_util::stream::{FuturesUnordered, ReadyChunks, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Span;
use xos_model_client::{Change, Cursor, Feed, ModelAccessor, ModelId, ObjectId, Page, Query, Record};

use self::clock::Clock;
use self::layout::Layout;
use self::reads::{Cache, ReadDone};
use self::worker::Ended;
use self::writes::{Pending, WriteDone};
use crate::context::Context;
use crate::engine::{self, Action, Engine, Event, Moment, ObjectKey, ReadId, Run, Verb};
use crate::error::Result;

/// What the shell is told by configuration.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) service: String,
    pub(crate) engine: crate::config::Engine,
    /// End when nothing is ready.
    pub(crate) once: bool,
}

/// How a shell ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was asked to stop, or had nothing more to do.
    Stopped {
        /// How many objects were not OK, as far as known.
        not_ok: usize,
    },
    /// The models changed: start again with the new ones.
    SchemaChanged,
}

/// One run, from its start until its result is stored.
struct Running {
    run: Run,
    key: ObjectKey,
    leaf: ModelId,
    verb: Verb,
    attempt: u16,
    why: engine::Why,
    /// Set while a step is at work.
    context: Option<Context>,
    cancel: Option<AbortHandle>,
    /// The object as the run found it.
    before: Option<Record>,
    /// The text of its failure, until it is stored.
    text: String,
    /// The version that the step works on.
    worked_on: engine::Version,
    /// Set when it was told to stop.
    cancelled: Option<engine::Cancel>,
}

/// A future of the core that has ended.
enum Io {
    Read(ReadDone),
    Written(WriteDone),
    Probed(bool),
    Hooked(Run, std::result::Result<(), String>),
}

pub(crate) struct Shell {
    accessor: Arc<dyn ModelAccessor>,
    layout: Arc<Layout>,
    options: Options,
    engine: Engine,
    clock: Clock,
    actions: Vec<Action>,
    running: Vec<Option<Running>>,
    io: FuturesUnordered<BoxFuture<'static, Io>>,
    ended: mpsc::Sender<Ended>,
    next_read: u64,
    /// Models that are to be scanned, in order; the first is under way when `scanning`.
    scans: VecDeque<ModelId>,
    scanning: bool,
    /// Objects that the feed told of, to be read, by leaf model.
    changed: HashMap<ModelId, HashSet<ObjectId>>,
    reading_changes: usize,
    /// Runs whose object is to be read before they start, by leaf model.
    to_fetch: HashMap<ModelId, Vec<(Run, ObjectId)>>,
    cache: Cache,
    pending: VecDeque<Pending>,
    writing: usize,
    watched: HashSet<ObjectKey>,
    /// Objects whose deletion was stored here: their purge is worth a line.
    reaped: HashMap<ObjectKey, ModelId>,
    wake: Moment,
    core_down: bool,
    span: Span,
    drained: bool,
}

/// How many changes are taken from the feed at once.
const CHANGES_AT_ONCE: usize = 512;

/// How often a core that is away is asked whether it is back.
const PROBE: Duration = Duration::from_secs(1);

impl Shell {
    /// Runs steps until `stop` is done, and then until what runs has ended or the grace period is over.
    ///
    /// # Errors
    ///
    /// A core that cannot be read at the start.
    pub(crate) async fn run(
        accessor: Arc<dyn ModelAccessor>,
        layout: Layout,
        options: Options,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<End> {
        let capacity = options.engine.concurrency.max(1) * 2;
        let (ended, endings) = mpsc::channel(capacity);
        let span = tracing::info_span!("synchronizer", synchronizer_name = %options.service);
        let engine = Engine::new(engine_config(&options.engine, &layout));
        let mut shell = Shell {
            accessor: accessor.clone(),
            layout: Arc::new(layout),
            engine,
            clock: Clock::new(),
            actions: Vec::new(),
            running: Vec::new(),
            io: FuturesUnordered::new(),
            ended,
            next_read: 0,
            scans: VecDeque::new(),
            scanning: false,
            changed: HashMap::new(),
            reading_changes: 0,
            to_fetch: HashMap::new(),
            cache: Cache::default(),
            pending: VecDeque::new(),
            writing: 0,
            watched: HashSet::new(),
            reaped: HashMap::new(),
            wake: Moment::NEVER,
            core_down: false,
            span,
            drained: false,
            options,
        };
        let cursor = cursor(accessor, shell.layout.clone()).await;
        let feed = shell.accessor.feed(cursor, &shell.layout.feed).ready_chunks(CHANGES_AT_ONCE);
        shell.tell(Event::Leader(engine::Term(1)));
        shell.act();
        shell.turn(feed, endings, stop).await
    }

    async fn turn(
        &mut self,
        mut feed: ReadyChunks<Feed>,
        mut endings: mpsc::Receiver<Ended>,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<End> {
        let mut stop = std::pin::pin!(stop);
        let mut stopping = false;
        let mut ended = Vec::new();
        let full_scan = self.options.engine.full_scan_interval;
        let scan_timer = tokio::time::sleep(full_scan);
        let wake_timer = tokio::time::sleep(Duration::ZERO);
        let grace = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(scan_timer, wake_timer, grace);
        let mut armed = Moment::NEVER;
        let mut schema_changed = false;
        loop {
            if self.drained {
                let not_ok = self.engine.counts().resting;
                return Ok(if schema_changed { End::SchemaChanged } else { End::Stopped { not_ok } });
            }
            if self.options.once && !stopping && self.is_quiet() {
                stopping = true;
                self.shut_down(grace.as_mut());
                continue;
            }
            if armed != self.wake {
                armed = self.wake;
                if armed != Moment::NEVER {
                    wake_timer.as_mut().reset(self.clock.instant_of(armed));
                }
            }
            tokio::select! {
                count = endings.recv_many(&mut ended, capacity_of(&self.options)) => {
                    debug_assert!(count > 0, "the shell holds a sender");
                    for ended in ended.drain(..) {
                        self.run_ended(ended);
                    }
                }
                Some(done) = self.io.next(), if !self.io.is_empty() => self.io_done(done),
                Some(changes) = feed.next() => schema_changed |= self.feed_told(changes),
                () = &mut wake_timer, if armed != Moment::NEVER => {
                    armed = Moment::NEVER;
                    self.wake = Moment::NEVER;
                    self.tell(Event::Timer);
                }
                () = &mut scan_timer => {
                    scan_timer.as_mut().reset(Instant::now() + full_scan);
                    self.scan_all();
                }
                () = &mut stop, if !stopping => {
                    tracing::info!(parent: &self.span, "stopping: no new work, waiting for running steps");
                    stopping = true;
                    self.shut_down(grace.as_mut());
                }
                () = &mut grace, if stopping => {
                    self.give_up();
                    return Ok(End::Stopped { not_ok: self.engine.counts().resting });
                }
            }
            if schema_changed && !stopping {
                stopping = true;
                self.shut_down(grace.as_mut());
            }
            self.act();
        }
    }

    fn shut_down(&mut self, grace: std::pin::Pin<&mut tokio::time::Sleep>) {
        grace.reset(Instant::now() + self.options.engine.grace_period);
        self.tell(Event::Shutdown);
        self.act();
    }

    /// The grace period is over: what still runs is dropped, and runs again after the next start.
    fn give_up(&mut self) {
        let running: Vec<&Running> = self.running.iter().flatten().filter(|run| run.cancel.is_some()).collect();
        if !running.is_empty() {
            let objects: Vec<String> = running
                .iter()
                .map(|run| format!("{} {}", self.layout.name(run.leaf), run.key.id()))
                .take(10)
                .collect();
            tracing::warn!(
                parent: &self.span,
                steps = running.len(),
                objects = objects.join(", "),
                "the grace period is over: steps that still run are dropped; they run again after the next start"
            );
        }
        for run in self.running.iter_mut().flatten() {
            if let Some(cancel) = run.cancel.take() {
                cancel.abort();
            }
        }
    }

    /// Whether nothing is under way: `--once` ends then.
    fn is_quiet(&self) -> bool {
        self.engine.is_quiet()
            && !self.scanning
            && self.scans.is_empty()
            && self.changed.is_empty()
            && self.reading_changes == 0
            && self.pending.is_empty()
            && self.writing == 0
            && !self.core_down
    }

    /// Tells the engine something; what it demands is collected.
    fn tell(&mut self, event: Event<'_>) {
        self.engine.step(event, self.clock.now(), &mut self.actions);
    }

    fn new_read(&mut self, models: &[ModelId]) -> ReadId {
        self.next_read += 1;
        let read = ReadId(self.next_read);
        let models: Vec<engine::ModelId> = models.iter().map(|model| engine::ModelId(model.0)).collect();
        self.tell(Event::ReadStarted(read, &models));
        read
    }

    fn running(&mut self, run: Run) -> Option<&mut Running> {
        self.running.get_mut(run.slot as usize)?.as_mut().filter(|running| running.run == run)
    }

    /// The core is away: nothing starts until it answers again.
    fn core_is_away(&mut self, error: &xos_model_client::Error) {
        if self.core_down {
            return;
        }
        self.core_down = true;
        tracing::warn!(parent: &self.span, e = %error, "the core is away; results wait until it is back");
        self.tell(Event::CoreDown);
        self.probe();
    }

    fn probe(&mut self) {
        let Some(leaf) = self.layout.leaves().next() else { return };
        let (accessor, query) = (self.accessor.clone(), Query::live(leaf.shape.clone()));
        self.io.push(Box::pin(async move {
            tokio::time::sleep(PROBE).await;
            let answer = accessor.find(&query, Page::first(1)).await;
            Io::Probed(answer.map_or_else(|error| !error.is_interruption(), |_| true))
        }));
    }

    fn core_is_back(&mut self) {
        if self.core_down {
            self.core_down = false;
            tracing::info!(parent: &self.span, "the core is back");
            self.tell(Event::CoreUp);
        }
    }

    /// What the feed told. Whether the models changed.
    fn feed_told(&mut self, changes: Vec<Change>) -> bool {
        let mut schema_changed = false;
        for change in changes {
            match change {
                Change::Saved { key, leaf, .. } => self.object_changed(key, leaf),
                Change::Purged { key } => self.object_purged(key),
                Change::CaughtUp(_) => {}
                Change::Gap { why } => {
                    tracing::info!(parent: &self.span, ?why, "changes may have been missed; reading everything again");
                    self.tell(Event::Gap);
                }
                Change::Schema(schema) => schema_changed |= self.observes_other_models(&schema),
                Change::Down { error } => self.core_is_away(&error),
                Change::Up => self.core_is_back(),
            }
        }
        self.read_changes();
        schema_changed
    }

    /// Whether a new schema has models that steps take and that are not known yet, or known ones with other fields.
    fn observes_other_models(&self, schema: &xos_model_client::Schema) -> bool {
        self.layout.leaves().any(|leaf| {
            schema.by_id(leaf.id).is_none_or(|model| model.fields.len() != leaf.shape.fields().len())
        }) || schema.models().len() != self.layout.schema.models().len()
    }
}

/// When the next try of an object is due, in seconds since 1970, by its register.
pub(crate) fn register_next_run(register: &str) -> Option<f64> {
    let register = status::Register::read(register);
    (register.exponent > 0 && register.next_run > 0.0).then_some(register.next_run)
}

/// The position from which the feed has to tell: what is read afterwards includes it.
async fn cursor(accessor: Arc<dyn ModelAccessor>, layout: Arc<Layout>) -> Cursor {
    let Some(leaf) = layout.leaves().next() else { return Cursor::default() };
    let query = Query::live(leaf.shape.clone());
    // The feed of a core that is away starts with what it can: a gap.
    accessor.find(&query, Page::first(1)).await.map_or_else(|_| Cursor::default(), |found| found.as_of)
}

fn capacity_of(options: &Options) -> usize {
    options.engine.concurrency.max(1) * 2
}

fn engine_config(config: &crate::config::Engine, layout: &Layout) -> engine::Config {
    engine::Config {
        concurrency: config.concurrency,
        deadline: Some(config.step_deadline),
        first_retry: config.first_retry,
        retry_cap: config.retry_cap,
        deferred_cap: config.deferred_retry,
        models: layout.models.clone(),
        limits: layout.limits.clone(),
        ..engine::Config::default()
    }
}
