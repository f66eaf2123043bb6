//! The shell around the engine: it has the clock, the tasks and the way to the core.
//!
//! One task owns the engine. It takes in whatever has come ([`Inbox`]: changes in the feed, answers of the core, ends of
//! runs, a moment), tells the engine, and carries out what the engine demands. Reads and writes of the core are futures
//! that this task polls itself; only steps are tasks of their own.
//!
//! ```text
//!  feed ─────┐
//!  answers ──┼─► Inbox ─► tell ─► engine ─► act ─► start a run, read, write
//!  ends ─────┘                                        │      │      │
//!    ▲                                              task   future  future
//!    └────────────────────────────────────────────────┴──────┴──────┘
//! ```

mod actions;
mod answers;
mod cache;
mod causes;
pub(crate) mod clock;
mod core;
mod crew;
mod events;
mod facts;
mod halves;
mod held;
mod hooks;
mod inbox;
pub(crate) mod layout;
pub(crate) mod lines;
mod mutual;
mod noting;
mod policies;
mod polls;
pub(crate) mod questions;
mod reads;
mod runs;
pub(crate) mod sabotage;
mod status;
mod waits;
mod worker;
mod writes;

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tracing::Span;
use xos_model_client::{ModelAccessor, ModelId, Timestamp};

use self::clock::Clock;
use self::crew::Crew;
use self::inbox::{Batch, Inbox};
use self::layout::Layout;
use self::mutual::Mutual;
use self::polls::{Polls, WatchedRead};
use self::questions::Questions;
use self::reads::{ReadDone, Reads};
use self::runs::{Home, Running};
use self::sabotage::Broken;
use self::waits::{Looked, Waits};
use self::writes::{WriteDone, Writes};
use crate::context::Around;
use crate::engine::{self, Action, Engine, Event, Moment, ObjectKey, Run};
use crate::error::Result;

/// What the shell is told by configuration.
#[derive(Clone)]
pub(crate) struct Options {
    /// What all handlers have around them.
    pub(crate) around: Arc<Around>,
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

/// Why nothing new is started.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Stopping {
    /// Somebody said so, or there is nothing more to do.
    Asked,
    SchemaChanged,
}

/// A future of the core that has ended.
enum Io {
    Read(ReadDone),
    Written(WriteDone),
    Probed(bool),
    Watched(WatchedRead),
    Looked(Looked),
    Hooked(Run, std::result::Result<(), String>),
}

/// When the shell wants to be woken, and what for.
struct Alarms {
    /// The engine asked for it.
    wake: Moment,
    /// The slow scan behind the feed's back.
    scan: Moment,
    /// Reads that failed are made again.
    reads: Moment,
    /// What still runs is dropped.
    grace: Moment,
}

pub(crate) struct Shell {
    accessor: Arc<dyn ModelAccessor>,
    layout: Arc<Layout>,
    /// What runs share.
    home: Arc<Home>,
    options: Options,
    engine: Engine,
    clock: Clock,
    /// One moment for everything that came in together.
    now: Moment,
    alarms: Alarms,
    actions: Vec<Action>,
    /// By the engine's slots.
    running: Vec<Option<Running>>,
    crew: Crew,
    /// How many steps are at work.
    at_work: usize,
    /// How many steps were begun.
    begun: u64,
    io: FuturesUnordered<BoxFuture<'static, Io>>,
    reads: Reads,
    writes: Writes,
    polls: Polls,
    waits: Waits,
    mutual: Mutual,
    watched: HashSet<ObjectKey>,
    /// Objects whose deletion was stored here: their purge is worth a line.
    reaped: HashMap<ObjectKey, (ModelId, Moment)>,
    core_down: bool,
    /// Its disk is full, or something like that: since then it has stored nothing.
    cannot_store: bool,
    stopping: Option<Stopping>,
    drained: bool,
    /// Only a test of the simulator breaks it.
    broken: Broken,
    /// For `--once`: how many steps had been begun when everything was read for the last time.
    confirmed: Option<u64>,
    span: Span,
}

