//! The hello-world models, steps that note what they do, and a synchronizer at work on a stand-in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use xos_model_client::grpc::{CoreClient, CoreOptions, Credentials, Password};
use xos_model_client::{Caller, ModelClient, xproto};
use xos_sync::config::AccessorKind;
use xos_sync::model_client::{Model, ModelDef};
use xos_sync::prelude::*;
use xos_sync::{Config, run_until};
pub(crate) use xos_sync_tests::hello::{
    HelloWorldService, HelloWorldServiceInstance, greeting, models, service,
};
use xos_sync_tests::stand_in::{Called, LoadRequest, Options, StandIn};

/// What steps did, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>, Arc<Mutex<AtWork>>);

/// How many steps are at work, by object.
#[derive(Default)]
struct AtWork {
    now: BTreeMap<ObjectId, usize>,
    most: usize,
}

/// A step at work.
struct Working(Log, ObjectId);

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(count) = self.0.1.lock().unwrap().now.get_mut(&self.1) {
            *count -= 1;
        }
    }
}

impl Log {
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn work(&self, id: ObjectId) -> Working {
        let mut at_work = self.1.lock().unwrap();
        let count = at_work.now.entry(id).or_default();
        *count += 1;
        let count = *count;
        at_work.most = at_work.most.max(count);
        drop(at_work);
        Working(self.clone(), id)
    }

    /// The most steps that were at work on one instance at once.
    pub(crate) fn at_once(&self) -> usize {
        self.1.lock().unwrap().most
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| *line == text).count()
    }
}

/// Greets; `hello_to` says how it goes.
pub(crate) struct Greet(pub(crate) Log);

impl SyncStep for Greet {
    type Model = HelloWorldServiceInstance;

    async fn sync_record(&self, ctx: &Context, o: &mut HelloWorldServiceInstance) -> StepResult {
        let _working = self.0.work(o.id);
        self.0.say(format!("sync {}", o.hello_to));
        match o.hello_to.as_str() {
            "defer" => return Err(StepError::deferred("Maybe later")),
            "fail" => return Err("Maybe not".into()),
            "fail with umlauts" => return Err("schön".into()),
            "handle" => {
                o.backend_handle = Some("handle-1".into());
                ctx.save(o).await?;
            }
            "alone" => {
                tokio::time::sleep(Duration::from_millis(500)).await;
                self.0.say("alone is done");
                return Ok(());
            }
            "slow" => tokio::time::sleep(Duration::from_millis(700)).await,
            _ => {}
        }
        let from: HelloWorldService = ctx.leaf(&o.owner).await?;
        self.0.say(format!("{} greets {}", from.hello_from, o.hello_to));
        Ok(())
    }

    async fn delete_record(&self, _: &Context, o: &HelloWorldServiceInstance) -> StepResult {
        let _working = self.0.work(o.id);
        self.0.say(format!("delete {}", o.hello_to));
        Ok(())
    }
}

/// Notes services.
pub(crate) struct Serve(pub(crate) Log);

impl SyncStep for Serve {
    type Model = HelloWorldService;

    async fn sync_record(&self, _: &Context, o: &mut HelloWorldService) -> StepResult {
        self.0.say(format!("sync service {}", o.hello_from));
        Ok(())
    }

    async fn delete_record(&self, _: &Context, o: &HelloWorldService) -> StepResult {
        self.0.say(format!("delete service {}", o.hello_from));
        Ok(())
    }
}

/// A stand-in that reads the xproto of a load as a real core does, and is fast.
pub(crate) fn options() -> Options {
    Options { models_of: Arc::new(models_of), ..Options::fast() }
}

/// The same, with the hello-world models loaded already.
pub(crate) fn loaded() -> Options {
    Options { models_of: Arc::new(models_of), ..Options::fast().with_models(models()) }
}

fn models_of(request: &LoadRequest) -> Result<Vec<ModelDef>, String> {
    let files = request.files.xprotos.iter().map(|file| (file.name.as_str(), file.contents.as_str()));
    let document = xproto::parse_files(files).map_err(|errors| errors.to_string())?;
    document.models().map_err(|findings| findings.to_string())
}

/// A core, and what steps did.
pub(crate) struct Lab {
    pub(crate) core: StandIn,
    pub(crate) log: Log,
    pub(crate) config: Config,
}

