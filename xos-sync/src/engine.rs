//! The engine: what has to be done, in which order, and when.
//!
//! A pure state machine. [`Engine::step`] takes an [`Event`] and the time, and appends the [`Action`]s that
//! follow. No I/O, no clock, no randomness (jitter is a hash): the shell around it has those. So it can be
//! tested in microseconds, simulated from a seed, replayed from a journal, and asked why
//! ([`Engine::explain`]).
//!
//! # For whoever writes the shell
//!
//! One task owns the engine. It takes one event after the other, and carries the actions out in order.
//!
//! - **Start**: [`Event::Leader`] answers with [`Action::Scan`]. Read each model it names, in its order, as one
//!   read: [`Event::ReadStarted`] with a new, larger [`ReadId`] *before* the request is sent, [`Event::Facts`]
//!   for what is due or doomed, [`Event::ReadEnded`]. A read that failed ends as [`Complete::Partial`] and is
//!   tried again by the shell: until it ends as [`Complete::Whole`], nothing that depends on it starts.
//! - **Feed**: for each announced change start a read, look at the object, tell what is found, clean or not, with
//!   [`Why::Change`], or [`Event::Vanished`]; end the read. Many announcements may share a read. Announcements
//!   that may have been lost are an [`Event::Gap`].
//! - **Slow scan**: now and then the same reads as for [`Action::Scan`], at the shell's own time.
//! - **A run**: [`Action::Start`] is answered by [`Event::Finished`], always. Between them the shell claims if
//!   asked, and, if it has to read the record again, tells [`Event::Fetched`]. A record that it kept from an
//!   earlier read it tells the same way, and only if that read is not before `fresh_from`.
//! - **A wait**: [`Outcome::WaitUntil`] ends a run whose condition on an object does not hold. The shell looks at that
//!   object once more, and then whenever it changes, and tells [`Event::Met`] when the condition holds or the object is
//!   gone.
//! - **A result**: [`Action::Store`] is answered by [`Event::Stored`], always. The same run may be asked to
//!   store again after [`StoreFault::Away`].
//! - **Time**: [`Event::Timer`] at the moment of the last [`Action::Wake`]. A moment that is not later than now
//!   means that a step left work for the next one: give the timer when no other event waits.
//! - **The core goes and comes**: [`Event::CoreDown`], [`Event::CoreUp`]; steps that fail with it finish as
//!   [`Outcome::Interrupted`]. The core's return is a gap as well: one scan follows.
//! - **The end**: [`Event::Shutdown`], then go on until [`Action::Drained`] or until patience ends.
//!
//! # How it works
//!
//! One entry per object (`entry.rs`), found by linear hashing (`index.rs`), in chunks that never move
//! (`slab.rs`). After any change to an entry `settle` (`plan.rs`) puts it where it belongs: in a ready ring
//! (`rings.rs`), in the ring of the entry it waits for, or in the heap of alarms (`alarms.rs`). `facts.rs`
//! decides what is news, `launch.rs` starts, `finish.rs` ends runs. Work that could be long (waking a
//! million waiters, dropping what a read did not contain) is done in portions: no step takes over a
//! millisecond at a million entries, given facts some hundreds at a time.
//!
//! # Where it differs from the first sketch, and why
//!
//! - A write is not compared by reads alone. A read that began before the *answer* to a write may have looked
//!   after the write; dropping what it says loses a change made in between. So such a fact is old only if it
//!   shows the version that was written.
//! - [`Event::Fetched`] carries a whole fact. A version alone lost the work of the other lane, and what a
//!   re-check found changed; the simulation showed both.
//! - There is a ring for what a scan found beside the one for changes, so that a user's change does not stand
//!   behind a backlog of a million; and one for deletions, which get one start in sixteen while syncs are
//!   ready: they yield, and do not starve.
//! - [`Outcome::Skipped`], [`Event::Vanished`], [`Event::Changed`] and [`Event::Gap`] say what the sketch left
//!   to be guessed.
//! - [`Action::Wake`] may be too early (a run ended before its deadline), so that starts and ends of runs ask
//!   for none. It is never too late.
//! - Deleting an object leaves its version as it was, so that the policy lane remembers beside it whether it was about
//!   the deletion: a policy's success that is stored while its object is being deleted does not stand for the delete
//!   policy.
//! - Each lane waits for itself: a step may wait for the policy of its own object while that waits for something else.
//! - A failing policy does not keep a live object from its step (nor does it in the Python framework), but
//!   `delete_record` waits until the delete policy has succeeded.

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
