//! An accessor in memory that answers at once: what is left is the engine and its shell.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::{Notify, broadcast};
use xos_model_client::models::{self, Site};
use xos_model_client::{
    Abilities, Caller, Change, Cursor, Feed, Found, Model, ModelAccessor, ModelName, ObjectId, ObjectKey,
    Onboard, Onboarded, Op, Page, Query, QueryKind, Record, Result, Schema, Shape, Target, Timestamp, Value,
    Write, Written,
};

/// `count` sites, all dirty or all clean, that are stored by counting.
pub struct Instant {
    schema: Arc<Schema>,
    /// Records by id - 1, whole and dirty.
    records: Mutex<Vec<Record>>,
    clean: Mutex<Vec<bool>>,
    enacted: usize,
    stored: AtomicUsize,
    goal: AtomicUsize,
    reached: Notify,
    feed: broadcast::Sender<ObjectId>,
    revision: AtomicU64,
}

impl Instant {
    /// `count` sites; dirty ones have to be claimed and stored.
    pub fn new(count: usize, dirty: bool) -> Arc<Self> {
        let schema = Arc::new(Schema::new(models::core_models()).expect("the core models"));
        let shape = schema.model("Site").expect("Site").shape.clone();
        let enacted = shape.position("enacted").expect("enacted");
        let template = template(&shape);
        let records = (1..=count).map(|id| record(&shape, &template, id as i32)).collect();
        Arc::new(Instant {
            schema,
            records: Mutex::new(records),
            clean: Mutex::new(vec![!dirty; count]),
            enacted,
            stored: AtomicUsize::new(0),
            goal: AtomicUsize::new(usize::MAX),
            reached: Notify::new(),
            feed: broadcast::Sender::new(1024),
            revision: AtomicU64::new(1),
        })
    }

    /// Done when this many successes were stored, all in all.
    pub async fn stored(&self, goal: usize) {
        self.goal.store(goal, Ordering::SeqCst);
        while self.stored.load(Ordering::SeqCst) < goal {
            self.reached.notified().await;
        }
    }

    /// Makes one object dirty and tells the feed.
    pub fn change(&self, id: usize) {
        lock(&self.clean)[id - 1] = false;
        let _ = self.feed.send(ObjectId::new(id as i32));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn template(shape: &Shape) -> Vec<Value> {
    let site = Site { name: "a site".into(), login_base: "site".into(), ..Default::default() };
    let mut values = site.values();
    values.resize(shape.fields().len(), Value::Null);
    let mut set = |name: &str, value: Value| values[shape.position(name).expect(name)] = value;
    set("created", Value::Time(Timestamp::from_seconds(1.6e9)));
    set("updated", Value::Time(Timestamp::from_seconds(1.6e9)));
    set("leaf_model_name", Value::Text("Site".into()));
    values
}

fn record(shape: &Arc<Shape>, template: &[Value], id: i32) -> Record {
    let mut values = template.to_vec();
    values[shape.position("id").expect("id")] = Value::Int(i64::from(id));
    Record::new(shape.clone(), values)
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
        Ok(Cursor(self.revision.load(Ordering::SeqCst)))
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        let as_of = Cursor(self.revision.load(Ordering::SeqCst));
        if query.kind != QueryKind::DirtyObjects {
            return Ok(Found { records: Vec::new(), next: None, as_of });
        }
        let (all, clean) = (lock(&self.records), lock(&self.clean));
        let from = page.after.get() as usize;
        let dirty = (from..all.len()).filter(|at| !clean[*at]).take(page.limit);
        let records: Vec<Record> = dirty.map(|at| all[at].clone()).collect();
        let next = (records.len() == page.limit)
            .then(|| Page { after: records.last().map(Record::id).unwrap_or_default(), limit: page.limit });
        Ok(Found { records, next, as_of })
    }

    async fn get(&self, _shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        let all = lock(&self.records);
        Ok(ids.iter().map(|id| all.get(id.get() as usize - 1).cloned()).collect())
    }

    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let (all, mut clean) = (lock(&self.records), lock(&self.clean));
        let mut answers = Vec::with_capacity(writes.len());
        let mut stored = 0;
        for write in writes {
            let Target::Object(id) = write.target else { continue };
            let at = id.get() as usize - 1;
            if let Op::Set { fields, .. } = &write.op
                && fields.iter().any(|(at, _)| *at as usize == self.enacted)
            {
                clean[at] = true;
                stored += 1;
            }
            answers.push(Ok(Written { id, record: Some(all[at].clone()), changed: true }));
        }
        drop((all, clean));
        let total = self.stored.fetch_add(stored, Ordering::SeqCst) + stored;
        if total >= self.goal.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
        answers
    }

    fn feed(&self, _from: Cursor, _models: &[ModelName]) -> Feed {
        let site = self.schema.model("Site").expect("Site").id;
        stream::unfold(self.feed.subscribe(), move |mut feed| async move {
            let id = feed.recv().await.ok()?;
            let key = ObjectKey { root: site, id };
            Some((Change::Saved { key, leaf: site, by: Caller::Client, revision: None }, feed))
        })
        .chain(stream::pending())
        .boxed()
    }

    async fn onboard(&self, _what: &Onboard) -> Result<Onboarded> {
        Ok(Onboarded::NothingChanged)
    }
}
