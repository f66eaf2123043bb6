//! The embedded XOS core: the rules of save, delete, reap and validate, over SQLite or PostgreSQL.
//!
//! [`EmbeddedCore`] is a [`ModelAccessor`](xos_model_client::ModelAccessor) in this process. It keeps the rules that
//! the core 4.0.4 keeps, over a file that survives the death of the process, or in memory.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//! use xos_core::EmbeddedCore;
//! use xos_model_client::{Caller, ModelClient, models::Service};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> xos_model_client::Result<()> {
//! let core = EmbeddedCore::in_memory()?;
//! let client = ModelClient::new(Arc::new(core), Caller::Client);
//! let hello = client.create(Service { name: "HelloWorld".into(), ..Default::default() }).await?;
//! assert_eq!(hello.backend_status, "Provisioning in progress");
//! # Ok(()) }
//! ```
#![deny(missing_docs)]

#[cfg_attr(not(feature = "server"), allow(unreachable_pub, reason = "the server shows these names"))]
mod classes;
mod core;
mod feed;
mod gui_events;
mod hub;
mod lock;
mod onboard;
mod options;
mod passwords;
mod recipes;
mod rules;
#[cfg(feature = "server")]
pub mod server;
mod shell;
mod sql;
mod store;

pub use crate::core::EmbeddedCore;
pub use crate::gui_events::{GUI_EVENTS, GuiEvent};
pub use crate::lock::InUse;
pub use crate::options::{Clock, Durability, Options, Reap, Threads};
pub use crate::recipes::{Outcome as RecipeOutcome, Recipes};

/// The version of the core whose rules this one keeps: what a service's `core_version` is compared with.
pub const CORE_VERSION: &str = "4.0.4";
