//! The core, its clients, the program that is started and stopped, and everything that goes wrong.

use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use xos_core::{EmbeddedCore, Options};
use xos_sync::__private::pretend_now;
use xos_sync::model_client::{
    Caller, LoadModels, Model, ModelAccessor, ModelClient, Onboard, Page, Query, QueryKind, Record,
    ServiceFiles,
};
use xos_sync::prelude::*;
use xos_sync::run_on;
use xos_sync::testing::Faulty;

use crate::models::{SimBadge, SimInstance, SimService};
use crate::policies::{BADGES, OF_SERVICES, PoliceBadge, PoliceService};
use crate::random::Random;
use crate::steps::{Outside, SyncBase, SyncInstance, SyncService};

/// When the virtual time begins, in microseconds since 1970.
const BEGIN: i64 = 1_700_000_000_000_000;

/// How many things clients do.
const DEEDS: usize = 60;

/// How long it may take to come to rest, in seconds: some of the longest delays.
const PATIENCE: u64 = 4 * 3600;

pub(crate) struct World {
    random: Random,
    core: Faulty<EmbeddedCore>,
    client: ModelClient,
    outside: Outside,
    config: Config,
    start: Instant,
    names: u64,
    program: Option<Program>,
}

struct Program {
    stop: oneshot::Sender<()>,
    task: JoinHandle<xos_sync::Result<()>>,
}

/// A clock that does not stand still: two changes at one moment are two versions.
fn clock(start: Instant) -> impl Fn() -> Timestamp {
    let last = AtomicI64::new(0);
    move || {
        let now = BEGIN + start.elapsed().as_micros() as i64;
        let last =
            last.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(now.max(last + 1))).unwrap();
        Timestamp::from_micros(now.max(last + 1))
    }
}

impl World {
    /// One life: troubles, then calm. A hash of all that was asked of the core, or what was seen that must not be.
    pub(crate) async fn live(seed: u64) -> Result<u64, String> {
        let mut world = World::new(seed).await;
        for _ in 0..DEEDS {
            tokio::time::sleep(world.random.millis(8_000)).await;
            world.client_does_something().await;
            world.something_goes_wrong(seed).await;
        }
        world.calm_down().await;
        world.check().await?;
        let mut hasher = std::hash::DefaultHasher::new();
        world.core.journal().entries().iter().for_each(|entry| entry.to_string().hash(&mut hasher));
        Ok(hasher.finish())
    }

    async fn new(seed: u64) -> Self {
        let random = Random::new(seed);
        let start = Instant::now();
        let options = Options { clock: Arc::new(clock(start)), ..Options::default() };
        let core = Faulty::new(EmbeddedCore::in_memory_with(options).unwrap());
        let models = [SimService::def(), SimInstance::def(), SimBadge::def()].into_iter().cloned().collect();
        let load = LoadModels {
            name: "sim".into(),
            version: "1".into(),
            models,
            core_version: None,
            files: ServiceFiles::default(),
        };
        core.inner().onboard(&Onboard::Load(load)).await.unwrap();
        let mut config = Config::in_memory();
        config.engine.concurrency = 1 + random.below(8) as usize;
        config.engine.step_deadline = Duration::from_secs(45);
        config.engine.full_scan_interval = Duration::from_secs(30 + random.below(600));
        config.engine.grace_period = Duration::from_secs(random.below(30));
        let client = ModelClient::new(core.inner().clone(), Caller::Client);
        let outside = Outside::new(random.clone());
        let mut world = World { random, core, client, outside, config, start, names: 0, program: None };
        world.start_program();
        world
    }

    fn start_program(&mut self) {
        pretend_now(Some(Timestamp::from_micros(BEGIN + self.start.elapsed().as_micros() as i64)));
        let service = Synchronizer::new("sim")
            .sync_step(SyncInstance(self.outside.clone()))
            .sync_step(SyncService(self.outside.clone()))
            .sync_step(SyncBase(self.outside.clone()))
            .policy(PoliceService(self.outside.clone()))
            .policy(PoliceBadge(self.outside.clone()));
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        let task = tokio::spawn(run_on(Arc::new(self.core.clone()), self.config.clone(), service, stopped));
        self.program = Some(Program { stop, task });
    }

