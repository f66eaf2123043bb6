//! The engine: what has to be done, in which order, and when.
//!
//! A pure state machine. [`Engine::step`] takes an [`Event`] and the time, and appends the [`Action`]s that
//! follow. No I/O, no clock, no randomness: the shell around it has those.

mod action;
mod alarms;
mod backoff;
mod config;
mod edges;
mod entry;
mod event;
mod explain;
mod facts;
mod finish;
mod index;
mod launch;
mod machine;
mod plan;
mod reads;
mod rings;
mod runs;
#[cfg(test)]
mod simulation;
mod slab;
#[cfg(test)]
mod tests;
mod types;
mod watch;

pub use action::{Action, Cancel, Note, Part, Store};
pub use config::{Config, Limit, Model};
pub use event::{Complete, Event, Outcome, Scope, StoreFault};
pub use explain::{Explanation, Hold, State};
pub use machine::{Counts, Engine};
pub use types::{
    Due, Fact, FailureKind, Lane, ModelId, Moment, ObjectKey, ReadId, Retry, Run, Term, TextHash, Verb,
    Version, Why,
};
