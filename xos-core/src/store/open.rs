//! Opening a database: whose it is, how it is set up, and what it holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use xos_model_client::{ModelDef, Result, models};

use super::catalog::Catalog;
use super::db::{Db, read_last_revision};
use super::ddl::META;
use super::fault::{Fault, Outcome, store_error};
use super::meta::read_catalog;
use super::{Store, functions, template};
use crate::hub::Hub;
use crate::lock::Lock;
use crate::options::{Durability, Options};
use crate::sql;

/// Marks a file as ours: "XOSC".
const APPLICATION: i32 = 0x584F_5343;

/// The version of the layout of the tables. A file of a newer one is refused.
const FORMAT: i32 = 1;

/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 512;

/// What an error calls a database that is in no file.
const IN_MEMORY: &str = "in memory";

impl Store {
    /// Opens or creates the database in a file, as its only owner.
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Self> {
        let real = real_path(path);
        let mut lock = Lock::take(&real)?;
        let name = path.display().to_string();
        let told = |fault: Fault| fault.told(&name);
        make_private(&real);
        let connection = Connection::open_with_flags(
            &real,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        );
        let connection = connection.map_err(|error| told(error.into()))?;
        lock.opened();
        let store = Self::in_file(connection, &name, options, lock).map_err(told)?;
        tracing::debug!(database = %name, revision = store.revision, "opened the embedded core");
        Ok(store)
    }

