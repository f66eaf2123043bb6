//! A core, steps that do what a test says, and a synchronizer at work on them.

use std::fmt::Display;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use xos_sync::model_client::{Caller, Guard, Model, ModelAccessor, Op, Target, Touch, Value, Write};
use xos_sync::prelude::*;
use xos_sync::run_on;

pub(crate) use crate::log::Log;

/// A service of the tests' own, with a base.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "lab")]
pub(crate) struct LabService {
    #[xos(base)]
    pub(crate) service: Service,
    /// What colour it has
    #[xos(number = 1)]
    pub(crate) colour: String,
}

/// An instance of it.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "lab", owner_class = LabService)]
pub(crate) struct LabInstance {
    #[xos(base)]
    pub(crate) service_instance: ServiceInstance,
    /// Whom it is for
    #[xos(number = 1)]
    pub(crate) subscriber: String,
}

pub(crate) fn site(name: &str) -> Site {
    Site { name: name.into(), login_base: name.into(), abbreviated_name: name.into(), ..Default::default() }
}

pub(crate) fn service(name: &str) -> LabService {
    LabService { service: Service { name: name.into(), ..Default::default() }, colour: "red".into() }
}

pub(crate) fn instance(name: &str, owner: &LabService) -> LabInstance {
    LabInstance {
        service_instance: ServiceInstance {
            name: Some(name.into()),
            owner: Link::to(owner.id),
            ..Default::default()
        },
        subscriber: "Arya".into(),
    }
}

type Play<M> = Box<dyn Fn(Context, M) -> BoxFuture<'static, StepResult> + Send + Sync>;

/// A step that says what it is asked for, and does what the test says.
pub(crate) struct Do<M> {
    log: Log,
    name: &'static str,
    sync: Play<M>,
    delete: Play<M>,
    selects: fn(&M) -> bool,
    interval: Option<Duration>,
    at_most: Option<usize>,
}

impl<M: Model> Do<M> {
    /// A step that succeeds.
    pub(crate) fn new(log: &Log) -> Self {
        Do {
            log: log.clone(),
            name: "",
            sync: Box::new(|_, _| async { Ok(()) }.boxed()),
            delete: Box::new(|_, _| async { Ok(()) }.boxed()),
            selects: |_| true,
            interval: None,
            at_most: None,
        }
    }

