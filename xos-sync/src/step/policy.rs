//! What an author writes to keep objects in order within the core: a [`ModelPolicy`].

use std::future::{Future, ready};
use std::sync::Arc;

use async_trait::async_trait;
use xos_model_client::{Masks, Model, ModelDef, Record, Shape};

use super::erased::{warn_of_unsaved, watched};
use super::{StepResult, short_type_name};
use crate::context::Context;

/// Brings other objects of the core in line with one object of a model: creates what it needs, follows its changes,
/// removes that again.
///
/// # Guarantees
///
/// - `handle_create` is called for each live object of [`Model`](ModelPolicy::Model), and of models that inherit from
///   it, that no policy has looked at yet (`policed` is unset), `handle_update` for each that a person, another program
///   or a step changed since. When all policies of the object succeeded, `policed` is stored as the version that they
///   were given, so that a change made meanwhile counts. Objects with `no_policy` are left alone while they live.
/// - What a policy saves does not call it again. It makes the object due for its **sync step**, and what a step saves
///   makes it due for its policy; a save that changes nothing does neither.
/// - Before the first call, the core has stored that the object must not be purged before `handle_delete` has run
///   (`backend_need_delete_policy`); nobody has to set a flag. Where a step that takes every object is about to work on
///   it too, its `backend_need_delete` is stored by the same write; elsewhere the step's claim is one write more.
/// - A policy and a step never work on one object at the same time; the policy goes first. `delete_record` waits until
///   `handle_delete` has succeeded. A policy that fails keeps a live object neither from its step nor from others.
/// - When it fails, the error is logged and stored in `policy_status`, `policy_code` becomes 2, and it is tried again
///   with growing delays. They are kept in memory only: after a restart it is tried at once.
///
/// # Assumptions
///
/// **A handler may run twice** for one change: the process may die between what it did and the status. An object that
/// was deleted before any policy looked at it may be purged without `handle_delete`: nothing was done for it. If it is
/// still there, `handle_delete` is called for it, so it must not expect what `handle_create` makes. Objects that
/// another framework policed before this one ran have no claim until their next change.
///
/// # Cancellation
///
/// As for a [`SyncStep`](crate::SyncStep): a handler that takes longer than `engine.step_deadline` is dropped at its
/// next await and counts as failed.
///
/// # Examples
///
/// ```
/// use xos_sync::prelude::*;
///
/// /// Gives each site the abbreviation that it lacks.
/// struct Abbreviate;
///
/// impl ModelPolicy for Abbreviate {
///     type Model = Site;
///
///     async fn handle_create(&self, ctx: &Context, o: &mut Site) -> StepResult {
///         if o.abbreviated_name.is_empty() {
///             o.abbreviated_name = o.name.chars().take(3).collect();
///             ctx.save(o).await?;
///         }
///         Ok(())
///     }
/// }
///
/// let sites = Synchronizer::new("sites").policy(Abbreviate);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model policy",
    note = "implement `ModelPolicy` for it: a `Model`, and the handlers that do something"
)]
pub trait ModelPolicy: Send + Sync + 'static {
    /// The model whose objects it looks at, those of models that inherit from it included.
    type Model: Model;

    /// The object is new: no policy has looked at it. Does nothing by default, which is a success.
    ///
    /// Fields that are set here are stored only by [`ctx.save(o)`](xos_model_client::ModelClient::save).
    ///
    /// # Errors
    ///
    /// [`StepError`](crate::StepError) says how: failed, deferred, innocuous, or waiting. `?` works on any error. The
    /// other policies of the object are called all the same.
    fn handle_create(&self, ctx: &Context, o: &mut Self::Model) -> impl Future<Output = StepResult> + Send {
        let _ = (ctx, o);
        ready(Ok(()))
    }

    /// The object was changed since policies looked at it. Does nothing by default, which is a success.
    ///
    /// # Errors
    ///
    /// As for [`handle_create`](ModelPolicy::handle_create).
    fn handle_update(&self, ctx: &Context, o: &mut Self::Model) -> impl Future<Output = StepResult> + Send {
        let _ = (ctx, o);
        ready(Ok(()))
    }

    /// The object is soft-deleted: removes what the others made. Does nothing by default, which is a success.
    ///
    /// When it returns `Ok`, `delete_record` follows, or the object is purged where no step takes it.
    ///
    /// # Errors
    ///
    /// As for [`handle_create`](ModelPolicy::handle_create). The object stays until it succeeds.
    fn handle_delete(&self, ctx: &Context, o: &Self::Model) -> impl Future<Output = StepResult> + Send {
        let _ = (ctx, o);
        ready(Ok(()))
    }

    /// How many objects this policy works on at once, besides `engine.concurrency`. No limit of its own by default.
    fn concurrency(&self) -> Option<usize> {
        None
    }

    /// What the policy is called in the log: the name of its type.
    fn name(&self) -> &'static str {
        short_type_name::<Self>()
    }
}

