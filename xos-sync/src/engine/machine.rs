//! The machine itself: its parts, and the order in which a step does things.

use std::collections::{HashSet, VecDeque};

use super::action::{Action, Cancel, Note};
use super::alarms::Alarms;
use super::config::Config;
use super::edges::Edges;
use super::entry::{Entry, Extra, Place, Rest};
use super::event::{Event, Scope};
use super::index::{Index, mix};
use super::reads::Reads;
use super::rings::Rings;
use super::runs::{Phase, Runs};
use super::slab::{NONE, Slab, unlink};
use super::types::{Lane, Moment, ObjectKey, Run, Term};
use super::watch::{Until, Watch};

/// The most entries one step wakes, frees or starts beyond what its event is about; the rest follows in the
/// next step, which [`Action::Wake`] asks for at once.
pub(super) const BUDGET: usize = 512;

/// The most entries one step looks at without touching them.
pub(super) const LOOK_BUDGET: usize = 16 * BUDGET;

/// How many of the latest changes are remembered, so that a `wait_for` that comes just too late sees them.
const RECENT: usize = 1024;

/// The engine. See the [module](super).
#[derive(Debug)]
pub struct Engine {
    pub(super) config: Config,
    pub(super) entries: Slab<Entry>,
    pub(super) index: Index,
    pub(super) edges: Edges,
    pub(super) alarms: Alarms,
    pub(super) rests: Slab<Rest>,
    pub(super) extras: Slab<Extra>,
    pub(super) watches: Slab<Watch>,
    pub(super) rings: Rings,
    pub(super) reads: Reads,
    pub(super) runs: Runs,
    /// Entries whose waiters are to be woken, and the first of these that has to go on waiting.
    pub(super) thaw: VecDeque<(u32, u32)>,
    /// Entries whose watchers are to be woken.
    pub(super) alerts: VecDeque<u32>,
    /// Entries that may have closed a circle, how far the search is, and its length.
    pub(super) suspects: VecDeque<(u32, u32, usize)>,
    /// Circles that were reported.
    pub(super) circles: HashSet<u64>,
    /// Ring of the tombstones, about in the order of their barriers.
    pub(super) tombs: u32,
    /// How many entries are in each [`Place`].
    pub(super) places: [usize; 9],
    /// Which models share which limits: positions in `config.limits`.
    pub(super) limits_of: Vec<Vec<u16>>,
    /// How many runs count against each limit.
    pub(super) limit_used: Vec<usize>,
    /// Changes so far, and the latest ones by a hash of their key.
    pub(super) changes: u64,
    pub(super) recent: Vec<(ObjectKey, u64)>,
    /// How many lanes wait for an object.
    pub(super) watching: usize,
    /// Cancelled runs, and when to report them if they still run.
    pub(super) late: Vec<(Moment, Run)>,
    pub(super) paused: bool,
    pub(super) paused_models: Vec<bool>,
    pub(super) paused_objects: HashSet<ObjectKey>,
    pub(super) leading: Option<Term>,
    pub(super) core_up: bool,
    pub(super) stop: Stop,
    /// When results are sent again that the core did not take though it seems to be up.
    pub(super) resend: Moment,
    /// The moment of the last wake that was asked for and has not come.
    wake: Moment,
    /// A step left work for the next one.
    pub(super) backlog: bool,
}

/// How far the end of the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    No,
    Draining,
    /// [`Action::Drained`] was told.
    Drained,
}

/// How many objects the engine holds, by what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// May start.
    pub ready: usize,
    /// Wait for another object, or are paused.
    pub waiting: usize,
    /// Wait for a moment: backoff, re-check, `wait_for`.
    pub resting: usize,
    /// A step is at work.
    pub running: usize,
    /// A result is not stored yet.
    pub storing: usize,
    /// Known and clean: kept until older reads have ended, or because others link to them.
    pub idle: usize,
}

