//! What outlives the program: the core, the backend, the time, and what was seen.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use xos_core::{EmbeddedCore, Options};
use xos_model_client::{Change, ObjectKey, Schema, Timestamp, Why};

use super::backend::Shelf;
use super::oracle::Judge;
use super::random::Random;
use super::trouble::{Trouble, Weather};
use super::witness::Witness;

/// When the virtual time begins, in microseconds since 1970.
const BEGIN: i64 = 1_700_000_000_000_000;

/// No crash.
const NEVER: u64 = u64::MAX;

/// What outlives the program.
pub(super) struct World {
    pub(super) core: EmbeddedCore,
    pub(super) random: Random,
    pub(super) weather: Weather,
    pub(super) judge: Judge,
    pub(super) witness: Witness,
    pub(super) shelf: Shelf,
    start: Instant,
    core_shift: Arc<AtomicI64>,
    is_core_away: AtomicBool,
    is_backend_down: AtomicBool,
    /// How many places were passed where the program may die, and at which it does.
    points: AtomicU64,
    crash_at: AtomicU64,
    /// A hash of all that happened: two runs of one seed have the same.
    trace: AtomicU64,
    feeds: Mutex<Vec<mpsc::UnboundedSender<Change>>>,
}

impl World {
    /// A world at the beginning of its time.
    ///
    /// # Errors
    ///
    /// There is no memory for a core.
    pub(super) fn new(
        random: Random,
        weather: Weather,
        template: &EmbeddedCore,
    ) -> xos_model_client::Result<Self> {
        super::log::begins();
        let start = Instant::now();
        let core_shift = Arc::new(AtomicI64::new(0));
        let shift = core_shift.clone();
        let clock = move || virtual_time(start, shift.load(Ordering::Relaxed));
        let core = template.copy_with(Options { clock: Arc::new(clock), ..Options::default() })?;
        Ok(World {
            core,
            random,
            weather,
            judge: Judge::new(),
            witness: Witness::default(),
            shelf: Shelf::default(),
            start,
            core_shift,
            is_core_away: AtomicBool::new(false),
            is_backend_down: AtomicBool::new(false),
            points: AtomicU64::new(0),
            crash_at: AtomicU64::new(NEVER),
            trace: AtomicU64::new(0),
            feeds: Mutex::default(),
        })
    }

    pub(super) fn schema(&self) -> Arc<Schema> {
        xos_model_client::ModelAccessor::schema(&self.core)
    }

    /// How long this world has lasted.
    pub(super) fn age(&self) -> Duration {
        self.start.elapsed()
    }

    /// The time as a program sees it whose clock is wrong by so much.
    pub(super) fn time(&self, shift: i64) -> Timestamp {
        virtual_time(self.start, shift)
    }

    /// The core's clock is set, forwards or back.
    pub(super) fn shift_core_clock(&self) {
        self.weather.count(Trouble::CoreClock);
        self.core_shift.store(self.any_shift(), Ordering::Relaxed);
    }

    /// Up to a day forwards or back, in microseconds.
    pub(super) fn any_shift(&self) -> i64 {
        const DAY: i64 = 24 * 3600 * 1_000_000;
        self.random.below(2 * DAY as u64) as i64 - DAY
    }

    pub(super) fn is_core_away(&self) -> bool {
        self.is_core_away.load(Ordering::Relaxed)
    }

    pub(super) fn is_backend_down(&self) -> bool {
        self.is_backend_down.load(Ordering::Relaxed)
    }

    pub(super) fn set_backend_down(&self, down: bool) {
        self.is_backend_down.store(down, Ordering::Relaxed);
    }

    /// The core goes away.
    pub(super) fn core_goes(&self) {
        if !self.is_core_away.swap(true, Ordering::Relaxed) {
            let error = Arc::new(xos_model_client::Error::away("the simulation took it away"));
            self.tell(&Change::Down { error });
        }
    }

    /// The core is back, after a restart without its place in the feed.
    pub(super) fn core_comes(&self, restarted: bool) {
        if self.is_core_away.swap(false, Ordering::Relaxed) {
            if restarted {
                self.tell(&Change::Gap { why: Why::Reconnected });
            }
            self.tell(&Change::Up);
        }
    }

    /// The feed loses its place.
    pub(super) fn lose_changes(&self) {
        self.tell(&Change::Gap { why: Why::Overflow });
    }

    /// Whoever reads the feed is told this too.
    pub(super) fn join_feed(&self, feed: mpsc::UnboundedSender<Change>) {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner).push(feed);
    }

    fn tell(&self, change: &Change) {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|feed| feed.send(change.clone()).is_ok());
    }

    /// Where the program dies: after so many more places where it may.
    pub(super) fn crash_after(&self, points: Option<u64>) {
        let at = points.map_or(NEVER, |points| self.points().saturating_add(points));
        self.crash_at.store(at, Ordering::Relaxed);
    }

    /// How many places were passed where the program may die.
    pub(super) fn points(&self) -> u64 {
        self.points.load(Ordering::Relaxed)
    }

    /// Something happened.
    pub(super) fn note(&self, what: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.trace.load(Ordering::Relaxed), self.age().as_micros(), what).hash(&mut hasher);
        self.trace.store(hasher.finish(), Ordering::Relaxed);
    }

    /// A hash of all that happened.
    pub(super) fn trace(&self) -> u64 {
        self.trace.load(Ordering::Relaxed)
    }
}

/// A core at the beginning of the time.
///
/// # Errors
///
/// There is no memory for it.
pub(super) fn new_core() -> xos_model_client::Result<EmbeddedCore> {
    let clock = Arc::new(|| Timestamp::from_micros(BEGIN));
    EmbeddedCore::in_memory_with(Options { clock, ..Options::default() })
}

fn virtual_time(start: Instant, shift: i64) -> Timestamp {
    let since = i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX / 2);
    Timestamp::from_micros(BEGIN.saturating_add(since).saturating_add(shift))
}

/// One life of the program, from its start until it ends or dies. What is dead has no effect any more.
pub(super) struct Life {
    pub(super) world: Arc<World>,
    is_dead: AtomicBool,
    died: Notify,
}

impl Life {
    pub(super) fn new(world: Arc<World>) -> Arc<Self> {
        Arc::new(Life { world, is_dead: AtomicBool::new(false), died: Notify::new() })
    }

    /// A place where the program may die. Whether it lives on.
    pub(super) fn passes(&self) -> bool {
        if self.is_dead.load(Ordering::Relaxed) {
            return false;
        }
        let point = self.world.points.fetch_add(1, Ordering::Relaxed);
        if point == self.world.crash_at.load(Ordering::Relaxed) {
            self.die();
            return false;
        }
        true
    }

    /// A place where the program may die: what is dead never comes back from here.
    pub(super) async fn point(&self) {
        if !self.passes() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    /// The program dies here and now.
    pub(super) fn die(&self) {
        if !self.is_dead.swap(true, Ordering::Relaxed) {
            tracing::info!("the program dies");
            self.world.weather.count(Trouble::Crash);
            self.world.note("crash");
            self.world.witness.all_died();
            self.died.notify_one();
        }
    }

    /// It ended by itself, or was stopped: whatever is left of it has no effect.
    pub(super) fn end(&self) {
        if !self.is_dead.swap(true, Ordering::Relaxed) {
            self.world.witness.all_died();
        }
    }

    /// Returns when it died.
    pub(super) async fn death(&self) {
        self.died.notified().await;
    }
}

/// What a handler works on, as far as known where it is asked.
pub(super) type Owner = Option<ObjectKey>;
