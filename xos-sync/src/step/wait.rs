//! Waiting until something has become of an object: [`Context::wait_for`].

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use xos_model_client::{
    Error, ErrorKind, IsA, Model, ModelName, ObjectId, PointsAt, Record, Shape, Timestamp, Value,
};

use super::{StepError, StepResult};
use crate::context::Context;

/// What [`Context::wait_for`] waits for: an object, and what has to become of it. Made by [`ready`], [`policed`] and
/// [`until`].
#[must_use = "nothing is waited for until it is given to ctx.wait_for"]
pub struct Wait<M> {
    id: ObjectId,
    what: What,
    holds: Holds,
    at_most: Option<Duration>,
    model: PhantomData<fn() -> M>,
}

/// Whether a record is as it should be.
type Holds = Arc<dyn Fn(&Record) -> bool + Send + Sync>;

/// What has to become of the object, in words.
enum What {
    Ready,
    Policed,
    Until(Cow<'static, str>),
}

/// A condition without its type, for the engine's shell.
#[derive(Clone)]
pub(crate) struct Condition {
    /// The shape in which the object has to be read.
    pub(crate) shape: Arc<Shape>,
    pub(crate) holds: Holds,
}

/// The object is synchronized: `backend_code` is 1, and nobody changed it since (`enacted`).
///
/// # Examples
///
/// ```
/// use xos_sync::prelude::*;
///
/// async fn connect(ctx: &Context, o: &Port) -> StepResult {
///     let network: Network = ctx.wait_for(ready(&o.network)).await?;
///     println!("{} is there: {:?}", network.name, network.backend_handle);
///     Ok(())
/// }
/// ```
pub fn ready<P: PointsAt>(object: &P) -> Wait<P::Object> {
    Wait::new(object.object_id(), What::Ready, |record| {
        let times = [time(record, "updated"), time(record, "changed_by_policy")];
        is_done(record, "backend_code", "enacted", times)
    })
}

/// The policies of the object have looked at all that a person or a step changed, and succeeded: `policy_code` is 1, and
/// `policed` is up to date. The object may be the step's own.
///
/// # Examples
///
/// ```
/// use xos_sync::prelude::*;
///
/// async fn sync_record(ctx: &Context, o: &mut ServiceInstance) -> StepResult {
///     *o = ctx.wait_for(policed(&*o)).await?;
///     Ok(())
/// }
/// ```
pub fn policed<P: PointsAt>(object: &P) -> Wait<P::Object> {
    Wait::new(object.object_id(), What::Policed, |record| {
        let times = [time(record, "updated"), time(record, "changed_by_step")];
        is_done(record, "policy_code", "policed", times)
    })
}

/// The object is as `holds` says. `what` says it in words, for people: "has an address". `holds` must be quick, and may
/// look at the object only.
///
/// # Examples
///
/// ```
/// use xos_sync::prelude::*;
///
/// async fn address(ctx: &Context, link: &Link<Port>) -> StepResult<String> {
///     let port = ctx.wait_for(until(link, "has an address", |port: &Port| port.ip.is_some())).await?;
///     Ok(port.ip.clone().unwrap_or_default())
/// }
/// ```
pub fn until<M, P>(
    object: &P,
    what: impl Into<Cow<'static, str>>,
    holds: impl Fn(&M) -> bool + Send + Sync + 'static,
) -> Wait<M>
where
    M: Model + IsA<P::Object>,
    P: PointsAt,
{
    Wait::new(object.object_id(), What::Until(what.into()), move |record| {
        // One that does not convert is given back: the caller's error says why.
        M::from_record(record.clone()).map_or(true, |object| holds(&object))
    })
}

impl<M> Wait<M> {
    fn new(id: ObjectId, what: What, holds: impl Fn(&Record) -> bool + Send + Sync + 'static) -> Self {
        Wait { id, what, holds: Arc::new(holds), at_most: None, model: PhantomData }
    }

    /// Looks again after this even if nothing has become of it, instead of after a minute.
    pub fn at_most(self, limit: Duration) -> Self {
        Wait { at_most: Some(limit), ..self }
    }

    /// The object as a more specific model.
    pub fn leaf<T: Model + IsA<M>>(self) -> Wait<T> {
        let Wait { id, what, holds, at_most, .. } = self;
        Wait { id, what, holds, at_most, model: PhantomData }
    }
}

impl<M> fmt::Debug for Wait<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("id", &self.id).field("at_most", &self.at_most).finish_non_exhaustive()
    }
}