    fn in_file(connection: Connection, name: &str, options: &Options, lock: Lock) -> Outcome<Self> {
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        // SQLite opens a file that it may not write for reading, and would tell at the first write only.
        if connection.is_readonly(rusqlite::MAIN_DB)? {
            let problem =
                "cannot be written: the file is read-only; make it writable, or give another database";
            return Err(store_error(name, problem.to_owned(), None).into());
        }
        let is_new = check_owner(&connection, name)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous = match options.durability {
            Durability::Normal => "NORMAL",
            Durability::Full => "FULL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        set_up(&connection, options)?;
        if is_new {
            initialise(&connection)?;
        }
        Self::on(connection, name, options, Some(lock), None)
    }

    /// Makes a database in memory.
    pub(crate) fn in_memory(options: &Options) -> Result<Self> {
        let make = || {
            let mut connection = Connection::open_in_memory()?;
            if options.core_models.is_some() {
                set_up(&connection, options)?;
                initialise(&connection)?;
                return Self::on(connection, IN_MEMORY, options, None, None);
            }
            let catalog = template::copy_into(&mut connection)?;
            set_up(&connection, options)?;
            Self::on(connection, IN_MEMORY, options, None, Some(catalog))
        };
        make().map_err(|fault: Fault| fault.told(IN_MEMORY))
    }

    /// A database in memory with all that is in this one, which is in no file of its own.
    pub(crate) fn copy(&self, options: &Options) -> Result<Self> {
        let make = || {
            let Some(from) = self.db.connection.sqlite() else {
                return Err(store_error(IN_MEMORY, "is no file", None).into());
            };
            let mut connection = Connection::open_in_memory()?;
            template::copy(from, &mut connection)?;
            set_up(&connection, options)?;
            Self::on(connection, IN_MEMORY, options, None, Some(self.db.catalog.clone()))
        };
        make().map_err(|fault: Fault| fault.told(IN_MEMORY))
    }

    /// A new database in memory with the models of every core, made without a template.
    pub(super) fn template() -> Outcome<(Connection, Arc<Catalog>)> {
        let options = Options::default();
        let connection = Connection::open_in_memory()?;
        set_up(&connection, &options)?;
        initialise(&connection)?;
        let store = Self::on(connection, IN_MEMORY, &options, None, None)?;
        match store.db.connection {
            sql::Connection::Sqlite(connection) => Ok((connection, store.db.catalog)),
            #[cfg(feature = "postgres")]
            sql::Connection::Postgres(_) => Err(store_error(IN_MEMORY, "is no file", None).into()),
        }
    }

    fn on(
        connection: Connection,
        name: &str,
        options: &Options,
        lock: Option<Lock>,
        ready: Option<Arc<Catalog>>,
    ) -> Outcome<Self> {
        let connection = sql::Connection::Sqlite(connection);
        let is_ready = ready.is_some();
        let catalog = match ready {
            Some(catalog) => catalog,
            None => Arc::new(read_catalog(&connection, name)?),
        };
        let last = read_last_revision(&connection, &catalog)?;
        let hub = Arc::new(Hub::new(last, catalog.clone()));
        let mut db = Db::new(connection, name.to_owned(), catalog);
        db.revision = Some(last);
        let mut store = Store::with(db, hub, options, lock);
        if !is_ready {
            let core: Vec<&ModelDef> = match &options.core_models {
                Some(models) => models.iter().collect(),
                None => models::core_models().collect(),
            };
            store.load_core(&core)?;
        }
        store.count_tombstones()?;
        store.find_candidates()?;
        if store.reaps() {
            store.reap_all()?;
        }
        Ok(store)
    }
}

/// Makes the file, when there is none, so that only its owner can read it: it holds the hashes of passwords. A file that
/// is there keeps the permissions that somebody gave it; whether it can be made is told by what opens it.
fn make_private(path: &Path) {
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(path);
}

impl Db {
    /// A connection that reads a file which a store in this process writes.
    pub(crate) fn reader(path: &Path, catalog: Arc<Catalog>) -> Result<Self> {
        let name = path.display().to_string();
        let open = || {
            let connection = Connection::open_with_flags(
                real_path(path),
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?;
            // Opened for writing, since a reader of a write-ahead log takes part in it; it never writes.
            connection.pragma_update(None, "query_only", true)?;
            for_reading(&connection)?;
            Ok(connection)
        };
        let connection = open().map_err(|fault: Fault| fault.told(&name))?;
        Ok(Db::new(sql::Connection::Sqlite(connection), name, catalog))
    }

    /// A connection that reads a file which another process may be writing.
    pub(crate) fn read_only(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        if !path.exists() {
            return Err(store_error(&name, "does not exist; run a program that creates it first", None));
        }
        let open = || {
            let connection = Connection::open_with_flags(
                real_path(path),
                OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?;
            for_reading(&connection)?;
            if check_owner(&connection, &name)? {
                return Err(Fault::Told(store_error(
                    &name,
                    "is empty; run a program that fills it first",
                    None,
                )));
            }
            let connection = sql::Connection::Sqlite(connection);
            let catalog = Arc::new(read_catalog(&connection, &name)?);
            Ok(Db::new(connection, name.clone(), catalog))
        };
        open().map_err(|fault: Fault| fault.told(&name))
    }
}

/// Where the file really is, so that a link to it is locked as the same database.
fn real_path(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Whether the database is new; fails when it is not ours, or of a newer format.
fn check_owner(connection: &Connection, name: &str) -> Outcome<bool> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let (application, format) = (number("application_id")?, number("user_version")?);
    if application == 0 && tables == 0 {
        return Ok(true);
    }
    if application != APPLICATION {
        let problem = format!(
            "belongs to another program (application id {application:#x}, {tables} tables and indexes); give another file"
        );
        return Err(Fault::Told(store_error(name, problem, None)));
    }
    if format > FORMAT {
        let problem = format!(
            "was written by a newer version of this program (format {format}, known up to {FORMAT}); update this program"
        );
        return Err(Fault::Told(store_error(name, problem, None)));
    }
    Ok(false)
}

/// The tables of the core itself, at once or not at all.
fn initialise(connection: &Connection) -> Outcome<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {META} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
    ))?;
    Ok(())
}

fn set_up(connection: &Connection, options: &Options) -> Outcome<()> {
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    if let Some(pages) = options.max_pages {
        // The pragma answers with the limit that holds now.
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    keep_statements(connection)
}

fn for_reading(connection: &Connection) -> Outcome<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    keep_statements(connection)
}

fn keep_statements(connection: &Connection) -> Outcome<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else SQLite plans a statement again for each new value it is given: 30 us instead of 4.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    functions::register(connection)?;
    Ok(())
}
