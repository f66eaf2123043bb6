//! The one way to a core: [`ModelAccessor`].

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{ModelDef, ModelName};
use crate::query::Query;
use crate::record::{Record, Revision, Shape};
use crate::schema::{ModelId, ObjectKey, Schema};
use crate::value::{ObjectId, Timestamp, Value};

/// What an accessor can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// How many calls at once serve it best: 1 to 4 for a real core, which gets slower above that.
    pub in_flight: usize,
    /// Whether its feed tells of changed objects; otherwise they have to be looked for.
    pub push: bool,
    /// Whether a feed can start where an earlier one stopped.
    pub cursor: bool,
    /// Whether guards of a write are checked; one that is given all the same is an error, never ignored.
    pub guards: bool,
    /// Whether the writes of one call are one transaction.
    pub atomic_batch: bool,
    /// How many writes one call may have.
    pub max_batch: usize,
}

/// A position in the history of a core: everything up to it is known.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Cursor(pub u64);

/// One page of a list, by ascending id.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The last id of the page before; unset for the first page.
    pub after: ObjectId,
    /// The most records an answer may have, where the core has pages.
    pub limit: usize,
}

impl Page {
    /// The first page, with this many records at most.
    pub const fn first(limit: usize) -> Self {
        Page { after: ObjectId::UNSET, limit }
    }
}

impl Default for Page {
    fn default() -> Self {
        Page::first(1000)
    }
}

/// An answer to [`ModelAccessor::find`].
#[derive(Clone, Debug)]
pub struct Found {
    /// The records, in the query's shape, by ascending id.
    pub records: Vec<Record>,
    /// Where to go on; `None` when this was the last page.
    pub next: Option<Page>,
    /// The position in the feed that this answer includes.
    pub as_of: Cursor,
}

/// A position in a write's [`Shape`].
pub type FieldPos = u16;

/// What a write is aimed at: an object of the model of the write's shape.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A new object.
    New,
    /// The object with this id, live or soft-deleted.
    Object(ObjectId),
}

/// What a write does. Never a whole record: only what is to be stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Makes an object; what is not given has its default.
    Create(Vec<(FieldPos, Value)>),
    /// Sets fields of an object.
    Set {
        /// The fields with their new values.
        fields: Vec<(FieldPos, Value)>,
        /// Whether `updated` moves.
        touch: Touch,
    },
    /// Deletes an object softly, with all that links to it.
    Delete,
}

/// On whose behalf a write is made. It decides on timestamps and on who may write feedback fields.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Caller {
    /// A person or another program: `updated` moves, the object becomes dirty.
    #[default]
    Client,
    /// A sync step: `updated` stays, an important change moves `changed_by_step` (`is_sync_save`).
    Step,
    /// A model policy: `updated` stays, an important change moves `changed_by_policy` (`is_policy_save`).
    Policy,
    /// A pull or event step: neither moves.
    Pull,
    /// The engine's own bookkeeping: nothing moves.
    Engine,
}

impl Caller {
    /// Whether the core takes it for a synchronizer (`caller_kind`).
    pub fn is_synchronizer(self) -> bool {
        self != Caller::Client
    }
}

/// Whether a write moves `updated`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Touch {
    /// It moves when the caller is no synchronizer.
    #[default]
    AsTheRulesSay,
    /// It moves (`always_update_timestamp`): the object becomes dirty.
    Updated,
}

/// The version of an object's data: the later of `updated` and `changed_by_policy`, bit for bit.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub Timestamp);

/// A term of leadership.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term(pub u64);

/// What must still hold when a write is stored. An accessor that cannot check a guard refuses the write.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Guard {
    /// Nothing.
    #[default]
    None,
    /// The object is as it was at this revision.
    Revision(Revision),
    /// The object's data is of this version.
    DirtyAs(Version),
    /// This term of leadership lasts.
    Fence(Term),
}

