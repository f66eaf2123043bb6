//! One run in one world: troubles, then calm, then judgement.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use xos_core::EmbeddedCore;
use xos_model_client::{Caller, ModelAccessor, ModelClient, ObjectKey};

use super::door::CoreKind;
use super::ends::{Content, End, Looks, Names};
use super::oracle::{COUNT, Oracle};
use super::program::{Make, Program, Setting, look_at};
use super::random::{Random, mixed};
use super::recorder::Recorder;
use super::trouble::{KINDS, Trouble, Weather};
use super::witness::{deletion, shown};
use super::workload::{Author, Deed, Made, Script};
use super::world::{World, new_core};
use crate::config::Config;
use crate::engine::Lane;
use crate::shell::sabotage::Sabotage;

/// How long it may take to come to rest: some of the longest delays.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// How long it must be quiet then.
const QUIET: Duration = Duration::from_secs(1000);

/// After how long without any change nothing more is expected to come of what is not done.
const STUCK: Duration = Duration::from_secs(2 * 3600);

/// How often it is looked whether all is at rest.
const LOOK: Duration = Duration::from_secs(20);

/// The longest that something is on its way when the troubles end.
const ON_ITS_WAY: Duration = Duration::from_secs(60);

/// What clients do instead of random edits.
pub(super) type Client = dyn Fn(ModelClient, Random) -> BoxFuture<'static, crate::Result<()>> + Send + Sync;

/// What a simulation is about.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) make: Arc<Make>,
    pub(super) client: Option<Arc<Client>>,
    pub(super) objects: usize,
    pub(super) troubles: Vec<Trouble>,
    pub(super) ignored: Vec<String>,
    pub(super) sabotage: Option<Sabotage>,
    /// A core with the models, of which each world has a copy, and what the synchronizer consists of.
    pub(super) template: Arc<Mutex<Option<Template>>>,
}

/// What the worlds of a simulation have in common.
#[derive(Clone)]
pub(super) struct Template {
    core: EmbeddedCore,
    author: Author,
    looks: Looks,
}

impl Subject {
    /// What the worlds of this simulation have in common, made once.
    async fn template(&self) -> Result<Template, String> {
        let known = self.template.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let core = new_core().map_err(|error| error.to_string())?;
        let service = look_at(self.make.as_ref(), &core)?;
        let config = Config::in_memory();
        crate::run::load_models(&core, &config, &service, service.name())
            .await
            .map_err(|error| format!("the models cannot be loaded: {}", error.chain()))?;
        let schema = core.schema();
        let author = Author::new(schema.clone(), &service);
        let looks = Looks::new(&schema, &service, author.models(), self.ignored.clone());
        let template = Template { core, author, looks };
        // Another thread may have been faster: both are the same.
        *self.template.lock().unwrap_or_else(PoisonError::into_inner) = Some(template.clone());
        Ok(template)
    }
}

/// What clients do in a run.
#[derive(Clone)]
pub(super) enum Workload {
    /// Random edits, made up from this seed: until there are enough objects.
    Random(u64),
    /// Two objects of each model, then a change of each, then the deletion of half of them.
    Each,
    /// Edits that were made before.
    Again(Arc<Script>),
    /// What the test does, with the numbers of this seed.
    Client(u64),
}

/// What goes wrong in a run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// Nothing.
    Calm,
    /// Whatever this seed says.
    Rough(u64),
    /// The program dies at this place where it may.
    CrashAt(u64),
}

/// How a run ended.
pub(super) struct Outcome {
    pub(super) end: End,
    pub(super) script: Arc<Script>,
    pub(super) problems: Vec<(Oracle, String)>,
    pub(super) checked: [u64; COUNT],
    pub(super) troubles: [u64; KINDS],
    pub(super) objects: usize,
    pub(super) handlers: u64,
    /// How many places there were where the program may die.
    pub(super) points: u64,
    pub(super) trace: u64,
}

/// One run.
struct Course<'s> {
    subject: &'s Subject,
    world: Arc<World>,
    program: Program,
    looks: Looks,
    made: Made,
    script: Script,
    /// How long an object may wait to be begun.
    bound: Duration,
}