    async fn client_does_something(&mut self) {
        let services: Vec<ObjectId> = self.ids::<SimService>(QueryKind::Live).await;
        let instances: Vec<ObjectId> = self.ids::<SimInstance>(QueryKind::Live).await;
        self.names += 1;
        let note = format!("note {}", self.names);
        match self.random.below(13) {
            10 => drop(self.client.create(SimBadge { note, ..Default::default() }).await.unwrap()),
            11 | 12 => {
                let badges: Vec<ObjectId> = self.ids::<SimBadge>(QueryKind::Live).await;
                let Some(id) = self.random.pick(&badges) else { return };
                let mut o: SimBadge = self.client.get(id).await.unwrap();
                if self.random.one_in(2) {
                    self.client.delete(&o).await.unwrap();
                } else {
                    o.note = note;
                    self.client.save(&mut o).await.unwrap();
                }
            }
            0 | 1 => {
                let service = Service { name: format!("service {}", self.names), ..Default::default() };
                self.client.create(SimService { service, note }).await.unwrap();
            }
            2 | 3 => {
                let Some(owner) = self.random.pick(&services) else { return };
                let name = Some(format!("instance {}", self.names));
                let service_instance = ServiceInstance { name, owner: Link::to(owner), ..Default::default() };
                self.client.create(SimInstance { service_instance, note }).await.unwrap();
            }
            4 | 5 => {
                let Some(id) = self.random.pick(&services) else { return };
                let mut o: SimService = self.client.get(id).await.unwrap();
                o.note = note;
                self.client.save(&mut o).await.unwrap();
            }
            6 | 7 => {
                let Some(id) = self.random.pick(&instances) else { return };
                let mut o: SimInstance = self.client.get(id).await.unwrap();
                o.note = note;
                if self.random.one_in(3)
                    && let Some(owner) = self.random.pick(&services)
                {
                    o.owner = Link::to(owner);
                }
                self.client.save(&mut o).await.unwrap();
            }
            8 => {
                let Some(id) = self.random.pick(&instances) else { return };
                let o: SimInstance = self.client.get(id).await.unwrap();
                self.client.delete(&o).await.unwrap();
            }
            _ => {
                let Some(id) = self.random.pick(&services) else { return };
                let o: SimService = self.client.get(id).await.unwrap();
                self.client.delete(&o).await.unwrap();
            }
        }
    }

    async fn something_goes_wrong(&mut self, seed: u64) {
        match self.random.below(20) {
            0 => self.core.go_away(),
            1 | 2 => self.core.come_back(),
            3 => self.core.lose_changes(),
            4 => self.core.inject_at_random(seed ^ self.names, 3 + self.random.below(20)),
            5 | 6 => self.core.inject_at_random(0, 0),
            7 => self.stop_program().await,
            8 => self.kill_program().await,
            _ => {}
        }
        // It may have ended because the core was away.
        if self.program.as_ref().is_none_or(|program| program.task.is_finished()) && self.random.one_in(2) {
            self.start_program();
        }
    }

    async fn stop_program(&mut self) {
        if let Some(program) = self.program.take() {
            let _ = program.stop.send(());
            let _ = program.task.await.unwrap();
        }
    }

