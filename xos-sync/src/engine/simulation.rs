//! The engine against a model of a core, its readers, its steps and everything that goes wrong, from a seed.
//!
//! The world keeps the rules: a claim before the first effect, `enacted` as fetched, soft deletion, a reaper.
//! Reads overlap, look at each page at some moment and tell of it later; the feed announces each change once.
//! In some worlds models have policies too, and in some of these one model has policies alone. Checked at every
//! action: never two runs at once on one object, limits, order among dirty objects, nothing for dead runs, nothing
//! while it must not be. At the end, when faults have stopped: all is clean, whatever a step or a policy had touched
//! was deleted by it before it was purged, and the engine has forgotten everything.

#![allow(clippy::struct_excessive_bools, reason = "each is one thing that can be so or not")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use self::world::{Object, Policies, Random, apply, fact};
use super::index::mix;
use super::*;

mod shell;
mod trouble;
mod world;

const MODELS: u16 = 3;
/// A model nobody observes.
const FOREIGN: ModelId = ModelId(MODELS);
const IDS: u32 = 12;
const LIMIT: usize = 2;

/// A read: the pages it still has to look at, and what the last page said.
struct Read {
    id: ReadId,
    models: Vec<ModelId>,
    pages: VecDeque<Vec<ObjectKey>>,
    told: Option<Vec<(ObjectKey, Option<Object>)>>,
    /// Started by the feed: it tells also of clean objects.
    why: Why,
}

struct Live {
    run: Run,
    key: ObjectKey,
    verb: Verb,
    claim: bool,
    why: Why,
    begun: bool,
    cancelled: bool,
    /// Leadership was lost: it may not write any more.
    orphan: bool,
    finished: bool,
    /// The result to be stored.
    store: Option<Store>,
    /// The core did not take it.
    away: bool,
}

struct Sim {
    random: Random,
    policies: Policies,
    circles: bool,
    /// The feed announces also what the engine itself stored.
    echo: bool,
    calm: bool,
    engine: Engine,
    config: Config,
    now: Moment,
    wake: Moment,
    clock: u64,
    ids: u32,
    reads: u64,
    world: BTreeMap<ObjectKey, Object>,
    open: Vec<Read>,
    announced: VecDeque<ObjectKey>,
    scan: VecDeque<ModelId>,
    live: Vec<Live>,
    dead: Vec<Run>,
    watched: BTreeSet<ObjectKey>,
    /// Lanes that wait for a condition which the shell has not told to hold yet.
    unmet: Vec<(ObjectKey, Lane)>,
    leading: bool,
    core_up: bool,
    paused: Option<Scope>,
    journal: u64,
    runs: usize,
}

