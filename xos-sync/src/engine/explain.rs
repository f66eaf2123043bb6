//! Why an object runs, or does not.

use std::fmt;

use super::types::{Due, FailureKind, Moment, ObjectKey, Run, Verb, Why};

/// How one object stands. [`Display`](fmt::Display) says it in a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The object.
    pub key: ObjectKey,
    /// Leaf model and id, as a person would say it: "Slice 5".
    pub name: String,
    /// When this was true.
    pub now: Moment,
    /// The sync lane.
    pub sync: Due,
    /// The policy lane.
    pub policy: Due,
    /// Whether it is soft-deleted and waits for `delete_record`.
    pub doomed: bool,
    /// Failures so far at this version.
    pub attempts: u16,
    /// Why it ran last, as far as the engine remembers.
    pub last: Option<Why>,
    /// What it is doing.
    pub state: State,
}

/// What an object is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// The engine knows nothing about it: clean, not observed, or never read.
    Unknown,
    /// Nothing is due.
    Clean,
    /// It starts as soon as there is room, unless something holds it.
    Ready {
        /// What it would do.
        verb: Verb,
        /// Everything that holds it; empty when only a free slot is missing.
        held: Vec<Hold>,
    },
    /// It waits for another object to be done first.
    Waits {
        /// How that one stands.
        on: Box<Explanation>,
    },
    /// `StepError::wait_for`.
    Awaits {
        /// The object whose change it waits for.
        name: String,
        /// Runs again then at the latest.
        until: Moment,
    },
    /// It failed and its delay is not over.
    Rests {
        /// How it failed.
        kind: FailureKind,
        /// When it is due.
        until: Moment,
    },
    /// Nothing is wrong, but it is not due before this: a re-check, or a pause after an interruption.
    Later {
        /// When it is due.
        until: Moment,
    },
    /// A step is at work.
    Running {
        /// Which run.
        run: Run,
        /// What it does.
        verb: Verb,
        /// Since when.
        since: Moment,
        /// Whether it was cancelled and has not stopped.
        cancelled: bool,
    },
    /// The step has ended, the result is not stored.
    Storing {
        /// Which run.
        run: Run,
    },
}

/// What keeps ready objects from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// This replica does not lead.
    NotLeading,
    /// The core is away.
    CoreDown,
    /// The program stops.
    Stopping,
    /// Everything, its model or the object is paused.
    Paused,
    /// The read of this model has not ended.
    Reading(String),
    /// As many steps of its models run as may.
    Limit(usize),
    /// Too many results wait to be stored.
    Unstored,
    /// A step that was cancelled when leadership was lost has not stopped.
    OldRun,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
