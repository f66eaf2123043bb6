//! The embedded core, as its users see it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::Value as Json;
#[cfg(feature = "server")]
use xos_model_client::Timestamp;
use xos_model_client::{
    Abilities, Cursor, ErrorKind, Feed, Found, ModelAccessor, ModelName, ObjectId, Onboard, Onboarded, Page,
    Query, Record, Result, Schema, Shape, Write, Written,
};

use crate::feed;
use crate::hub::Hub;
use crate::options::{Clock, Options};
use crate::passwords;
use crate::shell::{Shell, Size};
#[cfg(feature = "postgres")]
use crate::sql::target::Target;
#[cfg(feature = "server")]
use crate::store::WaysBack;
use crate::store::{Db, Store};

/// How many ids one `get` may have to be answered on the caller's thread.
const FEW: usize = 16;

/// An XOS core in this process, over a SQLite database in a file or in memory, or a database of PostgreSQL.
///
/// A clone is another handle of the same core. The core is closed when the last handle goes, or by
/// [`close`](EmbeddedCore::close); a feed does not keep it open.
///
/// # Guarantees
///
/// One process owns a database file. A write that was answered with `Ok` survives the death of the process, and with
/// [`Durability::Full`](crate::Durability::Full) a loss of power. All writes of one call are one transaction; each has
/// its own answer, and one that breaks a rule leaves no trace.
///
/// # Examples
///
/// ```
/// use xos_core::EmbeddedCore;
/// use xos_model_client::{Caller, ModelClient, models::Site};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("core.db");
/// let core = EmbeddedCore::open(&path, xos_core::Options::default())?;
/// let client = ModelClient::new(std::sync::Arc::new(core), Caller::Client);
/// let site = Site { name: "mysite".into(), login_base: "my".into(), abbreviated_name: "my".into(), ..Default::default() };
/// let site = client.create(site).await?;
/// assert!(site.id.is_set());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct EmbeddedCore {
    pub(crate) inner: Arc<Inner>,
}

/// What the handles of a core share.
pub(crate) struct Inner {
    pub(crate) hub: Arc<Hub>,
    pub(crate) shell: Shell,
    path: Option<PathBuf>,
    /// The server of the database, without the password.
    server: Option<String>,
    read_only: bool,
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "the server asks for the time"))]
    clock: Clock,
    /// Counts the writes that may have changed who somebody is.
    people: AtomicU64,
}

