//! Our side: a synchronizer that runs in this process.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use xos_sync::model_client::ModelAccessor;
use xos_sync::prelude::*;
use xos_sync::run_on;

/// More than there ever are objects: as good as no limit.
pub const UNLIMITED: usize = 2_000_000;

/// A step that calls this with each record, and awaits what it returns.
pub struct Call<F>(pub F);

impl<F, R> SyncStep for Call<F>
where
    F: Fn(usize) -> R + Send + Sync + 'static,
    R: Future<Output = StepResult> + Send + 'static,
{
    type Model = Site;

    async fn sync_record(&self, _ctx: &Context, o: &mut Site) -> StepResult {
        (self.0)(o.id.get() as usize).await
    }

    async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
        Ok(())
    }
}

/// A step that does nothing.
pub fn nothing() -> Call<impl Fn(usize) -> std::future::Ready<StepResult> + Send + Sync + 'static> {
    Call(|_| std::future::ready(Ok(())))
}

/// What all runs have in common: this many steps at once, and no patience at the end.
pub fn config(concurrency: usize) -> Config {
    let mut config = Config::in_memory();
    config.engine.concurrency = concurrency;
    config.engine.grace_period = Duration::ZERO;
    config
}

/// A synchronizer at work.
pub struct Running {
    stop: oneshot::Sender<()>,
    run: JoinHandle<xos_sync::Result<()>>,
}

impl Running {
    /// Starts one with this step.
    pub fn start(accessor: Arc<dyn ModelAccessor>, config: Config, step: impl SyncStep) -> Self {
        Running::begin(accessor, config, Synchronizer::new("bench").sync_step(step))
    }

    /// Apart, so that the synchronizer is compiled once and not for every step.
    fn begin(accessor: Arc<dyn ModelAccessor>, config: Config, service: Synchronizer) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        Running { stop, run: tokio::spawn(run_on(accessor, config, service, stopped)) }
    }

    /// Tells it to stop, and waits until it did.
    pub async fn stop(self) {
        let Running { stop, run } = self;
        let _ = stop.send(());
        run.await.expect("the run ends").expect("it ends well");
    }

    /// Waits until it has ended by itself, as `once` makes it.
    pub async fn ended(self) {
        let Running { stop: _kept, run } = self;
        run.await.expect("the run ends").expect("it ends well");
    }
}

/// A runtime for us.
pub fn runtime() -> tokio::runtime::Runtime {
    runtime_of("ours")
}

/// As many threads as there are cores, for each contender.
///
/// The name of its threads tells a profile whose they are.
pub fn runtime_of(name: &str) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name(name)
        .worker_threads(crate::machine::cores())
        .enable_all()
        .build()
        .expect("a runtime")
}
