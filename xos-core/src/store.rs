//! The store: objects in tables, and the rules of writing them. Synchronous, without a thread of its own.

mod catalog;
mod compare;
mod create;
mod db;
mod ddl;
mod delete;
mod draft;
mod fault;
mod functions;
mod history;
#[cfg(feature = "server")]
mod linking;
mod memory;
mod meta;
mod open;
mod pairs;
mod plan;
mod query;
mod reaper;
mod row;
#[cfg(feature = "postgres")]
mod server;
mod set;
mod template;
mod transaction;
mod values;
mod write;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use xos_model_client::{Caller, ModelId, Timestamp};

pub(crate) use self::catalog::{Catalog, Column, Layout, StoredModel};
pub(crate) use self::db::Db;
pub(crate) use self::ddl::{
    constant, create as create_table, definition, group_name, index, index_name, pairs, unique_group,
};
#[cfg(feature = "postgres")]
pub(crate) use self::ddl::{group_of, index_of};
pub(crate) use self::draft::Draft;
pub(crate) use self::fault::{Fault, Outcome, store_error};
pub(crate) use self::history::Replay;
#[cfg(feature = "server")]
pub(crate) use self::linking::WaysBack;
pub(crate) use self::meta::{read_catalog, read_generation, read_services};
pub(crate) use self::values::{Storage, bound, quoted};

use crate::hub::{Entry, Fields, Hub, What};
use crate::lock::Lock;
use crate::options::{Clock, Options, Reap};

/// The writing side of a core's database.
pub(crate) struct Store {
    pub(crate) db: Db,
    pub(crate) hub: Arc<Hub>,
    clock: Clock,
    reap: Reap,
    /// The last revision given out; those of the running transaction are not committed yet.
    revision: u64,
    /// What the running transaction changed.
    pending: Vec<Entry>,
    /// Soft-deleted objects that may be purged, by bottom model and id.
    candidates: BTreeSet<(ModelId, i32)>,
    /// How many tombstones there are, and how many are kept.
    tombstones: u64,
    tombstones_kept: u64,
    /// Statements that update columns of a table, by model and set of its own fields.
    updates: HashMap<(ModelId, u128), Arc<str>>,
    /// What is known besides of a database that other servers use too.
    #[cfg(feature = "postgres")]
    shared: Option<server::Shared>,
    /// Whether a transaction is open into which those of its parts go.
    within: bool,
    /// Why the last transaction failed, if it did.
    said: Option<String>,
    /// Held as long as the store lives; dropped after the connection is closed.
    lock: Option<Lock>,
}

impl Store {
    /// The time of a change now.
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The same in seconds, as a column holds it.
    pub(crate) fn now_seconds(&self) -> f64 {
        self.now().seconds()
    }

    /// Stores which models there are now, and the version of the service that brought or took some.
    pub(crate) fn write_models(
        &self,
        old: &Catalog,
        next: &Catalog,
        service: &str,
        version: Option<&str>,
    ) -> Outcome<()> {
        meta::write_catalog(&self.db.connection, old, next)?;
        meta::write_service(&self.db.connection, service, version)
    }

    /// Stores the version of a service.
    pub(crate) fn write_version(&self, service: &str, version: &str) -> Outcome<()> {
        meta::write_service(&self.db.connection, service, Some(version))
    }

    /// Statements of other models mean nothing any more.
    pub(crate) fn forget_statements(&mut self) {
        self.updates.clear();
        self.db.connection.forget_statements();
    }

    /// Gives out the next revision for a change.
    fn next_revision(&mut self, root: ModelId, id: i32, leaf: ModelId, what: What, fields: Fields) -> u64 {
        self.revision += 1;
        self.pending.push(Entry { revision: self.revision, root, id, leaf, what, fields });
        self.revision
    }

    /// Whether other servers write into the same database.
    pub(crate) fn is_shared(&self) -> bool {
        self.db.connection.is_remote()
    }

    /// Whether objects wait to be looked at by the reaper.
    pub(crate) fn has_candidates(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// Whether the core purges by itself.
    pub(crate) fn reaps(&self) -> bool {
        self.reap == Reap::Automatic
    }

    fn with(db: Db, hub: Arc<Hub>, options: &Options, lock: Option<Lock>) -> Self {
        let revision = hub.revision();
        Store {
            db,
            hub,
            clock: options.clock.clone(),
            reap: options.reap,
            revision,
            pending: Vec::new(),
            candidates: BTreeSet::new(),
            tombstones: 0,
            tombstones_kept: u64::from(options.tombstones),
            updates: HashMap::new(),
            #[cfg(feature = "postgres")]
            shared: None,
            within: false,
            said: None,
            lock,
        }
    }
}

/// How a caller is kept.
fn caller_number(by: Caller) -> u8 {
    match by {
        Caller::Client => 0,
        Caller::Step => 1,
        Caller::Policy => 2,
        Caller::Pull => 3,
        Caller::Engine => 4,
    }
}

fn caller_of(number: u8) -> Caller {
    match number {
        1 => Caller::Step,
        2 => Caller::Policy,
        3 => Caller::Pull,
        4 => Caller::Engine,
        _ => Caller::Client,
    }
}
