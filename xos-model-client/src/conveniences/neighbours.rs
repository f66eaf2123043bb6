//! What uses an instance (to its west), and what it uses (to its east).

use std::collections::HashSet;

use super::services::{providers_of, subscribers_of};
use crate::client::ModelClient;
use crate::error::{ErrorKind, Result};
use crate::model::{IsA, Model};
use crate::models::ServiceInstance;
use crate::record::Record;
use crate::value::Value;

impl ServiceInstance {
    /// The instances that use this one, each as a record of its most specific model.
    ///
    /// [`westbound`](ServiceInstance::westbound) gives those of one model as structs.
    ///
    /// # Errors
    ///
    /// A core that is away.
    pub async fn westbound_service_instances(&self, client: &ModelClient) -> Result<Vec<Record>> {
        client.leaf_records::<ServiceInstance>(&subscribers_of(client, self.id()).await?).await
    }

    /// The instances that this one uses, each as a record of its most specific model.
    ///
    /// [`eastbound`](ServiceInstance::eastbound) gives those of one model as structs.
    ///
    /// # Errors
    ///
    /// A core that is away.
    pub async fn eastbound_service_instances(&self, client: &ModelClient) -> Result<Vec<Record>> {
        client.leaf_records::<ServiceInstance>(&providers_of(client, self.id()).await?).await
    }

    /// Those of the instances that use this one that are a `T`.
    ///
    /// # Errors
    ///
    /// A core that is away.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # // no_run: needs a core.
    /// # use xos_model_client::{ModelClient, Result, models::{ComputeServiceInstance, ServiceInstance}};
    /// # async fn example(client: &ModelClient, instance: &ServiceInstance) -> Result<()> {
    /// let machines = instance.westbound::<ComputeServiceInstance>(client).await?;
    /// # Ok(()) }
    /// ```
    pub async fn westbound<T: Model + IsA<ServiceInstance>>(&self, client: &ModelClient) -> Result<Vec<T>> {
        client.live(&subscribers_of(client, self.id()).await?).await
    }

    /// Those of the instances that this one uses that are a `T`.
    ///
    /// # Errors
    ///
    /// A core that is away.
    pub async fn eastbound<T: Model + IsA<ServiceInstance>>(&self, client: &ModelClient) -> Result<Vec<T>> {
        client.live(&providers_of(client, self.id()).await?).await
    }

    /// The value of the field `name` of the first instance to the west whose model has such a field. Where no
    /// neighbour's has, the search goes on to the west of the first neighbour, and of that one only.
    ///
    /// The field may be empty there: then the value is [`Value::Null`], and the search ends all the same.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoNeighbour`] where the search comes to an instance that nothing uses, or back to one that it has
    /// seen; a core that is away.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # // no_run: needs a core.
    /// # use xos_model_client::{ModelClient, Result, models::ServiceInstance};
    /// # async fn example(client: &ModelClient, instance: &ServiceInstance) -> Result<()> {
    /// let s_tag = instance.westbound_property(client, "s_tag").await?;
    /// println!("{:?}", s_tag.as_int());
    /// # Ok(()) }
    /// ```
    pub async fn westbound_property(&self, client: &ModelClient, name: &str) -> Result<Value> {
        let mut seen = HashSet::from([self.id()]);
        let mut at = self.id();
        loop {
            let neighbours = subscribers_of(client, at).await?;
            let records = client.leaf_records::<ServiceInstance>(&neighbours).await?;
            if let Some(value) = records.iter().find_map(|record| property(record, name)) {
                return Ok(value);
            }
            match records.first().map(Record::id).filter(|first| seen.insert(*first)) {
                Some(first) => at = first,
                None => return Err(ErrorKind::NoNeighbour { id: at, property: name.to_owned() }.into()),
            }
        }
    }

    /// The value of its own field `name`, where its model has one; otherwise the
    /// [`westbound_property`](ServiceInstance::westbound_property).
    ///
    /// # Errors
    ///
    /// As [`westbound_property`](ServiceInstance::westbound_property).
    pub async fn own_or_westbound_property(&self, client: &ModelClient, name: &str) -> Result<Value> {
        let own = client.leaf_records::<ServiceInstance>(&[self.id()]).await?;
        match own.first().and_then(|record| property(record, name)) {
            Some(value) => Ok(value),
            None => self.westbound_property(client, name).await,
        }
    }
}

/// What a record has in a field; `None` when it has no such field.
fn property(record: &Record, name: &str) -> Option<Value> {
    let link = || {
        name.strip_suffix("_id").and_then(|name| record.get(name)).filter(|value| value.as_link().is_some())
    };
    record.get(name).or_else(link).cloned()
}
