//! The usual job of a pull step: the objects of a model are to match what the backend has.

mod plan;
mod write;

use std::fmt;

use tracing::debug;
use xos_model_client::{Cond, IsA, Model, Objects};

use self::plan::Plan;
use crate::context::Context;
use crate::step::{StepError, StepResult};

/// How many failures are told with their text.
const TOLD: usize = 10;

/// So many objects are never deleted because of an empty answer, unless that is allowed.
const DELETED_BY_NOTHING: usize = 10;

type Key<T> = Box<dyn Fn(&T) -> String + Send + Sync>;
type Create<M, I> = Box<dyn Fn(&I) -> StepResult<M> + Send + Sync>;
type Update<M, I> = Box<dyn Fn(&I, &mut M) -> StepResult + Send + Sync>;
type Wake<M, I> = Box<dyn Fn(&I, &M) -> bool + Send + Sync>;

/// Makes the objects of model `M` match what the backend has, in one pass: creates what is missing, updates what
/// differs, deletes what is gone. Made by [`Context::reconcile`].
///
/// # Guarantees
///
/// - Only what differs is written, all together where the core can do that.
/// - A bad item does not stop the others: [`run`](Reconcile::run) fails in the end, with the keys and texts of the
///   first 10 that failed, and how many more there are. While an object cannot be read, none is created; while an
///   item has no key (its closure panicked), none is deleted.
/// - An object is deleted only when it is in the [`scope`](Reconcile::scope), and when the backend's list is credible
///   ([`delete_at_most`](Reconcile::delete_at_most)). An item whose object is being deleted is left alone: it is not
///   created again.
/// - Objects that it creates have `xos_managed = false` and, unless [`wake_if`](Reconcile::wake_if) says otherwise,
///   `no_sync`: no sync step makes them once more.
/// - When the core is away the pass ends; the next one does the rest.
///
/// The items must be **all** that the backend has: when listing fails, return that error instead of a part.
#[must_use = "nothing is done before `run`"]
pub struct Reconcile<M, I> {
    ctx: Context,
    items: Vec<I>,
    among: Objects<M>,
    scope: Option<Objects<M>>,
    item_key: Key<I>,
    object_key: Key<M>,
    create: Option<Create<M, I>>,
    update: Option<Update<M, I>>,
    wake: Wake<M, I>,
    delete_at_most: Option<f64>,
}

/// What a [`Reconcile`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reconciled {
    /// How many objects were created.
    pub created: usize,
    /// How many were changed.
    pub updated: usize,
    /// How many were deleted.
    pub deleted: usize,
    /// How many were as they should be.
    pub unchanged: usize,
    /// What failed: the key of the item or object, and why.
    pub failed: Vec<(String, String)>,
}

/// What a closure may return: a value, or a [`StepResult`] with one.
pub trait OrFails<T> {
    /// The value, or the error.
    ///
    /// # Errors
    ///
    /// What the closure returned.
    fn or_fails(self) -> StepResult<T>;
}

impl<T> OrFails<T> for T {
    fn or_fails(self) -> StepResult<T> {
        Ok(self)
    }
}

impl<T> OrFails<T> for StepResult<T> {
    fn or_fails(self) -> StepResult<T> {
        self
    }
}

impl Context {
    /// Makes the objects of model `M` match these items, which are all that the backend has; see [`Reconcile`].
    ///
    /// # Examples
    ///
    /// ```
    /// use xos_sync::prelude::*;
    ///
    /// /// What the backend says.
    /// struct Found {
    ///     name: String,
    ///     login: String,
    /// }
    ///
    /// async fn pull(ctx: &Context, found: Vec<Found>) -> StepResult {
    ///     let done = ctx
    ///         .reconcile::<Site, _>(found)
    ///         .key(|found| found.name.clone(), |site| site.name.clone())
    ///         .create(|found| Site {
    ///             name: found.name.clone(),
    ///             login_base: found.login.clone(),
    ///             abbreviated_name: found.name.clone(),
    ///             ..Default::default()
    ///         })
    ///         .update(|found, site| site.login_base = found.login.clone())
    ///         .run()
    ///         .await?;
    ///     info!(created = done.created, deleted = done.deleted, "sites pulled");
    ///     Ok(())
    /// }
    /// # xos_sync::__private::run_test(async {
    /// # let core = MockAccessor::new();
    /// # pull(&core.pull_context(), vec![Found { name: "Winterfell".into(), login: "w".into() }]).await?;
    /// # pull(&core.pull_context(), vec![Found { name: "Winterfell".into(), login: "wf".into() }]).await?;
    /// # assert_eq!(core.objects::<Site>().one().await?.login_base, "wf");
    /// # Ok::<(), StepError>(())
    /// # }).unwrap();
    /// ```
    pub fn reconcile<M: Model, I: Send + Sync>(&self, items: impl IntoIterator<Item = I>) -> Reconcile<M, I> {
        Reconcile {
            ctx: self.clone(),
            items: items.into_iter().collect(),
            among: self.objects::<M>(),
            scope: None,
            item_key: Box::new(|_| String::new()),
            object_key: Box::new(|_| String::new()),
            create: None,
            update: None,
            wake: Box::new(|_, _| false),
            delete_at_most: None,
        }
    }
}

