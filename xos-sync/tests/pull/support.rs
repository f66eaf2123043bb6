//! Pull steps that do what a test says.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use xos_sync::prelude::*;
use xos_sync::run_on;

pub(crate) use crate::log::Log;

pub(crate) fn site(name: &str) -> Site {
    Site { name: name.into(), login_base: name.into(), abbreviated_name: name.into(), ..Default::default() }
}

type Play = Box<dyn Fn(Context) -> BoxFuture<'static, StepResult> + Send + Sync>;

/// A pull step that says that it runs, and does what the test says.
pub(crate) struct Pull {
    log: Log,
    name: &'static str,
    interval: Duration,
    play: Play,
}

impl Pull {
    pub(crate) fn every(self, seconds: u64) -> Self {
        Pull { interval: Duration::from_secs(seconds), ..self }
    }

    pub(crate) fn plays<R>(mut self, play: impl Fn(Context) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = StepResult> + Send + 'static,
    {
        self.play = Box::new(move |ctx| play(ctx).boxed());
        self
    }
}

impl PullStep for Pull {
    type Model = Site;

    async fn pull_records(&self, ctx: &Context) -> StepResult {
        self.log.say(self.name);
        (self.play)(ctx.clone()).await
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn name(&self) -> &'static str {
        self.name
    }
}

/// A sync step that says what it syncs.
pub(crate) struct Say(pub(crate) Log);

impl SyncStep for Say {
    type Model = Site;

    async fn sync_record(&self, _ctx: &Context, o: &mut Site) -> StepResult {
        self.0.say(format!("sync {}", o.name));
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, o: &Site) -> StepResult {
        self.0.say(format!("delete {}", o.name));
        Ok(())
    }
}

/// A core, and what pull steps did.
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

    /// A step that succeeds, every 5 s.
    pub(crate) fn pull(&self, name: &'static str) -> Pull {
        let log = self.log.clone();
        Pull { log, name, interval: Duration::from_secs(5), play: Box::new(|_| async { Ok(()) }.boxed()) }
    }

    pub(crate) fn start(&self, service: Synchronizer) -> Program {
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        let task = tokio::spawn(run_on(self.core.accessor(), self.config.clone(), service, stopped));
        Program { stop, task }
    }
}

/// A synchronizer at work.
pub(crate) struct Program {
    stop: oneshot::Sender<()>,
    task: JoinHandle<xos_sync::Result<()>>,
}

impl Program {
    pub(crate) async fn stop(self) -> xos_sync::Result<()> {
        let _ = self.stop.send(());
        self.task.await.unwrap()
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
