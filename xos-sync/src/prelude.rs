//! What a service author needs: `use xos_sync::prelude::*;`

#[cfg(feature = "ansible")]
pub use crate::ansible::{AnsibleStep, Attributes, OnDelete, Playbook, Target};
pub use crate::bus::Event;
pub use crate::config::Config;
pub use crate::context::Context;
pub use crate::events::{EventStep, GiveUp};
pub use crate::pull::{PullStep, Reconciled, WatchStep};
pub use crate::run::run_synchronizer;
pub use crate::step::{ModelPolicy, StepError, StepErrorKind, StepResult, SyncStep, policed, ready, until};
pub use crate::synchronizer::Synchronizer;
#[cfg(feature = "embedded")]
pub use crate::testing::MockAccessor;
pub use tracing::{debug, error, info, trace, warn};
pub use xos_model_client::models::*;
pub use xos_model_client::{
    IsA, Link, Links, Masks, Model as _, ObjectId, Secret, Timestamp, XosChoice, XosModel,
};
