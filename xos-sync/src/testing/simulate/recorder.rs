//! The way to the core of a test's own client: it notes what is made.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use xos_core::EmbeddedCore;
use xos_model_client::{
    Abilities, Cursor, Feed, Found, ModelAccessor, ModelName, ObjectId, ObjectKey, Onboard, Onboarded, Page,
    Query, Record, Result, Schema, Shape, Target, Write, Written,
};

use super::workload::Object;

/// Notes the objects that are made.
pub(super) struct Recorder {
    core: EmbeddedCore,
    made: Mutex<Vec<Object>>,
}

impl Recorder {
    pub(super) fn new(core: EmbeddedCore) -> Self {
        Recorder { core, made: Mutex::default() }
    }

    /// The objects that were made, in order.
    pub(super) fn made(&self) -> Vec<Object> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl ModelAccessor for Recorder {
    fn abilities(&self) -> Abilities {
        self.core.abilities()
    }

    fn schema(&self) -> Arc<Schema> {
        self.core.schema()
    }

    async fn cursor(&self) -> Result<Cursor> {
        self.core.cursor().await
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        self.core.find(query, page).await
    }

    async fn get(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        self.core.get(shape, ids).await
    }

    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let new: Vec<Option<ModelName>> = writes
            .iter()
            .map(|write| (write.target == Target::New).then(|| write.shape.model().clone()))
            .collect();
        let answers = self.core.write(writes).await;
        let schema = self.core.schema();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        for (model, answer) in new.iter().zip(&answers) {
            let model = model.as_ref().and_then(|model| schema.model(model));
            if let (Some(model), Ok(written)) = (model, answer) {
                made.push(Object::new(ObjectKey { root: model.root, id: written.id }, model));
            }
        }
        drop(made);
        answers
    }

    fn feed(&self, from: Cursor, models: &[ModelName]) -> Feed {
        self.core.feed(from, models)
    }

    async fn onboard(&self, what: &Onboard) -> Result<Onboarded> {
        self.core.onboard(what).await
    }
}
