//! A core in memory that answers at once: what is left is the engine and its shell.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::{Notify, mpsc};
use xos_sync::model_client::{
    Abilities, Caller, Change, Cursor, Feed, Found, Model, ModelAccessor, ModelId, ModelName, ObjectId,
    ObjectKey, Onboard, Onboarded, Op, Page, Query, QueryKind, Record, Result, Schema, Shape, Target,
    Timestamp, Value, Write, Written,
};
use xos_sync::models::{self, Site};

/// When every object was created, in seconds.
const CREATED: f64 = 1.6e9;

/// Sites with the ids from 1 on, that are stored by counting.
pub struct Instant {
    schema: Arc<Schema>,
    shape: Arc<Shape>,
    at: Positions,
    template: Vec<Value>,
    objects: Mutex<Vec<Object>>,
    /// How many edits there were: `updated` of the last one.
    edits: AtomicU64,
    /// How many results of steps were stored, and how many of these make [`stored`](Instant::stored) end.
    stored: AtomicUsize,
    goal: AtomicUsize,
    reached: Notify,
    listeners: Mutex<Vec<mpsc::UnboundedSender<ObjectId>>>,
}

/// The fields that the core itself looks at.
struct Positions {
    id: usize,
    updated: usize,
    enacted: usize,
    claim: usize,
}

struct Object {
    dirty: bool,
    claimed: bool,
    updated: f64,
    /// As it is listed; without it, a record is made for each answer.
    record: Option<Record>,
}

/// Whether the core keeps the records that it answers with.
#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Records {
    /// Made beforehand, so that a measured time has none of it.
    Kept,
    /// Made for each answer, as a core on a network would: the memory of a record is the reader's.
    Made,
}

impl Instant {
    /// `count` sites; dirty ones have to be claimed and stored.
    pub fn new(count: usize, dirty: bool, records: Records) -> Arc<Self> {
        let schema = Arc::new(Schema::new(models::core_models()).expect("the core models"));
        let shape = Site::shape().clone();
        let position = |name: &str| shape.position(name).expect(name);
        let at = Positions {
            id: position("id"),
            updated: position("updated"),
            enacted: position("enacted"),
            claim: position("backend_need_delete"),
        };
        let template = template(&shape);
        let mut core = Instant {
            schema,
            shape,
            at,
            template,
            objects: Mutex::default(),
            edits: AtomicU64::new(0),
            stored: AtomicUsize::new(0),
            goal: AtomicUsize::new(usize::MAX),
            reached: Notify::new(),
            listeners: Mutex::default(),
        };
        let object = |id: usize| {
            let mut object = Object { dirty, claimed: !dirty, updated: CREATED, record: None };
            object.record = (records == Records::Kept).then(|| core.record(id, &object));
            object
        };
        core.objects = Mutex::new((1..=count).map(object).collect());
        Arc::new(core)
    }

    /// Done when this many results were stored, all in all.
    pub async fn stored(&self, goal: usize) {
        self.goal.store(goal, Ordering::SeqCst);
        while self.stored.load(Ordering::SeqCst) < goal {
            self.reached.notified().await;
        }
    }

    /// How many results were stored so far.
    pub fn stored_so_far(&self) -> usize {
        self.stored.load(Ordering::SeqCst)
    }

    /// Stores an edit of an object, and tells nobody yet.
    pub fn edit(&self, id: usize) {
        let updated = CREATED + 1.0 + self.edits.fetch_add(1, Ordering::SeqCst) as f64;
        let mut objects = lock(&self.objects);
        let object = &mut objects[id - 1];
        object.dirty = true;
        object.updated = updated;
        if object.record.is_some() {
            object.record = Some(self.record(id, object));
        }
    }

    /// Tells the feed of an edited object.
    pub fn announce(&self, id: usize) {
        lock(&self.listeners).retain(|listener| listener.send(ObjectId::new(id as i32)).is_ok());
    }

    /// Edits an object and tells the feed.
    pub fn change(&self, id: usize) {
        self.edit(id);
        self.announce(id);
    }

