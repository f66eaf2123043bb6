//! How a step says that it did not succeed.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use xos_model_client::{Link, Masks, Model, ModelName, ObjectId};

use super::wait::Condition;

/// Why a step did not succeed, and when it should be tried again.
///
/// `?` makes one of any error, and of a text: it then means [`failed`](StepError::failed), with one exception: our own
/// errors that say that the core is away or the synchronizer is stopping mean *interrupted*. No status is written
/// then, no failure counted, and the object runs again when the cause is over.
///
/// It does not implement [`std::error::Error`], so that `?` can take everything that does.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use xos_sync::{StepError, StepResult};
///
/// fn check(port: &str) -> StepResult<u16> {
///     if port.is_empty() {
///         return Err(StepError::deferred("the port is not known yet").retry_after(Duration::from_secs(2)));
///     }
///     Ok(port.parse()?)
/// }
///
/// assert_eq!(check("").unwrap_err().to_string(), "the port is not known yet");
/// assert_eq!(check("x").unwrap_err().to_string(), "invalid digit found in string");
/// ```
pub struct StepError(Box<Inner>);

struct Inner {
    kind: StepErrorKind,
    text: String,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    condition: Option<Condition>,
}

/// In which way a step did not succeed.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepErrorKind {
    /// Something is wrong. `backend_code` becomes 2; tried again with growing delays.
    Failed,
    /// It is too early. `backend_code` becomes 2; logged as information, tried again sooner.
    Deferred,
    /// Nothing is wrong, but nothing was done either. `backend_code` becomes 1; tried again.
    Innocuous,
    /// Another object must change first, or something must become of it. No failure is counted. What
    /// [`ctx.wait_for`](crate::Context::wait_for) waits for is stored for people; otherwise nothing is.
    WaitFor {
        /// Its model.
        model: ModelName,
        /// Its id.
        id: ObjectId,
        /// Tried again after this even if it does not change.
        at_most: Duration,
    },
    /// The core is away, or the synchronizer is stopping. No failure is counted, nothing is stored.
    Interrupted,
}

/// How long a step waits for another object at most, when it does not say.
const WAIT_AT_MOST: Duration = Duration::from_secs(60);

impl StepError {
    fn new(kind: StepErrorKind, text: impl Into<String>) -> Self {
        StepError(Box::new(Inner {
            kind,
            text: text.into(),
            retry_after: None,
            source: None,
            condition: None,
        }))
    }

    /// Something is wrong. The text goes into `backend_status`, where people see it.
    pub fn failed(text: impl Into<String>) -> Self {
        StepError::new(StepErrorKind::Failed, text)
    }

    /// It is too early; nothing is wrong.
    pub fn deferred(text: impl Into<String>) -> Self {
        StepError::new(StepErrorKind::Deferred, text)
    }

    /// Nothing is wrong, but nothing was done either.
    pub fn innocuous(text: impl Into<String>) -> Self {
        StepError::new(StepErrorKind::Innocuous, text)
    }

    /// Another object must change first: the step runs again when it does, or after a minute.
    pub fn wait_for<M: Model>(link: &Link<M>) -> Self {
        let (model, id) = (ModelName::Borrowed(M::MODEL_NAME), link.id());
        let text = format!("waits for {model} {id}");
        StepError::new(StepErrorKind::WaitFor { model, id, at_most: WAIT_AT_MOST }, text)
    }

    /// A condition on an object does not hold yet.
    pub(crate) fn wait_until(
        (model, id): (ModelName, ObjectId),
        text: String,
        at_most: Option<Duration>,
        condition: Condition,
    ) -> Self {
        let at_most = at_most.unwrap_or(WAIT_AT_MOST);
        let mut error = StepError::new(StepErrorKind::WaitFor { model, id, at_most }, text);
        error.0.condition = Some(condition);
        error
    }

    /// What has to become of the object that is waited for.
    pub(crate) fn condition(&self) -> Option<&Condition> {
        self.0.condition.as_ref()
    }