impl Engine {
    /// An engine that knows nothing yet. It takes the core to be up and starts nothing before
    /// [`Event::Leader`].
    pub fn new(config: Config) -> Self {
        let models = config.models.len();
        let mut limits_of = vec![Vec::new(); models];
        for (at, limit) in config.limits.iter().enumerate() {
            for model in &limit.models {
                if let Some(list) = limits_of.get_mut(model.0 as usize) {
                    list.push(at as u16);
                }
            }
        }
        Self {
            entries: Slab::default(),
            index: Index::default(),
            edges: Edges::default(),
            alarms: Alarms::default(),
            rests: Slab::default(),
            extras: Slab::default(),
            watches: Slab::default(),
            rings: Rings::new(models),
            reads: Reads::new(&config),
            runs: Runs::default(),
            thaw: VecDeque::new(),
            alerts: VecDeque::new(),
            suspects: VecDeque::new(),
            circles: HashSet::new(),
            tombs: NONE,
            places: [0; 9],
            limits_of,
            limit_used: vec![0; config.limits.len()],
            changes: 0,
            recent: Vec::new(),
            watching: 0,
            late: Vec::new(),
            paused: false,
            paused_models: vec![false; models],
            paused_objects: HashSet::new(),
            leading: None,
            core_up: true,
            stop: Stop::No,
            resend: Moment::NEVER,
            wake: Moment::NEVER,
            backlog: false,
            config,
        }
    }

    /// Takes in one event and appends what has to be done.
    ///
    /// # Assumptions
    /// `now` does not go back. Every action appended is carried out, in order.
    ///
    /// # Guarantees
    /// The same events at the same moments give the same actions. No object has two runs at once. A step does
    /// what its event needs and a bounded share of what is left over.
    pub fn step(&mut self, event: Event<'_>, now: Moment, out: &mut Vec<Action>) {
        match event {
            Event::Facts(facts) => {
                for fact in facts {
                    self.fact(fact, now, out);
                }
            }
            Event::Vanished(key, read) => self.vanished(key, read, now, out),
            Event::Changed(key) => self.changed(key),
            Event::Retry(key) => self.retry(key, now, out),
            Event::Met(key, lane) => self.met(key, lane, now, out),
            Event::ReadStarted(read, models) => self.reads.started(read, models),
            Event::ReadEnded(read, complete) => {
                self.reads.ended(read, complete);
            }
            Event::Gap => self.gap(out),
            Event::Fetched(run, fact) => self.fetched(run, fact, now, out),
            Event::Finished(run, outcome) => self.finished(run, outcome, now, out),
            Event::Stored(run, result) => self.stored(run, result, now, out),
            Event::CoreUp => self.core_up(out),
            Event::CoreDown => self.core_up = false,
            Event::Leader(term) => self.leader(term, out),
            Event::LeaderLost => self.leader_lost(out),
            Event::Pause(scope) => self.pause(scope, true, now, out),
            Event::Resume(scope) => self.pause(scope, false, now, out),
            Event::Ask(key) => out.push(Action::Answer(Box::new(self.explain(key, now)))),
            Event::Shutdown if self.stop == Stop::No => self.stop = Stop::Draining,
            Event::Timer | Event::Shutdown => {}
        }
        self.work(now, out);
    }

    /// The term in which this replica leads, if it does.
    pub const fn leading(&self) -> Option<Term> {
        self.leading
    }

    /// How many objects there are of each kind.
    pub fn counts(&self) -> Counts {
        let of = |place: Place| self.places[place as usize];
        Counts {
            ready: of(Place::Ready),
            waiting: of(Place::Waiting) + of(Place::Held),
            resting: of(Place::Resting),
            running: self.runs.running(),
            storing: self.runs.storing(),
            idle: of(Place::Idle) + of(Place::Tomb),
        }
    }

    /// How many objects are not as they should be: dirty, doomed, or showing a failure. For the exit code of
    /// `--once`; it looks at every entry.
    pub fn undone(&self) -> usize {
        (0..self.entries.used())
            .map(|slot| &self.entries[slot])
            .filter(|entry| {
                let policy = entry.extra != NONE && self.extras[entry.extra].policy_due;
                entry.active() || policy || entry.rest != NONE
            })
            .count()
    }

    /// Whether the sync lane of this object is due, as far as is known.
    pub fn is_due(&self, key: ObjectKey) -> bool {
        self.index.find(&self.entries, key).is_some_and(|slot| self.entries[slot].blocks())
    }

