//! A stand-in for the XOS core 4.0.4: a gRPC server over the embedded core, with the wire and the defects of the real
//! one. What it says was recorded from a real core; see `reference/xos-core-observed.md`.
//!
//! A schema as protobuf, records and messages, queries and errors are those of the embedded core's server. What is here
//! imitates: the order of a database's rows, the restarts, and the defects.
//!
//! # Examples
//!
//! ```
//! use xos_sync_tests::stand_in::{Options, StandIn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), xos_sync_tests::stand_in::BoxError> {
//! let core = StandIn::start(Options::fast()).await?;
//! assert!(core.uri().starts_with("http://127.0.0.1:"));
//! core.fail_once("NoOp", tonic::Code::Unavailable, "Socket closed");
//! core.restart().await?;
//! assert_eq!(core.count("NoOp"), 0);
//! # Ok(()) }
//! ```

mod accounts;
mod changes;
mod core;
mod core_version;
pub(crate) mod faults;
pub(crate) mod journal;
mod message;
mod onboarding;
mod options;
mod python_files;
pub(crate) mod server;
pub(crate) mod tls;
mod utility;
mod validation;
pub mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prost_reflect::DynamicMessage;
use tokio::task::AbortHandle;
use tonic::Code;
use xos_core::EmbeddedCore;
pub use xos_core::server::__wire::Descriptors;
pub(crate) use xos_core::server::__wire::{proto, status};
use xos_model_client::models::{Site, User};
use xos_model_client::{Caller, Link, ModelClient};

pub use self::accounts::Account;
pub use self::journal::Called;
pub use self::onboarding::{LoadRequest, ModelsOf};
pub use self::options::{Options, models_by_name};

use self::core::Core;
use self::faults::Fault;
use self::onboarding::Onboarding;
use self::server::{Server, Serving};

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A stand-in for a core. Dropped, it is gone with all its connections.
///
/// It has a site `mysite` (id 1), a user `admin@opencord.org` with the password `letmein`, and the models of every
/// core besides those in its options. Methods are named with or without their service: `/xos.xos/GetSite` or `GetSite`.
pub struct StandIn {
    inner: Arc<Inner>,
    tasks: Vec<AbortHandle>,
}

struct Inner {
    server: Server,
    core: Arc<Core>,
    shutdown_delay: Duration,
    away: Duration,
    /// How often it came up again.
    restarts: AtomicUsize,
}

impl StandIn {
    /// Starts one on free ports of 127.0.0.1. To be called within a runtime.
    ///
    /// # Errors
    ///
    /// Models that do not fit together; a port that cannot be had.
    pub async fn start(options: Options) -> Result<Self, BoxError> {
        let store = match options.store {
            Some(store) => store,
            None => EmbeddedCore::in_memory_with(xos_core::Options {
                reap: xos_core::Reap::Manual,
                ..xos_core::Options::default()
            })?,
        };
        let onboarding = Onboarding::new(options.models_of);
        for (name, models) in options.services {
            onboarding.present(&name, "1.0.0", models);
        }
        for request in options.loaded {
            onboarding.loaded(request)?;
        }
        let core = Arc::new(Core::new(store, onboarding)?);
        core.come_up().await?;
        for account in options.users {
            core.accounts.add(account);
        }
        furnish(&core).await?;
        let serving = Serving {
            latency: options.latency,
            workers: options.workers,
            longest_request: options.longest_request,
            journal: options.journal,
        };
        let server = Server::start(core.clone(), serving)?;
        let inner = Arc::new(Inner {
            server,
            core: core.clone(),
            shutdown_delay: options.shutdown_delay,
            away: options.away,
            restarts: AtomicUsize::new(0),
        });
        let tasks = vec![
            tokio::spawn(reap(core, options.reap_every)).abort_handle(),
            tokio::spawn(restart_when_told(inner.clone())).abort_handle(),
        ];
        Ok(StandIn { inner, tasks })
    }

