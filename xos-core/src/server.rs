//! The embedded core on the network and on a Unix socket: the gRPC services that clients of XOS know.

mod call;
mod dynamicload;
mod files;
mod modeldefs;
mod objects;
mod policies;
mod schema;
mod small;
mod status;
#[cfg(test)]
mod testing;
mod users;
mod utility;

use async_trait::async_trait;
use tonic::Status;

use self::call::{Answer, Call};
use self::files::Files;
use self::objects::Objects;
use self::policies::Policies;
use self::users::Users;
use crate::EmbeddedCore;

/// What a program adds to the services of its core, such as its engine's explanations.
#[doc(hidden)]
#[async_trait]
pub trait Extension: Send + Sync + 'static {
    /// The service's full name, such as `xos_sync.Engine`.
    fn service(&self) -> &str;

    /// Answers a call of a local caller: message in, message out; the error is told to the caller.
    async fn call(&self, method: &str, message: &[u8]) -> Result<Vec<u8>, String>;
}

/// All that answers calls.
pub(crate) struct World {
    pub(crate) core: EmbeddedCore,
    pub(crate) users: Users,
    pub(crate) policies: Policies,
    pub(crate) files: Files,
    pub(crate) objects: Objects,
    pub(crate) extensions: Vec<Box<dyn Extension>>,
}

impl World {
    /// The answer to a call. Reflection and health have services of their own.
    pub(crate) async fn answer(&self, call: &Call) -> Answer {
        let Some((service, method)) = call.service_and_method() else { return Err(status::no_method()) };
        match service {
            "xos.xos" => objects::answer(self, method, call).await,
            "xos.utility" => utility::answer(self, method, call).await,
            "xos.dynamicload" => dynamicload::answer(self, method, call).await,
            "xos.modeldefs" => modeldefs::answer(self, method, call).await,
            "schema.SchemaService" => schema::answer(self, method, call).await,
            _ => self.extended(service, method, call).await,
        }
    }

    async fn extended(&self, service: &str, method: &str, call: &Call) -> Answer {
        let found = self.extensions.iter().find(|extension| extension.service() == service);
        let Some(extension) = found.filter(|_| call.is_local()) else { return Err(status::no_method()) };
        extension.call(method, &call.message).await.map(Into::into).map_err(Status::failed_precondition)
    }
}

impl World {
    pub(crate) fn new(core: EmbeddedCore, extensions: Vec<Box<dyn Extension>>) -> Self {
        World {
            users: Users::new(core.clone()),
            policies: Policies::new(core.clone()),
            files: Files::new(core.clone()),
            objects: Objects::new(),
            extensions,
            core,
        }
    }
}