    async fn kill_program(&mut self) {
        if let Some(program) = self.program.take() {
            program.task.abort();
            let _ = program.task.await;
            // Its steps die with it.
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn calm_down(&mut self) {
        self.core.inject_at_random(0, 0);
        self.core.come_back();
        self.outside.calm_down();
        if self.program.as_ref().is_none_or(|program| program.task.is_finished()) {
            self.start_program();
        }
        // Twice: a step that hangs is cancelled at its deadline, and may have been a re-check.
        for _ in 0..2 {
            for _ in 0..PATIENCE / 10 {
                if self.not_at_rest().await.is_none() {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }

    async fn check(&mut self) -> Result<(), String> {
        if let Some(what) = self.not_at_rest().await {
            return Err(format!("{what} after {PATIENCE} calm seconds"));
        }
        // At rest means that nothing happens any more, but for re-checks.
        let writes = self.core.journal().writes().len();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let more = self.core.journal().writes().len() - writes;
        let by_steps = self
            .core
            .journal()
            .writes()
            .iter()
            .rev()
            .take(more)
            .filter(|write| write.by == Caller::Step)
            .count();
        if more > by_steps {
            return Err(format!("{} writes of the engine at rest", more - by_steps));
        }
        self.stop_program().await;
        if let Some(problem) = self.outside.problems().first() {
            return Err(problem.clone());
        }
        let services = self.ids::<SimService>(QueryKind::Live).await;
        let instances = self.ids::<SimInstance>(QueryKind::Live).await;
        let badges = self.ids::<SimBadge>(QueryKind::Live).await;
        let all = [
            ("Service", &services),
            (OF_SERVICES, &services),
            ("ServiceInstance", &instances),
            (BADGES, &badges),
        ];
        for (root, live) in all {
            let touched = self.outside.touched(root);
            let left = touched.iter().find(|id| !live.contains(&ObjectId::new(**id)));
            if let Some(id) = left {
                return Err(format!("{root} {id} was purged, and is there outside"));
            }
        }
        if self.outside.runs() == 0 { Err("no step ran".into()) } else { Ok(()) }
    }

    /// What is not as it should be in the end.
    async fn not_at_rest(&self) -> Option<String> {
        let mut deleted = self.records::<SimService>(QueryKind::DeletedObjects).await;
        deleted.extend(self.records::<SimInstance>(QueryKind::DeletedObjects).await);
        deleted.extend(self.records::<SimBadge>(QueryKind::DeletedObjects).await);
        if let Some(record) = deleted.first() {
            return Some(format!("{} {} is deleted and not purged", record.shape().model(), record.id()));
        }
        let mut policed = self.records::<SimService>(QueryKind::Live).await;
        let mut live = policed.clone();
        policed.extend(self.records::<SimBadge>(QueryKind::Live).await);
        let not_policed = policed.iter().find_map(|record| {
            let field = |name| record.get(name).unwrap();
            let version = field("updated").as_time().max(field("changed_by_step").as_time());
            let ok = field("policy_status").as_text() == Some("done")
                && field("policy_code").as_int() == Some(1)
                && field("policed").as_time() >= version;
            let status = field("policy_status");
            (!ok).then(|| format!("{} {} is policed as {status}", record.shape().model(), record.id()))
        });
        if not_policed.is_some() {
            return not_policed;
        }
        live.extend(self.records::<SimInstance>(QueryKind::Live).await);
        live.iter().find_map(|record| {
            let field = |name| record.get(name).unwrap();
            let version = field("updated").as_time().max(field("changed_by_policy").as_time());
            let ok =
                field("backend_status").as_text() == Some("OK") && field("backend_code").as_int() == Some(1);
            let enacted = field("enacted").as_time();
            (!ok || enacted < version).then(|| {
                let status = field("backend_status");
                format!(
                    "{} {} is {status}, enacted {enacted:?} of {version:?}",
                    record.shape().model(),
                    record.id()
                )
            })
        })
    }

    async fn records<M: Model>(&self, kind: QueryKind) -> Vec<Record> {
        let query = Query::live(M::shape().clone()).of_kind(kind);
        self.core.inner().find(&query, Page::first(10_000)).await.unwrap().records
    }

    async fn ids<M: Model>(&self, kind: QueryKind) -> Vec<ObjectId> {
        self.records::<M>(kind).await.iter().map(Record::id).collect()
    }
}