impl Context {
    /// Reads an object and gives it back when it is as the caller needs it. Otherwise the error, which `?` hands on,
    /// parks the run's own object: it runs again when that has become of the other one, and not before.
    ///
    /// # Guarantees
    ///
    /// - No failure is counted. `backend_status` (of a policy: `policy_status`) says what is waited for, with code 0; it
    ///   is written once, however long that takes.
    /// - The object runs again when the condition holds, when the other object is gone, when it changes itself, or after
    ///   a minute ([`Wait::at_most`] says otherwise). Nothing is polled where the core tells of changes.
    /// - Objects that wait for each other are told of in the log and by the verb `explain`; the limit ends that.
    ///
    /// # Errors
    ///
    /// [`StepErrorKind::WaitFor`](crate::StepErrorKind::WaitFor) while the condition does not hold, and what reading can
    /// meet: an object that does not exist, or a link that leads nowhere.
    pub async fn wait_for<M: Model>(&self, wait: Wait<M>) -> StepResult<M> {
        let Wait { id, what, holds, at_most, .. } = wait;
        if !id.is_set() {
            let text = format!("cannot wait for a {}: the link to it is not set", M::MODEL_NAME);
            return Err(StepError::failed(text));
        }
        let mut found = self.accessor().get(M::shape(), &[id]).await?;
        let Some(record) = found.pop().flatten() else {
            let missing: Error = ErrorKind::NotFound { model: M::MODEL_NAME.into(), id }.into();
            return Err(missing.into());
        };
        if holds(&record) {
            return Ok(M::from_record(record)?);
        }
        let text = what.not_yet(&title(&record, M::MODEL_NAME));
        let object = (ModelName::Borrowed(M::MODEL_NAME), id);
        Err(StepError::wait_until(object, text, at_most, Condition { shape: M::shape().clone(), holds }))
    }
}

impl What {
    fn not_yet(&self, object: &str) -> String {
        match self {
            What::Ready => format!("waits for {object} to be ready"),
            What::Policed => format!("waits for the policy of {object}"),
            What::Until(what) => format!("waits until {object} {what}"),
        }
    }
}

/// What people call an object: its most specific model, id and name.
pub(crate) fn title(record: &Record, model: &str) -> String {
    let text = |field| record.get(field).and_then(Value::as_text).filter(|text| !text.is_empty());
    let model = text("leaf_model_name").unwrap_or(model);
    match text("name") {
        Some(name) => format!("{model} {} ({name})", record.id()),
        None => format!("{model} {}", record.id()),
    }
}

fn time(record: &Record, field: &str) -> Option<Timestamp> {
    record.get(field).and_then(Value::as_time).filter(|time| time.is_set())
}

/// Whether the live object shows a success, and one that is not older than any of these times.
fn is_done(record: &Record, code: &str, done: &str, changed: [Option<Timestamp>; 2]) -> bool {
    let is_deleted = record.get("deleted").and_then(Value::as_bool).unwrap_or(false);
    let is_ok = record.get(code).and_then(Value::as_int) == Some(1);
    let done = time(record, done);
    !is_deleted && is_ok && done.is_some() && changed.into_iter().max() <= Some(done)
}

#[cfg(all(test, feature = "embedded"))]
mod tests {
    use super::*;
    use crate::step::StepErrorKind;
    use crate::testing::MockAccessor;
    use xos_model_client::Link;
    use xos_model_client::models::{Service, Site};

    fn site(name: &str) -> Site {
        Site { name: name.into(), login_base: "x".into(), abbreviated_name: "x".into(), ..Default::default() }
    }

    #[tokio::test]
    async fn the_error_says_what_is_waited_for() {
        let core = MockAccessor::new();
        let arya = core.create(site("Arya")).await.unwrap();
        let ctx = core.context();
        let kind = |seconds| StepErrorKind::WaitFor {
            model: "Site".into(),
            id: arya.id,
            at_most: Duration::from_secs(seconds),
        };
        let error = ctx.wait_for(ready(&arya)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("waits for Site {} (Arya) to be ready", arya.id));
        assert_eq!(error.kind(), &kind(60));
        let wait = policed(&Link::of(&arya)).at_most(Duration::from_secs(5));
        let error = ctx.wait_for::<Site>(wait).await.unwrap_err();
        assert_eq!(error.to_string(), format!("waits for the policy of Site {} (Arya)", arya.id));
        assert_eq!(error.kind(), &kind(5));
        let wait = until(&arya, "has a page", |o: &Site| o.site_url.is_some());
        let error = ctx.wait_for(wait).await.unwrap_err();
        assert_eq!(error.to_string(), format!("waits until Site {} (Arya) has a page", arya.id));
    }

    #[tokio::test]
    async fn what_is_as_it_should_be_is_given_back() {
        let core = MockAccessor::new();
        let arya = core.create(site("Arya")).await.unwrap();
        let wait = until(&Some(Link::<Site>::of(&arya)), "is Arya", |o: &Site| o.name == "Arya");
        assert_eq!(core.context().wait_for(wait).await.unwrap().id, arya.id);
    }

    #[tokio::test]
    async fn nothing_to_wait_for_is_a_failure() {
        let core = MockAccessor::new();
        core.load::<Service>().await.unwrap();
        let ctx = core.context();
        let error = ctx.wait_for(ready(&None::<Link<Service>>)).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot wait for a Service: the link to it is not set");
        let error = ctx.wait_for(ready(&Link::<Service>::to(77))).await.unwrap_err();
        assert_eq!(error.kind(), &StepErrorKind::Failed);
    }
}