    pub(crate) fn sync<R>(mut self, play: impl Fn(Context, M) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = StepResult> + Send + 'static,
    {
        self.sync = Box::new(move |ctx, o| play(ctx, o).boxed());
        self
    }

    pub(crate) fn delete<R>(mut self, play: impl Fn(Context, M) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = StepResult> + Send + 'static,
    {
        self.delete = Box::new(move |ctx, o| play(ctx, o).boxed());
        self
    }

    /// What its lines begin with.
    pub(crate) fn named(self, name: &'static str) -> Self {
        Do { name, ..self }
    }

    pub(crate) fn selects(self, selects: fn(&M) -> bool) -> Self {
        Do { selects, ..self }
    }

    pub(crate) fn every(self, interval: Duration) -> Self {
        Do { interval: Some(interval), ..self }
    }

    pub(crate) fn at_most(self, limit: usize) -> Self {
        Do { at_most: Some(limit), ..self }
    }
}

impl<M: Model + Display> SyncStep for Do<M> {
    type Model = M;

    async fn sync_record(&self, ctx: &Context, o: &mut M) -> StepResult {
        self.log.say(format!("{}sync {o}", self.name));
        (self.sync)(ctx.clone(), o.clone()).await
    }

    async fn delete_record(&self, ctx: &Context, o: &M) -> StepResult {
        self.log.say(format!("{}delete {o}", self.name));
        (self.delete)(ctx.clone(), o.clone()).await
    }

    fn selects(&self, o: &M) -> bool {
        (self.selects)(o)
    }

    fn requested_interval(&self) -> Option<Duration> {
        self.interval
    }

    fn concurrency(&self) -> Option<usize> {
        self.at_most
    }
}

/// A policy that says what it is asked for, and does what the test says.
pub(crate) struct Police<M> {
    log: Log,
    name: &'static str,
    create: Play<M>,
    update: Play<M>,
    delete: Play<M>,
    at_most: Option<usize>,
}

impl<M: Model> Police<M> {
    /// A policy that succeeds.
    pub(crate) fn new(log: &Log) -> Self {
        let nothing = || -> Play<M> { Box::new(|_, _| async { Ok(()) }.boxed()) };
        let (create, update, delete) = (nothing(), nothing(), nothing());
        Police { log: log.clone(), name: "", create, update, delete, at_most: None }
    }

    pub(crate) fn create<R>(mut self, play: impl Fn(Context, M) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = StepResult> + Send + 'static,
    {
        self.create = Box::new(move |ctx, o| play(ctx, o).boxed());
        self
    }

    pub(crate) fn update<R>(mut self, play: impl Fn(Context, M) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = StepResult> + Send + 'static,
    {
        self.update = Box::new(move |ctx, o| play(ctx, o).boxed());
        self
    }

    pub(crate) fn delete<R>(mut self, play: impl Fn(Context, M) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = StepResult> + Send + 'static,
    {
        self.delete = Box::new(move |ctx, o| play(ctx, o).boxed());
        self
    }

    /// What its lines begin with.
    pub(crate) fn named(self, name: &'static str) -> Self {
        Police { name, ..self }
    }

    pub(crate) fn at_most(self, limit: usize) -> Self {
        Police { at_most: Some(limit), ..self }
    }
}

impl<M: Model + Display> ModelPolicy for Police<M> {
    type Model = M;

    async fn handle_create(&self, ctx: &Context, o: &mut M) -> StepResult {
        self.log.say(format!("{}handle_create {o}", self.name));
        (self.create)(ctx.clone(), o.clone()).await
    }

    async fn handle_update(&self, ctx: &Context, o: &mut M) -> StepResult {
        self.log.say(format!("{}handle_update {o}", self.name));
        (self.update)(ctx.clone(), o.clone()).await
    }

    async fn handle_delete(&self, ctx: &Context, o: &M) -> StepResult {
        self.log.say(format!("{}handle_delete {o}", self.name));
        (self.delete)(ctx.clone(), o.clone()).await
    }

    fn concurrency(&self) -> Option<usize> {
        self.at_most
    }
}

/// A core, and what a synchronizer did with it.
pub(crate) struct Lab {
    pub(crate) core: MockAccessor,
    pub(crate) log: Log,
    pub(crate) config: Config,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let log = Log::new();
        Lab { core: MockAccessor::new(), log, config: Config::in_memory() }
    }

    /// A step that succeeds, and says what it is asked for.
    pub(crate) fn step<M: Model>(&self) -> Do<M> {
        Do::new(&self.log)
    }

    /// A policy that succeeds, and says what it is asked for.
    pub(crate) fn policy<M: Model>(&self) -> Police<M> {
        Police::new(&self.log)
    }

    /// The object's policy code and status.
    pub(crate) async fn policy_status<M: Model>(&self, id: ObjectId) -> String {
        let inner = self.core.faults().inner();
        let record = inner.get(M::shape(), &[id]).await.unwrap().remove(0).unwrap();
        let field = |name| record.get(name).unwrap();
        format!("{} {}", field("policy_code"), field("policy_status"))
    }

    /// A synchronizer at work, until it is told to stop.
    pub(crate) fn start(&self, service: Synchronizer) -> Program {
        self.start_on(self.core.accessor(), service)
    }

    pub(crate) fn start_on(&self, accessor: Arc<dyn ModelAccessor>, service: Synchronizer) -> Program {
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        Program { stop, task: tokio::spawn(run_on(accessor, self.config.clone(), service, stopped)) }
    }

    /// Runs until nothing is ready.
    pub(crate) async fn once(&mut self, service: Synchronizer) -> xos_sync::Result<()> {
        self.config.once = true;
        let end = run_on(self.core.accessor(), self.config.clone(), service, std::future::pending()).await;
        self.config.once = false;
        end
    }

    /// Makes a site dirty without anybody being told whom it could concern.
    pub(crate) async fn make_dirty_behind_the_feed(&self, id: ObjectId) {
        let shape = Site::shape().clone();
        let at = shape.position("enacted").unwrap() as u16;
        let op = Op::Set { fields: vec![(at, Value::Time(Timestamp::UNSET))], touch: Touch::AsTheRulesSay };
        let write = Write { shape, target: Target::Object(id), op, by: Caller::Engine, guard: Guard::None };
        self.core.accessor().write(vec![write]).await.remove(0).unwrap();
    }

    /// The object's code and status.
    pub(crate) async fn status<M: Model>(&self, id: ObjectId) -> String {
        let inner = self.core.faults().inner();
        let record = inner.get(M::shape(), &[id]).await.unwrap().remove(0).unwrap();
        let field = |name| record.get(name).unwrap();
        format!("{} {}", field("backend_code"), field("backend_status"))
    }

    /// What the engine wrote for an object, each write as its fields.
    pub(crate) fn engine_writes(&self, id: ObjectId) -> Vec<String> {
        let writes = self.core.journal().writes();
        let own = writes.iter().filter(|write| write.by == Caller::Engine && write.id == id);
        own.map(|write| write.fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" "))
            .collect()
    }
}

/// A synchronizer at work.
pub(crate) struct Program {
    stop: oneshot::Sender<()>,
    task: JoinHandle<xos_sync::Result<()>>,
}

impl Program {
    /// Tells it to stop and waits until it has.
    pub(crate) async fn stop(self) -> xos_sync::Result<()> {
        let _ = self.stop.send(());
        self.task.await.unwrap()
    }

    /// Kills it: nothing that it was about to write is written.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// The warnings and errors of the log.
#[derive(Clone, Default)]
pub(crate) struct Warnings(Arc<Mutex<Vec<u8>>>);

impl Warnings {
    /// Collects those of this thread, as long as the guard lives.
    pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let to = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .with_ansi(false)
            .with_writer(move || to.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(crate) fn all(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.0.lock().unwrap()).lines().map(str::to_owned).collect()
    }
}

impl std::io::Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Waits until this is so, for some hours of virtual time.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..200_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("this did not happen: {what}");
}

pub(crate) async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}
