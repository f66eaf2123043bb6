//! An instance of another service for a subscriber.

use super::services::providers_of;
use super::turns::{Turn, turn};
use crate::accessor::{FieldPos, Guard, Op, Target};
use crate::client::{ModelClient, fields_to_create};
use crate::error::{Error, FieldFault, Result};
use crate::link::Link;
use crate::model::{IsA, Model};
use crate::models::{Service, ServiceInstance, ServiceInstanceFields as _, ServiceInstanceLink};
use crate::value::{ObjectId, Value};

impl ModelClient {
    /// The instance of `service` that a subscriber uses; where there is none, one is made and linked to it.
    ///
    /// `fill` sets what a new instance has besides its owner. Without a name, it is called after its model and the
    /// subscriber: `VSGServiceInstance for ServiceInstance 12`.
    ///
    /// # Guarantees
    ///
    /// A step may run twice: the second time it gets the same instance, `fill` is not called for it, and nothing is
    /// written. Two calls for one service in one process wait for each other.
    ///
    /// A new instance is stored before its link, since the link needs its id. Should the process die between the two,
    /// the next call finds the instance by its owner and name, used by nobody, and links it. So give names that differ
    /// for each subscriber, or none. Two *processes* that do this at once for the same subscriber may make two.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when the new instance breaks a rule of its model; a service or a subscriber that was not
    /// created yet; a core that is away.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # // no_run: needs a core.
    /// # use xos_model_client::models::{ComputeServiceInstance, Service, ServiceInstance};
    /// # use xos_model_client::{Link, ModelClient, Result};
    /// # async fn example(client: &ModelClient, service: &Service, mine: &ServiceInstance) -> Result<()> {
    /// let machine: ComputeServiceInstance = client
    ///     .acquire_service_instance(service, mine, |new: &mut ComputeServiceInstance| new.slice = Link::to(3))
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub async fn acquire_service_instance<T, S, I>(
        &self,
        service: &S,
        subscriber: &I,
        fill: impl FnOnce(&mut T),
    ) -> Result<T>
    where
        T: Model + IsA<ServiceInstance>,
        S: Model + IsA<Service>,
        I: Model + IsA<ServiceInstance>,
    {
        let (service, subscriber) = (saved(service)?, saved(subscriber)?);
        let _turn = turn(Turn::Service, service).await;
        let used: Vec<T> = self.live(&providers_of(self, subscriber).await?).await?;
        if let Some(used) = used.into_iter().find(|used| owner(used) == Some(service)) {
            return Ok(used);
        }
        let instance = self.unlinked_instance(service, subscriber, fill).await?;
        self.create(ServiceInstanceLink {
            provider_service_instance: Link::to(instance.id()),
            subscriber_service_instance: Some(Link::to(subscriber)),
            ..ServiceInstanceLink::default()
        })
        .await?;
        Ok(instance)
    }

    /// A new instance of the service, or the one that was made before the process died.
    async fn unlinked_instance<T>(
        &self,
        service: ObjectId,
        subscriber: ObjectId,
        fill: impl FnOnce(&mut T),
    ) -> Result<T>
    where
        T: Model + IsA<ServiceInstance>,
    {
        let mut new = T::default();
        fill(&mut new);
        let mut fields = fields_to_create(&new)?;
        set::<T>(&mut fields, "owner", Value::Link(service));
        let given = T::shape().position("name").and_then(|at| {
            fields
                .iter()
                .find(|(field, _)| usize::from(*field) == at)?
                .1
                .as_text()
                .map(str::trim)
                .map(str::to_owned)
        });
        let name = given
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| format!("{} for {} {subscriber}", T::MODEL_NAME, ServiceInstance::MODEL_NAME));
        let same = self.objects::<T>().filter(T::OWNER.eq(service)).filter(T::NAME.eq(name.as_str()));
        for instance in same.all().await? {
            if !is_used(self, instance.id()).await? {
                return Ok(instance);
            }
        }
        set::<T>(&mut fields, "name", Value::Text(name));
        let written = self.write_guarded::<T>(Target::New, Op::Create(fields), Guard::None).await?;
        match written.record {
            Some(record) => T::from_record(record),
            None => self.get(written.id).await,
        }
    }
}

/// Whether anything uses the instance: another one, a service or a network.
async fn is_used(client: &ModelClient, provider: ObjectId) -> Result<bool> {
    let own = ServiceInstanceLink::PROVIDER_SERVICE_INSTANCE.eq(provider);
    client.objects::<ServiceInstanceLink>().filter(own).exists().await
}

fn set<T: Model>(fields: &mut Vec<(FieldPos, Value)>, name: &str, value: Value) {
    let Some(at) = T::shape().position(name) else { return };
    fields.retain(|(field, _)| usize::from(*field) != at);
    fields.push((at as FieldPos, value));
    fields.sort_by_key(|(field, _)| *field);
}

fn owner<T: Model>(instance: &T) -> Option<ObjectId> {
    instance.origin().record()?.get("owner")?.as_link()
}

fn saved<M: Model>(object: &M) -> Result<ObjectId> {
    if object.id().is_set() {
        return Ok(object.id());
    }
    let fault = FieldFault::whole("it was not created yet: create it before other objects link to it");
    Err(Error::invalid(M::MODEL_NAME, ObjectId::UNSET, vec![fault]))
}
