//! Named values of services and of their instances.

use std::collections::BTreeMap;

use crate::client::ModelClient;
use crate::error::Result;
use crate::model::Model as _;
use crate::models::{Service, ServiceAttribute, ServiceInstance, ServiceInstanceAttribute};

impl Service {
    /// Its attributes: the values of its [`ServiceAttribute`]s by their names.
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
    /// let attributes = service.service_attributes(client).await?;
    /// let rack = attributes.get("rack").map_or("unknown", String::as_str);
    /// # Ok(()) }
    /// ```
    pub async fn service_attributes(&self, client: &ModelClient) -> Result<BTreeMap<String, String>> {
        let own = ServiceAttribute::SERVICE.eq(self.id());
        let found = client.objects::<ServiceAttribute>().filter(own).all().await?;
        Ok(found.into_iter().map(|attribute| (attribute.name, attribute.value)).collect())
    }
}

impl ServiceInstance {
    /// Its attributes: the values of its [`ServiceInstanceAttribute`]s by their names.
    ///
    /// # Errors
    ///
    /// A core that is away.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # // no_run: needs a core.
    /// # use xos_model_client::{ModelClient, Result, models::ServiceInstance};
    /// # async fn example(client: &ModelClient, instance: &ServiceInstance) -> Result<()> {
    /// let vlan = instance.instance_attributes(client).await?.remove("vlan");
    /// # Ok(()) }
    /// ```
    pub async fn instance_attributes(&self, client: &ModelClient) -> Result<BTreeMap<String, String>> {
        let own = ServiceInstanceAttribute::SERVICE_INSTANCE.eq(self.id());
        let found = client.objects::<ServiceInstanceAttribute>().filter(own).all().await?;
        Ok(found.into_iter().map(|attribute| (attribute.name, attribute.value)).collect())
    }
}
