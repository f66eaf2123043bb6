//! The machine itself.

use super::action::Action;
use super::config::Config;
use super::event::Event;
use super::explain::{Explanation, State};
use super::types::{Due, Moment, ObjectKey};

/// The engine. See the [module](super).
#[derive(Debug)]
pub struct Engine {
    config: Config,
}

/// How many objects the engine holds, by what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// May start.
    pub ready: usize,
    /// Wait for another object.
    pub waiting: usize,
    /// Wait for a moment: backoff, re-check, `wait_for`.
    pub resting: usize,
    /// A step is at work.
    pub running: usize,
    /// A result is not stored yet.
    pub storing: usize,
    /// Known and clean: kept until older reads have ended, or because others link to them.
    pub idle: usize,
}

impl Engine {
    /// An engine that knows nothing yet. It starts nothing before [`Event::Leader`].
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Takes in one event and appends what has to be done. `now` must not go back.
    pub fn step(&mut self, event: Event<'_>, now: Moment, out: &mut Vec<Action>) {
        let _ = (event, now, out, &self.config);
    }

    /// How this object stands.
    pub fn explain(&self, key: ObjectKey, now: Moment) -> Explanation {
        Explanation {
            key,
            name: key.to_string(),
            now,
            sync: Due::No,
            policy: Due::No,
            doomed: false,
            attempts: 0,
            last: None,
            state: State::Unknown,
        }
    }

    /// How many objects there are of each kind.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }

    /// Whether nothing can start, nothing runs, nothing waits to be stored and every observed model has been
    /// read: what is left waits for a moment, for an object, or for a change. `--once` ends here.
    pub fn is_quiet(&self) -> bool {
        true
    }
}
