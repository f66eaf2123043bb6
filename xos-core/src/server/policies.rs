//! Who may read and write what: the security policies of the models.

use tonic::Status;
use xos_model_client::{ModelInfo, Record};

use super::users::Who;
use crate::EmbeddedCore;

/// What somebody wants to do with an object.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The policies of the models that are loaded.
pub(crate) struct Policies {
    core: EmbeddedCore,
}

impl Policies {
    pub(crate) fn new(core: EmbeddedCore) -> Self {
        Policies { core }
    }

    /// Whether this model's policy lets everybody do this with every object, so that none has to be looked at.
    pub(crate) fn is_open(&self, who: &Who, _access: Access, model: &ModelInfo) -> bool {
        let _ = &self.core;
        match who {
            Who::Local => true,
            Who::User(person) => person.is_admin || model.def.policy.is_none(),
        }
    }

    /// Fails when the caller may not do this with this object. `object` is laid out by the model's full shape; of a
    /// new object it has what the caller gave.
    ///
    /// # Errors
    ///
    /// The status of a caller who may not.
    pub(crate) async fn check(
        &self,
        who: &Who,
        access: Access,
        model: &ModelInfo,
        _object: &Record,
    ) -> Result<(), Status> {
        if self.is_open(who, access, model) { Ok(()) } else { Err(super::status::permission_denied("")) }
    }

    /// Fails when the caller may not change this object like this: as it is stored, or as it would be, when a field
    /// that the policy looks at changes. Both are laid out by the model's full shape.
    ///
    /// # Errors
    ///
    /// The status of a caller who may not.
    pub(crate) async fn check_update(
        &self,
        who: &Who,
        model: &ModelInfo,
        stored: &Record,
        _next: &Record,
    ) -> Result<(), Status> {
        self.check(who, Access::Write, model, stored).await
    }

    /// Leaves out the objects that the caller may not read.
    ///
    /// # Errors
    ///
    /// When the privileges cannot be read.
    pub(crate) async fn readable(
        &self,
        who: &Who,
        model: &ModelInfo,
        objects: Vec<Record>,
    ) -> Result<Vec<Record>, Status> {
        Ok(if self.is_open(who, Access::Read, model) { objects } else { Vec::new() })
    }
}
