//! The accessor of a run: it notes what the run changes, so that what follows from that is known to.

use std::sync::Arc;

use async_trait::async_trait;
use xos_model_client::{
    Abilities, Caller, Cursor, Feed, Found, ModelAccessor, ModelName, ObjectId, Onboard, Onboarded, Op, Page,
    Query, Record, Result, Schema, Shape, Target, Timestamp, Touch, Value, Write, Written,
};

use super::causes::{Causes, Changed, Writer};
use super::facts::{key_of, version_of};
use super::layout::Layout;
use crate::engine::ObjectKey;

/// The accessor of a run.
pub(super) struct Noting {
    pub(super) inner: Arc<dyn ModelAccessor>,
    pub(super) layout: Arc<Layout>,
    pub(super) causes: Causes,
    pub(super) writer: Writer,
}

/// A write that is under way. Also one whose run is dropped comes to an end.
struct UnderWay<'a> {
    run: &'a Noting,
    key: Option<ObjectKey>,
    root: Option<xos_model_client::ModelId>,
    by: Caller,
    /// It moves `updated` if it changes anything.
    touches: bool,
    changed: Option<Changed>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.or(self.changed.map(|changed| changed.key)) {
            self.run.causes.ended(key, &self.run.writer, self.changed);
        }
    }
}

impl Noting {
    fn begins(&self, write: &Write) -> UnderWay<'_> {
        let root = self.layout.schema.model(write.shape.model()).map(|model| model.root);
        let root = root.filter(|root| self.layout.is_observed(*root));
        let key = match write.target {
            Target::Object(id) => root.map(|root| key_of(root, id)),
            Target::New => None,
        };
        if let Some(key) = key {
            self.causes.begins(key, &self.writer);
        }
        let touches = match &write.op {
            Op::Create(_) => true,
            // A list that changes is saved once more without a caller.
            Op::Set { fields, touch } => {
                *touch == Touch::Updated || fields.iter().any(|(_, value)| matches!(value, Value::Links(_)))
            }
            Op::Delete => false,
        };
        UnderWay { run: self, key, root, by: write.by, touches, changed: None }
    }
}

impl UnderWay<'_> {
    fn ended(&mut self, answer: &Result<Written>) {
        let Ok(Written { id, record: Some(record), changed: true }) = answer else { return };
        let Some(root) = self.root else { return };
        self.changed = Some(self.moved(key_of(root, *id), record));
    }

    /// What is due because of this write: the times that it moved.
    fn moved(&self, key: ObjectKey, record: &Record) -> Changed {
        let time = |field: &'static str| {
            record.get(field).and_then(Value::as_time).filter(|time: &Timestamp| time.is_set())
        };
        let version = |own: &'static str, by_own: bool| {
            let (updated, own) = (time("updated"), time(own));
            let latest = updated.max(own);
            let moved = self.touches || (by_own && own == latest);
            latest.filter(|_| moved).map(version_of)
        };
        Changed {
            key,
            sync: version("changed_by_policy", self.by == Caller::Policy),
            policy: version("changed_by_step", self.by == Caller::Step),
        }
    }
}

#[async_trait]
impl ModelAccessor for Noting {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    fn schema(&self) -> Arc<Schema> {
        self.inner.schema()
    }

    async fn cursor(&self) -> Result<Cursor> {
        self.inner.cursor().await
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        self.inner.find(query, page).await
    }

    async fn get(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        self.inner.get(shape, ids).await
    }

    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let mut under_way: Vec<UnderWay<'_>> = writes.iter().map(|write| self.begins(write)).collect();
        let answers = self.inner.write(writes).await;
        for (one, answer) in under_way.iter_mut().zip(&answers) {
            one.ended(answer);
        }
        answers
    }

    fn feed(&self, from: Cursor, models: &[ModelName]) -> Feed {
        self.inner.feed(from, models)
    }

    async fn onboard(&self, what: &Onboard) -> Result<Onboarded> {
        self.inner.onboard(what).await
    }
}
