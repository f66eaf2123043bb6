//! A database on a server of PostgreSQL, which several cores use at once.
//!
//! Each transaction that writes first takes one lock of the database: then the numbers of changes become visible in
//! their order. What others changed meanwhile is read at that moment, with the same way to the server, and nobody
//! else writes until the commit. So READ COMMITTED is enough: what a statement of the transaction sees was committed
//! before it began, or is its own. Reads of several statements see one state (REPEATABLE READ).

use std::fmt::Write as _;
use std::sync::Arc;

use xos_model_client::{ErrorKind, ModelDef, Result, models};

use super::Store;
use super::catalog::Catalog;
use super::db::Db;
use super::ddl::META;
use super::fault::{Fault, Outcome, away, store_error};
use super::meta::read_catalog;
use crate::hub::Hub;
use crate::options::Options;
use crate::sql::postgres::{Heard, Postgres};
use crate::sql::target::Target;
use crate::sql::{Connection, Row, SqlError, dialect};

/// The version of the layout of the tables. A database of a newer one is refused.
const FORMAT: i64 = 1;

/// What a transaction reads first, whatever it does: the numbers of the whole database, and its own.
const STATE: &str = "SELECT key, value FROM _state";
const STATE_TO_WRITE: &str =
    "SELECT key, value FROM _state UNION ALL SELECT 'transaction', CAST(txid_current() AS INTEGER)";

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; ";

/// The numbers of the whole database.
#[derive(Debug, Default)]
struct State {
    revision: u64,
    generation: u64,
    transaction: i64,
}

impl State {
    fn of(rows: &[tokio_postgres::Row]) -> Result<Self, SqlError> {
        let mut state = State::default();
        for row in rows {
            let row = Row::Postgres(row);
            match row.get::<String>(0)?.as_str() {
                "revision" => state.revision = row.get(1)?,
                "generation" => state.generation = row.get(1)?,
                "transaction" => state.transaction = row.get(1)?,
                _ => {}
            }
        }
        Ok(state)
    }
}

/// What a transaction on a server knows besides what one on a file does.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The number of the running transaction.
    transaction: i64,
    /// The revision and catalog with which it began.
    began: Option<(u64, Arc<Catalog>)>,
    /// Who is told that there is more to read than this store published.
    heard: Arc<Heard>,
}

impl Store {
    /// Connects to the database, and makes its tables when there are none.
    pub(crate) fn connect(target: Arc<Target>, heard: Arc<Heard>, options: &Options) -> Result<Self> {
        let name = target.name.clone();
        let told = |fault: Fault| fault.told(&name);
        let postgres = Postgres::connect(target).map_err(|error| told(error.into()))?;
        initialise(&postgres, &name).map_err(told)?;
        let store = Self::on_server(postgres, &name, heard, options).map_err(told)?;
        tracing::debug!(database = %name, revision = store.revision, "opened the embedded core");
        Ok(store)
    }

    fn on_server(postgres: Postgres, name: &str, heard: Arc<Heard>, options: &Options) -> Outcome<Self> {
        let connection = Connection::Postgres(Box::new(postgres));
        // No generation is this one: the first transaction reads the catalog.
        let mut db = Db::new(connection, name.to_owned(), Arc::new(Catalog::new(u64::MAX, Vec::new())?));
        let hub =
            db.read_on_server(&|db| Ok(Hub::shared(db.revision.unwrap_or(0), db.catalog.clone())), None)?;
        let mut store = Store::with(db, Arc::new(hub), options, None);
        store.shared = Some(Shared { heard, ..Shared::default() });
        let core: Vec<&ModelDef> = match &options.core_models {
            Some(models) => models.iter().collect(),
            None => models::core_models().collect(),
        };
        store.exclusively(|store| store.load_core(&core))?;
        store.keep_house()?;
        if store.reaps() {
            store.reap_all()?;
        }
        Ok(store)
    }