/// Lives one run. It is compared with `expected`, the end of the run without troubles.
///
/// # Errors
///
/// It cannot be run at all: why.
pub(super) async fn live(
    subject: &Subject,
    workload: &Workload,
    fate: Fate,
    expected: Option<&End>,
) -> Result<Outcome, String> {
    let seed = if let Fate::Rough(seed) = fate { seed } else { 0 };
    let random = Random::new(mixed(seed) ^ 1);
    let weather = match fate {
        Fate::Rough(_) => Weather::rough(random.clone(), &subject.troubles),
        Fate::Calm | Fate::CrashAt(_) => Weather::calm(random.clone()),
    };
    let Template { core, author, looks } = subject.template().await?;
    let world = World::new(random, weather, &core).map_err(|error| error.to_string())?;
    let world = Arc::new(world);
    if let Fate::CrashAt(point) = fate {
        world.crash_after(Some(point));
    }
    let config = config(&world, fate);
    let author_seed = match workload {
        Workload::Random(seed) | Workload::Client(seed) => *seed,
        Workload::Each | Workload::Again(_) => 0,
    };
    let author = author.with_numbers(Random::new(mixed(author_seed) ^ 2));
    let engine = &config.engine;
    let bound = engine.full_scan_interval + engine.retry_cap + engine.step_deadline + Duration::from_secs(60);
    let bound = bound * (1 + author.levels());
    let core = match fate {
        // Few cores have to be asked: it takes long to see that nothing happens any more.
        Fate::Rough(_) => CoreKind { atomic: world.random.one_in(2), push: !world.random.one_in(16) },
        Fate::Calm | Fate::CrashAt(_) => CoreKind { atomic: true, push: true },
    };
    let setting = Setting { make: subject.make.clone(), config, sabotage: subject.sabotage, core };
    let program = Program::new(world.clone(), setting);
    let mut course =
        Course { subject, world, program, looks, made: Made::default(), script: Script::new(), bound };
    course.program.start();
    course.work(&author, workload).await?;
    course.judge(expected).await
}

fn config(world: &World, fate: Fate) -> Config {
    let mut config = Config::in_memory();
    config.engine.step_deadline = Duration::from_secs(45);
    if let Fate::Rough(_) = fate {
        let random = &world.random;
        config.engine.concurrency = 1 + random.below(8) as usize;
        config.engine.full_scan_interval = Duration::from_secs(60 + random.below(540));
        config.engine.grace_period = Duration::from_secs(random.below(30));
    }
    config
}