/// Which handler is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    Create,
    Update,
    Delete,
}

impl Handler {
    /// The name of the method.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Handler::Create => "handle_create",
            Handler::Update => "handle_update",
            Handler::Delete => "handle_delete",
        }
    }
}

/// A [`ModelPolicy`] without its type. Records come in the shape of its model.
#[async_trait]
pub(crate) trait AnyPolicy: Send + Sync + 'static {
    fn name(&self) -> &'static str;
    fn model(&self) -> &'static ModelDef;
    fn shape(&self) -> &'static Arc<Shape>;
    fn concurrency(&self) -> Option<usize>;
    async fn handle(&self, handler: Handler, ctx: &Context, record: Record) -> StepResult;
}

struct Erased<P>(P);

pub(crate) fn erase_policy<P: ModelPolicy>(policy: P) -> Arc<dyn AnyPolicy> {
    Arc::new(Erased(policy))
}

#[async_trait]
impl<P: ModelPolicy> AnyPolicy for Erased<P> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn model(&self) -> &'static ModelDef {
        P::Model::def()
    }

    fn shape(&self) -> &'static Arc<Shape> {
        P::Model::shape()
    }

    fn concurrency(&self) -> Option<usize> {
        self.0.concurrency()
    }

    async fn handle(&self, handler: Handler, ctx: &Context, record: Record) -> StepResult {
        let mut object = P::Model::from_record(record)?;
        // The texts of a policy become a status as well: without the secrets of its object.
        let mut masks = Masks::of_object(&object);
        let result = match handler {
            Handler::Create => watched(&masks, self.0.handle_create(ctx, &mut object)).await,
            Handler::Update => watched(&masks, self.0.handle_update(ctx, &mut object)).await,
            Handler::Delete => {
                let deleted = watched(&masks, self.0.handle_delete(ctx, &object)).await;
                return deleted.map_err(|error| error.without(&masks));
            }
        };
        if let Err(error) = result {
            masks.join(&Masks::of_object(&object));
            return Err(error.without(&masks));
        }
        // It costs a little, so only where people try things out.
        if cfg!(debug_assertions) {
            warn_of_unsaved(&object);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use xos_model_client::models::Site;

    use super::*;

    struct Idle;

    impl ModelPolicy for Idle {
        type Model = Site;
    }

    #[test]
    fn a_policy_is_called_by_its_type_and_has_no_limit() {
        let policy = erase_policy(Idle);
        assert_eq!(
            (policy.name(), policy.concurrency(), policy.model().name.as_ref()),
            ("Idle", None, "Site")
        );
    }

    #[cfg(feature = "embedded")]
    #[tokio::test]
    async fn a_missing_handler_is_a_success() {
        let core = crate::testing::MockAccessor::new();
        let policy = erase_policy(Idle);
        for handler in [Handler::Create, Handler::Update, Handler::Delete] {
            let site = Site { name: "Arya".into(), ..Default::default() };
            let record = Record::new(Site::shape().clone(), site.values());
            let result = policy.handle(handler, &core.policy_context(), record).await;
            assert!(result.is_ok(), "{}: {result:?}", handler.method());
        }
    }
}
