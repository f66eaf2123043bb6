//! What a service author writes: one [`SyncStep`] per model.

mod erased;
mod error;
mod policy;
mod wait;

#[cfg(feature = "ansible")]
pub(crate) use erased::refuses_nothing;
pub(crate) use erased::{AnyHook, AnyStep, Did, erase, erase_hook};
pub use error::{StepError, StepErrorKind};
pub use policy::ModelPolicy;
pub(crate) use policy::{AnyPolicy, Handler, erase_policy};
pub(crate) use wait::{Condition, title};
pub use wait::{Wait, policed, ready, until};

use std::future::Future;
use std::time::Duration;

use xos_model_client::Model;

use crate::context::Context;

/// What a step returns: `Ok(())` when the outside world matches the record.
pub type StepResult<T = ()> = Result<T, StepError>;

/// Makes the outside world match one record of a model.
///
/// # Guarantees
///
/// - `sync_record` is called for each live object of [`Model`](SyncStep::Model) and of models that inherit from it
///   that was created or changed, also for what exists when the synchronizer starts. When it returned `Ok`, the object
///   is not picked up again until it changes; a change made while the step ran counts.
/// - Before the first effect outside, the core has stored that the object may exist there (`backend_need_delete`).
///   So `delete_record` is called for each object whose `sync_record` was ever started, before it is gone for good.
/// - Never two handlers at once on one object, and an object only when what it depends on is done.
/// - When it fails, the error is logged and stored in the object's `backend_status`, `backend_code` becomes 2, and the
///   step is tried again with growing delays, also after a restart.
///
/// # Assumptions
///
/// **A step may run twice** for one change: the process may die between the effect and the status. Compute the
/// difference between the record and the outside world, and apply that.
///
/// # Cancellation
///
/// A step that takes longer than `engine.step_deadline` is dropped at its next await and counts as failed, and so is
/// one that still runs when the grace period of a shutdown ends (which counts as nothing). Code that blocks cannot be
/// dropped: put it into [`tokio::task::spawn_blocking`].
///
/// # Examples
///
/// ```
/// use xos_sync::prelude::*;
///
/// /// Prints each site.
/// struct PrintSite;
///
/// impl SyncStep for PrintSite {
///     type Model = Site;
///
///     async fn sync_record(&self, _ctx: &Context, o: &mut Site) -> StepResult {
///         println!("there is a site {}", o.name);
///         Ok(())
///     }
///
///     async fn delete_record(&self, _ctx: &Context, o: &Site) -> StepResult {
///         println!("the site {} is gone", o.name);
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a sync step",
    note = "implement `SyncStep` for it: a `Model`, `sync_record` and `delete_record`"
)]
pub trait SyncStep: Send + Sync + 'static {
    /// The model whose records it takes, those of models that inherit from it included.
    type Model: Model;

    /// Makes the outside world match the record.
    ///
    /// Fields that are set here are stored only by [`ctx.save(o)`](xos_model_client::ModelClient::save).
    ///
    /// # Errors
    ///
    /// [`StepError`] says how: failed, deferred, innocuous, or waiting for another object. `?` works on any error.
    fn sync_record(&self, ctx: &Context, o: &mut Self::Model) -> impl Future<Output = StepResult> + Send;

    /// Removes what [`sync_record`](SyncStep::sync_record) made outside. What is not there any more is removed.
    ///
    /// The object is soft-deleted; when this returns `Ok`, it is purged.
    ///
    /// # Errors
    ///
    /// As for [`sync_record`](SyncStep::sync_record). The object stays until it succeeds.
    fn delete_record(&self, ctx: &Context, o: &Self::Model) -> impl Future<Output = StepResult> + Send;

    /// Whether the step takes this object. What it refuses is left alone, not marked as synchronized.
    ///
    /// It is asked when an object is read, also for deleted ones; it must be quick, and may look at the object only.
    fn selects(&self, o: &Self::Model) -> bool {
        let _ = o;
        erased::refuses_nothing::<Self>();
        true
    }

    /// How often a synchronized object is looked at again without having changed. Off by default.
    fn requested_interval(&self) -> Option<Duration> {
        None
    }

    /// How many objects this step works on at once, besides `engine.concurrency`. No limit of its own by default.
    fn concurrency(&self) -> Option<usize> {
        None
    }

    /// What the step is called in the log: the name of its type.
    fn name(&self) -> &'static str {
        short_type_name::<Self>()
    }
}

/// The last part of a type's path, without its parameters.
pub(crate) fn short_type_name<T: ?Sized>() -> &'static str {
    let path = std::any::type_name::<T>();
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    struct Outer<T>(T);

    #[test]
    fn a_step_is_called_by_its_type() {
        assert_eq!(super::short_type_name::<Outer<std::vec::Vec<u8>>>(), "Outer");
    }
}
