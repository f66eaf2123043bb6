//! A core behind a proxy, clients and a synchronizer of it, and steps that notice what must never happen.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use xos_model_client::grpc::{CoreClient, CoreOptions, Credentials, Password};
use xos_model_client::{Caller, Error, ModelClient};
use xos_sync::config::AccessorKind;
use xos_sync::prelude::*;
use xos_sync::{Config, run_until};
pub(crate) use xos_sync_tests::hello::{
    HelloWorldService, HelloWorldServiceInstance, greeting, models, service,
};
use xos_sync_tests::proxy::{Mode, Proxy};
use xos_sync_tests::stand_in::{Options, StandIn};

/// Nothing takes longer, or it hangs. What was asked for is 2 s; how long it took is printed.
const HANGS: Duration = Duration::from_secs(20);

/// A core, and a proxy in front of it.
pub(crate) struct Lab {
    pub(crate) core: StandIn,
    pub(crate) proxy: Proxy,
    /// What is behind the core, without the wire.
    pub(crate) store: ModelClient,
}

impl Lab {
    /// With the hello-world models loaded, and the service `Jon`.
    pub(crate) async fn new() -> Self {
        // All calls are looked at in the end.
        let options = Options { journal: 1_000_000, ..Options::fast().with_models(models()) };
        let core = StandIn::start(options).await.unwrap();
        let proxy = Proxy::start(core.address()).await.unwrap();
        let store = core.client();
        store.create(service("Jon")).await.unwrap();
        Lab { core, proxy, store }
    }

    /// With this many greetings too.
    pub(crate) async fn with_greetings(count: usize) -> (Self, Vec<HelloWorldServiceInstance>) {
        let lab = Lab::new().await;
        let mut made = Vec::new();
        for number in 0..count {
            made.push(lab.store.create(greeting(&format!("number {number}"))).await.unwrap());
        }
        (lab, made)
    }

    /// Through the proxy, with the deadlines of a program.
    pub(crate) fn options(&self) -> CoreOptions {
        let mut options = CoreOptions::new(format!("http://{}", self.proxy.address()));
        options.credentials = Some(Credentials::new("admin@opencord.org", Password::literal("letmein")));
        options
    }

    /// The same, with this deadline for every call.
    pub(crate) fn options_within(&self, deadline: Duration) -> CoreOptions {
        let mut options = self.options();
        (options.call_deadline, options.list_deadline) = (deadline, deadline);
        options
    }

    pub(crate) async fn connect(&self, options: CoreOptions, caller: Caller) -> ModelClient {
        let client = CoreClient::new(options).unwrap();
        client.ready().await.unwrap();
        ModelClient::new(Arc::new(client), caller)
    }

    /// How many greetings there are with this name, in the core itself.
    pub(crate) async fn count(&self, name: &str) -> usize {
        let all: Vec<HelloWorldServiceInstance> = self.store.objects().all().await.unwrap();
        all.iter().filter(|one| one.hello_to == name).count()
    }