/// One write. Its `Debug` shows of passwords and other secrets only that they are there.
#[derive(Clone)]
pub struct Write {
    /// The model, and what the positions in `op` mean; the answer is laid out the same way.
    pub shape: Arc<Shape>,
    /// Which object.
    pub target: Target,
    /// What is done.
    pub op: Op,
    /// On whose behalf.
    pub by: Caller,
    /// Under which condition.
    pub guard: Guard,
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut op = self.op.clone();
        if let Op::Create(fields) | Op::Set { fields, .. } = &mut op {
            let is_password = |at: FieldPos| {
                self.shape.fields().get(usize::from(at)).is_some_and(|field| field.name == "password")
            };
            for (at, value) in fields {
                if self.shape.is_secret(usize::from(*at)) || is_password(*at) {
                    *value = std::mem::take(value).into_secret();
                }
            }
        }
        f.debug_struct("Write")
            .field("shape", &self.shape)
            .field("target", &self.target)
            .field("op", &op)
            .field("by", &self.by)
            .field("guard", &self.guard)
            .finish()
    }
}

/// The answer to a write.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object's id: the new one of a created object.
    pub id: ObjectId,
    /// The object as stored, in the write's shape; `None` when a deletion removed it.
    pub record: Option<Record>,
    /// Whether anything was stored: `false` for a deletion of a write-protected or already deleted object.
    pub changed: bool,
}

/// Something that happened in the core.
#[derive(Clone, Debug)]
pub enum Change {
    /// An object was created, changed or soft-deleted.
    Saved {
        /// The object.
        key: ObjectKey,
        /// Its most specific model.
        leaf: ModelId,
        /// On whose behalf, as far as known.
        by: Caller,
        /// The revision that the change made.
        revision: Option<Revision>,
    },
    /// An object is gone for good.
    Purged {
        /// The object.
        key: ObjectKey,
    },
    /// All changes up to this position have been told.
    CaughtUp(Cursor),
    /// Changes may have been missed: read everything again.
    Gap {
        /// Why.
        why: Why,
    },
    /// The models changed.
    Schema(Arc<Schema>),
    /// The core cannot be reached.
    Down {
        /// Why.
        error: Arc<Error>,
    },
    /// The core is back: read everything again.
    Up,
}

/// Why a feed cannot tell what happened.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The cursor is older than what the core still knows.
    CursorTooOld,
    /// The cursor is newer than the core's history: another database, or one restored from a backup.
    CursorUnknown,
    /// The reader was too slow.
    Overflow,
    /// The connection was lost.
    Reconnected,
}

/// The changes after a cursor.
pub type Feed = BoxStream<'static, Change>;

/// Models to load.
#[derive(Clone, Debug)]
pub struct LoadModels {
    /// The service that brings them: the synchronizer's name.
    pub name: String,
    /// The service's version.
    pub version: String,
    /// The models, with all they need except what the core has anyway.
    pub models: Vec<ModelDef>,
    /// The core version that is asked for, a [`CoreVersion`](crate::CoreVersion) such as `>=4.0.0`; the core's own
    /// default when there is none.
    pub core_version: Option<String>,
    /// Files of an existing service, sent to a real core as they are.
    pub files: ServiceFiles,
}

/// What a Python service ships beside its xproto: a real core stores it and runs it, an embedded one does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceFiles {
    /// `*.xproto`. Where there are any, they are the service's models, and none is written from the structs.
    pub xprotos: Vec<ServiceFile>,
    /// `models.py`.
    pub decls: Vec<ServiceFile>,
    /// `attic/*.py`.
    pub attics: Vec<ServiceFile>,
    /// `convenience/*.py`.
    pub convenience_methods: Vec<ServiceFile>,
    /// `../migrations/*.py`.
    pub migrations: Vec<ServiceFile>,
}

/// One file of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceFile {
    /// Its name, without folders.
    pub name: String,
    /// Its text.
    pub contents: String,
}

/// What happens to objects of models that are unloaded.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Unload only when there are none.
    RequireClean,
    /// Delete them; unload when they are gone.
    AutomaticallyClean,
    /// Drop them, without running `delete_record`.
    Purge,
}