impl Lab {
    /// With the hello-world models loaded already.
    pub(crate) async fn new() -> Self {
        Lab::on(loaded()).await
    }

    pub(crate) async fn on(options: Options) -> Self {
        let core = StandIn::start(options).await.unwrap();
        let config = config(&core.uri());
        Lab { core, log: Log::default(), config }
    }

    /// What a client needs to reach this core.
    pub(crate) fn core_options(&self) -> CoreOptions {
        let mut options = CoreOptions::new(self.core.uri());
        options.credentials = Some(Credentials::new("admin@opencord.org", Password::literal("letmein")));
        options
    }

    /// A client of this core over the wire, connected.
    pub(crate) async fn connect(&self) -> CoreClient {
        let client = CoreClient::new(self.core_options()).unwrap();
        client.ready().await.unwrap();
        client
    }

    /// The same, on somebody's behalf.
    pub(crate) async fn connect_as(&self, caller: Caller) -> ModelClient {
        ModelClient::new(Arc::new(self.connect().await), caller)
    }

    /// The fields in the message of a call, as text.
    pub(crate) fn sent(&self, called: &Called) -> BTreeMap<String, String> {
        let message = self.core.request_of(called).unwrap();
        message.fields().map(|(field, value)| (field.name().to_owned(), value.to_string())).collect()
    }

    /// The only call of a method.
    pub(crate) fn only(&self, method: &str) -> Called {
        let mut calls = self.core.calls_of(method);
        assert_eq!(calls.len(), 1, "{method}: {calls:?}");
        calls.remove(0)
    }

    /// The synchronizer of hello world.
    pub(crate) fn hello_world(&self) -> Synchronizer {
        Synchronizer::new("hello-world")
            .version("1.0.0")
            .sync_step(Serve(self.log.clone()))
            .sync_step(Greet(self.log.clone()))
    }

    pub(crate) fn start(&self) -> Program {
        self.start_with(self.hello_world())
    }

    pub(crate) fn start_with(&self, service: Synchronizer) -> Program {
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        Program { stop, task: tokio::spawn(run_until(self.config.clone(), service, stopped)) }
    }

    /// Code and status of an object, as stored.
    pub(crate) async fn status<M: Model>(&self, id: ObjectId) -> String {
        match self.core.client().get::<M>(id).await {
            Ok(object) => {
                let values = object.values();
                let field = |name: &str| values[M::shape().position(name).unwrap()].to_string();
                format!("{} {}", field("backend_code"), field("backend_status"))
            }
            Err(error) if error.is_not_found() => "gone".to_owned(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until an object has this code and status.
    pub(crate) async fn until_status<M: Model>(&self, id: ObjectId, expected: &str) {
        let mut last = String::new();
        for _ in 0..1000 {
            last = self.status::<M>(id).await;
            if last == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("expected {expected}, found {last}; {:?}", self.log.lines());
    }
}

/// A configuration for this core that looks for work often, so that tests are short.
pub(crate) fn config(endpoint: &str) -> Config {
    let mut config = Config::default();
    config.accessor.kind = AccessorKind::Grpcapi;
    config.accessor.endpoint = Some(endpoint.to_owned());
    config.accessor.username = Some("admin@opencord.org".into());
    config.accessor.password = Some("letmein".into());
    config.engine.poll_interval = Duration::from_millis(100);
    config.engine.first_retry = Duration::from_millis(100);
    config
}

/// A synchronizer at work, until it is told to stop.
pub(crate) struct Program {
    stop: oneshot::Sender<()>,
    task: JoinHandle<xos_sync::Result<()>>,
}

impl Program {
    /// Tells it to stop, and gives how it ended.
    pub(crate) async fn stop(self) -> xos_sync::Result<()> {
        let _ = self.stop.send(());
        self.task.await.unwrap()
    }

    /// Drops it in the middle of everything, as `kill -9` would.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// How it ends by itself.
    pub(crate) async fn end(self) -> xos_sync::Result<()> {
        tokio::time::timeout(Duration::from_secs(30), self.task).await.expect("it ends by itself").unwrap()
    }
}

/// Waits until this is so.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..1000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("this did not happen: {what}");
}

/// What is wrong with a field.
pub(crate) fn named(field: &str, message: &str) -> (String, String) {
    (field.to_owned(), message.to_owned())
}

/// This much time has passed.
pub(crate) async fn advance(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