impl<M: Model, I: Send + Sync> Reconcile<M, I> {
    /// How an item and its object find each other: what they are called, the same in both. Required.
    pub fn key<K: fmt::Display, L: fmt::Display>(
        mut self,
        of_item: impl Fn(&I) -> K + Send + Sync + 'static,
        of_object: impl Fn(&M) -> L + Send + Sync + 'static,
    ) -> Self {
        self.item_key = Box::new(move |item| of_item(item).to_string());
        self.object_key = Box::new(move |object| of_object(object).to_string());
        self
    }

    /// Looks only at objects that fulfil this condition: what is not among them is neither matched nor deleted. For
    /// several backends that share a model.
    pub fn among<B: Model>(mut self, condition: Cond<B>) -> Self
    where
        M: IsA<B>,
    {
        self.among = self.among.filter(condition);
        self
    }

    /// Deletes only objects that fulfil this condition, instead of those with `xos_managed = false`. Several
    /// conditions must all hold. Objects outside are matched and updated all the same.
    pub fn scope<B: Model>(mut self, condition: Cond<B>) -> Self
    where
        M: IsA<B>,
    {
        self.scope = Some(self.scope.unwrap_or_else(|| self.ctx.objects::<M>()).filter(condition));
        self
    }

    /// The object for an item that has none, not yet stored. Without it nothing is created.
    pub fn create<R: OrFails<M>>(mut self, make: impl Fn(&I) -> R + Send + Sync + 'static) -> Self {
        self.create = Some(Box::new(move |item| make(item).or_fails()));
        self
    }

    /// Sets what the item says in its object. What differs then is written. Without it nothing is updated.
    pub fn update<R: OrFails<()>>(mut self, set: impl Fn(&I, &mut M) -> R + Send + Sync + 'static) -> Self {
        self.update = Some(Box::new(move |item, object| set(item, object).or_fails()));
        self
    }

    /// For which of the objects that are created or changed the sync step is to run: those are created without
    /// `no_sync`, and changed with a new `updated`. By default for none: the backend has what the object says.
    pub fn wake_if(mut self, wake: impl Fn(&I, &M) -> bool + Send + Sync + 'static) -> Self {
        self.wake = Box::new(wake);
        self
    }

    /// Deletes nothing when more than this share of the objects in the scope (0 to 1) is missing in the list: then the
    /// backend may have answered by mistake, and the pass fails. By default a list with anything in it is believed,
    /// and an empty one as long as not more than 10 objects would go.
    pub fn delete_at_most(mut self, share: f64) -> Self {
        self.delete_at_most = Some(share);
        self
    }

    /// Does it.
    ///
    /// # Errors
    ///
    /// Items and objects that failed, listed after everything else was done; a core that is away.
    pub async fn run(self) -> StepResult<Reconciled> {
        let done = self.outcome().await?;
        match done.problem() {
            Some(problem) => Err(StepError::failed(problem)),
            None => Ok(done),
        }
    }

    /// Does it, and says what failed without making an error of it.
    ///
    /// # Errors
    ///
    /// A core that is away, or refuses to be read.
    pub async fn outcome(self) -> StepResult<Reconciled> {
        let Reconciled { created, updated, deleted, unchanged, failed } = {
            let (mut done, plan) = Plan::make(&self).await?;
            plan.carry_out(&self.ctx, &mut done).await?;
            done
        };
        let counts = (created + updated + deleted, failed.len());
        if counts != (0, 0) {
            debug!(created, updated, deleted, unchanged, failed = failed.len(), "reconciled");
        }
        Ok(Reconciled { created, updated, deleted, unchanged, failed })
    }
}

impl Reconciled {
    fn fail(&mut self, key: impl Into<String>, error: impl Into<String>) {
        self.failed.push((key.into(), error.into()));
    }

    /// What is said about the failures.
    fn problem(&self) -> Option<String> {
        if self.failed.is_empty() {
            return None;
        }
        let ok = self.created + self.updated + self.deleted + self.unchanged;
        let told: Vec<String> =
            self.failed.iter().take(TOLD).map(|(key, error)| format!("{key}: {error}")).collect();
        let more = self.failed.len().saturating_sub(TOLD);
        let more = if more == 0 { String::new() } else { format!("; and {more} more") };
        Some(format!("{} failed, {ok} are well: {}{more}", self.failed.len(), told.join("; ")))
    }
}

impl<M, I> fmt::Debug for Reconcile<M, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reconcile({} items)", self.items.len())
    }
}