    /// Whether this lane of this object waits for a condition ([`Outcome::WaitUntil`](super::Outcome::WaitUntil)).
    pub fn is_waiting(&self, key: ObjectKey, lane: Lane) -> bool {
        let slot = self.index.find(&self.entries, key);
        slot.and_then(|slot| self.watch(slot, lane)).is_some_and(|watch| watch.until == Until::Met)
    }

    /// Whether nothing can start, nothing runs, nothing waits to be stored and every observed model has been
    /// read: what is left waits for a moment, for an object, or for a change. `--once` ends here.
    pub fn is_quiet(&self) -> bool {
        let counts = self.counts();
        self.leading.is_some()
            && self.core_up
            && self.reads.all_read()
            && !self.backlog
            && (counts.ready, counts.running, counts.storing) == (0, 0, 0)
    }

    /// What is due now, whatever the event was; then the starts; then the next wake.
    fn work(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.deadlines(now, out);
        if now >= self.resend {
            self.resend = Moment::NEVER;
            self.send_results(out);
        }
        self.backlog = false;
        self.ring_alarms(now, out);
        self.sweep(now, out);
        // A start that finds itself blocked may close a circle, and a broken circle lets something start.
        for _ in 0..4 {
            self.thaw_some(now, out);
            self.search_circles(now, out);
            self.fill(now, out);
            if self.backlog || (self.suspects.is_empty() && self.thaw.is_empty()) {
                break;
            }
        }
        self.backlog |= !self.suspects.is_empty() || !self.thaw.is_empty();
        self.bury(BUDGET);
        if self.stop == Stop::Draining && self.runs.running() + self.runs.storing() == 0 {
            self.stop = Stop::Drained;
            out.push(Action::Drained);
        }
        self.next_wake(now, out);
    }

    fn next_wake(&mut self, now: Moment, out: &mut Vec<Action>) {
        if now >= self.wake {
            self.wake = Moment::NEVER;
        }
        let next = if self.backlog {
            now
        } else {
            let alarm = self.alarms.next().map_or(Moment::NEVER, |(when, _)| when);
            let deadline = self.runs.oldest().map_or(Moment::NEVER, |(_, job)| self.deadline(job.since));
            let notice = self.late.iter().map(|(when, _)| *when).min().unwrap_or(Moment::NEVER);
            alarm.min(deadline).min(notice).min(self.resend)
        };
        // A wake that comes too early is cheaper than a new one for every run that ends before its deadline.
        if next < self.wake {
            self.wake = next;
            out.push(Action::Wake(next));
        }
    }

    pub(super) fn deadline(&self, since: Moment) -> Moment {
        self.config.deadline.map_or(Moment::NEVER, |deadline| since + deadline)
    }

    /// Cancels the runs whose time is over, and reports those that do not stop.
    fn deadlines(&mut self, now: Moment, out: &mut Vec<Action>) {
        while let Some((run, job)) = self.runs.oldest() {
            if self.deadline(job.since) > now || self.config.deadline.is_none() {
                break;
            }
            self.runs.cancel(run);
            self.late.push((now + self.config.stop_notice, run));
            out.push(Action::Cancel { run, why: Cancel::TimedOut });
        }
        let runs = &self.runs;
        self.late.retain(|&(when, run)| {
            let Some(job) = runs.get(run).filter(|job| job.phase == Phase::Running) else { return false };
            if when <= now {
                out.push(Action::Note(Note::WillNotStop { run, key: job.key, since: job.since }));
            }
            when > now
        });
    }

    fn ring_alarms(&mut self, now: Moment, out: &mut Vec<Action>) {
        for _ in 0..BUDGET {
            match self.alarms.next() {
                Some((when, slot)) if when <= now => {
                    self.alarms.clear(&mut self.entries, slot);
                    self.expire_watches(slot, now, out);
                    self.settle(slot, now, out);
                }
                _ => return,
            }
        }
        self.backlog = true;
    }

    /// Frees tombstones that no read under way can contradict.
    fn bury(&mut self, budget: usize) {
        for _ in 0..budget {
            let slot = self.tombs;
            if slot == NONE || self.is_doubted(slot) {
                return;
            }
            self.tombs = unlink(&mut self.entries, slot, slot);
            self.set_place(slot, Place::Idle);
            self.release(slot);
        }
        self.backlog |= self.tombs != NONE && !self.is_doubted(self.tombs);
    }