    /// What another server may have left undone when it died: deleted objects that nobody purges, and what it made of
    /// the number of tombstones.
    pub(crate) fn keep_house(&mut self) -> Outcome<()> {
        self.exclusively(|store| {
            store.count_tombstones()?;
            store.find_candidates()
        })
    }

    /// Begins a transaction that writes: no other server writes until it ends, and what they wrote is known.
    pub(super) fn begin_on_server(&mut self) -> Outcome<()> {
        let Some(postgres) = self.db.connection.postgres() else { return Ok(()) };
        let state = State::of(&postgres.begin(&postgres.lock(), STATE_TO_WRITE)?)?;
        if let Some(shared) = &mut self.shared {
            // A new connection may have taken the place of one that broke.
            let own = postgres.backend();
            shared.heard.own.store(own, std::sync::atomic::Ordering::Relaxed);
            shared.transaction = state.transaction;
        }
        if state.generation != self.db.catalog.generation {
            let catalog = Arc::new(read_catalog(&self.db.connection, &self.db.path)?);
            self.hub.publish_newer_catalog(&catalog);
            self.db.catalog = catalog;
            self.forget_statements();
        }
        self.revision = state.revision;
        self.db.revision = Some(state.revision);
        if let Some(shared) = &mut self.shared {
            shared.began = Some((state.revision, self.db.catalog.clone()));
        }
        Ok(())
    }

    /// Commits, tells the other servers, and then those who listen here.
    ///
    /// An answer that was lost is asked for: the transaction has a number, and the database knows what became of it.
    pub(super) fn commit_on_server(&mut self) -> Outcome<()> {
        let (Some(postgres), Some(shared)) = (self.db.connection.postgres(), &self.shared) else {
            return Ok(());
        };
        let Some((before, catalog)) = shared.began.clone() else { return Ok(()) };
        let loaded = catalog.generation != self.db.catalog.generation;
        let mut last = String::new();
        if self.revision != before {
            last = format!("UPDATE _state SET value = {} WHERE key = 'revision'; ", self.revision);
        }
        if self.revision != before || loaded {
            let _ = write!(last, "NOTIFY {}, '{}'; ", postgres.target().channel(), self.revision);
        }
        if let Err(error) = postgres.commit(&last) {
            if !error.is_away() || !postgres.is_broken() {
                return Err(error.into());
            }
            tracing::warn!(database = %self.db.path, %error, "the answer to a commit was lost; asking what became of it");
            match postgres.was_committed(shared.transaction) {
                Some(true) => {}
                Some(false) => return Err(error.into()),
                None => {
                    let reason = format!(
                        "the database {} went away during a commit and is not back yet ({error})",
                        self.db.path
                    );
                    return Err(ErrorKind::OutcomeUnknown { reason }.into());
                }
            }
        }
        if loaded {
            self.hub.publish_newer_catalog(&self.db.catalog);
        }
        if self.revision != before && !self.hub.publish_after(before, &mut self.pending) {
            shared.heard.something.notify_one();
        }
        Ok(())
    }

    /// Forgets what the transaction would have changed.
    pub(super) fn roll_back_on_server(&mut self) {
        let Some(postgres) = self.db.connection.postgres() else { return };
        postgres.rollback();
        self.pending.clear();
        let Some((revision, catalog)) = self.shared.as_mut().and_then(|shared| shared.began.take()) else {
            return;
        };
        self.revision = revision;
        if self.db.catalog.generation != catalog.generation {
            self.db.catalog = catalog;
            self.forget_statements();
        }
    }
}

impl Db {
    /// A connection for reading, made when it is used.
    pub(crate) fn on_server(target: Arc<Target>, catalog: Arc<Catalog>) -> Result<Self> {
        let name = target.name.clone();
        let postgres =
            Postgres::later_connected(target, Arc::default()).map_err(|error| away(&name, &error))?;
        Ok(Db::new(Connection::Postgres(Box::new(postgres)), name, catalog))
    }

    /// One that hears what other servers tell.
    pub(crate) fn listener(target: Arc<Target>, heard: Arc<Heard>, catalog: Arc<Catalog>) -> Result<Self> {
        let name = target.name.clone();
        let postgres = Postgres::later_connected(target, heard).map_err(|error| away(&name, &error))?;
        Ok(Db::new(Connection::Postgres(Box::new(postgres)), name, catalog))
    }