    /// How often the core was asked to create each name.
    pub(crate) fn creations(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for called in self.core.calls_of("CreateHelloWorldServiceInstance") {
            let request = self.core.request_of(&called).unwrap();
            let name = request.fields().find(|(field, _)| field.name() == "hello_to");
            *counts.entry(name.unwrap().1.as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }

    /// A synchronizer of this core, through the proxy.
    pub(crate) fn start(&self, steps: &Steps, change: impl FnOnce(&mut Config)) -> Program {
        let mut config = Config::default();
        config.accessor.kind = AccessorKind::Grpcapi;
        config.accessor.endpoint = Some(format!("http://{}", self.proxy.address()));
        config.accessor.username = Some("admin@opencord.org".into());
        config.accessor.password = Some("letmein".into());
        config.engine.poll_interval = Duration::from_millis(200);
        config.engine.first_retry = Duration::from_millis(100);
        config.engine.retry_cap = Duration::from_secs(1);
        change(&mut config);
        let service = Synchronizer::new("hello-world")
            .version("1.0.0")
            .model::<HelloWorldService>()
            .sync_step(steps.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        Program { stop, task: tokio::spawn(run_until(config, service, stopped)) }
    }

    /// How many greetings are not in step, as stored.
    pub(crate) async fn not_ok(&self) -> usize {
        let all: Vec<HelloWorldServiceInstance> = self.store.objects().all().await.unwrap();
        all.iter()
            .filter(|one| one.backend_code != 1 || one.enacted.is_none_or(|enacted| enacted < one.updated))
            .count()
    }

    /// How many greetings there are, those that are being deleted included.
    pub(crate) async fn left(&self, ids: &[ObjectId]) -> usize {
        let mut left = 0;
        for id in ids {
            match self.store.get::<HelloWorldServiceInstance>(*id).await {
                Ok(_) => left += 1,
                Err(error) => assert!(error.is_not_found(), "{error}"),
            }
        }
        left
    }

    /// The certificate of the core's authority, as a file.
    pub(crate) fn ca_file(&self) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.crt");
        std::fs::write(&path, self.core.authority()).unwrap();
        (folder, path)
    }
}

/// Whether the core could not be asked: nothing is wrong with the question.
pub(crate) fn assert_away(error: &Error) {
    assert!(error.is_interruption(), "{error}");
}

/// Does this until it succeeds; all errors have to be of the connection. Prints how long that took.
pub(crate) async fn recovers<T>(
    what: &str,
    since: Instant,
    mut try_it: impl AsyncFnMut() -> Result<T, Error>,
) -> T {
    let mut failures = 0;
    loop {
        let error = match tokio::time::timeout(HANGS, try_it()).await.expect("a call ends") {
            Ok(answer) => {
                let took = since.elapsed().as_millis();
                println!("{what}: recovered in {took} ms, after {failures} failures");
                return answer;
            }
            Err(error) => error,
        };
        assert_away(&error);
        failures += 1;
        assert!(since.elapsed() < HANGS, "{what}: does not recover: {error}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until this is so.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < 3 * HANGS, "this did not happen: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The step of the synchronizer. It notes how often it ran, and whether it was ever at one object twice at once.
#[derive(Clone, Default)]
pub(crate) struct Steps(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    at_work: HashSet<ObjectId>,
    syncs: HashMap<ObjectId, usize>,
    deletions: HashMap<ObjectId, usize>,
    /// Objects that had two handlers at once.
    collisions: Vec<ObjectId>,
}

struct AtWork(Steps, ObjectId);

impl Steps {
    fn begin(&self, id: ObjectId, deletes: bool) -> AtWork {
        let mut noted = self.0.lock().unwrap();
        if !noted.at_work.insert(id) {
            noted.collisions.push(id);
        }
        let counts = if deletes { &mut noted.deletions } else { &mut noted.syncs };
        *counts.entry(id).or_default() += 1;
        AtWork(self.clone(), id)
    }

    /// How often an object was synced, at most and altogether.
    pub(crate) fn syncs(&self) -> (usize, usize) {
        let noted = self.0.lock().unwrap();
        (noted.syncs.values().max().copied().unwrap_or_default(), noted.syncs.values().sum())
    }

    /// How often an object was deleted, at most and altogether.
    pub(crate) fn deletions(&self) -> (usize, usize) {
        let noted = self.0.lock().unwrap();
        (noted.deletions.values().max().copied().unwrap_or_default(), noted.deletions.values().sum())
    }

    /// How many objects were ever deleted.
    pub(crate) fn deleted(&self) -> usize {
        self.0.lock().unwrap().deletions.len()
    }

    pub(crate) fn assert_one_at_a_time(&self) {
        let noted = self.0.lock().unwrap();
        assert!(noted.collisions.is_empty(), "two handlers at once: {:?}", noted.collisions);
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().at_work.remove(&self.1);
    }
}

impl SyncStep for Steps {
    type Model = HelloWorldServiceInstance;

    async fn sync_record(&self, ctx: &Context, o: &mut HelloWorldServiceInstance) -> StepResult {
        let _at_work = self.begin(o.id, false);
        let from: HelloWorldService = ctx.leaf(&o.owner).await?;
        o.backend_handle = Some(format!("{} greets {}", from.hello_from, o.hello_to));
        ctx.save(o).await?;
        Ok(())
    }

    async fn delete_record(&self, _: &Context, o: &HelloWorldServiceInstance) -> StepResult {
        let _at_work = self.begin(o.id, true);
        tokio::task::yield_now().await;
        Ok(())
    }
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
        tokio::time::timeout(HANGS, self.task).await.expect("it stops").unwrap()
    }
}

/// Random numbers by seed: xorshift.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit
    }
}

/// Makes the network bad for this many rounds, then good again.
pub(crate) async fn flap(proxy: &Proxy, seed: u64, rounds: usize) {
    let mut random = Random::new(seed);
    println!("flapping by seed {seed}");
    let ms = Duration::from_millis;
    for _ in 0..rounds {
        match random.below(6) {
            0 => proxy.cut(),
            1 => proxy.cut_after(random.below(20_000)),
            2 => {
                proxy.set(Mode::Refuse);
                proxy.cut();
                tokio::time::sleep(ms(random.below(300))).await;
            }
            3 => {
                proxy.set(Mode::Delay(ms(random.below(30))));
                tokio::time::sleep(ms(random.below(200))).await;
            }
            4 => {
                proxy.set(Mode::HoldAnswers);
                tokio::time::sleep(ms(random.below(700))).await;
            }
            _ => {
                proxy.set(Mode::HalfOpen);
                tokio::time::sleep(ms(random.below(700))).await;
            }
        }
        proxy.set(Mode::Pass);
        tokio::time::sleep(ms(random.below(400))).await;
    }
    proxy.cut_after(u64::MAX);
}