impl EmbeddedCore {
    /// Opens the database in a file, or creates it. The models of every core are there; a file of an older version of
    /// this program is brought up to date.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`]: another process has the file, it cannot be read or written, it is no database or not
    /// ours, or was written by a newer version of this program. [`ErrorKind::Onboarding`] when its objects would lose
    /// data under the core models of this version.
    #[allow(clippy::needless_pass_by_value)] // Options are made for one core; a reference would be noise.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let path = path.as_ref();
        let store = Store::open(path, &options)?;
        Self::with(store, Some(path), &options)
    }

    /// A core in memory: gone when the last handle is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] when there is no memory for it.
    pub fn in_memory() -> Result<Self> {
        Self::in_memory_with(Options::default())
    }

    /// A core in memory, with options.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] when there is no memory for it.
    #[allow(clippy::needless_pass_by_value)]
    pub fn in_memory_with(options: Options) -> Result<Self> {
        let store = Store::in_memory(&options)?;
        Self::with(store, None, &options)
    }

    /// Another core in memory, with all that is in this one now. For simulations: that is faster than loading models again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where this one is not in memory; [`ErrorKind::Store`] when there is no memory for it.
    #[doc(hidden)]
    #[allow(clippy::needless_pass_by_value)]
    pub fn copy_with(&self, options: Options) -> Result<Self> {
        let store = self.inner.shell.copy(&options)?;
        Self::with(store, None, &options)
    }

    /// Connects to a database of PostgreSQL, and makes its tables on first use. Several servers may use one database
    /// at once.
    ///
    /// The URL is `postgres://user:password@host:port/database`, with the keys of libpq that are known here after a
    /// `?`, and these: `schema`, in which the tables are (default: `xos`), so that several cores can share one
    /// database; `sslmode` (`disable`, `prefer`, `require`, `verify-ca` or `verify-full`) and `sslrootcert`, a file of
    /// authorities (default: those of the operating system).
    ///
    /// # Guarantees
    ///
    /// Writes of all servers are one after the other, each in a transaction of its own; all feeds tell of them in the
    /// order of their revisions. An object that another server changed several times in a moment may be told of once,
    /// with its newest change. Models that one server loads are used by the others with their next call. A write that
    /// was answered with `Ok` was committed by the database; what that survives is set there
    /// (`synchronous_commit` is on, whatever [`Options::durability`] says). While the server of the database is away,
    /// calls are [`ErrorKind::Away`], feeds tell that the core is down, and all goes on when it is back. A commit
    /// whose answer was lost is asked for; only when that cannot be done within 10 s it is
    /// [`ErrorKind::OutcomeUnknown`].
    ///
    /// # Assumptions
    ///
    /// The database has the encoding UTF8, PostgreSQL is 13 or newer, and a connection is one session (a pooler such
    /// as PgBouncer in the mode `session`).
    ///
    /// Blocks the thread until the database answered.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connection`] when the URL cannot be used; [`ErrorKind::Away`] when the server cannot be reached;
    /// [`ErrorKind::Store`] when it refuses the user, or the tables are another program's or of a newer version.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// // Needs a server.
    /// # fn main() -> xos_model_client::Result<()> {
    /// let core = xos_core::EmbeddedCore::connect("postgres://xos@localhost/xos", xos_core::Options::default())?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "postgres")]
    #[allow(clippy::needless_pass_by_value)]
    pub fn connect(url: &str, options: Options) -> Result<Self> {
        let target = Arc::new(Target::parse(url)?);
        let heard = Arc::new(crate::sql::postgres::Heard::default());
        let name = target.name.clone();
        // On a thread of its own: a caller that runs in a task must not wait for a connection there.
        let connected = std::thread::scope(|scope| {
            let connect = || Store::connect(target.clone(), heard.clone(), &options);
            let thread = std::thread::Builder::new().name("xos-core-connect".to_owned());
            thread.spawn_scoped(scope, connect).map(std::thread::ScopedJoinHandle::join)
        });
        let store = match connected {
            Ok(Ok(store)) => store?,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => {
                return Err(
                    ErrorKind::Away { reason: format!("no thread could be started ({error})") }.into()
                );
            }
        };
        let hub = store.hub.clone();
        let shell = Shell::on_server(store, target, heard, &options)?;
        let (clock, people) = (options.clock.clone(), AtomicU64::new(0));
        let inner = Inner { hub, shell, path: None, server: Some(name), read_only: false, clock, people };
        Ok(EmbeddedCore { inner: Arc::new(inner) })
    }

    fn with(store: Store, path: Option<&Path>, options: &Options) -> Result<Self> {
        let hub = store.hub.clone();
        let shell = Shell::new(store, path, options)?;
        let (path, clock) = (path.map(Path::to_owned), options.clock.clone());
        let inner =
            Inner { hub, shell, path, server: None, read_only: false, clock, people: AtomicU64::new(0) };
        Ok(EmbeddedCore { inner: Arc::new(inner) })
    }

    /// Opens a file for reading only, also while another process has it: to look at what a running program does.
    ///
    /// `find` and `get` work and see what was committed; writing is [`ErrorKind::Unsupported`], and the feed tells
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`]: there is no such file, it is no database or not ours, or of a newer version.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let db = Db::read_only(path)?;
        let hub = Arc::new(Hub::new(0, db.catalog.clone()));
        let shell = Shell::ReadOnly(std::sync::Mutex::new(Some(db)));
        let (path, clock) = (Some(path.to_owned()), Options::default().clock);
        let inner =
            Inner { hub, shell, path, server: None, read_only: true, clock, people: AtomicU64::new(0) };
        Ok(EmbeddedCore { inner: Arc::new(inner) })
    }

    /// Which database this is, and its version, as it says itself.
    #[cfg(feature = "server")]
    pub(crate) async fn database(&self) -> Result<(&'static str, String)> {
        self.inner.shell.read(Size::Few, |db| db.engine()).await
    }

    /// The models that are loaded, and by which services.
    #[cfg(feature = "server")]
    pub(crate) fn catalog(&self) -> Arc<crate::store::Catalog> {
        self.inner.hub.catalog()
    }

    /// The file of the database, `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// Tells how far the core has come, and when it is closed.
    #[cfg(feature = "server")]
    pub(crate) fn ticks(&self) -> tokio::sync::watch::Receiver<crate::hub::Tick> {
        self.inner.hub.subscribe()
    }

    /// Finishes the writes that were accepted, and lets the database go, so that it can be opened again. Calls that
    /// come later are [`ErrorKind::Away`]; feeds tell that the core is down.
    ///
    /// Blocks the thread for as long as the last transaction takes.
    pub fn close(&self) {
        self.inner.shell.close(&self.inner.hub);
    }

    /// Purges the soft-deleted objects that nobody has to look at any more, and tells how many. Needed with
    /// [`Reap::Manual`](crate::Reap::Manual) only.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it may go on; each transaction of it is done or not, never by half.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] when it could not be stored.
    pub async fn reap(&self) -> Result<usize> {
        self.inner.shell.change(Store::reap_all).await
    }

    /// Remembers something beside the objects, in the same database: `value` under `key`, or nothing any more when it
    /// is `None`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] when it could not be stored.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> xos_model_client::Result<()> {
    /// let core = xos_core::EmbeddedCore::in_memory()?;
    /// core.remember("recipe", "service#hello", Some(7.into())).await?;
    /// assert_eq!(core.recall("recipe").await?["service#hello"], 7);
    /// # Ok(()) }
    /// ```
    pub async fn remember(&self, namespace: &str, key: &str, value: Option<Json>) -> Result<()> {
        self.remember_all(namespace, vec![(key.to_owned(), value)]).await
    }

    /// Remembers or forgets several things.
    ///
    /// # Guarantees
    ///
    /// All of them or none, in one transaction that is as durable as a write of an object.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it may be done or not, never by half.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] when it could not be stored.
    pub async fn remember_all(&self, namespace: &str, entries: Vec<(String, Option<Json>)>) -> Result<()> {
        let namespace = namespace.to_owned();
        self.inner.shell.change(move |store| store.remember(&namespace, &entries)).await
    }

    /// What is remembered in a namespace, by key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] when it could not be read.
    pub async fn recall(&self, namespace: &str) -> Result<BTreeMap<String, Json>> {
        let namespace = namespace.to_owned();
        self.inner.shell.read(Size::Many, move |db| db.recall(&namespace)).await
    }

    /// What is remembered under one key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] when it could not be read.
    pub async fn recall_one(&self, namespace: &str, key: &str) -> Result<Option<Json>> {
        let (namespace, key) = (namespace.to_owned(), key.to_owned());
        self.inner.shell.read(Size::Few, move |db| db.recall_one(&namespace, &key)).await
    }
}