    /// Tries again after this instead of after the usual delay.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        if let StepErrorKind::WaitFor { at_most, .. } = &mut self.0.kind {
            *at_most = delay;
        }
        self.0.retry_after = Some(delay);
        self
    }

    /// In which way the step did not succeed.
    pub fn kind(&self) -> &StepErrorKind {
        &self.0.kind
    }

    /// The delay that the step asked for.
    pub fn delay(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The error that caused it.
    pub fn source(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// The same error, its texts without the secrets of an object. What each handler returns is cleaned like this of
    /// the secrets of its own record, before it is stored or logged.
    pub fn without(mut self, masks: &Masks) -> Self {
        if masks.is_empty() {
            return self;
        }
        if let Cow::Owned(text) = masks.clean(self.0.text.as_str()) {
            self.0.text = text;
        }
        if let Some(source) = &self.0.source {
            let texts: Vec<String> = causes(source.as_ref()).map(ToString::to_string).collect();
            // An error that has secrets also has them in its fields, for whoever looks: only the texts stay.
            if texts.iter().any(|text| matches!(masks.clean(text.as_str()), Cow::Owned(_))) {
                let clean = |cause, text: &String| {
                    Some(Box::new(Cleaned { text: masks.clean(text.as_str()).into_owned(), cause }))
                };
                let cleaned = texts.iter().rev().fold(None, clean);
                self.0.source = cleaned.map(|cleaned| cleaned as Box<dyn StdError + Send + Sync>);
            }
        }
        self
    }

    /// The text with the causes of its cause, as it is stored for people.
    pub fn chain(&self) -> String {
        let mut text = self.0.text.clone();
        let mut cause = self.0.source.as_ref().and_then(|source| source.source());
        while let Some(error) = cause {
            let more = error.to_string();
            if !text.ends_with(&more) {
                text.push_str(": ");
                text.push_str(&more);
            }
            cause = error.source();
        }
        text
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for StepError {
    fn from(error: E) -> Self {
        let source: Box<dyn StdError + Send + Sync> = error.into();
        let interrupted = is_interruption(source.as_ref());
        let kind = if interrupted { StepErrorKind::Interrupted } else { StepErrorKind::Failed };
        let text = source.to_string();
        StepError(Box::new(Inner { kind, text, retry_after: None, source: Some(source), condition: None }))
    }
}

/// An error and what caused it, one after the other.
fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn StdError + 'static)| (*error).source())
}

/// What is left of an error that showed a secret.
#[derive(Debug)]
struct Cleaned {
    text: String,
    cause: Option<Box<Cleaned>>,
}

impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Cleaned {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

/// Also inside another error: a step may wrap what it got.
fn is_interruption(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // `source()` of an I/O error leaves out the error that it was made of.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if inner.is_some_and(|inner| is_interruption(inner)) {
            return true;
        }
        if error
            .downcast_ref::<xos_model_client::Error>()
            .is_some_and(xos_model_client::Error::is_interruption)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:?})", self.0.kind, self.0.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xos_model_client::models::Service;

    #[test]
    fn a_text_and_an_error_mean_failed() {
        let of_text: StepError = "Maybe not".into();
        let of_error: StepError = std::fmt::Error.into();
        assert_eq!((of_text.kind(), of_error.kind()), (&StepErrorKind::Failed, &StepErrorKind::Failed));
        assert_eq!(of_text.to_string(), "Maybe not");
    }

    #[test]
    fn a_core_that_is_away_interrupts() {
        let away: StepError = xos_model_client::Error::away("restarting").into();
        assert_eq!(away.kind(), &StepErrorKind::Interrupted);
        let wrapped: StepError = std::io::Error::other(xos_model_client::Error::away("restarting")).into();
        assert_eq!(wrapped.kind(), &StepErrorKind::Interrupted);
    }

    #[test]
    fn waiting_names_the_object() {
        let error = StepError::wait_for(&Link::<Service>::to(5)).retry_after(Duration::from_secs(1));
        assert_eq!(error.to_string(), "waits for Service 5");
        let expected = StepErrorKind::WaitFor {
            model: "Service".into(),
            id: ObjectId::new(5),
            at_most: Duration::from_secs(1),
        };
        assert_eq!(error.kind(), &expected);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot reach the switch")]
    struct Unreachable(#[source] std::io::Error);

    #[test]
    fn no_part_of_an_error_shows_a_secret() {
        let mut masks = Masks::default();
        masks.add(&"canary".into());
        let io = || Unreachable(std::io::Error::other("no route to canary"));
        let error = StepError::from(io()).without(&masks);
        assert_eq!(error.chain(), "cannot reach the switch: no route to ***");
        assert!(!format!("{error:?} {:?}", error.source()).contains("canary"));
        let error = StepError::deferred("canary sleeps").retry_after(WAIT_AT_MOST).without(&masks);
        assert_eq!((error.to_string().as_str(), error.delay()), ("*** sleeps", Some(WAIT_AT_MOST)));
        // Nothing to hide: the error stays what it was.
        let kept = StepError::from(io()).without(&Masks::default());
        assert!(kept.source().unwrap().is::<Unreachable>());
    }

    #[test]
    fn the_chain_has_every_cause_once() {
        let error: StepError = Unreachable(std::io::Error::other("no route")).into();
        assert_eq!(error.chain(), "cannot reach the switch: no route");
        assert_eq!(error.to_string(), "cannot reach the switch");
    }
}
