//! What the engine demands of the shell.

use std::time::Duration;

use super::explain::Explanation;
use super::types::{FailureKind, Lane, ModelId, Moment, ObjectKey, ReadId, Run, Verb, Version, Why};

/// One thing to do. The shell carries them out in order, but need not wait for one before the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Run a step: claim if asked, then all handlers, then answer with
    /// [`Event::Finished`](super::Event::Finished), whatever happens.
    Start {
        /// Names this run in every answer.
        run: Run,
        /// The object.
        key: ObjectKey,
        /// Its leaf model: decides which handlers run.
        leaf: ModelId,
        /// The lane, that of the verb.
        lane: Lane,
        /// What to do.
        verb: Verb,
        /// Store before the first effect outside that it has to be undone: `backend_need_delete` in the sync lane,
        /// `backend_need_delete_policy` in the policy lane.
        claim: bool,
        /// 1 for the first try of this version.
        attempt: u16,
        /// Why now.
        why: Why,
        /// When [`Action::Cancel`] will come; [`Moment::NEVER`] without a deadline.
        deadline: Moment,
        /// A record that an earlier read read may be out of date, or show what was before the last result.
        fresh_from: ReadId,
    },
    /// Write a result and answer with [`Event::Stored`](super::Event::Stored). Repeated for the same run after
    /// [`StoreFault::Away`](super::StoreFault::Away).
    Store {
        /// The run whose result it is. It has finished.
        run: Run,
        /// The object.
        key: ObjectKey,
        /// Which of `enacted`/`backend_*` and `policed`/`policy_*` it is about.
        lane: Lane,
        /// What to write.
        what: Store,
    },
    /// The object of this run changed or is being deleted: `ctx.superseded()`. At most once a run.
    Superseded(Run),
    /// Stop this run at its next await and answer `Finished`. Until then it keeps its slot and its object.
    Cancel {
        /// The run.
        run: Run,
        /// Why.
        why: Cancel,
    },
    /// Give [`Event::Timer`](super::Event::Timer) at this moment; replaces the one before. A moment that is
    /// not later than now means: after the other events that are waiting. [`Moment::NEVER`]: not at all.
    Wake(Moment),
    /// Read everything due or doomed of these models, one read for each, in this order: targets first.
    /// Replaces a scan that is still under way.
    Scan(Box<[ModelId]>),
    /// A step waits for this object: see that its changes are told, as facts or as
    /// [`Event::Changed`](super::Event::Changed), and that of a condition on it ([`Outcome::WaitUntil`]) is told when it
    /// holds.
    ///
    /// [`Outcome::WaitUntil`]: super::Outcome::WaitUntil
    Watch(ObjectKey),
    /// Nobody waits for this object any more.
    Unwatch(ObjectKey),
    /// Something a person may want to read.
    Note(Note),
    /// The answer to [`Event::Ask`](super::Event::Ask).
    Answer(Box<Explanation>),
    /// After [`Event::Shutdown`](super::Event::Shutdown): nothing runs, nothing waits to be stored. Once.
    Drained,
}

/// What to write for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// `enacted` (or `policed`) = `as_fetched`, status "OK", code 1, the register cleared.
    Success {
        /// The version the step worked on, so that a change made meanwhile is not lost. Where the record that
        /// the step got is enacted at a later one already (a re-check), that one stays.
        as_fetched: Version,
    },
    /// The failure, whose text the shell has.
    Failure {
        /// Decides the code.
        kind: FailureKind,
        /// Failures so far, this one included.
        attempts: u16,
        /// The delay before the next try, as it was computed.
        delay: Duration,
        /// When that is.
        next_run: Moment,
        /// The version that failed, for the register.
        version: Version,
        /// How much of it to write.
        part: Part,
    },
    /// What the run waits for, with code 0; the shell has the text.
    Waiting,
    /// `backend_need_reap`: the deletion is done. In the policy lane: nobody but the delete policy had anything to do.
    Reap,
}

/// How much of a failure has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Status, code and register.
    Whole,
    /// Only the register: status and code are as they were.
    Register,
}

/// Why a run is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// Its deadline has passed: finish as [`Outcome::TimedOut`](super::Outcome::TimedOut).
    TimedOut,
    /// This replica does not lead any more: nothing more may be written.
    LeaderLost,
}

/// Something for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// These objects depend on each other in a circle, each on the next and the last on the first. The newest
    /// of them, `broken_at`, does not wait. Told once for each circle.
    Cycle {
        /// The circle.
        keys: Box<[ObjectKey]>,
        /// The newest one.
        broken_at: ObjectKey,
    },
    /// This object failed for the first time at its version, and others wait for it.
    Blocking {
        /// The one that failed.
        key: ObjectKey,
        /// How many wait for it directly; counted up to 100.
        waiters: u32,
    },
    /// This run was cancelled a while ago and has not stopped: its code probably blocks.
    WillNotStop {
        /// The run.
        run: Run,
        /// Its object, which stays taken.
        key: ObjectKey,
        /// When it was started.
        since: Moment,
    },
}