/// A call of [`ModelAccessor::onboard`].
#[derive(Clone, Debug)]
pub enum Onboard {
    /// Load models.
    Load(LoadModels),
    /// Unload the models of a service.
    Unload {
        /// The service.
        name: String,
        /// What happens to their objects.
        cleanup: Cleanup,
    },
    /// Tell what is loaded.
    Status,
}

/// The answer to an [`Onboard`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Onboarded {
    /// The models are there, and were not before, or not like this.
    Loaded {
        /// The names of the models that are new or were changed.
        models: Vec<ModelName>,
    },
    /// Nothing had to be done.
    NothingChanged,
    /// The models are gone.
    Unloaded,
    /// Objects are being deleted: ask again.
    TryAgain {
        /// How many are left, as far as known: at least one.
        left: u64,
    },
    /// What is loaded.
    Status(Vec<ModelsStatus>),
}

/// The models of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelsStatus {
    /// The service.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether its models are served.
    pub state: LoadState,
}

/// Whether the models of a service are served.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum LoadState {
    /// Known, not yet served.
    Load,
    /// Served.
    Present,
    /// Going away.
    Unload,
}

/// The way to a core: read, write, and be told.
///
/// The embedded core, the client of a remote core and the testing tools implement it, and one conformance suite runs
/// against them all. Typed code uses [`ModelClient`](crate::ModelClient) on top of it.
///
/// # Guarantees
///
/// A write that was answered with `Ok` is stored, and survives the death of the process. An [`Away`] error means that
/// nothing happened; [`OutcomeUnknown`] that something may have. One record that does not convert is that object's
/// failure, never the list's.
///
/// # Cancellation
///
/// Dropping the future of a write may leave it done or not done; it is never done by half.
///
/// [`Away`]: crate::ErrorKind::Away
/// [`OutcomeUnknown`]: crate::ErrorKind::OutcomeUnknown
#[async_trait]
pub trait ModelAccessor: Send + Sync + 'static {
    /// What this accessor can do.
    fn abilities(&self) -> Abilities;

    /// The schema now. A new one is announced by the feed.
    fn schema(&self) -> Arc<Schema>;

    /// The position in the feed now: what is read afterwards includes it. The cheapest question there is, so it is
    /// also how to find out whether the core answers.
    ///
    /// # Errors
    ///
    /// A core that is away.
    async fn cursor(&self) -> Result<Cursor>;

    /// One page of the objects that a query asks for, by ascending id. A core that has no pages answers with all.
    ///
    /// # Errors
    ///
    /// An unknown model or field, a comparison that means nothing for the field, a core that is away.
    async fn find(&self, query: &Query, page: Page) -> Result<Found>;

    /// Live or soft-deleted objects by id, in the order asked; `None` for a missing one.
    ///
    /// # Errors
    ///
    /// An unknown model or field, a core that is away.
    async fn get(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>>;

    /// One answer per write, in order.
    ///
    /// Where `atomic_batch`, all writes of one call are one transaction for the store, but each has its own answer:
    /// one that breaks a rule leaves no trace, and the others are stored. Otherwise they are made one after the other.
    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>>;

    /// Everything that changed after `from` in objects of these models (and of models that inherit from them); all
    /// models when the list is empty.
    ///
    /// # Guarantees
    ///
    /// Never ends; never silently loses: what cannot be replayed is one [`Change::Gap`]. Take the
    /// [`cursor`](ModelAccessor::cursor), read, and start here from it.
    ///
    /// Where [`push`](Abilities::push) is not among its abilities, a feed tells only of the core itself
    /// ([`Down`](Change::Down), [`Up`](Change::Up), [`Schema`](Change::Schema)): objects have to be looked for.
    fn feed(&self, from: Cursor, models: &[ModelName]) -> Feed;

    /// Loads or unloads models, or tells what is loaded.
    ///
    /// # Errors
    ///
    /// Models that break a rule, that do not fit together or that would lose data; a core version that does not match.
    async fn onboard(&self, what: &Onboard) -> Result<Onboarded>;
}
