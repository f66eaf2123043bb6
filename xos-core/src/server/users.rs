//! Who calls: users, passwords, sessions.

use std::sync::Arc;

use tonic::Status;
use xos_model_client::ObjectId;

use super::call::Call;
use super::status::not_authenticated;
use crate::EmbeddedCore;

/// Who made a call.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    /// Somebody on the Unix socket who gave no credentials: may do everything.
    Local,
    /// A user with a password or a session.
    User(Arc<Person>),
}

/// A user.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) id: ObjectId,
    pub(crate) email: String,
    pub(crate) is_admin: bool,
    pub(crate) site: ObjectId,
}

/// The users of a core.
pub(crate) struct Users {
    core: EmbeddedCore,
}

impl Users {
    pub(crate) fn new(core: EmbeddedCore) -> Self {
        Users { core }
    }

    /// Who makes a call.
    ///
    /// # Errors
    ///
    /// The status of a call without credentials, or with such that are not right.
    pub(crate) async fn caller(&self, call: &Call) -> Result<Who, Status> {
        let _ = &self.core;
        if call.is_local() {
            Ok(Who::Local)
        } else {
            Err(not_authenticated("This API requires authentication"))
        }
    }
}
