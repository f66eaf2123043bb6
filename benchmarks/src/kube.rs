//! The peer: the `applier` of kube-runtime, which is what its `Controller` runs on, over a store in memory.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube_runtime::controller::{Action, Config, ReconcileRequest, applier};
use kube_runtime::reflector::{self, ObjectRef, Store};
use kube_runtime::watcher;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What the reports call it.
pub fn name() -> String {
    format!("kube-rs {}", crate::machine::locked("kube-runtime"))
}

/// A runtime for the peer.
pub fn runtime() -> tokio::runtime::Runtime {
    crate::ours::runtime_of("peer")
}

/// No limit, in its words.
pub const UNLIMITED: u16 = 0;

/// Number `id` of the objects, counted from 1 as ours are.
fn object(id: usize) -> ConfigMap {
    let metadata = ObjectMeta {
        name: Some(format!("cm-{id:07}")),
        namespace: Some("bench".into()),
        resource_version: Some(id.to_string()),
        uid: Some(format!("uid-{id}")),
        ..Default::default()
    };
    ConfigMap { metadata, ..Default::default() }
}

/// The number of an object.
fn number(object: &ConfigMap) -> usize {
    object.metadata.name.as_deref().and_then(|name| name.strip_prefix("cm-")?.parse().ok()).expect("a number")
}

/// The store with this many objects, whole and ready.
pub fn store(count: usize) -> (Store<ConfigMap>, reflector::store::Writer<ConfigMap>) {
    let (store, mut writer) = reflector::store::<ConfigMap>();
    writer.apply_watcher_event(&watcher::Event::Init);
    for id in 1..=count {
        writer.apply_watcher_event(&watcher::Event::InitApply(object(id)));
    }
    writer.apply_watcher_event(&watcher::Event::InitDone);
    (store, writer)
}

/// A reconciler that failed.
#[derive(Debug)]
pub struct Failed;

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the step failed")
    }
}

impl std::error::Error for Failed {}

/// What is reconciled next. Unbounded, so that who changes objects never waits.
#[derive(Clone)]
pub struct Requests(mpsc::UnboundedSender<ReconcileRequest<ConfigMap>>);

impl Requests {
    /// Asks for this object.
    pub fn ask(&self, id: usize) {
        let _ = self.0.send(ObjectRef::from_obj(&object(id)).into());
    }
}

/// A controller that is not polled yet.
pub struct Controller {
    ended: BoxStream<'static, ()>,
    pub requests: Requests,
    _writer: reflector::store::Writer<ConfigMap>,
}

/// A controller over `count` objects with this concurrency; `reconcile` gets the number of the object. What fails is
/// tried again after `retry`, always the same: its documentation's policy.
pub fn controller<R: Future<Output = Result<(), Failed>> + Send + 'static>(
    count: usize,
    concurrency: u16,
    retry: Duration,
    mut reconcile: impl FnMut(usize) -> R + Send + 'static,
) -> Controller {
    let (store, writer) = store(count);
    let (send, receive) = mpsc::unbounded_channel();
    let queue = stream::unfold(receive, |mut receive| async move {
        let request = receive.recv().await?;
        Some((Ok::<_, Infallible>(request), receive))
    });
    let applied = applier(
        move |object: Arc<ConfigMap>, _: Arc<()>| {
            let work = reconcile(number(&object));
            Box::pin(async move { work.await.map(|()| Action::await_change()) })
        },
        move |_, _: &Failed, _| Action::requeue(retry),
        Arc::new(()),
        store,
        Box::pin(queue),
        Config::default().concurrency(concurrency),
    );
    Controller { ended: applied.map(|_| ()).boxed(), requests: Requests(send), _writer: writer }
}

impl Controller {
    /// Runs until this many reconciles have ended, or so long. How many have.
    pub async fn run(&mut self, count: usize, at_most: Duration) -> usize {
        let mut ended = 0;
        let start = Instant::now();
        let run = async {
            // Where everything is ready at once the timeout is not looked at.
            while ended < count && start.elapsed() < at_most && self.ended.next().await.is_some() {
                ended += 1;
            }
        };
        let _ = tokio::time::timeout(at_most, run).await;
        ended
    }

    /// Runs in a task of its own, until that is aborted.
    pub fn spawn(self) -> (JoinHandle<()>, Requests) {
        let requests = self.requests.clone();
        (tokio::spawn(self.run_on()), requests)
    }

    /// It keeps all of itself: where nobody can ask any more, the peer shuts down.
    async fn run_on(mut self) {
        while self.ended.next().await.is_some() {}
    }
}

/// Tells a task to end, and waits until it did.
pub async fn end(task: JoinHandle<()>) {
    task.abort();
    let _ = task.await;
}
