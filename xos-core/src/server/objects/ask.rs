//! One call on the objects of a model: who asks, of which model.

use bytes::Bytes;
use tonic::Status;
use xos_model_client::{Error, ModelAccessor as _, ModelInfo, ObjectId, Record};

use super::linking::Linking;
use super::served::{Model, Served};
use crate::server::World;
use crate::server::call::Answer;
use crate::server::status::{no_method, not_found, of_error};
use crate::server::users::Who;

/// One call.
pub(super) struct Ask<'a> {
    pub(super) world: &'a World,
    pub(super) served: &'a Served,
    pub(super) model: &'a ModelInfo,
    pub(super) who: Who,
}

impl Ask<'_> {
    /// An error of the store, as clients know it.
    pub(super) fn told(&self, error: &Error) -> Status {
        of_error(error, &self.served.schema, self.model)
    }

    /// How the model is served.
    pub(super) fn how(&self) -> Result<&Model, Status> {
        self.served.model(self.model.id).ok_or_else(no_method)
    }

    /// An object, live or deleted.
    pub(super) async fn find(&self, id: i32) -> Result<Option<Record>, Status> {
        let found = self.world.core.get(&self.model.shape, &[ObjectId::new(id)]).await;
        Ok(found.map_err(|error| self.told(&error))?.into_iter().next().flatten())
    }

    /// An object, live or deleted; one that is missing is an error.
    pub(super) async fn expect(&self, id: i32) -> Result<Record, Status> {
        self.find(id).await?.ok_or_else(|| not_found(self.model, id))
    }

    /// One object as an answer.
    pub(super) async fn tell(&self, record: &Record) -> Answer {
        let how = self.how()?;
        let linking = Linking::to(&self.world.core, how, &[record.id()]).await;
        let linking = linking.map_err(|error| self.told(&error))?;
        let mut ways_back = Vec::new();
        linking.fill(record.id(), &mut ways_back);
        let mut out = Vec::with_capacity(512);
        how.table.put(&mut out, record.values(), &ways_back);
        Ok(Bytes::from(out))
    }
}
