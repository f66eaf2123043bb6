//! Services that need each other.

use crate::client::ModelClient;
use crate::error::Result;
use crate::model::{IsA, Model};
use crate::models::{Service, ServiceDependency, ServiceInstance, ServiceInstanceLink};
use crate::record::Record;
use crate::value::{ObjectId, Value};

impl Service {
    /// The services that this one needs: the providers of its dependencies.
    ///
    /// # Errors
    ///
    /// A core that is away.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # // no_run: needs a core.
    /// # use xos_model_client::{ModelClient, Result, models::Service};
    /// # async fn example(client: &ModelClient, service: &Service) -> Result<()> {
    /// for provider in service.provider_services(client).await? {
    ///     println!("{service} needs {provider}");
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn provider_services(&self, client: &ModelClient) -> Result<Vec<Service>> {
        let own = ServiceDependency::SUBSCRIBER_SERVICE.eq(self.id());
        let found = client.objects::<ServiceDependency>().filter(own).all().await?;
        let ids: Vec<ObjectId> = found.iter().map(|needs| needs.provider_service.id()).collect();
        client.live(&ids).await
    }

    /// The services that need this one: the subscribers of its dependencies.
    ///
    /// # Errors
    ///
    /// A core that is away.
    pub async fn subscriber_services(&self, client: &ModelClient) -> Result<Vec<Service>> {
        let own = ServiceDependency::PROVIDER_SERVICE.eq(self.id());
        let found = client.objects::<ServiceDependency>().filter(own).all().await?;
        let ids: Vec<ObjectId> = found.iter().map(|needs| needs.subscriber_service.id()).collect();
        client.live(&ids).await
    }

    /// The name that the model of its instances has by convention: `VSGServiceInstance` for a `VSGService`.
    pub fn service_instance_model_name(&self) -> String {
        format!("{}Instance", self.leaf_model_name)
    }

    /// The instances of this service that a subscriber uses already, each as a record of its most specific model.
    ///
    /// # Errors
    ///
    /// A core that is away.
    pub async fn validate_links<I>(&self, client: &ModelClient, subscriber: &I) -> Result<Vec<Record>>
    where
        I: Model + IsA<ServiceInstance>,
    {
        let ids = providers_of(client, subscriber.id()).await?;
        let mut records = client.leaf_records::<ServiceInstance>(&ids).await?;
        records.retain(|record| record.get("owner").and_then(Value::as_link) == Some(self.id()));
        Ok(records)
    }
}

/// The instances that an instance uses, in the order of the links.
pub(super) async fn providers_of(client: &ModelClient, subscriber: ObjectId) -> Result<Vec<ObjectId>> {
    let own = ServiceInstanceLink::SUBSCRIBER_SERVICE_INSTANCE.eq(subscriber);
    let links = client.objects::<ServiceInstanceLink>().filter(own).all().await?;
    Ok(links.iter().map(|link| link.provider_service_instance.id()).collect())
}

/// The instances that use an instance, in the order of the links.
pub(super) async fn subscribers_of(client: &ModelClient, provider: ObjectId) -> Result<Vec<ObjectId>> {
    let own = ServiceInstanceLink::PROVIDER_SERVICE_INSTANCE.eq(provider);
    let links = client.objects::<ServiceInstanceLink>().filter(own).all().await?;
    Ok(links.iter().filter_map(|link| link.subscriber_service_instance).map(|link| link.id()).collect())
}