    fn gap(&mut self, out: &mut Vec<Action>) {
        self.reads.forget();
        if self.leading.is_some() && self.core_up {
            out.push(Action::Scan(self.reads.order()));
        }
    }

    fn core_up(&mut self, out: &mut Vec<Action>) {
        self.core_up = true;
        self.resend = Moment::NEVER;
        self.send_results(out);
        self.gap(out);
    }

    fn leader(&mut self, term: Term, out: &mut Vec<Action>) {
        if self.leading.replace(term).is_none() {
            self.gap(out);
        }
    }

    /// Cancels and forgets everything. Steps that have not stopped keep their slot and, should the object come
    /// back, their object.
    fn leader_lost(&mut self, out: &mut Vec<Action>) {
        self.leading = None;
        let all: Vec<(Run, Phase)> = self.runs.all().map(|(run, job)| (run, job.phase)).collect();
        for (run, phase) in all {
            if phase == Phase::Running {
                self.runs.orphan(run);
                self.late.push((Moment::NEVER, run));
                out.push(Action::Cancel { run, why: Cancel::LeaderLost });
            } else {
                self.runs.free(run);
            }
        }
        self.late.retain(|(when, _)| *when != Moment::NEVER);
        self.entries = Slab::default();
        self.index = Index::default();
        self.edges = Edges::default();
        self.alarms = Alarms::default();
        self.rests = Slab::default();
        self.extras = Slab::default();
        self.watches = Slab::default();
        self.rings = Rings::new(self.config.models.len());
        self.thaw.clear();
        self.alerts.clear();
        self.suspects.clear();
        self.tombs = NONE;
        self.places = [0; 9];
        self.watching = 0;
        self.resend = Moment::NEVER;
        self.reads.ignore_open();
    }

    fn pause(&mut self, scope: Scope, on: bool, now: Moment, out: &mut Vec<Action>) {
        match scope {
            Scope::All => self.paused = on,
            Scope::Model(model) => {
                if let Some(paused) = self.paused_models.get_mut(model.0 as usize) {
                    *paused = on;
                }
            }
            Scope::Object(key) => {
                if on {
                    self.paused_objects.insert(key);
                } else {
                    self.paused_objects.remove(&key);
                }
                if let Some(slot) = self.index.find(&self.entries, key) {
                    self.settle(slot, now, out);
                }
            }
        }
    }

    /// Gives every result that waits for the core to the shell.
    pub(super) fn send_results(&mut self, out: &mut Vec<Action>) {
        let waiting: Vec<Run> =
            self.runs.all().filter(|(_, job)| job.phase == Phase::Unsent).map(|(run, _)| run).collect();
        for run in waiting {
            self.send_result(run, out);
        }
    }

    /// Gives a result to the shell, unless the core is away.
    pub(super) fn send_result(&mut self, run: Run, out: &mut Vec<Action>) {
        let core_up = self.core_up;
        let Some(job) = self.runs.get_mut(run).filter(|job| core_up && job.phase == Phase::Unsent) else {
            return;
        };
        if let Some(what) = job.store {
            job.phase = Phase::Storing;
            out.push(Action::Store { run, key: job.key, lane: job.verb.lane(), what });
        }
    }

    /// This object changed: those who watch it are woken, and a run that is about to watch it will know.
    pub(super) fn changed(&mut self, key: ObjectKey) {
        self.changes += 1;
        if self.recent.is_empty() {
            self.recent = vec![(key, 0); RECENT];
        }
        self.recent[mix(key.bits()) as usize % RECENT] = (key, self.changes);
        if self.watching > 0
            && let Some(slot) = self.index.find(&self.entries, key)
        {
            self.alert(slot);
        }
    }

    /// Whether this object changed after that many changes. May forget, never invents.
    pub(super) fn changed_since(&self, key: ObjectKey, changes: u64) -> bool {
        self.recent.get(mix(key.bits()) as usize % RECENT).is_some_and(|&(k, at)| k == key && at > changes)
    }
}
