//! What handlers were seen to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use xos_model_client::ObjectKey;

use super::oracle::{Judge, Oracle};
use crate::engine::Lane;

/// One handler: its lane, and its place in the synchronizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hand {
    pub(super) lane: Lane,
    pub(super) at: usize,
}

/// What a handler is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// The object was created or changed.
    Change,
    /// The object was deleted.
    Delete,
}

/// What handlers were seen to do. It outlives the program.
#[derive(Default)]
pub(super) struct Witness(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// Objects that a handler is at work on.
    at_work: BTreeSet<ObjectKey>,
    /// What was begun for an object, and not undone.
    begun: BTreeSet<(ObjectKey, Hand)>,
    /// Handlers of a lane whose last call for a change has not succeeded, of objects that had any.
    open: BTreeMap<(ObjectKey, Lane), BTreeSet<usize>>,
    /// When a handler was first called since `since`.
    first: BTreeMap<ObjectKey, Instant>,
    handlers: u64,
}

impl Witness {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A handler is called.
    pub(super) fn begins(&self, judge: &Judge, key: ObjectKey, hand: Hand, call: Call, claimed: bool) {
        let mut seen = self.seen();
        seen.handlers += 1;
        let alone = seen.at_work.insert(key);
        judge.check(Oracle::OneHandler, alone, || {
            format!("two handlers are at work on object {} at once", shown(key))
        });
        if call == Call::Change {
            judge.check(Oracle::ClaimedFirst, claimed, || {
                format!("a {} is called for object {}, which is not claimed", handler(hand.lane), shown(key))
            });
            seen.begun.insert((key, hand));
            seen.open.entry((key, hand.lane)).or_default().insert(hand.at);
        }
        seen.first.entry(key).or_insert_with(Instant::now);
    }

    /// A handler has ended, or was dropped.
    pub(super) fn ended(&self, key: ObjectKey, hand: Hand, call: Call, succeeded: bool) {
        let mut seen = self.seen();
        seen.at_work.remove(&key);
        match call {
            Call::Change if succeeded => {
                if let Some(open) = seen.open.get_mut(&(key, hand.lane)) {
                    open.remove(&hand.at);
                }
            }
            Call::Delete if succeeded => {
                seen.begun.remove(&(key, hand));
            }
            _ => {}
        }
    }

    /// A handler did nothing, because it does not take the object.
    pub(super) fn refused(&self, key: ObjectKey, hand: Hand) {
        self.seen().begun.remove(&(key, hand));
    }

    /// The program died with all that was at work.
    pub(super) fn all_died(&self) {
        self.seen().at_work.clear();
    }

    /// The core is told that a lane is done with the object.
    pub(super) fn is_done(&self, judge: &Judge, key: ObjectKey, lane: Lane) {
        let honest = self.seen().open.get(&(key, lane)).is_some_and(BTreeSet::is_empty);
        judge.check(Oracle::HonestStatus, honest, || {
            format!("object {} is marked as done before its {} succeeded", shown(key), handler(lane))
        });
    }

    /// The core is told that a lane does not keep the object any more.
    pub(super) fn may_go(&self, judge: &Judge, key: ObjectKey, lane: Lane) {
        let left = self.seen().begun.iter().any(|(begun, hand)| *begun == key && hand.lane == lane);
        judge.check(Oracle::DeletionRuns, !left, || {
            format!("object {} may be purged, and no `{}` has succeeded", shown(key), deletion(lane))
        });
    }

    /// What was begun and not undone.
    pub(super) fn begun(&self) -> Vec<(ObjectKey, Lane)> {
        self.seen().begun.iter().map(|(key, hand)| (*key, hand.lane)).collect()
    }

    /// Whether no handler is at work.
    pub(super) fn is_idle(&self) -> bool {
        self.seen().at_work.is_empty()
    }

    /// Objects that a handler is at work on; from now on it is noted when objects are begun.
    pub(super) fn restart(&self) -> BTreeSet<ObjectKey> {
        let mut seen = self.seen();
        seen.first.clear();
        seen.at_work.clone()
    }

    /// When a handler was first called for an object since then.
    pub(super) fn first_call(&self, key: ObjectKey) -> Option<Instant> {
        self.seen().first.get(&key).copied()
    }

    pub(super) fn handlers(&self) -> u64 {
        self.seen().handlers
    }
}

fn handler(lane: Lane) -> &'static str {
    match lane {
        Lane::Sync => "step",
        Lane::Policy => "policy",
    }
}

/// The handler that undoes what a lane did.
pub(super) fn deletion(lane: Lane) -> &'static str {
    match lane {
        Lane::Sync => "delete_record",
        Lane::Policy => "handle_delete",
    }
}

/// A key until its name is known: what is told to people names the model.
pub(super) fn shown(key: ObjectKey) -> String {
    format!("{{{}:{}}}", key.root.0, key.id)
}