fn key(model: u16, id: u32) -> ObjectKey {
    ObjectKey::new(ModelId(model), id)
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut random = Random(mix(seed));
        let models = (0..=MODELS)
            .map(|m| Model {
                name: format!("M{m}"),
                observed: m < MODELS,
                needs: if m < MODELS { (0..m).map(ModelId).collect() } else { Vec::new() },
            })
            .collect();
        let config = Config {
            concurrency: 1 + random.below(6) as usize,
            unstored: 1 + random.below(4) as usize,
            seed,
            models,
            limits: [Lane::Sync, Lane::Policy]
                .map(|lane| Limit { models: vec![ModelId(1), ModelId(2)], lane, at_most: LIMIT })
                .into(),
            ..Config::default()
        };
        Self {
            policies: random.pick(&[
                Policies { on: false, alone: false },
                Policies { on: true, alone: false },
                Policies { on: true, alone: true },
            ]),
            circles: random.one_in(4),
            echo: random.one_in(2),
            calm: false,
            engine: Engine::new(config.clone()),
            config,
            random,
            now: Moment(0),
            wake: Moment::NEVER,
            clock: 0,
            ids: 0,
            reads: 0,
            world: BTreeMap::new(),
            open: Vec::new(),
            announced: VecDeque::new(),
            scan: VecDeque::new(),
            live: Vec::new(),
            dead: Vec::new(),
            watched: BTreeSet::new(),
            unmet: Vec::new(),
            leading: false,
            core_up: true,
            paused: None,
            journal: 0,
            runs: 0,
        }
    }

    // ---- the engine's side ----

    fn give(&mut self, event: Event<'_>) {
        let mut out = Vec::new();
        if self.now >= self.wake {
            self.wake = Moment::NEVER;
        }
        self.engine.step(event, self.now, &mut out);
        for action in out {
            self.journal = mix(self.journal ^ mix_text(&format!("{action:?}")));
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Start { run, key, leaf, lane, verb, claim, attempt, why, deadline, .. } => {
                assert!(self.leading && self.core_up, "{key} started while nothing may");
                // The one before is over when it has finished and nothing of it waits to be stored.
                let over = |l: &Live| l.finished && l.store.is_none() && !l.away;
                self.dead.extend(self.live.iter().filter(|l| l.key == key && over(l)).map(|l| l.run));
                self.live.retain(|l| l.key != key || !over(l));
                assert!(self.live.iter().all(|l| l.key != key), "two runs at once on {key}");
                assert!(self.live.iter().all(|l| l.run != run));
                assert!(self.paused != Some(Scope::All) && self.paused != Some(Scope::Object(key)));
                assert!(self.paused != Some(Scope::Model(leaf)));
                assert!(attempt > 0 && lane == verb.lane() && leaf == key.root() && deadline > self.now);
                self.live.push(Live {
                    run,
                    key,
                    verb,
                    claim,
                    why,
                    begun: false,
                    cancelled: false,
                    orphan: false,
                    finished: false,
                    store: None,
                    away: false,
                });
                self.runs += 1;
                let running =
                    |of: &dyn Fn(&Live) -> bool| self.live.iter().filter(|l| !l.finished && of(l)).count();
                assert!(running(&|_| true) <= self.config.concurrency);
                assert!(running(&|l| l.key.root().0 > 0 && l.verb.lane() == lane) <= LIMIT);
                self.check_order(key, verb);
            }
            Action::Store { run, key, lane, what } => {
                assert!(self.core_up && self.leading, "stored while the core is away");
                let live = self.live.iter_mut().find(|l| l.run == run && !l.orphan).unwrap();
                assert!(live.finished && live.store.is_none() && live.key == key && live.verb.lane() == lane);
                live.store = Some(what);
                live.away = false;
            }
            Action::Superseded(run) => assert!(self.live.iter().any(|l| l.run == run && !l.finished)),
            Action::Cancel { run, why } => {
                let live = self.live.iter_mut().find(|l| l.run == run && !l.finished).unwrap();
                assert!(!live.cancelled || why == Cancel::LeaderLost);
                live.cancelled = true;
                live.orphan |= why == Cancel::LeaderLost;
            }
            Action::Wake(when) => self.wake = when,
            Action::Scan(models) => self.scan = models.iter().copied().collect(),
            Action::Watch(key) => assert!(self.watched.insert(key)),
            Action::Unwatch(key) => assert!(self.watched.remove(&key)),
            Action::Note(Note::Cycle { keys, .. }) => assert!(self.circles && keys.len() > 1),
            Action::Note(_) => {}
            Action::Answer(answer) => assert!(!answer.to_string().is_empty()),
            Action::Drained => {
                assert!(self.live.is_empty());
            }
        }
        self.live.retain(|l| !(l.finished && l.orphan));
    }

    /// By what the engine knows: no target of a synced object is dirty, nothing that links to a deleted one is.
    fn check_order(&self, key: ObjectKey, verb: Verb) {
        if self.circles {
            return;
        }
        let know = |key: ObjectKey| self.engine.explain(key, self.now);
        let own = know(key);
        match verb {
            Verb::SyncRecord if own.sync != Due::No => {
                for &target in self.world.get(&key).map_or(&[][..], |o| &o.links) {
                    let itself = target == key;
                    let target = know(target);
                    assert!(
                        itself || target.sync == Due::No || target.doomed,
                        "{own} started before {target}"
                    );
                }
            }
            Verb::DeleteRecord => {
                assert_eq!(own.policy, Due::No, "the delete policy comes first");
                for (&other, object) in &self.world {
                    if other != key && object.links.contains(&key) {
                        let other = know(other);
                        assert!(other.sync == Due::No && !other.doomed, "{own} was deleted before {other}");
                    }
                }
            }
            _ => {}
        }
    }

    // ---- the world ----

    fn change(&mut self, key: ObjectKey) {
        if self.leading && self.core_up {
            self.announced.push_back(key);
        }
    }

    fn user(&mut self) {
        self.clock += 1;
        let clock = self.clock;
        let known: Vec<ObjectKey> = self.world.keys().copied().collect();
        if known.is_empty() || (known.len() < 3 * IDS as usize && self.random.one_in(3)) {
            let key = self.create();
            return self.change(key);
        }
        let key = self.random.pick(&known);
        let Some(object) = self.world.get_mut(&key).filter(|object| !object.deleted) else { return };
        if self.random.one_in(5) {
            object.deleted = true;
            object.enacted = 0;
            object.policed = 0;
        } else {
            object.updated = clock;
            if self.random.one_in(8) {
                object.links.pop();
            }
            if self.circles && self.random.one_in(4) {
                object.links.push(self.random.pick(&known));
            }
        }
        self.change(key);
    }

    /// A new object, whose id was never used. Without circles it links to lower models or older objects.
    fn create(&mut self) -> ObjectKey {
        let model = self.random.model();
        let known: Vec<ObjectKey> = self.world.keys().copied().filter(|key| key.root().0 <= model).collect();
        self.ids += 1;
        let key = key(model, self.ids);
        let mut links = Vec::new();
        for _ in 0..self.random.below(3) {
            links.push(if known.is_empty() { key } else { self.random.pick(&known) });
        }
        self.world.insert(key, Object { links, updated: self.clock, ..Object::default() });
        key
    }

    fn reap(&mut self) {
        let gone: Vec<ObjectKey> = self
            .world
            .iter()
            .filter(|(_, o)| o.deleted && (o.need_reap || !(o.need_delete || o.need_delete_policy)))
            .map(|(key, _)| *key)
            .collect();
        for key in gone {
            let object = self.world.remove(&key).unwrap();
            assert!(!object.touched, "{key} was purged and delete_record never ran");
            assert!(!object.handled, "{key} was purged and its delete policy never ran");
            self.change(key);
        }
    }

    fn pass_time(&mut self) {
        let to_wake = self.wake.since(self.now).as_millis() as u64;
        let jump = match self.random.below(3) {
            0 => self.random.below(50),
            1 => to_wake.min(700_000),
            _ => self.random.below(20_000),
        };
        self.now = self.now + Duration::from_millis(jump);
        if self.now >= self.wake {
            self.give(Event::Timer);
        }
    }

    fn chaos(&mut self, moves: usize) {
        for _ in 0..moves {
            match self.random.below(20) {
                0..3 => self.user(),
                3..6 => self.follow_feed(),
                6..10 => self.progress_read(),
                10..13 => self.progress_run(),
                13..16 => self.answer_store(),
                16 if self.core_up && !self.scan.is_empty() => {
                    if let Some(model) = self.scan.pop_front() {
                        self.start_scan(model);
                    }
                }
                17 => self.pass_time(),
                18 => self.trouble(),
                19 => self.reap(),
                _ => {}
            }
        }
    }

    fn settle(&mut self) {
        self.calm = true;
        if let Some(scope) = self.paused.take() {
            self.give(Event::Resume(scope));
        }
        if !self.core_up {
            self.core_up = true;
            self.give(Event::CoreUp);
        }
        if !self.leading {
            self.leading = true;
            self.give(Event::Leader(Term(0)));
        }
        for round in 0..20_000 {
            let before = self.journal;
            for _ in 0..4 {
                self.follow_feed();
                self.progress_read();
                self.progress_run();
                self.answer_store();
                if let Some(model) = self.scan.pop_front() {
                    self.start_scan(model);
                }
                self.reap();
            }
            let busy =
                !self.announced.is_empty() || !self.open.is_empty() || self.live.iter().any(|l| !l.away);
            if !busy && self.scan.is_empty() && before == self.journal {
                if self.wake == Moment::NEVER {
                    break;
                }
                self.now = self.now.max(self.wake);
                self.give(Event::Timer);
            }
            assert!(round < 19_999, "it does not come to rest: {:?} at {:?}", self.engine.counts(), self.now);
        }
        for (key, object) in &self.world {
            let told = self.engine.explain(*key, self.now);
            assert!(!object.deleted, "{key} is not deleted: {told}");
            let has_steps = self.policies.has_steps(*key);
            assert!(!has_steps || object.enacted == object.updated, "{key} is not synced: {told}");
            assert!(!self.policies.on || object.policed == object.updated, "{key} is not policed: {told}");
        }
        assert!(self.engine.is_quiet());
        assert_eq!(self.engine.counts(), Counts::default(), "something is left");
        assert!(self.watched.is_empty());
        self.give(Event::Shutdown);
    }
}

fn mix_text(text: &str) -> u64 {
    TextHash::of(text).0
}

/// Says how to play it again when a check fails.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay: ENGINE_SEED={} cargo test -p xos-sync --lib engine::simulation", self.0);
        }
    }
}

fn play(seed: u64) -> (u64, usize) {
    let _replay = Replay(seed);
    let mut sim = Sim::new(seed);
    if !sim.random.one_in(4) {
        sim.leading = true;
        sim.give(Event::Leader(Term(1)));
    }
    let moves = 200 + sim.random.below(1500) as usize;
    sim.chaos(moves);
    sim.settle();
    (sim.journal, sim.runs)
}

#[test]
fn whatever_happens_it_comes_to_rest() {
    if let Some(seed) = std::env::var("ENGINE_SEED").ok().and_then(|seed| seed.parse().ok()) {
        play(seed);
        return;
    }
    let runs: usize = (0..400).map(|seed| play(seed).1).sum();
    assert!(runs > 400 * 20, "only {runs} runs: the simulation does not do much");
}

#[test]
fn a_seed_replays() {
    for seed in 1000..1010 {
        assert_eq!(play(seed), play(seed));
    }
}