impl Shell {
    /// Runs steps until `stop` is done, and then until what runs has ended or the grace period is over.
    ///
    /// # Errors
    ///
    /// A core that refuses to be read at the start. One that is away is waited for.
    pub(crate) async fn run(
        accessor: Arc<dyn ModelAccessor>,
        layout: Layout,
        options: Options,
        questions: &mut Questions,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<End> {
        let mut stop = std::pin::pin!(stop);
        let span = tracing::info_span!("synchronizer", synchronizer_name = %options.around.name);
        let Some(cursor) = core::cursor(&accessor, &span, stop.as_mut()).await? else {
            return Ok(End::Stopped { not_ok: 0 });
        };
        // Room for one from each run: a run never waits for the shell.
        let (ended, endings) = mpsc::channel(options.engine.concurrency.max(1) + 1);
        let engine = Engine::new(engine_config(&options.engine, &layout));
        let clock = Clock::new();
        let feed = accessor.feed(cursor, &layout.feed);
        if core::observes_other_models(&layout, &accessor.schema()) {
            // They changed since the layout was made, before the feed was there to tell.
            return Ok(End::SchemaChanged);
        }
        let inbox = Inbox::new(endings, feed, questions, stop, clock.clone());
        let layout = Arc::new(layout);
        let polls = Polls::new(!accessor.abilities().push, clock.now());
        let home = Home {
            accessor: accessor.clone(),
            layout: layout.clone(),
            around: options.around.clone(),
            ended,
        };
        let mut shell = Shell {
            accessor,
            layout,
            home: Arc::new(home),
            engine,
            now: clock.now(),
            alarms: Alarms {
                wake: Moment::NEVER,
                scan: clock.now() + options.engine.full_scan_interval,
                reads: Moment::NEVER,
                grace: Moment::NEVER,
            },
            clock,
            actions: Vec::new(),
            running: Vec::new(),
            crew: Crew::default(),
            at_work: 0,
            begun: 0,
            io: FuturesUnordered::new(),
            reads: Reads::default(),
            writes: Writes::default(),
            polls,
            waits: Waits::default(),
            mutual: Mutual::default(),
            watched: HashSet::new(),
            reaped: HashMap::new(),
            core_down: false,
            cannot_store: false,
            stopping: None,
            drained: false,
            broken: Broken::chosen(),
            confirmed: None,
            span,
            options,
        };
        shell.tell(Event::Leader(engine::Term(1)));
        shell.act();
        Ok(shell.turn(inbox).await)
    }

    async fn turn(&mut self, mut inbox: Inbox<'_, impl Future<Output = ()>>) -> End {
        let mut batch = Batch::default();
        loop {
            if self.drained {
                return self.end();
            }
            if self.options.once && self.stopping.is_none() && self.is_quiet() {
                self.end_once();
                continue;
            }
            let next = if self.crew.rest().await { self.clock.now() } else { self.alarms.next() };
            inbox.next(&mut self.io, &mut batch, next, self.at_work > 1).await;
            self.now = self.clock.now();
            self.take_in(&mut batch);
            if self.alarms.grace <= self.now {
                self.give_up();
                return self.end();
            }
            self.act();
        }
    }

    /// Tells the engine what came in.
    fn take_in(&mut self, batch: &mut Batch) {
        for ended in batch.ended.drain(..) {
            self.run_ended(ended);
        }
        for done in batch.io.drain(..) {
            self.io_done(done);
        }
        if !batch.changes.is_empty() {
            self.feed_told(&mut batch.changes);
        }
        if self.alarms.wake <= self.now {
            self.alarms.wake = Moment::NEVER;
            self.tell(Event::Timer);
        }
        if self.alarms.reads <= self.now {
            self.alarms.reads = Moment::NEVER;
            self.read_again();
        }
        if self.alarms.scan <= self.now {
            self.time_to_scan();
        }
        if std::mem::take(&mut batch.stop) {
            let (running, at_most) = (self.at_work, self.options.engine.grace_period);
            tracing::info!(
                parent: &self.span,
                running,
                at_most_seconds = at_most.as_secs_f64(),
                "stopping: no new work, waiting for running steps; a second signal stops at once"
            );
            self.shut_down(Stopping::Asked);
        }
        self.answer(&mut batch.questions);
    }

    fn end(&self) -> End {
        match self.stopping {
            Some(Stopping::SchemaChanged) => End::SchemaChanged,
            Some(Stopping::Asked) => {
                tracing::info!(parent: &self.span, "stopped");
                End::Stopped { not_ok: self.engine.undone() }
            }
            _ => End::Stopped { not_ok: self.engine.undone() },
        }
    }

    fn shut_down(&mut self, why: Stopping) {
        match self.stopping {
            // Who asks to stop does not want to see it start again.
            Some(_) if why == Stopping::Asked => self.stopping = Some(why),
            Some(_) => {}
            None => {
                self.stopping = Some(why);
                self.alarms.grace = self.now + self.options.engine.grace_period;
                self.tell(Event::Shutdown);
                self.interrupt_unbegun();
            }
        }
    }

    /// The grace period is over: what still runs is dropped, and runs again after the next start.
    fn give_up(&mut self) {
        let running: Vec<&Running> =
            self.running.iter().flatten().filter(|run| run.context.is_some()).collect();
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
        self.drop_steps();
    }

    /// Steps that still run end at their next await.
    fn drop_steps(&mut self) {
        for run in self.running.iter_mut().flatten() {
            if let Some(context) = run.context.take() {
                context.cancel();
            }
        }
    }

    /// Whether nothing is under way: `--once` may end then.
    fn is_quiet(&self) -> bool {
        self.engine.is_quiet()
            && self.alarms.wake > self.now
            && self.reads.is_quiet()
            && self.writes.is_quiet()
            && self.waits.is_quiet()
            && !self.core_down
    }

    /// Nothing is ready. What the feed has not told yet is found by reading everything once more; when that starts
    /// nothing, this is the end.
    fn end_once(&mut self) {
        if self.confirmed == Some(self.begun) {
            self.shut_down(Stopping::Asked);
        } else {
            self.confirmed = Some(self.begun);
            self.scan_all();
        }
        self.act();
    }

    /// Tells the engine something; what it demands is collected.
    fn tell(&mut self, event: Event<'_>) {
        self.engine.step(event, self.now, &mut self.actions);
    }
}

/// Who drops a synchronizer does not want its steps to go on.
impl Drop for Shell {
    fn drop(&mut self) {
        self.drop_steps();
    }
}

impl Alarms {
    fn next(&self) -> Moment {
        self.wake.min(self.scan).min(self.reads).min(self.grace)
    }
}

/// When the next try of an object is due, in seconds since 1970, by its register.
pub(crate) fn register_next_run(register: &str) -> Option<f64> {
    let register = status::Register::read(register);
    (register.exponent > 0 && register.next_run > 0.0).then_some(register.next_run)
}

/// What a register remembers of failures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Failures {
    pub(crate) count: u32,
    pub(crate) last: Option<Timestamp>,
    /// When it is tried again.
    pub(crate) next: Option<Timestamp>,
}

/// The failures of an object, by its register.
pub(crate) fn failures(register: &str) -> Failures {
    let next = register_next_run(register).map(Timestamp::from_seconds);
    let register = status::Register::read(register);
    Failures { count: register.exponent, last: register.last_failure.map(Timestamp::from_seconds), next }
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