impl Course<'_> {
    /// Clients do what they do, while things go wrong.
    async fn work(&mut self, author: &Author, workload: &Workload) -> Result<(), String> {
        match workload {
            Workload::Random(_) => {
                while self.made.objects.len() < self.subject.objects {
                    let pause = author.pause();
                    self.troubled(pause).await;
                    let core = self.world.core.clone();
                    let Some(deeds) = author.next(&core, &mut self.made).await else {
                        return Err(
                            "the core takes no more random edits; give the simulation a `client`".to_owned()
                        );
                    };
                    let mut pause = pause;
                    self.script.extend(deeds.into_iter().map(|deed| (std::mem::take(&mut pause), deed)));
                }
            }
            Workload::Each => self.each(author).await,
            Workload::Again(script) => {
                for (pause, deed) in script.iter() {
                    self.troubled(*pause).await;
                    self.again(deed).await;
                }
            }
            Workload::Client(seed) => self.client(*seed).await?,
        }
        Ok(())
    }

    /// A deed of a script.
    async fn again(&mut self, deed: &Deed) {
        let core = self.world.core.clone();
        if self.made.act(&core, deed).await.is_none() {
            // It was taken in the run without troubles: the end will tell.
            tracing::warn!(?deed, "the core refuses this now");
            if let Deed::Create { .. } = deed {
                self.made.skip();
            }
        }
    }

    /// Two objects of each model; then a change of each, and then the deletion of half of them.
    async fn each(&mut self, author: &Author) {
        let core = self.world.core.clone();
        let mut deeds = author.create_each(&self.made);
        let mut pause = Duration::ZERO;
        for round in 0..3 {
            for deed in deeds {
                if self.made.act(&core, &deed).await.is_some() {
                    self.script.push((std::mem::take(&mut pause), deed));
                }
            }
            // All that follows from it has happened then.
            pause = ON_ITS_WAY;
            self.program.pass(pause).await;
            deeds = if round == 0 { author.change_each(&self.made) } else { Author::delete_half(&self.made) };
        }
    }

    /// What the test does itself.
    async fn client(&mut self, seed: u64) -> Result<(), String> {
        let Some(client) = &self.subject.client else { return Ok(()) };
        let recorder = Arc::new(Recorder::new(self.world.core.clone()));
        let work = client(ModelClient::new(recorder.clone(), Caller::Client), Random::new(seed));
        let task = tokio::spawn(work);
        while !task.is_finished() {
            let pause = self.world.random.time(Duration::from_secs(4)) + Duration::from_millis(1);
            self.troubled(pause).await;
        }
        let end = task.await.map_err(|error| format!("the client panicked: {error}"))?;
        end.map_err(|error| format!("the client failed: {}", error.chain()))?;
        self.made.objects = recorder.made();
        Ok(())
    }

    /// Time passes, and something may go wrong.
    async fn troubled(&mut self, pause: Duration) {
        self.something_goes_wrong().await;
        self.program.pass(pause).await;
    }

    async fn something_goes_wrong(&mut self) {
        let world = self.world.clone();
        let strikes = |kind| world.weather.strikes(kind);
        if world.weather.is_calm() {
            return;
        }
        if world.is_core_away() {
            if world.random.one_in(4) {
                world.core_comes(false);
            }
        } else if strikes(Trouble::CoreAway) {
            world.core_goes();
        }
        if strikes(Trouble::CoreRestart) {
            world.core_goes();
            self.program.pass(world.random.time(Duration::from_secs(2))).await;
            world.core_comes(true);
        }
        if strikes(Trouble::CoreClock) {
            world.shift_core_clock();
        }
        if strikes(Trouble::FeedGap) {
            world.lose_changes();
        }
        if world.is_backend_down() {
            world.set_backend_down(!world.random.one_in(4));
        } else if strikes(Trouble::BackendDown) {
            world.set_backend_down(true);
        }
        if strikes(Trouble::Stop) {
            self.program.stop().await;
        }
        if world.weather.has(Trouble::Crash) && world.random.one_in(8) {
            world.crash_after(Some(world.random.below(200)));
        }
        if !self.program.is_running() && world.random.one_in(4) {
            self.program.start();
        }
    }

    /// The troubles end.
    async fn calm_down(&mut self) {
        let world = self.world.clone();
        if world.weather.has(Trouble::Crash) && world.weather.count_of(Trouble::Crash) == 0 {
            // Nobody gets away without one.
            self.program.start();
            self.program.pass(world.random.time(Duration::from_secs(2))).await;
            self.program.kill().await;
        }
        if !world.weather.is_calm() {
            world.weather.calm_down();
            world.crash_after(None);
            world.set_backend_down(false);
            world.core_comes(false);
        }
        self.program.start();
    }

    /// What changes when anything happens.
    async fn pulse(&self) -> (u64, u64) {
        let cursor = self.world.core.cursor().await;
        (cursor.map_or(0, |cursor| cursor.0), self.world.shelf.changes())
    }

    async fn content(&self) -> Result<Content, String> {
        Content::read(&self.world.core, &self.looks).await.map_err(|error| error.to_string())
    }

    /// Objects that are not done, but for those that are expected not to be.
    async fn unfinished(&self, expected: Option<&End>) -> Result<Vec<(ObjectKey, String)>, String> {
        let schema = self.world.schema();
        let names = Names { schema: &schema, made: &self.made };
        let mut unfinished = self.content().await?.unfinished(&schema);
        unfinished
            .retain(|(key, _)| expected.is_none_or(|end| !end.unfinished.contains_key(&names.of(*key))));
        Ok(unfinished)
    }

    /// Waits until all is done, or nothing happens any more.
    async fn settle(&mut self, expected: Option<&End>) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        let mut pulse = self.pulse().await;
        let mut since = Instant::now();
        while Instant::now() < deadline {
            self.program.pass(LOOK).await;
            let now = self.pulse().await;
            if now != pulse {
                (pulse, since) = (now, Instant::now());
                continue;
            }
            let is_idle = self.world.witness.is_idle();
            if is_idle && (since.elapsed() > STUCK || self.unfinished(expected).await?.is_empty()) {
                break;
            }
        }
        Ok(())
    }

    /// The troubles end, and everything is looked at.
    async fn judge(mut self, expected: Option<&End>) -> Result<Outcome, String> {
        self.calm_down().await;
        let calm = Instant::now();
        let at_work = self.world.witness.restart();
        let due = self.unfinished(expected).await?;
        self.program.pass(ON_ITS_WAY).await;
        self.settle(expected).await?;
        self.judge_waits(calm, due.into_iter().map(|(key, _)| key).filter(|key| !at_work.contains(key)));
        let unfinished = self.unfinished(expected).await?;
        // Without troubles there is nothing to compare with: what fails there may fail everywhere.
        if expected.is_some() {
            self.judge_rest(&unfinished);
        }
        self.judge_quiet(expected.is_none_or(|end| !end.unfinished.is_empty())).await;
        self.program.stop().await;
        self.judge_end(expected).await
    }

    fn judge_waits(&self, calm: Instant, due: impl Iterator<Item = ObjectKey>) {
        for key in due {
            // What was not begun was done already, or is said not to converge.
            let Some(first) = self.world.witness.first_call(key) else { continue };
            let waited = first.saturating_duration_since(calm);
            self.world.judge.check(Oracle::BoundedWait, waited <= self.bound, || {
                format!(
                    "object {} was begun {waited:?} after the troubles, the bound is {:?}",
                    shown(key),
                    self.bound
                )
            });
        }
    }

    fn judge_rest(&self, unfinished: &[(ObjectKey, String)]) {
        self.world.judge.check(Oracle::Converges, unfinished.is_empty(), || {
            let all: Vec<String> =
                unfinished.iter().map(|(key, what)| format!("{} {what}", shown(*key))).collect();
            all.join("; ")
        });
    }

    /// Nothing happens any more. Where objects are known to fail, they may be tried until their delay is the longest.
    async fn judge_quiet(&mut self, may_fail: bool) {
        let deadline = Instant::now() + if may_fail { PATIENCE } else { Duration::ZERO };
        loop {
            let before = self.pulse().await;
            self.program.pass(QUIET).await;
            let after = self.pulse().await;
            if before != after && Instant::now() < deadline {
                continue;
            }
            self.world.judge.check(Oracle::StaysQuiet, before == after, || {
                let (core, backend) = (after.0 - before.0, after.1 - before.1);
                format!("within {QUIET:?} at rest there are {core} changes in the core and {backend} in the backend")
            });
            return;
        }
    }

    async fn judge_end(self, expected: Option<&End>) -> Result<Outcome, String> {
        let (world, schema) = (&self.world, self.world.schema());
        let names = Names { schema: &schema, made: &self.made };
        let content = self.content().await?;
        let there = content.there(&schema);
        let resources = world.shelf.all();
        for (key, resource) in &resources {
            let is_owned = resource.owner.is_none_or(|owner| there.contains(&owner));
            world.judge.check(Oracle::NoLeak, is_owned, || {
                let owner = resource.owner.map(shown).unwrap_or_default();
                format!("the backend's resource {key:?} belongs to object {owner}, which is gone")
            });
        }
        let mut lanes: BTreeMap<ObjectKey, Lane> = BTreeMap::new();
        lanes.extend(world.witness.begun());
        for (key, lane) in lanes {
            world.judge.check(Oracle::DeletionRuns, there.contains(&key), || {
                format!("object {} is gone, and no `{}` has succeeded", shown(key), deletion(lane))
            });
        }
        let end = End::new(&content, &resources, &names, &self.looks);
        if let Some(expected) = expected {
            let difference = end.differs(expected);
            world.judge.check(Oracle::SameEnd, difference.is_none(), || difference.unwrap_or_default());
        }
        let in_words = |(oracle, what): (Oracle, String)| (oracle, names.in_text(&what));
        Ok(Outcome {
            end,
            problems: world.judge.problems().into_iter().map(in_words).collect(),
            checked: world.judge.checked(),
            troubles: world.weather.counts(),
            objects: self.made.objects.len(),
            handlers: world.witness.handlers(),
            points: world.points(),
            trace: world.trace(),
            script: Arc::new(self.script),
        })
    }
}
