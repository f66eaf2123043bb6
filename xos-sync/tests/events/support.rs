//! Event steps that do what a test says, and somebody who publishes.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use xos_sync::prelude::*;
use xos_sync::run_on;

pub(crate) use crate::log::Log;

pub(crate) fn site(name: &str) -> Site {
    Site { name: name.into(), login_base: name.into(), abbreviated_name: name.into(), ..Default::default() }
}

type Play = Box<dyn Fn(Context, Event) -> BoxFuture<'static, StepResult> + Send + Sync>;

/// An event step that says what it is given, and does what the test says.
pub(crate) struct On {
    log: Log,
    name: &'static str,
    topics: Vec<String>,
    pattern: Option<String>,
    give_up: GiveUp,
    at_once: usize,
    play: Play,
}

impl On {
    pub(crate) fn plays<R>(mut self, play: impl Fn(Context, Event) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = StepResult> + Send + 'static,
    {
        self.play = Box::new(move |ctx, event| play(ctx, event).boxed());
        self
    }

    pub(crate) fn named(self, name: &'static str) -> Self {
        On { name, ..self }
    }

    pub(crate) fn pattern(self, pattern: &str) -> Self {
        On { pattern: Some(pattern.into()), ..self }
    }

    pub(crate) fn gives_up(self, give_up: GiveUp) -> Self {
        On { give_up, ..self }
    }

    pub(crate) fn at_once(self, at_once: usize) -> Self {
        On { at_once, ..self }
    }
}

impl EventStep for On {
    fn topics(&self) -> Vec<String> {
        self.topics.clone()
    }

    fn pattern(&self) -> Option<String> {
        self.pattern.clone()
    }

    async fn process_event(&self, ctx: &Context, event: &Event) -> StepResult {
        self.log.say(format!("{} {}", self.name, event.text()?));
        (self.play)(ctx.clone(), event.clone()).await
    }

    fn on_failure(&self) -> GiveUp {
        self.give_up.clone()
    }

    fn concurrency(&self) -> usize {
        self.at_once
    }

    fn name(&self) -> &'static str {
        self.name
    }
}

/// A sync step that lends its context to the test, and says what it syncs.
struct Lend(Arc<Mutex<Option<Context>>>, Log);

impl SyncStep for Lend {
    type Model = Site;

    async fn sync_record(&self, ctx: &Context, o: &mut Site) -> StepResult {
        *self.0.lock().unwrap() = Some(ctx.clone());
        self.1.say(format!("sync {}", o.name));
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
        Ok(())
    }
}

/// A core, and what event steps did.
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

    /// A step on these topics that succeeds.
    pub(crate) fn on(&self, topics: &[&str]) -> On {
        On {
            log: self.log.clone(),
            name: "on",
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            pattern: None,
            give_up: GiveUp::default(),
            at_once: 16,
            play: Box::new(|_, _| async { Ok(()) }.boxed()),
        }
    }

    /// A synchronizer at work, with somebody who publishes.
    pub(crate) async fn start(&self, service: Synchronizer) -> Program {
        let lent = Arc::new(Mutex::new(None));
        self.core.create(site("mouth")).await.unwrap();
        let program = self.start_alone(service.sync_step(Lend(lent.clone(), self.log.clone())));
        until("there is a context", async || lent.lock().unwrap().is_some()).await;
        Program { context: lent.lock().unwrap().take(), ..program }
    }

    /// A synchronizer at work.
    pub(crate) fn start_alone(&self, service: Synchronizer) -> Program {
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        let task = tokio::spawn(run_on(self.core.accessor(), self.config.clone(), service, stopped));
        Program { context: None, stop, task }
    }

    pub(crate) async fn says(&self, line: &str, times: usize) {
        let what = format!("{line:?} {times} times; there is {:?}", self.log.lines());
        until(&what, async || self.log.count(line) >= times).await;
        assert_eq!(self.log.count(line), times);
    }
}

/// A synchronizer at work.
pub(crate) struct Program {
    context: Option<Context>,
    stop: oneshot::Sender<()>,
    pub(crate) task: JoinHandle<xos_sync::Result<()>>,
}

impl Program {
    pub(crate) async fn publish(&self, topic: &str, key: Option<&str>, json: &impl Serialize) {
        self.context.as_ref().unwrap().publish(topic, key, json).await.unwrap();
    }

    /// Tells it to stop and waits until it has.
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