    fn record(&self, id: usize, object: &Object) -> Record {
        let mut values = self.template.clone();
        let time = |seconds| Value::Time(Timestamp::from_seconds(seconds));
        values[self.at.id] = Value::Int(id as i64);
        values[self.at.updated] = time(object.updated);
        values[self.at.claim] = Value::Bool(object.claimed);
        values[self.at.enacted] = if object.dirty { Value::Null } else { time(object.updated) };
        Record::new(self.shape.clone(), values)
    }

    fn listed(&self, id: usize, object: &Object) -> Record {
        object.record.clone().unwrap_or_else(|| self.record(id, object))
    }

    fn cursor_now(&self) -> Cursor {
        Cursor(self.edits.load(Ordering::SeqCst))
    }

    fn site(&self) -> ModelId {
        self.schema.model("Site").expect("Site").id
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn template(shape: &Shape) -> Vec<Value> {
    let site = Site { name: "a site".into(), login_base: "site".into(), ..Default::default() };
    let mut values = site.values();
    values.resize(shape.fields().len(), Value::Null);
    let mut set = |name: &str, value: Value| values[shape.position(name).expect(name)] = value;
    set("created", Value::Time(Timestamp::from_seconds(CREATED)));
    set("leaf_model_name", Value::Text("Site".into()));
    values
}

#[async_trait]
impl ModelAccessor for Instant {
    fn abilities(&self) -> Abilities {
        Abilities {
            in_flight: 4,
            push: true,
            cursor: true,
            guards: false,
            atomic_batch: true,
            max_batch: 1024,
        }
    }

    fn schema(&self) -> Arc<Schema> {
        self.schema.clone()
    }

    async fn cursor(&self) -> Result<Cursor> {
        Ok(self.cursor_now())
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        let as_of = self.cursor_now();
        if query.kind != QueryKind::DirtyObjects {
            return Ok(Found { records: Vec::new(), next: None, as_of });
        }
        let objects = lock(&self.objects);
        let from = page.after.get() as usize;
        let dirty = (from..objects.len()).filter(|at| objects[*at].dirty).take(page.limit);
        let records: Vec<Record> = dirty.map(|at| self.listed(at + 1, &objects[at])).collect();
        let next = (records.len() == page.limit)
            .then(|| Page { after: records.last().map(Record::id).unwrap_or_default(), limit: page.limit });
        Ok(Found { records, next, as_of })
    }

    async fn get(&self, _shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        let objects = lock(&self.objects);
        let get = |id: &ObjectId| {
            let id = id.get() as usize;
            objects.get(id.wrapping_sub(1)).map(|object| self.listed(id, object))
        };
        Ok(ids.iter().map(get).collect())
    }

    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let mut objects = lock(&self.objects);
        let mut answers = Vec::with_capacity(writes.len());
        let mut stored = 0;
        for write in writes {
            let Target::Object(id) = write.target else { continue };
            let number = id.get() as usize;
            let object = &mut objects[number - 1];
            if let Op::Set { fields, .. } = &write.op {
                for (at, value) in fields {
                    if usize::from(*at) == self.at.claim {
                        object.claimed = true;
                    } else if usize::from(*at) == self.at.enacted {
                        // A later edit stays dirty.
                        let enacted = value.as_time();
                        object.dirty = enacted != Some(Timestamp::from_seconds(object.updated));
                        stored += 1;
                    }
                }
            }
            let record = Some(self.listed(number, object));
            answers.push(Ok(Written { id, record, changed: true }));
        }
        drop(objects);
        let total = self.stored.fetch_add(stored, Ordering::SeqCst) + stored;
        if total >= self.goal.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
        answers
    }

    fn feed(&self, _from: Cursor, _models: &[ModelName]) -> Feed {
        let (send, receive) = mpsc::unbounded_channel();
        lock(&self.listeners).push(send);
        let site = self.site();
        stream::unfold(receive, move |mut receive| async move {
            let id = receive.recv().await?;
            let key = ObjectKey { root: site, id };
            Some((Change::Saved { key, leaf: site, by: Caller::Client, revision: None }, receive))
        })
        .chain(stream::pending())
        .boxed()
    }

    async fn onboard(&self, _what: &Onboard) -> Result<Onboarded> {
        Ok(Onboarded::NothingChanged)
    }
}