    /// Reads one state of the database with the catalog that belongs to it. Done again once when the connection broke,
    /// or when another server altered the tables between two statements.
    pub(crate) fn read_on_server<T>(
        &mut self,
        work: &dyn Fn(&mut Db) -> Outcome<T>,
        hub: Option<&Hub>,
    ) -> Outcome<T> {
        let mut again = true;
        loop {
            let result = self.begin_read(hub).and_then(|()| work(self));
            self.revision = None;
            let Some(postgres) = self.connection.postgres() else { return result };
            postgres.end_read();
            match result {
                Err(Fault::Sql(error)) if again && (error.is_of_another_schema() || postgres.is_broken()) => {
                    tracing::debug!(database = %self.path, %error, "reading again");
                    self.forget_all();
                    again = false;
                }
                result => return result,
            }
        }
    }

    fn begin_read(&mut self, hub: Option<&Hub>) -> Outcome<()> {
        let Some(postgres) = self.connection.postgres() else { return Ok(()) };
        let state = State::of(&postgres.begin(BEGIN_READ, STATE)?)?;
        self.revision = Some(state.revision);
        if state.generation != self.catalog.generation {
            let known = hub.map(Hub::catalog).filter(|known| known.generation == state.generation);
            self.catalog = match known {
                Some(known) => known,
                None => Arc::new(read_catalog(&self.connection, &self.path)?),
            };
            self.connection.forget_statements();
            if let Some(hub) = hub {
                hub.publish_newer_catalog(&self.catalog);
            }
        }
        Ok(())
    }

    /// Statements and plans are made again.
    fn forget_all(&mut self) {
        self.connection.forget_statements();
        self.plans = super::plan::Plans::default();
    }
}

/// Makes schema, tables and functions, when they are not there. Two servers that start at once take turns.
fn initialise(postgres: &Postgres, name: &str) -> Outcome<()> {
    let quoted = super::quoted(&postgres.target().schema);
    let text = postgres.target().schema.replace('\'', "''");
    let encoding = postgres.told("SHOW server_encoding")?;
    if encoding != "UTF8" {
        let problem =
            format!("holds texts as {encoding}; give a database with the encoding UTF8 (createdb -E UTF8)");
        return Err(store_error(name, problem, None).into());
    }
    let made = format!("{}SELECT count(*) FROM pg_namespace WHERE nspname = '{text}'", postgres.lock());
    let result = (|| {
        let is_made = postgres.told(&made)? != "0";
        if !is_made {
            postgres.batch(&format!("CREATE SCHEMA {quoted}"))?;
        }
        let tables = format!(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{text}'"
        );
        let ours = format!(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = '{text}' AND c.relname IN ('_state', '_model', '_tombstone')"
        );
        if postgres.told(&tables)? == "0" {
            postgres.batch(&dialect::translate(META))?;
            postgres.batch(&dialect::functions())?;
            postgres.batch(&format!(
                "INSERT INTO _state (key, value) VALUES ('format', {FORMAT}), ('revision', 0), ('generation', 0)"
            ))?;
        } else if postgres.told(&ours)? != "3" {
            let problem =
                format!("has a schema {quoted} of another program; name another one in its URL (?schema=…)");
            return Err(Fault::Told(store_error(name, problem, None)));
        } else {
            let format = postgres.told("SELECT value FROM _state WHERE key = 'format'")?;
            if format.parse::<i64>().unwrap_or(0) > FORMAT {
                let problem = format!(
                    "was written by a newer version of this program (format {format}, known up to {FORMAT}); update this program"
                );
                return Err(Fault::Told(store_error(name, problem, None)));
            }
        }
        Ok(postgres.batch("COMMIT")?)
    })();
    if result.is_err() {
        // Nothing was made; the connection is given up with the error.
        let _ = postgres.batch("ROLLBACK");
    }
    result
}
