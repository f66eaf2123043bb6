//! The embedded core on the network and on a Unix socket: the gRPC services that clients of XOS know.
//!
//! A [`Server`] listens on any number of Unix sockets and TCP ports. Whoever can open the Unix socket may do everything,
//! without credentials; over TCP, callers log in.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use xos_core::EmbeddedCore;
//! use xos_core::server::Server;
//!
//! # #[tokio::main] async fn main() -> xos_model_client::Result<()> {
//! let server = Server::new(EmbeddedCore::in_memory()?)
//!     .tcp(([127, 0, 0, 1], 0).into())
//!     .start()
//!     .await?;
//! println!("listening on {}", server.tcp_address().map(|address| address.to_string()).unwrap_or_default());
//! server.stop(Duration::from_secs(5)).await;
//! # Ok(()) }
//! ```

mod call;
mod descriptors;
mod dynamicload;
mod files;
mod health;
mod limits;
mod listen;
#[cfg(unix)]
mod listen_unix;
mod modeldefs;
mod objects;
mod policies;
mod proto;
mod reflection;
mod schema;
mod serve;
mod serve_stream;
mod serve_wire;
mod serving;
mod small;
mod status;
#[cfg(test)]
mod testing;
mod tls;
mod users;
mod utility;
mod wire;

use async_trait::async_trait;
use tonic::Status;

pub use self::limits::Limits;
pub use self::serving::{Server, Serving};
pub use self::tls::TlsFiles;

use self::call::{Answer, Call};
use self::files::Files;
use self::objects::Objects;
use self::policies::Policies;
use self::users::Users;
pub use self::users::{Account, Accounts, FirstStart, NewAccount};
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

/// A schema as protobuf, records as messages and errors as statuses, for what imitates a core in tests.
#[doc(hidden)]
pub mod __wire {
    pub use super::descriptors::Descriptors;
    pub use super::objects::{Asked, PartOfNumber, asked};
    pub use super::wire::{Element, Given, Misread, Operand, QueryMessage, Table, put_message, read_id};

    /// Names, and the text of `xos.proto`.
    pub mod proto {
        pub use crate::server::proto::{
            class_names, content_type, declared_class, is_declared_apart, self_content_type, served,
            wire_name, xos_proto,
        };
    }

    /// Errors.
    pub mod status {
        pub use crate::server::status::{
            does_not_exist, exception, list, malformed, not_authenticated, not_found, of_error,
            permission_denied, unicode, validation_error, verbose_name, xos_error,
        };
    }
}

/// All that answers calls.
pub(crate) struct World {
    pub(crate) core: EmbeddedCore,
    pub(crate) users: Users,
    pub(crate) policies: Policies,
    pub(crate) files: Files,
    pub(crate) objects: Objects,
    pub(crate) behind: utility::Behind,
    pub(crate) extensions: Vec<Box<dyn Extension>>,
}

impl World {
    /// The answer to a call. Reflection and health have services of their own.
    pub(crate) async fn answer(&self, call: &Call) -> Answer {
        let Some((service, method)) = call.service_and_method() else { return Err(status::no_method()) };
        self.files.follow(&self.policies).await?;
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
            behind: utility::Behind::default(),
            extensions,
            core,
        }
    }
}
