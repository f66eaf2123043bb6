//! Networks, the slices on them, and what is plugged in.

use std::collections::BTreeMap;

use super::generic::means;
use super::tags::number;
use crate::client::ModelClient;
use crate::error::Result;
use crate::model::Model as _;
use crate::models::{Network, NetworkParameter, NetworkParameterType, NetworkSlice, Port, Site, Slice};
use crate::value::ObjectId;

impl Network {
    /// The slices on the network.
    ///
    /// # Errors
    ///
    /// A core that is away.
    pub async fn slices(&self, client: &ModelClient) -> Result<Vec<Slice>> {
        let own = NetworkSlice::NETWORK.eq(self.id());
        let found = client.objects::<NetworkSlice>().filter(own).all().await?;
        let ids: Vec<ObjectId> = found.iter().map(|both| both.slice.id()).collect();
        client.live(&ids).await
    }
}

impl Slice {
    /// The networks that the slice is on.
    ///
    /// # Errors
    ///
    /// A core that is away.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # // no_run: needs a core.
    /// # use xos_model_client::{ModelClient, Result, models::Slice};
    /// # async fn example(client: &ModelClient, slice: &Slice) -> Result<()> {
    /// for network in slice.networks(client).await? {
    ///     println!("{} is on {network}", slice.slicename(client).await?);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn networks(&self, client: &ModelClient) -> Result<Vec<Network>> {
        let own = NetworkSlice::SLICE.eq(self.id());
        let found = client.objects::<NetworkSlice>().filter(own).all().await?;
        let ids: Vec<ObjectId> = found.iter().map(|both| both.network.id()).collect();
        client.live(&ids).await
    }

    /// Its name with that of its site in front: `mysite_demo1`, of the site's `login_base` and the slice's `name`.
    ///
    /// # Errors
    ///
    /// The site is gone; a core that is away.
    pub async fn slicename(&self, client: &ModelClient) -> Result<String> {
        let site: Site = client.leaf(&self.site).await?;
        Ok(format!("{}_{}", site.login_base, self.name))
    }
}

impl Port {
    /// Its parameters: the values of its [`NetworkParameter`]s by the names of their types.
    ///
    /// # Errors
    ///
    /// A core that is away.
    pub async fn parameters(&self, client: &ModelClient) -> Result<BTreeMap<String, String>> {
        let schema = client.accessor().schema();
        let own = NetworkParameter::OBJECT_ID.eq(number(self));
        let mut found = client.objects::<NetworkParameter>().filter(own).all().await?;
        found.retain(|parameter| means::<Port>(&schema, &parameter.content_type));
        let ids: Vec<ObjectId> = found.iter().map(|parameter| parameter.parameter.id()).collect();
        let types: Vec<NetworkParameterType> = client.live(&ids).await?;
        let name = |id: ObjectId| types.iter().find(|kind| kind.id == id).map(|kind| kind.name.clone());
        Ok(found
            .into_iter()
            .filter_map(|parameter| Some((name(parameter.parameter.id())?, parameter.value)))
            .collect())
    }
}
