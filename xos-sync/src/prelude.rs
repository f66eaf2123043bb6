//! What a service author needs: `use xos_sync::prelude::*;`

pub use crate::bus::Event;
pub use crate::config::Config;
pub use crate::context::Context;
pub use crate::events::{EventStep, GiveUp};
pub use crate::pull::{PullStep, Reconciled, WatchStep};
pub use crate::run::run_synchronizer;
pub use crate::step::{ModelPolicy, StepError, StepErrorKind, StepResult, SyncStep};
pub use crate::synchronizer::Synchronizer;
#[cfg(feature = "embedded")]
pub use crate::testing::MockAccessor;
pub use tracing::{debug, error, info, trace, warn};
pub use xos_model_client::models::*;
pub use xos_model_client::{IsA, Link, Links, Model as _, ObjectId, Timestamp, XosChoice, XosModel};