    /// Where it listens without TLS, such as `http://127.0.0.1:40001`.
    pub fn uri(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where it listens with TLS, such as `https://127.0.0.1:40002`. Its certificate is also one for `xos-core`.
    pub fn secure_uri(&self) -> String {
        format!("https://{}", self.secure_address())
    }

    /// Where it listens without TLS.
    pub fn address(&self) -> SocketAddr {
        self.inner.server.plain
    }

    /// Where it listens with TLS.
    pub fn secure_address(&self) -> SocketAddr {
        self.inner.server.secure
    }

    /// The certificate of the authority that vouches for it, as PEM.
    pub fn authority(&self) -> &str {
        &self.inner.server.tls.authority
    }

    /// What is behind it, to arrange objects and to look at them without the wire. Its automatic reaping is off.
    pub fn store(&self) -> &EmbeddedCore {
        &self.inner.core.store
    }

    /// A client of what is behind it, as a person or another program.
    pub fn client(&self) -> ModelClient {
        ModelClient::new(Arc::new(self.store().clone()), Caller::Client)
    }

    /// Purges now what may go, and tells how many.
    ///
    /// # Errors
    ///
    /// None in memory.
    pub async fn reap(&self) -> Result<usize, BoxError> {
        Ok(self.store().reap().await?)
    }

    /// Whether it listens.
    pub fn is_up(&self) -> bool {
        self.inner.server.is_up()
    }

    /// How often it came up again, for whatever reason.
    pub fn restarts(&self) -> usize {
        self.inner.restarts.load(Ordering::SeqCst)
    }

    /// Drops all connections and calls in flight, and listens no more.
    pub async fn kill(&self) {
        self.inner.server.stop().await;
    }

    /// Listens again at the same addresses, with the models that were loaded meanwhile. It does not come up while the
    /// broken xproto of a load is in the way.
    ///
    /// # Errors
    ///
    /// Somebody else has the port now.
    pub async fn resume(&self) -> Result<(), BoxError> {
        self.inner.come_up().await
    }

    /// [`kill`](StandIn::kill) and [`resume`](StandIn::resume).
    ///
    /// # Errors
    ///
    /// As [`resume`](StandIn::resume).
    pub async fn restart(&self) -> Result<(), BoxError> {
        self.kill().await;
        self.resume().await
    }

    /// Goes away now, and comes back by itself after this time.
    pub async fn go_away(&self, away: Duration) {
        self.kill().await;
        let inner = self.inner.clone();
        tokio::spawn(async move {
            tokio::time::sleep(away).await;
            let _ = inner.come_up().await;
        });
    }

    /// Removes the files of services whose xproto has an error, as somebody would do by hand.
    pub fn repair(&self) {
        self.inner.core.onboarding.repair();
    }

    /// Calls of this method are never answered and have no effect, until [`heal`](StandIn::heal). Each takes a worker
    /// away.
    pub fn hang(&self, method: &str) {
        self.inner.server.faults().always(method, Fault::Hang);
    }

    /// Calls of this method take effect, and are answered this much later, until [`heal`](StandIn::heal).
    pub fn answer_late(&self, method: &str, wait: Duration) {
        self.inner.server.faults().always(method, Fault::AnswerLate(wait));
    }

    /// The next call of this method has no effect and fails. Said again, the one after it, too.
    pub fn fail_once(&self, method: &str, code: Code, details: &str) {
        self.inner.server.faults().once(method, Fault::Fail(code, details.to_owned()));
    }

    /// The next call of this method takes effect, and its connection is cut before the answer.
    pub fn cut_after(&self, method: &str) {
        self.inner.server.faults().once(method, Fault::CutAfter);
    }

    /// The next call of this method has no effect, and its connection is cut.
    pub fn cut_before(&self, method: &str) {
        self.inner.server.faults().once(method, Fault::CutBefore);
    }

    /// Takes all faults of this method away. Calls that hang go on hanging.
    pub fn heal(&self, method: &str) {
        self.inner.server.faults().heal(method);
    }

    /// The calls so far, as far as they are kept, in the order in which they came.
    pub fn calls(&self) -> Vec<Called> {
        self.inner.server.journal().calls()
    }

    /// The calls of one method.
    pub fn calls_of(&self, method: &str) -> Vec<Called> {
        let named = |path: &str| path == method || path.rsplit('/').next() == Some(method);
        self.calls().into_iter().filter(|called| named(&called.method)).collect()
    }

    /// How often a method was called.
    pub fn count(&self, method: &str) -> usize {
        self.inner.server.journal().count(method)
    }

    /// The most calls that were in flight at once, those that wait for a worker counted.
    pub fn most_in_flight(&self) -> usize {
        self.inner.server.journal().most_in_flight()
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        self.inner.server.journal().clear();
    }

    /// The request message of a call, decoded; `None` when the models are not served any more.
    pub fn request_of(&self, called: &Called) -> Option<DynamicMessage> {
        let descriptor = self.inner.core.served().descriptors.request_of(&called.method)?;
        DynamicMessage::decode(descriptor, called.request.clone()).ok()
    }

    /// The descriptors of what is served now: what a raw client makes its messages with.
    pub fn descriptors(&self) -> Arc<Descriptors> {
        self.inner.core.served().descriptors.clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Inner {
    async fn come_up(&self) -> Result<(), BoxError> {
        if self.core.onboarding.is_broken() {
            return Ok(());
        }
        self.core.come_up().await?;
        self.server.resume()?;
        self.restarts.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// What every core has from the beginning.
async fn furnish(core: &Core) -> Result<(), BoxError> {
    let client = ModelClient::new(Arc::new(core.store.clone()), Caller::Client);
    if client.objects::<Site>().first().await?.is_some() {
        return Ok(());
    }
    let site = Site {
        name: "mysite".into(),
        login_base: "mysite".into(),
        abbreviated_name: "mysite".into(),
        site_url: Some("http://opencord.org/".into()),
        ..Site::default()
    };
    let site = client.create(site).await?;
    let admin = User {
        email: "admin@opencord.org".into(),
        firstname: "XOS".into(),
        lastname: "admin".into(),
        is_admin: true,
        site: Link::to(site.id),
        ..User::default()
    };
    client.create(admin).await?;
    Ok(())
}

/// Purges every so often, as the core's reaper.
async fn reap(core: Arc<Core>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let _ = core.store.reap().await;
    }
}

/// Goes away and comes back after each load or unload that changed something.
async fn restart_when_told(inner: Arc<Inner>) {
    let told = inner.core.onboarding.restart.clone();
    loop {
        told.notified().await;
        tokio::time::sleep(inner.shutdown_delay).await;
        inner.server.stop().await;
        tokio::time::sleep(inner.away).await;
        let _ = inner.come_up().await;
    }
}