impl EmbeddedCore {
    /// Makes writes as they are.
    pub(crate) async fn store(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        self.inner.shell.write(writes).await
    }

    /// Who somebody is may have changed.
    pub(crate) fn people_changed(&self) {
        self.inner.people.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(feature = "server")]
impl EmbeddedCore {
    /// The time now, by the clock that the core was opened with.
    pub(crate) fn now(&self) -> Timestamp {
        (self.inner.clock)()
    }

    /// Another number after each write in this process that may have changed who somebody is. What is read after the
    /// number was taken is as new as the number.
    pub(crate) fn people(&self) -> u64 {
        self.inner.people.load(Ordering::SeqCst)
    }
}

#[cfg(feature = "server")]
impl EmbeddedCore {
    /// What live objects link to these: for each way back the object that is linked to, and the one that links; in
    /// order.
    pub(crate) async fn leading_to(
        &self,
        ways: &Arc<WaysBack>,
        ids: &[ObjectId],
    ) -> Result<Vec<Vec<(i32, i32)>>> {
        let size = if ids.len() <= FEW { Size::Few } else { Size::Many };
        let (ways, ids) = (ways.clone(), ids.to_vec());
        self.inner.shell.read(size, move |db| db.leading_to(&ways, &ids)).await
    }
}

#[async_trait]
impl ModelAccessor for EmbeddedCore {
    fn abilities(&self) -> Abilities {
        Abilities {
            in_flight: 4,
            push: !self.inner.read_only,
            cursor: !self.inner.read_only,
            guards: true,
            atomic_batch: true,
            max_batch: 1000,
        }
    }

    fn schema(&self) -> Arc<Schema> {
        self.inner.hub.catalog().schema.clone()
    }

    async fn cursor(&self) -> Result<Cursor> {
        self.inner.shell.read(Size::Few, Db::cursor).await
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        let query = query.clone();
        self.inner.shell.read(Size::Many, move |db| db.find(&query, page)).await
    }

    async fn get(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        let (shape, ids) = (shape.clone(), ids.to_vec());
        let size = if ids.len() <= FEW { Size::Few } else { Size::Many };
        self.inner.shell.read(size, move |db| db.get(&shape, &ids)).await
    }

    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        passwords::write(self, writes).await
    }

    fn feed(&self, from: Cursor, models: &[ModelName]) -> Feed {
        if self.inner.read_only {
            let what = "tell what changes: it was opened for reading only".to_owned();
            return feed::silent(ErrorKind::Unsupported(what).into());
        }
        feed::feed(&self.inner, from, models)
    }

    async fn onboard(&self, what: &Onboard) -> Result<Onboarded> {
        let what = what.clone();
        self.inner.shell.change(move |store| store.onboard(&what)).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shell.close(&self.hub);
    }
}

impl fmt::Debug for EmbeddedCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.path {
            Some(path) => write!(f, "EmbeddedCore({})", path.display()),
            None => match &self.inner.server {
                Some(server) => write!(f, "EmbeddedCore({server})"),
                None => f.write_str("EmbeddedCore(in memory)"),
            },
        }
    }
}
