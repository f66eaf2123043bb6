//! What the shell tells the engine.

use std::time::Duration;

use super::types::{Fact, FailureKind, Lane, ModelId, ObjectKey, ReadId, Run, Term, TextHash, Version};

/// One thing that happened. Each is given to [`Engine::step`](super::Engine::step) with the time.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// What a read says about some objects. At most about a thousand at a time, so that no step takes long.
    ///
    /// # Assumptions
    /// For every change the feed announces, a read *started after* the announcement tells about the object
    /// (or says that it is gone, see [`Event::Vanished`]): an announcement during a read of the same object
    /// needs another read. Facts of one read arrive in the order in which they were read.
    Facts(&'a [Fact<'a>]),
    /// A read that started as `read` looked for this object and there is none.
    Vanished(ObjectKey, ReadId),
    /// The feed says that an object changed which no [`Fact`] will be told about: one asked for by
    /// [`Action::Watch`](super::Action::Watch) whose model is not observed.
    Changed(ObjectKey),
    /// What this lane of this object waits for ([`Outcome::WaitUntil`]) has come, or the object waited for is gone. Too
    /// late does no harm.
    Met(ObjectKey, Lane),
    /// What made this object fail is gone: what failed is tried again at once, in both lanes.
    Retry(ObjectKey),
    /// A read starts. It lists everything that is due or doomed of these models; none of them, when it only
    /// looks at single objects.
    ReadStarted(ReadId, &'a [ModelId]),
    /// A read has ended; all its facts were told before. Every started read must end, also a failed one.
    ReadEnded(ReadId, Complete),
    /// The feed may have missed changes: everything has to be read again ([`Action::Scan`](super::Action::Scan)).
    Gap,
    /// The record was read again for this run, and this is what the read says: the step works on that version,
    /// and a success enacts it. Without this event, that is the version in the facts before the start. If the
    /// object no longer asks for the run (it is clean and the run is not [`Why::Recheck`](super::Why::Recheck),
    /// or it is doomed now), tell [`Event::Facts`] (or [`Event::Vanished`]) and [`Outcome::Skipped`] (or
    /// [`Outcome::Gone`]) instead.
    Fetched(Run, &'a Fact<'a>),
    /// The step has ended, or was not begun.
    Finished(Run, Outcome),
    /// The answer to [`Action::Store`](super::Action::Store): only now is the run over and the object free.
    /// For a success, the version that was stored as `enacted` (or `policed`).
    Stored(Run, Result<Version, StoreFault>),
    /// The moment of the last [`Action::Wake`](super::Action::Wake) has come. Too early or too often does no harm.
    Timer,
    /// The core answers again. Results that waited are stored, and everything is read again.
    CoreUp,
    /// The core is away: nothing starts, running steps go on, results wait.
    CoreDown,
    /// This replica leads. A new engine starts nothing before it. Everything is read.
    Leader(Term),
    /// Another one leads, or nobody: all runs are cancelled, everything known is dropped, nothing is stored.
    /// All watches end without [`Action::Unwatch`](super::Action::Unwatch); reads under way still have to be
    /// ended, and results under way need no answer.
    LeaderLost,
    /// Start nothing in this scope until it is resumed. Runs go on.
    Pause(Scope),
    /// The opposite of [`Event::Pause`] with the same scope.
    Resume(Scope),
    /// Answered by [`Action::Answer`](super::Action::Answer).
    Ask(ObjectKey),
    /// Start nothing any more; [`Action::Drained`](super::Action::Drained) when nothing runs and nothing waits
    /// to be stored.
    Shutdown,
}

/// Whether a read saw all it was announced to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complete {
    /// Everything due or doomed of its models was told: what it did not contain is not due any more.
    Whole,
    /// It failed, or it was never meant to list all.
    Partial,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All handlers succeeded.
    Done {
        /// Look again after this.
        recheck: Option<Duration>,
    },
    /// A handler returned an error, or the claim could not be stored for a reason that is the object's.
    Failed {
        /// How.
        kind: FailureKind,
        /// The step's own wish for the delay; it replaces the backoff, without jitter.
        retry_after: Option<Duration>,
        /// The message.
        text: TextHash,
    },
    /// `StepError::wait_for`: no failure is counted, nothing is stored; runs again when that object changes.
    WaitFor {
        /// The object waited for, of any model.
        key: ObjectKey,
        /// Runs again after this at the latest.
        at_most: Duration,
    },
    /// A condition on an object does not hold yet: no failure is counted; runs again when the shell says that it does
    /// ([`Event::Met`]), whatever else changes about that object.
    WaitUntil {
        /// The object waited for, of any model; it may be the run's own.
        key: ObjectKey,
        /// Runs again after this at the latest.
        at_most: Duration,
        /// What is waited for has to be stored ([`Store::Waiting`](super::Store::Waiting)): the core does not show it.
        show: bool,
    },
    /// The core was away, leadership was lost, the program stops: no status, no failure counted.
    Interrupted,
    /// The step was not begun: the read at the start found that the object no longer asks for it, and the
    /// facts of that read were told before this.
    Skipped,
    /// There is no such object any more.
    Gone,
    /// A handler panicked with this message.
    Panicked {
        /// The message.
        text: TextHash,
    },
    /// Cancelled after its deadline.
    TimedOut,
}

/// Why a result was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// The core is away: stored again when it is back. Storing the same result twice does no harm.
    Away,
    /// The object changed in between (a guard refused the write): its facts decide what happens next.
    Conflict,
    /// The core refuses this write for good: counted as a failure, tried again with backoff.
    Rejected {
        /// The core's message.
        text: TextHash,
    },
    /// There is no such object any more.
    Gone,
}

/// What a pause is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// The objects of one leaf model.
    Model(ModelId),
    /// One object.
    Object(ObjectKey),
}

impl Outcome {
    /// A plain success.
    pub const DONE: Self = Self::Done { recheck: None };

    /// A plain failure with this message.
    pub fn failed(text: &str) -> Self {
        Self::Failed { kind: FailureKind::Failed, retry_after: None, text: TextHash::of(text) }
    }

    /// A deferral with this message.
    pub fn deferred(text: &str) -> Self {
        Self::Failed { kind: FailureKind::Deferred, retry_after: None, text: TextHash::of(text) }
    }
}
