//! Objects by their ids, as one model or each as what it is.

use std::collections::HashMap;
use std::sync::Arc;

use crate::client::ModelClient;
use crate::error::Result;
use crate::model::Model;
use crate::record::{Record, Shape};
use crate::value::{ObjectId, Value};

impl ModelClient {
    /// Live objects by their ids, each as a record of its most specific model: `record.shape().model()` says which one
    /// that is. Those that are gone or deleted, or are no `M`, are left out.
    ///
    /// # Errors
    ///
    /// A core that is away.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # // no_run: needs a core.
    /// # use xos_model_client::{ModelClient, Result, models::{ServiceInstance, ServiceInstanceLink}};
    /// # async fn example(client: &ModelClient, link: &ServiceInstanceLink) -> Result<()> {
    /// let provider = client.leaf_records::<ServiceInstance>(&[link.provider_service_instance.id()]).await?;
    /// println!("uses a {}", provider[0].shape().model());
    /// # Ok(()) }
    /// ```
    pub async fn leaf_records<M: Model>(&self, ids: &[ObjectId]) -> Result<Vec<Record>> {
        let mut records = self.live_records(M::shape(), ids).await?;
        let schema = self.accessor().schema();
        let mut by_leaf: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, record) in records.iter().enumerate() {
            let leaf = record.get("leaf_model_name").and_then(Value::as_text);
            if let Some(leaf) = leaf.filter(|leaf| *leaf != M::MODEL_NAME) {
                by_leaf.entry(leaf.to_owned()).or_default().push(at);
            }
        }
        for (leaf, places) in by_leaf {
            // One that this core does not serve (any more) is told as what was asked for.
            let Some(model) = schema.model(&leaf) else { continue };
            let ids: Vec<ObjectId> = places.iter().map(|at| records[*at].id()).collect();
            let found = self.accessor().get(&model.shape, &ids).await?;
            for (at, record) in places.into_iter().zip(found) {
                if let Some(record) = record {
                    records[at] = record;
                }
            }
        }
        Ok(records)
    }

    /// Live objects by their ids that are an `M`.
    pub(super) async fn live<M: Model>(&self, ids: &[ObjectId]) -> Result<Vec<M>> {
        self.live_records(M::shape(), ids).await?.into_iter().map(M::from_record).collect()
    }

    async fn live_records(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Record>> {
        let ids = unique(ids);
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.accessor().get(shape, &ids).await?;
        let is_live = |record: &Record| record.get("deleted") != Some(&Value::Bool(true));
        Ok(found.into_iter().flatten().filter(is_live).collect())
    }
}

/// Each id once, in the order given; unset ones are left out.
fn unique(ids: &[ObjectId]) -> Vec<ObjectId> {
    let mut seen = std::collections::HashSet::new();
    ids.iter().copied().filter(|id| id.is_set() && seen.insert(*id)).collect()
}
