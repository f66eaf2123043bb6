//! The Rust SDK for XOS synchronizers.
//!
//! A service author describes models as structs, writes one small async method per model that makes the outside
//! world match a record, and calls [`run_synchronizer`]. The SDK puts the models into the core, finds what has to be
//! done, runs it in the right order and in parallel, retries, survives crashes on either side, and writes the status
//! back where people can see it.
//!
//! # Examples
//!
//! ```no_run
//! // no_run: it would run until somebody stops it
#![doc = include_str!("../examples/page.rs")]
//! ```
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `embedded` | yes | the core in this process, on SQLite: a synchronizer needs no server |
//! | `grpc` | yes | a core on the network: gRPC over TLS |
//! | `serve` | yes | the embedded core served on a Unix socket, and on the network when it is told so |
//! | `postgres` | no | PostgreSQL as the store of the embedded core |
//! | `ansible` | no | steps that run Ansible playbooks: the module `ansible`; the program `ansible-playbook` must be there |
//! | `kafka` | no | the event bus over Kafka; building it needs `make` and a C compiler |
//! | `kafka-tls` | no | TLS and passwords for it; building it needs OpenSSL's headers (Debian: `libssl-dev`, `pkg-config`) |
#![deny(missing_docs)]

#[cfg(feature = "ansible")]
pub mod ansible;
pub mod args;
mod backoff;
mod beside;
mod bus;
#[cfg(test)]
#[path = "../../xos-model-client/tests/fuzz/choices.rs"]
mod choices;
pub mod config;
mod context;
mod core;
mod door;
#[cfg(feature = "embedded")]
mod embedded;
#[doc(hidden)]
pub mod engine;
mod entry;
mod error;
mod events;
mod gui_events;
pub mod logging;
pub mod prelude;
mod pull;
pub mod recipe;
#[cfg(feature = "grpc")]
mod remote;
mod run;
mod served;
mod shell;
mod signals;
#[cfg(feature = "embedded")]
mod socket;
mod step;
mod synchronizer;
#[cfg(feature = "embedded")]
pub mod testing;
mod verbs;

#[doc(hidden)]
pub mod __private {
    pub use crate::entry::{run_main, run_main_with, run_test, run_test_with};
    pub use crate::shell::sabotage::Sabotage;
    pub use xos_model_client::__private::*;
}

pub use args::{Args, Verb};
pub use bus::{Event, EventError};
pub use config::Config;
pub use context::Context;
pub use core::open_core;
pub use error::{Error, ErrorKind, Result};
pub use events::{EventStep, GiveUp};
pub use futures_util::stream;
pub use pull::{OrFails, PullStep, Reconcile, Reconciled, WatchStep};
pub use run::{run_on, run_synchronizer, run_until};
pub use step::{ModelPolicy, StepError, StepErrorKind, StepResult, SyncStep, Wait, policed, ready, until};
pub use synchronizer::Synchronizer;
pub use tokio;
pub use tracing;
pub use verbs::{object_table, open_read_only};
pub use xos_model_client as model_client;
pub use xos_model_client::models;
#[cfg(feature = "embedded")]
pub use xos_sync_derive::simulation;
pub use xos_sync_derive::{main, test};
